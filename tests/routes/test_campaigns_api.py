"""/api/v1/campaigns and flask campaign: how campaigns are made, previewed, read and steered."""

import io
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from app.errors import Conflict
from app.extensions import db, writing
from app.models import Campaign
from services import campaigns, keys
from tests import stub_at
from tests.invoking import ONLY_SQLITE, live
from tests.stub_at import StubAT

Stored = Callable[[type], list[Any]]
Sending = Callable[..., Flask]
URL = "/api/v1/campaigns"
ASKED = {"name": "News", "channel": "sms", "message": "Hi {name}"}
LIST = [{"phone": "+254711000001", "name": "Ann"}, {"phone": "254711000002", "name": "Ben"}]
CSV = 'phone,name,city\n+254711000001,Ann,Nairobi\n0711000002,"Ben, junior",Mombasa\n'
LATER = datetime(2027, 3, 4, 9, 0, tzinfo=UTC)


@pytest.fixture
def pokea(sending: Sending) -> Flask:
    return sending(default_country="KE")


@pytest.fixture
def client(pokea: Flask) -> FlaskClient:
    client = pokea.test_client()
    with pokea.app_context():
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {keys.create_key('test', [])[1]}"
    return client


def ask(client: FlaskClient, **asked: Any) -> TestResponse:
    return client.post(URL, json={**ASKED, "recipients": LIST, **asked})


def made(client: FlaskClient, **asked: Any) -> str:
    answer = ask(client, **asked)
    assert answer.status_code == 201, answer.text
    return answer.get_json()["data"]["campaignId"]


def run(app: Flask, *words: str, typed: str | None = None) -> Result:
    return app.test_cli_runner().invoke(args=["campaign", *words], input=typed)


def test_a_campaign_is_previewed_started_and_followed(client: FlaskClient, pokea: Flask, at: StubAT) -> None:
    bad = [{"phone": "07110", "name": "x"}, {"phone": "0711000001", "name": "again"}]
    told = ask(client, recipients=LIST + bad).get_json()["data"]
    assert (told["state"], told["totals"]["total"], told["totals"]["created"]) == ("draft", 2, 2)
    before = told["preview"]
    assert before["invalid"][0]["row"] == 3
    assert "not a phone number" in before["invalid"][0].pop("why")
    expected = {
        "recipients": 2, "invalid": [{"row": 3, "phone": "07110"}], "invalid_count": 1, "repeated": 1, "opted_out": 0, "parts": {"min": 1, "max": 1},
        "encoding": "GSM-7", "unusual": "", "warning": None, "estimated_cost": None, "duration_s": 0, "batches": 2, "first_texts": ["Hi Ann", "Hi Ben"], "refused": None,
    }  # fmt: skip
    assert before == expected
    url = f"{URL}/{told['campaignId']}"
    assert client.post(url + "/start").get_json()["data"]["state"] == "running"
    with pokea.app_context():
        campaigns.run_due(LATER)
    data = client.get(url).get_json()["data"]
    assert (data["state"], data["totals"]["accepted"], data["progress"]) == ("finished", 2, {"done": 2, "percent": 100})
    # What a part cost before is what it may cost again.
    again = ask(client, message="ş" * 71).get_json()["data"]["preview"]
    assert (again["estimated_cost"], again["encoding"], again["parts"]) == ({"KES": "3.2000"}, "UCS-2", {"min": 2, "max": 2})
    assert "'ş' makes a message UCS-2" in again["warning"]


