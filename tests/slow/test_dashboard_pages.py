"""Every page in a real browser: with all that may stand there, with nothing, and with what people write who mean harm."""

import re
from collections.abc import Callable, Iterator
from html import unescape
from itertools import chain
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from playwright.sync_api import Browser
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from app import create_app
from app.settings import Settings
from tests.running import wait_until
from tests.slow.dashboard import ME, PASSWORD, TUNNEL, YOU, Running, Watched
from tests.slow.dashboard import axe as axe  # noqa: PLC0414 - fixtures
from tests.slow.dashboard import empty as empty  # noqa: PLC0414
from tests.slow.dashboard import open_as as open_as  # noqa: PLC0414
from tests.slow.dashboard import running as running  # noqa: PLC0414

pytestmark = pytest.mark.slow
MOST_BYTES = 60_000
# Of pages that differ only in what they are about, so many are opened.
ALIKE = 2
NOT_PAGES = {"pages.static", "pages.live.new", "pages.live.pulse", "pages.live.short", "pages.login.form", "pages.missing"}
HUGE = "Wwwwwwwwww" * 40

SCRIPTS = [
    "<script>window.pwned=1</script>", "</script><script>window.pwned=1</script>", "<img src=x onerror=window.pwned=1>", "\"><svg/onload=window.pwned=1>",
    "'><iframe srcdoc='<script>parent.pwned=1</script>'>", "\" autofocus onfocus=window.pwned=1 x=\"", "' onmouseover=window.pwned=1 x='", "javascript:window.pwned=1",
    "JaVaScRiPt:window.pwned=1//", "data:text/html,<script>window.pwned=1</script>", "{{ ''.__class__ }}{% raw %}", "${window.pwned=1}", "#{7*7}", "<%= 7*7 %>",
    "<a href=javascript:window.pwned=1>x</a>", "<form action=//evil.example><button>x", "<style>*{display:none}</style>", "<base href=//evil.example>",
    "<meta http-equiv=refresh content=0;url=//evil.example>", "<link rel=stylesheet href=//evil.example/x.css>", "<object data=//evil.example></object>",
    "<!--", "--><script>window.pwned=1</script>", "]]><script>window.pwned=1</script>", "</textarea><script>window.pwned=1</script>", "</title><script>window.pwned=1</script>",
    "</pre></td></table><script>window.pwned=1</script>", "<div hx-get=/dashboard hx-trigger=load hx-on:htmx:load=window.pwned=1>", "<p data-copy=x data-do=close data-into=detail>",
    "<math><mtext><mglyph><style><img src=x onerror=window.pwned=1>", "\u202eevil\u202c reversed", "\u2066\u2069\u200b\u200f\ufeff", "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢", "\ud83d\ude48" + "🙈" * 20,
    "&lt;script&gt;&#x3c;script&#x3e;", "\\x3cscript\\x3ewindow.pwned=1", "+ADw-script+AD4-window.pwned=1", "%3Cscript%3Ewindow.pwned=1", "\x01\x02\x08\x1b[31m\x7f", HUGE,
]  # fmt: skip
SCRIPTS = [text.encode("utf-16", "surrogatepass").decode("utf-16") for text in SCRIPTS]
# The same in another place each, so that every one is told from the others where it shows.
HOSTILE = [f"{text}{place}" for place in range(5) for text in SCRIPTS]


def attack(running: Running) -> list[str]:
    """Store every hostile text in every place that takes one; return the ids of callbacks that hold all of them."""
    held = []
    for number, texts in enumerate(HOSTILE[place : place + 10] for place in range(0, len(HOSTILE), 10)):
        fields: dict[str, Any] = dict(
            chain.from_iterable(((f"field {place}", text), (text[:150], "name")) for place, text in enumerate(texts))
        )
        sent = {
            "from": texts[0] if number % 2 else YOU,
            "to": texts[1],
            "text": texts[number % 10],
            "date": texts[2],
            "id": f"{texts[3]}{number}",
            "linkId": texts[4],
        }
        printable = "".join(letter for letter in texts[5] if " " <= letter <= "~")
        held.append(
            running.receive("sms.incoming_message", {**fields, **sent}, **{"User-Agent": printable or "x", "X-Odd": printable or "x"})
        )
    running.receive(
        "payments.notification",
        {
            "transactionId": HOSTILE[0],
            "category": HOSTILE[1],
            "status": HOSTILE[2],
            "description": HOSTILE[3],
            "providerMetadata": {HOSTILE[4]: [HOSTILE[5]]},
        },
    )
    for kind in (
        "ussd.session",
        "voice.event",
        "voice.recording",
        "sms.delivery_report",
        "airtime.status",
        "sim_swap.status",
        "sms.subscription",
        "ussd.session_end",
    ):
        for text in SCRIPTS[:12]:
            sample = running.api("GET", "/callbacks", kind=kind, limit=1)
            names = sample[0]["fields"] if sample else SAMPLES[kind]
            running.receive(kind, {name: f"{text}{kind}" if isinstance(value, str) else value for name, value in names.items()})
    recording = {
        "sessionId": "ATVId_evil",
        "phoneNumber": YOU,
        "recordingUrl": "javascript:window.pwned=1",
        "duration": "1",
        "status": "completed",
    }
    running.receive("voice.recording", recording)
    for text in (one for one in SCRIPTS[:8]):
        running.control.text(ME, "12345", text)
        running.invoke("sms.bulk", ME, message=text, reference=text, again="1")
        running.api(
            "POST",
            "/campaigns",
            {"name": text, "channel": "sms", "message": f"{text} {{name}}", "recipients": [{"phone": "+254711000031", "name": text}]},
        )
    for text in ("<script>window.pwned=1</script>", "'onmouseover=window.pwned=1", HUGE[:200]):
        running.api("POST", "/webhooks", {"url": f"{running.receiver.url}/{text}?q={text}", "events": ["*"], "active": False})
    return held


