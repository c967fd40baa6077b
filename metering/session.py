"""Sessions: promised uses of a meter, and the registers at their begin and end.

A session is opened and closed by readings that its agent sealed for it. One that the agent could not know of is cut by
the service, from the readings around its begin and end, at quarter hours, and marked so.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from metering.interval import Step, added, growth, intervals
from metering.period import Period
from metering.reading import Reason, TimeQuality
from metering.usage import cut


@dataclass(frozen=True, slots=True)
class Session:
    """A use of the meter promised to `party_id`; `withdrawn_at` is when the promise was taken back."""

    id: str
    party_id: UUID
    period: Period
    withdrawn_at: datetime | None = None


class Cutting(StrEnum):
    """How a session's registers were come by, or why there are none yet."""

    AHEAD = "not begun"
    RUNNING = "running"
    SIGNED = "signed"
    BY_SERVICE = "cut by the service at quarter hours"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Edge:
    """The registers at a session's begin or end.

    `signed`: the agent sealed a reading for it. Else the service took the registers from the readings around it, which
    `evidence` names; `substitute` where it had to guess how they grew in between. `unsynchronised`: by a clock that is
    not known to be right.
    """

    at: datetime
    registers: Mapping[str, int]
    evidence: tuple[int, int]
    signed: bool = False
    substitute: bool = False
    unsynchronised: bool = False


@dataclass(frozen=True, slots=True)
class MeasuredSession:
    """A session with what is known of its begin and end: nothing where the meter has not come there yet."""

    session: Session
    opening: Edge | None
    closing: Edge | None

    @property
    def cutting(self) -> Cutting:
        if self.session.withdrawn_at is not None:
            return Cutting.WITHDRAWN
        if self.opening is None:
            return Cutting.AHEAD
        if self.closing is None:
            return Cutting.RUNNING
        return Cutting.SIGNED if self.opening.signed and self.closing.signed else Cutting.BY_SERVICE

    @property
    def deltas(self) -> dict[str, int]:
        """What the registers grew by from begin to end; empty before the end."""
        if self.opening is None or self.closing is None:
            return {}
        return growth(self.closing.registers, self.opening.registers)


def sealed_edge(at: datetime, marked: Mapping[Reason, Step], reason: Reason) -> Edge | None:
    """The edge that the agent sealed, where it sealed one at this very moment."""
    step = marked.get(reason)
    return _exact(step, signed=True) if step is not None and step.reading.device_time == at else None


def edge_between(at: datetime, before: Step | None, after: Step | None) -> Edge | None:
    """The registers at `at` from the last reading at or before it and the first at or after it.

    None while the meter has not come that far. What lies between two readings is spread as usage is: by quarter hours.
    """
    if before is not None and before.reading.device_time == at:
        return _exact(before)
    if after is None:
        return None
    if before is None:  # the meter had not begun: it counts from its first reading on
        number = after.reading.sequence
        return Edge(at, after.reading.registers, (number, number), substitute=True)
    parts = [row for row in cut(intervals([before, after]), meter="") if row.period.end <= at]
    registers: Mapping[str, int] = before.reading.registers
    for row in parts:
        registers = added(registers, row.deltas)
    guessed = any(row.substitute for row in parts)
    doubted = any(row.unsynchronised for row in parts)
    return Edge(at, registers, (before.reading.sequence, after.reading.sequence), False, guessed, doubted)


def _exact(step: Step, *, signed: bool = False) -> Edge:
    reading = step.reading
    # A recording's clock was judged when it was made.
    unsynchronised = reading.time_quality is not TimeQuality.SYNCHRONISED and not step.replayed
    evidence = (reading.sequence, reading.sequence)
    return Edge(reading.device_time, reading.registers, evidence, signed, unsynchronised=unsynchronised)
