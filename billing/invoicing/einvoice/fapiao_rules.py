"""What the Chinese tax platform demands of an e-invoice, checked before anything is exported (FP-*: our own ids)."""

import re
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction

from billing.invoicing.einvoice import rules_amounts, rules_document, rules_vat, walk
from billing.invoicing.einvoice.electronic_invoice import ElectronicInvoice
from billing.invoicing.einvoice.fapiao import INVOICE_TOLERANCE, ROW_TOLERANCE, fapiao_of
from billing.invoicing.einvoice.fapiao_rows import PLACES, rows_of, undiscounted
from billing.invoicing.einvoice.formats import Group
from billing.invoicing.einvoice.rule import Broken, RuleBook
from billing.money import round_half_up

BOOK = RuleBook("Fully digitalised e-invoice (数电票)")
_rule = BOOK.rule
_TAX_NUMBER, _GOODS, _NUMBER = re.compile(r"[0-9A-Z]{15,20}"), re.compile(r"[0-9]{19}"), re.compile(r"[0-9]{20}")
_PARKING = "3040502020200000000"
_CATEGORIES = ("S", "Z", "E", "O")
_FORMULA = ("=", "+", "-", "@")


def check_fapiao(invoice: ElectronicInvoice) -> list[Group]:
    """The sums as for every format, then the platform's own rules."""
    # Of the document's rules those that are not Europe's.
    common = ("BR-02", "BR-21", "BR-27", *(f"BR-{category}-{of}" for category in _CATEGORIES for of in ("01", "08")))
    books = (rules_document.BOOK, rules_vat.BOOK)
    document = [found for book in books for found in book.findings(invoice) if found.rule in common]
    amounts = rules_amounts.BOOK
    return [
        Group("Document and lines", len(common), tuple(document)),
        Group(amounts.name, len(amounts.rules), tuple(amounts.findings(invoice))),
        Group(BOOK.name, len(BOOK.rules), tuple(BOOK.findings(invoice))),
    ]


@_rule("FP-01", "the currency is CNY")
def _currency(invoice: ElectronicInvoice) -> Iterator[Broken]:
    if invoice.currency != "CNY":
        yield ".currency", f"is {invoice.currency}; a Chinese e-invoice is in CNY"


@_rule("FP-02", "kind and goods codes are given")
def _terms(invoice: ElectronicInvoice) -> Iterator[Broken]:
    if invoice.fapiao is None:
        yield ".fapiao", 'is missing; write {"kind": "special" or "ordinary", "goods": [...]}'


@_rule("FP-03", "seller's and buyer's tax numbers: 15 to 20 digits and capital letters")
def _tax_numbers(invoice: ElectronicInvoice) -> Iterator[Broken]:
    special = invoice.fapiao is not None and invoice.fapiao.kind == "special"
    for path, party in walk.parties(invoice):
        number = party.tax_id or party.vat_id
        needed = path == ".seller" or special
        if not number and needed:
            yield f"{path}.tax_id", "is missing; write the unified social credit code (统一社会信用代码)"
        elif number and not _TAX_NUMBER.fullmatch(number):
            yield f"{path}.tax_id", f"{number!r} is not 15 to 20 digits and capital letters"


