"""Sessions on a real database: their registers from the agent's own readings, or cut at quarter hours and marked so."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.database import Database, Role
from metering.interval import Step, intervals
from metering.period import Period
from metering.reading import Reading, Reason, TimeQuality
from metering.session import Cutting, MeasuredSession, edge_between
from metering.store import MeteringStore
from metering.usage import cut
from tests.metering.builders import (
    LESSEE,
    MAKER,
    NOW,
    OTHER_MAKER,
    START,
    Box,
    add_parties,
    chain_of,
    enrolled_box,
    texts,
)
from tests.metering.builders import reading as reading_at

QUARTER = timedelta(minutes=15)
HOUR = Period(START + QUARTER, START + 5 * QUARTER)


@pytest.fixture
def box(database: Database) -> Box:
    add_parties(database)
    return enrolled_box(database)


@contextmanager
def store_of(database: Database) -> Iterator[MeteringStore]:
    with database.transaction(Role.WORKER) as session:
        yield MeteringStore(session)


def plan(database: Database, box: Box, session: str, during: Period) -> None:
    with store_of(database) as store:
        store.plan_session(store.meter(box.agent.meter_id), session, LESSEE, during, now=NOW)


def seen(database: Database, box: Box, during: Period = HOUR) -> list[MeasuredSession]:
    with store_of(database) as store:
        return store.sessions(box.agent.meter_id, during)


def cut_at(sequence: int, at: datetime, reason: Reason = Reason.DURING, session: str | None = None) -> Reading:
    """A reading whose register `cutting` shows the seconds since the start."""
    seconds = int((at - START).total_seconds())
    one = reading_at(1)
    registers = {**one.registers, "cutting": seconds * 1000}
    return replace(
        one,
        sequence=sequence,
        device_time=at,
        reason=reason,
        session=session,
        registers=registers,
        spectrum={},
    )


def walk(*moments: tuple[datetime, Reason, str | None]) -> list[Reading]:
    return [cut_at(number, *moment) for number, moment in enumerate(moments, start=1)]


def plain(*quarters: int) -> list[tuple[datetime, Reason, str | None]]:
    return [(START + number * QUARTER, Reason.DURING if number else Reason.BEGIN, None) for number in quarters]


def send(database: Database, box: Box, readings: Sequence[Reading]) -> None:
    receipt = box.send(database, texts(chain_of(box, readings)))
    assert [one.reason for one in receipt.refused] == []


def test_a_session_that_the_agent_sealed_is_signed_at_both_ends(database: Database, box: Box) -> None:
    plan(database, box, "s-1", HOUR)
    begin, end = (HOUR.start, Reason.BEGIN, "s-1"), (HOUR.end, Reason.END, "s-1")
    send(database, box, walk(*plain(0), begin, *plain(2, 3, 4), end, *plain(6)))
    (session,) = seen(database, box)
    assert session.cutting is Cutting.SIGNED
    assert session.deltas["cutting"] == 3_600_000
    assert session.opening
    assert session.opening.evidence == (2, 2)
    assert session.closing
    assert session.closing.evidence == (6, 6)
    assert not session.opening.unsynchronised


def test_a_session_that_the_agent_did_not_know_of_is_cut_at_quarter_hours_and_marked_so(
    database: Database, box: Box
) -> None:
    plan(database, box, "s-1", HOUR)
    send(database, box, walk(*plain(0, 1, 2, 3, 4, 5, 6)))
    (session,) = seen(database, box)
    assert session.cutting is Cutting.BY_SERVICE
    assert session.deltas["cutting"] == 3_600_000
    assert session.opening
    assert not session.opening.signed
    assert not session.opening.substitute


def test_one_end_alone_does_not_make_a_session_signed(database: Database, box: Box) -> None:
    plan(database, box, "s-1", HOUR)
    send(database, box, walk(*plain(0), (HOUR.start, Reason.BEGIN, "s-1"), *plain(2, 3, 4, 5)))
    (session,) = seen(database, box)
    assert session.cutting is Cutting.BY_SERVICE
    assert session.opening
    assert session.closing
    assert (session.opening.signed, session.closing.signed) == (True, False)


def test_a_reading_for_a_session_at_another_time_or_of_another_session_is_none_of_this_one(
    database: Database, box: Box
) -> None:
    plan(database, box, "s-1", HOUR)
    late = (HOUR.start + QUARTER, Reason.BEGIN, "s-1")
    foreign = (HOUR.end, Reason.END, "s-2")
    send(database, box, walk(*plain(0, 1), late, *plain(3, 4), foreign))
    (session,) = seen(database, box)
    assert session.cutting is Cutting.BY_SERVICE
    assert session.opening
    assert session.closing
    assert not session.opening.signed
    assert not session.closing.signed


def test_sessions_that_touch_are_ended_and_begun_by_two_readings_of_one_moment(database: Database, box: Box) -> None:
    middle = HOUR.start + 2 * QUARTER
    plan(database, box, "s-1", Period(HOUR.start, middle))
    plan(database, box, "s-2", Period(middle, HOUR.end))
    moments = [
        (HOUR.start, Reason.BEGIN, "s-1"),
        (middle, Reason.END, "s-1"),
        (middle, Reason.BEGIN, "s-2"),
        (HOUR.end, Reason.END, "s-2"),
    ]
    send(database, box, walk(*plain(0), *moments))
    first, second = seen(database, box)
    assert (first.cutting, second.cutting) == (Cutting.SIGNED, Cutting.SIGNED)
    assert first.closing
    assert second.opening
    assert first.closing.registers == second.opening.registers
    with store_of(database) as store:
        usage = store.usage(box.agent.meter_id, HOUR)
    assert sum(row.deltas["cutting"] for row in usage) == 3_600_000


def test_a_session_is_ahead_then_running_then_closed(database: Database, box: Box) -> None:
    plan(database, box, "s-1", HOUR)
    readings = walk(*plain(0), (HOUR.start, Reason.BEGIN, "s-1"), (HOUR.end, Reason.END, "s-1"))
    sealed = texts(chain_of(box, readings))
    told = []
    for text in sealed:
        box.send(database, [text])
        told.append(seen(database, box)[0].cutting)
    assert told == [Cutting.AHEAD, Cutting.RUNNING, Cutting.SIGNED]


def test_a_withdrawn_session_stays_withdrawn_and_one_planned_twice_is_one(database: Database, box: Box) -> None:
    plan(database, box, "s-1", HOUR)
    plan(database, box, "s-1", HOUR)
    for moment in (NOW, NOW + QUARTER):
        with store_of(database) as store:
            store.withdraw_session("s-1", now=moment)
    (session,) = seen(database, box)
    assert session.cutting is Cutting.WITHDRAWN
    assert session.session.withdrawn_at == NOW


def test_a_clock_that_is_not_known_to_be_right_is_said(database: Database, box: Box) -> None:
    plan(database, box, "s-1", HOUR)
    readings = walk(*plain(0), (HOUR.start, Reason.BEGIN, "s-1"), (HOUR.end, Reason.END, "s-1"))
    doubted = [replace(one, time_quality=TimeQuality.INFORMATIVE) for one in readings]
    send(database, box, doubted)
    (session,) = seen(database, box)
    assert session.opening
    assert session.opening.unsynchronised
    assert session.closing
    assert session.closing.unsynchronised


def test_only_owner_and_party_see_a_session_and_neither_may_write_one(database: Database, box: Box) -> None:
    plan(database, box, "s-1", HOUR)
    found = {}
    for party in (MAKER, LESSEE, OTHER_MAKER):
        with database.transaction(Role.APP, party=party) as session:
            found[party] = len(MeteringStore(session).planned_sessions(box.agent.meter_id, HOUR))
    assert found == {MAKER: 1, LESSEE: 1, OTHER_MAKER: 0}


@given(
    before=st.integers(0, 3 * 900),
    after=st.integers(1, 3 * 900),
    quarter=st.integers(1, 5),
    grown=st.integers(0, 10**9),
)
def test_what_lies_between_two_readings_is_spread_as_usage_is(
    before: int, after: int, quarter: int, grown: int
) -> None:
    """Whatever the readings around a moment, opening plus the usage before it is what the service bills."""
    at = START + quarter * QUARTER
    low = replace(reading_at(1), device_time=at - timedelta(seconds=before), spectrum={})
    registers = {code: value + grown for code, value in low.registers.items()}
    high = replace(low, sequence=2, device_time=at + timedelta(seconds=after), registers=registers)
    edge = edge_between(at, Step(low, {}), Step(high, {}))
    assert edge is not None
    rows = cut(intervals([Step(low, {}), Step(high, {})]), meter="")
    for code, value in low.registers.items():
        assert edge.registers[code] == value + sum(row.deltas[code] for row in rows if row.period.end <= at)
        assert value <= edge.registers[code] <= value + grown
