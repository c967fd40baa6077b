"""Usage by local day: the sums of the quarter hours, whose day is that of the zone, as far as a party may see them."""

from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import pytest

from app.database import Database, Role
from metering.interval import added
from metering.period import Period
from metering.store import MeteringStore
from metering.store_daily import DailyUsageStore
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
    reading,
    texts,
    with_registers,
)

WEEK = Period(START - timedelta(days=1), START + timedelta(days=6))


@pytest.fixture
def boxes(database: Database) -> list[Box]:
    """Two meters with two days of readings; on the second a register comes later."""
    add_parties(database)
    boxes = [enrolled_box(database, serial=f"SM-{number}") for number in (1, 2)]
    plain = [reading(number, minutes=10) for number in range(1, 291)]
    widened = chain_of(boxes[1], plain[:150], per_record=50)
    later = [with_registers(one, parts=one.sequence) for one in plain[150:]]
    boxes[0].send(database, texts(chain_of(boxes[0], plain, per_record=100)))
    boxes[1].send(database, texts(widened))
    boxes[1].send(database, texts(chain_of(boxes[1], later, per_record=100, after=widened[-1])))
    return boxes


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "America/St_Johns"])
def test_a_day_is_the_sum_of_its_quarter_hours(database: Database, boxes: list[Box], zone: str) -> None:
    spans = {box.agent.meter_id: WEEK for box in boxes}
    with database.transaction(Role.WORKER) as session:
        days = DailyUsageStore(session).days(spans, zone)
        for meter, found in days.items():
            expected: dict[date, dict[str, int]] = defaultdict(dict)
            for usage in MeteringStore(session).usage(meter, WEEK):
                day = usage.period.start.astimezone(ZoneInfo(zone)).date()
                expected[day] = added(expected[day], usage.deltas)
            assert {day: dict(one.deltas) for day, one in found.items()} == {
                day: {code: deltas.get(code, 0) for code in next(iter(found.values())).deltas}
                for day, deltas in expected.items()
            }
            assert list(found) == sorted(found)
            assert [one.is_open for one in found.values()] == [False] * (len(found) - 1) + [True]
    assert sum(one.deltas["parts"] for one in days[boxes[1].agent.meter_id].values()) == 290
    assert "parts" not in next(iter(days[boxes[0].agent.meter_id].values())).deltas


def test_each_meter_has_a_period_of_its_own(database: Database, boxes: list[Box]) -> None:
    lease = Period(START + timedelta(hours=3), START + timedelta(hours=5))
    spans = {boxes[0].agent.meter_id: lease, boxes[1].agent.meter_id: WEEK}
    with database.transaction(Role.WORKER) as session:
        days = DailyUsageStore(session).days(spans, "UTC")
        assert DailyUsageStore(session).days({}, "UTC") == {}
    (only,) = days[boxes[0].agent.meter_id].values()
    assert only.deltas["cutting"] == 12_000
    assert len(days[boxes[1].agent.meter_id]) == 3


def test_a_party_is_told_what_it_may_see(database: Database, boxes: list[Box]) -> None:
    meter, lease = boxes[0].agent.meter_id, Period(START + timedelta(hours=3), START + timedelta(hours=5))
    with database.transaction(Role.WORKER) as session:
        store = MeteringStore(session)
        store.grant_access(store.meter(meter), LESSEE, lease, reason="lease 1", now=NOW)

    def cutting(party: object) -> int:
        with database.transaction(Role.APP, party=party) as session:  # type: ignore[arg-type]
            days = DailyUsageStore(session).days({meter: WEEK}, "UTC")
        return sum(one.deltas["cutting"] for one in days[meter].values())

    assert (cutting(MAKER), cutting(LESSEE), cutting(OTHER_MAKER)) == (289_000, 12_000, 0)


def test_a_day_says_what_is_to_be_said_of_its_quarter_hours(database: Database) -> None:
    add_parties(database)
    box = enrolled_box(database)
    apart = [reading(1), replace(reading(9), sequence=2)]
    box.send(database, texts(chain_of(box, apart, per_record=2)))
    with database.transaction(Role.WORKER) as session:
        (day,) = DailyUsageStore(session).days({box.agent.meter_id: WEEK}, "UTC")[box.agent.meter_id].values()
    assert (day.substitute, day.unsynchronised, day.replayed) == (True, False, False)
    assert day.deltas["cutting"] == 8_000
    assert isinstance(day.deltas["cutting"], int)
