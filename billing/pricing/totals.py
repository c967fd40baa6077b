"""Summing slices: exact totals per band, and the quantity of a dimension within them.

Everything stays exact until a component's whole quantity is rounded once, so neither the order of slices nor the way
a stretch is cut into them can change a bill.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from fractions import Fraction
from math import lcm
from typing import TypeVar

from billing.pricing.bands import BandClock
from billing.pricing.dimensions import WEAR_HOURS, is_wear, members
from billing.pricing.fields import InvalidInput, Problem
from billing.pricing.measured import EvidenceRange, Measured, Slice
from billing.pricing.tariff import TariffVersion
from metering.register import in_billed_unit
from metering.values import columns
from metering.wear import WearModel, wear_hours

K = TypeVar("K")
NO_BAND = ""
_TICK = timedelta(microseconds=1)


@dataclass(slots=True)
class Totals:
    """Sums over slices; a share of a slice that crosses a band's border counts as an exact fraction."""

    registers: dict[str, Fraction | int] = field(default_factory=dict)
    quantities: dict[str, Fraction | int] = field(default_factory=dict)
    spectrum: dict[tuple[str, int], Fraction | int] = field(default_factory=dict)
    evidence: dict[str, tuple[int, int]] = field(default_factory=dict)
    substitute: bool = False
    unsynchronised: bool = False

    def add_whole(self, parts: Sequence[Slice]) -> None:
        """Count all of these slices. As `add` of each, but a meter's registers are summed in columns."""
        by_codes: dict[tuple[str, ...], list[Sequence[int]]] = {}
        for part in parts:
            codes, grown = columns(part.registers)
            by_codes.setdefault(tuple(codes), []).append(grown)
            if part.spectrum:
                _grow(self.spectrum, part.spectrum, 1)
            if part.quantities:
                _grow(self.quantities, {name: Fraction(used) for name, used in part.quantities.items()}, 1)
            self._prove(part.evidence)
            self.substitute |= part.substitute
            self.unsynchronised |= part.unsynchronised
        for codes, rows in by_codes.items():
            _grow(self.registers, dict(zip(codes, map(sum, zip(*rows, strict=True)), strict=True)), 1)

    def add(self, part: Slice, weight: Fraction) -> None:
        """Count `weight` of a slice; its evidence counts whole."""
        _grow(self.registers, part.registers, weight)
        _grow(self.spectrum, part.spectrum, weight)
        _grow(self.quantities, {name: Fraction(used) for name, used in part.quantities.items()}, weight)
        self._prove(part.evidence)
        self.substitute |= part.substitute
        self.unsynchronised |= part.unsynchronised

    def join(self, other: "Totals") -> None:
        """Count everything that `other` has counted."""
        _grow(self.registers, other.registers, 1)
        _grow(self.spectrum, other.spectrum, 1)
        _grow(self.quantities, other.quantities, 1)
        self._prove(other.ranges())
        self.substitute |= other.substitute
        self.unsynchronised |= other.unsynchronised

    def measures(self, dimension: str) -> bool:
        """Whether anything here says how much of `dimension` was used, be it nothing."""
        if is_wear(dimension):
            return bool(self.spectrum) or any(is_wear(name) for name in self.quantities)
        return bool(members(dimension, [*self.registers, *self.quantities]))

    def quantity(self, dimension: str, wear: WearModel | None) -> Fraction:
        """How much of `dimension`, in its billed unit, exactly."""
        if is_wear(dimension):
            return self._wear(dimension, wear)
        found = sum((Fraction(self.quantities[name]) for name in members(dimension, self.quantities)), Fraction(0))
        for code in members(dimension, self.registers):
            found += in_billed_unit(code, 1) * self.registers[code]
        return found

    def ranges(self) -> tuple[EvidenceRange, ...]:
        return tuple(EvidenceRange(meter, *ends) for meter, ends in sorted(self.evidence.items()))

    def _prove(self, ranges: Iterable[EvidenceRange]) -> None:
        for piece in ranges:
            first, last = self.evidence.get(piece.meter, (piece.first, piece.last))
            self.evidence[piece.meter] = min(first, piece.first), max(last, piece.last)

    def _wear(self, dimension: str, wear: WearModel | None) -> Fraction:
        stem = dimension + "."
        names = [name for name in self.quantities if name == dimension or name.startswith(stem)]
        found = sum((Fraction(self.quantities[name]) for name in names), Fraction(0))
        if wear is None:
            return found
        spindle = dimension.removeprefix(WEAR_HOURS).removeprefix(".")
        cells = {cell: ms for cell, ms in self.spectrum.items() if not spindle or cell[0] == spindle}
        return found + spectrum_wear(cells, wear)


def spectrum_wear(cells: Mapping[tuple[str, int], Fraction | int], wear: WearModel) -> Fraction:
    """Wear hours of a spectrum whose milliseconds may be shares of whole ones."""
    scale = lcm(*(ms.denominator for ms in cells.values()))
    return Fraction(wear_hours({cell: int(ms * scale) for cell, ms in cells.items()}, wear)) / scale


def by_band(tariff: TariffVersion, measured: Measured) -> tuple[dict[str, Totals], int]:
    """Totals per band in the tariff's order, and how many slices had to be shared out over a border.

    Use that was timed by a clock not known to be right is in no band: it stands under `NO_BAND`, where only prices that
    do not ask for the time of day apply.
    """
    codes = [band.code for band in tariff.bands] or [NO_BAND]
    found, whole = {code: Totals() for code in codes}, {code: list[Slice]() for code in codes}
    clock, shared = BandClock(tariff.bands, measured.clock), 0
    for index, part in enumerate(measured.slices):
        if part.band is not None and tariff.bands:
            _named(whole, part.band, index).append(part)
        elif part.unsynchronised and tariff.bands:
            whole.setdefault(NO_BAND, []).append(part)
        elif (band := clock.only(part.period)) is not None:
            whole[band].append(part)
        else:
            shared += _share_out(part, clock, found)
    for code, parts in whole.items():
        found.setdefault(code, Totals()).add_whole(parts)
    return found, shared


def _share_out(part: Slice, clock: BandClock, found: Mapping[str, Totals]) -> bool:
    """Count the slice by time in each band that it touches; whether these are several."""
    pieces = clock.split(part.period)
    for code, piece in pieces:
        found[code].add(part, Fraction(piece.length // _TICK, part.period.length // _TICK))
    return len({code for code, _ in pieces}) > 1


def _named(found: dict[str, list[Slice]], band: str, index: int) -> list[Slice]:
    if band not in found:
        raise InvalidInput(
            [Problem(f".slices[{index}].band", f"{band!r} is no band of the tariff ({', '.join(found)})")]
        )
    return found[band]


def _grow(sums: dict[K, Fraction | int], grown: Mapping[K, Fraction | int], weight: Fraction | int) -> None:
    for key, amount in grown.items():
        sums[key] = sums.get(key, 0) + amount * weight
