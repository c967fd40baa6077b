"""Issue an invoice: give it a number, freeze it, post it to the ledger, all in the caller's one transaction."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from billing.accounting.rules import entry_for_invoice
from billing.accounting.store import LedgerStore
from billing.invoicing.invoice import Invoice, Status, WrongStatus
from billing.invoicing.numbering import SERIES, invoice_number, local_date
from billing.invoicing.store import InvoiceStore
from billing.payments.reference import creditor_reference


class OnHold(ValueError):
    """The invoice is held: settle the reason and release the hold first."""


def issue_invoice(
    invoice_id: UUID, *, invoicing: InvoiceStore, ledger: LedgerStore, now: datetime, series: str = SERIES
) -> Invoice:
    """The issued invoice; issuing it again gives the same one back.

    It is dated and numbered by the seller's calendar. Raises UnknownInvoice, OnHold, WrongStatus (void, or without a
    line). The counter stays locked until the transaction ends, so issue one invoice a transaction.
    """
    draft = invoicing.lock_invoice(invoice_id)
    if draft.status is Status.ISSUED:
        return draft
    _refuse(draft)
    day = local_date(now, draft.seller.zone)
    number = invoice_number(series, day.year, invoicing.next_count(draft.seller.id, series, day.year))
    issued = replace(
        draft,
        status=Status.ISSUED,
        number=number,
        reference=creditor_reference(number),
        invoice_date=day,
        due_date=day + timedelta(days=draft.terms.due_days),
        issued_at=now,
    )
    invoicing.save_step(issued, now=now)
    _post(issued, ledger, now)
    return issued


def _refuse(draft: Invoice) -> None:
    if draft.held:
        raise OnHold(f"invoice {draft.id} is on hold: {draft.held}")
    if draft.status is Status.VOID:
        raise WrongStatus(f"invoice {draft.id} is void and cannot be issued")
    if not draft.lines:
        raise WrongStatus(f"invoice {draft.id} has no line: there is nothing to issue")


def _post(issued: Invoice, ledger: LedgerStore, now: datetime) -> None:
    assert issued.number
    assert issued.invoice_date
    entry = entry_for_invoice(
        invoice=issued.id,
        number=issued.number,
        owner=issued.seller.id,
        lessee=issued.buyer.id,
        booked_on=issued.invoice_date,
        nets=issued.nets_by_category(),
        tax=issued.tax,
    )
    ledger.post(entry, now=now)
