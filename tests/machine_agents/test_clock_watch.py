"""Clocks that are set while the agent looks: each is found, told once, and believed again only when confirmed."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machine_agents.clock_watch import ClockWatch
from machine_agents.host import Host, this_host
from metering.reading import TimeQuality

START = datetime(2026, 3, 2, 8, tzinfo=UTC)
S, I, U = TimeQuality.SYNCHRONISED, TimeQuality.INFORMATIVE, TimeQuality.UNKNOWN  # noqa: E741 (OCMF's letters)


@dataclass
class Clocks:
    """Time passes by `tick`; `wall` and `source` say how far the two clocks are off, `late` how late values come."""

    passed: float = 100.0
    wall: float = 0.0
    source: float = 0.0
    late: float = 0.0
    synchronised: bool = True
    boot: str = "boot-1"

    def host(self) -> Host:
        return Host(lambda: self.at(self.wall), lambda: self.passed, self.boot, lambda: self.synchronised)

    def at(self, off: float) -> datetime:
        return START + timedelta(seconds=self.passed + off)

    def tick(self, watch: ClockWatch, seconds: int = 1) -> int:
        """How much of the source's time is found not to have passed, in ms."""
        ahead = 0
        for _ in range(seconds):
            self.passed += 1
            ahead += watch.look(self.at(self.source - self.late), replayed=False)
        return ahead


def begun(clocks: Clocks) -> ClockWatch:
    watch = ClockWatch(clocks.host(), limit_ms=5_000)
    clocks.tick(watch, 3)
    return watch


def quality(watch: ClockWatch, configured: TimeQuality = S) -> TimeQuality:
    return watch.quality(configured, replayed=False)


def test_synchronised_needs_the_configuration_the_host_and_the_source() -> None:
    assert quality(begun(Clocks())) is S
    assert quality(begun(Clocks()), I) is I
    assert quality(begun(Clocks(synchronised=False))) is I
    assert quality(begun(Clocks(source=-4))) is S
    assert quality(begun(Clocks(source=6))) is I
    assert begun(Clocks()).quality(S, replayed=True) is I
    assert quality(ClockWatch(Clocks().host(), limit_ms=5_000)) is I  # nothing seen of the source yet


@pytest.mark.parametrize("step", [3_600, 7, -7, -3_600])
def test_a_source_that_was_set_is_marked_and_not_believed_until_confirmed(step: float) -> None:
    clocks = Clocks()
    watch = begun(clocks)
    clocks.source += step
    clocks.tick(watch, 10)
    assert watch.clocks().source_step_ms == step * 1000
    assert watch.clocks().wall_step_ms == 0
    assert quality(watch) is quality(watch, I) is U
    watch.told()
    assert watch.clocks().source_step_ms == 0
    clocks.tick(watch, 120)
    assert quality(watch) is I  # it keeps on being wrong
    clocks.source = 0
    clocks.tick(watch, 10)
    watch.told()
    assert quality(watch) is I  # right again, and set a moment ago
    clocks.tick(watch, 60)
    assert quality(watch) is S


def test_a_wall_clock_that_was_set_is_told_apart_from_the_source() -> None:
    clocks = Clocks()
    watch = begun(clocks)
    clocks.wall = -90
    clocks.tick(watch)
    told = watch.clocks()
    assert (told.wall_step_ms, told.source_step_ms, told.source_ahead_ms) == (-90_000, 0, 90_000)
    assert quality(watch) is I


def test_what_comes_late_is_no_step() -> None:
    """A link away for ten minutes: values come late, then all at once, and the source's clock was never touched."""
    clocks = Clocks()
    watch = begun(clocks)
    clocks.late = 600
    clocks.passed += 600
    for late in range(600, 0, -60):
        clocks.late = late
        clocks.tick(watch)
        assert quality(watch) is I
    clocks.late = 0
    clocks.tick(watch)
    assert watch.clocks().source_step_ms == 0
    assert quality(watch) is S


