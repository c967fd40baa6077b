"""Usage with its history: what was known on a day, what is said of each quarter hour, and what has changed since."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.database import Database, Role
from metering.cut_usage import cut_usage
from metering.known import LATE_AFTER, Known, Mark, compare, totals, with_gaps
from metering.period import QUARTER_HOUR, Period
from metering.reading import Status, TimeQuality
from metering.store import MeteringStore
from metering.store_known import KnownUsageStore
from metering.usage import Usage
from tests.metering.builders import NOW, START, Box, add_parties, chain_of, enrolled_box, reading, texts

DAY = Period(START.replace(hour=0), START.replace(hour=0) + timedelta(days=1))


@pytest.fixture
def box(database: Database) -> Box:
    add_parties(database)
    return enrolled_box(database)


def known(quarter: int, cutting: int, *, revision: int = 1, replayed: bool = False) -> Known:
    period = Period(START + quarter * QUARTER_HOUR, START + (quarter + 1) * QUARTER_HOUR)
    evidence = (quarter + 1, quarter + 2)
    return Known(
        Usage("SM-1", period, {"cutting": cutting}, evidence=evidence, replayed=replayed), revision, period.end, False
    )


def test_late_is_what_was_held_up_and_no_recording() -> None:
    held_up = replace(known(0, 1), recorded_at=known(0, 1).usage.period.end + LATE_AFTER)
    assert held_up.marks() == ()
    later = replace(held_up, recorded_at=held_up.recorded_at + timedelta(seconds=1))
    assert later.marks() == (Mark.LATE,)
    assert replace(later, usage=replace(later.usage, replayed=True)).marks() == (Mark.REPLAYED,)


def test_a_gap_marks_what_it_touches_and_a_hole_what_spans_it() -> None:
    rows = [known(n, 1) for n in range(4)]
    gap = Period(START + QUARTER_HOUR, START + QUARTER_HOUR + timedelta(minutes=1))
    assert [row.in_gap for row in with_gaps(rows, [gap])] == [False, True, False, False]
    assert [row.in_gap for row in with_gaps(rows, [], [(3, 4)])] == [False, False, True, False]


def test_then_and_now_are_set_side_by_side() -> None:
    then, now = [known(0, 5), known(1, 6)], [known(0, 5), known(1, 9, revision=2), known(2, 4)]
    pairs = compare(then, now)
    assert [pair.difference["cutting"] for pair in pairs] == [0, 3, 4]
    assert [pair.differs for pair in pairs] == [False, True, True]
    assert sum(pair.difference["cutting"] for pair in pairs) == totals(now)["cutting"] - totals(then)["cutting"]


def test_every_mark_comes_from_the_meters_own_life(database: Database, box: Box) -> None:
    """A gap, a substitute, a clock that is not synchronised, a late correction after the period was settled."""
    readings = [reading(n) for n in range(1, 9)]
    readings[2] = replace(readings[2], gap=Period(START + timedelta(minutes=16), START + timedelta(minutes=29)))
    readings[4] = replace(readings[4], status=Status.SUBSTITUTE)
    readings[6] = replace(readings[6], time_quality=TimeQuality.INFORMATIVE)
    readings.append(replace(reading(9), device_time=START + timedelta(minutes=112)))
    sealed = texts(chain_of(box, readings))
    box.send(database, sealed[:-1], now=START + timedelta(hours=2))
    with database.transaction(Role.WORKER) as session:
        cut_usage(box.agent.meter_id, DAY, store=MeteringStore(session), now=START + timedelta(hours=3))
    settled = START + timedelta(hours=4)
    box.send(database, [sealed[-1]], now=NOW)
    box.send(database, texts(chain_of(box, [reading(10)], after=chain_of(box, readings)[-1])), now=NOW)
    with database.transaction(Role.WORKER) as session:
        store = KnownUsageStore(session)
        then = store.known(box.agent.meter_id, DAY, known_at=settled)
        now = store.known(box.agent.meter_id, DAY)
        before = store.known(box.agent.meter_id, DAY, known_at=START)
    assert before == []
    assert [row.marks() for row in then] == [
        (),
        (Mark.GAP,),
        (),
        (Mark.SUBSTITUTE,),
        (),
        (Mark.UNSYNCHRONISED,),
        (Mark.UNSYNCHRONISED,),
    ]
    assert [row.usage for row in now[:7]] == [row.usage for row in then]
    # A reading in the middle of the next quarter hour: its growth is spread over two.
    assert now[7].marks() == (Mark.SUBSTITUTE, Mark.LATE)
    assert [pair.differs for pair in compare(then, now)] == [False] * 7 + [True] * (len(now) - 7)


def test_a_correction_stands_beside_what_was_settled(database: Database, box: Box) -> None:
    sealed = texts(chain_of(box, [reading(n, minutes=10) for n in range(1, 4)]))
    box.send(database, sealed[:2], now=START + timedelta(minutes=20))
    with database.transaction(Role.WORKER) as session:
        cut_usage(box.agent.meter_id, DAY, store=MeteringStore(session), now=START + timedelta(minutes=21))
    box.send(database, sealed[2:], now=NOW)
    with database.transaction(Role.WORKER) as session:
        store = KnownUsageStore(session)
        then = store.known(box.agent.meter_id, DAY, known_at=START + timedelta(hours=1))
        now = store.known(box.agent.meter_id, DAY)
        resting = store.resting_on(box.agent.meter_id, 2, DAY)
    assert [(row.usage.deltas["cutting"], row.marks()) for row in then] == [(1000, ())]
    assert [(row.usage.deltas["cutting"], row.marks()) for row in now] == [
        (1500, (Mark.SUBSTITUTE, Mark.LATE, Mark.CORRECTED)),
        (500, (Mark.SUBSTITUTE, Mark.LATE, Mark.OPEN)),
    ]
    assert [row.starts_at for row in resting] == [START, START + QUARTER_HOUR]
    assert compare(then, now)[0].difference["cutting"] == 500


def test_gaps_are_those_that_were_known_then(database: Database, box: Box) -> None:
    readings = [reading(n) for n in range(1, 4)]
    gap = Period(START + timedelta(minutes=1), START + timedelta(minutes=29))
    late = replace(readings[2], gap=gap, registers=readings[1].registers, spectrum={})
    sealed = texts(chain_of(box, [readings[0], replace(late, sequence=2)]))
    box.send(database, sealed[:1], now=START)
    box.send(database, sealed[1:], now=NOW)
    first = Period(START, START + QUARTER_HOUR)
    with database.transaction(Role.WORKER) as session:
        store = KnownUsageStore(session)
        assert store.gaps(box.agent.meter_id, first) == [gap]
        assert store.gaps(box.agent.meter_id, first, known_at=START + timedelta(hours=1)) == []
        assert store.gaps(box.agent.meter_id, Period(first.end + QUARTER_HOUR, DAY.end)) == []
        assert [row.in_gap for row in store.known(box.agent.meter_id, first)] == [True]
