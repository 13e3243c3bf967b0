"""What a person should know of settings that are allowed, but doubtful."""

from app.settings import Settings


def cautions(settings: Settings) -> list[str]:
    """Return what a person should know about how callbacks are checked, where that is allowed but doubtful."""
    found = []
    if settings.callback_checks == "off" or not (settings.callback_token or settings.webhook_secret):
        found.append("not verified: set CALLBACK_TOKEN")
    elif not settings.callback_token:
        found.append("Africa's Talking does not sign, so WEBHOOK_SECRET alone refuses it unless a proxy signs: set CALLBACK_TOKEN")
    if settings.callback_allowed_ips and not settings.trusted_proxies:
        found.append("CALLBACK_ALLOWED_IPS looks at the direct peer: behind a proxy or tunnel set TRUSTED_PROXIES")
    if settings.is_live and settings.callback_token and min(map(len, settings.callback_token)) < 16:
        found.append("CALLBACK_TOKEN is short: make one with openssl rand -hex 24")
    return found


def money_cautions(settings: Settings) -> list[str]:
    """Return what a person should know about how money is guarded; nothing where none moves."""
    if not settings.is_live:
        return []
    found = []
    if not settings.invoke_token:
        found.append("INVOKE_TOKEN is not set: the addresses that send answer 403")
    elif len(settings.invoke_token) < 32:
        found.append("INVOKE_TOKEN is short: make one with openssl rand -hex 24")
    if settings.spend_cap_daily is None:
        found.append("no cap: set SPEND_CAP_DAILY, and SPEND_CAP_ORDER, SPEND_CAP_NUMBER, SENDS_PER_DAY as you like")
    return found
