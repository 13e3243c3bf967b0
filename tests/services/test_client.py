"""Africa's Talking's SDK through our client, at the socket: the defects of its 2.0.3 that would touch us, one test each.

The numbers are those under which the defects are known in public (SDK 2.x: time-outs, sessions, keys, redirects …).
"""

import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.settings import Settings
from services.client import Client
from services.transport import NoAnswer, NotReached, Transport
from tests import stub_at
from tests.conftest import missing
from tests.running import free_port
from tests.stub_at import Handler, StubAT

PHONE = "+254711000000"


@pytest.fixture
def at() -> Iterator[StubAT]:
    with StubAT() as stub:
        yield stub


def client_of(at: StubAT, **settings: object) -> Client:
    return Client(Settings(**{"at_base_url": at.url, "at_timeout_s": 0.5, "at_username": "acme", "at_api_key": "k-12345678", **settings}))


def test_two_accounts_in_one_process_do_not_meet(at: StubAT) -> None:
    one, two = client_of(at, at_username="one", at_api_key="key-of-one"), client_of(at, at_username="two", at_api_key="key-of-two")
    for client in (one, two, one):
        client.send_sms([PHONE], "Hi", None, False)
    assert [(seen.fields["username"], seen.headers["apiKey"]) for seen in at.seen] == [
        ("one", "key-of-one"), ("two", "key-of-two"), ("one", "key-of-one")]  # fmt: skip


@pytest.mark.parametrize("fault", [stub_at.hang, stub_at.drip], ids=["hanging", "dripping"])
def test_a_deadline_is_for_the_whole_exchange(at: StubAT, fault: stub_at.Fault) -> None:
    at.fault = fault
    began = time.monotonic()
    with pytest.raises(NoAnswer, match=r"no whole answer in 0\.5 s"):
        client_of(at).send_sms([PHONE], "Hi", None, False)
    assert time.monotonic() - began < 2
    assert len(at.seen) == 1


def test_dripping_headers_are_not_waited_for(at: StubAT) -> None:
    def drip_head(handler: Handler, _body: bytes) -> None:
        handler.close_connection = True
        for byte in b"HTTP/1.1 201 Created\r\nX: " + b"y" * 100:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.05)

    at.fault = drip_head
    began = time.monotonic()
    with pytest.raises(NoAnswer):
        client_of(at).send_sms([PHONE], "Hi", None, False)
    assert time.monotonic() - began < 2


def test_calls_share_one_connection(at: StubAT) -> None:
    client = client_of(at)
    for _ in range(3):
        client.send_sms([PHONE], "Hi", None, False)
    assert len({seen.port for seen in at.seen}) == 1


def test_a_connection_that_rested_long_is_not_used_again(at: StubAT) -> None:
    client = Client(Settings(at_base_url=at.url), Transport(0.5, most_rest_s=0))
    client.account()
    client.account()
    assert len({seen.port for seen in at.seen}) == 2


def test_an_idempotency_key_does_not_reach_the_next_order(at: StubAT) -> None:
    client = client_of(at)
    client.send_airtime(PHONE, "10", "KES", "first-key")
    client.send_airtime(PHONE, "20", "KES", "second-key")
    client.send_sms([PHONE], "Hi", None, False)
    assert [seen.headers.get("Idempotency-Key") for seen in at.seen] == ["first-key", "second-key", None]


def test_no_key_reaches_another_order_from_many_threads(at: StubAT) -> None:
    client = client_of(at, at_timeout_s=5.0)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: client.send_airtime(PHONE, str(n + 1), "KES", f"key-of-{n + 1}"), range(40)))
    orders = [(json.loads(seen.fields["recipients"])[0]["amount"], seen.headers["Idempotency-Key"]) for seen in at.seen]
    assert sorted(orders) == sorted((f"KES {n + 1}", f"key-of-{n + 1}") for n in range(40))


def test_what_the_caller_gave_is_not_changed(at: StubAT) -> None:
    phones, metadata = [PHONE], {"order": "1"}
    client_of(at).send_sms(phones, "Hi", None, False)
    client_of(at).checkout(PHONE, "10.50", "KES", "duka", metadata)
    assert (phones, metadata) == ([PHONE], {"order": "1"})
    assert at.seen[1].fields == {
        "username": "acme", "productName": "duka", "phoneNumber": PHONE, "currencyCode": "KES", "amount": 10.5, "metadata": {"order": "1"}}  # fmt: skip


def test_json_is_read_whatever_its_content_type(at: StubAT) -> None:
    at.fault = stub_at.charset
    assert client_of(at).send_sms([PHONE], "Hi", None, False).body["SMSMessageData"]["Recipients"]


@pytest.mark.parametrize("body", [b"", b'{"SMSMess', b"<html>"], ids=["empty", "half", "html"])
def test_a_body_that_is_not_json_is_no_exception(at: StubAT, body: bytes) -> None:
    at.fault = stub_at.status(201, body, "application/json")
    reply = client_of(at).send_sms([PHONE], "Hi", None, False)
    assert (reply.status, reply.body) == (201, body.decode())


