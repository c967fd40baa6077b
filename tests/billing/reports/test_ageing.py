"""Ageing as a value: buckets, customers without invoices, several currencies."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import Money
from billing.reports.ageing import BUCKETS, IssuedInvoice, ageing, bucket

ON = date(2026, 6, 30)
ONE, OTHER, SILENT = (UUID(int=number) for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("days", "name"),
    [
        (0, "not_due"),
        (1, "1_30"),
        (30, "1_30"),
        (31, "31_60"),
        (60, "31_60"),
        (61, "61_90"),
        (90, "61_90"),
        (91, "over_90"),
    ],
)
def test_each_day_has_its_bucket(days: int, name: str) -> None:
    assert BUCKETS[bucket(days)] == name


def invoice(number: int, customer: UUID, currency: str, days: int, total: int, settled: int) -> IssuedInvoice:
    return IssuedInvoice(
        id=UUID(int=1000 + number),
        number=f"LS{number:06d}",
        customer=customer,
        customer_name=f"Customer {customer.int}",
        invoice_date=ON - timedelta(days=days + 14),
        due_date=ON - timedelta(days=days),
        total=Money(total, currency),
        settled=Money(settled, currency),
    )


INVOICES = st.lists(
    st.tuples(
        st.sampled_from([ONE, OTHER]),
        st.sampled_from(["CNY", "EUR"]),
        st.integers(-20, 200),
        st.integers(-10_000, 10_000),
        st.integers(0, 10_000),
    ),
    max_size=12,
)


@given(INVOICES)
def test_every_open_cent_is_in_one_bucket_of_one_customer(drawn: list[tuple[UUID, str, int, int, int]]) -> None:
    invoices = [invoice(number, *each) for number, each in enumerate(drawn)]
    booked: dict[UUID, list[Money]] = {}
    for customer in (ONE, OTHER):
        for currency in ("CNY", "EUR"):
            mine = [each for each in invoices if (each.customer, each.open.currency) == (customer, currency)]
            booked.setdefault(customer, []).append(Money(sum(each.open.minor for each in mine), currency))
    found = ageing(invoices, on=ON, booked=booked, prepaid={}, names={})
    assert found.agrees
    for currency in ("CNY", "EUR"):
        open_ = sum(each.open.minor for each in invoices if each.open.currency == currency)
        assert sum(part.minor for part in found.totals().get(currency, ())) == open_
    overdue = sum(each.open.minor for each in invoices if each.due_date < ON)
    assert sum(part.minor for customer in found.customers for part in customer.open[1:]) == overdue


def test_who_owes_nothing_but_is_in_the_books_is_there() -> None:
    prepaid, booked = {SILENT: [Money(500, "EUR")]}, {OTHER: [Money(0, "EUR")], ONE: [Money(-7, "EUR")]}
    found = ageing([], on=ON, booked=booked, prepaid=prepaid, names={SILENT: "Silent"})
    assert [(each.name, each.total, each.prepaid.minor, each.difference.minor) for each in found.customers] == [
        (str(ONE), Money(0, "EUR"), 0, -7),
        ("Silent", Money(0, "EUR"), 500, 0),
    ]
    assert not found.agrees
