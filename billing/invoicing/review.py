"""Review a draft: approve it, put it on hold, release the hold."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from billing.invoicing.invoice import Invoice, Status, WrongStatus
from billing.invoicing.store import InvoiceStore


def approve_invoice(invoice_id: UUID, *, invoicing: InvoiceStore, now: datetime) -> Invoice:
    """Draft -> review: it was looked at and may be issued. Approving again changes nothing. Raises WrongStatus."""
    draft = _open(invoicing.lock_invoice(invoice_id))
    return _step(draft, replace(draft, status=Status.REVIEW), invoicing, now)


def hold_invoice(invoice_id: UUID, reason: str, *, invoicing: InvoiceStore, now: datetime) -> Invoice:
    """Keep the invoice from being issued, for `reason`; closing the period again keeps the hold."""
    if not reason.strip():
        raise ValueError("a hold needs a reason: say what must be settled first")
    draft = _open(invoicing.lock_invoice(invoice_id))
    return _step(draft, replace(draft, held=reason.strip()), invoicing, now)


def release_hold(invoice_id: UUID, *, invoicing: InvoiceStore, now: datetime) -> Invoice:
    """The reason for the hold is settled."""
    draft = _open(invoicing.lock_invoice(invoice_id))
    return _step(draft, replace(draft, held=None), invoicing, now)


def _open(invoice: Invoice) -> Invoice:
    if invoice.status not in (Status.DRAFT, Status.REVIEW):
        raise WrongStatus(f"invoice {invoice.number or invoice.id} is {invoice.status}: its review is over")
    return invoice


def _step(before: Invoice, after: Invoice, invoicing: InvoiceStore, now: datetime) -> Invoice:
    if after != before:
        invoicing.save_step(after, now=now)
    return after
