"""From stored readings to stored usage: all of a period, or what a batch of readings has just changed."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from metering.machine import Meter
from metering.period import Period, quarter_start
from metering.store import MeteringStore
from metering.usage import Step, Usage, cut, intervals


def cut_usage(meter_id: UUID, period: Period, *, store: MeteringStore, now: datetime) -> list[Usage]:
    """The usage of `period`, derived anew from its readings and stored where it differs. Needs the worker's role.

    From then on the figures of these quarter hours are facts to be billed on: what comes late supersedes them.
    """
    meter = store.meter(meter_id)
    store.lock_meter(meter_id)
    usages = cut(intervals(store.steps(meter, period)), meter=meter.serial)
    inside = [usage for usage in usages if quarter_start(usage.period.start) in period]
    store.put_usage(meter, inside, layout=store.layout(meter_id), complete_until=None, now=now)
    return store.usage(meter_id, period)


def extend_usage(
    meter: Meter, new: Sequence[Step], *, since: datetime | None, store: MeteringStore, now: datetime
) -> None:
    """Bring usage up to date with `new` readings, just stored; `since` is the time of the reading before them.

    Only the quarter hours from `since` on are cut again, so the cost does not grow with what is stored.
    """
    start = quarter_start(since) if since else None
    before = store.steps_before(meter.id, new[0].reading.sequence, start) if start else []
    usages = cut(intervals([*before, *new]), meter=meter.serial)
    touched = [usage for usage in usages if start is None or quarter_start(usage.period.start) >= start]
    reached = new[-1].reading.device_time
    store.put_usage(meter, touched, layout=store.layout(meter.id), complete_until=reached, now=now)
