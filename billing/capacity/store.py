"""Where listings, leases, bookings and facts become rows and back."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.dialects.postgresql import Range, insert
from sqlalchemy.exc import IntegrityError
from sqlmodel import Session, col, or_, select

from billing.capacity.booking import Booking, BookingStatus
from billing.capacity.lease import FactKind, Lease, LeasedMachine, LeaseFact, LeaseKind, Listing, swap_id
from billing.capacity.tables import BookingRow, LeaseFactRow, LeaseRow, ListingRow, MachineSwapRow
from metering.period import Period

_LISTING = tuple(Listing.__dataclass_fields__)
_LEASE = tuple(Lease.__dataclass_fields__)
_EXCLUSION_VIOLATION = "23P01"


class UnknownLease(LookupError):
    """There is no such lease, listing or booking, or it is not visible to this party."""


class LeasingStore:
    """Listings, leases, bookings and facts, as far as the session's role and party may see them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def add_listing(self, listing: Listing, *, now: datetime) -> None:
        """Store it; the machine's listing so far is replaced."""
        values = {name: getattr(listing, name) for name in _LISTING}
        statement = insert(ListingRow).values(**values, recorded_at=now)
        self._session.execute(statement.on_conflict_do_update(index_elements=["machine_id"], set_=values))

    def listing(self, machine_id: UUID) -> Listing:
        """The machine's listing. Raises UnknownLease."""
        row = self._session.get(ListingRow, machine_id)
        if row is None:
            raise UnknownLease(f"machine {machine_id} is not listed, or not to you")
        return _listing(row)

    def listings(self) -> list[Listing]:
        """Every listing that may be seen, by title."""
        rows = self._session.exec(select(ListingRow).order_by(ListingRow.title, col(ListingRow.machine_id)))
        return [_listing(row) for row in rows]

    def add_lease(self, lease: Lease, *, now: datetime) -> None:
        """Store it; a lease with the same id is left as it is."""
        values = {name: getattr(lease, name) for name in _LEASE} | {"kind": lease.kind.value}
        self._session.execute(insert(LeaseRow).values(**values, recorded_at=now).on_conflict_do_nothing())

    def lease(self, lease_id: UUID) -> Lease:
        """The lease. Raises UnknownLease."""
        row = self._session.get(LeaseRow, lease_id)
        if row is None:
            raise UnknownLease(f"no lease {lease_id} that you may see")
        return _lease(row)

    def leases(self, *, machine_id: UUID | None = None) -> list[Lease]:
        """Every lease that may be seen, of one machine if named, by start."""
        query = select(LeaseRow).order_by(col(LeaseRow.starts), col(LeaseRow.id))
        if machine_id:
            query = query.where(LeaseRow.machine_id == machine_id)
        return [_lease(row) for row in self._session.exec(query)]

    def leases_in(self, period: Period) -> list[Lease]:
        """The leases that run at some time in `period`, by start."""
        query = select(LeaseRow).where(
            LeaseRow.starts < period.end, or_(col(LeaseRow.ends).is_(None), col(LeaseRow.ends) > period.start)
        )
        return [_lease(row) for row in self._session.exec(query.order_by(col(LeaseRow.starts), col(LeaseRow.id)))]

    def add_swap(self, lease: Lease, told: LeasedMachine, *, now: datetime) -> None:
        """Put a swap of the lease's machine on record."""
        self._session.add(
            MachineSwapRow(
                id=swap_id(lease.id, told.since),
                lease_id=lease.id,
                lessor_id=lease.lessor_id,
                lessee_id=lease.lessee_id,
                machine_id=told.machine_id,
                meter_id=told.meter_id,
                meter_serial=told.meter_serial,
                at=told.since,
                reason=told.reason,
                recorded_at=now,
            )
        )
        self._session.flush()

    def machines_of(self, lease: Lease, *, known_at: datetime | None = None) -> list[LeasedMachine]:
        """The machines that the lease runs on, in order of time; as known now or at a past moment."""
        return self.machines_of_all([lease], known_at=known_at)[lease.id]

    def machines_of_all(
        self, leases: Iterable[Lease], *, known_at: datetime | None = None
    ) -> dict[UUID, list[LeasedMachine]]:
        """`machines_of` for many leases, by their ids, in one question."""
        found = {
            lease.id: [LeasedMachine(lease.machine_id, lease.meter_id, lease.meter_serial, lease.starts)]
            for lease in leases
        }
        query = select(MachineSwapRow).where(col(MachineSwapRow.lease_id).in_(list(found)))
        if known_at is not None:
            query = query.where(MachineSwapRow.recorded_at <= known_at)
        for row in self._session.exec(query.order_by(col(MachineSwapRow.at))):
            told = LeasedMachine(row.machine_id, row.meter_id, row.meter_serial, row.at, row.reason)
            found[row.lease_id].append(told)
        return found

    def add_booking(self, booking: Booking, *, lease: Lease | None = None, now: datetime) -> bool:
        """Store it, and its lease where that is new.

        False, with nothing stored, when another confirmed booking of the machine overlaps; the transaction goes on.
        """
        row = _booking_row(booking, now)
        try:
            with self._session.begin_nested():
                if lease:
                    self.add_lease(lease, now=now)
                self._session.execute(insert(BookingRow).values(row).on_conflict_do_nothing(index_elements=["id"]))
        except IntegrityError as error:
            if getattr(error.orig, "sqlstate", None) != _EXCLUSION_VIOLATION:
                raise
            return False
        return True

    def booking(self, booking_id: UUID) -> Booking:
        """The booking. Raises UnknownLease."""
        row = self._session.get(BookingRow, booking_id)
        if row is None:
            raise UnknownLease(f"no booking {booking_id} that you may see")
        return _booking(row)

    def bookings_of_lease(self, lease_id: UUID) -> list[Booking]:
        """A lease's bookings, cancelled ones too, by slot."""
        query = select(BookingRow).where(BookingRow.lease_id == lease_id).order_by(col(BookingRow.slot))
        return [_booking(row) for row in self._session.exec(query)]

    def bookings_of_machine(self, machine_id: UUID, span: Period, *, known_at: datetime | None = None) -> list[Booking]:
        """The machine's bookings that touch `span` and are confirmed now, or were at a past moment, by slot.

        Under the app role only one's own.
        """
        standing = col(BookingRow.status) == BookingStatus.CONFIRMED.value
        if known_at is not None:
            standing = or_(standing, col(BookingRow.cancelled_at) > known_at) & (
                col(BookingRow.recorded_at) <= known_at
            )
        touching = (BookingRow.machine_id == machine_id, col(BookingRow.slot).op("&&")(_range(span)))
        query = select(BookingRow).where(*touching, standing).order_by(col(BookingRow.slot))
        return [replace(_booking(row), status=BookingStatus.CONFIRMED) for row in self._session.exec(query)]

    def busy(self, machine_id: UUID, span: Period) -> list[Period]:
        """The slots in `span` that are taken, without saying by whom; ask under the worker's role."""
        return [booking.slot for booking in self.bookings_of_machine(machine_id, span)]

    def mark_cancelled(self, booking_id: UUID, *, now: datetime) -> None:
        """Free the booking's slot."""
        change = update(BookingRow).where(col(BookingRow.id) == booking_id)
        self._session.execute(change.values(status=BookingStatus.CANCELLED.value, cancelled_at=now))
        self._session.expire_all()

    def add_fact(self, fact: LeaseFact, *, now: datetime) -> None:
        """Put it on record; the same id again is a no-op."""
        values = {
            "id": fact.id,
            "lease_id": fact.lease_id,
            "lessor_id": fact.lessor_id,
            "lessee_id": fact.lessee_id,
            "kind": fact.kind.value,
            "at": fact.at,
            "quantity": fact.quantity,
            "price": fact.price,
            "description": fact.description,
            "evidence": list(fact.evidence),
            "recorded_at": now,
        }
        self._session.execute(insert(LeaseFactRow).values(values).on_conflict_do_nothing(index_elements=["id"]))

    def facts_of(self, lease_id: UUID, period: Period, *, known_at: datetime | None = None) -> list[LeaseFact]:
        """The lease's facts with a time in `period`, in the order of recording; as known now or at a past moment."""
        query = select(LeaseFactRow).where(
            LeaseFactRow.lease_id == lease_id, LeaseFactRow.at >= period.start, LeaseFactRow.at < period.end
        )
        if known_at is not None:
            query = query.where(LeaseFactRow.recorded_at <= known_at)
        return [_fact(row) for row in self._session.exec(query.order_by(col(LeaseFactRow.position)))]


