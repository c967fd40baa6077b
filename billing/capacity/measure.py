"""A lease's measure for a period: the one composition that closing, live cost and the offline check share."""

from collections.abc import Iterable

from billing.capacity.booking import Booking, BookingStatus
from billing.capacity.lease import Lease, LeaseFact, LeaseKind, availability, events
from billing.capacity.machine_use import MachineUse, of_lease
from billing.pricing.measured import Measured
from billing.pricing.measured_from_usage import measured_from_usage
from metering.period import Period


def measure(lease: Lease, period: Period, *, uses: Iterable[MachineUse], facts: Iterable[LeaseFact]) -> Measured:
    """What `lease` used in `period`.

    `uses` are its machines' quarter hours with all confirmed bookings that touch the period (those of others too: they
    bound what a booking answers for), `facts` the lease's in order of recording.
    """
    used, told = list(uses), list(facts)
    return measured_from_usage(
        of_lease(lease.id, used),
        period=period,
        covered=_covered(lease, period, [booking for use in used for booking in use.bookings]),
        zone=lease.zone,
        availability_percent=availability(told, period),
        events=events(told),
    )


def _covered(lease: Lease, period: Period, booked: Iterable[Booking]) -> Period | None:
    """The part of the period that fixed amounts are owed for; a lease whose only booking was cancelled owes none."""
    confirmed = (entry for entry in booked if entry.status is BookingStatus.CONFIRMED)
    if lease.kind is LeaseKind.BOOKING and all(entry.lease_id != lease.id for entry in confirmed):
        return None
    return lease.covered(period)
