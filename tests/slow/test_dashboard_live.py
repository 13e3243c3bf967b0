"""The first page in a real browser: what comes by itself, what a person does with mouse and keys, without scripts, and from elsewhere."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from playwright.sync_api import Page, expect

from tests.running import wait_until
from tests.slow.dashboard import ME, PASSWORD, TUNNEL, YOU, Running, Watched, follow
from tests.slow.dashboard import open_as as open_as  # noqa: PLC0414 - fixtures
from tests.slow.dashboard import running as running  # noqa: PLC0414
from tests.slow.dashboard import watched as watched  # noqa: PLC0414

pytestmark = pytest.mark.slow
Open = Callable[..., Watched]


def line(page: Page, row_id: str) -> str:
    return f"#lines #{row_id}"


def test_a_callback_comes_by_itself(watched: Watched, running: Running) -> None:
    page = watched.open()
    expect(page.locator("#fresh")).to_have_text(re.compile("updated \\d s ago"))
    running.control.text(ME, "12345", "Habari ya asubuhi")
    row_id = running.wait_for("sms.incoming_message")[0]["id"]
    expect(page.locator(line(page, row_id))).to_contain_text("Habari ya asubuhi")
    expect(page).to_have_title("Live · Pokea")


def test_an_order_under_way_ends_on_the_page_too(watched: Watched, running: Running) -> None:
    page = watched.open()
    running.control.faults(slow=2.5)
    with ThreadPoolExecutor(1) as other:
        # The answer of Africa's Talking comes after the line was shown.
        asked = other.submit(running.invoke, "sim_swap.check")
        row = page.locator("#lines .line", has_text="sim_swap.check").first
        expect(row).to_contain_text("pending")
        expect(row).to_contain_text("accepted", timeout=10_000)
        asked.result()
    running.control.ask("DELETE", "/faults")
    expect(page.locator("#lines .line", has_text="sim_swap.check")).to_have_count(1)


def test_what_does_not_fit_the_filter_stays_away(watched: Watched, running: Running) -> None:
    page = watched.open()
    page.get_by_label("type").select_option("sms.*")
    page.get_by_label("phone").fill("0711000018".replace("0711", "254711", 1))
    page.get_by_role("button", name="Filter").click()
    expect(page).to_have_url(re.compile(r"kind=sms\.\*"))
    other, fits = running.message("not for this filter", ME), running.message("for this filter", YOU)
    expect(page.locator(line(page, fits))).to_be_visible()
    assert page.locator(line(page, other)).count() == 0
    # A choice that was not asked for yet changes nothing.
    page.get_by_label("type").select_option("voice.*")
    again = running.message("for this filter too", YOU)
    expect(page.locator(line(page, again))).to_be_visible()
    page.locator("#search").fill("for this FILTER too")
    page.locator("#search").press("Enter")
    # And the reply to it.
    expect(page.locator("#lines .line", has_text="sms.incoming_message")).to_have_count(1)
    page.get_by_role("link", name="clear").click()
    expect(page.locator(line(page, other))).to_be_visible()


def test_a_line_is_selected_and_replayed_by_mouse(watched: Watched, running: Running) -> None:
    row_id = running.message("by mouse")
    page = watched.open()
    page.locator(line(page, row_id)).get_by_text("by mouse").click()
    expect(page.locator("#detail article")).to_have_attribute("data-id", row_id)
    expect(page).to_have_url(re.compile(f"sel={row_id}"))
    page.locator("#detail").get_by_role("button", name=re.compile("^Replay without sending")).click()
    expect(page.locator("#detail")).to_contain_text("The answer is the same as the first time.")
    expect(page.locator("#detail [role=status]")).to_contain_text("Replayed as")
    [replay] = running.api("GET", "/callbacks", kind="sms.incoming_message", limit=1)
    assert replay["replay_of"] == row_id
    # The replay is what is shown now, and what the address names; that it was made is said once.
    expect(page).to_have_url(re.compile(f"sel={replay['id']}"))
    page.locator("#waiting").click()
    expect(page.locator(line(page, replay["id"]))).to_have_attribute("aria-current", "true")
    page.reload()
    expect(page.locator("[role=status]")).to_have_count(0)
    expect(page.locator("#detail article")).to_have_attribute("data-id", replay["id"])


def test_everything_by_keys(watched: Watched, running: Running) -> None:
    older, newer = running.message("by keys, older"), running.message("by keys, newer")
    page = watched.open("/dashboard?kind=sms.incoming_message")
    keys, detail = page.keyboard, page.locator("#detail article")
    keys.press("j")
    expect(detail).to_have_attribute("data-id", newer)
    expect(page.locator(line(page, newer))).to_have_attribute("aria-current", "true")
    expect(page.locator(f"{line(page, newer)} a")).to_be_focused()
    keys.press("j")
    expect(detail).to_have_attribute("data-id", older)
    keys.press("k")
    keys.press("k")
    expect(detail).to_have_attribute("data-id", newer)
    keys.press("b")
    expect(page.locator("#detail").get_by_role("button", name="Unpin")).to_be_visible()
    keys.press("r")
    expect(page.locator("#detail")).to_contain_text("The answer is the same as the first time.")
    keys.press("k")
    expect(detail).to_have_attribute("data-id", newer)
    keys.press("e")
    value = page.get_by_label("Value of text", exact=True)
    expect(value).to_have_value("by keys, newer")
    value.fill("edited")
    # Letters are for the field now.
    value.press_sequentially(" jk")
    expect(value).to_have_value("edited jk")
    page.locator("#detail form").first.get_by_role("button", name="Replay").click()
    expect(page.locator("#detail")).to_contain_text("Replayed as")
    assert running.api("GET", "/callbacks", kind="sms.incoming_message", limit=1)[0]["fields"]["text"] == "edited jk"
    keys.press("Escape")
    expect(page.locator("#detail")).to_have_text("Select a line to see it whole.")
    assert "sel=" not in page.url
    keys.press("/")
    expect(page.locator("#search")).to_be_focused()
    keys.press("Escape")
    keys.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    keys.press("Escape")
    expect(page.get_by_role("dialog", name="Keys")).to_be_hidden()
    keys.press("j")
    keys.press("Enter")
    expect(page).to_have_url(re.compile("/dashboard/callbacks/cb_"))
    keys.press("g")
    keys.press("e")
    expect(page).to_have_url(re.compile("/dashboard$"))


def test_a_callback_is_copied(open_as: Open, running: Running) -> None:
    row_id = running.message("to be copied 'here'")
    one = open_as(permissions=["clipboard-read", "clipboard-write"])
    page = one.open(f"/dashboard?sel={row_id}")
    expect(page.locator("#detail article")).to_be_visible()
    page.keyboard.press("c")
    expect(page.locator("#said")).to_have_text("Copied")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("curl ")
    assert "to+be+copied" in copied


def test_the_list_stands_still_for_who_reads(watched: Watched, running: Running) -> None:
    first = running.message("the first")
    # Without the replies that follow.
    page = watched.open("/dashboard?kind=sms.incoming_message")
    pill, follow = page.locator("#waiting"), page.locator('[data-do="follow"]')
    expect(pill).to_be_hidden()
    expect(follow).to_have_text("Following")
    page.locator(line(page, first)).get_by_text("the first").click()
    expect(follow).to_have_text("Follow")
    shown = watched.lines()
    three = [running.message(f"while reading {n}") for n in range(3)]
    expect(pill).to_have_text("3 new ↑")
    expect(page).to_have_title("(3) Live · Pokea")
    assert watched.lines() == shown
    four = running.message("one more")
    expect(pill).to_have_text("4 new ↑")
    expect(page).to_have_title("(4) Live · Pokea")
    pill.click()
    expect(pill).to_be_hidden()
    expect(page).to_have_title("Live · Pokea")
    assert watched.lines()[:5] == [four, *three[::-1], first]
    # p pauses and follows too, and whoever scrolls away is left where he is.
    page.keyboard.press("p")
    expect(follow).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("p")
    expect(follow).to_have_attribute("aria-pressed", "true")
    page.set_viewport_size({"width": 1280, "height": 300})
    page.mouse.wheel(0, 400)
    expect(follow).to_have_attribute("aria-pressed", "false")
    assert len(set(watched.lines())) == len(watched.lines())


def test_a_burst_leaves_neither_gap_nor_double(watched: Watched, running: Running) -> None:
    page = watched.open("/dashboard?kind=sms.opt_out")
    sent = [running.receive("sms.opt_out", {"senderId": "1", "phoneNumber": f"+2547110{n:05}"}) for n in range(230)]
    expect(page.locator(line(page, sent[-1]))).to_be_visible()
    wait_until(lambda: watched.lines() == sent[::-1][:100], 10, "the newest hundred")
    # What fell off is on the next page.
    page.locator(".older a").click()
    expect(page.locator("#lines .line")).to_have_count(50)
    assert watched.lines() == sent[129:79:-1]


def test_it_says_so_when_nobody_answers(open_as: Open) -> None:
    one = open_as()
    page = one.open()
    fresh = page.locator("#fresh")
    expect(fresh).to_have_text(re.compile("^updated [0-3] s ago"))
    # The list fails, and all else answers.
    page.route("**/dashboard/new*", lambda route: route.fulfill(status=503, body="no"))
    page.clock.install()
    page.clock.fast_forward(11_000)
    page.clock.resume()
    expect(fresh).to_have_text(re.compile("^not updating: last 1\\d s ago"))
    expect(fresh).to_have_class("stale")
    page.unroute("**/dashboard/new*")
    expect(fresh).to_have_text(re.compile("^updated [0-3] s ago"))
    assert all("503" in said or "/dashboard/new" in said for said in one.said)
    one.said.clear()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no scripts"])
def test_filters_are_folded_where_there_is_no_room_for_them(open_as: Open, running: Running, scripts: bool) -> None:
    running.message("seen at once")
    page = open_as(java_script_enabled=scripts, width=360).open("/dashboard?kind=sms.incoming_message&since=24h")
    fold, kind = page.get_by_text("Filters (2 on)", exact=True), page.get_by_label("type")
    expect(kind).to_be_hidden()
    assert page.locator("#lines .line").first.bounding_box()["y"] < 200
    if scripts:
        page.keyboard.press("/")
        expect(page.locator("#search")).to_be_focused()
        page.keyboard.press("Escape")
    fold.focus()
    page.keyboard.press("Enter")
    expect(kind).to_be_visible()
    page.get_by_label("since").select_option("")
    page.get_by_role("button", name="Filter", exact=True).click()
    expect(page.get_by_text("Filters (1 on)", exact=True)).to_be_visible()
    expect(kind).to_be_hidden()
    page.set_viewport_size({"width": 1280, "height": 900})
    expect(kind).to_be_visible()
    expect(page.locator(".fold summary")).to_be_hidden()


def test_times_and_theme_are_as_a_person_likes(open_as: Open, running: Running) -> None:
    row_id = running.message("what time is it")
    one = open_as(timezone_id="Africa/Nairobi", color_scheme="light")
    page = one.open(f"/dashboard?sel={row_id}")
    time = page.locator(f"{line(page, row_id)} time")
    utc = time.inner_text()
    zone = page.locator('[data-do="zone"]')
    expect(zone).to_have_text("Times: UTC")
    zone.click()
    expect(zone).to_have_text("Times: local")
    assert int(time.inner_text()[:2]) == (int(utc[:2]) + 3) % 24
    assert time.inner_text()[2:] == utc[2:]
    expect(page.locator("#detail header")).to_contain_text(" local")
    expect(page.locator("#detail header")).not_to_contain_text(" UTC")
    page.locator('[data-do="theme"]').click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    # Both are remembered, the theme from the first byte on.
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(zone).to_have_text("Times: local")
    zone.click()
    assert time.inner_text() == utc
    expect(page.locator("#detail header")).to_contain_text(" UTC")


def test_without_scripts_everything_is_links_and_forms(open_as: Open, running: Running) -> None:
    row_id = running.message("without scripts")
    one = open_as(java_script_enabled=False)
    page = one.open()
    page.get_by_label("type").select_option("sms.incoming_message")
    follow(page.get_by_role("button", name="Filter"))
    assert "kind=sms.incoming_message" in page.url
    follow(page.locator(f"{line(page, row_id)} a"))
    assert page.locator("#detail article").get_attribute("data-id") == row_id
    follow(page.locator("#detail").get_by_role("button", name=re.compile("^Replay without sending")))
    assert page.locator("[role=status]").inner_text().startswith("Replayed as")
    one.open(f"/dashboard/callbacks/{row_id}")
    follow(page.get_by_role("button", name="Pin"))
    assert page.get_by_role("button", name="Unpin").is_visible()
    follow(page.get_by_role("link", name="Edit & replay"))
    page.get_by_label("Value of text", exact=True).fill("changed without scripts")
    follow(page.get_by_role("button", name="Replay").first)
    assert "Replayed as" in page.locator("[role=status]").inner_text()
    # Nothing is shown that only scripts would do.
    assert page.locator("[data-do]:visible, [data-copy]:visible").count() == 0


def test_who_comes_through_a_tunnel_logs_in(open_as: Open, running: Running) -> None:
    link = running.web.flask("login-link").strip()
    code = link.partition("code=")[2]
    for secret, opens in (("guess", False), (code, True), (code, False), (PASSWORD, True), (PASSWORD + "x", False)):
        one = open_as(extra_http_headers=TUNNEL)
        page = one.open("/dashboard?kind=sms.*")
        expect(page).to_have_title("Log in · Pokea")
        page.get_by_label("Password, or a code").fill(secret)
        page.get_by_role("button", name="Log in").click()
        if not opens:
            expect(page.get_by_role("alert")).to_contain_text("neither the password nor a code")
            one.open()
            expect(page).to_have_title("Log in · Pokea")
            # Chromium tells of every answer that refuses.
            one.said.clear()
            continue
        expect(page).to_have_title("Live · Pokea")
        assert page.url.endswith("/dashboard?kind=sms.*")
        cookie = next(one for one in one.context.cookies() if one["name"] == "pokea")
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
        page.get_by_role("button", name="Log out").click()
        expect(page).to_have_title("Log in · Pokea")


def test_a_link_of_another_site_leads_in_without_a_new_login(open_as: Open, running: Running) -> None:
    one = open_as(extra_http_headers=TUNNEL)
    page = one.open("/login")
    page.get_by_label("Password, or a code").fill(PASSWORD)
    page.get_by_role("button", name="Log in").click()
    expect(page).to_have_title("Live · Pokea")
    # A mail, read in the browser
    page.route(
        "http://mail.example/",
        lambda route: route.fulfill(content_type="text/html", body=f'<a href="{running.url}/dashboard?kind=voice.*">look</a>'),
    )
    page.goto("http://mail.example/")
    page.get_by_role("link", name="look").click()
    expect(page).to_have_title("Live · Pokea")
    assert page.url.endswith("kind=voice.*")
    one.open()
    expect(page).to_have_title("Live · Pokea")
    one.said.clear()


def test_a_form_of_another_site_does_nothing(open_as: Open, running: Running) -> None:
    row_id = running.message("not to be pinned")
    one = open_as()
    page = one.open()
    form = f'<form method="post" action="{running.url}/dashboard/callbacks/{row_id}/pin"><input name="csrf_token" value="x"><button>win</button></form>'
    page.route("http://evil.example/", lambda route: route.fulfill(content_type="text/html", body=form))
    page.goto("http://evil.example/")
    page.get_by_role("button", name="win").click()
    expect(page.get_by_role("alert")).to_contain_text("nothing was done")
    assert running.api("GET", f"/callbacks/{row_id}")["pinned_at"] is None
    one.said.clear()
