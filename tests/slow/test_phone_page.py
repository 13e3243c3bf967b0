"""The phones in a real browser: Debian's Chromium, against Pokea and the emulator as two programs."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Locator, Page, expect

from tests.slow.test_emulated import Both
from tests.slow.test_emulated import both as both  # noqa: PLC0414 - a fixture

pytestmark = pytest.mark.slow
ME, YOU = "+254711000000", "+254711000018"
SURVEY = "+254711082001"


class Watched:
    """A page whose console must stay empty, and which must ask nobody but the emulator."""

    def __init__(self, browser: Browser, both: Both, width: int = 1280) -> None:
        self.context = browser.new_context(viewport={"width": width, "height": 900}, reduced_motion="reduce")
        self.page = self.context.new_page()
        self.said: list[str] = []
        self.strangers: list[str] = []
        self.url = both.control.url
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.note(request.url))

    def note(self, url: str) -> None:
        """Note an address that is asked."""
        if not url.startswith((self.url, "blob:", "data:")):
            self.strangers.append(url)

    def open(self, *numbers: str) -> Page:
        """Open the page with these phones."""
        query = "&".join(f"phone={number}" for number in numbers)
        self.page.goto(f"{self.url}/?{query}")
        return self.page

    def phone(self, number: str) -> Locator:
        """One phone on it."""
        return self.page.locator(f'section.phone[data-number="{number}"]')


@pytest.fixture
def watched(browser: Browser, both: Both) -> Iterator[Watched]:
    watched = Watched(browser, both)
    yield watched
    # What fails inside of its polling is told there, not in the console.
    assert watched.page.locator("#stale").is_hidden()
    watched.context.close()
    assert watched.said == []
    assert watched.strangers == []


def press(phone: Locator, keys: str) -> None:
    for key in keys:
        phone.locator(f'[data-key="{key}"]').click()


def test_a_person_reaches_the_account_number(watched: Watched, both: Both) -> None:
    watched.open(ME)
    phone = watched.phone(ME)
    expect(phone.locator('[data-part="code"]')).to_have_value("*384*1234#")
    phone.locator('[data-act="dial"]').click()
    expect(phone.locator('[data-part="ussd-screen"]')).to_contain_text("1. My Account")
    phone.locator('[data-part="ussd-input"]').fill("1")
    phone.locator('[data-act="send"]').click()
    expect(phone.locator('[data-part="ussd-screen"]')).to_contain_text("1. Account number")
    phone.locator('[data-part="ussd-input"]').fill("1")
    phone.locator('[data-part="ussd-input"]').press("Enter")
    expect(phone.locator('[data-part="ussd-screen"]')).to_have_text(re.compile("Your account number is ACC1001"))
    expect(watched.page.locator("#line-list")).to_contain_text("END Your account number is ACC1001")
    end = both.wait_for("ussd.session_end")[0]["fields"]
    assert (end["status"], end["hopsCount"], end["input"]) == ("Success", "3", "1*1")


def test_a_message_of_an_invoke_link_is_on_the_phone_and_its_report_in_the_list(watched: Watched, both: Both) -> None:
    watched.open(ME)
    # Opened as a person does, in the address bar.
    other = watched.context.new_page()
    other.goto(f"{both.web.url}/api/sms/invoke-bulk-sms?phone=254711000000&message=Habari+%3Cb%3E")
    assert "SMS sent to +254711000000" in other.inner_text("body")
    other.close()
    phone = watched.phone(ME)
    expect(watched.page).to_have_title(re.compile(r"^\(1\) "), timeout=5000)
    phone.locator('[data-act="sms"]').click()
    expect(phone.locator('[data-part="messages"]')).to_contain_text("Habari <b>")
    report = both.wait_for("sms.delivery_report")[0]
    assert report["fields"]["status"] == "Success"
    listed = both.web.flask("callbacks", "list")
    assert re.search(r"sms\.delivery_report +\+254711000000 +accepted", listed)


def test_a_message_from_the_phone_reaches_pokea(watched: Watched, both: Both) -> None:
    watched.open(ME)
    phone = watched.phone(ME)
    phone.locator('[data-act="sms"]').click()
    expect(phone.locator('[data-part="sms-to"]')).to_have_value("12345")
    phone.locator('[data-part="sms-text"]').fill("Naomba msaada")
    phone.locator('[data-act="send"]').click()
    expect(phone.locator('[data-part="messages"]')).to_contain_text("Naomba msaada")
    assert both.wait_for("sms.incoming_message")[0]["fields"]["text"] == "Naomba msaada"


def test_a_call_asks_records_and_is_told_with_duration_and_amount(watched: Watched, both: Both) -> None:
    both.control.settings(speech_chars_per_s=200)
    watched.open(ME)
    phone = watched.phone(ME)
    phone.locator('[data-part="call-to"]').fill(SURVEY)
    phone.locator('[data-act="call"]').click()
    expect(phone.locator('[data-part="heard"]')).to_contain_text("Press 1 for good, 2 for bad.")
    press(phone, "1")
    expect(phone.locator('[data-part="heard"]')).to_contain_text("[beep]")
    phone.locator('[data-part="record-s"]').fill("4")
    phone.locator('[data-act="record"]').click()
    expect(phone.locator('[data-part="heard"]')).to_contain_text("Thank you for your comment. Goodbye.")
    expect(phone.locator('[data-part="call-end"]')).to_contain_text("KES 2")
    sound = phone.locator("audio").get_attribute("src")
    played = watched.page.request.get(watched.url + sound if str(sound).startswith("/") else str(sound))
    assert played.headers["content-type"] == "audio/wav"
    end = both.wait_for("voice.event")[0]["fields"]
    assert int(end["durationInSeconds"]) >= 4
    assert (end["amount"], end["currencyCode"], end["isActive"]) == ("2.00", "KES", "0")
    assert both.kept("voice.instructions")[1]["fields"]["dtmfDigits"] == "1"


DIAL = """
from services.calls import CallFlow, CallStep
from services.voice_xml import dial, get_digits, record, say

