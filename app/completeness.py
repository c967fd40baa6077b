"""Completeness on the service's database: each meter's balance of a month, with bookings and leases of billing's."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

from app.database import Session
from billing.capacity.attribution import Attributed, attribute
from billing.capacity.store import LeasingStore
from metering.completeness.balance import Balance, Kind, Share, balance, merged
from metering.completeness.declaration import Declaration
from metering.completeness.explain import explain
from metering.completeness.store import CompletenessStore
from metering.machine import Machine, Meter
from metering.parties.store import PartyStore
from metering.period import Period
from metering.session import Cutting
from metering.store import MeteringStore


@dataclass(frozen=True, slots=True)
class Booked:
    """A booking that has a share in a balance: whose it is, its slot, the stretch that it answers for, and how its
    session was cut: by signed readings at begin and end, or by the service."""

    id: UUID
    lease_id: UUID
    lessee: str
    slot: Period
    billed: Period
    cutting: Cutting | None


@dataclass(frozen=True, slots=True)
class MeterBalance:
    """A meter's balance; `bookings` tell of its booked shares, by the shares' keys."""

    meter: Meter
    balance: Balance
    bookings: dict[str, Booked]


@dataclass(frozen=True, slots=True)
class MachineBalance:
    """A machine's balances, one for each of its meters, and what its owner declared."""

    machine: Machine
    meters: tuple[MeterBalance, ...]
    declared: tuple[Declaration, ...]


def of_machine(session: Session, machine: Machine, period: Period) -> MachineBalance:
    """The balances of `period`. Use a transaction `as_of_one_moment`: readings and usage must fit."""
    declared = CompletenessStore(session).declarations(machine.id, period)
    meters = MeteringStore(session).meters(machine.id)
    return MachineBalance(
        machine, tuple(_of_meter(session, meter, period, declared) for meter in meters), tuple(declared)
    )


def _of_meter(session: Session, meter: Meter, period: Period, declared: list[Declaration]) -> MeterBalance:
    """As `close_period` attributes use, so that what is explained by a booking is what its bill rests on."""
    usage = MeteringStore(session).usage(meter.id, period)
    given = attribute(usage, LeasingStore(session).bookings_of_machine(meter.machine_id, period))
    used = [entry for entry in given.bookings if entry.usage]
    shares = [*map(_booked_share, used), *explain((*given.outside, *given.idle), declared)]
    opening, closing = CompletenessStore(session).bounds(meter.id, period)
    bookings = dict(_bookings(session, meter, period, used))
    return MeterBalance(meter, balance(meter.serial, period, opening, closing, shares), bookings)


def _booked_share(entry: Attributed) -> Share:
    shares = [
        Share(
            Kind.BOOKING,
            str(entry.booking.id),
            "booking",
            row.period,
            row.deltas,
            row.evidence,
            row.substitute,
            row.unsynchronised,
            row.replayed,
        )
        for row in entry.usage
    ]
    whole = shares[0]
    for share in shares[1:]:
        whole = merged(whole, share)
    return whole


def _bookings(session: Session, meter: Meter, period: Period, used: list[Attributed]) -> Iterator[tuple[str, Booked]]:
    parties = PartyStore(session)
    cuttings = {each.session.id: each.cutting for each in MeteringStore(session).sessions(meter.id, period)}
    for entry in used:
        booking = entry.booking
        lessee, key = parties.organisation(booking.lessee_id).name, str(booking.id)
        yield key, Booked(booking.id, booking.lease_id, lessee, booking.slot, entry.billed, cuttings.get(key))
