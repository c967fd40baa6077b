"""Deliveries become readings: what was not seen is not billed, and a delivery counts once or not at all."""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from machine_agents.accrual import Policy
from machine_agents.config import MeterConfig
from machine_agents.credentials import Enrolment
from machine_agents.delivery import Delivery, History, NotStored
from machine_agents.host import Host
from machine_agents.observation import Observation
from machine_agents.sealing import Meter
from machine_agents.source_time import to_ms
from machine_agents.spool import Spool
from metering.ocmf import new_key, parse
from metering.period import Period
from metering.reading import Reading, Reason, TimeQuality

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SIGNALS = ("heartbeat", "replayed", "power", "axis.X.position")
STATE = "what only the source understands"
KEY = new_key()
CONFIG = MeterConfig(policy=Policy(silence_ms=600_000), clock=TimeQuality.SYNCHRONISED, interim_seconds=60)


class Wall:
    """A clock in seconds that the test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def seen(signal: str, value: int | str | bool | None, minutes: float) -> Observation:
    return Observation(signal, value, at(minutes))


def beat(minutes: float) -> Observation:
    return seen("heartbeat", to_ms(at(minutes)), minutes)


def delivery(observations: Sequence[Observation], minutes: float, *, fresh: bool = False, lost: str = "") -> Delivery:
    """What a source saw up to a heartbeat at `minutes`."""
    names = frozenset({lost} - {""})
    return Delivery([*observations, beat(minutes)], at(minutes), STATE, SIGNALS, lost=names, fresh=fresh)


FIRST = delivery(
    [seen("power", True, -300), seen("replayed", True, -300), seen("axis.X.position", 0, -1)], 0, fresh=True
)


def meter(folder: Path, wall: Wall | None = None) -> tuple[Meter, Spool]:
    spool = Spool(folder)
    identity = Enrolment("a", "m", "Mill", "token")
    return Meter(spool, KEY, identity, CONFIG, host=host(wall or Wall())), spool


def host(wall: Wall, *, synchronised: bool = True) -> Host:
    """A host whose clocks begin with the first heartbeat's."""
    return Host(lambda: START + timedelta(seconds=wall.now), wall, "boot", lambda: synchronised)


def readings(spool: Spool) -> list[Reading]:
    return [reading for text in spool.texts() for reading in parse(text).record.readings]


def test_metering_begins_at_zero_with_the_first_heartbeat(tmp_path: Path) -> None:
    one, spool = meter(tmp_path)
    one.deliver(FIRST)
    (first,) = readings(spool)
    assert (first.reason, first.device_time, first.sequence) == (Reason.BEGIN, START, 1)
    assert set(first.registers.values()) == {0}
    assert {"power_on", "travel.X", "unknown"} <= first.registers.keys()
    assert first.time_quality is TimeQuality.INFORMATIVE  # a recording's clock is nobody's
    assert parse(next(spool.texts())).record.replayed


def test_a_quarter_hour_is_a_reading(tmp_path: Path) -> None:
    one, spool = meter(tmp_path)
    one.deliver(FIRST)
    one.deliver(delivery([seen("axis.X.position", 500 * step, step) for step in range(1, 32)], 31))
    _, quarter, half = readings(spool)
    assert (quarter.device_time, half.device_time) == (at(15), at(30))
    assert quarter.registers["power_on"] == 15 * 60_000
    assert half.registers["travel.X"] == 500 * 29  # what happens at the half hour belongs to what follows


def test_time_that_the_machines_clock_jumps_over_is_not_billed(tmp_path: Path) -> None:
    wall = Wall()
    one, spool = meter(tmp_path, wall)
    one.deliver(delivery([seen("power", True, -300), seen("axis.X.position", 0, -1)], 0, fresh=True))
    for minute in range(1, 40):
        wall.now = 60 * minute
        jumped = 4 if minute >= 10 else 0  # within the limit of silence
        one.deliver(delivery([seen("axis.X.position", 10 * minute, minute + jumped)], minute + jumped))
    quarter = [reading for reading in readings(spool) if reading.device_time == at(15)]
    assert [one.time_quality for one in quarter] == [TimeQuality.UNKNOWN]
    assert [(one.gap.start, one.gap.end) for one in quarter if one.gap] == [(at(9), at(13))]
    assert one.registers()["power_on"] == 39 * 60_000
    assert one.registers()["unknown"] == 4 * 60_000


