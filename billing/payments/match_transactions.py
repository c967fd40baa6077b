"""Bank transactions become payments: surely ones at once, the others by a person; every decision can be undone."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.accounting.store import LedgerStore
from billing.invoicing.invoice import Invoice
from billing.invoicing.store import InvoiceStore
from billing.money import Money
from billing.payments.matching import OpenInvoice, OpenInvoices, Proposal, propose_all
from billing.payments.payment import Payment, bank_payment_id
from billing.payments.settle import AUTOMATIC, NothingOpen, open_amount, settle, unsettle
from billing.payments.statement import BookedTransaction
from billing.payments.store import PaymentStore


class CannotMatch(ValueError):
    """This bank transaction cannot pay this invoice; the message says why."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """A bank transaction that waits for a person, with what it may pay."""

    booked: BookedTransaction
    proposal: Proposal


@dataclass(frozen=True, slots=True)
class Matched:
    """A bank transaction that settled an invoice, and how much of it."""

    transaction: UUID
    invoice: UUID
    number: str
    amount: Money


def propose_matches(owner: UUID, *, invoicing: InvoiceStore, payments: PaymentStore) -> list[Proposed]:
    """What each unmatched transaction of `owner` may pay; nothing is decided."""
    booked = payments.bank.unmatched(owner)
    invoices = OpenInvoices(open_invoices(owner, invoicing=invoicing, payments=payments))
    proposals = propose_all([each.transaction for each in booked], invoices)
    return [Proposed(each, proposal) for each, proposal in zip(booked, proposals, strict=True)]


def match_automatically(
    owner: UUID, *, invoicing: InvoiceStore, payments: PaymentStore, ledger: LedgerStore, now: datetime
) -> list[Matched]:
    """Settle what is unique and exact, leave the rest proposed; running again changes nothing. Raises PeriodClosed."""
    payments.bank.lock_matching(owner)
    matched = []
    for proposed in propose_matches(owner, invoicing=invoicing, payments=payments):
        found = proposed.proposal.automatic
        if found is None:
            continue
        reason = "; ".join(proposed.proposal.candidates[0].reasons)
        invoice = invoicing.get(found.id)
        payments.lock_paying(invoice.id)
        if open_amount(invoice, payments) != proposed.booked.transaction.amount:
            continue  # paid by card since we looked: a person decides what this money is
        matched.append(_match(proposed.booked, invoice, AUTOMATIC, reason, payments, ledger, now))
    return matched


def confirm_match(
    transaction_id: UUID,
    invoice_id: UUID,
    *,
    by: str,
    invoicing: InvoiceStore,
    payments: PaymentStore,
    ledger: LedgerStore,
    now: datetime,
) -> Matched:
    """A person decides that the transaction pays the invoice; money beyond what is open stays prepaid.

    Confirming the same again gives the same answer. Raises UnknownTransaction, UnknownInvoice, CannotMatch,
    NothingOpen, PeriodClosed.
    """
    owner, booked = payments.bank.transaction(transaction_id)
    payments.bank.lock_matching(owner)
    invoice = invoicing.get(invoice_id)
    _refuse(owner, booked, invoice)
    if (done := _in_force(transaction_id, payments)) is not None:
        return _as_before(done, invoice, payments)
    if open_amount(invoice, payments).minor <= 0:
        raise NothingOpen(f"nothing is open on invoice {invoice.number or invoice_id}")
    return _match(booked, invoice, by, "confirmed by a person", payments, ledger, now)


def undo_match(
    transaction_id: UUID,
    *,
    by: str,
    invoicing: InvoiceStore,
    payments: PaymentStore,
    ledger: LedgerStore,
    now: datetime,
) -> bool:
    """Take the decision on a transaction back; False when there is none in force. Raises UnknownTransaction."""
    owner, _ = payments.bank.transaction(transaction_id)
    payments.bank.lock_matching(owner)
    payment = _in_force(transaction_id, payments)
    if payment is None:
        return False
    settled = [each.allocation.invoice for each in payments.settled(lessor=owner) if each.payment.id == payment.id]
    zone = invoicing.get(settled[0]).seller.zone if settled else "UTC"
    unsettle(payment, zone=zone, by=by, payments=payments, ledger=ledger, now=now)
    return True


def open_invoices(owner: UUID, *, invoicing: InvoiceStore, payments: PaymentStore) -> list[OpenInvoice]:
    """The issued invoices of `owner` on which something is to be paid."""
    allocated = payments.allocated_to_issued(owner)
    result = []
    for invoice in invoicing.open_invoices():
        if invoice.seller.id != owner or invoice.id not in allocated:
            continue
        left = invoice.total - allocated[invoice.id]
        if left.minor > 0:
            number, reference = invoice.number or "", invoice.reference or ""
            result.append(OpenInvoice(invoice.id, number, reference, left, invoice.buyer.name))
    return result


def _match(
    booked: BookedTransaction,
    invoice: Invoice,
    by: str,
    reason: str,
    payments: PaymentStore,
    ledger: LedgerStore,
    now: datetime,
) -> Matched:
    amount = booked.transaction.amount
    payment = Payment(
        id=bank_payment_id(booked.id, len(payments.payments_of(booked.id))),
        lessor=invoice.seller.id,
        lessee=invoice.buyer.id,
        amount=amount,
        fee=Money(0, amount.currency),
        received_on=booked.booked_on,
        transaction=booked.id,
    )
    part = settle(payment, invoice, by=by, reason=reason, payments=payments, ledger=ledger, now=now)
    assert part is not None, "the lock on matching lets nobody else book this transaction"
    return Matched(booked.id, invoice.id, invoice.number or "", part)


def _refuse(owner: UUID, booked: BookedTransaction, invoice: Invoice) -> None:
    amount = booked.transaction.amount
    if amount.minor <= 0:
        raise CannotMatch("money going out pays no invoice of yours")
    if invoice.seller.id != owner:
        raise CannotMatch(f"invoice {invoice.number} is not one that the account's owner issued")
    if amount.currency != invoice.currency:
        raise CannotMatch(f"the bank line is in {amount.currency}, the invoice in {invoice.currency}")


def _in_force(transaction: UUID, payments: PaymentStore) -> Payment | None:
    return next((each for each in payments.payments_of(transaction) if not each.undone), None)


def _as_before(payment: Payment, invoice: Invoice, payments: PaymentStore) -> Matched:
    for each in payments.settled(invoice=invoice.id):
        if each.payment.id == payment.id and payment.transaction:
            return Matched(payment.transaction, invoice.id, invoice.number or "", each.allocation.amount)
    raise CannotMatch("this bank line pays another invoice already: undo that match first")
