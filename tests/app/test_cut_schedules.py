"""Cut schedules of real bookings: numbered, signed, issued when something changed and not else."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.cut_schedules import schedule_in_force
from app.database import Database, Role
from billing.capacity.book import Booked, book
from billing.capacity.booking import Booking
from billing.capacity.cancel_booking import cancel_booking
from billing.capacity.store import LeasingStore
from metering import issue_schedule, ocmf
from metering.issue_schedule import AHEAD, BACK, RENEWED_BEFORE
from metering.period import QUARTER_HOUR, Period
from metering.schedule import CutKind, CutSchedule, ScheduledCut, parse, verify
from metering.schedule_plan import Admitted, Plan, admit
from metering.store import MeteringStore
from metering.store_schedules import Standing
from tests.builders import Shop, open_shop, running, seal_life

KEY = ocmf.new_key()
# 08:00 to 11:00 is the worked tariff's peak in Shanghai, 11:00 to 18:00 is flat.
MORNING = datetime.fromisoformat("2026-07-06T09:00:00+08:00")
NOW = MORNING - timedelta(days=2)


@pytest.fixture
def shop(database: Database) -> Shop:
    return open_shop(database)


def booked(shop: Shop, slot: Period, *, now: datetime = NOW) -> Booking:
    with shop.database.transaction(Role.WORKER) as session:
        result = book(
            shop.listing,
            shop.sme.id,
            slot,
            leasing=LeasingStore(session),
            metering=MeteringStore(session),
            now=now,
        )
    assert isinstance(result, Booked)
    return result.booking


def cancelled(shop: Shop, booking: Booking, *, now: datetime = NOW) -> None:
    with shop.database.transaction(Role.WORKER) as session:
        cancel_booking(booking.id, leasing=LeasingStore(session), metering=MeteringStore(session), now=now)


def in_force(shop: Shop, *, known: int = 0, now: datetime = NOW) -> Standing:
    with shop.database.transaction(Role.WORKER) as session:
        return schedule_in_force(session, shop.meter.id, known=known, key=KEY, now=now)


def schedule(shop: Shop, *, now: datetime = NOW) -> CutSchedule:
    standing = in_force(shop, now=now)
    assert standing.text
    sealed = parse(standing.text)
    verify(sealed, KEY.public_key())
    assert sealed.schedule.number == standing.number
    return sealed.schedule


def lived(shop: Shop, period: Period, *, replayed: bool = False) -> list[str]:
    """A meter's life, sealed."""
    return seal_life(shop, {period.start: running()}, period, replayed=replayed)


def hours(start: datetime, length: float) -> Period:
    return Period(start, start + timedelta(hours=length))


def test_a_booking_is_cut_at_begin_and_end_and_where_its_tariff_changes(shop: Shop) -> None:
    booking = booked(shop, hours(MORNING, 4))
    found = schedule(shop)
    assert (found.meter, found.number, found.issued_at) == (shop.meter.serial, 1, NOW)
    assert found.valid_until == NOW + AHEAD
    assert found.cuts == (
        ScheduledCut(MORNING, CutKind.BEGIN, str(booking.id)),
        ScheduledCut(MORNING + timedelta(hours=2), CutKind.TARIFF_CHANGE),
        ScheduledCut(MORNING + timedelta(hours=4), CutKind.END, str(booking.id)),
    )


def test_nothing_is_issued_anew_while_nothing_changed_and_the_text_goes_to_who_lacks_it(shop: Shop) -> None:
    booked(shop, hours(MORNING, 4))
    assert in_force(shop).number == 1
    again = in_force(shop, known=1, now=NOW + timedelta(days=1))
    assert (again.number, again.text) == (1, None)


def test_a_booking_cancelled_and_one_made_at_once_change_the_schedule(shop: Shop) -> None:
    first = booked(shop, hours(MORNING, 2))
    assert schedule(shop).number == 1
    cancelled(shop, first)
    assert schedule(shop).cuts == ()
    again = booked(shop, hours(MORNING, 2))
    assert again.id != first.id
    third = schedule(shop)
    assert (third.number, {cut.session for cut in third.cuts}) == (3, {str(again.id)})


def test_bookings_that_touch_are_ended_before_the_next_begins(shop: Shop) -> None:
    noon = MORNING + timedelta(hours=4)
    one, other = booked(shop, hours(noon, 1)), booked(shop, hours(noon + timedelta(hours=1), 1))
    kinds = [(cut.kind, cut.session) for cut in schedule(shop).cuts if cut.at == noon + timedelta(hours=1)]
    assert kinds == [(CutKind.END, str(one.id)), (CutKind.BEGIN, str(other.id))]


def test_a_schedule_is_renewed_long_before_it_ends_with_what_has_come_nearer(shop: Shop) -> None:
    far = booked(shop, hours(NOW + AHEAD + timedelta(days=3), 2))
    assert schedule(shop).cuts == ()
    day_before = NOW + AHEAD - RENEWED_BEFORE
    assert in_force(shop, now=day_before).number == 1
    renewed = schedule(shop, now=day_before + timedelta(minutes=1))
    assert (renewed.number, [cut.session for cut in renewed.cuts]) == (2, [str(far.id)] * 2)


