"""Lines of an invoice as rows of the Chinese e-invoice: goods codes, and allowances as discounts of rows."""

from dataclasses import dataclass, replace
from decimal import Decimal

from billing.invoicing.einvoice.electronic_invoice import AllowanceCharge, ElectronicInvoice, Line, Vat
from billing.invoicing.einvoice.fapiao_terms import FapiaoTerms, Goods
from billing.money import round_half_up

PLACES = 8
"""Decimals of a quantity and a price."""
_UNITS = {
    "HUR": "小时",
    "MIN": "分钟",
    "DAY": "天",
    "MON": "月",
    "KWH": "千瓦时",
    "KMT": "公里",
    "C62": "项",
    "H87": "件",
    "E48": "次",
    "LS": "项",
}


@dataclass(frozen=True, slots=True)
class Row:
    """A row before its tax: `amount` without its `discount`, which follows it as a row of its own."""

    path: str
    name: str
    goods: Goods | None
    unit: str
    quantity: Decimal
    price: Decimal
    amount: Decimal
    vat: Vat
    discount: Decimal = Decimal(0)

    @property
    def full_name(self) -> str:
        """As the platform has it: *short name of the goods code*name."""
        return f"*{self.goods.short_name}*{self.name}" if self.goods else self.name

    def less_discount(self) -> "Row":
        """The row as charged: the price is what is left for a unit."""
        left = self.amount - self.discount
        price = round_half_up(left / self.quantity, PLACES) if self.quantity else self.price
        return replace(self, amount=left, price=price, discount=Decimal(0))


def rows_of(invoice: ElectronicInvoice) -> list[Row]:
    """A row a line and a charge; the document's allowances become discounts of the largest rows of their rate."""
    rows = [_of_line(f".lines[{index}]", line, invoice.fapiao) for index, line in enumerate(invoice.lines)]
    rows += [_of_charge(f".charges[{index}]", entry, invoice.fapiao) for index, entry in enumerate(invoice.charges)]
    for entry in invoice.allowances:
        _discount(rows, entry)
    return rows


def undiscounted(invoice: ElectronicInvoice) -> list[tuple[str, Decimal]]:
    """Allowances that are larger than the rows of their rate together: path and what is left over."""
    rows = [_of_line("", line, invoice.fapiao) for line in invoice.lines]
    rows += [_of_charge("", entry, invoice.fapiao) for entry in invoice.charges]
    left = [(f".allowances[{index}]", _discount(rows, entry)) for index, entry in enumerate(invoice.allowances)]
    return [(path, amount) for path, amount in left if amount]


def _discount(rows: list[Row], entry: AllowanceCharge) -> Decimal:
    """Take `entry` off the largest rows of its rate, never more than a row's amount; what could not be taken off."""
    left = entry.amount
    fitting = [index for index, row in enumerate(rows) if row.vat == entry.vat]
    for index in sorted(fitting, key=lambda at: (-(rows[at].amount - rows[at].discount), at)):
        taken = min(left, rows[index].amount - rows[index].discount)
        if taken > 0:
            rows[index] = replace(rows[index], discount=rows[index].discount + taken)
            left -= taken
    return left


def _of_line(path: str, line: Line, terms: FapiaoTerms | None) -> Row:
    less, more = (sum((entry.amount for entry in group), Decimal(0)) for group in (line.allowances, line.charges))
    price = line.price / (line.price_base or 1)
    amount = line.net + less
    if more or line.price_base != 1:
        # A charge has no row of its own, and the price of one unit may have no end.
        price = round_half_up(amount / line.quantity, PLACES) if line.quantity else price
    unit = _UNITS.get(line.unit, line.unit)
    return Row(path, line.name, goods_of(line.goods, terms), unit, line.quantity, price, amount, line.vat, less)


def _of_charge(path: str, entry: AllowanceCharge, terms: FapiaoTerms | None) -> Row:
    vat = entry.vat or Vat("S", Decimal(0))
    return Row(path, entry.reason, goods_of("", terms), _UNITS["C62"], Decimal(1), entry.amount, entry.amount, vat)


def goods_of(key: str, terms: FapiaoTerms | None) -> Goods | None:
    """The goods code for `key`, else the one for everything else."""
    by_key = {goods.key: goods for goods in terms.goods} if terms else {}
    return by_key.get(key) or by_key.get("")