@_rule("FP-04", "every row has its 19-digit goods code")
def _goods(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for row in rows_of(invoice):
        code = row.goods.code if row.goods else ""
        if not code:
            told = "has no goods code; ask the tax office for the one of leasing movable property, and configure it"
            yield row.path, f"{told} (fapiao.goods, or --goods GOODS.json)"
        elif code == _PARKING:
            yield (
                row.path,
                f"has goods code {code}: that is vehicle parking (车辆停放), though often pasted for rent",
            )
        elif not _GOODS.fullmatch(code):
            yield row.path, f"has goods code {code!r}; a goods code has 19 digits"


@_rule("FP-05", "every row has the short name of its goods code")
def _short_names(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for row in rows_of(invoice):
        if row.goods and not row.goods.short_name.strip("* "):
            yield row.path, "has a goods code without short_name; write the one of the code table, such as 经营租赁"


@_rule("FP-06", "quantities and prices have at most eight decimals")
def _places(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for row in rows_of(invoice):
        for name, number in (("quantity", row.quantity), ("price", row.price)):
            if round_half_up(number, PLACES) != number:
                yield f"{row.path}.{name}", f"is {number}; at most {PLACES} decimals are taken"


@_rule("FP-07", "quantity x price meets the amount to the fen")
def _products(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for row in rows_of(invoice):
        found = round_half_up(Fraction(row.quantity) * Fraction(row.price), 2)
        if abs(found - row.amount) > Decimal("0.01"):
            yield f"{row.path}.net", f"is {row.amount}, but quantity x price is {found}"


@_rule("FP-08", "taxes within 0.06 of amount x rate in a row, 1.27 in all")
def _taxes(invoice: ElectronicInvoice) -> Iterator[Broken]:
    fapiao, off = fapiao_of(invoice), Fraction(0)
    for found in fapiao.rows:
        exact = Fraction(found.amount) * Fraction(found.row.vat.rate or 0) / 100
        off += Fraction(found.tax) - exact
        if abs(Fraction(found.tax) - exact) > Fraction(ROW_TOLERANCE):
            yield found.row.path, f"would have tax {found.tax}; more than {ROW_TOLERANCE} off amount x rate"
    if abs(off) > Fraction(INVOICE_TOLERANCE):
        yield ".vat", f"is off by {round_half_up(off, 2)}; more than {INVOICE_TOLERANCE} is refused"
    if abs(fapiao.tax) != invoice.totals.tax:
        yield ".totals.tax", f"is {invoice.totals.tax}, but the rows' taxes add up to {abs(fapiao.tax)}"


@_rule("FP-09", "a red e-invoice (381) names the blue one's 20-digit number and its confirmation; a blue one has none")
def _red(invoice: ElectronicInvoice) -> Iterator[Broken]:
    red = invoice.fapiao.red if invoice.fapiao else None
    if invoice.is_credit_note and red is None:
        yield ".fapiao.red", "is missing; give original_number, confirmation_number and reason"
    if not invoice.is_credit_note and red:
        yield ".fapiao.red", f"is there, but the type is {invoice.type}; a red e-invoice is a credit note (381)"
    if red and not _NUMBER.fullmatch(red.original_number):
        yield ".fapiao.red.original_number", f"{red.original_number!r} is not the 20 digits of a blue e-invoice"
    if red and not red.confirmation_number.strip():
        yield ".fapiao.red.confirmation_number", "is missing; the platform gives it before a red e-invoice is issued"


@_rule("FP-10", "VAT categories are S, Z (0 %), E (免税) or O (不征税)")
def _categories(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for path, vat in walk.vats(invoice):
        if vat.category not in _CATEGORIES:
            yield f"{path}.category", f"is {vat.category}, which China has not; write S, Z, E or O"


@_rule("FP-11", "discounts are not larger than the rows of their rate")
def _discounts(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for path, left in undiscounted(invoice):
        yield path, f"is {left} more than the lines of its rate come to; a discount needs a line to stand on"
    for row in rows_of(invoice):
        if row.discount > row.amount:
            yield f"{row.path}.allowances", f"are {row.discount}, more than the line's {row.amount}"


@_rule("FP-12", "no row is negative: what lowers the price is an allowance")
def _negative(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for row in rows_of(invoice):
        if row.amount < 0:
            yield row.path, f"comes to {row.amount}; write it as an allowance"
        if not row.name.strip():
            yield f"{row.path}.reason", "is missing; it is the name of the row"


@_rule("FP-13", "what a table program would take for a formula is not a name")
def _formulas(invoice: ElectronicInvoice) -> Iterator[Broken]:
    told = [(f"{path}.name", party.name) for path, party in walk.parties(invoice)]
    for path, text in (*told, (".number", invoice.number)):
        if text.startswith(_FORMULA):
            yield path, f"begins with {text[0]!r}, which a table program would take for a formula"
