"""What a source hands over at once, and what the one who takes it promises: stored durably, or refused whole."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from machine_agents.observation import Observation


@dataclass(frozen=True, slots=True)
class Delivery:
    """Observations in order of arrival, to be stored together with `state`.

    `heartbeat` is the newest one: everything the source saw up to it is in this or an earlier delivery; None when that
    cannot be said yet. `state` is the source's own text, from which it goes on after a break or a restart; nobody else
    reads it. `signals` are those that the source gives. `lost` names the signals of which values before these may have
    been lost: they are not known since the heartbeat before. `fresh`: nothing connects this with what came before, so
    all are.
    """

    observations: Sequence[Observation]
    heartbeat: datetime | None
    state: str
    signals: tuple[str, ...]
    lost: frozenset[str] = field(default_factory=frozenset)
    fresh: bool = False


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


class Source(Protocol):
    """Reads a machine and delivers what it says to a sink."""

    async def run(self) -> None:
        """Deliver for ever, over every break; cancel to stop."""
