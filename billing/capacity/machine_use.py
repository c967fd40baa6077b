"""What a lease's machines counted: the one composition that closing, live cost, document and evidence share.

A lease runs on one machine, unless that was swapped for another; a machine has one meter at a time, unless that was
replaced. Whose use it was is told apart per machine, because bookings bound one another there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.capacity.attribution import Attribution, attribute
from billing.capacity.booking import Booking
from billing.capacity.lease import Lease, LeasedMachine
from billing.capacity.store import LeasingStore
from metering.period import Period
from metering.store import MeteringStore
from metering.usage import Usage


@dataclass(frozen=True, slots=True)
class MachineUse:
    """A machine's quarter hours, of every meter that it had, and the confirmed bookings that touch their time."""

    machine_id: UUID
    usage: Sequence[Usage]
    bookings: Sequence[Booking]

    def attribution(self) -> Attribution:
        return attribute(self.usage, self.bookings)


def of_lease(lease_id: UUID, uses: Iterable[MachineUse]) -> list[Usage]:
    """The lease's usage on all of its machines, in order of time."""
    rows = [row for use in uses for row in use.attribution().of_lease(lease_id)]
    return sorted(rows, key=lambda row: row.period)


def machine_uses(
    lease: Lease,
    period: Period,
    *,
    leasing: LeasingStore,
    metering: MeteringStore,
    known_at: datetime | None = None,
) -> list[MachineUse]:
    """The use of each machine that the lease has run on, in `period`; as known now or at a past moment.

    Needs the worker's role, since other parties' bookings bound this one's: check first that the user may see `lease`.
    """
    return [
        MachineUse(
            place.machine_id,
            metering.place_usage(place.meter_id, period, known_at=known_at),
            leasing.bookings_of_machine(place.machine_id, period, known_at=known_at),
        )
        for place in each_once(leasing.machines_of(lease, known_at=known_at))
    ]


def each_once(machines: Iterable[LeasedMachine]) -> list[LeasedMachine]:
    """Each machine once, in the order in which the lease came there: it may have gone back to one."""
    found: dict[UUID, LeasedMachine] = {}
    for place in machines:
        found.setdefault(place.machine_id, place)
    return list(found.values())
