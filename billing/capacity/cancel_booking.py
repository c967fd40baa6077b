"""Cancel a booking: its slot is free again, and what is owed for that goes on record."""

from datetime import datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from billing.capacity.booking import Booking, BookingStatus
from billing.capacity.lease import FactKind, LeaseFact, fact_id
from billing.capacity.store import LeasingStore
from metering.period import QUARTER_HOUR


class CannotCancel(ValueError):
    """A slot that has begun is used and billed, and late hours are no more than the slot has."""


class Sessions(Protocol):
    """What cancelling needs of metering's store: no session is cut there any more."""

    def withdraw_session(self, session: str, *, now: datetime) -> None: ...


def cancel_booking(
    booking_id: UUID,
    *,
    late_hours: Decimal = Decimal(0),
    earliest: datetime | None = None,
    leasing: LeasingStore,
    metering: Sessions,
    now: datetime,
) -> Booking:
    """Free the slot; with `late_hours` a late cancellation of that many hours goes on record, proven by the booking.

    A booking that is cancelled already is left as it is; one that begins at or before `earliest` (the time at the
    machine) stands: what it uses is billed. Raises CannotCancel.
    """
    booking = leasing.booking(booking_id)
    if booking.status is BookingStatus.CANCELLED:
        return booking
    if earliest is not None and booking.slot.start <= earliest:
        raise CannotCancel("the slot has begun: what it uses is billed")
    if not 0 <= late_hours <= hours_of(booking):
        raise CannotCancel(f"late hours are 0 to {hours_of(booking)}, those of the slot")
    leasing.mark_cancelled(booking_id, now=now)
    metering.withdraw_session(str(booking_id), now=now)
    if late_hours:
        leasing.add_fact(_late(booking, late_hours, now), now=now)
    return leasing.booking(booking_id)


def hours_of(booking: Booking) -> Decimal:
    """The slot's length in hours, a multiple of a quarter."""
    return Decimal(booking.slot.length // QUARTER_HOUR) / 4


def _late(booking: Booking, hours: Decimal, now: datetime) -> LeaseFact:
    # Billed in the period in which the slot would have begun, where the lease's other lines are.
    at = booking.slot.start
    return LeaseFact(
        id=fact_id(booking.lease_id, FactKind.LATE_CANCEL, at, str(booking.id)),
        lease_id=booking.lease_id,
        lessor_id=booking.lessor_id,
        lessee_id=booking.lessee_id,
        kind=FactKind.LATE_CANCEL,
        at=at,
        quantity=hours,
        description=f"booking from {booking.slot.start.isoformat()} cancelled at {now.isoformat()}",
        evidence=(str(booking.id),),
    )
