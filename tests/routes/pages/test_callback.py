"""The page of one callback: what it shows, replays and edits, what may be copied from it, and what stays hidden."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from flask import Flask
from sqlalchemy import update

from app.extensions import writing
from app.models import Callback, Delivery
from app.schemas.callbacks import KINDS
from services.replays.copies import FORMS
from tests.invoking import LIVE, ONLY_SQLITE
from tests.receiving import Receiver
from tests.routes.pages.browsing import ELSEWHERE, Browser
from tests.running import free_port
from tests.samples import FORM, JSON, PATHS, post
from tests.serving import listening

Stored = Callable[[type], list[Any]]
Make = Callable[..., Flask]
# What is kept is the same on both, which other tests see to.
pytestmark = ONLY_SQLITE
NUMBER = "254711000017"
SCRIPT = "<script>alert(1)</script>"
# Bodies that a shell, a Python source, a form and a page may each trip over
HOSTILE = {
    "quotes": (FORM, b"senderId='\"`$(id)`\\&phoneNumber=%2B254711000017&x=!!\\n%s"),
    "newlines": (FORM, b"senderId=a\r\nb\nc\rd\n\n&phoneNumber=+254711000017\n"),
    "not UTF-8": (FORM, b"senderId=\xff\xfe%FF&phoneNumber=%2B254711000017\xe9"),
    "NUL": (FORM, b"senderId=a\x00b%00&phoneNumber=%2B254711000017"),
    "NUL of a form": (FORM, b"senderId=a%00b&phoneNumber=%2B254711000017"),
    "dash first": (
        "multipart/form-data; boundary=x",
        b'--x\r\nContent-Disposition: form-data; name="senderId"\r\n\r\n\xff+254711000017\r\n--x--\r\n',
    ),
    "percent": (FORM, b"phoneNumber=%2B%32%35%34%37%31%31%30%30%30%30%31%37&senderId=%25s%5Cn"),
    "escaped JSON": (JSON, b'{"phoneNumber":"\\u002b254711000017","senderId":"\\u0032\\u0035\\u0034711000017","n":254711000017}'),
    "nested JSON": (JSON, b'{"senderId":{"token":"geheim-geheim","of":["+254711000017"]},"phoneNumber":"+254711000017"}'),
    "broken JSON": (JSON, b'{"phoneNumber":"\\u0032\\u0035\\u0034711000017'),
    "list": (JSON, b"[1,2,254711000017]"),
    "empty": (FORM, b""),
    "no type": ("", b"senderId=@/etc/passwd&phoneNumber=%2B254711000017"),
    "tab": (FORM, b"senderId=a\tb&phoneNumber=%2B254711000017"),
    "markup": (FORM, f"senderId={SCRIPT}&phoneNumber={SCRIPT}{NUMBER}".encode()),
    "plain": (FORM, b"senderId=MyBrand&phoneNumber=%2B254711000017"),
}


def keep(app: Flask, kind: str = "ussd.session", **fields: Any) -> str:
    """Post a sample with some fields changed, and return its id."""
    return post(app.test_client(), kind, KINDS[kind].sample | fields).headers["X-Pokea-Id"]


def keep_raw(app: Flask, body: tuple[str, bytes], query: str = "") -> str:
    return app.test_client().post(f"/api/sms/opt-out{query}", data=body[1], content_type=body[0]).headers["X-Pokea-Id"]


def opened(app: Flask, callback_id: str, environ: dict[str, Any] | None = None) -> Browser:
    browser = Browser(app, environ)
    assert browser.get(f"/dashboard/callbacks/{callback_id}").status_code == 200
    return browser


def value_of(page: str, place: str) -> str:
    """Return what a browser has in a textarea, whose first line end it drops."""
    return unescape(re.search(rf'<textarea id="{place}"[^>]*>\n(.*?)</textarea>', page, re.DOTALL)[1])


@pytest.fixture
def pokea(make_app: Make) -> Flask:
    """An application whose context nobody pushed."""
    return make_app()


@pytest.fixture
def served(make_app: Make) -> Iterator[Flask]:
    """An application that listens on its own port."""
    with listening(make_app(port=free_port())) as app:
        yield app


def test_every_kind_is_shown_whole(pokea: Flask) -> None:
    for kind in KINDS:
        page = Browser(pokea).get(f"/dashboard/callbacks/{keep(pokea, kind)}").text
        said = [page.index(f"<b>{what}</b>") for what in ("received", "validated", "answered", "stored")]
        assert said == sorted(said)
        for name in KINDS[kind].sample:
            assert f'<th scope="row">{name}</th>' in page
        assert type(KINDS[kind].schema).__name__ in page


def test_hostile_bodies_are_shown_and_stay_text(pokea: Flask) -> None:
    browser = Browser(pokea)
    for name, body in HOSTILE.items():
        callback_id = keep_raw(pokea, body, "?a=%3Cscript%3Ealert(1)%3C/script%3E")
        for path in (f"/dashboard/callbacks/{callback_id}", f"/dashboard/callbacks/{callback_id}/edit"):
            for answer in (browser.get(path), browser.part(path)):
                assert (answer.status_code, SCRIPT in answer.text, "\0" in answer.text) == (200, False, False), name


def test_an_unknown_id_is_a_page_that_says_so(pokea: Flask) -> None:
    browser = opened(pokea, keep(pokea))
    for answer in (
        browser.get("/dashboard/callbacks/cb_%00%27"),
        browser.post("/dashboard/callbacks/cb_x/replay"),
        browser.post("/dashboard/callbacks/cb_x/edit"),
        browser.post("/dashboard/callbacks/cb_x/forward"),
    ):
        assert (answer.status_code, "No callback" in answer.text) == (404, True)


@pytest.mark.parametrize("deed", ["replay", "edit", "pin", "again", "forward", "fixture"])
def test_a_forged_form_does_nothing(make_app: Make, stored: Stored, tmp_path: Path, deed: str) -> None:
    app = make_app(fixtures_dir=tmp_path / "events")
    callback_id = keep(app)
    answer = app.test_client().post(f"/dashboard/callbacks/{callback_id}/{deed}", data={"name": "forged"})
    assert (answer.status_code, "nothing was done" in answer.text) == (400, True)
    assert len(stored(Callback)) == 1
    assert (stored(Callback)[0].pinned_at, (tmp_path / "events").exists()) == (None, False)


@pytest.mark.parametrize("deed", ["replay", "edit", "pin", "again", "forward", "fixture"])
def test_who_is_not_logged_in_is_led_to_the_login(pokea: Flask, stored: Stored, deed: str) -> None:
    callback_id = keep(pokea)
    answer = Browser(pokea, ELSEWHERE).post(f"/dashboard/callbacks/{callback_id}/{deed}", follow=False)
    assert (answer.status_code, "/login" in answer.headers["Location"], len(stored(Callback))) == (303, True, 1)


def test_a_replay_is_without_sending_unless_said(pokea: Flask, stored: Stored) -> None:
    first_id = keep(pokea)
    page = opened(pokea, first_id).post(f"/dashboard/callbacks/{first_id}/replay").text
    row = stored(Callback)[1]
    assert (row.replay_of, row.has_effects, row.due_at) == (first_id, False, None)
    assert "The answer is the same as the first time." in page
    assert "replay of this" in Browser(pokea).get(f"/dashboard/callbacks/{first_id}").text


def test_as_it_was_has_effects(pokea: Flask, stored: Stored) -> None:
    first_id = keep(pokea, "sms.opt_out")
    opened(pokea, first_id).post(f"/dashboard/callbacks/{first_id}/replay", {"where": "effects", "key": "form-1"}, follow=False)
    assert stored(Callback)[1].has_effects


def test_a_form_with_effects_that_comes_twice_has_them_once(pokea: Flask, stored: Stored) -> None:
    first_id = keep(pokea, "sms.opt_out")
    page = opened(pokea, first_id)
    key = re.search(r'name="key" value="([^"]+)"', page.get(f"/dashboard/callbacks/{first_id}").text)[1]
    fields = {"where": "effects", "key": key}
    led_to = {page.post(f"/dashboard/callbacks/{first_id}/replay", fields, follow=False).location for _ in range(3)}
    edited = page.post(f"/dashboard/callbacks/{first_id}/edit", fields | {"by": "body", "body": "x=1"}, follow=False).location
    [_, replayed] = stored(Callback)
    assert led_to == {edited} == {f"/dashboard/callbacks/{replayed.id}"}
    assert page.post(f"/dashboard/callbacks/{first_id}/replay", {"where": "effects"}).status_code == 400


def test_of_eight_clicks_at_once_one_has_effects(pokea: Flask, stored: Stored) -> None:
    first_id = keep(pokea, "sms.opt_out")
    page = opened(pokea, first_id)
    with ThreadPoolExecutor(8) as threads:
        asked = [
            threads.submit(page.post, f"/dashboard/callbacks/{first_id}/replay", {"where": "effects", "key": "k1"}, False) for _ in range(8)
        ]
        assert {one.result().status_code for one in asked} <= {303, 409}
    assert len(stored(Callback)) == 2


def test_live_effects_ask_for_a_word(make_app: Make, stored: Stored) -> None:
    app = make_app(**LIVE, dashboard_password="long-enough-1")
    proof = {"Authorization": f"Bearer {LIVE['callback_token'][0]}"}
    first_id = post(app.test_client(), "sms.opt_out", headers=proof).headers["X-Pokea-Id"]
    browser = Browser(app, ELSEWHERE)
    browser.get("/login")
    browser.post("/login", {"secret": "long-enough-1"})
    page = browser.get(f"/dashboard/callbacks/{first_id}").text
    assert "for real" in page
    assert "Keep as a named fixture" not in page
    for path, fields in (("replay", {"where": "effects"}), ("edit", {"where": "effects", "by": "body", "body": "x=1"})):
        assert browser.post(f"/dashboard/callbacks/{first_id}/{path}", fields).status_code == 400
    assert len(stored(Callback)) == 1
    browser.post(f"/dashboard/callbacks/{first_id}/replay", {"where": "effects", "confirm": "send", "key": "form-1"}, follow=False)
    assert stored(Callback)[1].has_effects
    answer = browser.post(f"/dashboard/callbacks/{first_id}/fixture", {"name": "real-people"})
    assert (answer.status_code, "Nothing was kept" in answer.text) == (403, True)


def test_a_replay_goes_to_another_address_once(make_app: Make, stored: Stored) -> None:
    app = make_app(webhooks_allow_private=True)
    first_id = keep(app, "sms.opt_out")
    with Receiver() as receiver:
        page = (
            opened(app, first_id)
            .post(f"/dashboard/callbacks/{first_id}/replay", {"where": "url", "to": f"{receiver.url}/hook?key=geheim"})
            .text
        )
    assert [came.body for came in receiver.came] == [stored(Callback)[0].raw_body]
    assert "Answer changed: text/plain → " not in page
    assert "OK → ok" in page
    assert "geheim" not in page


@pytest.mark.parametrize(
    ("to", "said"), [("http://127.0.0.1:1/", "WEBHOOKS_ALLOW_PRIVATE=1"), ("", "Name the address"), ("javascript:alert(1)", "https://")]
)
def test_an_address_that_must_not_be_reached_is_refused_in_words(pokea: Flask, stored: Stored, to: str, said: str) -> None:
    first_id = keep(pokea, "sms.opt_out")
    answer = opened(pokea, first_id).post(f"/dashboard/callbacks/{first_id}/replay", {"where": "url", "to": to})
    assert (answer.status_code, said in unescape(answer.text), len(stored(Callback))) == (400, True, 1)


def test_an_unknown_way_to_replay_is_refused(pokea: Flask, stored: Stored) -> None:
    first_id = keep(pokea)
    assert opened(pokea, first_id).post(f"/dashboard/callbacks/{first_id}/replay", {"where": "moon"}).status_code == 400
    assert len(stored(Callback)) == 1


@pytest.mark.parametrize(
    ("kind", "change", "said"),
    [
        ("ussd.session", {"text": "2"}, "Answer changed: CON → END."),
        ("sms.opt_out", {"senderId": ""}, "Answer changed: 200 → 400, OK → BAD."),
        ("ussd.session", {"text": "1"}, "Answer changed: the same kind of answer, with another text."),
    ],
)
def test_a_changed_field_tells_how_the_answer_changed(pokea: Flask, kind: str, change: dict[str, str], said: str) -> None:
    first_id = keep(pokea, kind)
    fields = KINDS[kind].sample | change
    form = {"name": list(fields), "value": list(fields.values())}
    page = opened(pokea, first_id).post(f"/dashboard/callbacks/{first_id}/edit", form).text
    assert said in page
    assert '<pre class="diff">' in page


def test_fields_are_added_and_left_out(pokea: Flask, stored: Stored) -> None:
    first_id = keep(pokea, "sms.opt_out")
    form = {"name": ["", "phoneNumber", " extra ", ""], "value": ["MyBrand", f"+{NUMBER}", "a\r\nb", "lost"]}
    opened(pokea, first_id).post(f"/dashboard/callbacks/{first_id}/edit", form)
    assert stored(Callback)[1].fields == {"phoneNumber": f"+{NUMBER}", "extra": "a\nb"}


def test_a_field_of_several_lines_is_not_changed_by_a_browser(pokea: Flask, stored: Stored) -> None:
    text = "\none\ntwo\r\nthree"
    first_id = keep(pokea, "sms.incoming_message", text=text)
    page = Browser(pokea).get(f"/dashboard/callbacks/{first_id}/edit").text
    fields = KINDS["sms.incoming_message"].sample | {"text": text}
    assert text in page
    in_form = fields | {"text": re.sub(r"\r\n|\n", "\r\n", text)}
    opened(pokea, first_id).post(f"/dashboard/callbacks/{first_id}/edit", {"name": list(in_form), "value": list(in_form.values())})
    assert (stored(Callback)[1].fields, stored(Callback)[1].flags) == (fields, None)


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_a_body_keeps_its_line_ends(pokea: Flask, stored: Stored, ends: str) -> None:
    raw = f'{ends}{{{ends} "senderId": "A",{ends} "phoneNumber": "x"{ends}}}{ends}'
    first_id = keep_raw(pokea, (JSON, raw.encode()))
    browser = opened(pokea, first_id)
    seen = value_of(browser.get(f"/dashboard/callbacks/{first_id}/edit").text, "body")
    assert seen == raw
    as_sent = re.sub(r"\r\n|\r|\n", "\r\n", seen)
    browser.post(f"/dashboard/callbacks/{first_id}/edit", {"by": "body", "body": as_sent})
    browser.post(f"/dashboard/callbacks/{first_id}/edit", {"by": "body", "body": as_sent.replace('"A"', '"B"')})
    _, same, edited = stored(Callback)
    assert (same.raw_body, len(same.flags)) == (raw.encode(), 1)
    assert (edited.raw_body, f"edited replay of {first_id}" in edited.flags) == (raw.replace('"A"', '"B"').encode(), True)


def test_line_ends_of_each_line_are_kept(pokea: Flask, stored: Stored) -> None:
    first_id = keep_raw(pokea, (JSON, b'{\r\n"senderId": "A",\n"phoneNumber":\r"x"}'))
    browser = opened(pokea, first_id)
    browser.post(
        f"/dashboard/callbacks/{first_id}/edit", {"by": "body", "body": '{\r\n"senderId": "A",\r\n"more": 1,\r\n"phoneNumber":\r\n"x"}'}
    )
    assert stored(Callback)[1].raw_body == b'{\r\n"senderId": "A",\n"more": 1,\r\n"phoneNumber":\r"x"}'


def test_an_unchanged_body_goes_byte_for_byte(pokea: Flask, stored: Stored) -> None:
    first_id = keep_raw(pokea, HOSTILE["not UTF-8"])
    browser = opened(pokea, first_id)
    page = browser.get(f"/dashboard/callbacks/{first_id}/edit").text
    assert "bytes that are no text" in page
    browser.post(f"/dashboard/callbacks/{first_id}/edit", {"by": "body", "body": value_of(page, "body")})
    assert stored(Callback)[1].raw_body == HOSTILE["not UTF-8"][1]


def test_a_pin_is_put_on_and_taken_off(pokea: Flask, stored: Stored) -> None:
    callback_id = keep(pokea)
    browser = opened(pokea, callback_id)
    assert "Unpin" in browser.post(f"/dashboard/callbacks/{callback_id}/pin").text
    assert stored(Callback)[0].pinned_at is not None
    assert "☆ Pin" in browser.post(f"/dashboard/callbacks/{callback_id}/pin", {"off": "1"}).text
    assert stored(Callback)[0].pinned_at is None


def test_what_was_given_up_is_done_again(pokea: Flask, stored: Stored) -> None:
    callback_id = keep(pokea)
    browser = opened(pokea, callback_id)
    assert "was not given up" in browser.post(f"/dashboard/callbacks/{callback_id}/again").text
    with pokea.app_context(), writing() as connection:
        connection.execute(update(Callback).values(due_at=None, last_error="ValueError: x", tries=5))
    assert "Do what follows again" in browser.get(f"/dashboard/callbacks/{callback_id}").text
    assert "It is due again." in browser.post(f"/dashboard/callbacks/{callback_id}/again").text
    assert stored(Callback)[0].last_error is None


def test_its_webhooks_are_forwarded_again(make_app: Make, stored: Stored) -> None:
    app = make_app(webhooks_allow_private=True)
    browser = opened(app, keep(app, "sms.opt_out"))
    with app.app_context():
        from services.webhooks import endpoints

        made = endpoints.make({"url": "http://127.0.0.1:1/hook", "events": ["*"]})
    callback_id = keep(app, "sms.incoming_message")
    page = browser.get(f"/dashboard/callbacks/{callback_id}").text
    [delivery] = stored(Delivery)
    assert page.count(f"/dashboard/deliveries/{delivery.id}") == 2
    with app.app_context(), writing() as connection:
        connection.execute(update(Delivery).values(state="dead"))
    assert "1 webhook due now." in browser.post(f"/dashboard/callbacks/{callback_id}/forward").text
    assert stored(Delivery)[0].state == "waiting"
    with app.app_context():
        endpoints.change(made.id, {"active": False})
    assert "This endpoint is off" in browser.post(f"/dashboard/callbacks/{callback_id}/forward").text


def copied(app: Flask, callback_id: str, form: str, masked: str = "0") -> bytes:
    answer = app.test_client().get(f"/dashboard/callbacks/{callback_id}/copy?as={form}&masked={masked}")
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    return answer.data


def in_a_shell(command: bytes) -> None:
    subprocess.run(
        [
            "sh",
            "-c",
            command.replace(b"curl ", b"curl -sS ", 1) if command.startswith(b"curl ") else command.replace(b"| curl ", b"| curl -sS ", 1),
        ],
        check=True,
        capture_output=True,
        timeout=30,
    )


def test_a_copied_curl_command_is_a_repeat_of_what_came(served: Flask, stored: Stored) -> None:
    for kind in KINDS:
        with_query = PATHS[kind] + "?a={1,2}[3-4]&b=$(id)"
        callback_id = post(served.test_client(), kind, KINDS[kind].sample, path=with_query).headers["X-Pokea-Id"]
        in_a_shell(copied(served, callback_id, "curl"))
        rows = [row for row in stored(Callback) if row.kind == kind]
        assert len({(row.raw_body, row.content_type, row.query) for row in rows}) == 1
        assert len(rows) + rows[0].repeats == 2


def test_a_copied_curl_command_brings_the_very_bytes(make_app: Make) -> None:
    with Receiver() as receiver:
        app = make_app(port=int(receiver.url.rpartition(":")[2]))
        for body in HOSTILE.values():
            in_a_shell(copied(app, keep_raw(app, body, "?x=1"), "curl"))
    for came, body in zip(receiver.came, HOSTILE.values(), strict=True):
        assert (came.path, came.headers.get("Content-Type", ""), came.body) == ("/api/sms/opt-out?x=1", *body)


def test_a_form_is_copied_so_that_a_person_can_change_it(pokea: Flask) -> None:
    text = copied(pokea, keep_raw(pokea, HOSTILE["plain"]), "curl").decode()
    assert "--data-urlencode senderId=MyBrand --data-urlencode phoneNumber=+254711000017" in text


def test_a_copied_request_has_the_very_bytes(pokea: Flask) -> None:
    for body in HOSTILE.values():
        head, _, rest = copied(pokea, keep_raw(pokea, body), "http").partition(b"\r\n\r\n")
        assert rest == body[1]
        assert f"Content-Length: {len(body[1])}".encode() in head.split(b"\r\n")


def test_copied_json_is_what_an_export_gives(pokea: Flask) -> None:
    callback_id = keep(pokea)
    told = json.loads(copied(pokea, callback_id, "json"))
    assert (told["id"], told["fields"]) == (callback_id, KINDS["ussd.session"].sample)


def run_test(source: bytes, app: Flask) -> None:
    """Run a copied test: its one function, with a client."""
    place: dict[str, Any] = {}
    exec(compile(source, "copied", "exec"), place)
    [test] = [value for name, value in place.items() if name.startswith("test_")]
    test(app.test_client())


def test_a_copied_test_passes(pokea: Flask, stored: Stored) -> None:
    for kind in KINDS:
        run_test(copied(pokea, keep(pokea, kind), "pytest"), pokea)
    for body in HOSTILE.values():
        run_test(copied(pokea, keep_raw(pokea, body, "?x=%27%22&y=1&y=2"), "pytest"), pokea)
    assert [row.repeats for row in stored(Callback) if row.kind != "voice.instructions"] == [1] * (len(KINDS) - 1 + len(HOSTILE))


@pytest.mark.slow
def test_copied_tests_run_under_pytest(pokea: Flask, tmp_path: Path) -> None:
    bodies = [
        copied(pokea, keep_raw(pokea, body), "pytest").replace(b"def test_", b"def test_%d_" % at)
        for at, body in enumerate(HOSTILE.values())
    ]
    sources = [copied(pokea, keep(pokea, kind), "pytest") for kind in KINDS] + bodies
    only = b"import pytest\npytestmark = pytest.mark.parametrize('database_url', ['sqlite'], indirect=True)\n\n\n"
    (tmp_path / "test_copied.py").write_bytes(only + b"\n\n".join(sources))
    words = ["-m", "pytest", "-v", "-c", "pyproject.toml", "-p", "tests.conftest", str(tmp_path / "test_copied.py")]
    done = subprocess.run(
        [sys.executable, *words], cwd=Path(__file__).resolve().parents[3], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, f"{len(sources)} passed" in done.stdout) == (0, True), done.stdout


def hidden_in(text: bytes) -> bool:
    """Whether no number and no secret is in a text, however it is spelled."""
    readable = unquote(text.decode().replace("\\\\", "\\").replace("\\u00", "%"))
    return NUMBER not in readable and "711000017" not in readable and "geheim" not in readable


@pytest.mark.parametrize("form", FORMS)
def test_a_masked_copy_has_no_number(pokea: Flask, form: str) -> None:
    kept = {kind: keep(pokea, kind) for kind in KINDS}
    kept |= {name: keep_raw(pokea, body, f"?phone=%2B{NUMBER}&{NUMBER}=1&password=geheim-geheim") for name, body in HOSTILE.items()}
    shown = [name for name, callback_id in kept.items() if not hidden_in(copied(pokea, callback_id, form, masked="1"))]
    assert shown == []


def test_masked_copies_can_still_be_used(served: Flask) -> None:
    for body in HOSTILE.values():
        callback_id = keep_raw(served, body)
        in_a_shell(copied(served, callback_id, "curl", masked="1"))
        run_test(copied(served, callback_id, "pytest", masked="1"), served)


def test_privacy_hides_numbers_everywhere(make_app: Make) -> None:
    app = make_app(privacy=True)
    kept = {kind: keep(app, kind) for kind in KINDS} | {
        name: keep_raw(app, body, f"?from=%2B{NUMBER}&{NUMBER}=1") for name, body in HOSTILE.items()
    }
    for name, callback_id in kept.items():
        own = f"/dashboard/callbacks/{callback_id}"
        browser = opened(app, callback_id)
        pages = [browser.get(f"{own}{rest}").data for rest in ("", "/edit")] + [copied(app, callback_id, form) for form in FORMS]
        pages.append(browser.post(f"{own}/replay").data)
        assert all(map(hidden_in, pages)), name


def test_a_masked_name_stays_as_it_was(make_app: Make, stored: Stored) -> None:
    app = make_app(privacy=True)
    first_id = keep(app, "sms.opt_out", **{"phoneNumber": f"+{NUMBER}", NUMBER: "1"})
    page = opened(app, first_id).get(f"/dashboard/callbacks/{first_id}/edit").text
    names = [unescape(name) for name in re.findall(r'name="name" value="([^"]*)"', page)]
    assert names == ["senderId", "phoneNumber", "***017"]
    opened(app, first_id).post(f"/dashboard/callbacks/{first_id}/edit", {"name": names, "value": ["Other", "***017", "1"]})
    assert stored(Callback)[1].fields == {"senderId": "Other", "phoneNumber": f"+{NUMBER}", NUMBER: "1"}


def test_what_is_masked_stays_as_it_was_when_something_else_is_edited(make_app: Make, stored: Stored) -> None:
    app = make_app(privacy=True)
    first_id = keep(app, text="1*98765", serviceCode="*384*1234#")
    browser = opened(app, first_id)
    page = browser.get(f"/dashboard/callbacks/{first_id}/edit").text
    assert "98765" not in page
    assert "cannot be edited whole" in page
    names = [unescape(name) for name in re.findall(r'name="name" value="([^"]*)"', page)]
    values = [unescape(value) for value in re.findall(r'id="value-\d+" name="value" value="([^"]*)"', page)]
    values[names.index("serviceCode")] = "*1#"
    browser.post(f"/dashboard/callbacks/{first_id}/edit", {"name": names, "value": values})
    assert stored(Callback)[1].fields == KINDS["ussd.session"].sample | {"text": "1*98765", "serviceCode": "*1#"}
    assert browser.post(f"/dashboard/callbacks/{first_id}/edit", {"by": "body", "body": "x=1"}).status_code == 400


def test_a_callback_is_kept_as_a_fixture_once(make_app: Make, tmp_path: Path) -> None:
    app = make_app(fixtures_dir=tmp_path / "a" / "events")
    callback_id = keep(app)
    browser = opened(app, callback_id)
    assert "flask trigger @balance-menu" in browser.post(f"/dashboard/callbacks/{callback_id}/fixture", {"name": "balance-menu"}).text
    assert json.loads((tmp_path / "a" / "events" / "balance-menu.json").read_text())["kind"] == "ussd.session"
    answer = browser.post(f"/dashboard/callbacks/{callback_id}/fixture", {"name": "balance-menu"})
    # The page stays, and says so.
    assert ("There is a fixture &#39;balance-menu&#39; already" in answer.text, answer.request.path) == (
        True,
        f"/dashboard/callbacks/{callback_id}",
    )


@pytest.mark.parametrize("name", ["", "../up", "a/b", "A", "-a", "a.json", "ä", "a\0", "a" * 62, "a\n"])
def test_a_name_that_is_none_keeps_nothing(make_app: Make, tmp_path: Path, name: str) -> None:
    app = make_app(fixtures_dir=tmp_path / "events")
    callback_id = keep(app)
    answer = opened(app, callback_id).post(f"/dashboard/callbacks/{callback_id}/fixture", {"name": name})
    if name.strip() == "a":
        assert answer.status_code == 200
    else:
        assert (answer.status_code, "small letters, digits and dashes" in answer.text) == (400, True)
        assert not list(tmp_path.rglob("*.json"))
