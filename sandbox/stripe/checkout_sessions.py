"""Hosted checkout: a session with a page where a person pays; the intent comes into being with the first try."""

from typing import Any

from sandbox.stripe.call import Call, merged_metadata
from sandbox.stripe.customers import usable_method
from sandbox.stripe.payment_intents import checked_amount, confirm, new_intent, refuse_holder
from sandbox.stripe.problem import StripeProblem, invalid
from sandbox.stripe.shelf import Object, Shelf, new_id

_DAY = 86_400
_SHORTEST = 30 * 60


def create_session(call: Call) -> Object:
    """An open session in payment mode, with inline prices."""
    params = call.params
    for name in ("mode", "success_url", "line_items"):
        if name not in params:
            raise invalid(f"Missing required param: {name}.", param=name, code="parameter_missing")
    if params["mode"] != "payment":
        raise invalid("This stand-in knows mode 'payment' only.", param="mode")
    lines = [_line(item, index) for index, item in enumerate(params["line_items"])]
    currencies = {line["currency"] for line in lines}
    if len(currencies) != 1:
        raise invalid("All prices of a session must have the same currency.", param="line_items")
    total = sum(line["amount_total"] for line in lines)
    checked_amount(total)
    session = _open(call, lines, currencies.pop(), total)
    call.shelf.set(f"intent_data/{session['id']}", params.get("payment_intent_data", {}))
    return call.shelf.put(session)


def retrieve_session(call: Call) -> Object:
    """The session of that id, expired when its time has come."""
    session = call.load("checkout.session")
    return expire_when_due(call, session)


def list_sessions(call: Call) -> list[Object]:
    """All sessions, or those of one intent or state."""
    wanted = {name: call.params[name] for name in ("payment_intent", "status", "customer") if name in call.params}
    return [
        each
        for each in call.shelf.newest_first("checkout.session")
        if all(each[name] == value for name, value in wanted.items())
    ]


def list_line_items(call: Call) -> list[Object]:
    """The session's lines."""
    lines: list[Object] = call.shelf.setting(f"lines/{call.load('checkout.session')['id']}", [])
    return lines


def expire_session(call: Call) -> Object:
    """Close an open session, so that nobody can pay on its page any more."""
    session = expire_when_due(call, call.load("checkout.session"))
    if session["status"] != "open":
        raise invalid(
            'Only Checkout Sessions with a status in ["open"] can be expired. '
            f"This Checkout Session has a status of `{session['status']}`."
        )
    return _expire(call, session)


def expire_when_due(call: Call, session: Object) -> Object:
    """The session as it is at the stand-in's time."""
    if session["status"] == "open" and call.shelf.now() >= session["expires_at"]:
        return _expire(call, session)
    return session


def expire_all_due(shelf: Shelf) -> None:
    """Expire every open session whose time has come; the clock's way of making events."""
    for session in shelf.newest_first("checkout.session"):
        expire_when_due(Call(shelf, base=""), session)


def pay(call: Call, session: Object, method_name: str, *, agreed: bool | None) -> Object:
    """Try to pay the session with a payment method; `agreed` is what the card's holder said when asked.

    Returns the session: complete, or still open when the holder must be asked first (its intent `requires_action`).
    Raises StripeProblem 402 when the card is declined; the session stays open for another.
    """
    session = expire_when_due(call, session)
    if session["status"] != "open":
        raise invalid(f"This Checkout Session is {session['status']}; it cannot be paid.")
    intent = _intent(call, session)
    intent["payment_method"] = usable_method(call, method_name)["id"]
    if agreed is False:
        refuse_holder(call, intent)
        raise StripeProblem(402, "card_error", "The card's holder did not agree to the payment.", code="card_declined")
    intent = confirm(call, intent, holder_agreed=bool(agreed))
    if intent["status"] == "succeeded":
        session |= {"status": "complete", "payment_status": "paid", "url": None}
        call.emit("checkout.session.completed", call.shelf.put(session))
    return session


def _intent(call: Call, session: Object) -> Object:
    """The session's intent, made at the first try and kept for the next."""
    if session["payment_intent"]:
        found = call.shelf.find(session["payment_intent"], "payment_intent")
        assert found is not None
        return found
    intent = new_intent(call, session["amount_total"], session["currency"])
    data: dict[str, Any] = call.shelf.setting(f"intent_data/{session['id']}", {})
    intent |= {"customer": session["customer"], "description": data.get("description")}
    intent |= {"metadata": data.get("metadata") or {}, "receipt_email": data.get("receipt_email")}
    session["payment_intent"] = intent["id"]
    call.shelf.put(session)
    call.emit("payment_intent.created", call.shelf.put(intent))
    return intent


def _expire(call: Call, session: Object) -> Object:
    session |= {"status": "expired", "url": None}
    call.emit("checkout.session.expired", call.shelf.put(session))
    return session


def _line(item: dict[str, Any], index: int) -> Object:
    price = item.get("price_data")
    if price is None or "product_data" not in price or "unit_amount" not in price:
        message = "This stand-in knows line items with price_data, unit_amount and product_data only."
        raise invalid(message, param=f"line_items[{index}]")
    total = price["unit_amount"] * item.get("quantity", 1)
    return {
        "id": new_id("li"),
        "object": "item",
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": price["currency"].lower(),
        "description": price["product_data"]["name"],
        "quantity": item.get("quantity", 1),
    }


def _open(call: Call, lines: list[Object], currency: str, total: int) -> Object:
    params, now, identifier = call.params, call.shelf.now(), new_id("cs_test")
    expires = params.get("expires_at", now + _DAY)
    if not now + _SHORTEST <= expires <= now + _DAY:
        raise invalid("expires_at must be 30 minutes to 24 hours after the session's making.", param="expires_at")
    customer = call.named("customer", "customer")
    call.shelf.set(f"lines/{identifier}", lines)
    return {
        "id": identifier,
        "object": "checkout.session",
        "amount_subtotal": total,
        "amount_total": total,
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "created": now,
        "currency": currency,
        "customer": customer["id"] if customer else None,
        "customer_email": params.get("customer_email"),
        "expires_at": expires,
        "livemode": False,
        "locale": params.get("locale"),
        "metadata": merged_metadata({}, params.get("metadata")),
        "mode": "payment",
        "payment_intent": None,
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "status": "open",
        "submit_type": params.get("submit_type"),
        "success_url": params["success_url"],
        "ui_mode": "hosted_page",
        "url": f"{call.base}/c/pay/{identifier}",
    }
