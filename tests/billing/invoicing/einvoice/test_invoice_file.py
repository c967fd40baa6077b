"""INVOICE.json: what is read, what is worked out, and how wrong fields are told."""

import json
from dataclasses import fields, is_dataclass
from decimal import Decimal
from typing import Any, get_args, get_type_hints

import jsonschema
import pytest

from app.cli.json_file import packaged
from billing.invoicing.einvoice.electronic_invoice import ElectronicInvoice
from billing.invoicing.einvoice.formats import FLAVOURS, Format, check
from billing.invoicing.einvoice.invoice_file import invoice_from_json
from billing.pricing.fields import InvalidInput
from tests.billing.invoicing.einvoice.invoices import EXAMPLES, at, example, parsed


def rules(document: dict[str, Any], wanted: Format, *, warnings: bool = False) -> set[str]:
    groups = check(parsed(document), FLAVOURS[wanted])
    return {found.rule for group in groups for found in (group.findings if warnings else group.errors)}


def test_the_worked_month_comes_to_the_cent() -> None:
    totals = parsed(example()).totals
    assert (totals.net, totals.tax, totals.gross) == (Decimal("14330.43"), Decimal("2722.78"), Decimal("17053.21"))
    chinese = parsed(example("fapiao"))
    assert [part.tax for part in chinese.vat] == [Decimal("1784.96"), Decimal("36.00")]
    assert chinese.totals.gross == Decimal("16151.39")


def test_the_examples_fit_the_schema_and_the_schema_the_reader() -> None:
    schema = json.loads(packaged("billing.invoicing.einvoice", "schemas", "einvoice"))
    for name in EXAMPLES:
        if name != "goods":
            jsonschema.validate(example(name), schema)
    known = schema["properties"], schema["$defs"]
    told = {name for part in (known[0], *(each.get("properties", {}) for each in known[1].values())) for name in part}
    assert _names(ElectronicInvoice) - told == set()
    assert example("goods")["goods"]


def _names(kind: type) -> set[str]:
    found = set()
    for field, hint in ((field.name, get_type_hints(kind)[field.name]) for field in fields(kind)):
        found.add(field)
        for inner in (hint, *get_args(hint)):
            if isinstance(inner, type) and is_dataclass(inner):
                found |= _names(inner)
    return found


def test_every_wrong_field_is_named_at_once() -> None:
    document = at(at(at(example(), "lines.1.price", 18.0), "buyer.address.country", None), "typo", "x")
    document = at(at(document, "lines.0.vat", {"category": "S"}), "lines.2.price_base", "0")
    document = at(document, "seller.name", "Not in XML: \ufffe")
    with pytest.raises(InvalidInput) as refused:
        invoice_from_json(document)
    told = {problem.path: problem.message for problem in refused.value.problems}
    assert set(told) == {
        *(".seller.name", ".buyer.address.country", ".typo"),
        *(".lines[0].vat.rate", ".lines[1].price", ".lines[2].price_base"),
    }
    assert "in quotes" in told[".lines[1].price"]


def test_amounts_that_are_left_out_are_worked_out_and_those_that_are_there_are_kept() -> None:
    line = {"name": "a", "quantity": "2.5", "unit": "HUR", "price": "1.01", "vat": {"category": "S", "rate": "19"}}
    document = {**example(), "allowances": [], "lines": [line], "totals": {"prepaid": "1.00", "rounding": "0.02"}}
    totals = parsed(document).totals
    # 2.525 is rounded up, 0.4807 down.
    assert (totals.lines, totals.tax, totals.due) == (Decimal("2.53"), Decimal("0.48"), Decimal("2.03"))
    assert parsed(at(document, "totals.gross", "9.99")).totals.gross == Decimal("9.99")


def test_rates_are_one_however_they_are_spelt() -> None:
    document = at(example(), "lines.0.vat.rate", "19")
    assert len(parsed(document).vat) == 1
    assert rules(document, Format.UBL) == set()


def test_currencies_keep_their_places() -> None:
    line = {"name": "a", "quantity": "3", "unit": "HUR", "price": "0.5", "vat": {"category": "S", "rate": "10"}}
    yen = {**example(), "currency": "JPY", "allowances": [], "lines": [line]}
    assert parsed(yen).totals.gross == 2  # 1.5 yen is 2, its tax of 0.2 none
    assert rules(yen, Format.UBL) == set()
    assert rules(at(yen, "lines.0.net", "1.50"), Format.UBL) == {"CENT-01", "CENT-02"}
    assert "PEPPOL-EN16931-R120" in rules(yen, Format.PEPPOL)
    dinar = {**yen, "currency": "KWD", "lines": [{**line, "net": "1.505", "price": "0.501667"}]}
    assert "BR-DEC-23" in rules(dinar, Format.UBL)


