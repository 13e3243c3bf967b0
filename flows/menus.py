"""USSD menus. A screen is data, or a function of the hop; it must not call anything slow."""

from services.ussd import Choose, End, Hop, Menu, Option

account = Menu(
    screens={
        "start": Choose("What would you want to check ", (Option("My Account ", "account"), Option("My phone number", "phone_number"))),
        "account": Choose("Choose account information you want to view ", (Option("Account number", "account_number"),)),
        "account_number": End("Your account number is ACC1001"),
    },
    invalid_ends=True,
)


@account.screen
def phone_number(hop: Hop) -> End:
    """Tell a person their number."""
    return End(f"Your phone number is {hop.phone_number}")
