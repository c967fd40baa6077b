"""Whose use it was: quarter hours of a meter given to bookings.

A booking is billed from the earlier of booked and actual start to the later of booked and actual end. Where no session
was opened and closed by readings, actual means the quarter hours next to the slot, without a break, in which the
machine ran a program. A booking never reaches into another one; where two could claim the same quarter hours, what
runs on from the earlier booking is the earlier's. What is left is use outside any booking, or idle time.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import groupby, pairwise
from uuid import UUID

from billing.capacity.booking import Booking, BookingStatus
from metering.period import Period
from metering.usage import Usage, ran


class CannotAttribute(ValueError):
    """Usage of several meters at once, or bookings that overlap, cannot be told apart: pass a machine's usage, of one
    meter after the other, and its confirmed bookings."""


@dataclass(frozen=True, slots=True)
class Attributed:
    """A booking with its quarter hours; `billed` is the stretch that it answers for."""

    booking: Booking
    billed: Period
    usage: tuple[Usage, ...]


@dataclass(frozen=True, slots=True)
class Attribution:
    """Every quarter hour in exactly one place: a booking, `outside` (a program ran, nobody had booked), or `idle`."""

    bookings: tuple[Attributed, ...]
    outside: tuple[Usage, ...]
    idle: tuple[Usage, ...]

    def of_lease(self, lease_id: UUID) -> list[Usage]:
        """The usage of all bookings of a lease, in order of time."""
        return [row for entry in self.bookings if entry.booking.lease_id == lease_id for row in entry.usage]

    def outside_totals(self) -> dict[str, int]:
        """What was used outside any booking, per register in its smallest unit."""
        totals: dict[str, int] = {}
        for row in self.outside:
            for code, grown in row.deltas.items():
                totals[code] = totals.get(code, 0) + grown
        return totals


@dataclass(slots=True)
class _Claims:
    """Which booking (by index) each row belongs to so far."""

    rows: Sequence[Usage]
    slots: Sequence[Period]
    owner: list[int | None] = field(default_factory=list)

    def claim_booked(self) -> None:
        starts = [slot.start for slot in self.slots]
        for row in self.rows:
            last = bisect_right(starts, row.period.end)
            near = range(max(0, last - 3), min(last + 1, len(self.slots)))
            shared = {index: _shared(self.slots[index], row.period) for index in near}
            best = max(shared, key=lambda index: (shared[index], -index), default=None)
            self.owner.append(best if best is not None and shared[best] else None)

    def run_on(self, index: int) -> None:
        """Claim the rows in which a program ran on after the slot."""
        reached = self.slots[index].end
        for at in range(bisect_right(self.rows, reached, key=lambda row: row.period.end), len(self.rows)):
            row = self.rows[at]
            if not self._free_and_running(at) or row.period.start > reached:
                return
            self.owner[at], reached = index, row.period.end

    def run_up(self, index: int) -> None:
        """Claim the rows in which a program ran up to the slot."""
        reached = self.slots[index].start
        for at in range(bisect_left(self.rows, reached, key=lambda row: row.period.start) - 1, -1, -1):
            row = self.rows[at]
            if not self._free_and_running(at) or row.period.end < reached:
                return
            self.owner[at], reached = index, row.period.start

    def _free_and_running(self, at: int) -> bool:
        return self.owner[at] is None and ran_program(self.rows[at])


def attribute(
    usage: Iterable[Usage],
    bookings: Iterable[Booking],
    *,
    sessions: Mapping[UUID, Period] | None = None,
    divided: Collection[UUID] = (),
) -> Attribution:
    """Give each of a machine's quarter hours to the booking that answers for it.

    Where a meter was replaced, its rows come before the new one's; the quarter hour of the change may have two.

    `sessions` holds, per booking id, the stretch between the session's begin and end readings where there was one.
    `divided` names bookings that go on, or began, on another machine: they answer for their slot alone.
    A row that is not wholly in one booking goes to the one that it shares most time with; rows are never divided, so
    that each keeps its evidence.
    """
    rows = sorted(usage, key=lambda row: row.period)
    booked = sorted(
        (booking for booking in bookings if booking.status is BookingStatus.CONFIRMED), key=lambda entry: entry.slot
    )
    _refuse_mixtures(rows, booked)
    known = sessions or {}
    claims = _Claims(rows, list(_answered(booked, known)))
    claims.claim_booked()
    unmeasured = [i for i, booking in enumerate(booked) if booking.id not in known and booking.id not in divided]
    for index in unmeasured:
        claims.run_on(index)
    for index in unmeasured:
        claims.run_up(index)
    return _result(booked, claims)


def ran_program(row: Usage) -> bool:
    """Whether the machine ran a program, or at least turned a spindle, in the row's quarter hour."""
    return ran(row.deltas)


def _answered(booked: Sequence[Booking], sessions: Mapping[UUID, Period]) -> Iterator[Period]:
    """Each booking's slot, widened to its session but not into a neighbour's slot."""
    for index, booking in enumerate(booked):
        session = sessions.get(booking.id, booking.slot)
        start, end = min(booking.slot.start, session.start), max(booking.slot.end, session.end)
        if index:
            start = max(start, booked[index - 1].slot.end)
        if index + 1 < len(booked):
            end = min(end, booked[index + 1].slot.start)
        yield Period(start, end)


def _result(booked: Sequence[Booking], claims: _Claims) -> Attribution:
    entries = []
    for index, booking in enumerate(booked):
        mine = tuple(row for row, owner in zip(claims.rows, claims.owner, strict=True) if owner == index)
        slot = claims.slots[index]
        start = min([slot.start, *(row.period.start for row in mine if ran_program(row))])
        end = max([slot.end, *(row.period.end for row in mine if ran_program(row))])
        entries.append(Attributed(booking, Period(start, end), mine))
    rest = [row for row, owner in zip(claims.rows, claims.owner, strict=True) if owner is None]
    outside = tuple(row for row in rest if ran_program(row))
    return Attribution(tuple(entries), outside, tuple(row for row in rest if not ran_program(row)))


def _shared(slot: Period, row: Period) -> timedelta:
    common = slot.intersection(row)
    return common.length if common else timedelta(0)


def _refuse_mixtures(rows: Sequence[Usage], booked: Sequence[Booking]) -> None:
    turns = [meter for meter, _ in groupby(rows, key=lambda row: row.meter)]
    if len(turns) > len(set(turns)):
        raise CannotAttribute(f"usage of several meters at once: {', '.join(sorted(set(turns)))}")
    for one, other in pairwise(booked):
        if one.slot.overlaps(other.slot):
            raise CannotAttribute(f"bookings {one.id} and {other.id} overlap")
