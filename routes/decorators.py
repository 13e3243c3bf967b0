"""@receives: the one way of a callback from the request to its answer. The only place that reads a callback's request."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, wraps
from time import monotonic
from typing import Any

from flask import Request, Response, current_app, request
from limits import RateLimitItemPerMinute
from marshmallow import ValidationError

from app import masking
from app.errors import Forbidden, StorageUnavailable
from app.schemas.answers import HOP_METADATA, Answer
from app.schemas.bodies import Body, Query, Unreadable, read_body, read_query
from app.schemas.callbacks import KINDS, Kind
from app.schemas.fields import repair_plus
from app.settings import Settings
from routes.doors import bearer_of
from routes.limits import WRONG_SECRETS, count
from services import inbox
from services.inbox import Kept, Received
from services.proofs import Caller, Proofs, is_proven
from services.upkeep import metrics

logger = logging.getLogger(__name__)

View = Callable[[Received], Answer]
KindOf = str | Callable[[dict[str, Any]], str]
# A caller who shows no secret: far above what one phone network sends, below what fills a disk in minutes.
UNPROVEN = RateLimitItemPerMinute(60_000)


def _usual_refusal(received: Received) -> Answer:
    return received.row.refused


@dataclass(frozen=True)
class Spelling:
    """How one family of addresses says no: a refusal, and that nothing was kept."""

    refused: Callable[[Received], Answer] = _usual_refusal
    not_kept: Callable[[], Answer] | None = None


USUAL = Spelling()


def receives(kind: KindOf, spelling: Spelling = USUAL) -> Callable[[View], Callable[..., Response]]:
    """Make a view that gets a checked, parsed callback and returns its answer into one that keeps it and answers.

    kind: a name in KINDS, or a function from the fields to one. A callback that its schema refuses never reaches the
    view: it is kept with its errors, and the refusal of its kind is answered.
    """

    def decorate(view: View) -> Callable[..., Response]:
        def answer_to(received: Received) -> Answer:
            return spelling.refused(received) if received.errors else view(received)

        @wraps(view)
        def receive() -> Response:
            started, received_at = monotonic(), datetime.now(UTC)
            raw = request.get_data(cache=False)
            query = read_query(request.environ.get("QUERY_STRING", ""))
            checks = _let_in(request, raw, query, _name(kind))
            received = _read(kind, raw, query, checks, received_at, started)
            answer = answer_to(received)
            kept, answer = _keep(received, answer, spelling)
            _log(received, kept, answer)
            return _response(answer, kept)

        receive.kind = _name(kind)  # type: ignore[attr-defined]
        # For a callback that is read from its row instead of a request: routes/replays.py
        receive.kind_of, receive.answer_to = kind, answer_to  # type: ignore[attr-defined]
        return receive

    return decorate


def _settings() -> Settings:
    return current_app.config["POKEA"]


def _name(kind: KindOf) -> str:
    return kind if isinstance(kind, str) else kind({})


def _let_in(request: Request, raw: bytes, query: Query, name: str) -> dict[str, bool]:
    """Return the checks that ran. Raises Forbidden or TooManyRequests; what a person or money waits for is never limited."""
    proofs: Proofs = current_app.extensions["pokea.proofs"]
    row = KINDS[name]
    done = proofs.run(_caller(request, raw, query)) if proofs.is_any else {}
    if not proofs.passes(done):
        failed = ", ".join(name for name, passed in done.items() if not passed)
        logger.warning("callback from %s at %s: check failed: %s", request.remote_addr, request.path, failed)
        if proofs.mode == "enforce":
            metrics.turned_away(name, "forbidden")
            _limit(WRONG_SECRETS, row, "wrong")
            raise Forbidden("This callback is not proven: use the address with its ?token=, as flask urls prints it.")
    if not is_proven(done):
        _limit(UNPROVEN, row, "unproven")
    return done


def _limit(item: RateLimitItemPerMinute, row: Kind, bucket: str) -> None:
    if not row.is_interactive:
        count(item, bucket)


def _caller(request: Request, raw: bytes, query: Query) -> Caller:
    signature = request.headers.get(_settings().callback_signature_header, "")
    tokens = query.tokens + bearer_of(request)
    return Caller(tokens, signature, request.remote_addr or "", request.headers.get("User-Agent", ""), raw)


def _read(kind: KindOf, raw: bytes, query: Query, checks: dict[str, bool], received_at: datetime, started: float) -> Received:
    environ = request.environ
    content_type = environ.get("CONTENT_TYPE", "")
    name, body, errors = read_fields(kind, raw, content_type, query)
    base_url = f"{environ['wsgi.url_scheme']}://{environ.get('HTTP_HOST', '')}"
    received = Received(
        name, KINDS[name], request.path, raw, content_type, _headers(environ), query.kept, request.remote_addr or "", checks,
        received_at, started, base_url, fields=body.fields, errors=errors, flags=body.flags,
    )  # fmt: skip
    if checks.get("token") and query.tokens:
        received.token = query.tokens[0]
    check_shape(received)
    return received


def read_fields(kind: KindOf, raw: bytes, content_type: str, query: Query) -> tuple[str, Body, dict[str, list[str]] | None]:
    """Return the kind of a callback, its fields, and why they cannot be read, None where they can."""
    body, errors = Body({}), None
    try:
        body = read_body(raw, content_type, query)
    except Unreadable as unreadable:
        errors = {"body": [str(unreadable)]}
    return kind if isinstance(kind, str) else kind(body.fields), body, errors


def check_shape(received: Received) -> None:
    """Fill in the typed data of a callback that could be read, or why its schema refuses it."""
    if received.errors is not None:
        return
    schema = received.row.schema
    for name in schema.line_names:
        if name in received.fields:
            received.fields[name] = repair_plus(received.fields[name])
    try:
        received.data = schema.load(received.fields)
    except ValidationError as refused:
        received.errors = refused.normalized_messages()
        return
    if received.kind == "sms.incoming_message" and _settings().twoway_require_link_id and not received.data.get("link_id"):
        received.errors = {"linkId": ["Missing: TWOWAY_REQUIRE_LINK_ID asks for it."]}
    received.flags += schema.doubts(received.data)


def _headers(environ: dict[str, Any]) -> dict[str, str]:
    kept, secrets = {}, current_app.extensions["pokea.proofs"].spellings
    for name, value in environ.items():
        if name.startswith("HTTP_") and (shown := _shown(name)):
            kept[shown] = value if shown == HOP_METADATA else masking.tokens_in(value, secrets)
    return kept


@lru_cache(maxsize=1000)
def _shown(name: str) -> str | None:
    """Return a header's usual spelling, None for one that carries a secret."""
    spelled = name[5:].replace("_", "-").title()
    return None if masking.is_secret_name(spelled) else spelled


