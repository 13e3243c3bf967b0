"""What this program counts of itself, for Prometheus: over all processes of one app where these share a folder.

Each process writes files of its own there, which outlive it: what a killed process counted goes on counting.
"""

from collections.abc import Iterable
from functools import cache
from threading import Lock
from typing import Any

from app.config import metrics_folder
from services.upkeep.shared_counts import identity, merged, own_files

ANSWER_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10)
# name: (what it counts, labels)
COUNTERS = {
    "callbacks": ("Callbacks that came, by kind and by what became of them.", ("kind", "outcome")),
    "over_budget": ("Answers that a menu, a call flow, a rule or a program elsewhere did not give in time.", ("what",)),
    "invocations": ("Calls to Africa's Talking, by kind and by how they ended.", ("kind", "state")),
    "deliveries": ("Attempts to deliver webhooks: delivered, failed, or dead with the last.", ("result",)),
    "reactions": ("Runs of reactions, by name and result.", ("name", "result")),
}
TIMES = {
    "callback_answer": ("Time until a callback was kept and its answer ready.", ("kind",)),
    "delivery": ("Time that receivers took for a webhook.", ()),
}
_BUILDING = Lock()


def answered(kind: str, outcome: str, seconds: float) -> None:
    """Count a callback that was answered. outcome: accepted, differing, repeat, refused or not_kept."""
    _child("callbacks", kind, outcome).inc()
    _child("callback_answer", kind).observe(seconds)


def turned_away(kind: str, outcome: str) -> None:
    """Count a callback that got an error. outcome: forbidden or not_kept."""
    _child("callbacks", kind, outcome).inc()


def over_budget(what: str) -> None:
    """Count an answer that did not come in time. what: menu, call flow, validation rule or program."""
    _child("over_budget", what).inc()


def invoked(kind: str, state: str) -> None:
    """Count a call to Africa's Talking that ended."""
    _child("invocations", kind, state).inc()


def delivered(result: str, seconds: float) -> None:
    """Count an attempt to deliver a webhook. result: delivered, failed (it is tried again) or dead."""
    _child("deliveries", result).inc()
    _child("delivery").observe(seconds)


def reacted(name: str, result: str) -> None:
    """Count one run of a reaction. result: done, failed (it is tried again) or dead."""
    _child("reactions", name, result).inc()


def prepare() -> None:
    """Get ready to count, so that the first callback does not wait for it."""
    with _BUILDING:
        _meters()


def exposition(gauges: Iterable[Any] = ()) -> tuple[bytes, str]:
    """Return all that is counted as Prometheus reads it, and the content type. gauges: families to tell besides."""
    from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

    prepare()
    families = CollectorRegistry()
    folder = _meters()["folder"]
    told = [*(merged(folder) if folder else _meters()["registry"].collect()), *gauges]
    families.register(_Told(told))
    return generate_latest(families), CONTENT_TYPE_LATEST


class _Told:
    """Families that are there already, as a registry collects them."""

    def __init__(self, families: list[Any]) -> None:
        self._families = families

    def collect(self) -> list[Any]:
        """Return them."""
        return self._families


@cache
def _child(name: str, *labels: str) -> Any:
    with _BUILDING:
        meter = _meters()[name]
    return meter.labels(*labels) if labels else meter


@cache
def _meters() -> dict[str, Any]:
    """Make all meters, once per process; whoever calls holds the lock, or knows that they are made."""
    from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics, values

    folder = own_files(metrics_folder())
    # Chosen here and not by the library, whose files are named by process only: containers that share a folder have the same ones.
    values.ValueClass = values.MultiProcessValue(identity) if folder else values.MutexValue
    disable_created_metrics()
    registry = CollectorRegistry()
    made: dict[str, Any] = {"registry": registry, "folder": folder}
    for name, (meaning, labels) in COUNTERS.items():
        made[name] = Counter(f"pokea_{name}_total", meaning, labels, registry=registry)
    for name, (meaning, labels) in TIMES.items():
        made[name] = Histogram(f"pokea_{name}_seconds", meaning, labels, registry=registry, buckets=ANSWER_BUCKETS_S)
    return made