def test_a_step_while_the_agent_was_away_is_found_and_after_a_reboot_nothing_is_claimed() -> None:
    clocks = Clocks()
    kept = begun(clocks).to_json()
    clocks.passed += 500
    clocks.wall = 30
    again = ClockWatch(clocks.host(), limit_ms=5_000, text=kept)
    clocks.tick(again)
    assert again.clocks().wall_step_ms == 30_000
    rebooted = Clocks(passed=1, boot="boot-2")
    other = ClockWatch(rebooted.host(), limit_ms=5_000, text=kept)
    rebooted.tick(other)
    assert (other.clocks().wall_step_ms, other.clocks().source_step_ms) == (0, 0)


def test_time_that_the_source_jumps_over_has_not_passed() -> None:
    clocks = Clocks()
    watch = begun(clocks)
    clocks.source += 20
    assert clocks.tick(watch, 300) == 20_000
    clocks.source -= 20
    assert clocks.tick(watch, 300) == 0


def test_steps_that_are_small_each_are_found_by_their_sum() -> None:
    clocks = Clocks()
    watch = begun(clocks)
    clocks.tick(watch, 60)  # in the first minute such could also be values that came late
    ahead = 0
    for _ in range(100):
        clocks.source += 2
        ahead += clocks.tick(watch, 10)
    assert 200_000 - 6_000 <= ahead <= 200_000


@settings(max_examples=30, deadline=None)
@given(percent=st.integers(1, 100), wander=st.lists(st.floats(0, 3), min_size=50, max_size=50))
def test_a_clock_that_runs_too_fast_gains_no_more_than_the_limit(percent: int, wander: list[float]) -> None:
    clocks = Clocks()
    watch = begun(clocks)
    clocks.tick(watch, 60)  # in the first minute such could also be values that came late
    ahead = 0
    for late in wander:
        clocks.late = late
        for _ in range(20):
            clocks.source += percent / 100
            ahead += clocks.tick(watch)
    drift_ms = 1000  # what clocks may drift in as many seconds
    assert clocks.source * 1000 - ahead <= 5_000 + 3_000 + drift_ms


@settings(max_examples=60, deadline=None)
@given(
    delays=st.lists(st.tuples(st.floats(0, 4), st.integers(1, 400)), max_size=30),
    drift=st.floats(-100e-6, 100e-6),
    catch_up=st.integers(1, 60),
)
def test_however_late_values_come_no_time_is_doubted(
    delays: list[tuple[float, int]], drift: float, catch_up: int
) -> None:
    """Delays that come and go, outages that are caught up with in steps, clocks that drift: none is a jump."""
    clocks = Clocks()
    watch = begun(clocks)
    told = clocks.passed
    for late, pause in delays:
        clocks.source += drift * pause
        clocks.passed += pause  # nothing comes: an outage, or just a pause
        behind = float(pause)
        while behind > -3:
            clocks.late = min(max(behind, 0) + late, clocks.passed + 1 - told)  # never less than was told before
            assert clocks.tick(watch) == 0
            told = clocks.passed - clocks.late
            behind -= catch_up + pause / 4 if behind > 0 else 1


def test_what_came_first_may_have_come_late() -> None:
    """An agent that begins on a busy computer: the first heartbeat lay there for ten seconds, the next ones did not."""
    clocks = Clocks(late=10)
    watch = ClockWatch(clocks.host(), limit_ms=5_000)
    clocks.tick(watch)
    clocks.late = 0
    clocks.passed += 1
    stamps = [clocks.at(-second) for second in range(11, -1, -1)]
    assert watch.look(clocks.at(0), replayed=False, stamps=stamps) == 0
    assert watch.clocks().source_step_ms == 0
    clocks.source = 10
    assert clocks.tick(watch) == 10_000  # a hole in its times: the clock was set


def test_a_recording_has_no_clock() -> None:
    clocks = Clocks()
    watch = begun(clocks)
    watch.look(datetime(2018, 5, 1, tzinfo=UTC), replayed=True)
    assert watch.clocks().source_step_ms == 0
    assert watch.clocks().source_ahead_ms is None


def test_this_host_answers() -> None:
    host = this_host(lambda: START, lambda: 1.0)
    assert host.boot
    assert isinstance(host.synchronised(), bool)
