"""What a lessee's page shows, built from values: cost to date with its working, bookings, the next free slot."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from app.pages.format import Figure, State, amount, minute, number
from app.pages.invoice_view import Row
from billing.capacity.booking import Booking, BookingStatus
from billing.capacity.lease import Lease
from billing.pricing.rated import RatedBill
from metering.period import QUARTER_HOUR, quarter_start

SUGGESTED_LENGTH = timedelta(hours=4)


@dataclass(frozen=True, slots=True)
class CostLine:
    description: str
    quantity: str
    price: str
    amount: str
    working: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BookingRow:
    start: str
    end: str
    state: State


@dataclass(frozen=True, slots=True)
class LeaseCard:
    id: UUID
    meter_id: UUID
    machine: str
    lessor: str
    tariff: str
    zone: str
    state: State
    replayed: bool
    cost_from: str
    cost_to: str
    figures: tuple[Figure, ...]
    lines: tuple[CostLine, ...]
    bookings: tuple[BookingRow, ...]
    suggested_start: str
    suggested_end: str


@dataclass(frozen=True, slots=True)
class ToPay:
    id: UUID
    number: str
    total: str
    due: str


@dataclass(frozen=True, slots=True)
class SmePage:
    leases: tuple[LeaseCard, ...]
    to_pay: ToPay | None


def lease_card(
    lease: Lease,
    bill: RatedBill | None,
    bookings: Sequence[Booking],
    *,
    machine: str,
    lessor: str,
    replayed: bool,
    now: datetime,
) -> LeaseCard:
    """One lease with its cost so far; `now` is the meter's clock, so that a replayed month books its own days."""
    start = _suggested(bookings, now)
    return LeaseCard(
        id=lease.id,
        meter_id=lease.meter_id,
        machine=machine,
        lessor=lessor,
        tariff=f"{bill.tariff}, version {bill.version}" if bill else "its tariff",
        zone=lease.zone,
        state=State("running", "good") if _runs(lease, now) else State("ended"),
        replayed=replayed,
        cost_from=minute(bill.period.start, lease.zone) if bill else "–",
        cost_to=minute(bill.period.end, lease.zone) if bill else "–",
        figures=cost_figures(bill, lease.currency),
        lines=tuple(_cost_line(bill)) if bill else (),
        bookings=tuple(_booking_row(entry, lease.zone, now) for entry in bookings),
        suggested_start=_local(start, lease.zone),
        suggested_end=_local(start + SUGGESTED_LENGTH, lease.zone),
    )


def cost_figures(bill: RatedBill | None, currency: str) -> tuple[Figure, ...]:
    """Cost to date and what it is made of."""
    if bill is None:
        return (Figure("Cost to date, net", "0.00", currency, "cost"),)
    quantities = {line.code: line for line in bill.lines if line.quantity is not None}
    parts = (
        Figure(line.description, number(line.quantity), "" if line.unit == "1" else line.unit, f"quantity-{code}")
        for code, line in quantities.items()
    )
    return (Figure("Cost to date, net", amount(bill.net), bill.currency, "cost"), *parts)


def live_cost(bill: RatedBill | None, currency: str) -> dict[str, str]:
    """The same figures as fields of a live update."""
    return {figure.field: figure.value for figure in cost_figures(bill, currency)}


def to_pay(rows: Iterable[Row]) -> ToPay | None:
    """The open invoice that is due first."""
    due = sorted((row for row in rows if row.state.word in {"open", "overdue", "partly paid"}), key=lambda row: row.due)
    return ToPay(due[0].id, due[0].number, due[0].total, due[0].due) if due else None


def _cost_line(bill: RatedBill) -> Iterable[CostLine]:
    for line in bill.lines:
        yield CostLine(line.description, number(line.quantity), number(line.price), amount(line.amount), line.working)


def _booking_row(booking: Booking, zone: str, now: datetime) -> BookingRow:
    if booking.status is BookingStatus.CANCELLED:
        state = State("cancelled")
    elif now in booking.slot:
        state = State("running now", "good")
    else:
        state = State("used" if booking.slot.end <= now else "booked", "" if booking.slot.end <= now else "good")
    return BookingRow(minute(booking.slot.start, zone), minute(booking.slot.end, zone), state)


def _runs(lease: Lease, now: datetime) -> bool:
    return lease.starts <= now and (lease.ends is None or now < lease.ends)


def _suggested(bookings: Sequence[Booking], now: datetime) -> datetime:
    """The next quarter hour after everything booked so far."""
    taken = [entry.slot.end for entry in bookings if entry.status is BookingStatus.CONFIRMED]
    return max([*taken, quarter_start(now) + QUARTER_HOUR])


def _local(moment: datetime, zone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(zone)):%Y-%m-%dT%H:%M}"
