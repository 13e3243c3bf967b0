"""What people do on the other pages, in a real browser: webhooks, campaigns, messages, money, setup; with scripts and without."""

import re
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect

from app.schemas.callbacks import KINDS
from tests.receiving import Answer
from tests.running import wait_until
from tests.slow.dashboard import ME, PASSWORD, TUNNEL, Running, Watched, follow
from tests.slow.dashboard import open_as as open_as  # noqa: PLC0414 - fixtures
from tests.slow.dashboard import running as running  # noqa: PLC0414
from tests.slow.dashboard import watched as watched  # noqa: PLC0414

pytestmark = pytest.mark.slow
Open = Callable[..., Watched]
# A person without scripts is one whose browser has them turned off.
SCRIPTS = pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
SECRET = re.compile(r"whsec_[A-Za-z0-9+/=]{30,}")


def press(page: Page, name: str) -> None:
    """Press a button, say yes where it asks, and wait for the page that follows."""
    page.once("dialog", lambda dialog: dialog.accept())
    follow(page.get_by_role("button", name=name, exact=True))


def sent_here(running: Running, path: str) -> list[str]:
    """Return the ids of the webhooks that came to one path of the receiver."""
    return [came.headers["webhook-id"] for came in running.receiver.came if came.path == path]


@SCRIPTS
def test_an_endpoint_is_added_fails_is_mended_and_its_secret_rotated(open_as: Open, running: Running, scripts: bool) -> None:
    path = f"/work-{scripts}"
    page = open_as(java_script_enabled=scripts).open("/dashboard/webhooks")
    page.get_by_label("Address that webhooks are posted to").fill(running.receiver.url + path)
    page.get_by_label("sms.*").check()
    follow(page.get_by_role("button", name="Add endpoint"))
    first = SECRET.search(page.inner_text("main"))
    assert first
    follow(page.get_by_role("link", name="I have kept it: go on"))
    settings = page.url
    assert not SECRET.search(page.content())
    # A phone's message becomes a webhook that the receiver refuses.
    running.control.text(ME, "12345", f"to be told, {scripts}")
    wait_until(lambda: len(sent_here(running, path)) >= 1, 15, "the first try")
    page.goto(f"{settings}/deliveries")
    wait_until(lambda: bool(page.reload()) and "500" in page.inner_text("main"), 10, "the refusal on the page")
    usual, running.receiver.answer = running.receiver.answer, lambda came: Answer(200) if came.path == path else usual(came)
    follow(page.get_by_role("link", name=re.compile("sms.incoming_message")).first)
    expect(page.locator("main")).to_contain_text("500")
    press(page, "Resend now")
    wait_until(lambda: bool(page.reload()) and "delivered" in page.inner_text("main"), 15, "the delivery")
    ids = sent_here(running, path)
    assert len(set(ids)) < len(ids)
    page.goto(settings)
    press(page, "Rotate the secret")
    expect(page.get_by_role("heading", name="New secret")).to_be_visible()
    second = SECRET.search(page.inner_text("main"))
    assert second
    assert second[0] != first[0]
    running.receiver.answer = usual


@SCRIPTS
def test_a_campaign_is_previewed_started_paused_and_resumed(open_as: Open, running: Running, scripts: bool) -> None:
    page = open_as(java_script_enabled=scripts).open("/dashboard/campaigns/new")
    page.get_by_label("Name", exact=True).fill(f"Work {scripts}")
    page.get_by_label("Message, with {columns} of the list in braces").fill("Hi {name}")
    rows = "\n".join(f"+2547110000{number},Person {number}" for number in range(40, 60))
    page.get_by_label(re.compile("^Recipients: one number a line")).fill(f"phone,name\n{rows}")
    page.get_by_label("Recipients a second").fill("1")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("main")).to_contain_text("Hi Person 40")
    press(page, "Start: send to 20")
    press(page, "Pause")
    expect(page.locator("#progress")).to_contain_text("paused")
    own = page.url.rpartition("/")[2].partition("#")[0]
    taken = running.api("GET", f"/campaigns/{own}")["totals"]["accepted"]
    assert taken < 20
    press(page, "Resume")
    expect(page.locator("#progress")).to_contain_text("running")
    wait_until(lambda: running.api("GET", f"/campaigns/{own}")["totals"]["accepted"] > taken, 15, "more of them")
    if scripts:  # it moves by itself
        shown = page.locator("#progress progress").get_attribute("value")
        expect(page.locator("#progress progress")).not_to_have_attribute("value", str(shown), timeout=10_000)
    press(page, "Pause")