def test_values_that_come_late_are_all_billed(tmp_path: Path) -> None:
    """The line is down for half an hour, then an hour's first half and what came since arrive at once."""
    wall = Wall()
    one, _ = meter(tmp_path, wall)
    one.deliver(delivery([seen("power", True, -300), seen("axis.X.position", 0, -1)], 0, fresh=True))
    wall.now = 30 * 60
    for late in (8, 16, 24):
        wall.now += 1
        one.deliver(delivery([seen("axis.X.position", minute, minute) for minute in range(late - 7, late + 1)], late))
    wall.now = 31 * 60
    one.deliver(delivery([seen("axis.X.position", minute, minute) for minute in range(25, 32)], 31))
    assert (one.registers()["power_on"], one.registers()["unknown"]) == (31 * 60_000, 0)


def test_nothing_is_billed_for_what_was_lost_between_two_subscriptions(tmp_path: Path) -> None:
    one, spool = meter(tmp_path)
    one.deliver(FIRST)
    one.deliver(delivery([seen("axis.X.position", 10, 1)], 2))
    one.deliver(delivery([seen("power", True, -300), seen("axis.X.position", 9_000, 5)], 9, fresh=True))
    one.deliver(delivery([seen("axis.X.position", 9_010, 10)], 16))
    registers = readings(spool)[-1].registers
    assert registers["power_on"] == (2 + 6) * 60_000
    assert registers["travel.X"] == 20
    assert registers["unknown"] == 7 * 60_000
    gap = readings(spool)[-1].gap
    assert gap is not None
    assert (gap.start, gap.end) == (at(2), at(9))


@pytest.mark.parametrize("back", [0, 1])
def test_a_new_subscription_at_the_same_time_of_the_source_begins_with_its_values(tmp_path: Path, back: int) -> None:
    """Its values bear a time at which they were seen before: the machine's server was restarted within a heartbeat, or
    its clock was set back. They are no repetition, and the machine is not unknown until each of them changes."""
    one, _ = meter(tmp_path)
    one.deliver(FIRST)
    one.deliver(delivery([seen("axis.X.position", 10, 2)], 2))
    again = [seen("power", True, -300), seen("axis.X.position", 10, 2 - back), seen("replayed", True, -300)]
    one.deliver(delivery(again, 2 - back, fresh=True))
    one.deliver(delivery([seen("axis.X.position", 30, 3)], 4))
    assert (one.registers()["power_on"], one.registers()["unknown"]) == (4 * 60_000, 0)
    assert one.registers()["travel.X"] == 10 + 20


def test_what_is_read_from_history_counts_and_the_record_says_so(tmp_path: Path) -> None:
    """Part by part, each stored; of a signal without a history nothing counts until it is seen again."""
    one, spool = meter(tmp_path)
    one.deliver(FIRST)
    one.deliver(delivery([seen("axis.X.position", 10, 1)], 2))
    missed = [seen("axis.X.position", 100 * minute, minute) for minute in range(3, 21)]
    signal = frozenset({"axis.X.position"})
    part = History(Period(at(2), at(14)), [one for one in missed if one.source_time <= at(14)], signal, signal)
    one.deliver(Delivery((), at(14), STATE, SIGNALS, lost=frozenset(SIGNALS), history=part))
    one, spool = killed(one, spool, tmp_path)
    rest = History(Period(at(14), at(20)), missed[12:], signal, signal)
    again = delivery([seen("power", True, -300), seen("axis.X.position", 2_000, 20)], 21, fresh=True)
    one.deliver(replace(again, history=rest))
    one.deliver(delivery([seen("axis.X.position", 2_010, 22)], 31))
    registers = readings(spool)[-1].registers
    assert registers["travel.X"] == 10 + 1990 + 10
    assert registers["power_on"] == (2 + 9) * 60_000
    assert registers["unknown"] == 0
    records = [parse(text).record for text in spool.texts()]
    assert [stretch for record in records for stretch in record.recovered] == [
        *(Period(at(2), at(15)), Period(at(15), at(20))),
    ]
    assert not one.dropped()["late"]


