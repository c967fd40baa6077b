"""What a source hands over at once, and what the one who takes it promises: stored durably, or refused whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeAlias

from machine_agents.observation import Observation
from metering.period import Period

Moment: TypeAlias = tuple[datetime, tuple[int | str | bool | None, ...]]
"""A source time, and the value or values that a signal had then."""


@dataclass(frozen=True, slots=True)
class Known:
    """What has been taken so far. `until`: the last moment that anything is known of; `last`: each signal's newest."""

    until: datetime
    last: Mapping[str, Moment]


@dataclass(frozen=True, slots=True)
class History:
    """What was missed and then read from the source's own history.

    `observations` are those of `period`; they begin where a signal was left and end it (None) where history does, for
    the signals that are `told`: no other end is set to them. `joined`: those that the delivery's own observations go on
    with, without a break.
    """

    period: Period
    observations: Sequence[Observation]
    told: frozenset[str]
    joined: frozenset[str]


@dataclass(frozen=True, slots=True)
class Delivery:
    """Observations in order of arrival, to be stored together with `state`.

    `heartbeat` is the newest one: everything the source saw up to it is in this or an earlier delivery; None when that
    cannot be said yet. `state` is the source's own text, from which it goes on after a break or a restart; nobody else
    reads it. `signals` are those that the source gives. `lost` names the signals of which values before these may have
    been lost: they are not known since the heartbeat before. `fresh`: nothing connects this with what came before, so
    all are. `history` holds what could be read of it afterwards; alone, it is a part of a longer stretch.
    """

    observations: Sequence[Observation]
    heartbeat: datetime | None
    state: str
    signals: tuple[str, ...]
    lost: frozenset[str] = field(default_factory=frozenset)
    fresh: bool = False
    history: History | None = None

    @property
    def past(self) -> bool:
        """Whether all of it is from history: it tells nothing of the machine's present."""
        return self.history is not None and not self.observations


class NotStored(Exception):
    """A delivery could not be made durable (disk full, read-only): nothing of it is kept, nothing is acknowledged."""


class StoreBroken(Exception):
    """What is stored is damaged: nothing may be built on it, so that the agent has to end."""


class Sink(Protocol):
    """Takes deliveries. `deliver` and `remember` return when what was given is on the disk, or raise NotStored."""

    def deliver(self, delivery: Delivery) -> None: ...

    def remember(self, state: str) -> None:
        """Keep a source's state without observations."""

    def remembered(self) -> str:
        """The state kept last, as the source wrote it; empty before the first."""

    def known(self) -> Known | None:
        """What has been taken so far; None before the first delivery."""


class Source(Protocol):
    """Reads a machine and delivers what it says to a sink."""

    async def run(self) -> None:
        """Deliver for ever, over every break; cancel to stop."""
