"""Bookings: promised slots of a machine, on quarter hours."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID, uuid5

from metering.period import Period, quarter_start

_NAMESPACE = UUID("3f0a4f3e-7a0b-5a55-8c64-5f1b0f9d2e77")


class OffTheGrid(ValueError):
    """A booking starts and ends on quarter hours, because that is what usage is cut to."""


class BookingStatus(StrEnum):
    """Whether the slot is still promised."""

    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """The promise of [slot.start, slot.end) on one machine under one lease."""

    id: UUID
    lease_id: UUID
    machine_id: UUID
    lessor_id: UUID
    lessee_id: UUID
    slot: Period
    status: BookingStatus = BookingStatus.CONFIRMED

    def __post_init__(self) -> None:
        for moment in (self.slot.start, self.slot.end):
            if quarter_start(moment) != moment:
                raise OffTheGrid(f"{moment.isoformat()} is not on a quarter hour: book 09:00 or 09:15, not 09:10")


def booking_id(lease_id: UUID, slot: Period, ordinal: int = 0) -> UUID:
    """The id of the `ordinal`-th booking of this slot; earlier ones were cancelled."""
    return uuid5(_NAMESPACE, f"{lease_id}/{slot.start.isoformat()}/{slot.end.isoformat()}/{ordinal}")
