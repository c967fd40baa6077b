"""Customers and their payment methods."""

from typing import Any

from sandbox.stripe import cards
from sandbox.stripe.call import Call, merged_metadata
from sandbox.stripe.problem import invalid, missing
from sandbox.stripe.shelf import Object, new_id

_PLAIN = ("description", "email", "name", "phone", "address")


def create_customer(call: Call) -> Object:
    """A new customer."""
    customer: Object = {
        "id": new_id("cus"),
        "object": "customer",
        "balance": 0,
        "created": call.shelf.now(),
        "currency": None,
        "default_source": None,
        "delinquent": False,
        "discount": None,
        "invoice_settings": {"default_payment_method": None},
        "livemode": False,
        "metadata": merged_metadata({}, call.params.get("metadata")),
        "preferred_locales": [],
        "shipping": None,
        "tax_exempt": "none",
    } | {name: call.params.get(name) for name in _PLAIN}
    call.emit("customer.created", customer)
    return call.shelf.put(customer)


def update_customer(call: Call) -> Object:
    """Change what the request names."""
    customer = call.load("customer")
    customer |= {name: call.params[name] or None for name in _PLAIN if name in call.params}
    customer["metadata"] = merged_metadata(customer["metadata"], call.params.get("metadata"))
    call.emit("customer.updated", customer)
    return call.shelf.put(customer)


def retrieve_customer(call: Call) -> Object:
    """The customer of that id."""
    return call.load("customer")


def create_payment_method(call: Call) -> Object:
    """A card from its number. Card numbers other than Stripe's test cards are refused."""
    given = call.params.get("card")
    if call.params.get("type", "card") != "card" or given is None:
        raise invalid("This stand-in knows payment methods of type 'card' with a card hash only.", param="type")
    if "token" in given:
        raise invalid("This stand-in knows no card tokens; give the number of a test card.", param="card[token]")
    card = cards.by_number(given["number"].replace(" ", ""))
    method = method_of(call, card, int(given["exp_month"]), int(given["exp_year"]))
    method["billing_details"] |= call.params.get("billing_details") or {}
    method["metadata"] = merged_metadata({}, call.params.get("metadata"))
    return call.shelf.put(method)


def method_of(call: Call, card: cards.Card, month: int = 12, year: int = 2034) -> Object:
    """A payment method for a test card, kept."""
    details: dict[str, Any] = {"brand": card.brand, "country": "US", "exp_month": month, "exp_year": year}
    details |= {"funding": "credit", "last4": card.number[-4:], "fingerprint": f"fp{card.number[-8:]}"}
    return call.shelf.put(
        {
            "id": new_id("pm"),
            "object": "payment_method",
            "billing_details": {"address": None, "email": None, "name": None, "phone": None},
            "card": details,
            "created": call.shelf.now(),
            "customer": None,
            "livemode": False,
            "metadata": {},
            "type": "card",
        }
    )


def usable_method(call: Call, name: str) -> Object:
    """The payment method of an id, or a fresh one for a token such as pm_card_visa. Raises StripeProblem."""
    card = cards.by_token(name)
    if card is not None:
        return method_of(call, card)
    found = call.shelf.find(name, "payment_method")
    if found is None:
        raise missing("PaymentMethod", name, param="payment_method", status=400)
    return found


def card_of(method: Object) -> cards.Card:
    """The test card behind a payment method; its fingerprint keeps the last eight digits."""
    ending = method["card"]["fingerprint"][2:]
    return next(card for card in cards.all_cards() if card.number.endswith(ending))


def retrieve_payment_method(call: Call) -> Object:
    """The payment method of that id; tokens are no objects of their own."""
    return call.load("payment_method")


def attach_payment_method(call: Call) -> Object:
    """Give a payment method to a customer."""
    method = usable_method(call, call.ids["id"])
    customer = call.named("customer", "customer")
    if customer is None:
        raise invalid("Missing required param: customer.", param="customer", code="parameter_missing")
    if method["customer"] not in (None, customer["id"]):
        raise invalid("The payment method you provided has already been attached to a customer.")
    method["customer"] = customer["id"]
    call.emit("payment_method.attached", method)
    return call.shelf.put(method)
