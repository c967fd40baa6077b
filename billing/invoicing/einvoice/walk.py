"""The parts of an invoice with their paths in INVOICE.json, for the rules to walk over."""

from collections.abc import Iterator
from decimal import Decimal

from billing.invoicing.einvoice.electronic_invoice import (
    Address,
    AllowanceCharge,
    Days,
    ElectronicInvoice,
    Identifier,
    Party,
    Vat,
)


def parties(invoice: ElectronicInvoice) -> Iterator[tuple[str, Party]]:
    yield ".seller", invoice.seller
    yield ".buyer", invoice.buyer


def addresses(invoice: ElectronicInvoice) -> Iterator[tuple[str, Address]]:
    for path, party in parties(invoice):
        yield f"{path}.address", party.address
    if invoice.delivery and invoice.delivery.address:
        yield ".delivery.address", invoice.delivery.address


def of_document(invoice: ElectronicInvoice) -> Iterator[tuple[str, AllowanceCharge]]:
    """Allowances and charges of the whole document."""
    for index, entry in enumerate(invoice.allowances):
        yield f".allowances[{index}]", entry
    for index, entry in enumerate(invoice.charges):
        yield f".charges[{index}]", entry


def of_lines(invoice: ElectronicInvoice) -> Iterator[tuple[str, AllowanceCharge]]:
    """Allowances and charges of the lines."""
    for at, line in enumerate(invoice.lines):
        for index, entry in enumerate(line.allowances):
            yield f".lines[{at}].allowances[{index}]", entry
        for index, entry in enumerate(line.charges):
            yield f".lines[{at}].charges[{index}]", entry


def vats(invoice: ElectronicInvoice) -> Iterator[tuple[str, Vat]]:
    """The VAT category of every line, allowance and charge."""
    for index, line in enumerate(invoice.lines):
        yield f".lines[{index}].vat", line.vat
    for path, entry in of_document(invoice):
        if entry.vat:
            yield f"{path}.vat", entry.vat


def periods(invoice: ElectronicInvoice) -> Iterator[tuple[str, Days]]:
    if invoice.period:
        yield ".period", invoice.period
    for index, line in enumerate(invoice.lines):
        if line.period:
            yield f".lines[{index}].period", line.period


def identifiers(invoice: ElectronicInvoice) -> Iterator[tuple[str, Identifier]]:
    """Identifiers of parties whose scheme is an ISO 6523 code: ids and registrations."""
    for path, party in parties(invoice):
        for index, found in enumerate(party.ids):
            yield f"{path}.ids[{index}]", found
        if party.registration:
            yield f"{path}.registration", party.registration


def amounts_of(invoice: ElectronicInvoice) -> Iterator[tuple[str, str, Decimal]]:
    """Every amount with its path and the number of the rule that limits its decimals (BR-DEC-nn)."""
    for at, line in enumerate(invoice.lines):
        yield f".lines[{at}].net", "23", line.net
    for path, entry in (*of_document(invoice), *of_lines(invoice)):
        of_line, is_charge = path.startswith(".lines"), ".charges" in path
        first = (27 if is_charge else 24) if of_line else (5 if is_charge else 1)
        yield f"{path}.amount", f"{first:02d}", entry.amount
        if entry.base is not None:
            yield f"{path}.base", f"{first + 1:02d}", entry.base
    for index, part in enumerate(invoice.vat):
        yield f".vat[{index}].taxable", "19", part.taxable
        yield f".vat[{index}].tax", "20", part.tax
    totals = invoice.totals
    for number, (name, amount) in {
        "09": ("lines", totals.lines),
        "10": ("allowances", totals.allowances),
        "11": ("charges", totals.charges),
        "12": ("net", totals.net),
        "13": ("tax", totals.tax),
        "14": ("gross", totals.gross),
        "16": ("prepaid", totals.prepaid),
        "17": ("rounding", totals.rounding),
        "18": ("due", totals.due),
    }.items():
        yield f".totals.{name}", number, amount
    if invoice.tax_in_vat_currency is not None:
        yield ".tax_in_vat_currency", "15", invoice.tax_in_vat_currency
