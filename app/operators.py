"""Mobile operators: by the networkCode that Africa's Talking sends, else by a number's first digits.

Sources: Africa's Talking's network codes and screen lengths as in its help articles 1284096 (2020) and SDKs; first
digits from libphonenumber's carrier data, release 9.0.42. A number that was ported keeps its digits: the code wins.
"""

import re
from dataclasses import dataclass

# The least that any operator is known to show.
SHORTEST_SCREEN = 160


@dataclass(frozen=True)
class Operator:
    """An operator, its country (ISO 3166), and the characters that its USSD screens hold."""

    name: str
    country: str
    ussd_screen: int = SHORTEST_SCREEN


AIRTEL_KENYA = Operator("Airtel", "KE", 184)

BY_CODE = {
    "62001": Operator("MTN", "GH"), "62002": Operator("Vodafone", "GH"), "62006": Operator("AirtelTigo", "GH"),
    "62120": Operator("Airtel", "NG"), "62130": Operator("MTN", "NG"), "62150": Operator("Glo", "NG"), "62160": Operator("Etisalat",
        "NG"),
    "63510": Operator("MTN", "RW"), "63513": Operator("Tigo", "RW"), "63514": Operator("Airtel", "RW"),
        "63601": Operator("EthioTelecom", "ET"),
    "63902": Operator("Safaricom", "KE"), "63903": AIRTEL_KENYA, "63907": Operator("Orange", "KE"), "63999": Operator("Equitel", "KE"),
    "64002": Operator("Tigo", "TZ"), "64003": Operator("Zantel", "TZ"), "64004": Operator("Vodacom", "TZ"),
        "64005": Operator("Airtel", "TZ"),
    "64007": Operator("TTCL", "TZ"), "64009": Operator("Halotel", "TZ"), "64101": Operator("Airtel", "UG"), "64110": Operator("MTN",
        "UG"),
    "64111": Operator("UTL", "UG"), "64114": Operator("Africell", "UG"), "64501": Operator("Airtel", "ZM"), "64502": Operator("MTN",
        "ZM"),
    "65001": Operator("TNM", "MW"), "65010": Operator("Airtel", "MW"), "65501": Operator("Vodacom", "ZA"),
        "65502": Operator("Telkom", "ZA"),
    "65507": Operator("CellC", "ZA"), "65510": Operator("MTN", "ZA"),
}  # fmt: skip

_DIGITS = {
    ("254", "KE"): {
        "Safaricom": "11 14 18 70 71 72 74 757 758 759 768 769 79", "Airtel": "10 135 136 137 138 139 73 75 76 78",
        "Telkom": "120 761 77", "Equitel": "763 764 765 766", "JTL": "747", "Homeland Media": "744", "Infura": "121", "Finserve": "124",
    },
    ("256", "UG"): {"MTN": "724 737 76 77 78 79", "Airtel": "70 730 731 732 74 75", "UTL": "71", "Africell": "798 799",
        "LycaMobile": "721 726 727", "Roke Telkom": "734"},
    ("255", "TZ"): {"Vodacom": "72 74 75 76 79", "Airtel": "60 66 68 69 78", "Yas": "65 67 70 71 77", "Halotel": "61 62 63",
        "TTCL": "73"},
    ("250", "RW"): {"MTN": "78 79", "Airtel": "72 73"},
    ("234", "NG"): {
        "MTN": "7025 7026 703 704 706 707 803 806 810 813 814 816 903 906 910 913 916", "Glo": "705 805 807 811 815 905 915",
        "Airtel": "701 708 802 808 812 901 902 904 907 911 912", "9mobile": "809 817 818 908 909",
    },
    ("233", "GH"): {"MTN": "24 25 53 54 55 59", "Telecel": "20 50", "AirtelTigo": "23 26 27 56 57"},
    ("260", "ZM"): {"Airtel": "57 77 97", "MTN": "56 76 96", "Zamtel": "55 75 95"},
    ("265", "MW"): {"TNM": "3 8", "Airtel": "9"},
    ("251", "ET"): {"EthioTelecom": "8 9", "Safaricom": "7"},
}  # fmt: skip
_BY_DIGITS = {
    prefix + digits: AIRTEL_KENYA if (name, country) == ("Airtel", "KE") else Operator(name, country)
    for (prefix, country), names in _DIGITS.items()
    for name, all_digits in names.items()
    for digits in all_digits.split()
}
_LONGEST = max(map(len, _BY_DIGITS))
_NUMBER = re.compile(r"\+?([0-9]{9,15})", re.ASCII)


def operator_of(network_code: str | None, phone: str | None) -> Operator | None:
    """Return the operator that a code names, else the one a number's first digits name, else None."""
    known = BY_CODE.get(network_code or "")
    number = None if known else _NUMBER.fullmatch(phone or "")
    if not number:
        return known
    digits = number.group(1)
    return next((_BY_DIGITS[digits[:size]] for size in range(_LONGEST, 3, -1) if digits[:size] in _BY_DIGITS), None)


def ussd_screen(network_code: str | None, phone: str | None) -> int:
    """Return how many characters this person's screen holds; the shortest known where the operator is not."""
    operator = operator_of(network_code, phone)
    return operator.ussd_screen if operator else SHORTEST_SCREEN
