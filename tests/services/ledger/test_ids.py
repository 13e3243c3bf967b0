"""Ids of the ledger tell the time that its rows show, so that since and until mean that time."""

from datetime import UTC, datetime, timedelta

from flask import Flask
from sqlalchemy import select, update
from ulid import ULID

from app.extensions import db, writing
from app.models import Airtime, Callback, Message, OptOut, Payment, Recording, Session, SimSwap, Subscription
from app.schemas.callbacks import KINDS
from services import due
from tests.invoking import ONLY_SQLITE
from tests.samples import post
from tests.services.ledger.folding import MADE, Stored, ordered

TABLES = (Airtime, Message, OptOut, Payment, Recording, Session, SimSwap, Subscription)


def moment_of(row_id: str) -> datetime:
    return ULID.from_str(row_id.partition("_")[2]).datetime


@ONLY_SQLITE
def test_ids_tell_when_a_thing_was_first_told_of_whenever_that_is_folded(app: Flask, stored: Stored) -> None:
    kinds = [kind for kind in KINDS if not kind.endswith(".validation")]
    for kind in kinds:
        post(app.test_client(), kind)
    came = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
    with app.app_context():
        with writing() as connection:
            connection.execute(update(Callback).values(received_at=came, due_at=came))
        due.catch_up()
    for model in TABLES:
        rows = stored(model)
        assert rows, model
        assert {(getattr(row, "started_at", None) or row.created_at, moment_of(row.id)) for row in rows} == {(came, came)}, model


@ONLY_SQLITE
def test_ids_tell_when_an_order_was_placed(app: Flask) -> None:
    tables = {Message: "sms.bulk", Session: "voice.call", Airtime: "airtime.send", SimSwap: "sim_swap.check", Payment: "payments.checkout"}
    with app.app_context(), db.engine.connect() as connection:
        for number, (model, kind) in enumerate(tables.items()):
            ordered(kind, {"provider_id": f"AT_{number}", "status": "Sent"}, message="x")(connection)
            assert moment_of(connection.scalars(select(model.id)).one()) == MADE, kind  # type: ignore[attr-defined]
        connection.rollback()
