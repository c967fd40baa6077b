"""What the books page shows, built from reports."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app.pages.format import State, amount
from billing.accounting.journal import Format
from billing.money import Money
from billing.reports.ageing import BUCKETS, Ageing, Customer, IssuedInvoice, bucket
from billing.reports.vat import Compared, VatReport, VatRow

_FORMATS = {
    Format.XLSX: "Workbook (XLSX)",
    Format.CSV: "CSV",
    Format.HLEDGER: "hledger",
    Format.LEDGER: "ledger",
    Format.BEANCOUNT: "beancount",
    Format.DATEV: "Posting file, DATEV style",
    Format.SAP: "Posting file, SAP style",
    Format.JSON: "JSON",
}
_BUCKETS = dict(zip(BUCKETS, ("Not due", "1-30 days", "31-60 days", "61-90 days", "Over 90 days"), strict=True))
_CATEGORIES = {
    "S": "Standard or reduced rate",
    "Z": "Zero rate",
    "E": "Exempt",
    "AE": "Reverse charge",
    "K": "Delivery within the EU",
    "G": "Export",
    "O": "Outside the scope of VAT",
}
_MOST_INVOICES = 200


@dataclass(frozen=True, slots=True)
class VatLine:
    category: str
    meaning: str
    rate: str
    net: str
    tax: str
    currency: str
    invoices: int


@dataclass(frozen=True, slots=True)
class Agreement:
    """One currency's figure from documents beside the ledger's."""

    documents: str
    ledger: str
    currency: str
    state: State


@dataclass(frozen=True, slots=True)
class CustomerLine:
    name: str
    currency: str
    buckets: tuple[str, ...]
    total: str
    prepaid: str
    state: State


@dataclass(frozen=True, slots=True)
class OpenLine:
    id: UUID
    number: str
    customer: str
    due: str
    overdue: State
    open: str


@dataclass(frozen=True, slots=True)
class BooksPage:
    """`start` and `end` as date fields want them, the second not included; `on` the day of the ageing."""

    start: str
    end: str
    on: str
    formats: tuple[tuple[str, str], ...]
    vat: tuple[VatLine, ...]
    vat_agreement: tuple[Agreement, ...]
    buckets: tuple[str, ...]
    customers: tuple[CustomerLine, ...]
    totals: tuple[tuple[str, tuple[str, ...], str], ...]
    open: tuple[OpenLine, ...]
    left_out: int


def books_page(vat: VatReport, ageing: Ageing) -> BooksPage:
    """The page from both reports."""
    return BooksPage(
        start=vat.first_day.isoformat(),
        end=(vat.last_day + timedelta(days=1)).isoformat(),
        on=ageing.on.isoformat(),
        formats=tuple((form.value, label) for form, label in _FORMATS.items()),
        vat=tuple(_vat_line(row) for row in vat.rows),
        vat_agreement=tuple(_agreement(each) for each in vat.compared),
        buckets=tuple(_BUCKETS.values()),
        customers=tuple(_customer(each) for each in ageing.customers),
        totals=tuple(_total(currency, sums) for currency, sums in ageing.totals().items()),
        open=tuple(_open(each, ageing) for each in ageing.invoices[:_MOST_INVOICES]),
        left_out=max(len(ageing.invoices) - _MOST_INVOICES, 0),
    )


def _vat_line(row: VatRow) -> VatLine:
    meaning, rate = _CATEGORIES.get(row.category, ""), f"{row.rate * 100:f} %"
    return VatLine(row.category, meaning, rate, amount(row.net), amount(row.tax), row.currency, row.invoices)


def _agreement(each: Compared) -> Agreement:
    state = _state(each.difference)
    return Agreement(amount(each.charged), amount(each.booked), each.charged.currency, state)


def _customer(each: Customer) -> CustomerLine:
    buckets = tuple(amount(part) for part in each.open)
    total, prepaid = amount(each.total), amount(each.prepaid)
    return CustomerLine(each.name, each.booked.currency, buckets, total, prepaid, _state(each.difference))


def _state(difference: Money) -> State:
    return State(f"ledger differs by {difference}", "bad") if difference else State("as in the ledger", "good")


def _total(currency: str, sums: Iterable[Money]) -> tuple[str, tuple[str, ...], str]:
    parts = list(sums)
    return currency, tuple(amount(part) for part in parts), amount(Money(sum(part.minor for part in parts), currency))


def _open(each: IssuedInvoice, ageing: Ageing) -> OpenLine:
    days = each.days_overdue(ageing.on)
    late = "day" if days == 1 else "days"
    overdue = State(f"{days} {late} overdue", "bad" if bucket(days) > 1 else "warn") if days else State("not due")
    return OpenLine(each.id, each.number, each.customer_name, each.due_date.isoformat(), overdue, str(each.open))
