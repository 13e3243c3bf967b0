"""The account at Africa's Talking: whether the key is good, and what is left on it."""

from dataclasses import dataclass

from services.client import Client
from services.outcome import shortened
from services.transport import NoAnswer, NotReached


@dataclass(frozen=True)
class Account:
    """What was answered. problem: None when the key is good."""

    balance: str | None
    problem: str | None = None
    was_reached: bool = True


def ask_for_account(client: Client) -> Account:
    """Ask Africa's Talking for the account; nothing is spent."""
    try:
        reply = client.account()
    except NotReached as error:
        return Account(None, f"not reached: {error}", was_reached=False)
    except NoAnswer as error:
        return Account(None, f"no answer: {error}")
    if reply.status == 401:
        return Account(None, "the API key is not accepted for this user name")
    data = reply.body if isinstance(reply.body, dict) else {}
    # Both spellings are in use.
    user = data.get("UserData") or data.get("userData")
    if reply.status != 200 or not isinstance(user, dict) or "balance" not in user:
        return Account(None, f"answered {reply.status}: {str(shortened(reply.body))[:80]}")
    return Account(str(user["balance"]))
