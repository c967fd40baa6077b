"""An event from the card provider: verified, kept once, acted upon in any order.

An event is only a hint that something happened. What is booked is the payment as the provider has it when asked, so
late, doubled and swapped events lead to the same books.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.accounting.store import LedgerStore
from billing.invoicing.invoice import Invoice
from billing.invoicing.numbering import local_date
from billing.invoicing.store import InvoiceStore, UnknownInvoice
from billing.money import Money
from billing.payments.card import CardPayment, StripeEvent
from billing.payments.payment import Payment, card_payment_id
from billing.payments.settle import AUTOMATIC, settle
from billing.payments.store import PaymentStore
from billing.payments.stripe_gateway import StripeGateway, StripeRefused

_PAID = ("payment_intent.succeeded", "checkout.session.completed", "checkout.session.async_payment_succeeded")
_CLOSED = ("checkout.session.expired",)

ALREADY = "already"
POSTED = "posted"
KEPT = "kept"


@dataclass(frozen=True, slots=True)
class EventReceipt:
    """What became of an event: `posted` (a payment was booked), `already` (kept before), `kept`, or why nothing was."""

    event: str
    kind: str
    outcome: str
    invoice: UUID | None = None


def receive_event(
    payload: bytes,
    signature: str,
    *,
    invoicing: InvoiceStore,
    payments: PaymentStore,
    ledger: LedgerStore,
    gateway: StripeGateway,
    now: datetime,
) -> EventReceipt:
    """Take a webhook. Raises BadSignature; StripeUnavailable, and then nothing is kept and Stripe sends it again."""
    event = gateway.event(payload, signature, now=now)
    return apply_event(
        event, came_by="webhook", invoicing=invoicing, payments=payments, ledger=ledger, gateway=gateway, now=now
    )


def apply_event(
    event: StripeEvent,
    *,
    came_by: str,
    invoicing: InvoiceStore,
    payments: PaymentStore,
    ledger: LedgerStore,
    gateway: StripeGateway,
    now: datetime,
) -> EventReceipt:
    """Keep an event and act on it, unless it was kept before. Raises StripeUnavailable, PeriodClosed."""
    if not payments.cards.keep_event(event, came_by=came_by, now=now):
        return EventReceipt(event.id, event.kind, ALREADY)
    invoice, outcome = None, KEPT
    if event.kind in _PAID and event.intent:
        invoice, outcome = _paid(event.intent, invoicing, payments, ledger, gateway, now)
        if invoice and event.kind.startswith("checkout.session."):
            payments.cards.set_link_state(event.subject, "paid")
    elif event.kind in _CLOSED:
        payments.cards.set_link_state(event.subject, "closed")
    parties = (invoice.seller.id, invoice.buyer.id) if invoice else (None, None)
    payments.cards.note_outcome(event.id, outcome, lessor=parties[0], lessee=parties[1])
    return EventReceipt(event.id, event.kind, outcome, invoice.id if invoice else None)


def _paid(
    intent: str,
    invoicing: InvoiceStore,
    payments: PaymentStore,
    ledger: LedgerStore,
    gateway: StripeGateway,
    now: datetime,
) -> tuple[Invoice | None, str]:
    """Book what the provider says of a payment intent, once; the invoice it pays and what was done."""
    try:
        paid = gateway.payment(intent)
    except StripeRefused as error:
        return None, f"kept: {error}"
    if not paid.paid:
        return None, "kept: the payment is not complete"
    if paid.invoice is None:
        return None, "kept: not a payment of ours"
    try:
        invoice = invoicing.get(paid.invoice)
    except UnknownInvoice:
        return None, "kept: the invoice is not known here"
    if paid.amount.currency != invoice.currency:
        return invoice, f"kept: paid in {paid.amount.currency}, invoiced in {invoice.currency}; book it by hand"
    reason = f"card payment {intent}"
    done = settle(
        _payment(paid, invoice), invoice, by=AUTOMATIC, reason=reason, payments=payments, ledger=ledger, now=now
    )
    return invoice, ALREADY if done is None else POSTED


def _payment(paid: CardPayment, invoice: Invoice) -> Payment:
    return Payment(
        id=card_payment_id(paid.intent),
        lessor=invoice.seller.id,
        lessee=invoice.buyer.id,
        amount=paid.amount,
        fee=paid.fee or Money(0, paid.amount.currency),
        received_on=local_date(paid.paid_at, invoice.seller.zone),
        intent=paid.intent,
    )
