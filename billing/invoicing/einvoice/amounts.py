"""What the amounts of an electronic invoice must be, exactly: the check compares with it, a reader fills in from it.

EN 16931 writes amounts with at most two decimals, so currencies of thousandths are rounded to hundredths here; those
without a minor unit to whole units.
"""

from collections.abc import Iterable
from decimal import Decimal
from fractions import Fraction

from billing.invoicing.einvoice.electronic_invoice import AllowanceCharge, Line, Totals, Vat, VatPart
from billing.money import minor_places, round_half_up

MOST_PLACES = 2
EXEMPT_CODES = {"AE": "VATEX-EU-AE", "K": "VATEX-EU-IC", "G": "VATEX-EU-G", "O": "VATEX-EU-O"}
"""The VATEX code of each category whose reason is its meaning."""
EXEMPT_REASONS = {
    "AE": "Reverse charge",
    "K": "Intra-community supply",
    "G": "Export outside the EU",
    "O": "Not subject to VAT",
}


def places(currency: str) -> int:
    """Decimals of an amount of `currency` in EN 16931: those of its minor unit, at most two."""
    return min(MOST_PLACES, minor_places(currency))


def rounded(amount: Decimal | Fraction, currency: str) -> Decimal:
    """`amount` HALF_UP to the places of `currency`."""
    return round_half_up(amount, places(currency))


def amount_text(amount: Decimal, currency: str) -> str:
    """With the currency's places; an amount that does not fit into them keeps its digits, for the checks to refuse."""
    fitting = rounded(amount, currency)
    return f"{fitting:f}" if fitting == amount else f"{amount:f}"


def number_text(number: Decimal) -> str:
    """A quantity, price or rate: plain digits, as given."""
    return f"{number:f}"


def total_of(entries: Iterable[AllowanceCharge]) -> Decimal:
    return sum((entry.amount for entry in entries), Decimal(0))


def allowance_amount(base: Decimal, percent: Decimal, currency: str) -> Decimal:
    """`percent` of `base`."""
    return rounded(Fraction(base) * Fraction(percent) / 100, currency)


def line_net(
    quantity: Decimal,
    price: Decimal,
    price_base: Decimal,
    currency: str,
    allowances: Iterable[AllowanceCharge] = (),
    charges: Iterable[AllowanceCharge] = (),
) -> Decimal:
    """BT-131: quantity x price / base, rounded once, + charges - allowances."""
    gross = Fraction(quantity) * Fraction(price) / (Fraction(price_base) or 1)
    return rounded(gross, currency) + total_of(charges) - total_of(allowances)


def taxable(
    lines: Iterable[Line], allowances: Iterable[AllowanceCharge], charges: Iterable[AllowanceCharge]
) -> dict[Vat, Decimal]:
    """BT-116 of each category and rate: nets of lines - allowances + charges, in order of appearance."""
    sums: dict[Vat, Decimal] = {}
    signed = [(line.vat, line.net) for line in lines]
    signed += [(entry.vat, -entry.amount) for entry in allowances if entry.vat]
    signed += [(entry.vat, entry.amount) for entry in charges if entry.vat]
    for vat, amount in signed:
        sums[vat] = sums.get(vat, Decimal(0)) + amount
    return sums


def tax_on(base: Decimal, rate: Decimal | None, currency: str) -> Decimal:
    """BT-117: base x rate, HALF_UP."""
    return rounded(Fraction(base) * Fraction(rate or 0) / 100, currency)


def vat_part(vat: Vat, base: Decimal, currency: str, reason: str = "", reason_code: str = "") -> VatPart:
    """BG-23 for one category and rate; where the category is its own reason, that reason is filled in."""
    if not reason and not reason_code:
        reason, reason_code = EXEMPT_REASONS.get(vat.category, ""), EXEMPT_CODES.get(vat.category, "")
    return VatPart(vat.category, vat.rate, base, tax_on(base, vat.rate, currency), reason, reason_code)


def totals(
    lines: Iterable[Line],
    allowances: Iterable[AllowanceCharge],
    charges: Iterable[AllowanceCharge],
    vat: Iterable[VatPart],
    prepaid: Decimal = Decimal(0),
    rounding: Decimal = Decimal(0),
) -> Totals:
    """BG-22 from its parts."""
    of_lines = sum((line.net for line in lines), Decimal(0))
    less, more = total_of(allowances), total_of(charges)
    tax = sum((part.tax for part in vat), Decimal(0))
    net = of_lines - less + more
    return Totals(of_lines, less, more, net, tax, net + tax, prepaid, rounding, net + tax - prepaid + rounding)
