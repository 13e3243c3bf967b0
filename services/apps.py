"""Answers a USSD or voice session in time: by a menu or flow of flows/, or by a developer's own program elsewhere."""

import logging
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar
from urllib.parse import quote_plus

import requests
import urllib3
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.deadline import within
from app.errors import StorageUnavailable
from app.extensions import db
from app.models import Invocation
from app.operators import ussd_screen
from app.schemas import answers
from app.schemas.answers import HOP_METADATA, Answer
from app.schemas.bodies import clean
from app.settings import Settings
from services import sessions, ussd, voice_answers
from services.budget import Budget, OverBudget
from services.calls import STEP, CallFlow, CallStep
from services.inbox import Received
from services.outage import Outage
from services.programs import Said, ask, without_secrets
from services.reactions.keywords import Rule, insist_on_own_names
from services.upkeep import metrics
from services.ussd import Hop, Menu
from services.voice_xml import respond, say

logger = logging.getLogger(__name__)
ANY = "*"
# How the id begins that a call of ours is known by
ORDER_ID = "inv_"
Target = TypeVar("Target")


@dataclass(frozen=True)
class Flows:
    """The developer's table: menus by service code, call flows by own number, "*" for all others; an address is a program elsewhere.

    reactions: what runs after a callback is kept, as `services.reactions.keywords.on` makes them. Raises ValueError where two share a name.
    """

    menus: dict[str, Menu | str] = field(default_factory=dict)
    calls: dict[str, CallFlow | str] = field(default_factory=dict)
    airtime: Callable[[dict[str, Any]], bool] = lambda _order: True
    reactions: tuple[Rule, ...] = ()

    def __post_init__(self) -> None:
        insist_on_own_names(self.reactions)


