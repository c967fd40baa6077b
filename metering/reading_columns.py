"""The readings of one record as columns: what is the same for all is there once, none is built before it is needed.

A record says many readings that differ in little; checking and storing them go column by column.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import overload

from metering.period import Period
from metering.reading import Reading, Reason, Status, TimeQuality
from metering.spectrum import Spectrum
from metering.values import Values


@dataclass(frozen=True, slots=True, eq=False)
class ReadingColumns(Sequence[Reading]):
    """Readings `first`, `first + 1`, ... of a meter; equal to any sequence of the same readings.

    `rows` has each reading's register values in the order of `codes`. `spectra`, `gaps` and `sessions` hold an entry
    only where a reading has one, by its place.
    """

    first: int
    times: Sequence[datetime]
    qualities: Sequence[TimeQuality]
    reasons: Sequence[Reason]
    statuses: Sequence[Status]
    codes: tuple[str, ...]
    rows: Sequence[Sequence[int]]
    spectra: Mapping[int, Spectrum] = field(default_factory=dict)
    gaps: Mapping[int, Period] = field(default_factory=dict)
    sessions: Mapping[int, str] = field(default_factory=dict)

    @classmethod
    def of(cls, readings: Sequence[Reading]) -> "ReadingColumns":
        """The same readings as columns. ValueError unless their sequences count on and all hold the same registers."""
        if isinstance(readings, cls):
            return readings
        first, codes = readings[0].sequence, tuple(readings[0].registers)
        for place, reading in enumerate(readings):
            if reading.sequence != first + place:
                raise ValueError(f"reading {reading.sequence} stands where {first + place} follows")
            if reading.registers.keys() != set(codes):
                raise ValueError(f"reading {reading.sequence} does not hold the registers of those before it")
        return cls(
            first=first,
            times=[one.device_time for one in readings],
            qualities=[one.time_quality for one in readings],
            reasons=[one.reason for one in readings],
            statuses=[one.status for one in readings],
            codes=codes,
            rows=[[one.registers[code] for code in codes] for one in readings],
            spectra={place: one.spectrum for place, one in enumerate(readings) if one.spectrum},
            gaps={place: one.gap for place, one in enumerate(readings) if one.gap},
            sessions={place: one.session for place, one in enumerate(readings) if one.session is not None},
        )

    def __len__(self) -> int:
        return len(self.times)

    @overload
    def __getitem__(self, place: int) -> Reading: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Reading]: ...
    def __getitem__(self, place: int | slice) -> Reading | Sequence[Reading]:
        if isinstance(place, slice):
            return tuple(self._reading(index) for index in range(len(self))[place])
        return self._reading(range(len(self))[place])

    def __iter__(self) -> Iterator[Reading]:
        return map(self._reading, range(len(self)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and tuple(self) == tuple(other)

    __hash__ = None  # type: ignore[assignment]

    def _reading(self, place: int) -> Reading:
        return Reading(
            self.first + place,
            self.times[place],
            self.qualities[place],
            self.reasons[place],
            self.statuses[place],
            Values(self.codes, self.rows[place]),
            self.spectra.get(place, {}),
            self.gaps.get(place),
            self.sessions.get(place),
        )
