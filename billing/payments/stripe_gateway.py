"""The only door to Stripe: its SDK, our values. The local stand-in differs by key and base address alone."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

import stripe

from billing.money import Money
from billing.payments.card import CardPayment, CheckoutOrder, CheckoutSession, StripeEvent

_TIMEOUT_SECONDS = 10
_RETRIES = 2
_TOLERANCE = timedelta(minutes=5)
_INTENT = "payment_intent"
_SESSION = "checkout.session"

T = TypeVar("T")


class BadSignature(ValueError):
    """The message is not from Stripe, was changed on the way, or is too old: check the webhook's signing secret."""


class StripeUnavailable(Exception):
    """Stripe does not answer now; the same request may be made again later."""


class StripeRefused(Exception):
    """Stripe refuses the request; its message says why."""


class StripeGateway:
    """Stripe with one key. `base` empty means Stripe itself; `webhook_secret` signs what it sends to us."""

    def __init__(self, key: str, *, webhook_secret: str, base: str = "") -> None:
        self._client = stripe.StripeClient(
            key,
            base_addresses={"api": base.rstrip("/")} if base else None,
            max_network_retries=_RETRIES,
            http_client=stripe.RequestsClient(timeout=_TIMEOUT_SECONDS),
        )
        self._webhook_secret = webhook_secret

    def open_checkout(self, order: CheckoutOrder) -> CheckoutSession:
        """A hosted page for the order; the same order again gives the same page. Raises StripeUnavailable/Refused."""
        metadata = {"invoice": str(order.invoice), "number": order.number}
        price: Any = {
            "currency": order.amount.currency.lower(),
            "unit_amount": order.amount.minor,
            "product_data": {"name": f"Invoice {order.number}"},
        }
        params: Any = {
            "mode": "payment",
            "line_items": [{"quantity": 1, "price_data": price}],
            "client_reference_id": str(order.invoice),
            "metadata": metadata,
            "payment_intent_data": {"metadata": metadata, "description": f"Invoice {order.number}"},
            "success_url": f"{order.return_to}?paid=1",
            "cancel_url": order.return_to,
        }
        options: Any = {"idempotency_key": order.idempotency_key}
        return _session(_asked(lambda: self._client.v1.checkout.sessions.create(params, options)))

    def checkout(self, session_id: str) -> CheckoutSession:
        """The page as it is now. Raises StripeUnavailable, StripeRefused."""
        return _session(_asked(lambda: self._client.v1.checkout.sessions.retrieve(session_id)))

    def close_checkout(self, session_id: str) -> CheckoutSession:
        """The page after closing it; complete when somebody paid first. Raises StripeUnavailable, StripeRefused."""
        try:
            return _session(_asked(lambda: self._client.v1.checkout.sessions.expire(session_id)))
        except StripeRefused:
            return self.checkout(session_id)

    def payment(self, intent_id: str) -> CardPayment:
        """What became of a payment intent, with its fee. Raises StripeUnavailable, StripeRefused."""
        params: Any = {"expand": ["latest_charge.balance_transaction"]}
        return _payment(_asked(lambda: self._client.v1.payment_intents.retrieve(intent_id, params)))

    def event(self, payload: bytes, signature: str, *, now: datetime) -> StripeEvent:
        """The event in a webhook's body. Raises BadSignature."""
        try:
            stripe.WebhookSignature.verify_header(payload, signature, self._webhook_secret)
            sent_at = datetime.fromtimestamp(_sent_at(signature), UTC)
            values = json.loads(payload)
        except (stripe.SignatureVerificationError, ValueError) as error:
            raise BadSignature(f"the webhook's signature does not hold: {error}") from None
        if abs(now - sent_at) > _TOLERANCE:
            raise BadSignature(f"the webhook was signed at {sent_at.isoformat()}, more than five minutes from now")
        return _event(values)

    def events_since(self, since: datetime) -> Iterator[StripeEvent]:
        """The events from `since` on that Stripe still has (a month), oldest first. Raises as the others."""
        params: Any = {"created": {"gte": int(since.timestamp())}, "limit": 100}
        told = _asked(lambda: list(self._client.v1.events.list(params).auto_paging_iter()))
        for event in reversed(told):
            yield _event(event.to_dict())


def _asked(request: Callable[[], T]) -> T:
    """The answer to `request`, with the SDK's errors as ours."""
    try:
        return request()
    except (stripe.APIConnectionError, stripe.RateLimitError) as error:
        raise StripeUnavailable(f"Stripe does not answer: {error.user_message or type(error).__name__}") from error
    except stripe.StripeError as error:
        if (error.http_status or 500) >= 500:
            raise StripeUnavailable(f"Stripe has a problem of its own (HTTP {error.http_status})") from error
        raise StripeRefused(f"Stripe refuses: {error.user_message or error}") from error


def _session(session: Any) -> CheckoutSession:
    intent = session.payment_intent
    return CheckoutSession(
        id=session.id,
        status=session.status,
        url=session.url or "",
        amount=Money(session.amount_total, session.currency.upper()),
        expires_at=datetime.fromtimestamp(session.expires_at, UTC),
        intent=intent if isinstance(intent, str) or intent is None else intent.id,
    )


def _payment(intent: Any) -> CardPayment:
    charge = intent.latest_charge
    currency = intent.currency.upper()
    left = charge.balance_transaction if charge is not None else None
    fee = Money(left.fee, currency) if left is not None and left.currency.upper() == currency else None
    return CardPayment(
        intent=intent.id,
        paid=intent.status == "succeeded",
        amount=Money(intent.amount_received, currency),
        fee=fee,
        paid_at=datetime.fromtimestamp(charge.created if charge is not None else intent.created, UTC),
        invoice=_invoice(intent.to_dict().get("metadata") or {}),
    )


def _invoice(metadata: dict[str, str]) -> UUID | None:
    """The invoice that we wrote into the metadata; None for what others made in the same account."""
    try:
        return UUID(metadata.get("invoice", ""))
    except ValueError:
        return None


def _event(values: dict[str, Any]) -> StripeEvent:
    thing = values["data"]["object"]
    kind = thing.get("object")
    intent = thing.get("id") if kind == _INTENT else thing.get("payment_intent")
    return StripeEvent(
        id=values["id"],
        kind=values["type"],
        made_at=datetime.fromtimestamp(values["created"], UTC),
        subject=str(thing.get("id") or ""),
        intent=intent if isinstance(intent, str) else None,
        payload=values,
    )


def _sent_at(signature: str) -> int:
    return int(next(part.partition("=")[2] for part in signature.split(",") if part.startswith("t=")))
