"""The receivers that docs/webhooks.md shows, against what is really sent: each takes what is right and nothing else."""

import base64
import http.client
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from app.models import Endpoint
from services.webhooks.signing import headers_for
from tests.conftest import missing
from tests.running import free_port

DOCS = Path(__file__).parents[2] / "docs" / "webhooks.md"
BLOCKS = dict(re.findall(r"<!-- receiver: (\S+) -->\n```\w+\n(.*?)```", DOCS.read_text(), re.DOTALL))
# The words of a receiver's own secret, of one before it, and of another's
OWN, BEFORE, OTHER = ("whsec_" + base64.b64encode(bytes([number]) * 32).decode() for number in (251, 252, 253))
# Written again as JSON it has other bytes, in any language.
BODY = '{"event":"ping", "data": {"text": "Habari \\u00e9 é ✓", "cost": 1.0, "n": 10000000000000000001}}'.encode()
Headers = dict[str, str]
Accepts = Callable[[Headers, bytes], bool]


def signed(body: bytes = BODY, secret: str = OWN, previous: str | None = None, age_s: float = 0, event_id: str = "evt_1") -> Headers:
    """Return the headers with which these bytes are sent."""
    now = datetime.now(UTC) - timedelta(seconds=age_s)
    signer = Endpoint(secret=secret, previous_secret=previous, previous_until=now + timedelta(hours=1))
    return headers_for(signer, event_id, body, "application/json", now, "X-Pokea-Signature")


def altered(headers: Headers, **changed: str) -> Headers:
    """Return headers of which some were changed on the way; webhook_id stands for webhook-id."""
    return headers | {name.replace("_", "-"): value for name, value in changed.items()}


# What comes, and whether it is to be taken
CASES: dict[str, tuple[Callable[[], Headers], bytes, bool]] = {
    "as sent": (signed, BODY, True),
    "nothing in it": (lambda: signed(b'{"event":""}'), b'{"event":""}', True),
    "a bit late": (lambda: signed(age_s=290), BODY, True),
    "a clock behind ours": (lambda: signed(age_s=-290), BODY, True),
    "a new secret, ours before": (lambda: signed(secret=OTHER, previous=OWN), BODY, True),
    "a secret before, ours new": (lambda: signed(previous=BEFORE), BODY, True),
    "one byte more": (signed, BODY + b" ", False),
    "one byte other": (signed, BODY.replace(b"ping", b"pong"), False),
    "written again": (signed, json.dumps(json.loads(BODY)).encode(), False),
    "nothing at all": (signed, b"", False),
    "another id": (lambda: altered(signed(), webhook_id="evt_2"), BODY, False),
    "another time": (lambda: altered(signed(age_s=60), webhook_timestamp=str(int(time.time()))), BODY, False),
    "too old": (lambda: signed(age_s=310), BODY, False),
    "too new": (lambda: signed(age_s=-310), BODY, False),
    "no time": (lambda: altered(signed(), webhook_timestamp="NaN"), BODY, False),
    "another secret": (lambda: signed(secret=OTHER), BODY, False),
    "two other secrets": (lambda: signed(secret=OTHER, previous=BEFORE), BODY, False),
    "no signature": (lambda: altered(signed(), webhook_signature=""), BODY, False),
    "half a signature": (lambda: altered(signed(), webhook_signature=signed()["webhook-signature"][:20]), BODY, False),
    "another version": (lambda: altered(signed(), webhook_signature=signed()["webhook-signature"].replace("v1,", "v2,")), BODY, False),
    "the other form": (lambda: altered(signed(), webhook_signature=signed()["X-Pokea-Signature"]), BODY, False),
}  # fmt: skip


