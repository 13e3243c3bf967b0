"""What a list finds by a text that is in its rows."""

from flask import Flask

from app.extensions import db
from services import due
from services.reading.filters import Filters
from services.reading.lists import page_of
from tests.samples import post

MESSAGE = {"from": "+254711000017", "to": "12345", "date": "2026-03-04 10:30:00"}
TEXTS = ("École Œuvre", "ecole 100% a_b", 'say "ÇA" /now')


def found(app: Flask, name: str, text: str) -> set[int]:
    """Return the numbers of the messages in which a text is found."""
    with app.app_context(), db.engine.connect() as connection:
        rows = page_of(connection, name, Filters(q=text), None, 50).rows
    return {int(row.provider_id if name == "messages" else row.reference) for _, row in rows}


def test_a_text_is_found_in_capitals_or_not_in_every_alphabet(app: Flask) -> None:
    for number, text in enumerate(TEXTS):
        post(app.test_client(), "sms.incoming_message", MESSAGE | {"id": str(number), "text": text})
    # A row with nothing in what is searched.
    post(app.test_client(), "sms.delivery_report", {"id": "9", "status": "Sent"})
    with app.app_context():
        due.catch_up()
    asked = {"école": {0}, "ÉCOLE": {0}, "ECOLE": {1}, "œUVRE": {0}, "0%": {1}, "%": {1}, "A_B": {1}, "aXb": set(), '"ça" /N': {2}}
    for name in ("messages", "callbacks"):
        assert {text: found(app, name, text) for text in asked} == asked, name