def test_status_and_retry_after_are_told(at: StubAT) -> None:
    at.fault = stub_at.status(429, b"slow down", Retry_After="60")
    reply = client_of(at).send_sms([PHONE], "Hi", None, False)
    assert (reply.status, reply.body, reply.retry_after) == (429, "slow down", "60")


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_the_key_is_not_carried_to_another_host(at: StubAT, code: int) -> None:
    with StubAT() as other:
        at.fault = stub_at.status(code, b"", Location=f"{other.url}/version1/messaging")
        assert client_of(at).send_sms([PHONE], "Hi", None, False).status == code
        assert other.seen == []


def test_no_proxy_of_the_environment_sees_the_key(at: StubAT, monkeypatch: pytest.MonkeyPatch) -> None:
    with StubAT() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        client_of(at).send_sms([PHONE], "Hi", None, False)
        assert (len(at.seen), proxy.seen) == (1, [])


@pytest.mark.parametrize(
    ("call", "path", "fields"),
    [
        (lambda client: client.send_sms([PHONE, "+254711000001"], "Hi & bye", "MyBrand", True), "/version1/messaging",
            {"to": f"{PHONE},+254711000001", "message": "Hi & bye", "bulkSMSMode": "1", "from": "MyBrand", "enqueue": "1"}),
        (lambda client: client.send_sms([PHONE], "Hi", None, False), "/version1/messaging", {"to": PHONE, "message": "Hi", "bulkSMSMode": "1"}),
        (lambda client: client.send_premium([PHONE], "Hi", "12345", "L1", None), "/version1/messaging",
            {"to": PHONE, "message": "Hi", "bulkSMSMode": "0", "from": "12345", "linkId": "L1"}),
        (lambda client: client.call([PHONE], "+254711082000", "inv_1"), "/call", {"to": PHONE, "from": "+254711082000", "clientRequestId": "inv_1"}),
        (lambda client: client.send_airtime(PHONE, "10.50", "KES", "k"), "/version1/airtime/send",
            {"recipients": json.dumps([{"phoneNumber": PHONE, "amount": "KES 10.50"}])}),
        (lambda client: client.check_sim_swap(PHONE), "/v1/sim-swap", {"phoneNumbers": [PHONE]}),
        (lambda client: client.account(), "/version1/user", {}),
    ],
    ids=["sms", "plain sms", "premium", "call", "airtime", "sim swap", "account"],
)  # fmt: skip
def test_each_call_says_what_africas_talking_reads(at: StubAT, call: object, path: str, fields: dict[str, object]) -> None:
    call(client_of(at))
    seen = at.seen[0]
    assert (seen.path, seen.fields) == (path, {"username": "acme", **fields})
    assert (seen.headers["apiKey"], seen.headers["Accept"]) == ("k-12345678", "application/json")


