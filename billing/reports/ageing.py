"""What an owner's customers owe on a day, by how long it has been due, beside what the ledger says they owe."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from billing.money import Money

BUCKETS = ("not_due", "1_30", "31_60", "61_90", "over_90")
_LAST_DAYS = (0, 30, 60, 90)


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuedInvoice:
    """An issued invoice, with what was settled of it by the day asked for."""

    id: UUID
    number: str
    customer: UUID
    customer_name: str
    invoice_date: date
    due_date: date
    total: Money
    settled: Money

    @property
    def open(self) -> Money:
        return self.total - self.settled

    def days_overdue(self, on: date) -> int:
        """Days since the due date; none on it and before."""
        return max((on - self.due_date).days, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """One customer's open amounts in one currency: a sum for each of `BUCKETS`, what is prepaid, what the books say."""

    id: UUID
    name: str
    open: tuple[Money, ...]
    prepaid: Money
    booked: Money

    @property
    def total(self) -> Money:
        return Money(sum(part.minor for part in self.open), self.booked.currency)

    @property
    def difference(self) -> Money:
        """The ledger's receivable less the open invoices: zero."""
        return self.booked - self.total


@dataclass(frozen=True, slots=True)
class Ageing:
    """Open invoices on a day, oldest due date first, and their customers by name and currency."""

    on: date
    customers: tuple[Customer, ...]
    invoices: tuple[IssuedInvoice, ...]

    @property
    def agrees(self) -> bool:
        return not any(each.difference for each in self.customers)

    def totals(self) -> dict[str, tuple[Money, ...]]:
        """The sum of each bucket, a tuple a currency."""
        found: dict[str, tuple[Money, ...]] = {}
        for each in self.customers:
            currency = each.booked.currency
            before = found.get(currency, (Money(0, currency),) * len(BUCKETS))
            found[currency] = tuple(one + other for one, other in zip(before, each.open, strict=True))
        return found

    def to_json(self) -> dict[str, Any]:
        """Amounts as decimals in quotes."""
        return {
            "on": self.on.isoformat(),
            "customers": [_customer(each) for each in self.customers],
            "totals": {currency: _buckets(sums) for currency, sums in self.totals().items()},
            "invoices": [_invoice(each, self.on) for each in self.invoices],
        }


def bucket(days_overdue: int) -> int:
    """The index in `BUCKETS`: 30 days overdue is the last day of the first one."""
    return sum(days_overdue > last for last in _LAST_DAYS)


def ageing(
    invoices: Iterable[IssuedInvoice],
    *,
    on: date,
    booked: Mapping[UUID, Iterable[Money]],
    prepaid: Mapping[UUID, Iterable[Money]],
    names: Mapping[UUID, str],
) -> Ageing:
    """The ageing on a day; `booked` and `prepaid` are the ledger's balances by customer, both positive as owed.

    A customer without an open invoice is there when the books have something of theirs.
    """
    found = sorted((each for each in invoices if each.open), key=lambda each: (each.due_date, each.number))
    called = {each.customer: each.customer_name for each in found}
    owed: dict[tuple[UUID, str], list[IssuedInvoice]] = {}
    for each in found:
        owed.setdefault((each.customer, each.open.currency), []).append(each)
    in_books, before = _by_currency(booked), _by_currency(prepaid)
    keys = set(owed) | {key for sums in (in_books, before) for key, minor in sums.items() if minor}
    customers = [
        Customer(
            id=customer,
            name=called.get(customer) or names.get(customer, str(customer)),
            open=_sums(owed.get((customer, currency), []), currency, on),
            prepaid=Money(before.get((customer, currency), 0), currency),
            booked=Money(in_books.get((customer, currency), 0), currency),
        )
        for customer, currency in keys
    ]
    ordered = sorted(customers, key=lambda each: (each.name, each.booked.currency, each.id))
    return Ageing(on, tuple(ordered), tuple(found))


def _sums(invoices: Iterable[IssuedInvoice], currency: str, on: date) -> tuple[Money, ...]:
    minors = [0] * len(BUCKETS)
    for each in invoices:
        minors[bucket(each.days_overdue(on))] += each.open.minor
    return tuple(Money(minor, currency) for minor in minors)


def _by_currency(balances: Mapping[UUID, Iterable[Money]]) -> dict[tuple[UUID, str], int]:
    return {(party, each.currency): each.minor for party, amounts in balances.items() for each in amounts}


def _customer(each: Customer) -> dict[str, Any]:
    head = {"id": str(each.id), "name": each.name, "currency": each.booked.currency}
    told = {"total": each.total, "prepaid": each.prepaid, "booked": each.booked, "difference": each.difference}
    return head | {"open": _buckets(each.open)} | {name: f"{amount.decimal:f}" for name, amount in told.items()}


def _invoice(each: IssuedInvoice, on: date) -> dict[str, Any]:
    days = {"invoice_date": each.invoice_date.isoformat(), "due_date": each.due_date.isoformat()}
    amounts = {"total": each.total, "settled": each.settled, "open": each.open}
    return {
        "number": each.number,
        "id": str(each.id),
        "customer": each.customer_name,
        **days,
        "days_overdue": each.days_overdue(on),
        "bucket": BUCKETS[bucket(each.days_overdue(on))],
        "currency": each.total.currency,
        **{name: f"{amount.decimal:f}" for name, amount in amounts.items()},
    }


def _buckets(sums: Iterable[Money]) -> dict[str, str]:
    return {name: f"{amount.decimal:f}" for name, amount in zip(BUCKETS, sums, strict=True)}
