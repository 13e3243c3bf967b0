"""Whether a callback comes from whom it should: secret in its address, or signature, and what is asked on top."""

import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from urllib.parse import quote

from app.settings import Settings


@dataclass(frozen=True)
class Caller:
    """What a request shows of who sent it."""

    tokens: list[str]
    signature: str
    address: str
    user_agent: str
    raw_body: bytes


class Proofs:
    """The checks that settings ask for, ready to run."""

    def __init__(self, settings: Settings) -> None:
        self.mode = settings.callback_checks
        self.tokens = settings.callback_token
        # A token as it may stand in other headers: as it is, and encoded.
        self.spellings = tuple({spelled for token in self.tokens for spelled in (token, quote(token, safe=""))})
        self.secrets = settings.webhook_secret
        self.networks: list[IPv4Network | IPv6Network] = [ip_network(text) for text in settings.callback_allowed_ips]
        self.user_agents = [word.lower() for word in settings.callback_user_agents]
        self.is_any = self.mode != "off" and bool(self.tokens or self.secrets or self.networks or self.user_agents)

    def run(self, caller: Caller) -> dict[str, bool]:
        """Return each check that is configured, and whether the caller passed it; none when checks are off."""
        if not self.is_any:
            return {}
        done = {}
        if self.tokens:
            done["token"] = len(caller.tokens) == 1 and _is_one_of(caller.tokens[0], self.tokens)
        if self.secrets:
            done["signature"] = is_signed(caller.raw_body, caller.signature, self.secrets)
        if self.networks:
            done["address"] = _is_inside(caller.address, self.networks)
        if self.user_agents:
            done["user_agent"] = any(word in caller.user_agent.lower() for word in self.user_agents)
        return done

    @staticmethod
    def passes(done: dict[str, bool]) -> bool:
        """Whether these results let a callback in: token or signature is enough, the others are asked on top."""
        either = [done[name] for name in ("token", "signature") if name in done]
        on_top = [done[name] for name in ("address", "user_agent") if name in done]
        return (not either or any(either)) and all(on_top)


def is_proven(done: dict[str, bool]) -> bool:
    """Whether a secret was shown: what a callback needs before anything is sent because of it."""
    return done.get("token", False) or done.get("signature", False)


def is_signed(raw_body: bytes, signature: str, secrets: Iterable[str]) -> bool:
    """Whether `signature` (hex, with or without `sha256=`) is the HMAC-SHA256 of the body under one of the secrets."""
    given = signature.removeprefix("sha256=").lower()
    return _is_one_of(given, [hmac.new(secret.encode(), raw_body, sha256).hexdigest() for secret in secrets])


def _is_one_of(given: str, known: Iterable[str]) -> bool:
    # Every one is compared, in constant time.
    results = [hmac.compare_digest(given.encode("utf-8", "replace"), one.encode()) for one in known]
    return any(results)


def _is_inside(address: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    try:
        known = ip_address(address)
    except ValueError:
        return False
    mapped = getattr(known, "ipv4_mapped", None) or known
    return any(mapped in network for network in networks)
