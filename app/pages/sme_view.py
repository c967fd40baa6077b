"""What a lessee's page shows, built from values: cost to date with its working, bookings, the next free slot."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from app.leases import SoFar
from app.pages.format import NOTHING, Figure, State, amount, minute, number
from app.pages.invoice_view import Row
from app.pages.sessions_view import SPINDLE, EdgeView, session_row
from billing.capacity.booking import Booking, BookingStatus
from billing.capacity.lease import Lease
from billing.pricing.rated import RatedBill
from metering.period import QUARTER_HOUR, Period, quarter_start
from metering.session import Cutting, MeasuredSession

SUGGESTED_LENGTH = timedelta(hours=4)
LOOK_AHEAD = timedelta(days=60)
_BOOKINGS_SHOWN = 8


@dataclass(frozen=True, slots=True)
class CostLine:
    description: str
    quantity: str
    unit: str
    price: str
    amount: str
    working: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BookingRow:
    """A booking and, from its begin on, how its session was cut and what the spindle did in it."""

    id: UUID
    start: str
    end: str
    state: State
    cutting: State | None = None
    opening: EdgeView | None = None
    closing: EdgeView | None = None
    spindle: str = NOTHING


@dataclass(frozen=True, slots=True)
class BookingForm:
    """A slot to ask for, in the machine's local time; `error` says why it was refused the last time."""

    machine_id: UUID
    lease_id: str
    zone: str
    start: str
    end: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class LeaseCard:
    """`is_shown` is false for a lease that has ended and owes nothing more: it is told in one line."""

    id: UUID
    meter_id: UUID
    machine: str
    lessor: str
    tariff: str
    zone: str
    state: State
    replayed: bool
    starts: str
    ends: str
    cost_from: str
    cost_to: str
    cost: Figure
    quantities: tuple[Figure, ...]
    lines: tuple[CostLine, ...]
    currency: str
    bookings: tuple[BookingRow, ...]
    earlier_bookings: int
    form: BookingForm | None
    is_shown: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """A machine that can be booked now."""

    machine: str
    lessor: str
    tariff: str
    form: BookingForm


@dataclass(frozen=True, slots=True)
class ToPay:
    id: UUID
    number: str
    total: str
    due: str


@dataclass(frozen=True, slots=True)
class SmePage:
    leases: tuple[LeaseCard, ...]
    ended: tuple[LeaseCard, ...]
    offers: tuple[Offer, ...]
    to_pay: ToPay | None


def shown_bookings(bookings: Iterable[Booking]) -> list[Booking]:
    """The latest bookings of a lease, which its card shows."""
    return sorted(bookings, key=lambda entry: entry.slot)[-_BOOKINGS_SHOWN:]


def lease_card(
    lease: Lease,
    cost: SoFar,
    bookings: Sequence[Booking],
    *,
    sessions: Mapping[str, MeasuredSession],
    machine: str,
    lessor: str,
    form: BookingForm | None,
) -> LeaseCard:
    """One lease with its cost so far; its state is told by the clock at the machine. `sessions` by booking id."""
    bill = cost.bill
    shown = shown_bookings(bookings)
    state = _state(lease, cost.clock)
    return LeaseCard(
        id=lease.id,
        meter_id=lease.meter_id,
        machine=machine,
        lessor=lessor,
        tariff=f"{bill.tariff}, version {bill.version}" if bill else "",
        zone=lease.zone,
        state=state,
        replayed=cost.replayed,
        starts=minute(lease.starts, lease.zone),
        ends=minute(lease.ends, lease.zone) if lease.ends else "",
        cost_from=minute(max(bill.period.start, lease.starts), lease.zone) if bill else "",
        cost_to=minute(min(cost.measured_to, bill.period.end), lease.zone) if bill else "",
        cost=_cost(bill, lease.currency),
        quantities=tuple(_quantities(bill)),
        lines=tuple(_cost_lines(bill)),
        currency=lease.currency,
        bookings=tuple(_booking_row(entry, sessions.get(str(entry.id)), lease.zone, cost.clock) for entry in shown),
        earlier_bookings=len(bookings) - len(shown),
        form=form,
        is_shown=bill is not None or lease.ends is None or cost.clock < lease.ends,
    )


def live_cost(lease: Lease, cost: SoFar) -> dict[str, str]:
    """The card's figures as fields of a live update."""
    figures = (_cost(cost.bill, lease.currency), *_quantities(cost.bill))
    fields = {figure.field: figure.value for figure in figures}
    if cost.bill:
        fields["cost_to"] = minute(min(cost.measured_to, cost.bill.period.end), lease.zone)
    return fields


def next_free(busy: Iterable[Period], clock: datetime) -> Period:
    """The first slot of the suggested length after `clock` that nobody has taken."""
    start = quarter_start(clock) + QUARTER_HOUR
    for taken in sorted(busy):
        if start + SUGGESTED_LENGTH <= taken.start:
            break
        start = max(start, taken.end)
    return Period(start, start + SUGGESTED_LENGTH)


def local_slot(slot: Period, zone: str) -> tuple[str, str]:
    """Both ends as a form field wants them, by the clock of `zone`."""
    start, end = (moment.astimezone(ZoneInfo(zone)) for moment in (slot.start, slot.end))
    return f"{start:%Y-%m-%dT%H:%M}", f"{end:%Y-%m-%dT%H:%M}"


def to_pay(rows: Iterable[Row]) -> ToPay | None:
    """The open invoice that is due first."""
    due = sorted((row for row in rows if row.is_open), key=lambda row: row.due)
    return ToPay(due[0].id, due[0].number, due[0].total, due[0].due) if due else None


def _cost(bill: RatedBill | None, currency: str) -> Figure:
    return Figure("Cost to date, net", amount(bill.net) if bill else "0.00", currency, "cost")


def _quantities(bill: RatedBill | None) -> Iterable[Figure]:
    for index, line in enumerate(bill.lines if bill else ()):
        if line.quantity is not None:
            unit = "" if line.unit == "1" else line.unit
            yield Figure(line.description, number(line.quantity), unit, f"quantity-{index}-{line.code}")


def _cost_lines(bill: RatedBill | None) -> Iterable[CostLine]:
    for line in bill.lines if bill else ():
        unit = "" if line.unit == "1" else line.unit
        figures = (number(line.quantity), unit, number(line.price), amount(line.amount))
        yield CostLine(line.description, *figures, line.working)


def booking_state(booking: Booking, clock: datetime) -> State:
    """How a booking stands, by the clock at the machine."""
    if booking.status is BookingStatus.CANCELLED:
        return State("cancelled")
    if clock in booking.slot:
        return State("running now", "good")
    return State("over") if booking.slot.end <= clock else State("booked", "good")


def _booking_row(booking: Booking, session: MeasuredSession | None, zone: str, clock: datetime) -> BookingRow:
    state = booking_state(booking, clock)
    start, end = minute(booking.slot.start, zone), minute(booking.slot.end, zone)
    if session is None or session.cutting in (Cutting.AHEAD, Cutting.WITHDRAWN):
        return BookingRow(booking.id, start, end, state)
    row = session_row(session, "", zone)
    return BookingRow(booking.id, start, end, state, row.state, row.opening, row.closing, row.figures[SPINDLE])


def _state(lease: Lease, clock: datetime) -> State:
    if lease.ends is not None and lease.ends <= clock:
        return State("ended")
    return State("running", "good") if lease.starts <= clock else State("booked", "good")
