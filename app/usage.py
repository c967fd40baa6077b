"""A meter's usage as known then and now, for the page and the command line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.database import Session
from metering.known import Known, Pair, compare
from metering.machine import Machine, Meter
from metering.period import Period
from metering.store import MeteringStore
from metering.store_known import KnownUsageStore


@dataclass(frozen=True, slots=True)
class MeterUsage:
    """A meter's quarter hours in `period`, as known now; and as known at `known_at`, where that was asked."""

    machine: Machine
    meter: Meter
    period: Period
    known_at: datetime | None
    rows: Sequence[Known]
    then: Sequence[Known]

    @property
    def shown(self) -> Sequence[Known]:
        """What was asked for: then where a day was named, else now."""
        return self.rows if self.known_at is None else self.then

    def pairs(self) -> list[Pair]:
        """Then beside now."""
        return compare(self.then, self.rows)


def of_meter(session: Session, meter_id: UUID, period: Period, *, known_at: datetime | None = None) -> MeterUsage:
    """The usage of a meter that the session may see. Raises UnknownMeter."""
    metering, history = MeteringStore(session), KnownUsageStore(session)
    meter = metering.meter(meter_id)
    then = history.known(meter_id, period, known_at=known_at) if known_at else []
    return MeterUsage(
        metering.machine(meter.machine_id), meter, period, known_at, history.known(meter_id, period), then
    )