_ALLOWED = {"reason": "Rebate", "vat": {"category": "S", "rate": "19"}}
_DEBIT = {"code": "59", "mandate": "M-1", "creditor_id": "DE98ZZZ", "debited_account": "DE89370400440532013000"}
NATIONAL = [
    ("PEPPOL-EN16931-R002", Format.PEPPOL, "buyer.address.country", "FR"),
    ("PEPPOL-EN16931-R003", Format.PEPPOL, "buyer_reference", None),
    ("PEPPOL-EN16931-R010", Format.PEPPOL, "buyer.electronic_address", None),
    ("PEPPOL-EN16931-CL008", Format.PEPPOL, "buyer.electronic_address.scheme", "EM"),
    ("PEPPOL-COMMON-R040", Format.PEPPOL, "buyer.ids", [{"value": "4012345000008", "scheme": "0088"}]),
    ("PEPPOL-EN16931-R042", Format.PEPPOL, "allowances.0.base", "100.00"),
    ("PEPPOL-EN16931-R046", Format.PEPPOL, "lines.0.gross_price", "1.00"),
    ("PEPPOL-EN16931-R061", Format.PEPPOL, "payment", {"code": "49"}),
    ("PEPPOL-EN16931-R110", Format.PEPPOL, "lines.0.period", {"first": "2026-04-30"}),
    ("PEPPOL-EN16931-P0104", Format.PEPPOL, "vat", [{"category": "S", "rate": "19", "reason_code": "VATEX-EU-G"}]),
    ("PEPPOL-EN16931-R005", Format.PEPPOL, "vat_currency", "EUR"),
    ("PEPPOL-EN16931-R020", Format.PEPPOL, "seller.electronic_address", None),
    (
        "PEPPOL-EN16931-R040",
        Format.PEPPOL,
        "allowances.0",
        {**_ALLOWED, "amount": "5.00", "base": "100", "percent": "4"},
    ),
    ("PEPPOL-EN16931-R041", Format.PEPPOL, "allowances.0.percent", "3"),
    ("PEPPOL-EN16931-R111", Format.PEPPOL, "lines.0.period", {"last": "2026-06-01"}),
    ("PEPPOL-EN16931-R120", Format.PEPPOL, "lines.0.net", "6970.80"),
    ("DE-R-002", Format.PEPPOL, "seller.contact", None),
    ("BR-DE-1", Format.XRECHNUNG, "payment", None),
    ("BR-DE-2", Format.XRECHNUNG, "seller.contact", None),
    ("BR-DE-3", Format.XRECHNUNG, "seller.address.city", None),
    ("BR-DE-4", Format.XRECHNUNG, "seller.address.postcode", None),
    ("BR-DE-5", Format.XRECHNUNG, "seller.contact.name", None),
    ("BR-DE-7", Format.XRECHNUNG, "seller.contact.email", None),
    ("BR-DE-8", Format.XRECHNUNG, "buyer.address.city", None),
    ("BR-DE-11", Format.XRECHNUNG, "delivery", {"address": {"country": "DE", "city": "Aalen"}}),
    ("BR-DE-16", Format.XRECHNUNG, "seller.vat_id", None),
    ("BR-DE-18", Format.XRECHNUNG, "cash_discounts", [{"days": 7, "percent": "2.125"}]),
    ("BR-DE-20", Format.XRECHNUNG, "payment", {**_DEBIT, "debited_account": "DE00"}),
    ("BR-DE-24", Format.XRECHNUNG, "payment.code", "48"),
    ("BR-DE-27", Format.XRECHNUNG, "seller.contact.phone", "12"),
    ("BR-DE-30", Format.XRECHNUNG, "payment", {**_DEBIT, "creditor_id": ""}),
    ("BR-DE-31", Format.XRECHNUNG, "payment", {**_DEBIT, "debited_account": ""}),
    ("BR-TMP-2", Format.XRECHNUNG, "documents.0.url", "evidence.zip"),
    ("BR-DE-6", Format.XRECHNUNG, "seller.contact.phone", None),
    ("BR-DE-9", Format.XRECHNUNG, "buyer.address.postcode", None),
    ("BR-DE-10", Format.XRECHNUNG, "delivery", {"address": {"country": "DE", "postcode": "1"}}),
    ("BR-DE-15", Format.XRECHNUNG, "buyer_reference", None),
    ("BR-DE-19", Format.XRECHNUNG, "payment.account", "DE89370400440532013001"),
    ("BR-DE-23", Format.XRECHNUNG, "payment.mandate", "M-1"),
    ("BR-DE-25", Format.XRECHNUNG, "payment.code", "59"),
    ("BR-DE-26", Format.XRECHNUNG, "type", "384"),
    ("BR-DE-28", Format.XRECHNUNG, "seller.contact.email", "eva at home"),
    ("BR-DE-TMP-32", Format.XRECHNUNG, "period", None),
]


@pytest.mark.parametrize(("rule", "wanted", "path", "value"), NATIONAL, ids=[rule for rule, *_ in NATIONAL])
def test_national_rules_by_id(rule: str, wanted: Format, path: str, value: Any) -> None:
    document = {**example(), "notes": ["one", "two"]}
    assert rules(document, wanted, warnings=True) == set()
    assert rule in rules(at(document, path, value), wanted, warnings=True)


def test_corrected_invoices_travel_between_german_parties_only() -> None:
    document = at(at(example(), "type", "384"), "preceding", [{"number": "LS1"}])
    assert rules(document, Format.PEPPOL, warnings=True) == set()
    assert rules(at(document, "buyer.address.country", "FR"), Format.PEPPOL) == {"PEPPOL-EN16931-P0112"}


def test_identifiers_with_check_digits() -> None:
    good = {
        "0088": "4012345000009",
        "0192": "923609016",
        "0184": "DK12345674",
        "0208": "0203201340",
        "0007": "5560360793",
    }
    for scheme, value in good.items():
        for number, expected in ((value, False), (value[:-1] + str((int(value[-1]) + 1) % 10), scheme != "0184")):
            document = at(example(), "buyer.ids", [{"value": number, "scheme": scheme}])
            found = {rule for rule in rules(document, Format.PEPPOL) if rule.startswith("PEPPOL-COMMON")}
            assert bool(found) == expected, (scheme, number)
