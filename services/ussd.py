"""The menu engine: a pure function of a menu and all that a person typed, to one screen. Knows no database and no request."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from services import gsm7

CONTINUE, START_AGAIN = "1", "2"
# A session of three minutes has fewer; each step is walked again on every hop.
MOST_STEPS = 100
_UNSAYABLE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True)
class Option:
    """One line of a choice: its text, the screen it leads to, and its key where that is not its place in the list."""

    label: str
    to: str
    key: str = ""


@dataclass(frozen=True)
class Choose:
    """A screen with numbered options."""

    text: str
    options: tuple[Option, ...]


@dataclass(frozen=True)
class Ask:
    """A screen that takes free text, keeps it as `answers[save_as]`, and goes on to `to`.

    check: returns a sentence for input that is wrong, None for what is right. secret: what is typed is never shown.
    """

    text: str
    to: str
    save_as: str
    check: Callable[[str], str | None] | None = None
    secret: bool = False


@dataclass(frozen=True)
class End:
    """The last screen."""

    text: str


Screen = Choose | Ask | End


@dataclass(frozen=True)
class Hop:
    """Whom a screen is for, and what they said so far. `memory` may be changed by screens of a menu that remembers."""

    phone_number: str
    session_id: str = ""
    service_code: str = ""
    network_code: str = ""
    answers: dict[str, str] = field(default_factory=dict)
    memory: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Menu:
    """Screens by name, as data or as functions of a Hop; the first shown is `start`.

    invalid: what is said to input that no screen takes; invalid_ends: it ends the session instead of asking again.
    back, home, more: keys, "" for none. resume_within_s: a session cut off less long ago is offered again to the same
    number, 0 for never. remembers: screens get a `memory` that lasts as long as the session.
    """

    screens: dict[str, Screen | Callable[[Hop], Screen]] = field(default_factory=dict)
    start: str = "start"
    invalid: str = "Invalid choice"
    invalid_ends: bool = False
    back: str = ""
    home: str = ""
    more: str = "98"
    resume_within_s: int = 0
    remembers: bool = False

    def screen(self, function: Callable[[Hop], Screen]) -> Callable[[Hop], Screen]:
        """Add a function as the screen of its name."""
        self.screens[function.__name__] = function
        return function

    @property
    def needs_memory(self) -> bool:
        """Whether something of each session has to be kept."""
        return self.remembers or self.resume_within_s > 0


class RunsCode(Exception):
    """What was typed leads through a function of the menu, which may take its time."""


@dataclass(frozen=True)
class Shown:
    """One screen as text, whether it ends the session, and the places in what was typed that hold secrets."""

    text: str
    ends: bool
    secret_places: list[int] = field(default_factory=list)
    # What was typed, without the keys that chose to go on with an earlier session
    path: str = ""

    @property
    def answer(self) -> str:
        """The body that Africa's Talking expects."""
        return storable(f"{'END' if self.ends else 'CON'} {self.text}")


@dataclass
class _Walk:
    """Where a person is: screens behind them, page of the one before them, and what was wrong with the last input."""

    trail: list[str]
    answers: dict[str, str]
    page: int = 0
    error: str = ""
    is_lost: bool = False
    only_data: bool = False


def show(menu: Menu, hop: Hop, text: str, screen_size: int, unfinished: str | None = None, only_data: bool = False) -> Shown:
    """Return the screen for everything typed so far.

    text: all inputs of the session joined with `*`, "" at first. screen_size: characters that the phone shows.
    unfinished: what was typed in a session that was cut off, to be offered first. only_data: raise RunsCode instead of
    calling a screen or check of the menu.
    """
    typed = text.split("*") if text else []
    before: list[str] = []
    if unfinished is not None:
        choice = next((place for place, key in enumerate(typed) if key in (CONTINUE, START_AGAIN)), None)
        if choice is None:
            return Shown(_offer(menu.invalid if typed else ""), ends=False, path=unfinished)
        before = unfinished.split("*") if typed[choice] == CONTINUE else []
        typed = typed[choice + 1 :]
    inputs = before + typed
    skipped = len(text.split("*")) - len(typed) if text else 0
    walk = _Walk([menu.start], {}, is_lost=len(inputs) > MOST_STEPS, only_data=only_data)
    secrets = _walk(menu, hop, walk, inputs, screen_size)
    places = [place - len(before) + skipped for place in secrets if place >= len(before)]
    return replace(_render(menu, hop, walk, screen_size), secret_places=places, path="*".join(inputs))


def missing_screens(menu: Menu) -> list[str]:
    """Return the names that data screens lead to and the menu lacks."""
    named = [menu.start]
    for screen in menu.screens.values():
        if isinstance(screen, Choose):
            named += [option.to for option in screen.options]
        elif isinstance(screen, Ask):
            named.append(screen.to)
    return sorted(set(named) - menu.screens.keys())


def storable(answer: str) -> str:
    """Return a screen as phones take it: no controls but newlines, nothing that UTF-8 lacks."""
    return _UNSAYABLE.sub("", answer.replace("\r\n", "\n"))


def warnings(answer: str, screen_size: int) -> list[str]:
    """Return what is wrong with a screen's text for a phone that shows `screen_size` characters, in sentences."""
    text = answer[4:]
    found = []
    if strange := gsm7.unusual(text):
        found.append(f"unusual characters: {strange[:20]}")
    if gsm7.length(text) > gsm7.room(text, screen_size):
        found.append(f"USSD screen is {gsm7.length(text)} characters; this network cuts at {gsm7.room(text, screen_size)}.")
    return found