desk = CallFlow(start="ask")

@desk.step
def ask(call):
    return get_digits(say("Press 7"), num_digits=1, callback_url=call.url_of("speak"))

@desk.step
def speak(call):
    return record(say("Speak"), max_length_s=9, callback_url=call.url_of("connect"))

@desk.step
def connect(call):
    return dial(["+254711000018"])
"""


@pytest.fixture
def desk(both: Both, tmp_path: Path) -> Iterator[str]:
    """An own voice program, served by a second Pokea whose flows are a developer's: asks, records, and dials the second phone."""
    import shutil

    from tests.running import ROOT, Web, free_port

    copy = tmp_path / "theirs"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".venv*", ".git", "instance", "__pycache__", "tests"))
    (copy / "flows/desk.py").write_text(DIAL)
    table = copy / "flows/__init__.py"
    text = table.read_text().replace("from services.apps", "from flows.desk import desk\nfrom services.apps")
    table.write_text(text.replace('"+254711082001": survey', '"+254711082002": desk'))
    web = Web(tmp_path, f"sqlite:///{tmp_path / 'theirs.db'}", root=copy, RATELIMIT_ENABLED="0")
    web.port = free_port()
    web.url = f"http://127.0.0.1:{web.port}"
    web.migrate()
    with web:
        both.control.settings(app_url=web.url)
        both.web = web
        yield "+254711082002"


def test_a_call_asks_records_and_dials_the_second_phone(watched: Watched, both: Both, desk: str) -> None:
    both.control.settings(speech_chars_per_s=200)
    watched.open(ME, YOU)
    mine, yours = watched.phone(ME), watched.phone(YOU)
    mine.locator('[data-part="call-to"]').fill(desk)
    mine.locator('[data-act="call"]').click()
    expect(mine.locator('[data-part="heard"]')).to_contain_text("Press 7")
    press(mine, "7")
    expect(mine.locator('[data-part="heard"]')).to_contain_text("Speak")
    mine.locator('[data-act="record"]').click()
    yours.locator('[data-act="answer"]').click(timeout=10_000)
    expect(mine.locator('[data-part="heard"]')).to_contain_text(f"[connected to {YOU}]")
    yours.locator('[data-act="hangup"]').click()
    expect(mine.locator('[data-part="call-end"]')).to_contain_text("KES 2")
    end = both.wait_for("voice.event")[0]["fields"]
    assert end["dialDestinationNumber"] == YOU
    assert int(end["durationInSeconds"]) > 0
    assert end["amount"] == "2.00"
    assert end["recordingUrl"].endswith(".wav")


def test_an_incoming_call_rings_and_can_be_rejected(watched: Watched, both: Both) -> None:
    watched.open(ME)
    both.invoke("voice.call")
    phone = watched.phone(ME)
    phone.locator('[data-act="reject"]').click(timeout=5000)
    end = both.wait_for("voice.event")[0]["fields"]
    assert (end["hangupCause"], end["durationInSeconds"], end["status"]) == ("CALL_REJECTED", "0", "Aborted")


