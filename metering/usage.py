"""Usage: what was used in each quarter hour, as differences of valid readings."""

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from metering.interval import Interval, added, intervals, steps
from metering.period import QUARTER_HOUR, Period, milliseconds, quarter_start
from metering.reading import Reading, Record
from metering.register import Unit, describe
from metering.spectrum import Spectrum

_RUNNING = ("program_run", "auto_run", "spindle_on")


@dataclass(frozen=True, slots=True)
class Usage:
    """Growth of a meter's registers within one quarter hour (or a part of one).

    `deltas` is per register code in its smallest unit, `spectrum` per (spindle, cell key) in milliseconds.
    `substitute` marks values that were spread over a stretch without readings, `replayed` a recording played back,
    `unsynchronised` a clock that was not known to be right: durations may be billed, but not by time of use.
    `evidence` names the first and last reading's sequence that the figures are the difference of.
    """

    meter: str
    period: Period
    deltas: Mapping[str, int]
    spectrum: Mapping[tuple[str, int], int] = field(default_factory=dict)
    substitute: bool = False
    replayed: bool = False
    evidence: tuple[int, int] = (0, 0)
    unsynchronised: bool = False


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


def ran(deltas: Mapping[str, int]) -> bool:
    """Whether the machine ran a program, or at least turned a spindle, while the registers grew by `deltas`."""
    return any(grown > 0 and code.partition(".")[0] in _RUNNING for code, grown in deltas.items())


def of_records(records: Sequence[Record], *, spectrum_before: Spectrum | None = None) -> list[Usage]:
    """The quarter hours that the readings of `records`, in order and of one meter, cover."""
    played = {reading.sequence for record in records if record.replayed for reading in record.readings}
    readings = [reading for record in records for reading in record.readings]
    meter = records[0].meter if records else ""
    return quarter_hours(readings, meter=meter, replayed=played, spectrum_before=spectrum_before)


def cut(stretches: Iterable[Interval], *, meter: str) -> list[Usage]:
    """`stretches`, in order of time, summed to quarter hours."""
    quarters: dict[datetime, Usage] = {}
    for stretch in stretches:
        for piece in _pieces(stretch, meter):
            start = quarter_start(piece.period.start)
            quarters[start] = joined(quarters[start], piece) if start in quarters else piece
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
            stretch.unsynchronised,
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
            unsynchronised=stretch.unsynchronised,
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


def joined(one: Usage, other: Usage) -> Usage:
    """Two adjacent parts of one quarter hour as one."""
    return Usage(
        meter=one.meter,
        period=Period(one.period.start, other.period.end),
        deltas=added(one.deltas, other.deltas),
        spectrum=added(one.spectrum, other.spectrum),
        substitute=one.substitute or other.substitute,
        replayed=one.replayed or other.replayed,
        evidence=(one.evidence[0], other.evidence[1]),
        unsynchronised=one.unsynchronised or other.unsynchronised,
    )
