"""Cancel a booking: its slot is free again, and what is owed for that goes on record."""

from datetime import datetime
from decimal import Decimal
from typing import Protocol
from uuid import UUID

from billing.capacity.booking import Booking, BookingStatus
from billing.capacity.lease import FactKind, LeaseFact, fact_id
from billing.capacity.store import LeasingStore


class Sessions(Protocol):
    """What cancelling needs of metering's store: no session is cut there any more."""

    def withdraw_session(self, session: str, *, now: datetime) -> None: ...


def cancel_booking(
    booking_id: UUID,
    *,
    late_hours: Decimal = Decimal(0),
    leasing: LeasingStore,
    metering: Sessions,
    now: datetime,
) -> Booking:
    """Free the slot; with `late_hours` a late cancellation of that many hours goes on record, proven by the booking.

    A booking that is cancelled already is left as it is.
    """
    booking = leasing.booking(booking_id)
    if booking.status is BookingStatus.CANCELLED:
        return booking
    leasing.mark_cancelled(booking_id, now=now)
    metering.withdraw_session(str(booking_id), now=now)
    if late_hours:
        leasing.add_fact(_late(booking, late_hours, now), now=now)
    return leasing.booking(booking_id)


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
