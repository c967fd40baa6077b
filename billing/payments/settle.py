"""Money that came in settles an invoice: payment, allocation and ledger entry, together or not at all."""

from datetime import datetime

from billing.accounting.ledger import entry_id, reverse
from billing.accounting.rules import entry_for_payment
from billing.accounting.store import LedgerStore
from billing.invoicing.invoice import Invoice, Status
from billing.invoicing.numbering import local_date
from billing.money import Money
from billing.payments.payment import Allocation, Payment, share
from billing.payments.store import PaymentStore

AUTOMATIC = "automatic"


class NothingOpen(ValueError):
    """Nothing is open on the invoice: it is not issued, or paid already."""


def open_amount(invoice: Invoice, payments: PaymentStore) -> Money:
    """What is still to be paid of an invoice; zero unless it is issued."""
    if invoice.status is not Status.ISSUED:
        return Money(0, invoice.currency)
    return invoice.total - payments.allocated([invoice.id])[invoice.id]


def settle(
    payment: Payment,
    invoice: Invoice,
    *,
    by: str,
    reason: str,
    payments: PaymentStore,
    ledger: LedgerStore,
    now: datetime,
) -> Money | None:
    """Book `payment` and let it settle `invoice` as far as that is open; the rest stays prepaid.

    Returns what was allocated, None when the payment was booked before. Raises CurrencyMismatch, PeriodClosed.
    """
    payments.lock_paying(invoice.id)
    part = share(payment.amount, open_amount(invoice, payments))
    if not payments.add_payment(payment, now=now):
        return None
    entry = entry_for_payment(
        payment=payment.id,
        owner=payment.lessor,
        payer=payment.lessee,
        booked_on=payment.received_on,
        amount=payment.amount,
        allocated=part,
        by_card=payment.intent is not None,
        fee=payment.fee,
        text=f"Payment of invoice {invoice.number}",
    )
    ledger.post(entry, now=now)
    if part:
        payments.add_allocation(Allocation(payment.id, invoice.id, part, by, reason), payment, now=now)
    return part


def unsettle(
    payment: Payment, *, zone: str, by: str, payments: PaymentStore, ledger: LedgerStore, now: datetime
) -> None:
    """Take a payment back: its allocations end and its entry is reversed today, by the seller's calendar."""
    booked = ledger.entry(entry_id("payment", payment.id))
    if booked is not None:
        ledger.post(reverse(booked, on=local_date(now, zone), reason=f"undone by {by}"), now=now)
    payments.undo(payment, by=by, now=now)