@pytest.mark.parametrize(
    ("mode", "hosts"),
    [
        ("sandbox", {"api.sandbox.africastalking.com", "voice.sandbox.africastalking.com", "insights.sandbox.africastalking.com",
            "payments.sandbox.africastalking.com"}),
        ("live", {"api.africastalking.com", "content.africastalking.com", "voice.africastalking.com", "insights.africastalking.com",
            "payments.africastalking.com"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("username", ["sandbox", "acme"])
def test_the_mode_decides_the_hosts_and_not_the_user_name(mode: str, hosts: set[str], username: str) -> None:
    """The SDK goes by the user name: a live one in sandbox mode would spend."""
    asked: list[str] = []

    class Recorded(Transport):
        def exchange(self, method: str, url: str, headers: object, data: object = None, params: object = None) -> None:
            asked.append(url.split("/")[2])

    client = Client(Settings(at_mode=mode, at_username=username, at_api_key="k"), Recorded(1))
    client.send_sms([PHONE], "Hi", None, False)
    client.send_premium([PHONE], "Hi", "12345", None, None)
    client.call([PHONE], "+254711082000", "i")
    client.send_airtime(PHONE, "1", "KES", "k")
    client.check_sim_swap(PHONE)
    client.checkout(PHONE, "1", "KES", "p", {})
    client.account()
    assert set(asked) == hosts


def test_nothing_listening_is_told_apart_from_no_answer(at: StubAT) -> None:
    with pytest.raises(NotReached, match="nothing is listening"):
        client_of(at, at_base_url=f"http://127.0.0.1:{free_port()}").send_sms([PHONE], "Hi", None, False)
    at.fault = stub_at.reset
    with pytest.raises(NoAnswer):
        client_of(at).send_sms([PHONE], "Hi", None, False)
    assert len(at.seen) == 1


def test_a_name_that_is_not_known_was_not_reached() -> None:
    client = Client(Settings(at_base_url="http://no-such-host.invalid", at_timeout_s=2))
    with pytest.raises(NotReached, match="its name is not known"):
        client.account()


def test_a_host_that_does_not_take_the_connection_was_not_reached() -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        client = Client(Settings(at_base_url=f"http://127.0.0.1:{full.getsockname()[1]}", at_timeout_s=0.3))
        with pytest.raises(NotReached, match="did not take the connection in time"):
            client.account()
        for filler in fillers:
            filler.close()


def test_something_that_does_not_speak_tls_was_not_reached(at: StubAT) -> None:
    with pytest.raises(NotReached):
        client_of(at, at_base_url=at.url.replace("http://", "https://")).account()
    assert at.seen == []


def test_an_endless_answer_ends(at: StubAT) -> None:
    at.fault = stub_at.status(200, b"x" * 5000)
    with pytest.raises(NoAnswer, match="longer than 1000 bytes"):
        Client(Settings(at_base_url=at.url), Transport(0.5, most_bytes=1000)).account()


def test_a_connection_after_a_fault_is_a_new_one(at: StubAT) -> None:
    client = client_of(at)
    at.fault = stub_at.cut
    with pytest.raises(NoAnswer):
        client.account()
    at.fault = None
    assert client.account().status == 200
    assert len({seen.port for seen in at.seen}) == 2


def test_many_addresses_that_do_not_answer_share_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts, sockets = [f"127.0.0.{number}" for number in range(2, 8)], []
    port = free_port()
    for host in hosts:
        full = socket.socket()
        full.bind((host, port))
        full.listen(0)
        sockets.append(full)
        for _ in range(4):
            sockets.append(socket.socket())
            sockets[-1].setblocking(False)
            sockets[-1].connect_ex((host, port))
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in hosts]
    lookup = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest: found if host == "many.test" else lookup(host, *rest))
    began = time.monotonic()
    with pytest.raises(NotReached):
        Client(Settings(at_base_url=f"http://many.test:{port}", at_timeout_s=0.5)).account()
    assert time.monotonic() - began < 1.5
    for one in sockets:
        one.close()


def test_the_second_address_is_tried_when_the_first_refuses(at: StubAT, monkeypatch: pytest.MonkeyPatch) -> None:
    port = int(at.url.rpartition(":")[2])
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("127.0.0.9", "127.0.0.1")]
    lookup = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest: found if host == "two.test" else lookup(host, *rest))
    assert client_of(at, at_base_url=f"http://two.test:{port}").account().status == 200
    assert at.seen[0].headers["Host"] == f"two.test:{port}"


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[StubAT]:
    """The stand-in behind TLS, with a certificate for localhost that nobody else trusts."""
    if not shutil.which("openssl"):
        missing("no openssl")
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext",
        "subjectAltName=DNS:localhost", "-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]  # fmt: skip
    subprocess.run(words, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    with StubAT() as stub:
        stub.server.socket = context.wrap_socket(stub.server.socket, server_side=True, do_handshake_on_connect=False)
        yield stub


def over_tls(stub: StubAT, host: str, tmp_path: Path | None) -> Client:
    url = f"https://{host}:{stub.url.rpartition(':')[2]}"
    return Client(Settings(at_base_url=url), Transport(2, str(tmp_path / "cert.pem") if tmp_path else None))


def test_tls_connections_are_made_once_and_kept(secured: StubAT, tmp_path: Path) -> None:
    client = over_tls(secured, "localhost", tmp_path)
    for _ in range(3):
        assert client.account().status == 200
    assert (len(secured.seen), len({seen.port for seen in secured.seen}), secured.accepted) == (3, 1, 1)


def test_a_certificate_of_somebody_else_is_not_trusted(secured: StubAT, tmp_path: Path) -> None:
    for client in (over_tls(secured, "localhost", None), over_tls(secured, "127.0.0.1", tmp_path)):
        with pytest.raises(NotReached, match="certificate"):
            client.account()
    assert secured.seen == []


def test_a_name_that_takes_too_long_holds_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: done.wait(5) and [])
    began, before = time.monotonic(), set(threading.enumerate())
    with pytest.raises(NotReached, match="in time"):
        Client(Settings(at_base_url="http://slow.test", at_timeout_s=0.3)).account()
    assert time.monotonic() - began < 1
    # Its thread waits on, and keeps nobody.
    assert [thread.daemon for thread in set(threading.enumerate()) - before] == [True]
    done.set()


@pytest.mark.parametrize("url", ["http://a..b:9", "http://[::1]:9", "https://localhost:9"])
def test_addresses_that_lead_nowhere_are_told_as_not_reached(url: str) -> None:
    with pytest.raises(NotReached):
        Client(Settings(at_base_url=url, at_timeout_s=0.5)).account()


def test_a_base_address_may_have_a_path(at: StubAT) -> None:
    client_of(at, at_base_url=f"{at.url}/behind/a/proxy").account()
    assert at.seen[0].path == "/behind/a/proxy/version1/user"
