"""A meter's balance of a period: opening register + explained growth + unexplained growth = closing register.

Opening and closing are read off readings, growth is given to who or what explains it by quarter hours of usage. What
is left of the one after the other is unexplained, so the sum holds whatever the quarter hours say.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from metering.interval import Step, added, intervals
from metering.period import Period, quarter_start
from metering.reading import Reading
from metering.usage import cut


class NotOnQuarterHours(ValueError):
    """A balance starts and ends on quarter hours, because that is what usage is cut to."""


class Kind(StrEnum):
    """Who or what answers for a growth of registers."""

    BOOKING = "booking"
    DECLARED = "declared"
    EXEMPT = "exempt"
    IDLE = "idle"
    GAP = "gap"
    SUBSTITUTE = "substitute"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class Bound:
    """Registers at one end of a period.

    `sequence` is the reading that says so. `between`: the moment lies in a stretch without readings after it, so that
    the values are that reading's and its part of the stretch's growth, spread by time as usage is.
    """

    at: datetime
    registers: Mapping[str, int]
    sequence: int
    between: bool = False


@dataclass(frozen=True, slots=True)
class Share:
    """Growth of registers in `period` under one explanation. `key` tells shares of one explanation from others of its
    kind (a booking's id), `evidence` is the first and last reading; `substitute`, `unsynchronised` and `replayed` as
    of usage."""

    kind: Kind
    key: str
    name: str
    period: Period
    deltas: Mapping[str, int]
    evidence: tuple[int, int]
    substitute: bool = False
    unsynchronised: bool = False
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One register's sum, in its smallest unit: opening + booked + explained + unexplained = closing.

    `adrift` is the part of `unexplained` that readings tell and no usage: nothing, unless usage was lost.
    """

    code: str
    opening: int
    booked: int
    explained: int
    unexplained: int
    closing: int
    adrift: int


@dataclass(frozen=True, slots=True)
class Balance:
    """A meter's balance of `period`. `opening` and `closing` are None where the meter has no reading that bounds it:
    then nothing grew and nothing is to be explained."""

    meter: str
    period: Period
    opening: Bound | None
    closing: Bound | None
    shares: tuple[Share, ...] = ()

    def codes(self) -> list[str]:
        """Every register that the meter has."""
        return sorted({*(self.opening.registers if self.opening else ()), *_codes(self.closing)})

    def line(self, code: str) -> Line:
        """The sum of one register."""
        opening, closing = (bound.registers.get(code, 0) if bound else 0 for bound in (self.opening, self.closing))
        by_kind = dict.fromkeys(Kind, 0)
        for share in self.shares:
            by_kind[share.kind] += share.deltas.get(code, 0)
        booked, outside = by_kind.pop(Kind.BOOKING), by_kind.pop(Kind.OUTSIDE)
        explained = sum(by_kind.values())
        unexplained = closing - opening - booked - explained
        return Line(code, opening, booked, explained, unexplained, closing, unexplained - outside)

    def lines(self) -> list[Line]:
        """Every register's sum."""
        return [self.line(code) for code in self.codes()]


def summed(lines: Iterable[Line]) -> Line:
    """The sum of one register over a machine's meters, opening to closing each in its time: it holds as each one does.

    Raises ValueError where there is no line.
    """
    found = list(lines)
    if not found:
        raise ValueError("a sum needs a line")
    columns = zip(
        *((one.opening, one.booked, one.explained, one.unexplained, one.closing, one.adrift) for one in found),
        strict=True,
    )
    return Line(found[0].code, *map(sum, columns))


def bound(before: Reading | None, after: Reading | None, at: datetime) -> Bound | None:
    """The registers at `at`, from the last reading at or before it and the first after it.

    Where the meter begins later, its first reading; where it has not come so far, its newest. NotOnQuarterHours.
    """
    if quarter_start(at) != at:
        raise NotOnQuarterHours(f"{at.isoformat()} is not on a quarter hour")
    if before is None or after is None or before.device_time == at:
        known = before or after
        return Bound(known.device_time, known.registers, known.sequence) if known else None
    pieces = cut(intervals([Step(before, {}), Step(after, {})]), meter="")
    registers: Mapping[str, int] = before.registers
    for piece in pieces:
        if piece.period.start < at:
            registers = added(registers, piece.deltas)
    return Bound(at, registers, before.sequence, between=True)


def balance(
    meter: str, period: Period, opening: Bound | None, closing: Bound | None, shares: Iterable[Share]
) -> Balance:
    """The balance of `period`; a meter whose first reading lies after the period, or none at all, has no bounds."""
    if opening is None or closing is None or opening.at >= period.end or closing.at < opening.at:
        return Balance(meter, period, None, None, tuple(shares))
    return Balance(meter, period, opening, closing, tuple(shares))


def joined(shares: Sequence[Share]) -> list[Share]:
    """Adjoining shares of one explanation as one, in order of time within each explanation."""
    runs: list[Share] = []
    newest: dict[tuple[Kind, str, str], int] = {}
    for share in sorted(shares, key=lambda share: share.period):
        label = (share.kind, share.key, share.name)
        at = newest.get(label)
        if at is not None and runs[at].period.end == share.period.start:
            runs[at] = merged(runs[at], share)
        else:
            newest[label] = len(runs)
            runs.append(share)
    return runs


def merged(one: Share, other: Share) -> Share:
    """Two shares of one explanation as one, from the earlier start to the later end."""
    return Share(
        kind=one.kind,
        key=one.key,
        name=one.name,
        period=Period(min(one.period.start, other.period.start), max(one.period.end, other.period.end)),
        deltas=added(one.deltas, other.deltas),
        evidence=(min(one.evidence[0], other.evidence[0]), max(one.evidence[1], other.evidence[1])),
        substitute=one.substitute or other.substitute,
        unsynchronised=one.unsynchronised or other.unsynchronised,
        replayed=one.replayed or other.replayed,
    )


def _codes(bound: Bound | None) -> Iterable[str]:
    return bound.registers if bound else ()
