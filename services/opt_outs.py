"""Who wants no more messages, read from the kept callbacks."""

from collections.abc import Sequence

from sqlalchemy import Connection, select

from app.models import Callback


def opted_out(connection: Connection, phones: Sequence[str]) -> set[str]:
    """Return those of the numbers (E.164) that opted out, from whichever sender.

    Which sender a bulk message will have is not always known here, and who said stop meant it.
    """
    # As they came: with plus, or without.
    spellings = {spelled: phone for phone in phones for spelled in (phone, phone[1:])}
    found = select(Callback.phone).where(
        Callback.phone.in_(spellings), Callback.kind == "sms.opt_out", Callback.state != "refused"
    )  # fmt: skip
    return {spellings[phone] for phone in connection.scalars(found.distinct()) if phone}
