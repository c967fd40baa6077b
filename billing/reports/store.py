"""The sums that reports are made from, worked out by the database."""

from collections.abc import Iterable
from datetime import date, timedelta
from itertools import groupby
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, or_
from sqlmodel import Session, col, select

from billing.invoicing.line import VatSum
from billing.invoicing.tables import InvoiceLineRow, InvoiceRow
from billing.money import Money
from billing.payments.tables import AllocationRow, PaymentRow
from billing.pricing.local_clock import midnight
from billing.reports.ageing import IssuedInvoice
from billing.reports.vat import InvoicedVat

_ISSUED = "issued"


class ReportStore:
    """An owner's issued invoices within one transaction, summed up."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def vat(self, owner: UUID, first_day: date, last_day: date) -> list[InvoicedVat]:
        """The VAT of every invoice dated from `first_day` to `last_day` inclusive, by number."""
        net = func.sum(col(InvoiceLineRow.amount_minor))
        group = (col(InvoiceLineRow.vat_category), col(InvoiceLineRow.vat_rate))
        query = (
            select(InvoiceRow, *group, net)
            .join(InvoiceLineRow, col(InvoiceLineRow.invoice_id) == col(InvoiceRow.id))
            .where(
                InvoiceRow.lessor_id == owner,
                InvoiceRow.status == _ISSUED,
                col(InvoiceRow.invoice_date).between(first_day, last_day),
            )
            .group_by(col(InvoiceRow.id), *group)
            .order_by(col(InvoiceRow.invoice_date), col(InvoiceRow.number), col(InvoiceRow.id), *group)
        )
        rows = groupby(self._session.exec(query), key=lambda row: row[0])
        return [_invoiced(head, list(parts)) for head, parts in rows]

    def receivables(self, owner: UUID, on: date, zone: str) -> list[IssuedInvoice]:
        """Every invoice dated up to `on`, with what was settled of it at the end of that day in `zone`."""
        day_ends = midnight(on + timedelta(days=1), ZoneInfo(zone))
        in_force = or_(col(AllocationRow.undone_at).is_(None), col(AllocationRow.undone_at) >= day_ends)
        settled = (
            select(col(AllocationRow.invoice_id), func.sum(col(AllocationRow.amount_minor)).label("minor"))
            .join(PaymentRow, col(PaymentRow.id) == col(AllocationRow.payment_id))
            .where(AllocationRow.lessor_id == owner, col(PaymentRow.received_on) <= on, in_force)
            .group_by(col(AllocationRow.invoice_id))
            .subquery()
        )
        query = (
            select(InvoiceRow, func.coalesce(settled.c.minor, 0))
            .outerjoin(settled, settled.c.invoice_id == col(InvoiceRow.id))
            .where(
                and_(col(InvoiceRow.lessor_id) == owner, col(InvoiceRow.status) == _ISSUED),
                col(InvoiceRow.invoice_date) <= on,
            )
        )
        return [_issued(row, int(minor)) for row, minor in self._session.exec(query)]


def _invoiced(head: InvoiceRow, parts: Iterable[Any]) -> InvoicedVat:
    assert head.number
    assert head.invoice_date
    sums = []
    for _, category, rate, minor in parts:
        net = Money(int(minor), head.currency)
        sums.append(VatSum(category, rate, net, Money.of(net.decimal * rate, head.currency)))
    return InvoicedVat(
        invoice=head.id,
        number=head.number,
        invoice_date=head.invoice_date,
        buyer=head.buyer["name"],
        buyer_country=head.buyer["country"],
        buyer_tax_number=head.buyer["tax_number"],
        currency=head.currency,
        sums=tuple(sums),
    )


def _issued(row: InvoiceRow, settled_minor: int) -> IssuedInvoice:
    assert row.number
    assert row.invoice_date
    assert row.due_date
    return IssuedInvoice(
        id=row.id,
        number=row.number,
        customer=row.lessee_id,
        customer_name=row.buyer["name"],
        invoice_date=row.invoice_date,
        due_date=row.due_date,
        total=Money(row.total_minor, row.currency),
        settled=Money(settled_minor, row.currency),
    )
