"""What the name of a task stands for: the one table of all that is done later."""

from emulator import airtime, line, payments, sms, ussd
from emulator.voice import hands, interpreter
from emulator.world import Doer

DOERS: dict[str, Doer] = {
    "airtime.finish": airtime.finish,
    "airtime.validate": airtime.validate,
    "call.ask": interpreter.ask_app,
    "call.failed": interpreter.failed,
    "call.digits_over": interpreter.digits_over,
    "call.end": hands.end,
    "call.go_on": interpreter.go_on,
    "call.picked_up": hands.picked_up,
    "call.rang_out": hands.rang_out,
    "call.recorded": interpreter.record_over,
    "line.post": line.post,
    "payment.finish": payments.finish,
    "payment.validate": payments.validate,
    "sms.deliver": sms.deliver,
    "ussd.timeout": ussd.time_out,
}
