"""Leases on the service's database: what one has cost so far, and the machine's own clock."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.database import Session
from billing.capacity.booking import Booking
from billing.capacity.lease import Lease
from billing.capacity.store import LeasingStore
from billing.invoicing.cost_to_date import cost_to_date
from billing.invoicing.store import InvoiceStore
from billing.pricing.rated import RatedBill
from billing.pricing.store import TariffStore
from metering.interval import Step
from metering.store import MeteringStore


@dataclass(frozen=True, slots=True)
class SoFar:
    """A lease's cost up to the newest reading, of the moment `measured_to`.

    `clock` is the time at the machine: in a replay the recording's.
    """

    bill: RatedBill | None
    replayed: bool
    measured_to: datetime
    clock: datetime


def so_far(session: Session, lease: Lease, *, now: datetime) -> SoFar:
    """What the lease has cost, by the newest reading. Needs the worker's role: check who asks first."""
    latest = MeteringStore(session).latest(meter_of(session, lease))
    until = latest.reading.device_time if latest else now
    bill = cost_to_date(
        lease,
        until=until,
        invoicing=InvoiceStore(session),
        leasing=LeasingStore(session),
        metering=MeteringStore(session),
        tariffs=TariffStore(session),
    )
    return SoFar(bill, latest is not None and latest.replayed, until, time_at(latest, now))


def meter_of(session: Session, lease: Lease) -> UUID:
    """The meter that measures the lease now: of the machine that it runs on, the one that is fitted."""
    place = LeasingStore(session).machines_of(lease)[-1]
    return MeteringStore(session).fittings(place.meter_id)[-1].meter.id


def clock_of(session: Session, booking: Booking, now: datetime) -> datetime:
    """What time it is at the booking's machine."""
    leasing, metering = LeasingStore(session), MeteringStore(session)
    places = leasing.machines_of(leasing.lease(booking.lease_id))
    place = next(each for each in places if each.machine_id == booking.machine_id)
    return time_at(metering.latest(metering.fittings(place.meter_id)[-1].meter.id), now)


def time_at(latest: Step | None, now: datetime) -> datetime:
    """What time it is at the machine: now, unless a recording is played back."""
    return latest.reading.device_time if latest and latest.replayed else now
