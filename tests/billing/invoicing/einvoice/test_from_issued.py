"""Invoices of ours as electronic ones: the same cents, credits as allowances, money given back as a credit note."""

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.invoicing.einvoice.electronic_invoice import Days, InvoiceReference
from billing.invoicing.einvoice.fapiao_file import fapiao_from_json
from billing.invoicing.einvoice.formats import Format
from billing.invoicing.einvoice.from_issued import NotEnough, einvoice_of
from billing.invoicing.einvoice.invoice_file import invoice_from_json, invoice_to_json
from billing.invoicing.einvoice.issued_parties import party_of
from billing.invoicing.einvoice.write_einvoice import check_for, write_einvoice
from billing.invoicing.invoice import Invoice, Status, Terms
from billing.invoicing.invoice import Party as Copied
from billing.invoicing.line import InvoiceLine, from_rated
from billing.money import Money
from billing.pricing.measured_json import measured_from_json
from billing.pricing.rating import rate
from billing.pricing.schema import example_text
from billing.pricing.tariff import TariffVersion
from metering.parties.party import Organisation, organisation_id
from tests.billing.invoicing.einvoice.invoices import example

BEFORE = InvoiceReference("LS2026000017", date(2026, 6, 1))
_BILL = rate(
    TariffVersion.from_json(json.loads(example_text("tariff"))), measured_from_json(json.loads(example_text("usage")))
)


def organisation(name: str, **known: str) -> Organisation:
    return Organisation(
        id=organisation_id(name),
        name=name,
        street="Weg 1",
        postcode="70173",
        city="Stuttgart",
        zone="Asia/Shanghai",
        **known,
    )


def issued(lines: tuple[InvoiceLine, ...], currency: str = "CNY") -> Invoice:
    maker = organisation("Maker", vat_id="DE123456789", email="m@maker.example", iban="DE89370400440532013000")
    seller = Copied(maker.id, maker.name, (), "DE", maker.vat_id, maker.email, maker.iban)
    return Invoice(
        lease=UUID(int=1),
        period=_BILL.period,
        ordinal=0,
        status=Status.ISSUED,
        seller=seller,
        buyer=replace(seller, name="Lessee", tax_number="DE987654321", zone="Asia/Shanghai"),
        currency=currency,
        lines=lines,
        terms=Terms("worked", 1, "ab" * 32, "line", "Mill 1", "Asia/Shanghai"),
        number="LS2026000017",
        reference="RF79LS2026000017",
        invoice_date=date(2026, 6, 1),
        due_date=date(2026, 6, 15),
    )


def month() -> Invoice:
    return issued(tuple(from_rated(line) for line in _BILL.lines))


def test_the_worked_month_keeps_its_cents_and_passes() -> None:
    found = einvoice_of(month(), buyer_reference="4711", evidence_url="https://maker.example/evidence")
    assert found.totals.gross == Decimal("16151.39")
    assert [entry.amount for entry in found.allowances] == [Decimal("117.45"), Decimal("418.25")]
    # By the buyer's clock, the last day included.
    assert found.period == Days(date(2026, 3, 1), date(2026, 3, 31))
    assert {line.unit for line in found.lines} >= {"HUR", "KMT", "KWH", "C62"}
    for wanted in (Format.UBL, Format.CII):
        assert [str(error) for group in check_for(found, wanted) for error in group.errors] == []
    assert invoice_from_json(json.loads(json.dumps(invoice_to_json(found)))) == found


def test_what_is_lacking_is_named_by_the_formats_check() -> None:
    found = einvoice_of(month())
    lacking = {error.path for group in check_for(found, Format.XRECHNUNG) for error in group.errors}
    assert lacking == {
        ".buyer_reference",
        ".seller.contact.name",
        ".seller.contact.phone",
        *(f".{who}.address.{name}" for who in ("seller", "buyer") for name in ("city", "postcode")),
    }
    told = party_of(
        organisation("Maker", vat_id="DE123456789", email="m@m.example"), contact="Eva", phone="+49 711 1234"
    )
    whole = einvoice_of(month(), seller=told, buyer=told, buyer_reference="4711")
    assert b"xrechnung_3.0" in write_einvoice(whole, Format.XRECHNUNG)


def test_it_becomes_a_chinese_one_with_goods_codes_by_category() -> None:
    tax = organisation("机床租赁", country="CN", vat_id="91320594MA1ABCDE2X")
    found = einvoice_of(
        month(), seller=party_of(tax), buyer=party_of(tax), fapiao=fapiao_from_json(example("fapiao")["fapiao"])
    )
    assert json.loads(write_einvoice(found, Format.FAPIAO))["价税合计"] == "16151.39"


def test_drafts_and_corrections_without_what_they_correct_are_refused() -> None:
    with pytest.raises(NotEnough, match="issue it first"):
        einvoice_of(replace(month(), status=Status.DRAFT))
    back = replace(month(), lines=tuple(replace(line, amount=-line.amount) for line in month().lines))
    with pytest.raises(NotEnough, match="preceding"):
        einvoice_of(back)
    credit = einvoice_of(back, preceding=BEFORE)
    assert (credit.type, credit.totals.gross) == ("381", Decimal("16151.39"))
    assert credit.payment is not None
    assert credit.payment.code == "97"


def _lines() -> st.SearchStrategy[tuple[InvoiceLine, ...]]:
    one = st.builds(
        lambda minor, vat, quantity, price: InvoiceLine(
            "c", "Charge", "service", quantity, "h", price, "", Money(minor, "EUR"), *vat
        ),
        st.integers(-10_000, 90_000),
        st.sampled_from((("S", Decimal("0.19")), ("S", Decimal("0.07")), ("E", Decimal(0)), ("AE", Decimal(0)))),
        st.none() | st.decimals(0, 100, places=4),
        st.none() | st.decimals(-5, 100, places=2),
    )
    return st.lists(one, min_size=1, max_size=6).map(tuple)


@settings(max_examples=60, deadline=None)
@given(lines=_lines())
def test_every_invoice_keeps_its_sums_and_passes(lines: tuple[InvoiceLine, ...]) -> None:
    invoice = issued(lines, "EUR")
    found = einvoice_of(invoice, preceding=BEFORE, exemptions={"E": "Exempt by law"})
    sign = -1 if found.is_credit_note else 1
    assert (found.totals.net, found.totals.tax) == (sign * invoice.net.decimal, sign * invoice.tax.decimal)
    if found.lines:
        assert [str(error) for group in check_for(found, Format.UBL) for error in group.errors] == []