def test_asking_twice_with_one_key_makes_one_campaign(client: FlaskClient, pokea: Flask, at: StubAT, stored: Stored) -> None:
    key = {"idempotencyKey": "march-2027"}
    first = ask(client, start=True, **key)
    again = [
        ask(client, start=True, **key),
        client.post(URL, json={**ASKED, "recipients": LIST, "start": True}, headers={"Idempotency-Key": "march-2027"}),
    ]
    assert [(answer.status_code, answer.get_json().get("repeated")) for answer in (first, *again)] == [
        (201, None),
        (200, True),
        (200, True),
    ]
    campaign = first.get_json()["data"]["campaignId"]
    assert {answer.get_json()["data"]["campaignId"] for answer in again} == {campaign}
    with pokea.app_context():
        campaigns.run_due(LATER)
    assert ask(client, start=True, **key).get_json()["data"]["state"] == "finished"
    assert len(at.seen) == 2
    for other in ({"message": "Ho {name}"}, {"recipients": LIST[:1]}, {"start": False}):
        refused = ask(client, **{"start": True, **key, **other})
        assert (refused.status_code, f"belongs to another campaign ({campaign})" in refused.get_json()["error"]) == (409, True)
    assert client.post(URL, json={**ASKED, **key, "recipients": LIST}, headers={"Idempotency-Key": "march-2028"}).status_code == 400
    # Two without a key are two.
    assert made(client) != made(client)


def test_a_first_asking_that_was_cut_short_is_finished_by_the_second(client: FlaskClient, pokea: Flask, stored: Stored) -> None:
    asked = {"idempotencyKey": "march-2027", "start": True}
    with pokea.app_context():
        draft = campaigns.create(campaigns.read_asked(ASKED | asked), campaigns.from_list(LIST))
        assert ask(client, **asked).get_json()["data"]["state"] == "running"
        age(state="making")
        under_way = ask(client, **asked)
        assert (under_way.status_code, under_way.headers["Retry-After"]) == (409, "2")
        with pytest.raises(Conflict, match="is being made"):
            campaigns.create(campaigns.read_asked(ASKED | asked), campaigns.from_list(LIST))
        age(created_at=datetime.now(UTC) - timedelta(minutes=3))
    anew = ask(client, **asked)
    assert (anew.status_code, anew.get_json()["data"]["state"]) == (201, "running")
    assert [row.id for row in stored(Campaign)] == [anew.get_json()["data"]["campaignId"]] != [draft]


def age(**values: Any) -> None:
    """Change every campaign."""
    with writing() as connection:
        connection.execute(db.update(Campaign).values(values))


@pytest.mark.parametrize(
    "text",
    [CSV, "\ufeff" + CSV.replace("\n", "\r\n"), CSV.replace(",", ";").replace("Ben; ", "Ben, "), CSV.replace("phone", "Phone") + "\n,,\n", CSV.replace(",", "\t").replace("Ben\t ", "Ben, "),
     "\n,,,\n" + CSV, CSV.replace("\n", ",,\n").replace("phone", " PHONE "), "sep=;\r\n" + CSV.replace(",", ";").replace("Ben; ", "Ben, "), CSV.replace("+254711000001", "+254 711\u00a0000-001").replace("0711000002", "0711-000 002")],
    ids=["plain", "BOM and CRLF", "semicolons", "empty rows", "tabs", "blank rows first", "cells without a name", "sep", "numbers that read well"],
)  # fmt: skip
@ONLY_SQLITE
def test_csv_is_taken_as_spreadsheets_write_it(client: FlaskClient, text: str) -> None:
    parts = {**ASKED, "message": "{name} of {city}", "quiet_hours": "20:00-08:00", "rate": "5"}
    uploaded = client.post(URL, data={**parts, "recipients": (io.BytesIO(text.encode()), "list.csv")})
    direct = client.post(URL, data=text.encode(), content_type="text/csv", query_string=parts)
    for answer in (uploaded, direct):
        data = answer.get_json()["data"]
        assert (data["preview"]["first_texts"], data["rate"], data["totals"]["total"]) == (
            ["Ann of Nairobi", "Ben, junior of Mombasa"],
            5,
            2,
        )
        assert data["quiet_hours"] == {"*": ["20:00", "08:00"]}


