"""Owed: what should be billed for a lease and period, minus what is billed already."""

from collections.abc import Sequence
from dataclasses import replace

from billing.invoicing.invoice import Invoice, Status, same_content
from billing.invoicing.line import InvoiceLine, differences


def owed(wanted: Invoice, billed: Sequence[Invoice]) -> Invoice | None:
    """The draft to save so that everything billed adds up to `wanted`; None when nothing is to be done.

    `wanted` is the whole bill rated from scratch as a draft with ordinal 0; `billed` all invoices there are for the
    same lease and period. An open draft is replaced (and falls back from review, for what was approved has changed;
    a hold stays), or voided when it would have no line left. After issue the difference becomes an adjustment. A void
    invoice bills nothing.
    """
    open_draft = next((invoice for invoice in billed if invoice.status in (Status.DRAFT, Status.REVIEW)), None)
    issued = [invoice for invoice in billed if invoice.status is Status.ISSUED]
    lines = _unbilled(wanted, issued)
    if not open_draft:
        return replace(wanted, ordinal=len(billed), lines=lines) if lines else None
    if not lines:
        return replace(open_draft, status=Status.VOID)
    draft = replace(wanted, ordinal=open_draft.ordinal, lines=lines, held=open_draft.held)
    return None if same_content(draft, open_draft) else draft


def _unbilled(wanted: Invoice, issued: Sequence[Invoice]) -> tuple[InvoiceLine, ...]:
    if not issued:
        return wanted.lines
    return differences(wanted.lines, [line for invoice in issued for line in invoice.lines])
