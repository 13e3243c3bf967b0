"""The list of callbacks and orders together: its order, its pages, what is new of it, what wants a look, and what it costs."""

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, event, insert, select, text
from ulid import ULID

from app.errors import Invalid, StorageUnavailable
from app.extensions import db, writing
from app.models import Callback, Invocation, Recipient
from routes.pages.live import MOST_NEW
from services.reading.filters import Filters
from services.reading.known import TAIL, Known, moment_of, place_of, since_for
from services.reading.latest import REACH, SHARED_FROM, SHARED_S, WAIT_S, Latest, Shared, read_latest
from services.reading.lines import Line
from services.reading.live import STATES, lines
from services.reading.paging import MOST_READ
from services.reading.timeline import related
from services.reading.wanted import look_at_all, looks
from tests.rows import NOW, Row, callback, invocation, keep

HERE, THERE = "+254711000017", "+254711000018"


def place(row_id: str) -> str:
    return row_id.partition("_")[2]


def at(moment: datetime) -> str:
    """Return a ULID of this time."""
    return str(ULID.from_datetime(moment))


def order(at: datetime = NOW, phones: tuple[str, ...] = (HERE,), **values: Any) -> list[Row]:
    """An order with its numbers."""
    row_id = f"inv_{ULID.from_datetime(at)}"
    rows = [invocation(id=row_id, asked_at=at, called_at=at, **values)]
    for position, phone in enumerate(phones):
        rows.append((Recipient, {"invocation_id": row_id, "position": position, "phone": phone, "state": "accepted", "day": "2026-03-04"}))
    return rows


def listed(app: Flask, after: str | None = None, limit: int = 50, only_looks: bool = False, **asked: Any) -> tuple[list[Line], str | None]:
    with app.app_context(), db.engine.connect() as connection:
        return lines(connection, Filters(**asked), after, limit, "KE", False, only_looks)


def told(app: Flask, known: Known, limit: int = 200, **asked: Any) -> tuple[Line, ...] | None:
    with app.app_context(), db.engine.connect() as connection:
        latest = read_latest(connection, Filters(**asked), moment_of(known.first_place()), NOW, limit + len(known.tails), "KE", False)
    return latest.lacking(known, limit)


KINDS = ("sms.opt_out", "sms.incoming_message", "ussd.session", "sms.bulk", "airtime.send")
ASKED: dict[str, tuple[dict[str, Any], Callable[[Any], bool]]] = {
    "all": ({}, lambda _: True),
    "a kind": ({"kind": "ussd.session"}, lambda row: row["kind"] == "ussd.session"),
    "a kind of ours": ({"kind": "sms.bulk"}, lambda row: row["kind"] == "sms.bulk"),
    "a family": ({"kind": "sms.*"}, lambda row: row["kind"].startswith("sms.")),
    "a phone": ({"phone": "0711000017"}, lambda row: HERE in row["phones"]),
    "a state": ({"state": "refused"}, lambda row: row["state"] == "refused"),
    "a state of ours": ({"state": "unknown"}, lambda row: row["state"] == "unknown"),
    "a text": ({"q": "habari"}, lambda row: row["text"] == "habari"),
    "a time": ({"since": NOW + timedelta(seconds=100)}, lambda row: row["at"] >= NOW + timedelta(seconds=100)),
    "a phone and a kind": ({"phone": HERE, "kind": "sms.*"}, lambda row: HERE in row["phones"] and row["kind"].startswith("sms.")),
}  # fmt: skip


@pytest.fixture
def many(app: Flask) -> list[dict[str, Any]]:
    """Four hundred rows of both sorts, many in the same millisecond; what is to be known of each, newest first."""
    words = random.Random(17)
    rows: list[Row] = []
    for _ in range(400):
        moment = NOW + timedelta(seconds=words.randrange(200))
        kind, phone, said = words.choice(KINDS), words.choice((HERE, THERE)), words.choice(("habari", "jambo"))
        if kind in ("sms.bulk", "airtime.send"):
            phones = (phone, "+254711000019") if words.random() < 0.3 else (phone,)
            rows += order(
                moment, phones, kind=kind, state=words.choice(("accepted", "refused", "unknown", "pending")), ordered={"message": said}
            )
        else:
            spelled = phone if words.random() < 0.7 else phone[1:]
            rows.append(
                callback(moment, kind=kind, state=words.choice(("accepted", "refused", "differing")), phone=spelled, fields={"text": said})
            )
    keep(app, *rows)
    phones_of: dict[str, list[str]] = {}
    for model, values in rows:
        if model is Recipient:
            phones_of.setdefault(values["invocation_id"], []).append(values["phone"])
    found = []
    for model, values in rows:
        if model is not Recipient:
            said = values.get("ordered", {}).get("message") or values.get("fields", {}).get("text")
            phones = phones_of.get(values["id"]) or ["+" + str(values.get("phone") or "").lstrip("+")]
            at = values.get("received_at") or values["asked_at"]
            found.append({"id": values["id"], "kind": values["kind"], "state": values["state"], "phones": phones, "text": said, "at": at})
    return sorted(found, key=lambda row: place(row["id"]), reverse=True)


