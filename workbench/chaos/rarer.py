"""Faults that only some seeds have, each by chances of its own, so that a new kind moves none of the others."""

import math
import random
from collections.abc import Iterator
from dataclasses import replace

from workbench.chaos.damage import KINDS as DAMAGE
from workbench.chaos.database import KINDS as DATABASE_FAULTS
from workbench.chaos.planned import (
    AGENT,
    DATABASE,
    OPCUA,
    QUIET_TICKS,
    SPOOL,
    Life,
    Moment,
    Plan,
    Upload,
)
from workbench.chaos.shim import Rule

_FIRST_TICK = 8
"""Before it the agent has hardly begun."""


def with_rarer(plan: Plan) -> Plan:
    """`plan` with what else its seed has."""
    last = max(plan.ticks - QUIET_TICKS, _FIRST_TICK + 2)
    moments = (*plan.moments, *_damage(plan.seed, last), *_database(plan.seed, last), *_long_outage(plan.seed, last))
    return replace(
        plan,
        moments=tuple(sorted(moments, key=lambda one: one.tick)),
        lives={**plan.lives, AGENT: _with_read_only_disk(plan)},
        uploads=_with_slow_answer(plan),
    )


def _chance(kind: str, seed: int, of: float) -> random.Random | None:
    """The chances of this kind of fault, in so many of the seeds."""
    chance = random.Random(f"{kind} {seed}")
    return chance if chance.random() < of else None


def _damage(seed: int, last: int) -> Iterator[Moment]:
    """The agent is killed, and its spool is another when it comes back."""
    if chance := _chance("damage", seed, 0.25):
        yield Moment(chance.randrange(_FIRST_TICK, last), chance.choice(DAMAGE), SPOOL)


def _database(seed: int, last: int) -> Iterator[Moment]:
    if chance := _chance("database", seed, 0.3):
        yield Moment(chance.randrange(1, last), chance.choice(DATABASE_FAULTS), DATABASE, chance.randrange(1, 400))


def _long_outage(seed: int, last: int) -> Iterator[Moment]:
    """The line to the machine is dead for longer than the agent waits for an answer, two seconds: it has to notice."""
    if chance := _chance("long outage", seed, 0.2):
        what = chance.choice(("stall", "half-open", "cut"))
        yield Moment(chance.randrange(_FIRST_TICK, last), what, OPCUA, chance.randrange(2_200, 4_500))


def _with_read_only_disk(plan: Plan) -> tuple[Life, ...]:
    """What a file system does that was mounted read-only after an error of its own."""
    lives = list(plan.lives[AGENT])
    if chance := _chance("read-only", plan.seed, 0.25):
        call, site = chance.choice((("pwrite", "spool.sqlite-wal"), ("write", "*"), ("create", "*"), ("rename", "*")))
        nth, length = round(math.pow(60, chance.random())), chance.choice((1, 5, 20, 60))
        index = chance.randrange(len(lives))
        lives[index] = replace(
            lives[index], rules=(*lives[index].rules, Rule("erofs", call, site, nth, "before", length))
        )
    return tuple(lives)


def _with_slow_answer(plan: Plan) -> tuple[Upload, ...]:
    """An acknowledgement that comes late: the records are stored, and the agent does not know yet."""
    if chance := _chance("slow answer", plan.seed, 0.3):
        free = sorted(set(range(1, 16)) - {one.nth for one in plan.uploads})
        late = Upload(chance.choice(free), "delay answer", chance.randrange(50, 900))
        return tuple(sorted((*plan.uploads, late), key=lambda one: one.nth))
    return plan.uploads
