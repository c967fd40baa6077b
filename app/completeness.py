"""Completeness on the service's database: a machine's month over its meters, with bookings and leases of billing's."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import UUID

from app.database import Session
from app.places import places
from billing.capacity.attribution import Attributed, Attribution
from metering.completeness.balance import Balance, Kind, Line, Share, balance, merged, summed
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
    """A booking that has a share in a balance: whose it is, its slot, the stretch that it answers for and the part of
    that in the meter's time (`here`), and how its session was cut: by signed readings at begin and end, or by the
    service. `parted`: another meter counted a part of its use."""

    id: UUID
    lease_id: UUID
    lessee: str
    slot: Period
    billed: Period
    here: Period
    cutting: Cutting | None
    parted: bool


@dataclass(frozen=True, slots=True)
class MeterBalance:
    """A meter's balance; `bookings` tell of its booked shares, by the shares' keys."""

    meter: Meter
    balance: Balance
    bookings: dict[str, Booked]


@dataclass(frozen=True, slots=True)
class MachineBalance:
    """A machine's balances, one for each meter that it had in the period, and what its owner declared."""

    machine: Machine
    meters: tuple[MeterBalance, ...]
    declared: tuple[Declaration, ...]

    def codes(self) -> list[str]:
        """Every register that one of the meters has."""
        return sorted({code for one in self.meters for code in one.balance.codes()})

    def line(self, code: str) -> Line:
        """One register's sum over the machine's meters; nothing where it had none."""
        lines = [one.balance.line(code) for one in self.meters]
        return summed(lines) if lines else Line(code, 0, 0, 0, 0, 0, 0)


def of_machine(session: Session, machine: Machine, period: Period) -> MachineBalance:
    """The balances of `period`. Use a transaction `as_of_one_moment`: readings and usage must fit."""
    declared = CompletenessStore(session).declarations(machine.id, period)
    meters = [
        _of_meter(session, fitted.meter, inside, place.use, declared)
        for place in places(session, machine, period)
        for fitted in place.fittings
        if (inside := fitted.quarter_hours(period)) is not None
    ]
    meters.sort(key=lambda one: (one.balance.period.start, one.meter.serial))
    return MachineBalance(machine, tuple(meters), tuple(declared))


def _of_meter(
    session: Session, meter: Meter, period: Period, use: Attribution, declared: list[Declaration]
) -> MeterBalance:
    """The part of a place's use that this meter counted, in its time on the machine: what a booking ran on to over a
    change of meters is the booking's here as on its bill."""
    used = [
        replace(entry, usage=mine)
        for entry in use.bookings
        if (mine := tuple(row for row in entry.usage if row.meter == meter.serial))
    ]
    rest = [row for row in (*use.outside, *use.idle) if row.meter == meter.serial]
    shares = [*map(_booked_share, used), *explain(rest, declared)]
    opening, closing = CompletenessStore(session).bounds(meter.id, period)
    parted = {entry.booking.id for entry in use.bookings if any(row.meter != meter.serial for row in entry.usage)}
    bookings = dict(_bookings(session, meter, period, used, parted))
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


def _bookings(
    session: Session, meter: Meter, period: Period, used: list[Attributed], parted: set[UUID]
) -> Iterator[tuple[str, Booked]]:
    parties = PartyStore(session)
    cuttings = {each.session.id: each.cutting for each in MeteringStore(session).sessions(meter.id, period)}
    for entry in used:
        booking = entry.booking
        lessee, key = parties.organisation(booking.lessee_id).name, str(booking.id)
        here = entry.billed.intersection(period) or entry.billed
        yield (
            key,
            Booked(
                id=booking.id,
                lease_id=booking.lease_id,
                lessee=lessee,
                slot=booking.slot,
                billed=entry.billed,
                here=here if booking.id in parted else entry.billed,
                cutting=cuttings.get(key),
                parted=booking.id in parted,
            ),
        )