def test_long_lists_are_taken_here_and_nowhere_else(client: FlaskClient) -> None:
    codes = (27, 31, 34, 40, 41, 48, 49, 56, 61, 62, 93, 94)
    lines = "".join(f"+{code}7110000{number:02},{'x' * 60}\n" for code in codes for number in range(100))
    answer = client.post(URL, data=f"phone,name\n{lines}", content_type="text/csv", query_string=ASKED)
    assert answer.get_json()["data"]["totals"]["total"] == 1200
    assert client.post(f"{URL}/x/batches/1/settle", data="x" * 70_000).status_code == 413
    assert (
        client.post(URL, data=b"x" * (16 * 1024 * 1024 + 1), content_type="text/csv")
        .get_json()["error"]
        .startswith("The recipients are more than 16 MB")
    )


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"message": "Hi {town}"}, 400, "Row 1 has no column 'town'"),
        ({"recipients": [LIST[0], {"phone": "+254711000002"}]}, 400, "Row 2 has no column 'name'"),
        ({"recipients": [{"phone": "1"}, "x"], "message": "Hi"}, 400, "No recipient is left. Row 1: 'phone' is not a phone number"),
        ({"recipients": []}, 400, "'recipients' must be a list"), ({"recipients": [{"name": "x"}]}, 400, "Recipient 1 has no 'phone'"),
        ({"recipients": [{"phone": "+254711000001", "name": ["x"]}]}, 400, "'name' must be text"), ({"message": None}, 400, "Missing 'message'"),
        ({"message": "Hi {name"}, 400, "brace"), ({"message": "{name}", "recipients": [{"phone": "+254711000001", "name": " "}]}, 400, "must not be empty"),
        ({"channel": "fax"}, 400, "'channel' must be sms or voice"), ({"name": None}, 400, "Missing 'name'"), ({"sendat": "x"}, 400, "Did you mean 'send_at'?"),
        ({"send_at": "2h"}, 400, "'send_at' must be a time"), ({"rate": 0}, 400, "'rate' must be"), ({"quiet_hours": {"KE": ["8", "9"]}}, 400, "'quiet_hours' must be times"),
        ({"channel": "voice", "sender": "Brand"}, 400, "must be a phone number of yours"), ({"rate": 10**400}, 400, "'rate' must be"),
        ({"send_at": "0001-01-01T00:00:00+14:00"}, 400, "'send_at' must be a time"), ({"send_at": "9999-12-31T23:59:59-14:00"}, 400, "'send_at' must be a time"),
        ({"send_at": "0001-01-01"}, 400, "'send_at' must be a time"), ({"quiet_hours": '{"KE":' * 3000}, 400, "'quiet_hours' must be times"),
        ({"quiet_hours": '{"KE":' * 3000 + "1" + "}" * 3000}, 400, "'quiet_hours' must be times"),
        ({"message": "{name}{name}{name}", "recipients": [LIST[0], {"phone": "+254711000002", "name": "x" * 700}]}, 400, "Row 2: with its columns the message has 2100 characters; it must be at most 2000"),
        ({"idempotencyKey": "short"}, 400, "'idempotencyKey' must be 8 to 100"),
        ({"recipients": [f"+25471{number:07}" for number in range(50_001)]}, 400, "50000 recipients at most"),
    ],
)  # fmt: skip
@ONLY_SQLITE
def test_what_is_wrong_is_told_and_nothing_kept(client: FlaskClient, stored: Stored, asked: dict[str, Any], status: int, said: str) -> None:
    answer = ask(client, **asked)
    assert (answer.status_code, said in answer.get_json()["error"]) == (status, True), answer.text
    assert stored(Campaign) == []


@pytest.mark.parametrize(
    ("raw", "said"),
    [(b"name\nAnn\n", "one of them 'phone'; it says: name"), (b"phone,name,name\n1,2,3", "each column once"), (b"phone\n", "no recipients below"),
     (b"phone,name\n+254711000001,Ben, junior\n", "Row 2 has more cells than the first row: put quotes around commas"), (b"\nphone;name;\n+254711000001;Ben; junior\n", "Row 3 has more cells than the first row: put quotes around semicolons"),
     (b"phone,Phone\n1,2\n", "each column once"), (b"phone,na\x00me\n1,2\n", "CSV"), (b",,\n,\n", "it says: nothing"),
     (b"phone,name\n1,\xe9\n", "must be UTF-8"), (b'phone,name\n1,"x', "cannot be read"), (b"phone,name\n+254711000001,a\x00b\n", "CSV")],
)  # fmt: skip
@ONLY_SQLITE
def test_csv_that_is_none_is_refused(client: FlaskClient, raw: bytes, said: str) -> None:
    answer = client.post(URL, data=raw, content_type="text/csv", query_string=ASKED)
    assert (answer.status_code, said in answer.get_json()["error"] or "control characters" in answer.get_json()["error"]) == (400, True), (
        answer.text
    )


