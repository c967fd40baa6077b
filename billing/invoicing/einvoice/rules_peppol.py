"""Peppol BIS Billing 3.0's own rules, as our table by rule id. Not Peppol's files: nothing here is called validated.

What the reader demands (R121) or the writer sets itself (R001, R004, R007, R008, R043, R051, R053, R054, R130) can not
be broken by an invoice and is not repeated. R040 and R120 have a slack of 0.02 that CENT-01 and CENT-03 lack; yet they
forbid what those demand of a currency without cents, so they stand here as well.
"""

from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from billing.invoicing.einvoice import walk
from billing.invoicing.einvoice.amounts import EXEMPT_CODES
from billing.invoicing.einvoice.check_digits import BY_SCHEME
from billing.invoicing.einvoice.electronic_invoice import ElectronicInvoice
from billing.invoicing.einvoice.rule import Broken, RuleBook
from billing.invoicing.einvoice.rules_document import DEBITS

BOOK = RuleBook("Peppol BIS Billing 3.0")
NETWORK = RuleBook("Peppol network")
"""What holds for an invoice that travels through Peppol, and not for an XRechnung, which takes over the rest."""
_rule = BOOK.rule
_NO_PARTICIPANT = {"AN", "AQ", "AS", "AU", "EM"}
_SLACK = Fraction(2, 100)
_ONLY_GERMAN = ("326", "384")


def _both_german(invoice: ElectronicInvoice) -> bool:
    return all(party.address.country == "DE" for _, party in walk.parties(invoice))


@_rule("PEPPOL-EN16931-R002", "one note at most, unless seller and buyer are German")
def _notes(invoice: ElectronicInvoice) -> Iterator[Broken]:
    if len(invoice.notes) > 1 and not _both_german(invoice):
        yield ".notes", f"are {len(invoice.notes)}; put them into one"


@_rule("PEPPOL-EN16931-R003", "a buyer reference or an order reference")
def _reference(invoice: ElectronicInvoice) -> Iterator[Broken]:
    if not invoice.buyer_reference and not invoice.order_reference:
        yield ".buyer_reference", "is missing, and so is order_reference; ask the buyer for one of them"


@_rule("PEPPOL-EN16931-R005", "the VAT accounting currency differs from the invoice's")
def _currency(invoice: ElectronicInvoice) -> Iterator[Broken]:
    if invoice.vat_currency and invoice.vat_currency == invoice.currency:
        yield ".vat_currency", f"is {invoice.vat_currency}, the invoice's own; leave it out"


@_rule("PEPPOL-EN16931-R010", "the buyer's electronic address")
def _buyer(invoice: ElectronicInvoice) -> Iterator[Broken]:
    if not invoice.buyer.electronic_address:
        yield ".buyer.electronic_address", "is missing; it says where the invoice is sent to"


@_rule("PEPPOL-EN16931-R020", "the seller's electronic address")
def _seller(invoice: ElectronicInvoice) -> Iterator[Broken]:
    if not invoice.seller.electronic_address:
        yield ".seller.electronic_address", "is missing; it says where the invoice comes from"


