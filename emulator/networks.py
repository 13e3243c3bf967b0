"""Mobile networks: which one a number is with, how it calls itself, and what its USSD sessions hold.

Sources: Africa's Talking's network codes as in its SDKs and SMS documentation; screen and input lengths, idle and session
limits as in its help articles 1284096 and 1284071 (2020). Where a network's own figure is not known, the common one.
"""

from dataclasses import dataclass

import phonenumbers
from phonenumbers import PhoneNumberType


@dataclass(frozen=True)
class Network:
    """One network. ussd_*: characters of a screen, characters a person can type, seconds of a session and of one answer of a person."""

    name: str
    code: str
    country: str
    ussd_screen: int = 182
    ussd_input: int = 160
    ussd_session_s: int = 180
    ussd_idle_s: int = 30


SAFARICOM = Network("Safaricom", "63902", "KE", ussd_screen=160, ussd_input=80)
AIRTEL_KENYA = Network("Airtel Kenya", "63903", "KE", ussd_screen=184, ussd_input=90, ussd_idle_s=60)
# The sandbox's own, which is with no country.
ATHENA = Network("Athena", "99999", "")


def _nigerian(name: str, code: str) -> Network:
    return Network(name, code, "NG", ussd_screen=160, ussd_session_s=120)


NETWORKS = {
    network.name: network
    for network in (
        SAFARICOM, AIRTEL_KENYA, ATHENA, Network("Orange Kenya", "63907", "KE"), Network("Equitel Kenya", "63999", "KE"),
        Network("MTN Ghana", "62001", "GH"), Network("Vodafone Ghana", "62002", "GH"), Network("AirtelTigo Ghana", "62006", "GH"),
        _nigerian("MTN Nigeria", "62130"), _nigerian("Airtel Nigeria", "62120"), _nigerian("Glo Nigeria", "62150"),
        _nigerian("Etisalat Nigeria", "62160"),
        Network("MTN Rwanda", "63510", "RW"), Network("Tigo Rwanda", "63513", "RW"), Network("Airtel Rwanda", "63514", "RW"),
        Network("EthioTelecom", "63601", "ET"), Network("Vodacom Tanzania", "64004", "TZ"), Network("Tigo Tanzania", "64002", "TZ"),
        Network("Zantel", "64003", "TZ"), Network("Airtel Tanzania", "64005", "TZ"), Network("TTCL", "64007", "TZ"),
        Network("Halotel", "64009", "TZ"), Network("MTN Uganda", "64110", "UG"), Network("Airtel Uganda", "64101", "UG"),
        Network("UTL Uganda", "64111", "UG"), Network("Africell Uganda", "64114", "UG"), Network("MTN Zambia", "64502", "ZM"),
        Network("Airtel Zambia", "64501", "ZM"), Network("TNM Malawi", "65001", "MW"), Network("Airtel Malawi", "65010", "MW"),
        Network("Vodacom SA", "65501", "ZA"), Network("Telkom SA", "65502", "ZA"), Network("CellC SA", "65507", "ZA"),
        Network("MTN SA", "65510", "ZA"),
    )
}  # fmt: skip
MOST_CODE = 50
CODE_MARKS = "0123456789*#"
# First digits of Airtel Kenya's numbers; the rest of Kenya is taken to be Safaricom's.
_AIRTEL_KENYA = ("+25410", "+25473", "+25475", "+25478")


def network_of(number: str, carriers: dict[str, str]) -> Network | None:
    """Return the network of a number: the one that `carriers` names for it or its first digits, else its country's first, else None."""
    for start in sorted(carriers, key=len, reverse=True):
        if number.startswith(start):
            return NETWORKS[carriers[start]]
    if number.startswith(_AIRTEL_KENYA):
        return AIRTEL_KENYA
    country = country_of(number)
    return next((network for network in NETWORKS.values() if network.country and network.country == country), None)


def country_of(number: str) -> str:
    """Return the ISO letters of a number's country, "" where there is none."""
    return (phonenumbers.region_code_for_number(parsed) or "") if (parsed := _parsed(number)) else ""


def calling_code_of(number: str) -> int:
    """Return the country code that a number begins with, 0 for none."""
    return (_parsed(number) or phonenumbers.PhoneNumber()).country_code or 0


def is_number(number: str) -> bool:
    """Whether a text is a phone number in international form, with plus."""
    parsed = _parsed(number)
    return parsed is not None and phonenumbers.is_possible_number(parsed)


def is_code(text: str) -> bool:
    """Whether a text is a USSD code."""
    has_form = 3 <= len(text) <= MOST_CODE and text[0] in "*#" and text.endswith("#")
    return has_form and all(mark in CODE_MARKS for mark in text)


def is_landline(number: str) -> bool:
    """Whether a number is one that takes no messages."""
    parsed = _parsed(number)
    return parsed is not None and phonenumbers.number_type(parsed) == PhoneNumberType.FIXED_LINE


def _parsed(number: str) -> phonenumbers.PhoneNumber | None:
    if not (number.isascii() and number.startswith("+") and number[1:].isdigit()):
        return None
    try:
        return phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return None
