"""Usage as known at a moment: quarter hours with the marks that a reader must see, and what has changed since."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from metering.interval import growth
from metering.period import Period, quarter_start
from metering.usage import Usage

LATE_AFTER = timedelta(hours=2)
"""An agent sends what it seals at once. What becomes known later than this after its end was held up."""


class Mark(StrEnum):
    """What is to be said of a quarter hour's figures. In this order they are listed."""

    GAP = "gap"
    SUBSTITUTE = "substitute"
    LATE = "late"
    CORRECTED = "corrected"
    UNSYNCHRONISED = "clock not synchronised"
    OPEN = "not over yet"
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class Known:
    """A quarter hour's usage with how it came to be known.

    `revision` counts from 1; figures became known at `recorded_at`. `is_open`: readings do not reach its end, so they
    may still grow. `in_gap`: the source was not proven alive in a part of it, or a record of it was never taken.
    """

    usage: Usage
    revision: int
    recorded_at: datetime
    is_open: bool
    in_gap: bool = False

    @property
    def starts_at(self) -> datetime:
        return quarter_start(self.usage.period.start)

    def marks(self) -> tuple[Mark, ...]:
        """What is to be said of it."""
        late = self.recorded_at > self.usage.period.end + LATE_AFTER
        said = {
            Mark.GAP: self.in_gap,
            Mark.SUBSTITUTE: self.usage.substitute,
            Mark.LATE: late and not self.usage.replayed,
            Mark.CORRECTED: self.revision > 1,
            Mark.UNSYNCHRONISED: self.usage.unsynchronised,
            Mark.OPEN: self.is_open,
            Mark.REPLAYED: self.usage.replayed,
        }
        return tuple(mark for mark, holds in said.items() if holds)


@dataclass(frozen=True, slots=True)
class Pair:
    """A quarter hour as known then and now; None where nothing was known."""

    starts_at: datetime
    then: Known | None
    now: Known | None

    @property
    def difference(self) -> dict[str, int]:
        """What each register's growth has changed by since then, in its smallest unit."""
        return growth(*(each.usage.deltas if each else {} for each in (self.now, self.then)))

    @property
    def differs(self) -> bool:
        return any(self.difference.values())


def compare(then: Iterable[Known], now: Iterable[Known]) -> list[Pair]:
    """Quarter hour by quarter hour, in order of time."""
    before, after = ({each.starts_at: each for each in rows} for rows in (then, now))
    return [Pair(moment, before.get(moment), after.get(moment)) for moment in sorted({*before, *after})]


def totals(rows: Iterable[Known]) -> dict[str, int]:
    """The sums of all registers' growths, in their smallest units."""
    sums: dict[str, int] = {}
    for row in rows:
        for code, grown in row.usage.deltas.items():
            sums[code] = sums.get(code, 0) + grown
    return sums


def with_gaps(rows: Iterable[Known], gaps: Sequence[Period], holes: Sequence[tuple[int, int]] = ()) -> list[Known]:
    """The rows, those marked that touch one of `gaps` or rest on readings on both sides of one of `holes`.

    A hole is the readings' numbers before and after a record that was never taken.
    """
    return [
        Known(
            row.usage,
            row.revision,
            row.recorded_at,
            row.is_open,
            any(gap.overlaps(row.usage.period) for gap in gaps)
            or any(row.usage.evidence[0] <= last and next_ <= row.usage.evidence[1] for last, next_ in holes),
        )
        for row in rows
    ]


def grew(deltas: Mapping[str, int]) -> bool:
    """Whether anything was counted at all."""
    return any(deltas.values())