@pytest.mark.parametrize("asked", ASKED)
def test_pages_give_every_row_once_in_the_order_of_time(app: Flask, many: list[dict[str, Any]], asked: str) -> None:
    filters, is_meant = ASKED[asked]
    wanted = [row["id"] for row in many if is_meant(row)]
    assert wanted
    for limit in (7, 50):
        found: list[str] = []
        after: str | None = None
        while True:
            page, after = listed(app, after, limit, **filters)
            assert len(page) <= limit
            found += [line.id for line in page]
            if after is None:
                break
            assert place_of(after, "after")
        assert found == wanted


def test_a_row_that_comes_while_somebody_pages_moves_nothing(app: Flask) -> None:
    keep(app, *(callback(NOW + timedelta(seconds=n)) for n in range(20)))
    first, after = listed(app, None, 10)
    keep(app, callback(NOW + timedelta(seconds=60)), *order(NOW + timedelta(seconds=61)))
    second, _ = listed(app, after, 10)
    ids = [line.id for line in (*first, *second)]
    assert (len(ids), ids) == (20, sorted(ids, reverse=True))


@pytest.mark.parametrize("asked", [{"kind": "sms.nothing"}, {"kind": "*"}, {"kind": "nothing.*"}, {"state": "gone"}, {"kind": "%"}])
def test_words_that_nobody_knows_are_refused(app: Flask, asked: dict[str, str]) -> None:
    with pytest.raises(Invalid, match="must be one of"):
        listed(app, **asked)


def test_every_state_that_is_offered_is_one(app: Flask) -> None:
    assert [listed(app, state=state) for state in STATES] == [([], None)] * len(STATES)


class Page:
    """A page that stays open, as static/page.js keeps it: it shows MOST_NEW lines at most, and asks every other second.

    shared: where it asks, with other pages.
    """

    def __init__(self, app: Flask, now: datetime, limit: int = 50, shared: Shared | None = None) -> None:
        self.app, self.now = app, now
        self.shared = shared or Shared(lambda: self.now.timestamp())
        found, after = listed(app, None, limit)
        self.shown = [place(line.id) for line in found]
        self.has_older, self.since = after is not None, since_for(now)

    def ask(self, now: datetime) -> list[str]:
        """Return what is new, newest first."""
        self.now = now
        tails = frozenset(one[-TAIL:] for one in self.shown if one > self.since)
        oldest = self.shown[-1] if self.has_older or len(self.shown) == MOST_NEW else ""
        known = Known(self.since, oldest, tails)
        latest = self.shared.look("all", known, now, lambda since: self._read(since, now))
        new = latest.lacking(known, MOST_NEW)
        assert new is not None
        fresh = [place(line.id) for line in new]
        assert not set(fresh) & set(self.shown), "shown twice"
        self.shown = sorted([*self.shown, *fresh], reverse=True)[:MOST_NEW]
        self.since = since_for(latest.read_at)
        return fresh

    def _read(self, since: datetime, now: datetime) -> Latest:
        with self.app.app_context(), db.engine.connect() as connection:
            return read_latest(connection, Filters(), since, now, 2 * MOST_NEW, "KE", False)


def test_what_is_new_comes_once_also_when_it_was_committed_late(app: Flask) -> None:
    second = timedelta(seconds=1)
    keep(app, callback(NOW - second))
    page = Page(app, NOW)
    assert page.ask(NOW + second) == []
    newer, late = callback(NOW + 3 * second), callback(NOW + 2 * second)
    keep(app, newer)
    assert page.ask(NOW + 4 * second) == [place(newer[1]["id"])]
    # Made before the other, committed after it was shown.
    keep(app, late)
    assert page.ask(NOW + 6 * second) == [place(late[1]["id"])]
    assert page.ask(NOW + 8 * second) == []
    # As long as a commit may take.
    latest = callback(NOW - 6 * second)
    keep(app, latest)
    assert page.ask(NOW + 9 * second) == [place(latest[1]["id"])]
    assert page.shown == sorted(page.shown, reverse=True)


