"""Which addresses the world can reach, and which URLs webhooks may be sent to. Knows no endpoint and opens no connection."""

import re
import socket
from collections.abc import Callable
from ipaddress import AddressValueError, IPv4Address, IPv6Address, ip_address, ip_network
from queue import Empty, Queue
from threading import Thread
from urllib.parse import SplitResult, urlsplit

from app.errors import Invalid

LONGEST_URL = 2000
RESOLVE_S = 3.0
ALLOW = "To allow local receivers set WEBHOOKS_ALLOW_PRIVATE=1 (development only)."
Resolve = Callable[[str], list[str]]
# IANA, "IPv4 Special-Purpose Address Registry", and the classes D and E; the last is where Azure's machines find their own settings.
_NOT_PUBLIC_4 = [
    ip_network(block)
    for block in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
        "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
        "168.63.129.16/32",
    )
]  # fmt: skip
# Only this is handed out to the world: outside of it are loopback, link-local, fc00::/7, NAT64, 100::/64, 5f00::/16 and the rest.
_WORLD_6 = ip_network("2000::/3")
# Inside of it: protocols (Teredo is one), documentation twice, 6to4.
_NOT_PUBLIC_6 = [ip_network(block) for block in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")]
# Names that mean this machine or this network wherever they are asked for.
_LOCAL_NAME = re.compile(r"(.*\.)?(localhost|localdomain|local|internal|home\.arpa)")
_PRINTABLE = re.compile(r"[!-\[\]-~]*")
_NAME = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*")
# Resolvers read a last part like this as a number: 127.1, 2130706433, 0x7f.1
_NUMERIC = re.compile(r"(.*\.)?([0-9]+|0x[0-9a-f]*)")


def is_public(ip: str) -> bool:
    """Whether an address, as text, is one of the public internet; False for what is no address."""
    try:
        address = ip_address(ip)
    except ValueError:
        return False
    if isinstance(address, IPv4Address):
        return not any(address in block for block in _NOT_PUBLIC_4)
    return address.scope_id is None and address in _WORLD_6 and not any(address in block for block in _NOT_PUBLIC_6)


def addresses_of(name: str) -> list[str]:
    """Return the addresses of a name as far as they are known within RESOLVE_S; none for a name that does not resolve."""
    found: Queue[list[str]] = Queue()

    def ask() -> None:
        try:
            found.put(sorted({str(entry[4][0]) for entry in socket.getaddrinfo(name, None, proto=socket.IPPROTO_TCP)}))
        except (OSError, UnicodeError):
            found.put([])

    # The system's resolver knows no time limit.
    Thread(target=ask, daemon=True, name="resolve").start()
    try:
        return found.get(timeout=RESOLVE_S)
    except Empty:
        return []


def check_url(url: str, allow_private: bool, resolve: Resolve = addresses_of) -> str:
    """Return the URL that webhooks may go to, scheme and host in small letters.

    A name that does not resolve now is taken: its addresses are looked at again whenever something is sent.
    Raises Invalid that says what would be right.
    """
    parts = _split(url)
    host = _host(parts)
    if not allow_private:
        _insist_on_world(host)
        if parts.scheme != "https":
            raise Invalid(f"The URL must begin with https://. {ALLOW}")
    port = _port(parts, any_port=allow_private)
    if not allow_private and not _is_literal(host):
        for address in resolve(host):
            if not is_public(address):
                raise Invalid(f"That address is private ({host} is {address}). {ALLOW}")
    shown = f"[{host}]" if ":" in host else host
    return parts._replace(scheme=parts.scheme.lower(), netloc=shown if port is None else f"{shown}:{port}").geturl()


def _split(url: str) -> SplitResult:
    if len(url) > LONGEST_URL:
        raise Invalid(f"The URL is longer than {LONGEST_URL} characters.")
    # Before it is taken apart: urlsplit drops tabs and newlines without a word.
    if not _PRINTABLE.fullmatch(url):
        raise Invalid("A URL has no spaces, backslashes or control characters, and only ASCII: write é as %C3%A9, and the host as xn--….")
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise Invalid("That is not a URL. It looks like this: https://example.com/hooks") from error
    if parts.scheme not in ("https", "http") or not parts.netloc:
        raise Invalid("The URL must begin with https:// and name a host, as https://example.com/hooks")
    if "@" in parts.netloc:
        raise Invalid("The URL must hold no user name and no password: the signature proves who sends.")
    if "#" in url:
        raise Invalid("The URL must have no '#' part: it would not be sent.")
    return parts


def _host(parts: SplitResult) -> str:
    """Return the host in small letters: a name, or an address in its one usual form."""
    host = (parts.hostname or "").removesuffix(".")
    if "[" in parts.netloc:
        return _literal_6(host)
    if _NUMERIC.fullmatch(host):
        return _literal_4(host)
    if not _NAME.fullmatch(host):
        raise Invalid("That host is not a name. It looks like this: https://example.com/hooks")
    return host


def _literal_6(host: str) -> str:
    try:
        address = IPv6Address(host)
    except AddressValueError as error:
        raise Invalid("That host is not an IPv6 address.") from error
    if address.scope_id is not None:
        raise Invalid("An address with a zone (%…) is known on one machine only: name another.")
    return str(address)


def _literal_4(host: str) -> str:
    try:
        return str(IPv4Address(host))
    except AddressValueError as error:
        raise Invalid("Write an address as four decimal numbers without leading zeros, as 192.0.2.1, or name the host.") from error


def _is_literal(host: str) -> bool:
    return ":" in host or _NUMERIC.fullmatch(host) is not None


def _insist_on_world(host: str) -> None:
    """Raise Invalid for an address or a name that is not of the public internet, whatever a resolver says."""
    if (_is_literal(host) and not is_public(host)) or _LOCAL_NAME.fullmatch(host):
        raise Invalid(f"That address is private ({host}). {ALLOW}")


def _port(parts: SplitResult, any_port: bool) -> int | None:
    """Return the port that the URL names, None where it names none."""
    try:
        port = parts.port
    except ValueError as error:
        raise Invalid("The port must be a number from 1 to 65535.") from error
    if port == 0 or (port is not None and not any_port and port != 443 and port < 1024):
        raise Invalid(f"Port {port} is not for webhooks: use 443, or 1024 and above.")
    return port