def killed(one: Meter, spool: Spool, folder: Path) -> tuple[Meter, Spool]:
    """A meter that has only what is on the disk."""
    del one
    spool.close()
    return meter(folder)


def test_values_after_the_last_heartbeat_count_up_to_where_the_gap_begins(tmp_path: Path) -> None:
    one, _ = meter(tmp_path)
    one.deliver(FIRST)
    one.deliver(delivery([seen("axis.X.position", 10, 2.5)], 2))
    one.deliver(delivery([seen("power", True, 5), seen("axis.X.position", 9_000, 5)], 9, fresh=True))
    assert one.registers()["travel.X"] == 10
    assert one.registers()["power_on"] == int(2.5 * 60_000)


def test_a_signal_whose_queue_overflowed_is_not_known_since_the_heartbeat_before(tmp_path: Path) -> None:
    one, _ = meter(tmp_path)
    one.deliver(FIRST)
    one.deliver(delivery([], 2))
    one.deliver(delivery([seen("axis.X.position", 900, 3), seen("axis.X.position", 905, 4)], 5, lost="axis.X.position"))
    assert one.registers()["travel.X"] == 5
    assert one.registers()["power_on"] == 5 * 60_000


def test_a_delivery_that_cannot_be_stored_changes_nothing_and_can_come_again(tmp_path: Path) -> None:
    one, spool = meter(tmp_path)
    one.deliver(FIRST)
    before = one.registers()
    again = delivery([seen("axis.X.position", 10, 3)], 20)
    with sqlite3.connect(tmp_path / "spool.sqlite") as other:
        other.execute("create trigger full before insert on record begin select raise(abort, 'disk full'); end")
    with pytest.raises(NotStored):
        one.deliver(again)
    assert one.registers() == before
    with sqlite3.connect(tmp_path / "spool.sqlite") as other:
        other.execute("drop trigger full")
    one.deliver(again)
    assert one.registers()["travel.X"] == 10
    assert [reading.sequence for reading in readings(spool)] == [1, 2]


def test_a_restart_goes_on_from_what_was_stored(tmp_path: Path) -> None:
    one, spool = meter(tmp_path)
    one.deliver(FIRST)
    one.deliver(delivery([seen("axis.X.position", 10, 3)], 5))
    spool.close()
    again, spool = meter(tmp_path)
    again.deliver(delivery([seen("axis.X.position", 30, 6)], 20))
    assert readings(spool)[-1].registers["travel.X"] == 30
    assert again.remembered() == STATE


def test_a_live_machine_is_read_between_the_quarter_hours_a_replay_is_not(tmp_path: Path) -> None:
    for speed, expected in ((1, [0, 1, 2, 3, 4, 5]), (100, [0])):
        wall = Wall()
        one, spool = meter(tmp_path / str(speed), wall)
        one.deliver(FIRST)
        for half_minute in range(1, 12):
            wall.now = half_minute * 30 / speed
            one.deliver(delivery([seen("axis.X.position", half_minute, half_minute / 2)], half_minute / 2))
        times = [(reading.device_time - START) / timedelta(minutes=1) for reading in readings(spool)]
        assert one.live is (speed == 1)
        assert times == expected
        spool.close()


def test_a_delivery_that_does_not_begin_a_subscription_cannot_begin_a_meter(tmp_path: Path) -> None:
    one, _ = meter(tmp_path)
    with pytest.raises(ValueError, match="must be fresh"):
        one.deliver(replace(FIRST, fresh=False))
