"""Leases, meters, bookings and facts as a bundle's JSON, and back."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.capacity.booking import Booking, BookingStatus
from billing.capacity.lease import FactKind, Lease, LeaseFact, LeaseKind
from billing.pricing.digits import plain
from billing.pricing.entries import text_entry
from billing.pricing.fields import Fields
from billing.pricing.measured_json import period_from_json, period_to_json
from metering.chain import Passed
from metering.fitting import counts
from metering.usage import Usage


def lease_to_json(lease: Lease) -> dict[str, Any]:
    """The lease as lease.json has it."""
    return {
        "id": str(lease.id),
        "kind": lease.kind.value,
        "machine": str(lease.machine_id),
        "meter": str(lease.meter_id),
        "meter_serial": lease.meter_serial,
        "lessor": str(lease.lessor_id),
        "lessee": str(lease.lessee_id),
        "tariff_version": str(lease.tariff_version_id),
        "currency": lease.currency,
        "zone": lease.zone,
        "starts": lease.starts.isoformat(),
        "ends": lease.ends.isoformat() if lease.ends else None,
    }


def lease_from_json(value: object) -> Lease:
    """The lease of an object in lease.json."""
    fields = Fields(value, "a lease")
    names = ("id", "machine", "meter", "lessor", "lessee", "tariff_version")
    ids = {name: UUID(fields.text(name)) for name in names}
    kind, serial = LeaseKind(fields.text("kind")), fields.text("meter_serial")
    currency, zone, starts = fields.text("currency"), fields.text("zone"), fields.moment("starts")
    ends: datetime | None = None if fields.is_null("ends") else fields.moment("ends")
    fields.maybe("ends", text_entry)
    fields.done()
    return Lease(
        id=ids["id"],
        kind=kind,
        machine_id=ids["machine"],
        meter_id=ids["meter"],
        meter_serial=serial,
        lessor_id=ids["lessor"],
        lessee_id=ids["lessee"],
        tariff_version_id=ids["tariff_version"],
        currency=currency,
        zone=zone,
        starts=starts,
        ends=ends,
    )


@dataclass(frozen=True, slots=True)
class CaseMeter:
    """A meter of the lease's machines, with its time on the machine: [since, until), None where there is no bound."""

    machine: UUID
    serial: str
    since: datetime | None = None
    until: datetime | None = None

    def counts(self, usage: Usage) -> bool:
        """Whether the meter was on the machine in the usage's time."""
        return counts(usage, self.since, self.until)


def meter_to_json(meter: CaseMeter) -> dict[str, Any]:
    """A meter as meters.json has it."""
    return {
        "machine": str(meter.machine),
        "meter": meter.serial,
        "since": meter.since.isoformat() if meter.since else None,
        "until": meter.until.isoformat() if meter.until else None,
    }


def meter_from_json(value: object) -> CaseMeter:
    """The meter of an entry in meters.json."""
    fields = Fields(value, "a meter")
    machine, serial = UUID(fields.text("machine")), fields.text("meter")
    since, until = (None if fields.is_null(name) else fields.moment(name) for name in ("since", "until"))
    for name in ("since", "until"):
        fields.maybe(name, text_entry)
    fields.done()
    return CaseMeter(machine, serial, since, until)


@dataclass(frozen=True, slots=True)
class CaseGap:
    """An accepted gap in a meter's chain."""

    meter: str
    passed: Passed


def gap_to_json(gap: CaseGap) -> dict[str, Any]:
    """A gap as gaps.json has it."""
    return {"meter": gap.meter, **asdict(gap.passed)}


def gap_from_json(value: object) -> CaseGap:
    """The gap of an entry in gaps.json."""
    fields = Fields(value, "an accepted gap")
    meter, digest, told = (fields.text(name) for name in ("meter", "digest", "told"))
    after, last = fields.integer("after"), fields.integer("last")
    fields.done()
    return CaseGap(meter, Passed(after, last, digest, told))


def booking_to_json(booking: Booking, lease: Lease) -> dict[str, Any]:
    """A booking as bookings.json has it: whether it is this lease's, not whose else."""
    mine = booking.lease_id == lease.id
    return {
        **period_to_json(booking.slot),
        "id": str(booking.id),
        "machine": str(booking.machine_id),
        "of_this_lease": mine,
        "status": booking.status.value,
    }


def booking_from_json(value: object, lease: Lease) -> Booking:
    """The booking of an entry in bookings.json."""
    fields = Fields(value, "a booking")
    slot = {"from": fields.text("from"), "to": fields.text("to")}
    name, machine = UUID(fields.text("id")), UUID(fields.text("machine"))
    mine, status = fields.flag("of_this_lease"), BookingStatus(fields.text("status"))
    fields.done()
    # Who else has booked is nobody's business here: a stand-in's id only says "another lease".
    stranger = UUID(int=0)
    return Booking(
        id=name,
        lease_id=lease.id if mine else stranger,
        machine_id=machine,
        lessor_id=lease.lessor_id,
        lessee_id=lease.lessee_id if mine else stranger,
        slot=period_from_json(slot),
        status=status,
    )


def fact_to_json(fact: LeaseFact) -> dict[str, Any]:
    """A fact as facts.json has it."""
    return {
        "id": str(fact.id),
        "kind": fact.kind.value,
        "at": fact.at.isoformat(),
        "quantity": plain(fact.quantity),
        "price": None if fact.price is None else plain(fact.price),
        "description": fact.description,
        "evidence": list(fact.evidence),
    }


def fact_from_json(value: object, lease: Lease) -> LeaseFact:
    """The fact of an entry in facts.json."""
    fields = Fields(value, "a fact")
    name, kind, at = UUID(fields.text("id")), FactKind(fields.text("kind")), fields.moment("at")
    used, price = fields.decimal("quantity"), fields.maybe_decimal("price")
    description, evidence = fields.text("description", ""), fields.many("evidence", text_entry)
    fields.done()
    return LeaseFact(
        id=name,
        lease_id=lease.id,
        lessor_id=lease.lessor_id,
        lessee_id=lease.lessee_id,
        kind=kind,
        at=at,
        quantity=used,
        price=price,
        description=description,
        evidence=evidence,
    )