@pytest.mark.parametrize("burst", [49, 130, 201, 450])
def test_a_burst_is_shown_without_gaps_or_doubles(app: Flask, burst: int) -> None:
    keep(app, *(callback(NOW - timedelta(seconds=60 + n)) for n in range(70)))
    page = Page(app, NOW)
    # It asks somewhat later, and is told what the first caused to be read.
    other = Page(app, NOW, shared=page.shared)
    for turn in range(3):
        now = NOW + timedelta(seconds=2 * turn + 1)
        rows = [
            row
            for n in range(burst)
            for row in ([callback(now + timedelta(milliseconds=n))] if n % 5 else order(now + timedelta(milliseconds=n)))
        ]
        # Some of them are committed only by the next time.
        keep(app, *rows[: burst // 2])
        page.ask(now + timedelta(seconds=1))
        keep(app, *rows[burst // 2 :])
        page.now += timedelta(seconds=0.5)
        other.ask(page.now)
    for wait in (7, 9, 11):
        page.ask(NOW + timedelta(seconds=wait))
        other.ask(NOW + timedelta(seconds=wait + 0.5))
    expected, after = listed(app, None, len(page.shown))
    assert page.shown == other.shown == [place(line.id) for line in expected]
    # Where it goes on is where the next page begins.
    following, _ = listed(app, page.shown[-1], 5)
    assert after is None or place(following[0].id) < page.shown[-1]


def test_a_burst_before_the_page_was_made_is_not_new(app: Flask) -> None:
    keep(app, *(callback(NOW - timedelta(milliseconds=10 * n)) for n in range(1, 300)))
    page = Page(app, NOW)
    assert page.ask(NOW + timedelta(seconds=1)) == []


def test_a_page_that_slept_shows_the_newest(app: Flask) -> None:
    page = Page(app, NOW)
    keep(app, *(callback(NOW + timedelta(seconds=n)) for n in range(1, 1000)))
    assert len(page.ask(NOW + timedelta(seconds=1001))) == MOST_NEW
    assert page.shown == [place(line.id) for line in listed(app, None, MOST_NEW)[0]]


def test_an_order_that_was_under_way_is_told_again(app: Flask) -> None:
    rows = order(NOW, state="pending")
    keep(app, *rows)
    [line] = listed(app)[0]
    assert (line.is_open, line.sign) == (True, "pending")
    with app.app_context(), writing() as connection:
        connection.execute(Invocation.__table__.update().values(state="accepted", ms=80))
    # An open page does not count it among what it knows.
    [again] = told(app, Known(since_for(NOW + timedelta(seconds=2)))) or []
    assert (again.id, again.is_open, again.ms) == (line.id, False, 80)


class Readings:
    """What pages that share readings caused to be read: since when, each time. Each gives so many lines."""

    def __init__(self, count: int) -> None:
        self.count, self.since, self.clock = count, list[datetime](), 100.0
        self.shared = Shared(lambda: self.clock)

    def ask(self, since: datetime, key: str = "all") -> Latest:
        return self.shared.look(key, Known(at(since)), NOW, self.read)

    def read(self, since: datetime) -> Latest:
        """Read once more."""
        self.since.append(since)
        of = Line(f"cb_{at(NOW)}", NOW, "sms.opt_out", None, "", "ok", (), "200", 1, is_ours=False)
        return Latest((of,) * self.count, None, NOW)


def test_pages_share_a_reading_for_a_moment_where_much_comes() -> None:
    readings = Readings(SHARED_FROM)
    first = readings.ask(NOW)
    assert readings.ask(NOW - timedelta(seconds=9)) is first
    # Who asks for something else is told that.
    assert readings.ask(NOW, "some") is not first
    readings.clock += SHARED_S
    assert readings.ask(NOW) is not first
    assert readings.since == [NOW - REACH] * 3


@pytest.mark.parametrize(("waited", "is_told"), [(SHARED_S, True), (WAIT_S - 0.1, True), (WAIT_S, False)])
def test_while_one_page_reads_anew_the_others_are_told_what_was_read_before(waited: float, is_told: bool) -> None:
    readings, reading, may_end = Readings(SHARED_FROM), Event(), Event()

    def slowly(since: datetime) -> Latest:
        reading.set()
        assert may_end.wait(10)
        return readings.read(since)

    first = readings.ask(NOW)
    readings.clock += waited
    with ThreadPoolExecutor(1) as pool:
        newer = pool.submit(readings.shared.look, "all", Known(at(NOW)), NOW, slowly)
        assert reading.wait(10)
        assert (readings.ask(NOW) is first) == is_told
        may_end.set()
        assert newer.result(10) is not first
    assert readings.ask(NOW) is not first


def test_a_reading_that_fails_keeps_nobody_from_reading() -> None:
    readings = Readings(SHARED_FROM)

    def fail(_since: datetime) -> Latest:
        raise StorageUnavailable

    with pytest.raises(StorageUnavailable):
        readings.shared.look("all", Known(at(NOW)), NOW, fail)
    assert readings.ask(NOW) is readings.ask(NOW)
    readings.clock += SHARED_S
    with pytest.raises(StorageUnavailable):
        readings.shared.look("all", Known(at(NOW)), NOW, fail)
    before = len(readings.since)
    readings.ask(NOW)
    assert len(readings.since) == before + 1


def test_where_little_comes_every_page_is_told_at_once() -> None:
    readings = Readings(SHARED_FROM - 1)
    assert readings.ask(NOW) is not readings.ask(NOW)


def test_a_page_that_slept_reads_for_itself() -> None:
    readings, long_ago = Readings(SHARED_FROM), NOW - timedelta(hours=1)
    assert readings.ask(long_ago) is not readings.ask(NOW)
    assert readings.since == [long_ago, NOW - REACH]


def test_a_page_is_told_only_what_came_since_it_asked() -> None:
    """A reading that others share reaches back further."""
    moments = [NOW - timedelta(seconds=n) for n in range(20)]
    read = tuple(Line(f"cb_{at(one)}", one, "sms.opt_out", None, "", "ok", (), "200", 1, is_ours=False) for one in moments)
    known = Known(at(NOW - timedelta(seconds=5, milliseconds=500)), "", frozenset({read[2].id[-TAIL:]}))
    cut = Latest(read, place(read[-1].id), NOW)
    assert [line.at for line in cut.lacking(known, 50) or ()] == [moments[n] for n in (0, 1, 3, 4, 5)]
    # Where it was cut before that time, lines may be missing.
    assert cut.lacking(Known(at(NOW - timedelta(seconds=30))), 50) is None
    assert len(cut.lacking(Known(at(NOW - timedelta(seconds=30))), 20) or ()) == 20


def test_a_page_is_made_anew_where_too_much_came_to_look_through(app: Flask) -> None:
    page = Page(app, NOW)
    rows = [callback(NOW + timedelta(milliseconds=n), fields={"text": "jambo" if n % 1000 else "habari"})[1] for n in range(MOST_READ + 10)]
    with app.app_context(), writing() as connection:
        connection.execute(insert(Callback), rows)
    assert told(app, Known(page.since), q="habari") is None
    assert len(told(app, Known(page.since, place(rows[100]["id"])), q="habari") or []) == 5


@pytest.mark.parametrize(
    "given", ["", "x", "Z" * 26, "7" + "Z" * 25, "0" * 25, "\0" * 26, "é" * 26, "0" * 27, "'; DROP TABLE callbacks; --"]
)
def test_what_is_no_place_is_refused(given: str) -> None:
    with pytest.raises(Invalid, match="'after' must be a place"):
        place_of(given, "after")


def test_what_wants_a_look_is_counted_and_listed_alike(app: Flask) -> None:
    def seen() -> tuple[int, int]:
        with app.app_context(), db.engine.connect() as connection:
            count = looks(connection)
        return count, len(listed(app, only_looks=True)[0])

    keep(
        app, callback(state="refused"), callback(state="differing"), callback(last_error="broken", due_at=None), callback(last_error="broken", due_at=NOW),
        callback(), *order(state="unknown"), *order(state="pending"), *order(state="accepted"),
    )  # fmt: skip
    assert seen() == (4, 4)
    with app.app_context(), writing() as connection:
        look_at_all(connection, NOW + timedelta(seconds=1), NOW + timedelta(seconds=9))
    # What was given up, or may have gone, waits until somebody does something about it.
    assert seen() == (2, 2)
    # What came after the page was made was not looked at.
    keep(app, callback(NOW + timedelta(seconds=5), state="refused"))
    assert seen() == (3, 3)
    with app.app_context(), writing() as connection:
        look_at_all(connection, NOW, NOW + timedelta(seconds=10))
    assert seen() == (3, 3)


def test_no_more_than_a_hundred_are_counted(app: Flask) -> None:
    keep(app, *(callback(NOW + timedelta(milliseconds=n), state="refused") for n in range(130)))
    with app.app_context(), db.engine.connect() as connection:
        assert looks(connection) == 100


def test_numbers_are_hidden_where_asked(app: Flask) -> None:
    keep(app, callback(kind="sms.incoming_message", phone=HERE, fields={"text": f"call {THERE}"}), *order(phones=(HERE, THERE)))
    with app.app_context(), db.engine.connect() as connection:
        hidden, _ = lines(connection, Filters(), None, 50, "KE", True)
    assert not [line for line in hidden if "254711" in f"{line.phone} {line.fact}"]
    assert {line.phone for line in hidden} == {"***017", "2 numbers"}


def fill(app: Flask) -> None:
    """Write so many rows that a planner has a reason to choose."""
    samples = {Callback: ("cb", callback()[1]), Invocation: ("inv", invocation()[1]), Recipient: ("inv", order()[1][1])}
    with app.app_context(), writing() as connection:
        for model, (ids, values) in samples.items():
            name = "invocation_id" if model is Recipient else "id"
            rows = [values | {name: f"{ids}_01KM{n:022}", "state": "accepted" if n % 100 else "refused"} for n in range(MANY)]
            for n, row in enumerate(rows):
                row.update({"idempotency_key": f"key {n}"} if model is Invocation else {"phone": f"+2547110000{n % 60 + 10}"})
            connection.execute(insert(model), rows)
    with app.app_context(), db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        for table in ("callbacks", "invocations", "recipients"):
            connection.execute(text(f"ANALYZE {table}"))


def plans_of(connection: Connection, look: Callable[[], object]) -> list[str]:
    """Return the plan of every statement that a look asks, line by line."""
    asked: list[tuple[str, Any]] = []
    event.listen(connection, "before_cursor_execute", lambda *call: asked.append(call[2:4]))
    look()
    how = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
    return [
        str(row[-1])
        for statement, parameters in list(asked)
        if statement != "BEGIN"
        for row in connection.exec_driver_sql(how + statement, parameters).all()
    ]


MANY = 3000
READS_ALL = (
    "SCAN callbacks",
    "SCAN invocations",
    "SCAN recipients",
    "Seq Scan on callbacks",
    "Seq Scan on invocations",
    "Seq Scan on recipients",
)


def test_no_list_reads_or_sorts_a_whole_table(app: Flask) -> None:
    fill(app)
    deep = f"01KM{MANY // 2:022}"
    looked_for: dict[str, tuple[dict[str, Any], str | None, bool]] = {
        "first": ({}, None, False), "deep": ({}, deep, False), "phone": ({"phone": HERE}, None, False), "deep phone": ({"phone": HERE}, deep, False),
        "kind": ({"kind": "sms.opt_out"}, None, False), "family": ({"kind": "sms.*"}, deep, False), "state": ({"state": "refused"}, None, False),
        "session": ({"session": "ATUid_1"}, None, False), "since": ({"since": datetime.now(UTC)}, None, False), "text": ({"q": "zz"}, None, False),
        "looks": ({}, None, True), "looks of a phone": ({"phone": HERE}, None, True), "deep looks": ({}, deep, True),
    }  # fmt: skip
    with app.app_context(), db.engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            # A table of this size may be cheaper to read whole: one of a million rows is not.
            connection.execute(text("SET enable_seqscan = off"))
        for name, (asked, after, only_looks) in looked_for.items():
            plan = plans_of(connection, lambda: lines(connection, Filters(**asked), after, 50, "KE", False, only_looks))  # noqa: B023 - called at once
            _insist_on_indexes(name, plan)
        _insist_on_indexes("new", plans_of(connection, lambda: read_latest(connection, Filters(), NOW, NOW, 200, "KE", False)))
        _insist_on_indexes("count", plans_of(connection, lambda: looks(connection)))
        row = connection.execute(select(Callback.__table__).limit(1)).one()
        _insist_on_indexes("related", plans_of(connection, lambda: related(connection, row)))


def _insist_on_indexes(name: str, plan: list[str]) -> None:
    assert plan
    for line in plan:
        bare = line.strip().removeprefix("->").strip()
        assert not bare.startswith(READS_ALL) or " USING " in bare, (name, plan)