def _range(period: Period) -> Range[datetime]:
    return Range(period.start, period.end, bounds="[)")


def _listing(row: ListingRow) -> Listing:
    return Listing(**{name: getattr(row, name) for name in _LISTING})


def _lease(row: LeaseRow) -> Lease:
    return Lease(**{name: getattr(row, name) for name in _LEASE} | {"kind": LeaseKind(row.kind)})


def _booking_row(booking: Booking, now: datetime) -> dict[str, object]:
    return {
        "id": booking.id,
        "lease_id": booking.lease_id,
        "machine_id": booking.machine_id,
        "lessor_id": booking.lessor_id,
        "lessee_id": booking.lessee_id,
        "slot": _range(booking.slot),
        "status": booking.status.value,
        "recorded_at": now,
    }


def _booking(row: BookingRow) -> Booking:
    return Booking(
        id=row.id,
        lease_id=row.lease_id,
        machine_id=row.machine_id,
        lessor_id=row.lessor_id,
        lessee_id=row.lessee_id,
        slot=Period(row.slot.lower, row.slot.upper),
        status=BookingStatus(row.status),
    )


def _fact(row: LeaseFactRow) -> LeaseFact:
    return LeaseFact(
        id=row.id,
        lease_id=row.lease_id,
        lessor_id=row.lessor_id,
        lessee_id=row.lessee_id,
        kind=FactKind(row.kind),
        at=row.at,
        quantity=row.quantity,
        price=row.price,
        description=row.description,
        evidence=tuple(row.evidence),
    )
