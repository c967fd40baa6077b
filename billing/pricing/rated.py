"""The result of rating: lines with their working and evidence, VAT by rate, totals."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.money import Money, minor_places, total
from billing.pricing.components import Category
from billing.pricing.digits import exact_text, plain
from billing.pricing.measured import EvidenceRange
from billing.pricing.tariff import Rounding
from metering.period import Period


@dataclass(frozen=True, slots=True)
class RatedLine:
    """One charge. `quantity` (in `unit`) x `price` = `exact`, which is rounded once to `amount`.

    Quantity and price are None for fixed amounts. `vat_rate` is a fraction (0.13). `evidence` names the readings that
    the quantity comes from; what proves an event stands in `working`.
    """

    code: str
    description: str
    category: Category
    vat_category: str
    vat_rate: Decimal
    exact: Fraction
    amount: Money
    working: tuple[str, ...]
    quantity: Decimal | None = None
    unit: str = ""
    price: Decimal | None = None
    evidence: tuple[EvidenceRange, ...] = ()

    @property
    def precise(self) -> str:
        """The amount before rounding: a decimal where it ends, else a fraction such as 19055/17."""
        return exact_text(self.exact)

    def to_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "description": self.description,
            "category": self.category.value,
            "quantity": None if self.quantity is None else plain(self.quantity),
            "unit": self.unit,
            "price": None if self.price is None else plain(self.price),
            "precise": self.precise,
            "amount": plain(self.amount.decimal),
            "vat_category": self.vat_category,
            "vat_rate": plain(self.vat_rate),
            "working": list(self.working),
            "evidence": [{"meter": part.meter, "first": part.first, "last": part.last} for part in self.evidence],
        }


@dataclass(frozen=True, slots=True)
class VatTotal:
    """The VAT of one category and rate: on the sum of its lines, rounded once."""

    category: str
    rate: Decimal
    net: Money
    vat: Money


@dataclass(frozen=True, slots=True)
class RatedBill:
    """All that a lease owes for a period, rated from scratch. `notes` say what was found but not priced."""

    tariff: str
    version: int
    tariff_digest: str
    rounding: Rounding
    currency: str
    period: Period
    zone: str
    lines: tuple[RatedLine, ...]
    notes: tuple[str, ...] = ()

    @property
    def net(self) -> Money:
        return total([line.amount for line in self.lines], self.currency)

    @property
    def vat(self) -> tuple[VatTotal, ...]:
        """Per VAT category and rate, highest rate first."""
        kinds = sorted({(-line.vat_rate, line.vat_category) for line in self.lines})
        return tuple(self._vat(category, -rate) for rate, category in kinds)

    @property
    def vat_total(self) -> Money:
        return total([part.vat for part in self.vat], self.currency)

    @property
    def total(self) -> Money:
        return self.net + self.vat_total

    def net_of(self, *categories: Category) -> Money:
        """The sum of the lines of some categories."""
        return total([line.amount for line in self.lines if line.category in categories], self.currency)

    def _vat(self, category: str, rate: Decimal) -> VatTotal:
        amounts = [line.amount for line in self.lines if (line.vat_category, line.vat_rate) == (category, rate)]
        net = total(amounts, self.currency)
        return VatTotal(category, rate, net, Money.of(Fraction(net.decimal) * Fraction(rate), self.currency))

    def to_json(self) -> dict[str, Any]:
        """The bill as JSON data, decimals as strings in major units."""
        return {
            "tariff": {"code": self.tariff, "version": self.version, "digest": self.tariff_digest},
            "rounding": self.rounding.value,
            "currency": self.currency,
            "period": {"from": self.period.start.isoformat(), "to": self.period.end.isoformat(), "zone": self.zone},
            "lines": [line.to_json() for line in self.lines],
            "net": plain(self.net.decimal),
            "vat": [
                {
                    "category": part.category,
                    "rate": plain(part.rate),
                    "net": plain(part.net.decimal),
                    "vat": plain(part.vat.decimal),
                }
                for part in self.vat
            ],
            "vat_total": plain(self.vat_total.decimal),
            "total": plain(self.total.decimal),
            "notes": list(self.notes),
        }


def round_lines(lines: Iterable[RatedLine], rounding: Rounding, currency: str) -> tuple[RatedLine, ...]:
    """The lines with amounts in whole minor units by the policy.

    line: each by itself. sum: the exact sum of a VAT category and rate is rounded once, and its lines are rounded
    down with the missing units going to the largest remainders, so that what is printed always adds up.
    """
    found = list(lines)
    if rounding is Rounding.LINE:
        return tuple(replace(line, amount=Money.of(line.exact, currency)) for line in found)
    groups: dict[tuple[str, Decimal], list[int]] = {}
    for index, line in enumerate(found):
        groups.setdefault((line.vat_category, line.vat_rate), []).append(index)
    for indexes in groups.values():
        for index, amount in zip(indexes, _apportioned([found[i].exact for i in indexes], currency), strict=True):
            found[index] = replace(found[index], amount=amount)
    return tuple(found)


def _apportioned(exacts: list[Fraction], currency: str) -> list[Money]:
    scale = 10 ** minor_places(currency)
    floors = [exact * scale // 1 for exact in exacts]
    missing = Money.of(sum(exacts, Fraction(0)), currency).minor - sum(floors)
    by_remainder = sorted(range(len(exacts)), key=lambda index: (floors[index] - exacts[index] * scale, index))
    extra = set(by_remainder[:missing])
    return [Money(floor + (index in extra), currency) for index, floor in enumerate(floors)]
