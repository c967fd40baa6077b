"""A lease's measure for a period: the one composition that closing, live cost and the offline check share."""

from collections.abc import Iterable

from billing.capacity.attribution import attribute
from billing.capacity.booking import Booking, BookingStatus
from billing.capacity.lease import Lease, LeaseFact, LeaseKind, availability, events
from billing.pricing.measured import Measured
from billing.pricing.measured_from_usage import measured_from_usage
from metering.period import Period
from metering.usage import Usage


def measure(
    lease: Lease, period: Period, *, usage: Iterable[Usage], bookings: Iterable[Booking], facts: Iterable[LeaseFact]
) -> Measured:
    """What `lease` used in `period`.

    `usage` are the meter's quarter hours, `bookings` all confirmed ones of the machine that touch the period (those of
    others too: they bound what a booking answers for), `facts` the lease's in order of recording.
    """
    booked, told = list(bookings), list(facts)
    return measured_from_usage(
        attribute(usage, booked).of_lease(lease.id),
        period=period,
        covered=_covered(lease, period, booked),
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
