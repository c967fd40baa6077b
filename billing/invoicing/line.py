"""What an invoice is made of: lines frozen from rating, the evidence they name, and the tax on their sums."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import groupby

from billing.money import Money, total
from billing.pricing.measured import EvidenceRange
from billing.pricing.rated import RatedLine


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line as billed.

    `quantity` is in `unit` and `price` in major units per `unit`; both are None for amounts without a quantity.
    `precise` is the amount before rounding, as text; `working` says how it came about; `vat_rate` is a fraction.
    `evidence` names the readings that the quantity is the difference of.
    """

    code: str
    description: str
    category: str
    quantity: Decimal | None
    unit: str
    price: Decimal | None
    precise: str
    amount: Money
    vat_category: str
    vat_rate: Decimal
    working: tuple[str, ...] = ()
    evidence: tuple[EvidenceRange, ...] = ()


def from_rated(line: RatedLine) -> InvoiceLine:
    """The line as rated now, frozen: it stays readable when rating has long changed."""
    return InvoiceLine(
        line.code,
        line.description,
        line.category.value,
        line.quantity,
        line.unit,
        line.price,
        line.precise,
        line.amount,
        line.vat_category,
        line.vat_rate,
        line.working,
        line.evidence,
    )


@dataclass(frozen=True, slots=True)
class VatSum:
    """The tax of one VAT category and rate: `tax` is `net` x `rate`, rounded once."""

    category: str
    rate: Decimal
    net: Money
    tax: Money


def vat_breakdown(lines: Iterable[InvoiceLine], currency: str) -> tuple[VatSum, ...]:
    """The tax per category and rate, on the sum of the nets (EN 16931 BG-23), highest rate first."""

    def key(line: InvoiceLine) -> tuple[Decimal, str]:
        return (-line.vat_rate, line.vat_category)

    sums = []
    for (negative_rate, category), group in groupby(sorted(lines, key=key), key=key):
        net = total([line.amount for line in group], currency)
        sums.append(VatSum(category, -negative_rate, net, Money.of(net.decimal * -negative_rate, currency)))
    return tuple(sums)


def differences(now: Iterable[InvoiceLine], billed: Iterable[InvoiceLine]) -> tuple[InvoiceLine, ...]:
    """`now` minus `billed`, one line per charge whose amount differs; empty when nothing does."""
    wanted, done = _by_charge(now), _by_charge(billed)
    result = []
    for charge in dict.fromkeys([*wanted, *done]):
        line = _difference(wanted.get(charge, []), done.get(charge, []))
        if line.amount:
            result.append(line)
    return tuple(result)


def _charge(line: InvoiceLine) -> tuple[str, str, str, Decimal]:
    return (line.code, line.category, line.vat_category, line.vat_rate)


def _by_charge(lines: Iterable[InvoiceLine]) -> dict[tuple[str, str, str, Decimal], list[InvoiceLine]]:
    result: dict[tuple[str, str, str, Decimal], list[InvoiceLine]] = {}
    for line in lines:
        result.setdefault(_charge(line), []).append(line)
    return result


def _difference(now: list[InvoiceLine], billed: list[InvoiceLine]) -> InvoiceLine:
    like = (now or billed)[0]
    currency = like.amount.currency
    owed, done = (total([line.amount for line in lines], currency) for lines in (now, billed))
    return replace(
        like,
        description=like.description if not billed else f"Correction: {like.description}",
        quantity=None if billed else like.quantity,
        price=None if billed else like.price,
        precise=str((owed - done).decimal),
        amount=owed - done,
        working=(f"now {owed} - billed {done} = {owed - done}", *(text for line in now for text in line.working)),
        evidence=tuple(sorted({item for line in now for item in line.evidence})),
    )