def test_a_meter_that_lags_is_told_what_it_can_still_cut(shop: Shop) -> None:
    """The machine was cut off from its agent since before a booking that is over by now."""
    start = MORNING - timedelta(days=1)
    shop.ingest(lived(shop, Period(start - 2 * QUARTER_HOUR, start)), now=start)
    booking = booked(shop, hours(MORNING, 1))
    late = schedule(shop, now=MORNING + timedelta(hours=5))
    assert late.issued_at == start
    assert [cut.kind for cut in late.cuts if cut.session == str(booking.id)] == [CutKind.BEGIN, CutKind.END]
    later = MORNING + BACK + timedelta(days=10)
    assert schedule(shop, now=later).issued_at == later - BACK


def test_a_replayed_machine_is_scheduled_by_its_own_time(shop: Shop) -> None:
    first = schedule(shop, now=NOW + timedelta(days=900))
    assert first.cuts == ()
    booking = booked(shop, hours(MORNING, 1))
    shop.ingest(lived(shop, Period(NOW, NOW + QUARTER_HOUR), replayed=True), now=NOW + timedelta(days=900))
    played = schedule(shop, now=NOW + timedelta(days=900))
    assert (played.number, played.issued_at) == (2, NOW + QUARTER_HOUR)
    assert {cut.session for cut in played.cuts} == {str(booking.id)}
    assert in_force(shop, now=NOW + timedelta(days=901)).number == 2


def test_a_clock_far_in_the_future_does_not_hide_what_is_to_come(shop: Shop) -> None:
    booking = booked(shop, hours(MORNING, 1))
    ahead = Period(NOW + timedelta(days=400), NOW + timedelta(days=400) + QUARTER_HOUR)
    shop.ingest(lived(shop, ahead), now=NOW)
    assert {cut.session for cut in schedule(shop).cuts} == {str(booking.id)}


def test_a_service_that_lost_schedules_goes_on_above_what_the_agent_knows(shop: Shop) -> None:
    assert schedule(shop).number == 1
    higher = in_force(shop, known=41)
    assert (higher.number, higher.text is not None) == (42, True)
    assert in_force(shop, known=42).number == 42
    assert in_force(shop, known=10**11).number == 42  # no service gave that


def test_more_cuts_than_a_schedule_holds_make_it_shorter_not_wrong(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issue_schedule, "MAX_CUTS", 5)
    slots = [hours(NOW + timedelta(days=day), 1) for day in range(1, 5)]
    for slot in slots:
        booked(shop, slot)
    found = schedule(shop)
    assert [cut.at for cut in found.cuts] == [
        slots[0].start,
        slots[0].end,
        slots[1].start,
        slots[1].end,
        slots[2].start,
    ]
    assert found.valid_until == slots[2].end


_ACTS = st.lists(
    st.one_of(
        st.tuples(st.just("book"), st.integers(0, 30), st.integers(1, 8)),
        st.tuples(st.just("cancel"), st.integers(0, 9), st.just(0)),
        st.tuples(st.just("deliver"), st.integers(0, 6), st.just(0)),
    ),
    max_size=14,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(acts=_ACTS)
def test_what_an_agent_plans_is_what_is_promised(database: Database, acts: list[tuple[str, int, int]]) -> None:
    """Bookings come and go, schedules are delivered or lost: after a delivery the agent's plan of what is still to come
    is exactly what stands, and what it knew in time is never told as missed."""
    shop = open_shop(database, name=f"maker-{_count()}")
    plan, now, standing = Plan(), NOW, list[Booking]()
    for act, number, length in [*acts, ("deliver", 0, 0)]:
        if act == "book":
            slot = Period(now + (number + 1) * QUARTER_HOUR, now + (number + 1 + length) * QUARTER_HOUR)
            if not any(slot.overlaps(one.slot) for one in standing):
                standing.append(booked(shop, slot, now=now))
        elif act == "cancel" and standing:
            cancelled(shop, standing.pop(number % len(standing)), now=now)
        elif act == "deliver":
            now += number * QUARTER_HOUR
            text = in_force(shop, known=plan.number, now=now).text
            if text is not None:
                admitted = admit(plan, text, meter=shop.meter.serial, key=KEY.public_key(), folded_to=now)
                assert isinstance(admitted, Admitted)
                plan = admitted.plan
            wanted = {(at, one.id) for one in standing for at in (one.slot.start, one.slot.end) if at > now}
            assert {(cut.at, cut.session) for cut in plan.after(now) if cut.session} == {
                (at, str(booking)) for at, booking in wanted
            }


def _counter() -> Callable[[], int]:
    made = 0

    def count() -> int:
        nonlocal made
        made += 1
        return made

    return count


_count = _counter()
