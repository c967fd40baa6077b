"""From stored readings to stored usage: all of a period, or what a batch of readings has just changed."""

from datetime import datetime
from uuid import UUID

from metering.batch.end import End
from metering.batch.taken import Taken
from metering.interval import intervals, thinned
from metering.period import Period, quarter_start
from metering.store import MeteringStore
from metering.usage import Usage, cut, joined


def cut_usage(meter_id: UUID, period: Period, *, store: MeteringStore, now: datetime) -> list[Usage]:
    """The usage of `period`, derived anew from its readings and stored where it differs. Needs the worker's role.

    From then on the figures of these quarter hours are facts to be billed on: what comes late supersedes them.
    """
    meter = store.meter(meter_id)
    store.lock_meter(meter_id)
    usages = cut(intervals(thinned(store.steps(meter, period))), meter=meter.serial)
    inside = [usage for usage in usages if quarter_start(usage.period.start) in period]
    if inside:
        first, last = (quarter_start(usage.period.start) for usage in (inside[0], inside[-1]))
        current, layout = store.current_usage(meter_id, first, last), store.layout(meter_id)
        store.put_usage(meter_id, meter.owner_id, inside, current=current, layout=layout, complete_until=None, now=now)
    return store.usage(meter_id, period)


def cut_place_usage(meter_id: UUID, period: Period, *, store: MeteringStore, now: datetime) -> list[Usage]:
    """`cut_usage` of this meter and those before and after it on its machine, each in its time; see `fitting`."""
    return [
        row
        for fitting in store.fittings(meter_id)
        for row in cut_usage(fitting.meter.id, period, store=store, now=now)
        if fitting.counts(row)
    ]


def extend_usage(end: End, taken: Taken, *, store: MeteringStore, now: datetime) -> None:
    """Bring the meter's usage up to date with readings just stored, which follow on `end`.

    What grew since the last reading is added to the quarter hour that this lies in, so that the cost does not grow with
    what is stored.
    """
    agent, new, last = end.agent, taken.steps(), end.last
    reached = new[-1].reading.device_time
    start = quarter_start((last or new[0].reading).device_time)
    current = store.current_usage(agent.meter_id, start, quarter_start(reached))
    usages = cut(intervals(thinned([*end.moment, *new])), meter=agent.meter_serial)
    if usages and last is not None and last.device_time > start:
        begun = current[start].usage(taken.layout, agent.meter_serial) if start in current else None
        if begun is not None and begun.evidence[1] == end.moment[0].reading.sequence:
            usages[0] = joined(begun, usages[0])
        else:
            # Not what the readings up to here say: derived anew from them.
            before = store.steps_before(agent.meter_id, new[0].reading.sequence, start, layout=taken.layout)
            all_usages = cut(intervals(thinned([*before, *new])), meter=agent.meter_serial)
            usages = [usage for usage in all_usages if quarter_start(usage.period.start) >= start]
    store.put_usage(
        agent.meter_id, agent.owner_id, usages, current=current, layout=taken.layout, complete_until=reached, now=now
    )