SAMPLES: dict[str, dict[str, Any]] = {
    "voice.recording": {"sessionId": "x", "phoneNumber": "x", "recordingUrl": "x", "duration": "x", "status": "x"},
    "sms.subscription": {"phoneNumber": "x", "shortCode": "x", "keyword": "x", "updateType": "x"},
    "ussd.session_end": {"sessionId": "x", "serviceCode": "x", "phoneNumber": "x", "status": "x", "input": "x", "lastAppResponse": "x", "errorMessage": "x"},
    "voice.event": {"sessionId": "x", "callerNumber": "x", "destinationNumber": "x", "isActive": "0", "hangupCause": "x", "recordingUrl": "x"},
}  # fmt: skip


class Map:
    """Which addresses are pages, as the application has them."""

    def __init__(self) -> None:
        self.app = create_app(Settings(secret_key="test"))
        self.rules = self.app.url_map.bind("127.0.0.1")

    def endpoint(self, path: str) -> str | None:
        """Return the name of the page at a path, None for what is none."""
        try:
            name, _ = self.rules.match(path, "GET")
        except (HTTPException, RequestRedirect):
            return None
        return str(name) if name.startswith("pages.") and name not in NOT_PAGES else None

    def without_arguments(self) -> list[str]:
        """Return every page that needs nothing to be opened."""
        rules = [rule for rule in self.app.url_map.iter_rules() if not rule.arguments and "GET" in (rule.methods or ())]
        return sorted(rule.rule for rule in rules if self.endpoint(rule.rule))


def find_pages(url: str) -> list[str]:
    """Return addresses of pages: of each sort some, as links lead to them."""
    where, found, seen = Map(), [], dict[Any, int]()
    waiting = where.without_arguments()
    known = set(waiting)
    with requests.Session() as session:
        session.trust_env = False
        while waiting:
            path = waiting.pop(0)
            parts = urlsplit(path)
            names = tuple(
                sorted((name, value if name in ("tab", "by", "looks") else "") for name, value in parse_qsl(parts.query) if name != "sel")
            )
            sort = (where.endpoint(parts.path), names)
            seen[sort] = seen.get(sort, 0) + 1
            if seen[sort] > (ALIKE if not names else 1):
                continue
            answer = session.get(url + path, timeout=20)
            assert answer.status_code == 200, (path, answer.status_code, answer.text[-600:])
            # Parts of pages, and copies of callbacks, are none.
            if answer.text.lstrip().startswith("<!doctype html"):
                found.append(path)
                links = [unescape(link) for link in re.findall(r'<a [^>]*?href="(/[^"#]*)', answer.text)]
                fresh = [link for link in dict.fromkeys(links) if link not in known and where.endpoint(urlsplit(link).path)]
                known |= set(fresh)
                waiting += fresh
    return found


@pytest.fixture(scope="module")
def full(running: Running) -> Iterator[list[str]]:
    """The pages of a Pokea with data of all sorts."""
    running.fill()
    held = attack(running)
    wait_until(lambda: len(running.api("GET", "/messages", limit=5)) == 5, 15, "the ledger")
    yield [*find_pages(running.url), f"/dashboard?sel={held[-1]}", *(f"/dashboard/callbacks/{one}" for one in held)]


OVER = "document.documentElement.scrollWidth - innerWidth"
TOO_WIDE = """[...document.querySelectorAll('body *')].filter(one => one.getBoundingClientRect().right > innerWidth && !one.closest('.scroll, pre'))
    .slice(-2).map(one => one.outerHTML.slice(0, 200)).join(' | ')"""
