"""What VAT an owner's issued invoices of some days charge, by category and rate, beside what the ledger has booked."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing.invoicing.line import VatSum
from billing.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoicedVat:
    """One issued invoice's VAT: a sum for each category and rate, rounded once each, as printed on it."""

    invoice: UUID
    number: str
    invoice_date: date
    buyer: str
    buyer_country: str
    buyer_tax_number: str
    currency: str
    sums: tuple[VatSum, ...]


@dataclass(frozen=True, slots=True)
class VatRow:
    """All invoices' VAT of one currency, category and rate."""

    currency: str
    category: str
    rate: Decimal
    net: Money
    tax: Money
    invoices: int


@dataclass(frozen=True, slots=True)
class Compared:
    """The tax that invoices charge, and the tax that the ledger has booked on those days; positive where owed."""

    charged: Money
    booked: Money

    @property
    def difference(self) -> Money:
        return self.booked - self.charged


@dataclass(frozen=True, slots=True, kw_only=True)
class VatReport:
    """`first_day` to `last_day` inclusive, by invoice date in the seller's calendar."""

    first_day: date
    last_day: date
    rows: tuple[VatRow, ...]
    documents: tuple[InvoicedVat, ...]
    compared: tuple[Compared, ...]

    @property
    def agrees(self) -> bool:
        return not any(each.difference for each in self.compared)

    def to_json(self) -> dict[str, Any]:
        """Amounts as decimals in quotes, rates as fractions."""
        return {
            "first_day": self.first_day.isoformat(),
            "last_day": self.last_day.isoformat(),
            "rows": [
                {"currency": row.currency, "category": row.category, "rate": f"{row.rate:f}"}
                | {"net": _told(row.net), "tax": _told(row.tax), "invoices": row.invoices}
                for row in self.rows
            ],
            "ledger": [
                {"currency": each.charged.currency, "charged": _told(each.charged), "booked": _told(each.booked)}
                | {"difference": _told(each.difference)}
                for each in self.compared
            ],
            "documents": [_document(each) for each in self.documents],
        }


def vat_report(
    documents: Iterable[InvoicedVat], booked: Iterable[Money], *, first_day: date, last_day: date
) -> VatReport:
    """The report of `documents`; `booked` is what the ledger's VAT account grew by, one amount a currency."""
    found = tuple(documents)
    rows = tuple(_rows(found))
    in_books = {amount.currency: amount for amount in booked}
    compared = []
    for currency in sorted({row.currency for row in rows} | set(in_books)):
        charged = Money(sum(row.tax.minor for row in rows if row.currency == currency), currency)
        compared.append(Compared(charged, in_books.get(currency, Money(0, currency))))
    return VatReport(first_day=first_day, last_day=last_day, rows=rows, documents=found, compared=tuple(compared))


def _rows(documents: Iterable[InvoicedVat]) -> Iterable[VatRow]:
    groups: dict[tuple[str, Decimal, str], list[VatSum]] = {}
    for document in documents:
        for part in document.sums:
            groups.setdefault((document.currency, -part.rate.normalize(), part.category), []).append(part)
    for (currency, negative_rate, category), parts in sorted(groups.items()):
        net = Money(sum(part.net.minor for part in parts), currency)
        tax = Money(sum(part.tax.minor for part in parts), currency)
        yield VatRow(currency, category, -negative_rate, net, tax, len(parts))


def _document(each: InvoicedVat) -> dict[str, Any]:
    buyer = {"name": each.buyer, "country": each.buyer_country, "tax_number": each.buyer_tax_number}
    sums = [
        {"category": part.category, "rate": f"{part.rate:f}", "net": _told(part.net), "tax": _told(part.tax)}
        for part in each.sums
    ]
    head = {"number": each.number, "invoice_date": each.invoice_date.isoformat(), "id": str(each.invoice)}
    return {**head, "buyer": buyer, "currency": each.currency, "sums": sums}


def _told(amount: Money) -> str:
    return f"{amount.decimal:f}"
