"""What a lease's machines counted: the one composition that closing, live cost, document and evidence share.

A lease runs on one machine, unless that was swapped for another; a machine has one meter at a time, unless that was
replaced. Whose use it was is told apart per machine, because bookings bound one another there.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from billing.capacity.attribution import Attribution, attribute
from billing.capacity.booking import Booking
from billing.capacity.lease import LeasedMachine
from metering.usage import Usage


@dataclass(frozen=True, slots=True)
class MachineUse:
    """A machine's quarter hours, of every meter that it had, and the confirmed bookings that touch their time."""

    machine_id: UUID
    usage: Sequence[Usage]
    bookings: Sequence[Booking]

    def attribution(self, divided: Collection[UUID] = ()) -> Attribution:
        """Whose use it was; `divided` are bookings that a swap divided between machines."""
        return attribute(self.usage, self.bookings, divided=divided)


def of_lease(lease_id: UUID, uses: Sequence[MachineUse]) -> list[Usage]:
    """The lease's usage on all of its machines, in order of time."""
    parted = divided(booking for use in uses for booking in use.bookings if booking.lease_id == lease_id)
    rows = [row for use in uses for row in use.attribution(parted).of_lease(lease_id)]
    return sorted(rows, key=lambda row: row.period)


def divided(bookings: Iterable[Booking]) -> frozenset[UUID]:
    """The bookings of one lease that meet on different machines: what one ran on to, it did not do for the lease."""
    found = list(bookings)
    ends = {(one.lease_id, one.slot.end): one for one in found}
    pairs = ((ends.get((later.lease_id, later.slot.start)), later) for later in found)
    met = [(one, later) for one, later in pairs if one is not None and one.machine_id != later.machine_id]
    return frozenset(booking.id for pair in met for booking in pair)


def each_once(machines: Iterable[LeasedMachine]) -> list[LeasedMachine]:
    """Each machine once, in the order in which the lease came there: it may have gone back to one."""
    found: dict[UUID, LeasedMachine] = {}
    for place in machines:
        found.setdefault(place.machine_id, place)
    return list(found.values())
