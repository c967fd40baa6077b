"""What a plan consists of: faults with their places, as values that can be told in a line each."""

from collections.abc import Iterator
from dataclasses import dataclass

from workbench.chaos.shim import ERRORS, Rule

AGENT, SERVICE, MACHINE = PROGRAMS = ("agent", "service", "machine")
OPCUA, DATABASE, SPOOL = "opcua", "database", "spool"
"""What else a fault at a tick may happen to: the line to the machine, the service's database, the agent's file."""
TICKS = 240
"""Twenty quarter hours of machine time."""
QUIET_TICKS = 36
"""At the end nothing is planned for so long: that everything goes on again is part of what is tried."""


@dataclass(frozen=True, slots=True)
class Life:
    """One life of a program: its faults at system calls, and how long it stays down after a kill."""

    rules: tuple[Rule, ...]
    pause_ms: int

    def __str__(self) -> str:
        said = "; ".join(
            f"{one.action} {one.when} {one.call}@{one.site} #{one.nth}{_amount(one)}" for one in self.rules
        )
        return f"{said or 'nothing'}, then down {self.pause_ms} ms"


@dataclass(frozen=True, slots=True)
class Moment:
    """A fault at a tick of the machine's clock: `what` happens to `target`, for `length_ms` where it lasts."""

    tick: int
    what: str
    target: str
    length_ms: int = 0

    def __str__(self) -> str:
        return f"tick {self.tick}: {self.what} {self.target}" + (f" for {self.length_ms} ms" if self.length_ms else "")


@dataclass(frozen=True, slots=True)
class Upload:
    """A fault at the `nth` request that the agent sends to the service."""

    nth: int
    what: str
    length_ms: int = 0

    def __str__(self) -> str:
        return f"request {self.nth}: {self.what}" + (f" {self.length_ms} ms" if self.length_ms else "")


@dataclass(frozen=True, slots=True)
class Plan:
    """All that goes wrong in one run. `queue`: values that the machine's server keeps per node for an absent agent."""

    seed: int
    ticks: int
    queue: int
    clock_ms: int
    lives: dict[str, tuple[Life, ...]]
    moments: tuple[Moment, ...]
    uploads: tuple[Upload, ...]

    def lines(self) -> Iterator[str]:
        """The plan in words, one fault a line; two plans are the same when their lines are."""
        yield f"seed {self.seed}: {self.ticks} ticks, queue {self.queue}, the agent's clock off by {self.clock_ms} ms"
        for program, lives in self.lives.items():
            yield from (f"{program}, life {number}: {life}" for number, life in enumerate(lives, 1))
        yield from map(str, (*self.moments, *self.uploads))


def _amount(rule: Rule) -> str:
    if rule.action in ERRORS:
        return f", {rule.argument} calls"
    return f" by {rule.argument} ms" if rule.action in ("clock", "delay") else ""
