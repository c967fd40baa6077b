"""The alarm about refused records: raised once per agent, cleared when everything is settled."""

from datetime import datetime

from metering.machine import Agent
from metering.refusals.store import RefusalStore
from metering.store import MeteringStore


def watch(*, refusals: RefusalStore, metering: MeteringStore, now: datetime) -> list[tuple[Agent, int]]:
    """Raise an alarm for each agent with unsettled refused records that has none, and clear those that are settled.

    The agents that it was raised for now, with how many records wait. Needs the worker's role.
    """
    counts = refusals.counts()
    refusals.clear_alarms(but=counts, now=now)
    troubled = [agent for agent in metering.agents() if agent.id in counts]
    return [(agent, counts[agent.id]) for agent in troubled if refusals.raise_alarm(agent, now=now)]