@_rule("PEPPOL-EN16931-R040", "an allowance or charge = base x percent, within 0.02")
def _share(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for path, entry in (*walk.of_document(invoice), *walk.of_lines(invoice)):
        exact = Fraction(entry.base or 0) * Fraction(entry.percent or 0) / 100
        if entry.base is not None and entry.percent is not None and abs(Fraction(entry.amount) - exact) > _SLACK:
            yield f"{path}.amount", f"is {entry.amount}, more than 0.02 off {entry.percent} % of {entry.base}"


@_rule("PEPPOL-EN16931-R120", "a line's net = quantity x price / base + charges - allowances, within 0.02")
def _product(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for index, line in enumerate(invoice.lines):
        more = sum((entry.amount for entry in line.charges), Decimal(0))
        less = sum((entry.amount for entry in line.allowances), Decimal(0))
        product = Fraction(line.quantity) * Fraction(line.price) / Fraction(line.price_base or 1)
        if abs(Fraction(line.net) - product - Fraction(more) + Fraction(less)) > _SLACK:
            told = f"is {line.net}, more than 0.02 off its product; write quantity 1 and the amount as its price"
            yield f".lines[{index}].net", told


@NETWORK.rule("PEPPOL-EN16931-CL008", "electronic addresses are of a scheme that Peppol routes by")
def _routed(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for path, party in walk.parties(invoice):
        address = party.electronic_address
        if address and address.scheme in _NO_PARTICIPANT:
            told = "is no scheme of Peppol participants; write such as 0088 (GLN) or 9930 (German VAT id)"
            yield f"{path}.electronic_address.scheme", f"{address.scheme!r} {told}"


@_rule("PEPPOL-EN16931-R041", "a percentage has its base")
def _base(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for path, entry in (*walk.of_document(invoice), *walk.of_lines(invoice)):
        if entry.percent is not None and entry.base is None:
            yield f"{path}.base", "is missing; a percent needs the amount that it is of"


@_rule("PEPPOL-EN16931-R042", "a base has its percentage")
def _percent(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for path, entry in (*walk.of_document(invoice), *walk.of_lines(invoice)):
        if entry.base is not None and entry.percent is None:
            yield f"{path}.percent", "is missing; a base needs its percent"


@_rule("PEPPOL-EN16931-R046", "the net price does not exceed the gross price")
def _price(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for index, line in enumerate(invoice.lines):
        if line.gross_price is not None and line.gross_price < line.price:
            yield f".lines[{index}].gross_price", f"is {line.gross_price}, below the net price {line.price}"


@_rule("PEPPOL-EN16931-R055", "both VAT amounts have the same sign")
def _sign(invoice: ElectronicInvoice) -> Iterator[Broken]:
    other = invoice.tax_in_vat_currency
    if other is not None and other * invoice.totals.tax < 0:
        yield ".tax_in_vat_currency", f"is {other}, and the tax {invoice.totals.tax}; they differ in sign"


@_rule("PEPPOL-EN16931-R061", "a direct debit names its mandate")
def _mandate(invoice: ElectronicInvoice) -> Iterator[Broken]:
    if invoice.payment and invoice.payment.code in DEBITS and not invoice.payment.mandate:
        yield ".payment.mandate", "is missing; a direct debit needs the mandate's reference"


@_rule("PEPPOL-EN16931-R110", "a line's period lies within the invoice's")
def _begin(invoice: ElectronicInvoice) -> Iterator[Broken]:
    first = invoice.period.first if invoice.period else None
    for index, line in enumerate(invoice.lines):
        if first and line.period and line.period.first and line.period.first < first:
            yield f".lines[{index}].period.first", f"is {line.period.first}, before the invoice's period ({first})"


@_rule("PEPPOL-EN16931-R111", "a line's period lies within the invoice's")
def _end(invoice: ElectronicInvoice) -> Iterator[Broken]:
    last = invoice.period.last if invoice.period else None
    for index, line in enumerate(invoice.lines):
        if last and line.period and line.period.last and line.period.last > last:
            yield f".lines[{index}].period.last", f"is {line.period.last}, after the invoice's period ({last})"


@_rule("PEPPOL-EN16931-P0112", "types 326 and 384 only between German parties")
def _type(invoice: ElectronicInvoice) -> Iterator[Broken]:
    if invoice.type in _ONLY_GERMAN and not _both_german(invoice):
        yield ".type", f"is {invoice.type}; outside Germany write 380, or 381 for a credit note"


@_rule("PEPPOL-EN16931-P0104", "VATEX codes of G, O, K, AE belong to their category (P0104 to P0107)")
def _exemption(invoice: ElectronicInvoice) -> Iterator[Broken]:
    owners = {code: category for category, code in EXEMPT_CODES.items()}
    for index, part in enumerate(invoice.vat):
        owner = owners.get(part.reason_code.upper(), part.category)
        if owner != part.category:
            yield f".vat[{index}].reason_code", f"{part.reason_code} belongs to category {owner}, not {part.category}"


def _scheme(scheme: str) -> None:
    rule_id, fits = BY_SCHEME[scheme]

    @_rule(rule_id, f"an identifier of scheme {scheme} is well formed, with fitting check digits")
    def _broken(invoice: ElectronicInvoice) -> Iterator[Broken]:
        found = [
            (f"{path}.electronic_address", party.electronic_address)
            for path, party in walk.parties(invoice)
            if party.electronic_address
        ]
        for path, identifier in (*found, *walk.identifiers(invoice)):
            if identifier.scheme == scheme and not fits(identifier.value):
                yield f"{path}.value", f"{identifier.value!r} is no identifier of scheme {scheme}, or a digit is wrong"


for _each in BY_SCHEME:
    _scheme(_each)
