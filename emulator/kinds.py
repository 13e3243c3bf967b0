"""Every callback that the emulator makes: where it goes by default, how it looks on the wire, and when it is repeated.

Sources: captures and documentation of Africa's Talking as of 2026-11-20. User agents: `at-ussd-api/1.0` is captured,
`at-voice-api` is seen on an allow list; the others are not known and stand here as the server names itself in its answers.
"""

from dataclasses import dataclass

FORM, JSON = "application/x-www-form-urlencoded", "application/json"
HOUR_S = 3600
REPEAT_EVERY_S = 60


@dataclass(frozen=True)
class Kind:
    """One kind. repeats_s: for how long it is repeated every minute, 0 never; good_below: the first status that is not good."""

    path: str
    media: str = FORM
    user_agent: str = "akka-http"
    repeats_s: int = 0
    good_from: int = 200
    good_below: int = 300
    # Its answer is used, so it is asked once and waited for.
    is_asked: bool = False


KINDS = {
    "sms.delivery_report": Kind("/api/sms/delivery-reports"),
    # Until 200 or 12 h. Source: help article 742510.
    "sms.incoming_message": Kind("/api/sms/twoway", repeats_s=12 * HOUR_S, good_below=201),
    "sms.opt_out": Kind("/api/sms/opt-out"),
    "sms.subscription": Kind("/api/sms/subscription"),
    "voice.instructions": Kind("/api/voice/instruct", user_agent="at-voice-api", is_asked=True),
    "voice.event": Kind("/api/voice/events", user_agent="at-voice-api"),
    "airtime.validation": Kind("/api/airtime/validation", JSON, is_asked=True),
    "airtime.status": Kind("/api/airtime/status", JSON),
    "sim_swap.status": Kind("/api/sim-swap/status", JSON),
    "ussd.session": Kind("/api/ussd/session", user_agent="at-ussd-api/1.0", is_asked=True),
    "ussd.session_end": Kind("/api/ussd/status", user_agent="at-ussd-api/1.0"),
    # Every minute for 6 h while the answer is 400 or more. Source: documentation of payment notifications.
    "payments.notification": Kind("/api/payments/notification", JSON, repeats_s=6 * HOUR_S, good_from=100, good_below=400),
    "payments.validation": Kind("/api/payments/validation", JSON, is_asked=True),
}
