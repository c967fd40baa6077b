"""A machine's meters by place, and whose use they counted there: what wear and completeness ask as closing does."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.database import Session
from billing.capacity.attribution import Attribution
from billing.capacity.booking import Booking
from billing.capacity.machine_use import MachineUse, divided, each_once
from billing.capacity.store import LeasingStore
from metering.fitting import Fitting
from metering.machine import Machine
from metering.period import Period
from metering.store import MeteringStore


@dataclass(frozen=True, slots=True)
class Place:
    """A place for a meter on a machine: the one that was replaced with those that came after it, each in its time; and
    whose use they counted in a period."""

    fittings: tuple[Fitting, ...]
    use: Attribution


def places(session: Session, machine: Machine, period: Period, *, known_at: datetime | None = None) -> list[Place]:
    """As `close_period` attributes use, so that whose use it is and whose bill it is are the same quarter hours."""
    leasing, metering = LeasingStore(session), MeteringStore(session)
    bookings = leasing.bookings_of_machine(machine.id, period, known_at=known_at)
    parted = divided([*bookings, *_elsewhere(leasing, machine, bookings, period, known_at)])
    found = []
    for fittings in fittings_of(metering, machine, known_at):
        rows = metering.place_usage(fittings[0].meter.id, period, known_at=known_at)
        found.append(Place(tuple(fittings), MachineUse(machine.id, rows, bookings).attribution(parted)))
    return found


def fittings_of(metering: MeteringStore, machine: Machine, known_at: datetime | None) -> Iterator[list[Fitting]]:
    """The machine's meters by place, each in its time."""
    seen: set[UUID] = set()
    for meter in metering.meters(machine.id):
        if meter.id not in seen:
            place = metering.fittings(meter.id, known_at=known_at)
            seen.update(fitted.meter.id for fitted in place)
            yield place


def _elsewhere(
    leasing: LeasingStore, machine: Machine, bookings: Iterable[Booking], period: Period, known_at: datetime | None
) -> Iterator[Booking]:
    """Bookings of the same leases on other machines, which they were swapped from or to."""
    leases = [leasing.lease(lease_id) for lease_id in {booking.lease_id for booking in bookings}]
    for on in leasing.machines_of_all(leases, known_at=known_at).values():
        for place in each_once(on):
            if place.machine_id != machine.id:
                yield from leasing.bookings_of_machine(place.machine_id, period, known_at=known_at)
