"""Payment intents: from wanting money to having it, with the states between."""

from sandbox.stripe.call import Call, merged_metadata
from sandbox.stripe.cards import Card, decline
from sandbox.stripe.charges import charge
from sandbox.stripe.customers import card_of, usable_method
from sandbox.stripe.problem import StripeProblem, invalid
from sandbox.stripe.shelf import Object, new_id

SMALLEST_AMOUNT = 50
LARGEST_AMOUNT = 99_999_999
_CONFIRMABLE = ("requires_payment_method", "requires_confirmation", "requires_action")


def create_intent(call: Call) -> Object:
    """A new intent, confirmed at once when `confirm` says so."""
    params = call.params
    checked_amount(params["amount"])
    customer = call.named("customer", "customer")
    method = params.get("payment_method")
    intent = new_intent(call, params["amount"], params["currency"].lower())
    intent |= {
        "customer": customer["id"] if customer else None,
        "description": params.get("description"),
        "metadata": merged_metadata({}, params.get("metadata")),
        "receipt_email": params.get("receipt_email"),
        "payment_method": usable_method(call, method)["id"] if method else None,
        "status": "requires_confirmation" if method else "requires_payment_method",
    }
    call.emit("payment_intent.created", call.shelf.put(intent))
    if not params.get("confirm"):
        return intent
    if not method:
        raise invalid("You cannot confirm this PaymentIntent because it's missing a payment method.")
    return confirm(call, intent, off_session=bool(params.get("off_session")))


def confirm_intent(call: Call) -> Object:
    """Confirm: charge the card, decline it, or ask its holder. Raises StripeProblem 402 when declined."""
    intent = call.load("payment_intent")
    method = call.params.get("payment_method")
    if intent["status"] not in _CONFIRMABLE:
        raise _wrong_state(intent, "confirm")
    if method:
        intent["payment_method"] = usable_method(call, method)["id"]
    if not intent["payment_method"]:
        raise invalid("You cannot confirm this PaymentIntent because it's missing a payment method.")
    return confirm(call, intent, off_session=bool(call.params.get("off_session")))


def retrieve_intent(call: Call) -> Object:
    """The intent of that id."""
    return call.load("payment_intent")


def list_intents(call: Call) -> list[Object]:
    """All intents, or one customer's."""
    customer = call.params.get("customer")
    return [each for each in call.shelf.newest_first("payment_intent") if customer in (None, each["customer"])]


def cancel_intent(call: Call) -> Object:
    """Give the intent up; a paid one cannot be given up but only refunded."""
    intent = call.load("payment_intent")
    if intent["status"] not in _CONFIRMABLE:
        raise _wrong_state(intent, "cancel")
    reason = call.params.get("cancellation_reason")
    intent |= {"status": "canceled", "canceled_at": call.shelf.now(), "cancellation_reason": reason}
    intent["next_action"] = None
    call.emit("payment_intent.canceled", call.shelf.put(intent))
    return intent


def new_intent(call: Call, amount: int, currency: str) -> Object:
    """An intent that nothing was done with yet, not kept."""
    identifier = new_id("pi")
    return {
        "id": identifier,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_received": 0,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic",
        "client_secret": new_id(f"{identifier}_secret"),
        "confirmation_method": "automatic",
        "created": call.shelf.now(),
        "currency": currency,
        "customer": None,
        "description": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": {},
        "next_action": None,
        "payment_method": None,
        "payment_method_types": ["card"],
        "receipt_email": None,
        "status": "requires_payment_method",
    }


def confirm(call: Call, intent: Object, *, off_session: bool = False, holder_agreed: bool = False) -> Object:
    """Put the intent's payment method to use. Raises StripeProblem 402 when the card is declined."""
    method = call.shelf.find(intent["payment_method"], "payment_method")
    assert method is not None
    card = card_of(method)
    if card.authenticate and not holder_agreed and not off_session:
        return _ask_holder(call, intent)
    if card.decline or (card.authenticate and off_session):
        raise _declined(call, intent, method, card)
    paid = charge(call, intent, method)
    intent |= {"status": "succeeded", "amount_received": intent["amount"], "latest_charge": paid["id"]}
    intent |= {"last_payment_error": None, "next_action": None}
    call.emit("payment_intent.succeeded", call.shelf.put(intent))
    return intent


def checked_amount(amount: int) -> None:
    """Raises StripeProblem when the amount is outside what Stripe takes."""
    if amount < SMALLEST_AMOUNT:
        raise invalid("Amount must be at least 50 of the minor unit.", param="amount", code="amount_too_small")
    if amount > LARGEST_AMOUNT:
        raise invalid("Amount must be no more than 999,999.99.", param="amount", code="amount_too_large")


def refuse_holder(call: Call, intent: Object) -> Object:
    """The card's holder did not agree to the payment."""
    message = "We are unable to authenticate your payment method. Please choose a different payment method."
    error = {"type": "invalid_request_error", "code": "payment_intent_authentication_failure", "message": message}
    intent |= {"status": "requires_payment_method", "next_action": None, "last_payment_error": error}
    intent["payment_method"] = None
    call.emit("payment_intent.payment_failed", call.shelf.put(intent))
    return intent


def _ask_holder(call: Call, intent: Object) -> Object:
    to = {"url": f"{call.base}/c/authenticate/{intent['id']}", "return_url": call.params.get("return_url")}
    intent |= {"status": "requires_action", "next_action": {"type": "redirect_to_url", "redirect_to_url": to}}
    call.emit("payment_intent.requires_action", call.shelf.put(intent))
    return intent


def _declined(call: Call, intent: Object, method: Object, card: Card) -> StripeProblem:
    """The problem to raise; the failed charge and the intent's new state stay."""
    reason = decline(card)
    failed = charge(call, intent, method, failure=reason)
    error = {"type": "card_error", "payment_method": method} | reason
    intent |= {"status": "requires_payment_method", "latest_charge": failed["id"], "last_payment_error": error}
    intent |= {"payment_method": None, "next_action": None}
    call.emit("payment_intent.payment_failed", call.shelf.put(intent))
    problem = StripeProblem(
        402, "card_error", reason["message"], code=reason["code"], decline_code=reason["decline_code"]
    )
    problem.error |= {"payment_intent": intent, "payment_method": method, "charge": failed["id"]}
    return problem


def _wrong_state(intent: Object, verb: str) -> StripeProblem:
    problem = invalid(
        f"You cannot {verb} this PaymentIntent because it has a status of {intent['status']}.",
        code="payment_intent_unexpected_state",
    )
    problem.error["payment_intent"] = intent
    return problem
