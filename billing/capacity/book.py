"""Book a slot on a listed machine."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing.capacity.booking import Booking, BookingStatus, booking_id
from billing.capacity.lease import Lease, LeaseKind, Listing, lease_id
from billing.capacity.meter_access import MeterAccess, open_meter
from billing.capacity.store import LeasingStore
from metering.period import Period


@dataclass(frozen=True, slots=True)
class Booked:
    """The slot is promised, under this lease."""

    lease: Lease
    booking: Booking


@dataclass(frozen=True, slots=True)
class Refused:
    """The slot cannot be had; `reason` is for the person who asked."""

    reason: str


def book(
    listing: Listing,
    lessee_id: UUID,
    slot: Period,
    *,
    lease: Lease | None = None,
    earliest: datetime | None = None,
    leasing: LeasingStore,
    metering: MeterAccess,
    now: datetime,
) -> Booked | Refused:
    """Promise `slot` to `lessee_id`: under `lease`, or under a new one as long as the booking at the listing's tariff.

    A slot that begins before `earliest` (the time at the machine) is refused. The same again gives the same booking.
    Raises OffTheGrid when the slot is not on quarter hours. Needs the worker's role, which alone may give access to a
    meter: check first that the user may act for `lessee_id`.
    """
    if not listing.is_open:
        return Refused(f"{listing.title} is not open for booking now")
    if lessee_id == listing.lessor_id:
        return Refused("a lessor needs no booking for its own machine")
    if earliest and slot.start < earliest:
        return Refused("the slot begins in the past: choose a later time")
    running = lease or _for_one_booking(listing, lessee_id, slot)
    if not _within(slot, running):
        return Refused("the lease does not run in the whole slot")
    booked, ordinal = _so_far(leasing.bookings_of_lease(running.id), slot)
    if booked:
        return Booked(running, booked)
    place = [each for each in leasing.machines_of(running) if each.since <= slot.start][-1]
    booking = Booking(
        id=booking_id(running.id, slot, ordinal),
        lease_id=running.id,
        machine_id=place.machine_id,
        lessor_id=running.lessor_id,
        lessee_id=running.lessee_id,
        slot=slot,
    )
    if not leasing.add_booking(booking, lease=running, now=now):
        return Refused("the machine is taken in a part of this slot: choose another time")
    open_meter(booking, place.meter_id, metering=metering, now=now)
    return Booked(running, booking)


def _for_one_booking(listing: Listing, lessee_id: UUID, slot: Period) -> Lease:
    return Lease(
        id=lease_id(listing.machine_id, lessee_id, listing.tariff_version_id, slot.start, slot.end),
        kind=LeaseKind.BOOKING,
        machine_id=listing.machine_id,
        meter_id=listing.meter_id,
        meter_serial=listing.meter_serial,
        lessor_id=listing.lessor_id,
        lessee_id=lessee_id,
        tariff_version_id=listing.tariff_version_id,
        currency=listing.currency,
        zone=listing.zone,
        starts=slot.start,
        ends=slot.end,
    )


def _within(slot: Period, lease: Lease) -> bool:
    return lease.starts <= slot.start and (lease.ends is None or slot.end <= lease.ends)


def _so_far(bookings: list[Booking], slot: Period) -> tuple[Booking | None, int]:
    """The standing booking of this very slot, and how many of it were cancelled."""
    same = [booking for booking in bookings if booking.slot == slot]
    standing = [booking for booking in same if booking.status is BookingStatus.CONFIRMED]
    return (standing[0] if standing else None), len(same)