# What colours and room decide, once more where both are others.
OF_LOOKS = ["color-contrast", "link-in-text-block", "scrollable-region-focusable"]
VIOLATIONS = "rules => axe.run({resultTypes: ['violations'], preload: false, ...(rules.length ? {runOnly: rules} : {})}).then(found => found.violations.map(one => one.id + ' ' + one.nodes.slice(0, 3).map(node => node.html).join(' | ')))"


def look(watched: Watched, path: str, axe: str) -> list[str]:
    """Open a page, look at it small and wide, light and dark, and return what is wrong."""
    page, wrong = watched.page, []
    page.set_viewport_size({"width": 1280, "height": 900})
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    watched.open(path)
    page.evaluate(axe)
    looks = [(1280, "light", False), (360, "dark", False), *([(360, "light", True), (1280, "dark", True)] if path == "/dashboard" else [])]
    for width, scheme, keys in looks:
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        if keys and not page.locator("#keys").is_visible():
            page.keyboard.press("?")
        if page.evaluate(OVER) > 0:
            wrong.append(f"{path} is wider than {width}: {page.evaluate(TOO_WIDE)}")
        wrong += [f"{path} at {width} {scheme}: {one}" for one in page.evaluate(VIOLATIONS, OF_LOOKS if width == 360 else [])]
    return wrong


def test_every_page_fits_is_quiet_and_can_be_used_by_all(open_as: Callable[..., Watched], full: list[str], axe: str) -> None:
    watched = open_as()
    # Of each sort one: the others differ in their texts alone.
    where = Map()
    sorts = {(where.endpoint(urlsplit(path).path), tuple(dict(parse_qsl(urlsplit(path).query)))): path for path in reversed(full)}
    wrong = [one for path in sorts.values() for one in look(watched, path, axe)]
    assert len(full) > 15, full
    assert wrong == [], "\n".join(wrong)


def test_every_page_without_data_too(browser: Browser, empty: str, axe: str) -> None:
    watched = Watched(browser, empty)
    wrong = [one for path in find_pages(empty) for one in look(watched, path, axe)]
    assert wrong == [], "\n".join(wrong)
    watched.close()


def test_what_people_write_stays_text(open_as: Callable[..., Watched], full: list[str]) -> None:
    watched = open_as()
    page = watched.page
    page.on("dialog", lambda dialog: watched.said.append(f"a dialog at {page.url}") or dialog.dismiss())
    page.add_init_script("addEventListener('securitypolicyviolation', (event) => console.error('refused', event.violatedDirective))")
    odd = "[...document.querySelectorAll('*')].filter(one => [...one.attributes].some(at => /^on|^style$/.test(at.name) || /^(href|src|action)$/.test(at.name) && /^(javascript|data|vbscript):/i.test(at.value.trim()))).map(one => one.outerHTML.slice(0, 200))"
    for path in full:
        watched.open(path)
        # Whatever waits for a pointer or a focus gets it.
        page.evaluate("document.querySelectorAll('main *').forEach(one => one.dispatchEvent(new Event('mouseover', {bubbles: true})))")
        assert page.evaluate(
            "window.pwned === undefined && !document.querySelector('main script, iframe, object, base, main style, main img')"
        ), path
        assert page.evaluate(odd) == [], path
    # In parts that are fetched into a page, as well.
    page = watched.open("/dashboard?kind=sms.incoming_message")
    for _ in range(12):
        page.keyboard.press("j")
        page.wait_for_load_state("networkidle")
    assert page.evaluate("window.pwned === undefined && !document.querySelector('#detail script, #detail img, #detail style')")


def transferred(session: requests.Session, url: str) -> int:
    """Return the bytes that an answer takes on the wire."""
    answer = session.get(url, headers={"Accept-Encoding": "gzip"}, timeout=20, stream=True)
    head = sum(len(name) + len(value) + 4 for name, value in answer.headers.items()) + 20
    return head + len(answer.raw.read(decode_content=False))


def test_every_page_is_light(running: Running, full: list[str]) -> None:
    with requests.Session() as session:
        session.trust_env = False
        files: dict[str, int] = {}
        for path in full:
            page = session.get(running.url + path, timeout=20).text
            needed = [unescape(link) for link in re.findall(r'(?:src|<link [^>]*href)="(/static/[^"]+)"', page)]
            assert len(needed) >= 3
            files |= {link: transferred(session, running.url + link) for link in needed if link not in files}
            total = transferred(session, running.url + path) + sum(files[link] for link in needed)
            assert total < MOST_BYTES, (path, total)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_door_can_be_used_by_all(open_as: Callable[..., Watched], axe: str, scheme: Any) -> None:
    watched = open_as(extra_http_headers=TUNNEL, width=360, color_scheme=scheme)
    page = watched.open("/login?next=/docs")
    page.evaluate(axe)
    assert page.evaluate(VIOLATIONS, []) == []
    assert page.evaluate(OVER) <= 0
    page.get_by_label("Password, or a code").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/docs")