def _offer(error: str) -> str:
    lines = [error, "You were cut off. Go on where you were?", f"{CONTINUE}. Go on", f"{START_AGAIN}. Start again"]
    return "\n".join(line for line in lines if line)


def _walk(menu: Menu, hop: Hop, walk: _Walk, inputs: list[str], screen_size: int) -> list[int]:
    """Go where the inputs lead and return the places of secrets among them."""
    secrets = []
    for place, key in enumerate(inputs):
        if walk.is_lost:
            break
        screen = _screen(menu, hop, walk)
        if isinstance(screen, Ask) and screen.secret and key not in (menu.back, menu.home):
            secrets.append(place)
        _step(menu, walk, screen, key, screen_size)
    return secrets


def _step(menu: Menu, walk: _Walk, screen: Screen, key: str, screen_size: int) -> None:
    walk.error = ""
    if menu.more and key == menu.more and walk.page + 1 < len(_pages(menu, walk, screen, screen_size)):
        walk.page += 1
    elif isinstance(screen, End):
        walk.is_lost = True
    elif menu.home and key == menu.home:
        walk.trail, walk.answers, walk.page = [menu.start], {}, 0
    elif menu.back and key == menu.back and (walk.page or len(walk.trail) > 1):
        if walk.page:
            walk.page -= 1
        else:
            walk.trail.pop()
    else:
        _take(menu, walk, screen, key)


def _take(menu: Menu, walk: _Walk, screen: Choose | Ask, key: str) -> None:
    if isinstance(screen, Ask):
        walk.error = _checked(walk, screen.check, key)
        to = None if walk.error else screen.to
        if to:
            walk.answers[screen.save_as] = key
    else:
        to = {option.key or str(place): option.to for place, option in enumerate(screen.options, 1)}.get(key.strip())
        walk.error = "" if to else menu.invalid
    walk.page = 0
    if to:
        walk.trail.append(to)
    elif menu.invalid_ends:
        walk.is_lost = True


def _checked(walk: _Walk, check: Callable[[str], str | None] | None, typed: str) -> str:
    if check is None:
        return ""
    if walk.only_data:
        raise RunsCode
    return check(typed) or ""


def _screen(menu: Menu, hop: Hop, walk: _Walk) -> Screen:
    screen = menu.screens[walk.trail[-1]]
    if not callable(screen):
        return screen
    if walk.only_data:
        raise RunsCode
    return screen(replace(hop, answers=dict(walk.answers)))


def _render(menu: Menu, hop: Hop, walk: _Walk, screen_size: int) -> Shown:
    if walk.is_lost:
        return Shown(walk.error or menu.invalid, ends=True)
    screen = _screen(menu, hop, walk)
    pages = _pages(menu, walk, screen, screen_size)
    page = min(walk.page, len(pages) - 1)
    return Shown(pages[page], ends=isinstance(screen, End) and page == len(pages) - 1)


def _pages(menu: Menu, walk: _Walk, screen: Screen, screen_size: int) -> list[str]:
    """Return the screen's text, cut into as many pages as the phone needs."""
    lines = [walk.error] if walk.error else []
    lines += screen.text.split("\n")
    if isinstance(screen, Choose):
        lines += [f"{option.key or place}. {option.label}" for place, option in enumerate(screen.options, 1)]
    ways = [] if isinstance(screen, End) else _ways(menu, walk)
    whole = "\n".join(lines + ways)
    if not menu.more or gsm7.length(whole) <= gsm7.room(whole, screen_size):
        return [whole]
    return _paged(menu, lines, ways, gsm7.room(whole, screen_size), ends=isinstance(screen, End))


def _ways(menu: Menu, walk: _Walk) -> list[str]:
    back = [f"{menu.back}. Back"] if menu.back and len(walk.trail) > 1 else []
    return back + ([f"{menu.home}. Home"] if menu.home and len(walk.trail) > 1 else [])


def _paged(menu: Menu, lines: list[str], ways: list[str], size: int, ends: bool) -> list[str]:
    more, back = [f"{menu.more}. More"], [f"{menu.back}. Back"] if menu.back and not ends else []
    # From the first page, back is to the screen before; from the others, to the page before.
    first, middle, last = [*more, *ways], [*more, *back], list(dict.fromkeys([*back, *ways]))
    room = max(20, size - max(gsm7.length("\n".join(["", *footer])) for footer in (first, middle, last)))
    pages: list[list[str]] = [[]]
    for piece in (piece for line in lines for piece in _wrapped(line, room)):
        if pages[-1] and gsm7.length("\n".join([*pages[-1], piece])) > room:
            pages.append([])
        pages[-1].append(piece)
    footers = [first, *[middle] * (len(pages) - 2), last] if len(pages) > 1 else [ways]
    return ["\n".join(page + footer) for page, footer in zip(pages, footers, strict=True)]


def _wrapped(line: str, room: int) -> list[str]:
    """Return a line that is too long as several, cut between words where there are any."""
    pieces = []
    while gsm7.length(line) > room:
        most = room if gsm7.length(line[:room]) <= room else room // 2
        cut = line.rfind(" ", 1, most) if " " in line[1:most] else most
        pieces.append(line[:cut])
        line = line[cut:].lstrip(" ")
    return [*pieces, line]
