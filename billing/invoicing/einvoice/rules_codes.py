"""Codes must come from the lists that EN 16931 names (BR-CL-*)."""

from collections.abc import Callable, Iterator

from billing.invoicing.einvoice import walk
from billing.invoicing.einvoice.code_lists import codes
from billing.invoicing.einvoice.electronic_invoice import ElectronicInvoice
from billing.invoicing.einvoice.rule import Broken, RuleBook

BOOK = RuleBook("EN 16931, code lists")
_Coded = Callable[[ElectronicInvoice], Iterator[tuple[str, str]]]


def _listed(rule_id: str, of_list: str, what: str, found: _Coded) -> None:
    @BOOK.rule(rule_id, what)
    def _broken(invoice: ElectronicInvoice) -> Iterator[Broken]:
        for path, code in found(invoice):
            if code and code not in codes(of_list):
                yield path, f"{code!r} is not a code of the list: {what}"


def _currencies(invoice: ElectronicInvoice) -> Iterator[tuple[str, str]]:
    yield ".currency", invoice.currency
    yield ".vat_currency", invoice.vat_currency


def _countries(invoice: ElectronicInvoice) -> Iterator[tuple[str, str]]:
    for path, address in walk.addresses(invoice):
        yield f"{path}.country", address.country


def _origins(invoice: ElectronicInvoice) -> Iterator[tuple[str, str]]:
    for index, line in enumerate(invoice.lines):
        yield f".lines[{index}].origin_country", line.origin_country


def _units(invoice: ElectronicInvoice) -> Iterator[tuple[str, str]]:
    for index, line in enumerate(invoice.lines):
        yield f".lines[{index}].unit", line.unit


def _payment(invoice: ElectronicInvoice) -> Iterator[tuple[str, str]]:
    if invoice.payment:
        yield ".payment.code", invoice.payment.code


def _reasons(kind: str) -> _Coded:
    def found(invoice: ElectronicInvoice) -> Iterator[tuple[str, str]]:
        for path, entry in (*walk.of_document(invoice), *walk.of_lines(invoice)):
            if kind in path:
                yield f"{path}.reason_code", entry.reason_code

    return found


def _electronic(invoice: ElectronicInvoice) -> Iterator[tuple[str, str]]:
    for path, party in walk.parties(invoice):
        if party.electronic_address:
            yield f"{path}.electronic_address.scheme", party.electronic_address.scheme


def _schemes(registrations: bool) -> _Coded:
    def found(invoice: ElectronicInvoice) -> Iterator[tuple[str, str]]:
        for path, identifier in walk.identifiers(invoice):
            if path.endswith("registration") == registrations:
                yield f"{path}.scheme", identifier.scheme

    return found


def _location(invoice: ElectronicInvoice) -> Iterator[tuple[str, str]]:
    if invoice.delivery and invoice.delivery.location:
        yield ".delivery.location.scheme", invoice.delivery.location.scheme


def _items(invoice: ElectronicInvoice) -> Iterator[tuple[str, str]]:
    for index, line in enumerate(invoice.lines):
        if line.standard_item:
            yield f".lines[{index}].standard_item.scheme", line.standard_item.scheme


def _classes(invoice: ElectronicInvoice) -> Iterator[tuple[str, str]]:
    for index, line in enumerate(invoice.lines):
        for at, found in enumerate(line.classifications):
            yield f".lines[{index}].classifications[{at}].scheme", found.scheme


def _objects(invoice: ElectronicInvoice) -> Iterator[tuple[str, str]]:
    if invoice.object:
        yield ".object.scheme", invoice.object.scheme
    for index, line in enumerate(invoice.lines):
        if line.object:
            yield f".lines[{index}].object.scheme", line.object.scheme


def _exemptions(invoice: ElectronicInvoice) -> Iterator[tuple[str, str]]:
    for index, part in enumerate(invoice.vat):
        yield f".vat[{index}].reason_code", part.reason_code


_listed("BR-CL-04", "currency", "a currency is an ISO 4217 code", _currencies)
_listed("BR-CL-07", "object", "an invoiced object's scheme is a code of UNTDID 1153", _objects)
_listed("BR-CL-10", "party_id", "a party id's scheme is an ISO 6523 code", _schemes(False))
_listed("BR-CL-11", "party_id", "a registration's scheme is an ISO 6523 code", _schemes(True))
_listed("BR-CL-13", "classification", "a classification's scheme is a code of UNTDID 7143", _classes)
_listed("BR-CL-14", "country", "a country is an ISO 3166-1 alpha-2 code", _countries)
_listed("BR-CL-15", "country", "a country of origin is an ISO 3166-1 alpha-2 code", _origins)
_listed("BR-CL-16", "payment", "a payment means is a code of UNTDID 4461", _payment)
_listed("BR-CL-19", "allowance", "an allowance's reason code is one of UNTDID 5189", _reasons(".allowances"))
_listed("BR-CL-20", "charge", "a charge's reason code is one of UNTDID 7161", _reasons(".charges"))
_listed("BR-CL-21", "item_id", "a standard item's scheme is an ISO 6523 code", _items)
_listed("BR-CL-22", "exemption", "an exemption's reason code is a VATEX code", _exemptions)
_listed("BR-CL-23", "unit", "a unit is a code of UN/ECE Recommendation 20 or 21 (HUR, KWH, KMT, C62)", _units)
_listed("BR-CL-25", "electronic_address", "an electronic address's scheme is an EAS code", _electronic)
_listed("BR-CL-26", "party_id", "a delivery location's scheme is an ISO 6523 code", _location)
