"""Opt-outs and subscriptions, two pages of messages."""

import re

from app.models import OptOut
from routes.pages.opt_outs import ROWS
from tests.invoking import ONLY_SQLITE, Sending, Stored
from tests.routes.pages.browsing import Browser
from tests.samples import post
from tests.stub_at import StubAT

pytestmark = ONLY_SQLITE
PHONE, OTHER = "+254711000017", "+254711000018"
PAGE = "/dashboard/messages/opt-outs"


def test_an_opt_out_is_added_by_hand_and_taken_back(sending: Sending, stored: Stored) -> None:
    browser = Browser(sending(default_country="KE"))
    assert "Nobody opted out." in browser.get(PAGE).text
    added = browser.post(PAGE, {"phone": "0711000017", "sender": "MyBrand"}).text
    assert f"{PHONE} gets no more messages." in added
    assert "by hand: a person on the dashboard" in added
    assert [(row.phone, row.sender, row.state) for row in stored(OptOut)] == [(PHONE, "MyBrand", "out")]
    back = re.search(rf'action="({PAGE}/[^"]+/back)"', added)[1]  # type: ignore[index]
    assert f"{PHONE} gets messages again, of every sender." in browser.post(back).text
    assert {row.state for row in stored(OptOut)} == {"in"}
    assert "took it back" in browser.get(f"{PAGE}?state=in").text
    assert browser.post(f"{PAGE}/out_1/back").status_code == 404


def test_what_is_wrong_is_said_beside_what_was_typed(sending: Sending, stored: Stored) -> None:
    browser = Browser(sending())
    browser.get(PAGE)
    answer = browser.post(PAGE, {"phone": "0711", "sender": "no sender, this"})
    assert answer.status_code == 400
    assert 'value="0711"' in answer.text
    assert "is not a phone number we understand" in answer.text
    assert "must be a name or short code of yours" in answer.text
    assert stored(OptOut) == []


def test_the_list_tells_how_and_is_filtered_by_number_and_state(sending: Sending) -> None:
    app = sending()
    browser = Browser(app)
    for phone in (PHONE, OTHER):
        post(app.test_client(), "sms.opt_out", {"senderId": "MyBrand", "phoneNumber": phone})
    page = browser.get(PAGE).text
    assert PHONE in page
    assert OTHER in page
    assert re.search(r'<a href="/dashboard/callbacks/cb_[^"]+">callback</a>', page)
    only = browser.get(f"{PAGE}?phone=254711000018").text
    assert OTHER in only
    assert f"<td>{PHONE}" not in only
    assert browser.get(f"{PAGE}?state=neither").status_code == 400


def test_lists_go_on_by_key(sending: Sending) -> None:
    app = sending()
    for number in range(ROWS + 1):
        post(app.test_client(), "sms.opt_out", {"senderId": "MyBrand", "phoneNumber": f"+2547110000{number + 10:02}"})
    browser = Browser(app)
    first = browser.get(PAGE).text
    assert ("+254711000010" in first, "+254711000011" in first) == (False, True)
    older = re.search(r'class="older"><a href="([^"]+)"', first)[1]  # type: ignore[index]
    assert "+254711000010" in browser.get(older).text


def test_subscriptions_are_listed_with_what_they_are_now(sending: Sending) -> None:
    app = sending()
    browser = Browser(app)
    page = "/dashboard/messages/subscriptions"
    assert "Nobody subscribed yet." in browser.get(page).text
    told = {"phoneNumber": PHONE, "shortCode": "12345", "keyword": "NEWS"}
    post(app.test_client(), "sms.subscription", told | {"updateType": "addition"})
    assert "subscribed</span>" in browser.get(page).text
    post(app.test_client(), "sms.subscription", told | {"updateType": "deletion"})
    listed = browser.get(f"{page}?phone={PHONE[1:]}&state=deletion").text
    assert "left</span>" in listed
    assert "NEWS" in listed


def test_numbers_are_masked_where_asked_and_can_still_be_taken_back(sending: Sending, at: StubAT, stored: Stored) -> None:
    app = sending(privacy=True)
    post(app.test_client(), "sms.opt_out", {"senderId": "<i>MyBrand", "phoneNumber": PHONE})
    browser = Browser(app)
    page = browser.get(PAGE).text
    assert "***017" in page
    assert "711000017" not in page
    assert "<i>MyBrand" not in page
    browser.post(re.search(rf'action="({PAGE}/[^"]+/back)"', page)[1])  # type: ignore[index]
    assert {row.state for row in stored(OptOut)} == {"in"}