def _keep(received: Received, answer: Answer, spelling: Spelling) -> tuple[Kept | None, Answer]:
    try:
        kept = inbox.keep(received, answer, current_app.extensions["pokea.outage"])
    except StorageUnavailable:
        if spelling.not_kept and not received.row.is_interactive:
            return None, spelling.not_kept()
        if not received.row.is_interactive:
            metrics.turned_away(received.kind, "not_kept")
            raise
        _log_payload(received)
        return None, received.row.differing or answer
    broker = current_app.extensions.get("pokea.broker")
    if broker and kept.state in ("accepted", "differing"):
        broker.tell(kept.id)
    return kept, kept.answer


def _log_payload(received: Received) -> None:
    shown = masking.fields(received.kind, received.fields, hide_numbers=not _settings().log_payloads)
    logger.error("%s was answered but not kept; it said %s", received.kind, shown)


def _log(received: Received, kept: Kept | None, answer: Answer) -> None:
    took_s = monotonic() - received.started
    metrics.answered(received.kind, kept.state if kept else "not_kept", took_s)
    facts = {
        "kind": received.kind,
        "id": kept.id if kept else None,
        "outcome": kept.state if kept else "not kept",
        "status": answer.status,
        "ms": round(1000 * took_s),
    }
    line = (
        received.kind,
        masking.number(received.phone or ""),
        facts["outcome"],
        answer.status,
        _said(answer),
        facts["ms"],
        facts["id"] or "-",
    )
    oddities = "".join(f"  ! {flag}" for flag in answer.flags)
    logger.info("<-  %-21s %-9s %-8s %s %s %4d ms  %s%s", *line, oddities, extra=facts)
    if _settings().log_payloads:
        logger.info("%s said %s", received.kind, masking.fields(received.kind, received.fields))


def _said(answer: Answer) -> str:
    return answer.body if len(answer.body) < 5 else answer.body[:3] if answer.body[:4] in ("CON ", "END ") else ""


def _response(answer: Answer, kept: Kept | None) -> Response:
    response = Response(answer.body, answer.status, mimetype=answer.media)
    response.headers.extend(answer.headers)
    if answer.media == "text/plain":
        response.headers["X-Content-Type-Options"] = "nosniff"
    if kept:
        response.headers["X-Pokea-Id"], response.headers["X-Pokea-State"] = kept.id, kept.state
    return response
