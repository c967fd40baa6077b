"""Quarter hours given to bookings: whole, once each, and never across a neighbour's slot."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.capacity.attribution import Attribution, CannotAttribute, attribute, ran_program
from billing.capacity.booking import Booking, BookingStatus, OffTheGrid
from metering.period import Period
from metering.usage import Usage

DAY = datetime(2026, 3, 2, tzinfo=UTC)
MACHINE = UUID(int=1)


def at(clock: str) -> datetime:
    hours, minutes = map(int, clock.split(":"))
    return DAY + timedelta(hours=hours, minutes=minutes)


def booking(start: str, end: str, *, lease: int = 7, status: BookingStatus = BookingStatus.CONFIRMED) -> Booking:
    return Booking(
        id=uuid4(),
        lease_id=UUID(int=lease),
        machine_id=MACHINE,
        lessor_id=UUID(int=2),
        lessee_id=UUID(int=3),
        slot=Period(at(start), at(end)),
        status=status,
    )


def quarters(start: str, end: str, *, running: tuple[tuple[str, str], ...]) -> list[Usage]:
    """Quarter hours from `start` to `end`; a program runs in the `running` stretches."""
    stretches = [Period(at(one), at(other)) for one, other in running]
    rows = []
    for number, part in enumerate(Period(at(start), at(end)).quarter_hours()):
        ran = any(stretch.covers(part) for stretch in stretches)
        deltas = {"power_on": 900_000, "program_run": 900_000 if ran else 0}
        rows.append(Usage("M-1", part, deltas, evidence=(number + 1, number + 2)))
    return rows


def hours(rows: tuple[Usage, ...]) -> float:
    return len(rows) / 4


def test_usage_in_the_slot_is_the_bookings_even_when_the_machine_idles() -> None:
    found = attribute(quarters("08:00", "18:00", running=(("10:00", "11:00"),)), [booking("09:00", "12:00")])
    assert hours(found.bookings[0].usage) == 3
    assert found.bookings[0].billed == Period(at("09:00"), at("12:00"))
    assert found.outside == ()


def test_a_program_running_on_or_up_widens_the_booking_without_a_break() -> None:
    rows = quarters("06:00", "20:00", running=(("08:30", "12:45"), ("13:15", "14:00")))
    found = attribute(rows, [booking("09:00", "12:00")])
    assert found.bookings[0].billed == Period(at("08:30"), at("12:45"))
    assert hours(found.bookings[0].usage) == 4.25
    assert [row.period.start for row in found.outside] == [at("13:15"), at("13:30"), at("13:45")]
    assert found.outside_totals()["program_run"] == 3 * 900_000


def test_it_never_reaches_into_another_booking() -> None:
    rows = quarters("06:00", "20:00", running=(("07:00", "19:00"),))
    first, second = booking("09:00", "12:00"), booking("12:00", "15:00", lease=8)
    found = attribute(rows, [second, first])
    assert [entry.billed for entry in found.bookings] == [
        Period(at("07:00"), at("12:00")),
        Period(at("12:00"), at("19:00")),
    ]
    assert hours(tuple(found.of_lease(UUID(int=7)))) == 5
    assert found.outside == ()


def test_what_two_could_claim_is_the_earlier_bookings() -> None:
    rows = quarters("06:00", "20:00", running=(("09:00", "15:00"),))
    found = attribute(rows, [booking("09:00", "11:00"), booking("13:00", "15:00", lease=8)])
    assert [entry.billed for entry in found.bookings] == [
        Period(at("09:00"), at("13:00")),
        Period(at("13:00"), at("15:00")),
    ]


def test_a_session_counts_to_the_minute() -> None:
    """Booked 09:00-12:00, session 08:50-11:30: billed 190 minutes."""
    booked = booking("09:00", "12:00")
    found = attribute([], [booked], sessions={booked.id: Period(at("08:50"), at("11:30"))})
    assert found.bookings[0].billed.length == timedelta(minutes=190)


def test_a_missing_row_ends_the_run() -> None:
    rows = [row for row in quarters("09:00", "15:00", running=(("09:00", "15:00"),)) if row.period.start != at("12:30")]
    found = attribute(rows, [booking("09:00", "12:00")])
    assert found.bookings[0].billed.end == at("12:30")


def test_cancelled_bookings_answer_for_nothing() -> None:
    rows = quarters("09:00", "10:00", running=(("09:00", "10:00"),))
    found = attribute(rows, [booking("09:00", "10:00", status=BookingStatus.CANCELLED)])
    assert found.bookings == ()
    assert hours(found.outside) == 1


def test_a_program_that_ran_on_over_a_change_of_meters_is_the_bookings() -> None:
    rows = quarters("08:00", "12:00", running=(("09:00", "11:00"),))
    old = [row for row in rows if row.period.start < at("10:07")]
    new = [replace(row, meter="M-2") for row in rows if row.period.end > at("10:07")]
    found = attribute([*old, *new], [booking("09:00", "10:00")])
    assert found.outside == ()
    assert found.bookings[0].billed == Period(at("09:00"), at("11:00"))
    # The quarter hour of the change is there twice: each meter counted its part.
    assert [(row.meter, row.period.start) for row in found.bookings[0].usage][4:6] == [
        (old[0].meter, at("10:00")),
        ("M-2", at("10:00")),
    ]


def test_what_cannot_be_told_apart_is_refused() -> None:
    with pytest.raises(CannotAttribute, match="overlap"):
        attribute([], [booking("09:00", "12:00"), booking("11:00", "13:00")])
    two = quarters("09:00", "09:30", running=())
    with pytest.raises(CannotAttribute, match="several meters at once"):
        attribute([*two, *(Usage("M-2", row.period, {}) for row in two)], [])
    with pytest.raises(OffTheGrid, match="09:10"):
        booking("09:10", "12:00")


@given(
    edges=st.lists(st.integers(0, 95), min_size=2, max_size=8, unique=True).filter(lambda found: len(found) % 2 == 0),
    ran=st.lists(st.booleans(), min_size=96, max_size=96),
)
def test_every_quarter_hour_is_in_exactly_one_place(edges: list[int], ran: list[bool]) -> None:
    slots = list(zip(sorted(edges)[::2], sorted(edges)[1::2], strict=True))
    booked = [booking(clock(one), clock(other), lease=index) for index, (one, other) in enumerate(slots)]
    rows = [
        Usage("M-1", part, {"program_run": int(ran[index])})
        for index, part in enumerate(Period(DAY, DAY + timedelta(days=1)).quarter_hours())
    ]
    found = attribute(rows, booked)
    placed = [row for entry in found.bookings for row in entry.usage] + [*found.outside, *found.idle]
    assert sorted(placed, key=lambda row: row.period) == rows
    for entry in found.bookings:
        assert entry.billed.covers(entry.booking.slot)
        assert all(not entry.billed.overlaps(other.booking.slot) for other in found.bookings if other is not entry)
    assert not any(ran_program(row) for row in found.idle)
    assert attribute(reversed(rows), reversed(booked)) == found


def clock(quarter: int) -> str:
    return f"{quarter // 4:02}:{quarter % 4 * 15:02}"


def test_nothing_gives_nothing() -> None:
    assert attribute([], []) == Attribution((), (), ())
