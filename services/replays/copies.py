"""A kept callback as something to paste elsewhere: a curl command, the request, JSON, a test. Masked where it is to be shown to others."""

import json
from pprint import pformat

from app import masking
from app.models import Callback
from services.replays.again import again
from services.replays.exports import line_of

FORMS = ("curl", "http", "json", "pytest")


def copy_of(row: Callback, form: str, is_masked: bool, address: str) -> str:
    """Return a callback in one of FORMS; bytes that are no text as lone surrogates. address: where this app listens.

    is_masked: numbers, PINs and secrets left out.
    """
    if form == "http":
        return _request(row, is_masked, address)
    if form == "pytest":
        return _test(row, is_masked)
    return line_of(row, form, is_masked, address) + "\n"


def _request(row: Callback, is_masked: bool, address: str) -> str:
    target, content_type, body = again(row, is_masked)
    lines = [
        f"POST {target} HTTP/1.1",
        f"Host: {address.partition('://')[2]}",
        *([f"Content-Type: {content_type}"] if content_type else []),
        f"Content-Length: {len(body)}",
    ]
    return "\r\n".join([*lines, "", body.decode("utf-8", "surrogateescape")])


def _test(row: Callback, is_masked: bool) -> str:
    """Return a test function that posts the callback with pytest-flask's `client`, and expects the same answer."""
    target, content_type, body = again(row, is_masked)
    answer = masking.numbers_in(row.answer) if is_masked else row.answer
    return (
        f"def test_{row.kind.replace('.', '_')}_is_answered(client):\n"
        f"    body = {pformat(body, width=100, indent=4)}\n"
        f"    answer = client.post({target!r}, data=body, content_type={content_type!r})\n"
        f"    assert answer.status_code == {row.answer_status}\n"
        f"    assert answer.text == {json.dumps(answer, ensure_ascii=False)}\n"
    )