@dataclass(frozen=True)
class Apps:
    """What answers sessions, made once per process."""

    flows: Flows
    settings: Settings
    budget: Budget
    outage: Outage

    def ussd(self, received: Received) -> Answer:
        """Return the screen for one hop: CON or END."""
        target = _chosen(self.flows.menus, [str(received.fields.get("serviceCode", ""))], self.settings.ussd_app_url)
        if target is None:
            return answers.SORRY_END.because("flows/ names no menu for this service code, and none for '*'")
        if isinstance(target, str):
            return self._elsewhere(received, target, _ussd_problem, answers.SORRY_END)
        return self.guarded("the menu", answers.SORRY_END, lambda: self._menu(received, target))

    def voice(self, received: Received) -> Answer:
        """Return the XML for one step of a call."""
        if said := self._said(received):
            return Answer(respond(say(said)))
        own = [str(received.fields.get(name, "")) for name in ("destinationNumber", "callerNumber")]
        target = _chosen(self.flows.calls, own, self.settings.voice_app_url)
        if target is None:
            return answers.SORRY_XML.because("flows/ names no call flow for this number, and none for '*'")
        if isinstance(target, str):
            return self._elsewhere(received, target, _voice_problem, answers.SORRY_XML)
        return self.guarded("the call flow", answers.SORRY_XML, lambda: self._flow(received, target))

    def _said(self, received: Received) -> str | None:
        """Return what a call of a campaign was ordered to say; None for every other call, or while the database does not tell."""
        request_id = str(received.fields.get("clientRequestId", ""))
        if not request_id.startswith(ORDER_ID) or self.outage.is_down:
            return None
        began = monotonic()
        try:
            with within(sessions.READ_S), db.engine.connect() as connection:
                ordered = connection.scalar(select(Invocation.ordered).where(Invocation.id == request_id, Invocation.kind == "voice.call"))
        except (SQLAlchemyError, StorageUnavailable) as error:
            logger.warning("what %s was to say is not known: %s", clean(request_id)[:40], type(error).__name__)
            return None
        finally:
            received.waited_s += monotonic() - began
        return ordered.get("say") if ordered else None

    def guarded(self, what: str, fallback: Answer, work: Callable[[], Answer]) -> Answer:
        """Return what a developer's code makes of it, or the fallback, which says what was wrong with that code."""
        try:
            return work()
        except OverBudget as late:
            metrics.over_budget(what.removeprefix("the "))
            spent = {"flows": round(1000 * self.budget.seconds)}
            return replace(fallback, spent=spent, flags=[f"{what} did not answer in time, so a fallback did: {late}"])
        except Exception as error:  # it may raise anything
            self._log_failure(what, error)
            frame = traceback.extract_tb(error.__traceback__)[-1]
            return fallback.because(f"{what} failed: {type(error).__name__} at {Path(frame.filename).name} line {frame.lineno}")

    def _menu(self, received: Received, menu: Menu) -> Answer:
        data = received.data
        screen_size = ussd_screen(data["network_code"], data["phone_number"])
        began = monotonic()
        memory = sessions.recall(menu, data) if menu.needs_memory and not self.outage.is_down else sessions.Memory()
        received.waited_s = monotonic() - began
        hop = Hop(data["phone_number"], data["session_id"], data["service_code"], data["network_code"], memory=memory.own)
        try:
            # Screens that are data answer at once: only a developer's own functions need a place and a time limit.
            shown = ussd.show(menu, hop, data["text"], screen_size, memory.unfinished, only_data=True)
        except ussd.RunsCode:
            shown = self.budget.run("menus", lambda: ussd.show(menu, hop, data["text"], screen_size, memory.unfinished))
        return Answer(
            shown.answer,
            flags=ussd.warnings(shown.answer, screen_size),
            secret_places=shown.secret_places,
            memory=memory.after(shown, data["service_code"]) if menu.needs_memory else None,
        )

    def _flow(self, received: Received, flow: CallFlow) -> Answer:
        data = received.data
        # Only what the caller showed goes back to them.
        token = received.token
        call = CallStep(
            session_id=data["session_id"],
            caller_number=data.get("caller_number") or "",
            destination_number=data.get("destination_number") or "",
            direction=data.get("direction") or "",
            digits=data.get("dtmf_digits") or "",
            recording_url=data.get("recording_url") or "",
            address=(self.settings.public_url or received.base_url) + received.path,
            token=token,
        )
        body = self.budget.run("calls", lambda: flow.answer(call, str(received.fields.get(STEP, ""))))
        return Answer(body, kept_body=body.replace(quote_plus(token), "****") if token else None)

    def _elsewhere(self, received: Received, url: str, problem_of: Callable[[Said], str | None], fallback: Answer) -> Answer:
        began = monotonic()
        said = Said()
        try:
            said = self.budget.run(url, lambda: ask(url, received, self.budget.seconds))
            problem = problem_of(said)
        except OverBudget as late:
            metrics.over_budget("program")
            problem = str(late)
        except requests.Timeout:
            problem = f"no answer within {self.budget.seconds:g} s"
        except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
            if isinstance(error, requests.ReadTimeout):
                metrics.over_budget("program")
            problem = f"not reached: {type(error).__name__}"
        spent = {"app": round(1000 * (monotonic() - began))}
        kept = {"url": without_secrets(url), "status": said.status, "answer": said.body, "problem": problem}
        if problem:
            flags = [f"your program did not answer well, so a fallback did: {problem}"]
            return Answer(fallback.body, fallback.media, spent=spent, app=kept, flags=flags)
        headers = {HOP_METADATA: said.hop_metadata} if said.hop_metadata else {}
        flags = (
            ussd.warnings(said.body, ussd_screen(str(received.fields.get("networkCode")), received.phone))
            if problem_of is _ussd_problem
            else []
        )
        body = ussd.storable(said.body) if problem_of is _ussd_problem else said.body
        return Answer(body, spent=spent, app=kept, headers=headers, flags=flags)

    def _log_failure(self, what: str, error: Exception) -> None:
        # The message of an error may quote what a person typed: int('9876x').
        frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
        message = f": {error}" if self.settings.log_payloads else " (LOG_PAYLOADS=1 shows its message)"
        logger.error("%s failed: %s%s", what, type(error).__name__, message, extra={"frames": frames})


def _chosen(table: dict[str, Target], names: list[str], app_url: str) -> Target | str | None:
    """Return what the table has for one of the names, else the program of the settings, else the table's own default."""
    found = next((table[name] for name in names if name in table), None)
    return found or app_url or table.get(ANY)


def _ussd_problem(said: Said) -> str | None:
    if said.status != 200:
        return f"it answered {said.status}; 200 is needed"
    if not said.body.startswith(("CON ", "END ")):
        return f"a USSD answer must start with 'CON ' or 'END '; it started with '{said.body[:8]}'"
    return None


def _voice_problem(said: Said) -> str | None:
    if said.status != 200:
        return f"it answered {said.status}; 200 is needed"
    try:
        voice_answers.read(said.body)
    except voice_answers.NotAnAnswer as problem:
        return str(problem)
    return None
