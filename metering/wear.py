"""Wear hours: what a load spectrum costs a spindle, counted in hours at the contract's reference point.

A wear hour is this project's own convention, not a standard's and not a promise of life: an hour at speed `n_ref` and
load `load_ref` counts one; `WH = sum of dt * (n / n_ref) * q^p`, `q = a + (1 - a) * load / load_ref`, where `a` is the
share of the bearing's load that preload makes even when nothing is cut. It is priced, so it is exact: integers and
fractions.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

from metering.spectrum import Cell, Spectrum

_MS_PER_HOUR = 3_600_000


class WearModelError(ValueError):
    """A wear model needs a positive reference speed and load, a floor from 0 to 1 and an exponent from 1 to 10."""


@dataclass(frozen=True, slots=True)
class WearModel:
    """A contract's constants: `n_ref` in 1/min, `load_ref` in % of rated load, preload floor `a`, exponent `p`."""

    n_ref: int
    load_ref: int
    a: Fraction
    p: int = 3

    def __post_init__(self) -> None:
        if isinstance(self.a, float):
            raise WearModelError("the floor a must be exact: give a Fraction, a Decimal or text")
        object.__setattr__(self, "a", Fraction(self.a))
        if self.n_ref <= 0 or self.load_ref <= 0 or not 0 <= self.a <= 1 or not 1 <= self.p <= 10:
            raise WearModelError(f"n_ref {self.n_ref}, load_ref {self.load_ref}, a {self.a}, p {self.p}")

    def rate(self, speed: int, load: int) -> Fraction:
        """Wear hours per hour at `speed` (1/min) and `load` (% of rated load)."""
        q = self.a + (1 - self.a) * Fraction(load, self.load_ref)
        return Fraction(speed, self.n_ref) * q**self.p


def wear_hours(spectrum: Spectrum, model: WearModel, *, spindle: str | None = None) -> Fraction:
    """Wear hours, exact, of the milliseconds in `spectrum`: of one spindle, or of all together."""
    per_cell: dict[int, int] = {}
    for (name, key), ms in spectrum.items():
        if spindle in (None, name):
            per_cell[key] = per_cell.get(key, 0) + ms
    return sum((_of_cell(key, ms, model) for key, ms in per_cell.items()), Fraction(0))


def of_duty(duty: Iterable[tuple[int, int, Fraction]], model: WearModel) -> Fraction:
    """Wear hours of hours run at (speed in 1/min, load in %)."""
    return sum((hours * model.rate(speed, load) for speed, load, hours in duty), Fraction(0))


def _of_cell(key: int, ms: int, model: WearModel) -> Fraction:
    cell = Cell.from_key(key)
    return Fraction(ms, _MS_PER_HOUR) * model.rate(cell.speed, cell.load)
