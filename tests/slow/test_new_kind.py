"""A new kind of callback is a schema and a row, a view and a test: everything else knows it by itself."""

import json
import shutil
from pathlib import Path

import pytest
import requests

from tests.running import ROOT, Web

pytestmark = pytest.mark.slow

SCHEMA = """

class MailboxFull(CallbackSchema):
    id = Text(required=True)
    phone_number = PhoneNumber(data_key="phoneNumber", required=True)


KINDS["sms.mailbox_full"] = Kind(
    MailboxFull(), "tells that a phone takes no more messages", "SMS › Mailbox URL", {"id": "ATMid_1", "phoneNumber": "+254711000017"},
    identity=("id",), named_by=("id",), reference=("id",),
)
"""
VIEW = '''

@bp.post("/mailbox-full")
@receives("sms.mailbox_full")
def mailbox_full(received: Received) -> Answer:
    """Africa's Talking tells that a phone takes no more messages."""
    return answers.OK
'''


def test_a_new_kind_is_known_everywhere(tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".venv*", ".git", "instance", "__pycache__", "tests"))
    with (copy / "app/schemas/callbacks.py").open("a") as schemas, (copy / "routes/sms.py").open("a") as views:
        schemas.write(SCHEMA)
        views.write(VIEW)
    web = Web(tmp_path, f"sqlite:///{tmp_path / 'new.db'}", root=copy)
    web.migrate()
    with web:
        body = {"id": "m1", "phoneNumber": "+254711000017"}
        assert [requests.post(f"{web.url}/api/sms/mailbox-full", data=body, timeout=5).text for _ in range(2)] == ["OK", "OK"]
        assert requests.post(f"{web.url}/api/sms/mailbox-full", data={"id": "m1"}, timeout=5).status_code == 400
        assert json.loads(web.flask("trigger", "sms.mailbox_full", "--json"))["sent"][0]["answer"] == "OK"
        assert "sms.mailbox_full" in web.flask("trigger", "--list")
        assert "SMS › Mailbox URL" in web.flask("urls")
        rows = [json.loads(line) for line in web.flask("callbacks", "export").splitlines()]
        assert [(row["kind"], row["state"], row["repeats"]) for row in rows] == [
            ("sms.mailbox_full", "accepted", 1), ("sms.mailbox_full", "refused", 0), ("sms.mailbox_full", "accepted", 0),
        ]  # fmt: skip
        assert "sms.mailbox_full" in requests.get(f"{web.url}/api/sms/mailbox-full", timeout=5).json()["error"]