def test_a_sim_swap_check_is_answered_by_its_callback(watched: Watched, both: Both) -> None:
    watched.open("+254711000007")
    asked = both.invoke("sim_swap.check", "+254711000007").json()
    told = both.wait_for("sim_swap.status")[0]["fields"]
    assert told["requestId"] == asked["response"]["responses"][0]["requestId"]
    assert told["lastSimSwapDate"] != "01-01-1900"
    expect(watched.page.locator("#line-list")).to_contain_text("/api/sim-swap/status")


def test_airtime_is_validated_sent_and_confirmed(watched: Watched, both: Both) -> None:
    watched.open(ME)
    both.invoke("airtime.send")
    assert both.wait_for("airtime.status")[0]["fields"]["status"] == "Success"
    assert both.kept("airtime.validation")[0]["fields"]["phoneNumber"] == ME
    expect(watched.phone(ME)).to_contain_text("KES 10")
    lines = watched.page.locator("#line-list")
    expect(lines).to_contain_text("/api/airtime/validation")
    expect(lines).to_contain_text("/api/airtime/status")


def test_a_payment_is_confirmed_on_the_phone(watched: Watched, both: Both) -> None:
    watched.open(ME)
    both.invoke("payments.checkout")
    phone = watched.phone(ME)
    phone.locator('[data-act="pay"]').click(timeout=5000)
    assert both.wait_for("payments.notification")[0]["fields"]["status"] == "Success"


def test_a_fault_is_switched_on_shown_and_off_again(watched: Watched, both: Both) -> None:
    watched.open(ME)
    page = watched.page
    expect(page.locator("#faults-banner")).to_be_hidden()
    page.locator("#faults summary").click()
    page.locator('[data-fault="dropped"] input').check()
    expect(page.locator("#faults-banner")).to_contain_text("dropped")
    assert both.control.faults()["on"] == ["dropped"]
    page.locator('[data-act="faults-off"]').click()
    expect(page.locator("#faults-banner")).to_be_hidden()
    assert both.control.faults()["on"] == []


def test_it_says_so_when_the_emulator_is_gone(browser: Browser, both: Both) -> None:
    watched = Watched(browser, both)
    page = watched.open(ME)
    expect(page.locator("#live")).to_have_attribute("data-state", "ok")
    page.context.set_offline(True)
    expect(page.locator("#stale")).to_be_visible(timeout=15_000)
    expect(page.locator("#live")).to_have_attribute("data-state", "bad")
    page.context.set_offline(False)
    expect(page.locator("#live")).to_have_attribute("data-state", "ok", timeout=15_000)
    watched.context.close()


HOSTILE = [
    "Hello\nstatus\nto",
    '<img src=x onerror="console.log(1)">',
    "<script>console.log(2)</script>",
    "\"'><svg/onload=console.log(3)>",
    "{{7*7}}",
    "javascript:alert(4)",
]


def test_hostile_texts_stay_texts(watched: Watched, both: Both) -> None:
    watched.open(ME)
    phone = watched.phone(ME)
    for text in HOSTILE:
        order = {"phone": ME, "message": text}
        assert requests.get(f"{both.web.url}/api/sms/invoke-bulk-sms", params=order, timeout=20).status_code == 200
    phone.locator('[data-act="sms"]').click()
    for text in HOSTILE:
        expect(phone.locator('[data-part="messages"]')).to_contain_text(text)
    assert watched.page.locator('[data-part="messages"] img, [data-part="messages"] script, #line-list img').count() == 0


@pytest.mark.parametrize("width", [360, 1280])
def test_nothing_is_wider_than_the_screen(browser: Browser, both: Both, width: int) -> None:
    watched = Watched(browser, both, width)
    page = watched.open(ME, YOU)
    for act in ("dial", "sms", "call"):
        watched.phone(ME).locator(f'[data-act="{act}"]').click()
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    watched.context.close()
    assert watched.said == []


def test_it_works_by_keyboard_alone(watched: Watched, both: Both) -> None:
    watched.open(ME)
    phone = watched.phone(ME)
    phone.locator('[data-act="dial"]').focus()
    watched.page.keyboard.press("Enter")
    expect(phone.locator('[data-part="ussd-input"]')).to_be_focused()
    watched.page.keyboard.type("2")
    watched.page.keyboard.press("Enter")
    expect(phone.locator('[data-part="ussd-screen"]')).to_contain_text("Your phone number is +254711000000")
