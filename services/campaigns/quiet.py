"""Quiet hours: local times of the recipient's country between which nobody is disturbed. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import phonenumbers

# Of every country, or of those that are not named
ALL = "*"
_TIME = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]", re.ASCII)
EXAMPLE = '\'quiet_hours\' must be times, as {"from": "20:00", "to": "08:00"}, or by country, as {"KE": ["20:00", "08:00"], "*": […]}'
# The capital's, where a country has several (IANA time zone database 2026)
ZONES = {
    "AO": "Africa/Luanda", "BF": "Africa/Ouagadougou", "BI": "Africa/Bujumbura", "BJ": "Africa/Porto-Novo", "BW": "Africa/Gaborone",
    "CD": "Africa/Kinshasa", "CF": "Africa/Bangui", "CG": "Africa/Brazzaville", "CI": "Africa/Abidjan", "CM": "Africa/Douala",
    "CV": "Atlantic/Cape_Verde", "DJ": "Africa/Djibouti", "DZ": "Africa/Algiers", "EG": "Africa/Cairo", "ER": "Africa/Asmara",
    "ET": "Africa/Addis_Ababa", "GA": "Africa/Libreville", "GH": "Africa/Accra", "GM": "Africa/Banjul", "GN": "Africa/Conakry",
    "GQ": "Africa/Malabo", "GW": "Africa/Bissau", "KE": "Africa/Nairobi", "KM": "Indian/Comoro", "LR": "Africa/Monrovia",
    "LS": "Africa/Maseru", "LY": "Africa/Tripoli", "MA": "Africa/Casablanca", "MG": "Indian/Antananarivo", "ML": "Africa/Bamako",
    "MR": "Africa/Nouakchott", "MU": "Indian/Mauritius", "MW": "Africa/Blantyre", "MZ": "Africa/Maputo", "NA": "Africa/Windhoek",
    "NE": "Africa/Niamey", "NG": "Africa/Lagos", "RW": "Africa/Kigali", "SC": "Indian/Mahe", "SD": "Africa/Khartoum",
    "SL": "Africa/Freetown", "SN": "Africa/Dakar", "SO": "Africa/Mogadishu", "SS": "Africa/Juba", "ST": "Africa/Sao_Tome",
    "SZ": "Africa/Mbabane", "TD": "Africa/Ndjamena", "TG": "Africa/Lome", "TN": "Africa/Tunis", "TZ": "Africa/Dar_es_Salaam",
    "UG": "Africa/Kampala", "ZA": "Africa/Johannesburg", "ZM": "Africa/Lusaka", "ZW": "Africa/Harare",
}  # fmt: skip


def country_of(phone: str) -> str:
    """Return the country of an E.164 number as ISO 3166 letters, "" where it is not known."""
    codes = (int(phone[1:end]) for end in (2, 3, 4))
    regions: tuple[str, ...] = next((ours for code in codes if (ours := phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(code))), ())
    # To take a number apart is slow, and seldom needed: few countries share their calling code.
    return regions[0] if len(regions) == 1 else phonenumbers.region_code_for_number(phonenumbers.parse(phone)) or ""


def read_quiet_hours(value: Any) -> dict[str, list[str]]:
    """Return quiet hours by country, "*" for all others: from {"from", "to"}, {"KE": [from, to]} or `20:00-08:00`. Raises ValueError."""
    if isinstance(value, str):
        value = {ALL: value.replace(" ", "").split("-")}
    if not isinstance(value, dict) or not value:
        raise ValueError(EXAMPLE)
    if value.keys() == {"from", "to"}:
        value = {ALL: [value["from"], value["to"]]}
    for country, hours in value.items():
        if country != ALL and country not in phonenumbers.SUPPORTED_REGIONS:
            raise ValueError(
                f"'{str(country)[:20]}' in 'quiet_hours' is not a country: use two capital letters, as KE, or * for all others"
            )
        is_pair = isinstance(hours, list) and len(hours) == 2 and all(isinstance(hour, str) and _TIME.fullmatch(hour) for hour in hours)
        if not is_pair or hours[0] == hours[1]:
            raise ValueError(EXAMPLE)
    return value


def quiet_until(quiet_hours: Mapping[str, list[str]] | None, country: str, now: datetime) -> datetime | None:
    """Return when the quiet time that a country has now is over, None where it has none now. A country without zone here: UTC."""
    hours = (quiet_hours or {}).get(country) or (quiet_hours or {}).get(ALL)
    if not hours:
        return None
    begins, ends = (time.fromisoformat(hour) for hour in hours)
    zone = ZoneInfo(ZONES.get(country, "UTC"))
    local = now.astimezone(zone)
    is_late, is_early = local.time() >= begins, local.time() < ends
    if not (is_late and is_early if begins < ends else is_late or is_early):
        return None
    day = local.date() if is_early else local.date() + timedelta(days=1)
    over = datetime.combine(day, ends, zone)
    # When clocks go back an hour comes twice: if its first time is past, the second is meant.
    return (over if over.astimezone(UTC) > now else over.replace(fold=1)).astimezone(UTC)
