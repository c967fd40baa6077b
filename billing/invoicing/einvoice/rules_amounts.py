"""The exact cent check: every sum of EN 16931 without the slack that its official rules leave.

Those accept a VAT amount that is wrong by up to a whole unit, and do not look at a line's own product. CENT-* are ours.
"""

from collections.abc import Iterator
from decimal import Decimal

from billing.invoicing.einvoice import amounts, walk
from billing.invoicing.einvoice.electronic_invoice import ElectronicInvoice
from billing.invoicing.einvoice.rule import Broken, Rule, RuleBook

BOOK = RuleBook("Sums, to the cent")
_rule = BOOK.rule


def _sum(rule_id: str, name: str, demands: str) -> None:
    """`totals.name` must be what its parts give."""

    def broken(invoice: ElectronicInvoice) -> Iterator[Broken]:
        stated = invoice.totals
        given: Decimal = getattr(stated, name)
        # Each sum is judged by the stated figures below it, so that one wrong figure breaks one rule.
        found: Decimal = {
            "lines": lambda: sum((line.net for line in invoice.lines), Decimal(0)),
            "allowances": lambda: amounts.total_of(invoice.allowances),
            "charges": lambda: amounts.total_of(invoice.charges),
            "net": lambda: stated.lines - stated.allowances + stated.charges,
            "tax": lambda: sum((part.tax for part in invoice.vat), Decimal(0)),
            "gross": lambda: stated.net + stated.tax,
            "due": lambda: stated.gross - stated.prepaid + stated.rounding,
        }[name]()
        if given != found:
            yield f".totals.{name}", f"is {given}, but {demands} is {found}; write that, or leave it out"

    BOOK.add(Rule(rule_id, f"totals.{name} = {demands}", broken))


_sum("BR-CO-10", "lines", "the sum of the lines' nets")
_sum("BR-CO-11", "allowances", "the sum of the document's allowances")
_sum("BR-CO-12", "charges", "the sum of the document's charges")
_sum("BR-CO-13", "net", "lines - allowances + charges")
_sum("BR-CO-14", "tax", "the sum of the VAT categories' taxes")
_sum("BR-CO-15", "gross", "net + tax")
_sum("BR-CO-16", "due", "gross - prepaid + rounding")


@_rule("BR-CO-17", "tax of a category = its taxable amount x rate, HALF_UP to the minor unit")
def _tax(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for index, part in enumerate(invoice.vat):
        found = amounts.tax_on(part.taxable, part.rate, invoice.currency)
        if part.tax != found:
            yield f".vat[{index}].tax", f"is {part.tax}, but {part.rate or 0} % of {part.taxable} is {found}"


@_rule("CENT-01", "a line's net = quantity x price / base, HALF_UP, + charges - allowances")
def _line(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for index, line in enumerate(invoice.lines):
        found = amounts.line_net(
            line.quantity, line.price, line.price_base, invoice.currency, line.allowances, line.charges
        )
        if line.net != found:
            yield f".lines[{index}].net", f"is {line.net}, but {line.quantity} x {line.price} gives {found}"


@_rule("CENT-02", "amounts are whole minor units of their currency (whole units of JPY, no cents)")
def _minor_units(invoice: ElectronicInvoice) -> Iterator[Broken]:
    places = amounts.places(invoice.currency)
    if places == amounts.MOST_PLACES:
        return
    for path, number, amount in walk.amounts_of(invoice):
        if number != "15" and amounts.rounded(amount, invoice.currency) != amount:
            yield path, f"is {amount}, but {invoice.currency} has {places} decimals"


@_rule("CENT-03", "an allowance or charge = base x percent, HALF_UP, where both are given")
def _percent(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for path, entry in (*walk.of_document(invoice), *walk.of_lines(invoice)):
        if entry.base is None or entry.percent is None:
            continue
        found = amounts.allowance_amount(entry.base, entry.percent, invoice.currency)
        if entry.amount != found:
            yield f"{path}.amount", f"is {entry.amount}, but {entry.percent} % of {entry.base} is {found}"


def _decimals(number: str) -> None:
    def broken(invoice: ElectronicInvoice) -> Iterator[Broken]:
        for path, of_rule, amount in walk.amounts_of(invoice):
            if of_rule == number and (amount * 100) % 1:
                yield path, f"is {amount}; EN 16931 has at most two decimals in an amount"

    BOOK.add(Rule(f"BR-DEC-{number}", "an amount has at most two decimals", broken))


for _number in (1, 2, 5, 6, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 23, 24, 25, 27, 28):
    _decimals(f"{_number:02d}")
