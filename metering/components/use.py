"""What a machine did in a stretch of time, as far as wear needs it: sums over quarter hours, exact, in whole units."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from metering.interval import added
from metering.period import milliseconds
from metering.spectrum import SPEED_STEP_PER_MIN, Cell, Spectrum
from metering.usage import Usage

SIXTIETHS_PER_REV = 60_000
"""Turns are counted in 1/60 of 1/1000 revolution, in which speed (1/min) times ms is a whole number."""
_HALF_STEP = SPEED_STEP_PER_MIN // 2


@dataclass(frozen=True, slots=True)
class UnknownLoad:
    """Time in which a spindle turned and its load was not known: `ms`, and its turns between `least` and `most`.

    Turns in 1/60 of 1/1000 revolution (`SIXTIETHS_PER_REV`); `most` is None where the speed was not known either.
    """

    ms: int = 0
    least: int = 0
    most: int | None = 0

    def __add__(self, other: "UnknownLoad") -> "UnknownLoad":
        most = None if self.most is None or other.most is None else self.most + other.most
        return UnknownLoad(self.ms + other.ms, self.least + other.least, most)


@dataclass(frozen=True, slots=True)
class Use:
    """Sums of a stretch: growth per register, ms per cell of the load spectrum, and what the spectrum lacks.

    `unknown_load` is per spindle; `watched_ms` is how long readings cover, of it `unproven_ms` without proof of life,
    and `substitute_ms` in quarter hours whose figures are spread over a stretch without readings.
    """

    deltas: Mapping[str, int] = field(default_factory=dict)
    spectrum: Spectrum = field(default_factory=dict)
    unknown_load: Mapping[str, UnknownLoad] = field(default_factory=dict)
    watched_ms: int = 0
    substitute_ms: int = 0

    @property
    def unproven_ms(self) -> int:
        return self.deltas.get("unknown", 0)

    def __add__(self, other: "Use") -> "Use":
        lacking = {
            name: self.unknown_load.get(name, UnknownLoad()) + other.unknown_load.get(name, UnknownLoad())
            for name in {**self.unknown_load, **other.unknown_load}
        }
        return Use(
            added(self.deltas, other.deltas),
            added(self.spectrum, other.spectrum),
            lacking,
            self.watched_ms + other.watched_ms,
            self.substitute_ms + other.substitute_ms,
        )


def use_of(rows: Iterable[Usage]) -> Use:
    """The sum of quarter hours; the store's sums are the same (a test holds them together)."""
    deltas: dict[str, int] = {}
    spectrum: dict[tuple[str, int], int] = {}
    lacking: dict[str, UnknownLoad] = {}
    watched = substitute = 0
    for row in rows:
        length = milliseconds(row.period.length)
        watched, substitute = watched + length, substitute + (length if row.substitute else 0)
        for code, grown in row.deltas.items():
            deltas[code] = deltas.get(code, 0) + grown
        for cell, ms in row.spectrum.items():
            spectrum[cell] = spectrum.get(cell, 0) + ms
        for spindle in _spindles(row):
            lacking[spindle] = lacking.get(spindle, UnknownLoad()) + lacking_load(row, spindle)
    return Use(deltas, {cell: ms for cell, ms in spectrum.items() if ms}, lacking, watched, substitute)


def lacking_load(row: Usage, spindle: str) -> UnknownLoad:
    """The time of a quarter hour in which the spindle turned in no cell of the spectrum: its load was not known.

    Its turns are what the revolutions' register counted beyond the cells, whose speed is known to half a class.
    """
    cells = [(Cell.from_key(key).speed, ms) for (name, key), ms in row.spectrum.items() if name == spindle]
    in_cells = sum(ms for _, ms in cells)
    ms = row.deltas.get(f"spindle_on.{spindle}", 0) - in_cells
    if ms <= 0:
        return UnknownLoad()
    if (revolutions := row.deltas.get(f"revolutions.{spindle}")) is None:
        return UnknownLoad(ms, 0, None)
    all_turns, doubt = 60 * revolutions, _HALF_STEP * in_cells
    rest = all_turns - sum(speed * length for speed, length in cells)
    return UnknownLoad(ms, max(rest - doubt, 0), max(min(rest + doubt, all_turns), 0))


def _spindles(row: Usage) -> list[str]:
    return [part for name, _, part in (code.partition(".") for code in row.deltas) if name == "spindle_on" and part]
