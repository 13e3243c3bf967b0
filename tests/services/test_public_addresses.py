"""Which addresses webhooks may be sent to."""

import pytest

from app.errors import Invalid
from services.webhooks.public_addresses import ALLOW, addresses_of, check_url, is_public

# One address or more of each block that is not the public internet
PRIVATE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254", "168.63.129.16",
    "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.8", "192.0.0.192", "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1",
    "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1",
    "::127.0.0.1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "5f00::1",
    "fc00::1", "fd00:ec2::254", "fe80::1", "febf::1", "fec0::1", "ff02::1", "4000::1",
]  # fmt: skip
PUBLIC = [
    "1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1", "169.253.255.255",
    "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.169.0.0", "198.17.255.255", "198.20.0.0", "223.255.255.255", "2606:4700:4700::1111",
    "2a00:1450:4009:81f::200e", "2001:4860:4860::8888", "2003::1",
]  # fmt: skip
# Hosts that mean something private, or nothing plain, to one program or another
ODD = [
    "localhost", "LOCALHOST", "localhost.", "a.localhost", "localhost.localdomain", "printer.local", "metadata.google.internal",
    "2130706433", "0x7f000001", "0x7F.1", "0177.0.0.1", "127.1", "127.0.1", "127.0.0.1.", "0", "0x", "134744072", "010.0.0.1", "1.2.3.4.5",
    "8.8.8.08", "256.1.1.1", "127。0。0。1", "①②⑦.⓪.⓪.①", "127.0.0.%31", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[2606:4700::1%1]", "[::1",
    "[v1.a]", "a b.example.com", "-a.example.com", "a..example.com", "",
]  # fmt: skip


def at_public(_name: str) -> list[str]:
    """Resolve every name to one public address."""
    return ["8.8.8.8"]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_refused(address: str) -> None:
    assert not is_public(address)
    host = f"[{address}]" if ":" in address else address
    with pytest.raises(Invalid) as refused:
        check_url(f"https://{host}/hooks", False)
    assert "That address is private (" in refused.value.message
    assert ALLOW in refused.value.message
    assert check_url(f"http://{host}/hooks", True)


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_taken(address: str) -> None:
    assert is_public(address)
    host = f"[{address}]" if ":" in address else address
    assert check_url(f"https://{host}/hooks", False) == f"https://{host}/hooks"


@pytest.mark.parametrize("text", ["", "x", "fe80::1%eth0", "2606:4700::1%eth0", "127.1", "8.8.8.8/32", "٨.8.8.8"])
def test_what_is_no_plain_address_is_not_public(text: str) -> None:
    assert not is_public(text)


@pytest.mark.parametrize("host", ODD)
def test_an_odd_host_is_refused(host: str) -> None:
    with pytest.raises(Invalid):
        check_url(f"https://{host}/hooks", False, at_public)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://example.com/hooks", "must begin with https://"), ("ftp://example.com/", "must begin with https://"),
        ("//example.com/hooks", "must begin with https://"), ("https:example.com", "name a host"), ("javascript:alert(1)", "must begin"),
        ("file:///etc/passwd", "must begin"), ("https://u:p@example.com/", "no user name"), ("https://u@example.com/", "no user name"),
        ("https://example.com\\@127.0.0.1/", "no spaces"), ("https://example.com/#a", "no '#'"), ("https://example.com/#", "no '#'"),
        ("https://example.com/a b", "no spaces"), ("https://exa\nmple.com/", "no spaces"), ("https://example.com/\x00", "no spaces"),
        ("https://example.com/é", "only ASCII"), (" https://example.com/", "no spaces"), ("https://example.com:80/", "Port 80"),
        ("https://example.com:22/", "Port 22"), ("https://example.com:0/", "Port 0"), ("https://example.com:1023/", "Port 1023"),
        ("https://example.com:65536/", "1 to 65535"), ("https://example.com:x/", "1 to 65535"), ("https://:443/", "not a name"),
        ("https://[::1].example.com/", ""), (f"https://example.com/{'a' * 2000}", "longer than 2000"), ("", "must begin"), ("x", "must begin"),
    ],
)  # fmt: skip
def test_a_url_that_webhooks_cannot_go_to_is_refused(url: str, said: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_url(url, False, at_public)
    assert said in refused.value.message


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://example.com", "https://example.com"), ("HTTPS://Example.COM./Hooks?A=B", "https://example.com/Hooks?A=B"),
        ("https://example.com:8443/a%20b?x=1&y=%2B", "https://example.com:8443/a%20b?x=1&y=%2B"),
        ("https://example.com:443/", "https://example.com:443/"), ("https://a_b.example.com:1024/", "https://a_b.example.com:1024/"),
        ("https://xn--caf-dma.example.com/", "https://xn--caf-dma.example.com/"), ("https://1.example.com/", "https://1.example.com/"),
    ],
)  # fmt: skip
def test_a_good_url_is_kept_as_it_was_meant(url: str, kept: str) -> None:
    assert check_url(url, False, at_public) == kept


@pytest.mark.parametrize("found", [["127.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["8.8.8.8", "::1"], ["fe80::1%eth0"]])
def test_a_name_with_any_private_address_is_refused(found: list[str]) -> None:
    with pytest.raises(Invalid, match="is private"):
        check_url("https://example.com/", False, lambda _name: found)


def test_a_name_that_does_not_resolve_is_taken() -> None:
    assert check_url("https://example.com/", False, lambda _name: []) == "https://example.com/"


def test_the_systems_resolver_is_asked() -> None:
    assert addresses_of("127.0.0.1") == ["127.0.0.1"]
    assert addresses_of(f"{'a' * 64}.invalid") == []


@pytest.mark.parametrize("url", ["http://localhost:3000/hook", "http://127.0.0.1:80/", "http://[::1]:9000/", "http://receiver:8000/hooks"])
def test_local_receivers_are_for_development(url: str) -> None:
    assert check_url(url, True) == url
