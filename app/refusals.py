"""Refused records on the service's database: settling them, taking up what waits behind, and the alarm about them."""

import logging
import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.database import Database, Role, Session
from metering.chain import Passed
from metering.machine import Agent
from metering.refusals.settle import note_all, settle, take_up
from metering.refusals.store import RefusalStore
from metering.refusals.watch import watch
from metering.store import MeteringStore

HEADER = "spindleshare-refused"
"""The request header in which an agent names refused records, oldest first, to be told which of them are settled."""
_NUMBERS = re.compile(r"[0-9]{1,18}(,[0-9]{1,18}){0,99}", re.ASCII)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A refusal that was settled: the gap, if it became one, and how many records were stored behind it at once."""

    gap: Passed | None
    stored: int


def settle_one(database: Database, agent: Agent, refused_id: UUID, *, why: str, by: str, now: datetime) -> Accepted:
    """Settle one refused record and go on with what waits behind it. CannotSettle."""
    with database.transaction(Role.WORKER) as session:
        refusals, metering = RefusalStore(session), MeteringStore(session)
        done = settle(agent, refused_id, why=why, by=by, refusals=refusals, metering=metering, now=now)
    stored = take_up_all(database, agent, now=now)
    watch_once(database, now=now)
    return Accepted(done.gap, stored)


def settle_all(database: Database, agent: Agent, *, why: str, by: str, now: datetime) -> int:
    """Note every refused record of the agent, without a gap: how many."""
    with database.transaction(Role.WORKER) as session:
        refusals, metering = RefusalStore(session), MeteringStore(session)
        count = note_all(agent, why=why, by=by, refusals=refusals, metering=metering, now=now)
    watch_once(database, now=now)
    return count


def take_up_all(database: Database, agent: Agent, *, now: datetime) -> int:
    """Store what is kept aside and follows on the chain now, a transaction a batch; how many records."""
    stored = 0
    while True:
        with database.transaction(Role.WORKER) as session:
            receipt = take_up(agent, refusals=RefusalStore(session), metering=MeteringStore(session), now=now)
        stored += receipt.stored
        if not receipt.stored:
            return stored


def watch_once(database: Database, *, now: datetime) -> list[tuple[Agent, int]]:
    """Raise and clear alarms; the agents that one was raised for now."""
    with database.transaction(Role.WORKER) as session:
        raised = watch(refusals=RefusalStore(session), metering=MeteringStore(session), now=now)
    for agent, count in raised:
        _log.warning("meter %s: refused records of its agent that wait to be settled: %d", agent.meter_serial, count)
    return raised


def tend_refusals(database: Database, *, now: datetime) -> list[tuple[Agent, int]]:
    """The job: what came while an accepted gap was being filled is taken up, then alarms are raised and cleared."""
    with database.transaction(Role.WORKER) as session:
        waiting = RefusalStore(session).counts()
        agents = [agent for agent in MeteringStore(session).agents() if agent.id in waiting]
    for agent in agents:
        take_up_all(database, agent, now=now)
    return watch_once(database, now=now)


def settled_numbers(session: Session, agent: Agent, header: str | None) -> list[int] | None:
    """Of the refused records that an agent says it knows of, those that wait no more; None where it says nothing."""
    if not header or not _NUMBERS.fullmatch(header):
        return None
    return RefusalStore(session).settled_among(agent.id, [int(number) for number in header.split(",")])
