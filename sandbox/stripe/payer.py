"""What the payer does on the pages: types a card, answers the bank; and where the browser goes next."""

from dataclasses import dataclass

from sandbox.stripe import cards, checkout_sessions, payment_intents
from sandbox.stripe.call import Call
from sandbox.stripe.customers import method_of
from sandbox.stripe.forms import decode
from sandbox.stripe.pages import authenticate_page, checkout_page, closed_page
from sandbox.stripe.problem import StripeProblem
from sandbox.stripe.shelf import Object, Shelf


@dataclass(frozen=True, slots=True)
class Shown:
    """A page with its status, or the address to go to."""

    status: int
    html: str = ""
    location: str = ""


def show_session(shelf: Shelf, base: str, session_id: str) -> Shown:
    """The checkout page, or that there is nothing to pay."""
    with shelf.change():
        session = shelf.find(session_id, "checkout.session")
        if session is None:
            return Shown(404, closed_page("There is no such checkout."))
        session = checkout_sessions.expire_when_due(Call(shelf, base), session)
        if session["status"] != "open":
            return Shown(410, closed_page(f"This checkout is {session['status']}."))
        return Shown(200, checkout_page(session, _lines(shelf, session)))


def pay_session(shelf: Shelf, base: str, session_id: str, form: str) -> Shown:
    """A card typed on the checkout page, or the holder's answer; on success the browser goes to `success_url`."""
    with shelf.change():
        session = shelf.find(session_id, "checkout.session")
        if session is None:
            return Shown(404, closed_page("There is no such checkout."))
        call = Call(shelf, base)
        try:
            fields = {name: str(value) for name, value in decode(form).items()}
            method = fields.get("payment_method") or _typed(call, fields)
            agreed = {"yes": True, "no": False}.get(fields.get("agreed", ""))
            session = checkout_sessions.pay(call, session, method, agreed=agreed)
        except StripeProblem as problem:
            return Shown(problem.status, checkout_page(session, _lines(shelf, session), str(problem)))
    if session["status"] == "open":
        return Shown(200, authenticate_page(session, method))
    return Shown(303, location=session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"]))


def show_holder(shelf: Shelf, intent_id: str) -> Shown:
    """The bank's question about an intent that waits for it."""
    with shelf.change():
        intent = shelf.find(intent_id, "payment_intent")
    if intent is None or intent["status"] != "requires_action":
        return Shown(404, closed_page("Nothing is asked here."))
    return Shown(200, authenticate_page(intent, intent["payment_method"]))


def answer_holder(shelf: Shelf, base: str, intent_id: str, form: str) -> Shown:
    """The holder's answer about an intent."""
    with shelf.change():
        intent = shelf.find(intent_id, "payment_intent")
        if intent is None or intent["status"] != "requires_action":
            return Shown(404, closed_page("Nothing is asked here."))
        back = intent["next_action"]["redirect_to_url"]["return_url"]
        call = Call(shelf, base)
        if decode(form).get("agreed") == "yes":
            payment_intents.confirm(call, intent, holder_agreed=True)
        else:
            payment_intents.refuse_holder(call, intent)
    return Shown(303, location=back) if back else Shown(200, closed_page("Thank you."))


def _typed(call: Call, fields: dict[str, str]) -> str:
    """The payment method of the card typed. Raises StripeProblem for a number or expiry that cannot be."""
    card = cards.by_number("".join(fields.get("card_number", "").split()))
    month, _, year = fields.get("expiry", "12/34").partition("/")
    if not (month.isdecimal() and year.isdecimal() and 1 <= int(month) <= 12):
        raise StripeProblem(402, "card_error", "Your card's expiration date is invalid.", code="invalid_expiry_month")
    return str(method_of(call, card, int(month), 2000 + int(year) % 100)["id"])


def _lines(shelf: Shelf, session: Object) -> list[Object]:
    lines: list[Object] = shelf.setting(f"lines/{session['id']}", [])
    return lines
