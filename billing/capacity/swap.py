"""Swap a lease's machine for another: the lease, its tariff and its bookings go on there."""

from dataclasses import replace
from datetime import datetime
from typing import Protocol

from billing.capacity.booking import Booking, BookingStatus, OffTheGrid, booking_id
from billing.capacity.cancel_booking import Sessions
from billing.capacity.lease import Lease, LeasedMachine, Listing
from billing.capacity.meter_access import MeterAccess, open_meter
from billing.capacity.store import LeasingStore
from metering.period import Period, quarter_start

MAX_REASON = 200


class Metering(MeterAccess, Sessions, Protocol):
    """What swapping needs of metering's store: what booking and cancelling need."""


class CannotSwap(ValueError):
    """The machine cannot be swapped so; nothing was changed. The message says why, `field` what has to be told
    otherwise: machine, at or reason."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


def swap_machine(
    lease: Lease,
    to: Listing,
    *,
    at: datetime,
    reason: str,
    leasing: LeasingStore,
    metering: Metering,
    now: datetime,
) -> LeasedMachine:
    """From `at` on the lease runs on the listed machine `to`; its bookings go on there, one under way is divided.

    The same again changes nothing. Needs the worker's role and a transaction that is given up when this raises.
    Raises OffTheGrid, CannotSwap: another lessor, zone or currency, or a slot in which the other machine is taken.
    """
    _check(lease, to, at, reason)
    machines = leasing.machines_of(lease)
    done = next((each for each in machines[1:] if each.since == at), None)
    if done is not None and done.machine_id == to.machine_id:
        return done
    if machines[-1].since >= at or machines[-1].machine_id == to.machine_id:
        field = "machine" if machines[-1].machine_id == to.machine_id else "at"
        raise CannotSwap(f"the lease runs on that machine since {machines[-1].since.isoformat()}", field)
    told = LeasedMachine(to.machine_id, to.meter_id, to.meter_serial, at, reason.strip())
    leasing.add_swap(lease, told, now=now)
    for booking in leasing.bookings_of_lease(lease.id):
        if booking.status is BookingStatus.CONFIRMED and booking.slot.end > at:
            _move(booking, machines[-1], told, leasing=leasing, metering=metering, now=now)
    return told


def _check(lease: Lease, to: Listing, at: datetime, reason: str) -> None:
    if quarter_start(at) != at:
        raise OffTheGrid(f"{at.isoformat()} is not on a quarter hour: bookings are cut there, so swap at one")
    if not 0 < len(reason.strip()) <= MAX_REASON:
        raise CannotSwap(f"give a reason of up to {MAX_REASON} characters: it is printed on the bill", "reason")
    if to.lessor_id != lease.lessor_id:
        raise CannotSwap("the other machine is another lessor's", "machine")
    if (to.zone, to.currency) != (lease.zone, lease.currency):
        raise CannotSwap(
            f"the lease is billed in {lease.zone} and {lease.currency}, the machine in {to.zone} and {to.currency}",
            "machine",
        )
    if lease.ends is not None and at >= lease.ends:
        raise CannotSwap(f"the lease ended at {lease.ends.isoformat()}", "at")


def _move(
    booking: Booking,
    old: LeasedMachine,
    new: LeasedMachine,
    *,
    leasing: LeasingStore,
    metering: Metering,
    now: datetime,
) -> None:
    leasing.mark_cancelled(booking.id, now=now)
    metering.withdraw_session(str(booking.id), now=now)
    parts = [(new, Period(max(booking.slot.start, new.since), booking.slot.end))]
    if booking.slot.start < new.since:
        parts.append((old, Period(booking.slot.start, new.since)))
    for place, slot in parts:
        ordinal = sum(each.slot == slot for each in leasing.bookings_of_lease(booking.lease_id))
        name = booking_id(booking.lease_id, slot, ordinal)
        moved = replace(booking, id=name, machine_id=place.machine_id, slot=slot, status=BookingStatus.CONFIRMED)
        if not leasing.add_booking(moved, now=now):
            raise CannotSwap(
                f"the other machine is taken in a part of {slot.start.isoformat()} to {slot.end.isoformat()}",
                "machine",
            )
        open_meter(moved, place.meter_id, metering=metering, now=now)
