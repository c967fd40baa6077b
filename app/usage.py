"""A meter's usage as known then and now, and many meters' by day, for the page and the command line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from app.database import Session
from billing.invoicing.billing_period import billing_period
from metering.known import Known, Pair, compare
from metering.machine import Machine, Meter
from metering.period import Period
from metering.store import MeteringStore
from metering.store_daily import DailyUsageStore, Day
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


@dataclass(frozen=True, slots=True)
class MeterDay:
    """What a meter counted on a local day."""

    serial: str
    machine: str
    date: date
    day: Day

    @property
    def marks(self) -> list[str]:
        """What is to be said of it, in words."""
        marks = {
            "substitute": self.day.substitute,
            "clock not synchronised": self.day.unsynchronised,
            "replayed": self.day.replayed,
            "not over yet": self.day.is_open,
        }
        return [mark for mark, holds in marks.items() if holds]


def by_day(session: Session, serials: Sequence[str], period: str, *, zone: str | None) -> list[MeterDay]:
    """The days of `period` by meter; of all meters that the session may see where none is named.

    Days are those of `zone`, or of each machine's own. Raises UnknownMeter, UnreadablePeriod.
    """
    metering = MeteringStore(session)
    machines = {machine.id: machine for machine in metering.machines()}
    meters = [metering.meter_by_serial(serial) for serial in serials] or metering.meters()
    zones: dict[str, list[Meter]] = {}
    for meter in meters:
        zones.setdefault(zone or machines[meter.machine_id].zone, []).append(meter)
    found: dict[UUID, dict[date, Day]] = {}
    for clock, there in zones.items():
        spans = {meter.id: billing_period(period, clock) for meter in there}
        found |= DailyUsageStore(session).days(spans, clock)
    return [
        MeterDay(meter.serial, machines[meter.machine_id].name, at, day)
        for meter in meters
        for at, day in found[meter.id].items()
    ]