@ONLY_SQLITE
def test_only_a_key_with_the_scope_opens_it(client: FlaskClient, pokea: Flask) -> None:
    with pokea.app_context():
        reader = {"Authorization": f"Bearer {keys.create_key('reader', ['read'])[1]}"}
    assert client.get(URL, headers={"Authorization": ""}).status_code == 401
    assert client.get(URL, headers=reader).status_code == 403
    assert client.post(URL, headers=reader, json={}).status_code == 403


def test_lists_are_paged(client: FlaskClient, pokea: Flask) -> None:
    first, second = made(client), made(client)
    page = client.get(URL + "?limit=1").get_json()
    assert [row["campaignId"] for row in page["data"]] == [second]
    page = client.get(f"{URL}?limit=1&after={page['next']}").get_json()
    assert ([row["campaignId"] for row in page["data"]], page["next"]) == ([first], None)
    for what, key in (("recipients", "phone"), ("batches", "number")):
        page = client.get(f"{URL}/{first}/{what}?limit=1").get_json()
        rest = client.get(f"{URL}/{first}/{what}?after={page['next']}").get_json()
        assert len({row[key] for row in page["data"] + rest["data"]}) == 2
        assert client.get(f"{URL}/{first}/{what}?state=accepted").status_code == (200 if what == "recipients" else 400)
        assert client.get(f"{URL}/{first}/{what}?after=x").status_code == 400
        assert client.get(f"{URL}/cmp_x%00/{what}").status_code == 404
    assert [client.get(f"{URL}?after={after}").status_code for after in ("x", "%00", "cmp_%00", second)] == [400, 400, 400, 200]


def test_it_is_steered_over_the_api(client: FlaskClient, pokea: Flask, at: StubAT) -> None:
    at.fault = stub_at.reset
    url = f"{URL}/{made(client, start=True)}"
    assert client.post(url + "/start").status_code == 409
    assert client.post(url + "/pause").get_json()["data"]["paused_because"] == "Somebody paused it."
    assert client.post(url + "/resume").get_json()["data"]["state"] == "running"
    with pokea.app_context():
        campaigns.run_due(LATER)
    assert client.get(url).get_json()["data"]["state"] == "unsettled"
    settle = f"{url}/batches/1/settle"
    assert client.post(settle, json={"choice": "treat_as_sent"}).get_json()["error"].startswith("Missing 'by'")
    assert client.post(settle, json={"choice": "x", "by": "Amina"}).status_code == 400
    for number in ("9", "0", "x", "9" * 10, "999999999", "9" * 5000):
        assert client.post(f"{url}/batches/{number}/settle", json={"choice": "send_again", "by": "Amina"}).status_code == 404
    assert client.post(f"{URL}/cmp_%00/pause").status_code == 404
    settled = client.post(settle, json={"choice": "treat_as_sent", "by": "Amina"}).get_json()["data"]
    assert (settled["sent_again_as"], settled["campaign"]["totals"]["accepted"]) == (None, 1)
    again = client.post(f"{url}/batches/2/settle", json={"choice": "send_again", "by": "Amina", "note": "lost"}).get_json()["data"]
    assert (again["sent_again_as"], again["campaign"]["state"], again["campaign"]["next_batch"]["number"]) == (3, "running", 3)
    assert client.post(url + "/cancel").get_json()["data"]["totals"]["cancelled"] == 1