@pytest.fixture
def python(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The receiver in Python, as a module of its own."""
    monkeypatch.setenv("POKEA_SECRET", OWN)
    module = ModuleType("receiver")
    exec(compile(BLOCKS["python"], "docs/webhooks.md", "exec"), module.__dict__)
    return module


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """The receiver in Node, listening: its port, and what it printed."""
    if not shutil.which("node"):
        missing("no node")
    folder, port = tmp_path_factory.mktemp("node"), free_port()
    (folder / "receiver.js").write_text(BLOCKS["node"])
    with (folder / "out").open("w") as out:
        environment = {"POKEA_SECRET": OWN, "PORT": str(port)}
        process = subprocess.Popen([str(shutil.which("node")), str(folder / "receiver.js")], env=environment, stdout=out, stderr=out)
    for _ in range(500):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.01)
    yield port, folder / "out"
    process.kill()
    process.wait()


def ask_node(port: int, headers: Headers, body: bytes) -> int:
    """Post to the receiver in Node and return its status."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("POST", "/hooks", body, headers)
    status = connection.getresponse().status
    connection.close()
    return status


def ask_shell(folder: Path, headers: Headers, body: bytes) -> tuple[int, str]:
    """Check a saved body with the shell, and return how it ended and what it said."""
    (folder / "body").write_bytes(body)
    (folder / "check.sh").write_text(BLOCKS["shell"])
    words = ["sh", "check.sh", "body", *(headers[name] for name in ("webhook-id", "webhook-timestamp", "webhook-signature"))]
    done = subprocess.run(
        words, cwd=folder, env={"POKEA_SECRET": OWN, "PATH": "/usr/bin:/bin"}, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


@pytest.mark.parametrize("case", CASES)
def test_the_receiver_in_python_takes_only_what_is_right(python: ModuleType, case: str) -> None:
    headers, body, is_right = CASES[case]
    answer = python.app.test_client().post("/hooks", data=body, headers=headers())
    assert answer.status_code == (204 if is_right else 401)
    assert len(python.seen) == is_right


@pytest.mark.parametrize("case", CASES)
def test_the_receiver_in_node_takes_only_what_is_right(node: tuple[int, Path], case: str) -> None:
    headers, body, is_right = CASES[case]
    assert ask_node(node[0], headers(), body) == (204 if is_right else 401)


@pytest.mark.parametrize("case", CASES)
def test_the_check_in_the_shell_takes_only_what_is_right(tmp_path: Path, case: str) -> None:
    headers, body, is_right = CASES[case]
    code, said = ask_shell(tmp_path, headers(), body)
    assert (code == 0, said == "good\n") == (is_right, is_right)


@pytest.mark.parametrize("case", CASES)
def test_the_package_of_standard_webhooks_agrees(case: str) -> None:
    headers, body, is_right = CASES[case]
    try:
        Webhook(OWN).verify(body, headers())
    except (WebhookVerificationError, ValueError):  # the latter for a signature that is none
        assert not is_right
    else:
        assert is_right


def test_a_request_without_headers_is_refused(python: ModuleType, node: tuple[int, Path]) -> None:
    assert python.app.test_client().post("/hooks", data=BODY).status_code == 401
    assert ask_node(node[0], {}, BODY) == 401
    assert ask_node(node[0], altered(signed(), webhook_signature="v1,é"), BODY) == 401
    assert python.app.test_client().post("/hooks", data=BODY, headers=altered(signed(), webhook_signature="v1,é")).status_code == 401


def test_what_comes_twice_is_done_once(python: ModuleType, node: tuple[int, Path]) -> None:
    client = python.app.test_client()
    assert [client.post("/hooks", data=BODY, headers=signed(age_s=age, event_id="evt_twice")).status_code for age in (60, 0)] == [204, 204]
    assert python.seen == {"evt_twice"}
    assert [ask_node(node[0], signed(age_s=age, event_id="evt_twice"), BODY) for age in (60, 0)] == [204, 204]
    assert node[1].read_text().count("evt_twice ping") == 1


def test_the_other_form_is_reckoned_alike_by_the_shell(tmp_path: Path) -> None:
    (tmp_path / "body").write_bytes(BODY)
    (tmp_path / "hex.sh").write_text(BLOCKS["shell-hex"])
    done = subprocess.run(
        ["sh", "hex.sh", "body"],
        cwd=tmp_path,
        env={"POKEA_SECRET": OWN, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == signed()["X-Pokea-Signature"]
