"""Depreciation methods: what the months of one stretch are charged.

A stretch is the time between two estimates of a component: it has an opening value, a residual and what is left of the
life, and charges its months from those alone. All amounts are integers of the minor unit.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from billing.money import round_half_up

_YEAR = 12


class Ending(StrEnum):
    """How a declining balance, which never ends by itself, reaches the residual."""

    SWITCH = "switch"
    """Equal shares of the rest from the first year in which these are at least as much."""
    STRAIGHT_LINE = "straight_line"
    """The last years of the life share the rest equally, two of them as China's rules have it."""
    LEAVE = "leave"
    """Not at all: what is left at the life's end stays on the books."""


@dataclass(frozen=True, slots=True)
class StraightLine:
    """Equal shares over `months` of life."""

    months: int


@dataclass(frozen=True, slots=True)
class Declining:
    """`rate` a year of the value at the year's begin, over `years`; `last_years` belongs to Ending.STRAIGHT_LINE."""

    years: int
    rate: Fraction
    ending: Ending = Ending.SWITCH
    last_years: int = 2


@dataclass(frozen=True, slots=True)
class SumOfYears:
    """Years weighted by how many are left: with three years 3/6, 2/6, 1/6."""

    years: int


@dataclass(frozen=True, slots=True)
class UnitsOfProduction:
    """By use: `capacity` units (spindle hours, wear hours, km, parts) for a whole life."""

    capacity: Decimal
    unit: str


Method = StraightLine | Declining | SumOfYears | UnitsOfProduction


@dataclass(frozen=True, slots=True)
class Stretch:
    """From one estimate to the next: the value that it opens with, and of the whole life what has gone before.

    `value`, `residual` in minor units, 0 <= residual <= value; `elapsed` months and `used` units before it.
    """

    method: Method
    value: int
    residual: int
    elapsed: int
    used: Fraction

    @property
    def depreciable(self) -> int:
        return self.value - self.residual

    @property
    def rate(self) -> Fraction | None:
        """Minor units that one unit of use is charged, exactly; None where time and not use is charged."""
        if not isinstance(self.method, UnitsOfProduction):
            return None
        left = Fraction(self.method.capacity) - self.used
        return self.depreciable / left if left > 0 else Fraction(0)

    def charges(self) -> Iterator[int]:
        """Each month's charge while the life lasts; of methods that go by time."""
        left = months_of_life(self.method) - self.elapsed
        if left <= 0:
            # The life was cut to less than what is over: what is left goes at once.
            yield self.depreciable
            return
        match self.method:
            case StraightLine():
                yield from _shares(self.depreciable, left)
            case SumOfYears():
                yield from self._weighted(left)
            case Declining():
                yield from self._declining(self.method, left)

    def charge_for(self, units: Fraction, before: Fraction, charged: int) -> int:
        """What `units` of use are charged, `before` of them used in this stretch and `charged` for those."""
        rate, rest = self.rate, self.depreciable - charged
        if rate is None or not isinstance(self.method, UnitsOfProduction):
            return 0
        if self.used + before + units >= Fraction(self.method.capacity):
            return rest if units > 0 else 0
        return min(int(round_half_up(rate * units, 0)), rest)

    def _weighted(self, left: int) -> Iterator[int]:
        years = _years(left)
        weights = [months * (left - _YEAR * year) for year, months in enumerate(years)]
        rest = self.depreciable
        for year, months in enumerate(years):
            last = year == len(years) - 1
            share = Fraction(self.depreciable * weights[year], sum(weights))
            amount = rest if last else min(int(round_half_up(share, 0)), rest)
            rest -= amount
            yield from _shares(amount, months)

    def _declining(self, method: Declining, left: int) -> Iterator[int]:
        value = self.value
        while left > 0:
            months, rest = min(_YEAR, left), value - self.residual
            amount = min(int(round_half_up(value * method.rate * Fraction(months, _YEAR), 0)), rest)
            if _ends_straight(method, left, amount, rest):
                yield from _shares(rest, left)
                return
            yield from _shares(amount, months)
            value, left = value - amount, left - months


def months_of_life(method: Method) -> int:
    """The whole life in months of a method that goes by time; 0 for one that goes by use."""
    match method:
        case StraightLine():
            return method.months
        case UnitsOfProduction():
            return 0
        case _:
            return method.years * _YEAR


def _ends_straight(method: Declining, left: int, amount: int, rest: int) -> bool:
    if method.ending is Ending.STRAIGHT_LINE:
        return left <= method.last_years * _YEAR
    return method.ending is Ending.SWITCH and rest * min(_YEAR, left) >= amount * left


def _years(months: int) -> list[int]:
    """`months` as years: twelve each, and what is left."""
    return [min(_YEAR, months - start) for start in range(0, months, _YEAR)]


def _shares(amount: int, count: int) -> Iterator[int]:
    """`amount` in `count` equal parts that accumulate rounded down: the last has what is left."""
    for number in range(count):
        yield amount * (number + 1) // count - amount * number // count