def test_privacy_masks_numbers(sending: Sending, at: StubAT) -> None:
    app = sending(privacy=True)
    with app.app_context():
        asked = ASKED | {"name": "To +254711000001", "message": "Call {phone}"}
        campaign = campaigns.create(campaigns.read_asked(asked), campaigns.from_list([{"phone": "+254711000001", "254711000001": "x"}]))
        [told] = campaigns.recipients(campaign)[0]
        assert (told["phone"], told["columns"]) == ("***001", {"***001": "x"})
        assert campaigns.listed()[0][0]["name"] == "To ***001"
        assert "711000001" not in json.dumps([campaigns.one(campaign), campaigns.batches(campaign)[0], campaigns.listed()[0]])


def test_it_is_made_started_and_watched_from_a_terminal(pokea: Flask, at: StubAT, tmp_path: Any) -> None:
    file = tmp_path / "list.csv"
    file.write_text(CSV)
    before = run(pokea, "preview", str(file), "--message", "Hi {name}")
    assert (before.exit_code, "example      Hi Ann" in before.stdout) == (0, True)
    assert "No campaigns" in run(pokea, "list").stderr
    done = run(pokea, "create", str(file), "--name", "News", "--message", "Hi {name}", "--quiet", "20:00-08:00", "--rate", "9", "--json")
    campaign = json.loads(done.stdout)["campaignId"]
    assert f"flask campaign start {campaign}" in done.stderr
    assert run(pokea, "start", campaign).stdout == f"{campaign} running\n"
    assert "running" in run(pokea, "list").stdout
    assert run(pokea, "pause", campaign).exit_code == 0
    paused = run(pokea, "watch", campaign)
    assert (paused.exit_code, paused.stdout.splitlines()[-1], "Somebody paused it" in paused.stderr) == (1, "0/2 accepted", True)
    assert run(pokea, "resume", campaign).exit_code == 0
    at.fault = stub_at.reset
    with pokea.app_context():
        campaigns.run_due(LATER)
    assert run(pokea, "watch", campaign).stdout.splitlines()[-1] == "0/2 accepted, 2 unknown"
    status = run(pokea, "status", campaign)
    assert ("recipients   0/2 accepted, 2 unknown" in status.stdout, f"settle {campaign} 1 --as sent" in status.stderr) == (True, True)
    assert run(pokea, "settle", campaign, "1", "--as", "sent", "--by", "Amina").stdout == "batch 1 counts as sent\n"
    assert run(pokea, "settle", campaign, "2", "--as", "again", "--by", "Amina").stdout == "batch 2 is sent again as batch 3\n"
    assert run(pokea, "cancel", campaign, typed="n\n").exit_code == 1
    assert run(pokea, "cancel", campaign, "--yes").stdout == f"{campaign} cancelled\n"
    wrong = run(pokea, "start", campaign)
    assert (wrong.exit_code, "is cancelled, so you cannot start it" in wrong.stderr) == (1, True)
    assert "No campaign 'cmp_\ufffd'" in run(pokea, "status", "cmp_\x00").stderr
    assert run(pokea, "settle", campaign, "9" * 20, "--as", "sent", "--by", "Amina").exit_code == 1


@ONLY_SQLITE
def test_live_asks_before_it_starts(sending: Sending, at: StubAT, tmp_path: Any) -> None:
    app = live(sending, at)
    file = tmp_path / "list.csv"
    file.write_text(CSV.replace("0711", "+254711"))
    refused = run(app, "create", str(file), "--name", "News", "--message", "Hi", "--start", typed="n\n")
    assert (refused.exit_code, "LIVE account 'acme': this sends real SMS to 2 numbers. Continue?" in refused.stderr) == (1, True)
    campaign = json.loads(run(app, "list", "--json").stdout)[0]
    assert campaign["state"] == "draft"
    assert run(app, "start", campaign["campaignId"], "--yes").stdout.endswith("running\n")


@ONLY_SQLITE
def test_what_a_killed_process_began_to_make_is_not_seen_and_goes(client: FlaskClient, pokea: Flask, stored: Stored) -> None:
    campaign = made(client)
    with pokea.app_context():
        age(state="making", created_at=datetime.now(UTC) - timedelta(hours=2))
        assert client.get(f"{URL}/{campaign}").status_code == 404
        assert client.get(URL).get_json()["data"] == []
        other = made(client)
    assert [row.id for row in stored(Campaign)] == [other]
