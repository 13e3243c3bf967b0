"""How the text of one setting becomes a value. Knows no setting by name; every refusal says what would be right."""

import ipaddress
import re
from collections.abc import Callable
from decimal import Decimal
from urllib.parse import urlsplit

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from app.currencies import CURRENCIES

Parse = Callable[[str], object]


def text(raw: str) -> str:
    """Return the text as it is."""
    return raw


def words(raw: str) -> tuple[str, ...]:
    """Return the parts of a list written with commas, blanks dropped."""
    return tuple(part.strip() for part in raw.split(",") if part.strip())


def yes_no(raw: str) -> bool:
    """Return the truth that 1/0, true/false, yes/no or on/off stands for."""
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if raw.lower() not in known:
        raise ValueError(f"'{raw}' is not one of: 1, 0")
    return known[raw.lower()]


def one_of(*allowed: str) -> Parse:
    """Make a parser that takes only the words named."""

    def parse(raw: str) -> str:
        if raw not in allowed:
            raise ValueError(f"'{raw}' is not one of: {', '.join(allowed)}")
        return raw

    return parse


def whole(least: int, most: int) -> Parse:
    """Make a parser for a whole number within bounds, both included."""

    def parse(raw: str) -> int:
        if not (raw.isascii() and raw.isdigit()) or not least <= int(raw) <= most:
            raise ValueError(f"'{raw}' is not a whole number from {least} to {most}")
        return int(raw)

    return parse


def seconds(least: float, most: float) -> Parse:
    """Make a parser for a number of seconds within bounds, both included."""

    def parse(raw: str) -> float:
        try:
            value = float(raw)
        except ValueError:
            value = -1.0
        if not least <= value <= most:
            raise ValueError(f"'{raw}' is not a number of seconds from {least:g} to {most:g}")
        return value

    return parse


def per_second(raw: str) -> float:
    """Return how many a second, from one in a hundred seconds to a thousand a second."""
    try:
        value = float(raw)
    except ValueError:
        value = 0.0
    if not 0.01 <= value <= 1000:
        raise ValueError(f"'{raw}' is not a number from 0.01 to 1000, as 10")
    return value


def broker_url(raw: str) -> str:
    """Return the address of RabbitMQ or Redis."""
    if not raw.startswith(("amqp://", "amqps://", "redis://", "rediss://")) or len(raw.partition("://")[2]) == 0:
        raise ValueError(f"'{raw}' is not a broker that works here: amqp://user:password@host:5672// or redis://host:6379/0")
    return raw


def money(raw: str) -> Decimal:
    """Return an amount of money, 0 included."""
    if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,2})?", raw, re.ASCII):
        raise ValueError(f"'{raw}' is not an amount like 1000 or 99.50")
    return Decimal(raw)


def currency(raw: str) -> str:
    """Return an ISO 4217 code."""
    if raw not in CURRENCIES:
        raise ValueError(f"'{raw}' is not an ISO currency in capitals, for example KES")
    return raw


def country(raw: str) -> str:
    """Return the ISO 3166 letters of a country that has phone numbers."""
    from phonenumbers import SUPPORTED_REGIONS

    if raw.upper() not in SUPPORTED_REGIONS:
        raise ValueError(f"'{raw}' is not the two letters of a country, for example KE")
    return raw.upper()


def two_at_most(raw: str) -> tuple[str, ...]:
    """Return one secret, or the new and the old one during a rotation."""
    secrets = words(raw)
    if len(secrets) > 2:
        raise ValueError(f"{len(secrets)} secrets given: one, or two by comma while one replaces the other")
    return secrets


def networks(raw: str) -> tuple[str, ...]:
    """Return addresses and networks in their usual form."""
    try:
        return tuple(str(ipaddress.ip_network(part, strict=False)) for part in words(raw))
    except ValueError as error:
        raise ValueError(f"{error}: write addresses or networks, for example 10.0.0.7, 192.0.2.0/24") from error


def header_name(raw: str) -> str:
    """Return the name of an HTTP header."""
    if not re.fullmatch(r"[A-Za-z0-9-]+", raw, re.ASCII):
        raise ValueError(f"'{raw}' is not the name of a header, for example X-Signature")
    return raw


def web_address(raw: str) -> str:
    """Return an http or https address without its last slash."""
    try:
        parts = urlsplit(raw)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        is_one = False
    if not is_one or not raw.isprintable() or " " in raw:
        raise ValueError(f"'{raw}' is not an address like https://example.com")
    return parts._replace(scheme=parts.scheme.lower()).geturl().rstrip("/")


def base_address(raw: str) -> str:
    """Return an address that paths are put behind: without user, query or fragment."""
    address = web_address(raw)
    parts = urlsplit(address)
    if parts.username or parts.password or "@" in parts.netloc or parts.query or parts.fragment or raw.rstrip("/").endswith(("?", "#")):
        raise ValueError("an address like https://example.com, without user and password, '?' and '#'")
    return address


def database_url(raw: str) -> str:
    """Return an address that SQLAlchemy takes; `postgres://`, which hosts still hand out, becomes psycopg's name."""
    for old in ("postgres://", "postgresql://"):
        if raw.startswith(old):
            raw = "postgresql+psycopg://" + raw.removeprefix(old)
    try:
        driver = make_url(raw).drivername
    except ArgumentError:
        driver = ""
    is_memory = (driver == "sqlite" and make_url(raw).database in (None, "", ":memory:")) or raw.startswith("sqlite:///file:")
    if driver not in ("sqlite", "postgresql+psycopg") or is_memory:
        raise ValueError("not a database address that works here: sqlite:////path/file.db or postgresql://user@host/name")
    return raw
