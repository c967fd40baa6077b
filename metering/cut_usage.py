"""From stored readings to stored usage: all of a period, or what a batch of readings has just changed."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from metering.interval import Step, intervals, thinned
from metering.layout import Layout
from metering.machine import Agent
from metering.period import Period, quarter_start
from metering.store import MeteringStore
from metering.usage import Usage, cut


def cut_usage(meter_id: UUID, period: Period, *, store: MeteringStore, now: datetime) -> list[Usage]:
    """The usage of `period`, derived anew from its readings and stored where it differs. Needs the worker's role.

    From then on the figures of these quarter hours are facts to be billed on: what comes late supersedes them.
    """
    meter = store.meter(meter_id)
    store.lock_meter(meter_id)
    usages = cut(intervals(thinned(store.steps(meter, period))), meter=meter.serial)
    inside = [usage for usage in usages if quarter_start(usage.period.start) in period]
    store.put_usage(meter_id, meter.owner_id, inside, layout=store.layout(meter_id), complete_until=None, now=now)
    return store.usage(meter_id, period)


def extend_usage(
    agent: Agent, new: Sequence[Step], *, since: datetime | None, layout: Layout, store: MeteringStore, now: datetime
) -> None:
    """Bring the meter's usage up to date with `new` readings, just stored; `since` is the time of the one before them.

    Only the quarter hours from `since` on are cut again, so the cost does not grow with what is stored.
    """
    start = quarter_start(since) if since else None
    sequence = new[0].reading.sequence
    before = store.steps_before(agent.meter_id, sequence, start, layout=layout) if start else []
    usages = cut(intervals(thinned([*before, *new])), meter=agent.meter_serial)
    touched = [usage for usage in usages if start is None or quarter_start(usage.period.start) >= start]
    reached = new[-1].reading.device_time
    store.put_usage(agent.meter_id, agent.owner_id, touched, layout=layout, complete_until=reached, now=now)
