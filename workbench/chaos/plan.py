"""A seed's plan: which faults, where and when. Pure: the same seed always gives the same plan.

A fault happens at the n-th system call of a program's life (the shim counts), at a tick of the machine's clock, or at
the n-th request to the service. Nothing in a plan depends on how fast the computer is.
"""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass

from workbench.chaos.shim import Rule

AGENT, SERVICE, MACHINE = PROGRAMS = ("agent", "service", "machine")
TICKS = 240
"""Twenty quarter hours of machine time."""
QUIET_TICKS = 36
"""At the end nothing is planned for so long: that everything goes on again is part of what is tried."""

LINK = ("cut", "reset", "stall", "half-open", "delay")
REQUEST = (
    *("cut before", "cut after", "cut inside", "duplicate", "duplicate at once", "reorder", "delay", "stall"),
    "half-open",
)
_DAY_MS = 86_400_000
# Where a program leaves something behind: commits and what they consist of, and what others see of it.
_COMMITS = {
    AGENT: (("fdatasync", "spool.sqlite-wal"), ("pwrite", "spool.sqlite-wal"), ("fsync", "*"), ("rename", "*")),
    SERVICE: (("commit", "database"), ("send", "database"), ("recv", "database"), ("send", "http"), ("recv", "http")),
    MACHINE: (("send", "opcua"), ("recv", "opcua"), ("write", "journal")),
}
_OFTEN = {AGENT: 160, SERVICE: 60, MACHINE: 160}


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


def plan(seed: int, ticks: int = TICKS) -> Plan:
    """The plan of `seed`."""
    chance = random.Random(f"plan {seed}")
    return Plan(
        seed=seed,
        ticks=ticks,
        # Most servers keep enough for every outage of a run; some do not, and what they drop is a gap.
        queue=chance.choice((10_000, 10_000, 10_000, 40, 20)),
        clock_ms=chance.choice((0, 0, chance.randint(-_DAY_MS, _DAY_MS))),
        lives={
            AGENT: _agent_lives(chance),
            SERVICE: _lives(chance, SERVICE, chance.choice((1, 1, 2))),
            MACHINE: _lives(chance, MACHINE, chance.choice((0, 0, 1))),
        },
        moments=tuple(sorted(_moments(chance, ticks), key=lambda one: one.tick)),
        uploads=_uploads(chance),
    )


def _agent_lives(chance: random.Random) -> tuple[Life, ...]:
    """Killed two or three times at a system call; in between the disk may be full or slow, and the clock be set."""
    lives = list(_lives(chance, AGENT, chance.choice((2, 2, 3, 3))))
    extras = (((0, 1, 1), _full_disk), ((0, 0, 1), _step), ((0, 0, 0, 1), _slow_disk))
    for odds, make in extras:
        if chance.choice(odds):
            index = chance.randrange(len(lives))
            lives[index] = Life((*lives[index].rules, make(chance)), lives[index].pause_ms)
    return tuple(lives)


def _lives(chance: random.Random, program: str, count: int) -> tuple[Life, ...]:
    return tuple(Life((_kill(chance, program),), chance.randrange(0, 400)) for _ in range(count))


def _kill(chance: random.Random, program: str) -> Rule:
    """At a commit, at a call that leaves something behind, or at any call at all."""
    call, site = chance.choice((*_COMMITS[program], _COMMITS[program][0], ("*", "*")))
    often = _OFTEN[program] * (8 if call == "*" else 1)
    return Rule("kill", call, site, _early(chance, often), chance.choice(("before", "after")))


def _early(chance: random.Random, often: int) -> int:
    """A number up to `often`: as likely from 1 to 10 as from 10 to 100."""
    return round(math.pow(often, chance.random()))


def _full_disk(chance: random.Random) -> Rule:
    """No space for some calls, or input/output errors; of the spool or of anything that is written."""
    action = chance.choice(("enospc", "enospc", "eio"))
    call, site = chance.choice(
        (("pwrite", "spool.sqlite-wal"), ("fdatasync", "spool.sqlite-wal"), ("write", "*"), ("create", "*"))
    )
    return Rule(action, call, site, _early(chance, 60), "before", chance.choice((1, 2, 5, 20)))


def _slow_disk(chance: random.Random) -> Rule:
    """A commit that takes long."""
    return Rule("delay", "fdatasync", "spool.sqlite-wal", _early(chance, 100), "before", chance.randrange(100, 1_500))


def _step(chance: random.Random) -> Rule:
    """The wall clock is set by seconds, an hour, or days."""
    step = chance.choice((2_000, 90_000, 3_600_000, 3 * _DAY_MS)) * chance.choice((-1, 1))
    return Rule("clock", "*", "*", _early(chance, 800), "after", step)


def _moments(chance: random.Random, ticks: int) -> Iterator[Moment]:
    last = max(ticks - QUIET_TICKS, 2)

    def tick() -> int:
        return chance.randrange(1, last)

    for _ in range(chance.choice((0, 1, 1, 2))):
        yield Moment(tick(), "kill", chance.choice((AGENT, AGENT, SERVICE)))
    for _ in range(chance.choice((1, 1, 2))):
        what = chance.choice(LINK)
        yield Moment(tick(), what, "opcua", 0 if what == "reset" else chance.randrange(100, 900))
    if chance.random() < 0.5:
        yield Moment(tick(), "freeze", chance.choice(PROGRAMS), chance.randrange(100, 700))
    if chance.random() < 0.4:
        yield Moment(tick(), "restart", MACHINE, chance.randrange(50, 400))
    if chance.random() < 0.2:
        yield Moment(tick(), "stop", chance.choice((AGENT, SERVICE)))


def _uploads(chance: random.Random) -> tuple[Upload, ...]:
    wanted = sorted(chance.sample(range(1, 16), chance.choice((1, 2, 3))))
    kinds = [(number, chance.choice(REQUEST)) for number in wanted]
    lasting = ("delay", "stall", "half-open", "reorder")
    return tuple(Upload(number, what, chance.randrange(50, 900) if what in lasting else 0) for number, what in kinds)


def _amount(rule: Rule) -> str:
    if rule.action in ("enospc", "eio"):
        return f", {rule.argument} calls"
    return f" by {rule.argument} ms" if rule.action in ("clock", "delay") else ""