@SCRIPTS
def test_a_message_is_previewed_sent_and_followed_to_its_report(open_as: Open, running: Running, scripts: bool) -> None:
    page = open_as(java_script_enabled=scripts).open("/dashboard/messages/new")
    page.get_by_label("To", exact=True).fill("254711000021")
    page.get_by_label("Message", exact=True).fill(f"Habari, {scripts}")
    page.get_by_role("button", name="Preview").click()
    expect(page.locator("main")).to_contain_text("1 part")
    before = len(running.control.messages("+254711000021"))
    page.get_by_role("button", name=re.compile("^Send")).last.click()
    expect(page.locator(".bubble.ours").last).to_contain_text(f"Habari, {scripts}")
    assert len(running.control.messages("+254711000021")) == before + 1
    running.control.clock(advance=20)
    wait_until(lambda: bool(page.reload()) and "delivered" in page.locator(".bubble.ours").last.inner_text(), 15, "the report")


@SCRIPTS
def test_all_sending_is_stopped_and_allowed_again(open_as: Open, running: Running, scripts: bool) -> None:
    page = open_as(java_script_enabled=scripts).open("/dashboard/money")
    press(page, "Stop all sending")
    expect(page.locator("#alerts")).to_contain_text("Sending is stopped")
    answer = running.session.get(f"{running.url}/api/sms/invoke-bulk-sms?phone={ME}&message=stopped", timeout=10)
    assert (answer.status_code, "nothing was sent" in answer.text) == (503, True)
    press(page, "Allow sending again")
    expect(page.locator("#alerts")).not_to_contain_text("Sending is stopped")
    allowed = running.invoke("sms.bulk", "+254711000024", again="1")
    assert allowed.get("invocation", allowed)["state"] == "accepted"


def test_a_tick_turns_by_itself_when_a_sample_and_then_the_first_callback_comes(watched: Watched, running: Running) -> None:
    page = watched.open("/setup")
    tick = page.locator("[id='tick-sms.subscription']")
    expect(tick).to_contain_text("not seen yet")
    follow(page.locator("tr", has=tick).get_by_role("button", name=re.compile("^Send sample")))
    page.goto(f"{running.url}/setup")
    expect(tick).to_contain_text("our own sample", timeout=15_000)
    fields = KINDS["sms.subscription"].sample | {"phoneNumber": "+254711000022"}
    running.receive("sms.subscription", fields, **{"X-Forwarded-For": "203.0.113.7", "User-Agent": "at"})
    expect(tick).to_contain_text("seen", timeout=15_000)
    expect(tick).not_to_contain_text("our own sample", timeout=15_000)


def sample(page: Page, kind: str) -> Locator:
    """Return the button that sends a sample of a kind."""
    return page.get_by_role("button", name=re.compile(f"^Send this to my app ?: {re.escape(kind)}$"))


def test_samples_of_all_kinds_are_sent_from_the_docs_which_stay_where_they_are(watched: Watched, running: Running) -> None:
    page = watched.open("/docs")
    for kind in KINDS:
        told = page.locator(f"[id='{kind}'] [role=status]")
        sample(page, kind).scroll_into_view_if_needed()
        before = page.evaluate("scrollY")
        sample(page, kind).click()
        expect(told).to_contain_text("answered 200")
        assert (page.url, page.evaluate("scrollY")) == (f"{running.url}/docs", before)
        link = told.get_by_role("link", name=re.compile("^What became of it"))
        assert running.api("GET", f"/callbacks/{link.get_attribute('href').rpartition('/')[2]}")["kind"] == kind
    follow(link)
    expect(page.locator(".whole h2")).to_contain_text(kind)
    page.go_back()
    expect(page).to_have_url(f"{running.url}/docs")


