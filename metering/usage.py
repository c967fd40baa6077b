"""Usage: what was used in each quarter hour, as differences of valid readings."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar

from metering.period import QUARTER_HOUR, Period, milliseconds, quarter_start
from metering.reading import Reading, Record, Status
from metering.register import Unit, describe
from metering.spectrum import Spectrum, difference

_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True)
class Usage:
    """Growth of a meter's registers within one quarter hour (or a part of one).

    `deltas` is per register code in its smallest unit, `spectrum` per (spindle, cell key) in milliseconds.
    `substitute` marks values that were spread over a stretch without readings, `replayed` a recording played back.
    `evidence` names the first and last reading's sequence that the figures are the difference of.
    """

    meter: str
    period: Period
    deltas: Mapping[str, int]
    spectrum: Mapping[tuple[str, int], int] = field(default_factory=dict)
    substitute: bool = False
    replayed: bool = False
    evidence: tuple[int, int] = (0, 0)


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
    """What grew between two readings. `doubtful`: the later reading's status is not good."""

    period: Period
    deltas: Mapping[str, int]
    spectrum: Spectrum
    evidence: tuple[int, int]
    replayed: bool = False
    doubtful: bool = False


def quarter_hours(
    readings: Iterable[Reading],
    *,
    meter: str,
    replayed: Container[int] = (),
    spectrum_before: Spectrum | None = None,
) -> list[Usage]:
    """The quarter hours (UTC) that `readings`, in sequence, cover; sums over them are exact to the unit.

    `replayed` holds the sequences of readings that were played back. A reading tells only the spectrum cells that
    changed, so `spectrum_before` gives the cells' values at the first reading where that is not the meter's first. A
    stretch without readings across a quarter hour's end is spread evenly over its time and marked substitute.
    """
    return cut(intervals(steps(readings, replayed=replayed, spectrum_before=spectrum_before)), meter=meter)


def of_records(records: Sequence[Record], *, spectrum_before: Spectrum | None = None) -> list[Usage]:
    """The quarter hours that the readings of `records`, in order and of one meter, cover."""
    played = {reading.sequence for record in records if record.replayed for reading in record.readings}
    readings = [reading for record in records for reading in record.readings]
    meter = records[0].meter if records else ""
    return quarter_hours(readings, meter=meter, replayed=played, spectrum_before=spectrum_before)


def steps(
    readings: Iterable[Reading], *, replayed: Container[int] = (), spectrum_before: Spectrum | None = None
) -> Iterator[Step]:
    """Readings with their cells' growth, from their cells' cumulative values."""
    cells = dict(spectrum_before or {})
    for reading in readings:
        yield Step(reading, difference(reading.spectrum, cells), reading.sequence in replayed)
        cells.update(reading.spectrum)


def intervals(walk: Iterable[Step]) -> Iterator[Interval]:
    """Differences of consecutive readings; those of one moment count as one, with their growth in what follows."""
    start: Reading | None = None
    grown: dict[tuple[str, int], int] = {}
    doubtful = False
    for step in walk:
        reading = step.reading
        if start is None:
            start = reading
            continue
        for cell, ms in step.grown.items():
            grown[cell] = grown.get(cell, 0) + ms
        doubtful = doubtful or reading.status is not Status.GOOD
        if reading.device_time != start.device_time:
            yield _interval(start, reading, grown, step.replayed, doubtful)
            start, grown, doubtful = reading, {}, False


def _interval(
    start: Reading, end: Reading, grown: dict[tuple[str, int], int], replayed: bool, doubtful: bool
) -> Interval:
    if end.device_time < start.device_time:
        raise RegisterFell(f"reading {end.sequence} lies before reading {start.sequence} in time")
    deltas = growth(end.registers, start.registers)
    fallen = [code for code, value in deltas.items() if value < 0] + [cell for cell, ms in grown.items() if ms < 0]
    if fallen:
        raise RegisterFell(f"{fallen[0]} fell between readings {start.sequence} and {end.sequence}")
    period = Period(start.device_time, end.device_time)
    return Interval(period, deltas, grown, (start.sequence, end.sequence), replayed, doubtful)


def growth(later: Mapping[str, int], earlier: Mapping[str, int]) -> dict[str, int]:
    """Growth of every register that either reading has; a register is born at zero."""
    return {code: later.get(code, 0) - earlier.get(code, 0) for code in {**earlier, **later}}


def cut(stretches: Iterable[Interval], *, meter: str) -> list[Usage]:
    """`stretches`, in order of time, summed to quarter hours."""
    quarters: dict[datetime, Usage] = {}
    for stretch in stretches:
        for piece in _pieces(stretch, meter):
            start = quarter_start(piece.period.start)
            quarters[start] = _joined(quarters[start], piece) if start in quarters else piece
    return list(quarters.values())


def _pieces(stretch: Interval, meter: str) -> Iterator[Usage]:
    """The stretch cut at quarter hours: as it is within one, else spread by time."""
    if stretch.period.end <= quarter_start(stretch.period.start) + QUARTER_HOUR:
        yield Usage(
            meter,
            stretch.period,
            stretch.deltas,
            stretch.spectrum,
            stretch.doubtful,
            stretch.replayed,
            stretch.evidence,
        )
        return
    parts = list(stretch.period.quarter_hours())
    weights = [part.length // timedelta(microseconds=1) for part in parts]
    deltas = {code: _spread(value, weights) for code, value in stretch.deltas.items()}
    cells = {cell: _spread(value, weights) for cell, value in stretch.spectrum.items() if value}
    guessed = stretch.doubtful or _is_guess(stretch)
    for index, part in enumerate(parts):
        yield Usage(
            meter=meter,
            period=part,
            deltas={code: values[index] for code, values in deltas.items()},
            spectrum={cell: values[index] for cell, values in cells.items() if values[index]},
            substitute=guessed,
            replayed=stretch.replayed,
            evidence=stretch.evidence,
        )


def _is_guess(stretch: Interval) -> bool:
    """Whether spreading guesses: what did not grow, or grew all the time, is known for every part."""
    length_ms = milliseconds(stretch.period.length)
    known = (value == 0 or (value == length_ms and _is_time(code)) for code, value in stretch.deltas.items())
    return any(stretch.spectrum.values()) or not all(known)


def _is_time(code: str) -> bool:
    return describe(code).unit is Unit.MILLISECOND


def _spread(value: int, weights: Sequence[int]) -> list[int]:
    """`value` in whole parts proportional to `weights` by largest remainder; the sum is `value`."""
    if value == 0:
        return [0] * len(weights)
    whole = sum(weights)
    divided = [divmod(value * weight, whole) for weight in weights]
    left = value - sum(floor for floor, _ in divided)
    extra = set(sorted(range(len(weights)), key=lambda index: (-divided[index][1], index))[:left])
    return [floor + (index in extra) for index, (floor, _) in enumerate(divided)]


def _joined(one: Usage, other: Usage) -> Usage:
    return Usage(
        meter=one.meter,
        period=Period(one.period.start, other.period.end),
        deltas=_summed(one.deltas, other.deltas),
        spectrum=_summed(one.spectrum, other.spectrum),
        substitute=one.substitute or other.substitute,
        replayed=one.replayed or other.replayed,
        evidence=(one.evidence[0], other.evidence[1]),
    )


def _summed(one: Mapping[_Key, int], other: Mapping[_Key, int]) -> dict[_Key, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in {**one, **other}}
