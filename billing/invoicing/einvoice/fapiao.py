"""The fields of China's fully digitalised e-invoice (数电票): rows with tax and discounts, blue or red.

Amounts are without tax, in CNY. The tax of a category is what the invoice says; its rows share it by largest remainder,
so each stays within a fen of amount x rate (the platform lets 0.06 pass a row, 1.27 an invoice).
"""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from billing.invoicing.einvoice.electronic_invoice import ElectronicInvoice, Vat
from billing.invoicing.einvoice.fapiao_rows import Row, rows_of

ROW_TOLERANCE, INVOICE_TOLERANCE = Decimal("0.06"), Decimal("1.27")
NORMAL, DISCOUNT, DISCOUNTED = "0", "1", "2"
"""发票行性质: a row, a discount, a row that a discount follows."""


@dataclass(frozen=True, slots=True)
class FapiaoRow:
    """A row of the e-invoice; a discount has neither quantity nor price."""

    nature: str
    row: Row
    quantity: Decimal | None
    price: Decimal | None
    amount: Decimal
    tax: Decimal


@dataclass(frozen=True, slots=True)
class Fapiao:
    """The e-invoice: rows and their sums, all negative when it is red."""

    invoice: ElectronicInvoice
    rows: tuple[FapiaoRow, ...]
    amount: Decimal
    tax: Decimal

    @property
    def gross(self) -> Decimal:
        return self.amount + self.tax

    @property
    def is_red(self) -> bool:
        return self.invoice.is_credit_note


def fapiao_of(invoice: ElectronicInvoice) -> Fapiao:
    """The e-invoice of an invoice that passed the checks (`fapiao_rules.py`)."""
    found: list[FapiaoRow] = []
    sign = -1 if invoice.is_credit_note else 1
    taxes = _taxes(invoice, rows := rows_of(invoice))
    for index, row in enumerate(rows):
        discount = row.discount
        if invoice.is_credit_note and discount:
            # A red e-invoice has no discount rows: the row stands for what was charged.
            row, discount = row.less_discount(), Decimal(0)
        nature = DISCOUNTED if discount else NORMAL
        quantity, price = sign * row.quantity, row.price
        found.append(
            FapiaoRow(nature, row, quantity, price, sign * row.amount, sign * taxes.get((index, False), Decimal(0)))
        )
        if discount:
            found.append(FapiaoRow(DISCOUNT, row, None, None, -discount, taxes.get((index, True), Decimal(0))))
    amount = sum((row.amount for row in found), Decimal(0))
    return Fapiao(invoice, tuple(found), amount, sum((row.tax for row in found), Decimal(0)))


def _taxes(invoice: ElectronicInvoice, rows: list[Row]) -> dict[tuple[int, bool], Decimal]:
    """The tax of each row and of its discount (negative), adding up to the invoice's tax of each category and rate."""
    result: dict[tuple[int, bool], Decimal] = {}
    for part in invoice.vat:
        vat = Vat(part.category, part.rate)
        entries = [(index, False) for index, row in enumerate(rows) if row.vat == vat]
        if not invoice.is_credit_note:
            entries += [(index, True) for index, _ in list(entries) if rows[index].discount]
        exact = {
            (index, is_discount): _exact(rows[index], is_discount=is_discount, net=invoice.is_credit_note)
            for index, is_discount in entries
        }
        result |= _shared(exact, part.tax)
    return result


def _exact(row: Row, *, is_discount: bool, net: bool) -> Fraction:
    amount = -row.discount if is_discount else row.amount - row.discount if net else row.amount
    return Fraction(amount) * Fraction(row.vat.rate or 0) / 100


def _shared(exact: dict[tuple[int, bool], Fraction], tax: Decimal) -> dict[tuple[int, bool], Decimal]:
    """Fen by fen: each rounded down, the fen left over to the largest remainders."""
    fen = {key: (value * 100).__floor__() for key, value in exact.items()}
    left = int(tax * 100) - sum(fen.values())
    order = sorted(exact, key=lambda key: (fen[key] - exact[key] * 100, key))
    for key in order[:left] if left > 0 else ():
        fen[key] += 1
    return {key: Decimal(value).scaleb(-2) for key, value in fen.items()}
