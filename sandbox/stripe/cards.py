"""Stripe's published test cards: by number as a person types them, by token as a script names them."""

from dataclasses import dataclass

from sandbox.stripe.problem import StripeProblem, invalid


@dataclass(frozen=True, slots=True)
class Card:
    """What happens to a card: `decline` is the decline code (None: paid), `authenticate` asks the holder first."""

    number: str
    brand: str = "visa"
    decline: str | None = None
    code: str = "card_declined"
    authenticate: bool = False


_MESSAGES = {
    "generic_decline": "Your card was declined.",
    "insufficient_funds": "Your card has insufficient funds.",
    "lost_card": "Your card was declined.",
    "stolen_card": "Your card was declined.",
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}

_BY_TOKEN = {
    "pm_card_visa": Card("4242424242424242"),
    "pm_card_mastercard": Card("5555555555554444", "mastercard"),
    "pm_card_amex": Card("378282246310005", "amex"),
    "pm_card_unionpay": Card("6200000000000005", "unionpay"),
    "pm_card_visa_chargeDeclined": Card("4000000000000002", decline="generic_decline"),
    "pm_card_visa_chargeDeclinedInsufficientFunds": Card("4000000000009995", decline="insufficient_funds"),
    "pm_card_visa_chargeDeclinedLostCard": Card("4000000000009987", decline="lost_card"),
    "pm_card_visa_chargeDeclinedStolenCard": Card("4000000000009979", decline="stolen_card"),
    "pm_card_chargeDeclinedExpiredCard": Card("4000000000000069", decline="expired_card", code="expired_card"),
    "pm_card_chargeDeclinedIncorrectCvc": Card("4000000000000127", decline="incorrect_cvc", code="incorrect_cvc"),
    "pm_card_chargeDeclinedProcessingError": Card(
        "4000000000000119", decline="processing_error", code="processing_error"
    ),
    "pm_card_authenticationRequired": Card("4000002760003184", authenticate=True),
}
_BY_NUMBER = {card.number: card for card in _BY_TOKEN.values()}


def by_token(token: str) -> Card | None:
    """The test card behind a token such as pm_card_visa."""
    return _BY_TOKEN.get(token)


def by_number(number: str) -> Card:
    """The test card of that number; real numbers are refused, as Stripe refuses them in test mode."""
    card = _BY_NUMBER.get(number)
    if card is not None:
        return card
    if not _luhn(number):
        raise _incorrect("Your card number is incorrect.", "incorrect_number")
    raise invalid(
        "Your card was declined. Your request was in test mode, but used a non test card. "
        "For a list of valid test cards, visit: https://docs.stripe.com/testing.",
        code="card_declined",
        status=402,
    )


def decline(card: Card) -> dict[str, str]:
    """Code, decline code and message of a card that is declined (or needs its holder, off session)."""
    reason = card.decline or "authentication_required"
    code = card.code if card.decline else "authentication_required"
    return {"code": code, "decline_code": reason, "message": _MESSAGES[reason]}


def _incorrect(message: str, code: str) -> StripeProblem:
    return StripeProblem(402, "card_error", message, code=code, param="number")


def _luhn(number: str) -> bool:
    if not number.isdecimal() or not 12 <= len(number) <= 19:
        return False
    digits = [int(char) for char in reversed(number)]
    doubled = [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def all_cards() -> list[Card]:
    """Every test card."""
    return list(_BY_NUMBER.values())
