"""Who sent a kept callback, as far as its row tells: Africa's Talking, this app itself, or somebody at this machine."""

import re
from ipaddress import ip_address

from app.models import Callback
from services.proofs import Proofs
from services.samples import USER_AGENT

_HOST = re.compile(r"[\w.:\[\]-]{1,100}", re.ASCII)


def sort_of(callback: Callback) -> str:
    """Return who sent a callback: proven or unproven, from another machine; a sample of ours, from here or through the tunnel; or local."""
    if callback.headers.get("User-Agent") == USER_AGENT:
        return "tunnel" if _is_from_elsewhere(callback) else "sample"
    if not _is_from_elsewhere(callback):
        return "local"
    return "proven" if callback.checks and Proofs.passes(callback.checks) else "unproven"


def _is_from_elsewhere(callback: Callback) -> bool:
    """Whether it came from another machine: by its address, or by what a proxy says that nobody was told to believe."""
    return any(map(_is_foreign, (callback.source, *callback.headers.get("X-Forwarded-For", "").split(","))))


def _is_foreign(address: str) -> bool:
    try:
        return not ip_address(address.strip()).is_loopback
    except ValueError:
        return False


def host_of(callback: Callback) -> str:
    """Return the host that its sender asked for, "" where it is none that could be shown."""
    host = callback.headers.get("X-Forwarded-Host") or callback.headers.get("Host", "")
    return host.lower() if _HOST.fullmatch(host) else ""
