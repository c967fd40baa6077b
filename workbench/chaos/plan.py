"""A seed's plan: which faults, where and when. Pure: the same seed always gives the same plan.

A fault happens at the n-th system call of a program's life (the shim counts), at a tick of the machine's clock, or at
the n-th request to the service. Nothing in a plan depends on how fast the computer is.
"""

import math
import random
from collections.abc import Iterator

from workbench.chaos.planned import (
    AGENT,
    MACHINE,
    OPCUA,
    PROGRAMS,
    QUIET_TICKS,
    SERVICE,
    TICKS,
    Life,
    Moment,
    Plan,
    Upload,
)
from workbench.chaos.rarer import with_rarer
from workbench.chaos.shim import Rule

__all__ = ["AGENT", "MACHINE", "PROGRAMS", "SERVICE", "Life", "Moment", "Plan", "Upload", "plan"]

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


def plan(seed: int, ticks: int = TICKS) -> Plan:
    """The plan of `seed`."""
    chance = random.Random(f"plan {seed}")
    often = Plan(
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
    return with_rarer(often)


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
        yield Moment(tick(), what, OPCUA, 0 if what == "reset" else chance.randrange(100, 900))
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
