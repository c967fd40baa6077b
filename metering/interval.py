"""Intervals: what grew between two readings of a meter, from which all usage is derived."""

from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from metering.period import QUARTER_HOUR, Period, quarter_start
from metering.reading import Reading, Status, TimeQuality
from metering.spectrum import Spectrum, difference

_Key = TypeVar("_Key")
_EVER = datetime.max.replace(tzinfo=UTC)


class RegisterFell(ValueError):
    """A register, a spectrum cell or the clock went back between two readings: they are not of one meter's life."""


@dataclass(frozen=True, slots=True)
class Step:
    """A reading with what its spectrum cells grew since the reading before; `replayed`: it was played back."""

    reading: Reading
    grown: Spectrum
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Interval:
    """What grew between two readings. `doubtful`: the later reading's status is not good. `unsynchronised`: one of the
    readings was taken by a clock that is not known to be right, so the duration counts but not the time of day."""

    period: Period
    deltas: Mapping[str, int]
    spectrum: Spectrum
    evidence: tuple[int, int]
    replayed: bool = False
    doubtful: bool = False
    unsynchronised: bool = False


def steps(
    readings: Iterable[Reading], *, replayed: Container[int] = (), spectrum_before: Spectrum | None = None
) -> Iterator[Step]:
    """Readings with their cells' growth, from their cells' cumulative values."""
    cells = dict(spectrum_before or {})
    for reading in readings:
        yield Step(reading, difference(reading.spectrum, cells), reading.sequence in replayed)
        cells.update(reading.spectrum)


def thinned(walk: Iterable[Step]) -> list[Step]:
    """The steps that quarter hours depend on; a reading between two others of the same quarter hour adds nothing.

    Only for readings whose chain is checked: a register that fell and rose again in between is not seen any more.
    """
    kept: list[Step] = []
    ends = _EVER
    for step in walk:
        merged = step
        reading = step.reading
        if len(kept) > 1:
            between = kept[-1]
            # Of readings of one moment the first must stay the first.
            if (
                between.reading.device_time < reading.device_time <= ends
                and between.reading.status is Status.GOOD
                and between.reading.time_quality is reading.time_quality
                and between.replayed == step.replayed
            ):
                merged = Step(reading, added(between.grown, step.grown), step.replayed)
                kept.pop()
            else:
                ends = quarter_start(between.reading.device_time) + QUARTER_HOUR
        elif kept:
            ends = quarter_start(kept[0].reading.device_time) + QUARTER_HOUR
        kept.append(merged)
    return kept


def intervals(walk: Iterable[Step]) -> Iterator[Interval]:
    """Differences of consecutive readings; those of one moment count as one, with their growth in what follows."""
    start: Reading | None = None
    grown: dict[tuple[str, int], int] = {}
    doubtful = unsynchronised = False
    for step in walk:
        reading = step.reading
        if start is None:
            start, unsynchronised = reading, _is_unsynchronised(reading)
            continue
        for cell, ms in step.grown.items():
            grown[cell] = grown.get(cell, 0) + ms
        doubtful = doubtful or reading.status is not Status.GOOD
        unsynchronised = unsynchronised or _is_unsynchronised(reading)
        if reading.device_time != start.device_time:
            # A recording's clock was judged when it was made; what is played back is marked as such anyway.
            yield replace(
                _interval(start, reading, grown),
                replayed=step.replayed,
                doubtful=doubtful,
                unsynchronised=unsynchronised and not step.replayed,
            )
            start, grown, doubtful, unsynchronised = reading, {}, False, _is_unsynchronised(reading)


def _is_unsynchronised(reading: Reading) -> bool:
    return reading.time_quality is not TimeQuality.SYNCHRONISED


def _interval(start: Reading, end: Reading, grown: dict[tuple[str, int], int]) -> Interval:
    if end.device_time < start.device_time:
        raise RegisterFell(f"reading {end.sequence} lies before reading {start.sequence} in time")
    deltas = growth(end.registers, start.registers)
    fallen = [code for code, value in deltas.items() if value < 0] + [cell for cell, ms in grown.items() if ms < 0]
    if fallen:
        raise RegisterFell(f"{fallen[0]} fell between readings {start.sequence} and {end.sequence}")
    period = Period(start.device_time, end.device_time)
    return Interval(period, deltas, grown, (start.sequence, end.sequence))


def growth(later: Mapping[str, int], earlier: Mapping[str, int]) -> dict[str, int]:
    """Growth of every register that either reading has; a register is born at zero."""
    return {code: later.get(code, 0) - earlier.get(code, 0) for code in {**earlier, **later}}


def added(one: Mapping[_Key, int], other: Mapping[_Key, int]) -> dict[_Key, int]:
    """The sums of two sets of growths."""
    return {key: one.get(key, 0) + other.get(key, 0) for key in {**one, **other}}
