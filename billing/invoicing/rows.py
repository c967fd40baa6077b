"""Between the invoice's value and its rows; used by the store only."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from billing.invoicing.invoice import Invoice, Status
from billing.invoicing.invoice_json import party_from, party_object, terms_from, terms_object
from billing.invoicing.line import InvoiceLine
from billing.invoicing.tables import InvoiceLineRow, InvoiceRow
from billing.money import Money
from billing.pricing.measured import EvidenceRange
from metering.period import Period


def invoice_row(invoice: Invoice, *, now: datetime) -> dict[str, Any]:
    """The columns of the invoice's row; `now` is when it is saved."""
    return {
        "id": invoice.id,
        "lease_id": invoice.lease,
        "lessor_id": invoice.seller.id,
        "lessee_id": invoice.buyer.id,
        "period_start": invoice.period.start,
        "period_end": invoice.period.end,
        "ordinal": invoice.ordinal,
        "status": invoice.status.value,
        "number": invoice.number,
        "reference": invoice.reference,
        "invoice_date": invoice.invoice_date,
        "due_date": invoice.due_date,
        "currency": invoice.currency,
        "net_minor": invoice.net.minor,
        "tax_minor": invoice.tax.minor,
        "total_minor": invoice.total.minor,
        "seller": party_object(invoice.seller),
        "buyer": party_object(invoice.buyer),
        "terms": terms_object(invoice.terms),
        "replayed": invoice.replayed,
        "held": invoice.held,
        "saved_at": now,
        "issued_at": invoice.issued_at,
        "known_at": invoice.known_at,
    }


def line_rows(invoice: Invoice) -> list[dict[str, Any]]:
    """The columns of the lines' rows, in the order of the invoice."""
    return [
        {
            "invoice_id": invoice.id,
            "position": position,
            "lessor_id": invoice.seller.id,
            "lessee_id": invoice.buyer.id,
            "code": line.code,
            "description": line.description,
            "category": line.category,
            "quantity": line.quantity,
            "unit": line.unit,
            "price": line.price,
            "precise": line.precise,
            "amount_minor": line.amount.minor,
            "vat_category": line.vat_category,
            "vat_rate": line.vat_rate,
            "working": list(line.working),
            "evidence": [[item.meter, item.first, item.last] for item in line.evidence],
        }
        for position, line in enumerate(invoice.lines, start=1)
    ]


def invoice_value(row: InvoiceRow, lines: Iterable[InvoiceLineRow]) -> Invoice:
    """The invoice of a row and its lines in order."""
    return Invoice(
        lease=row.lease_id,
        period=Period(row.period_start, row.period_end),
        ordinal=row.ordinal,
        status=Status(row.status),
        seller=party_from(row.seller),
        buyer=party_from(row.buyer),
        currency=row.currency,
        lines=tuple(_line(line, row.currency) for line in lines),
        terms=terms_from(row.terms),
        replayed=row.replayed,
        number=row.number,
        reference=row.reference,
        invoice_date=row.invoice_date,
        due_date=row.due_date,
        held=row.held,
        issued_at=row.issued_at,
        known_at=row.known_at,
    )


def _line(row: InvoiceLineRow, currency: str) -> InvoiceLine:
    return InvoiceLine(
        code=row.code,
        description=row.description,
        category=row.category,
        quantity=row.quantity,
        unit=row.unit,
        price=row.price,
        precise=row.precise,
        amount=Money(row.amount_minor, currency),
        vat_category=row.vat_category,
        vat_rate=row.vat_rate,
        working=tuple(row.working),
        evidence=tuple(EvidenceRange(*item) for item in row.evidence),
    )
