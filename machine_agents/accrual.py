"""Accrual: observations folded into registers, exactly, whatever way they arrive in.

A value holds until the signal's next value; `None` ends it; nothing accrues while the source is not proven alive.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from machine_agents.observation import Observation
from metering.period import Period
from metering.reading import Reason


@dataclass(frozen=True, slots=True)
class Policy:
    """Choices of the meter's owner; part of the agent's configuration.

    `silence_ms`: how long after a sign of life (any observation with a value other than `heartbeat` and `replayed`)
    values still hold. `long_gap_ms`: after so much silence no more cuts are made until the source speaks again.
    """

    silence_ms: int = 30_000
    long_gap_ms: int = 86_400_000


@dataclass(frozen=True, slots=True)
class Cut:
    """The registers at one moment, ready to become a reading.

    `spectrum` holds the cells changed since the cut or snapshot before, each with its cumulative ms. `gap` is the
    longest stretch since then in which the source was not proven alive. `reason` is DURING at quarter hours and
    EXCEPTION where a long gap begins to suppress cuts and where it ends.
    """

    at: datetime
    registers: Mapping[str, int]
    spectrum: Mapping[tuple[str, int], int]
    gap: Period | None
    replayed: bool
    reason: Reason = Reason.DURING


class AccrualState:
    """Everything that must survive a restart. Mutable; owned by one agent; saved as JSON with the readings."""

    @classmethod
    def begin(cls, at: datetime) -> "AccrualState":
        """A meter that starts with zero registers at `at`, the first heartbeat's time."""
        raise NotImplementedError

    def to_json(self) -> str:
        raise NotImplementedError

    @classmethod
    def from_json(cls, text: str) -> "AccrualState":
        raise NotImplementedError


def fold(
    state: AccrualState, observations: Iterable[Observation], heartbeat: datetime | None, policy: Policy
) -> list[Cut]:
    """Take in `observations`; fold all up to `heartbeat` (None: keep them for later) and return the cuts passed.

    Changes `state`. Cuts come in order of time. `heartbeat` and `replayed` signals among the observations are allowed:
    a `heartbeat` observation does not move the watermark, only the argument does.
    """
    raise NotImplementedError


def snapshot(state: AccrualState, *, reason: Reason = Reason.DURING) -> Cut:
    """The registers as of the last watermark, for a first (BEGIN), interim or last reading.

    Changes `state`: the next cut's spectrum holds the cells changed since this snapshot.
    """
    raise NotImplementedError
