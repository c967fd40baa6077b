"""Another meter on a machine, another machine for a lease: the transactions that join metering and leasing."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from app.database import Session
from billing.capacity.lease import LeasedMachine
from billing.capacity.meter_access import open_meter
from billing.capacity.store import LeasingStore
from billing.capacity.swap import swap_machine
from metering.enrol import Invitation, invite
from metering.fitting import Fitting
from metering.period import Period
from metering.replace_meter import replace_meter
from metering.store import MeteringStore

#: Nobody books further ahead.
_AHEAD = timedelta(days=3660)


@dataclass(frozen=True, slots=True)
class Replaced:
    """The meter that measures now, and what its agent enrols with."""

    fitting: Fitting
    invitation: Invitation


def put_meter(session: Session, old: str, new: str, *, at: datetime, reason: str, now: datetime) -> Replaced:
    """From `at` on the machine of the meter `old` is measured by `new`: its listing, and the bookings that go on, too.

    The same again only makes another enrolment code. Needs the worker's role. Raises UnknownMeter, CannotReplace,
    MeterTaken.
    """
    metering, leasing = MeteringStore(session), LeasingStore(session)
    meter = metering.meter_by_serial(old)
    fitting = replace_meter(meter, new, at=at, reason=reason, store=metering, now=now)
    for listing in leasing.listings():
        if listing.meter_id == meter.id:
            moved = replace(listing, meter_id=fitting.meter.id, meter_serial=fitting.meter.serial)
            leasing.add_listing(moved, now=now)
    for booking in leasing.bookings_of_machine(meter.machine_id, Period(at, max(at, now) + _AHEAD)):
        open_meter(booking, fitting.meter.id, metering=metering, now=now)
    return Replaced(fitting, invite(metering.machine(meter.machine_id), new, store=metering, now=now))


def put_machine(
    session: Session, lease_id: UUID, machine: UUID, *, at: datetime, reason: str, now: datetime
) -> LeasedMachine:
    """From `at` on the lease runs on `machine`, which is listed; its bookings move there.

    The same again changes nothing. Needs the worker's role. Raises UnknownLease, CannotSwap, OffTheGrid.
    """
    leasing = LeasingStore(session)
    return swap_machine(
        leasing.lease(lease_id),
        leasing.listing(machine),
        at=at,
        reason=reason,
        leasing=leasing,
        metering=MeteringStore(session),
        now=now,
    )