def test_a_sample_is_sent_from_the_docs_without_scripts(open_as: Open, running: Running) -> None:
    page = open_as(java_script_enabled=False).open("/docs")
    sample(page, "sms.subscription").click()
    expect(page.locator("#detail h2")).to_contain_text("sms.subscription")
    expect(page.locator("main > [role=status]")).to_contain_text("answered 200")


def test_the_answer_to_a_sample_arrives(watched: Watched, running: Running) -> None:
    page, number = watched.open("/docs"), "+254711000062"
    section = page.locator("[id='sms.incoming_message']")
    section.get_by_text("Change its fields").click()
    section.get_by_label("Value of from", exact=True).fill(number)
    sample(page, "sms.incoming_message").click()
    expect(section.locator("[role=status]")).to_contain_text("answered 200")
    # Its linkId is invented: an answer that names it is refused.
    wait_until(lambda: len(running.control.messages(number)) == 1, 15, "the answer")
    running.control.clock(advance=20)
    wait_until(lambda: "Success" in [one["state"] for one in running.api("GET", "/messages", phone=number)], 15, "its report")


HIDE = "is => { Object.defineProperty(document, 'hidden', {get: () => is, configurable: true}); document.dispatchEvent(new Event('visibilitychange')) }"


def test_pages_that_nobody_sees_ask_for_nothing_until_they_are_seen(watched: Watched, running: Running) -> None:
    list_of = [{"phone": f"+2547110000{number}"} for number in range(70, 95)]
    made = running.api("POST", "/campaigns", {"name": "Slow", "channel": "sms", "message": "Hi", "recipients": list_of, "rate": 1})
    own = f"/dashboard/campaigns/{made['campaignId']}"
    running.api("POST", f"/campaigns/{made['campaignId']}/start")
    asked: list[str] = []
    polled = {own: [f"{own}/progress", f"{own}/outcomes"], "/setup": ["/setup/ticks", "/setup/check-public"]}
    tabs = [watched.page, watched.context.new_page()]
    for page, path in zip(tabs, polled, strict=True):
        page.on("request", lambda request: asked.append(urlsplit(request.url).path))
        with page.expect_response(f"**{polled[path][0]}*"):
            page.goto(watched.url + path)
        # What came has taken the place of what asked by then.
        page.wait_for_timeout(300)
        page.evaluate(HIDE, True)
    asked.clear()
    # The slowest asks every 10 s.
    page.wait_for_timeout(11_000)
    assert asked == []
    for page in tabs:
        page.evaluate(HIDE, False)
    page.wait_for_timeout(900)
    assert {*asked} >= {"/dashboard/pulse", *(part for parts in polled.values() for part in parts)}


def test_what_nobody_knows_is_settled_by_hand(watched: Watched, running: Running) -> None:
    # No report of it comes, which would settle it.
    running.control.faults(reset=True, report="never")
    state = running.invoke("sms.bulk", "+254711000023", message="lost?")["invocation"]["state"]
    running.control.ask("DELETE", "/faults")
    assert state == "unknown"
    page = watched.open("/dashboard/money/unknown")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Treat as sent").first.click()
    expect(page.locator("main")).to_contain_text("Settled as accepted")


def test_a_session_is_replayed_whole(watched: Watched, running: Running) -> None:
    screen = running.control.dial(ME, "*384*1234#")
    running.control.reply(ME, screen["session"], "2")
    wait_until(lambda: bool(running.api("GET", "/sessions", state="ended")), 15, "the session")
    page = watched.open("/dashboard/sessions")
    follow(page.locator("main tbody a").first)
    expect(page.locator(".bubble").first).to_contain_text("What would you want to check")
    press(page, "Replay whole session without sending")
    expect(page.locator("[role=status]")).to_contain_text("Replayed")
    expect(page.locator("main")).to_contain_text("same")


def test_who_comes_through_a_tunnel_can_work_once_logged_in(open_as: Open, running: Running) -> None:
    page = open_as(extra_http_headers=TUNNEL).open("/dashboard/money")
    page.get_by_label("Password, or a code").fill(PASSWORD)
    follow(page.get_by_role("button", name="Log in"))
    press(page, "Stop all sending")
    expect(page.locator("#alerts")).to_contain_text("Sending is stopped")
    press(page, "Allow sending again")
    expect(page.locator("#alerts")).not_to_contain_text("Sending is stopped")
