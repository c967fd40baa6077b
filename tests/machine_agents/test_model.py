"""The seeded model: the same month each time, of a shop that could be real."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path

import pytest

from machine_agents.accrual import AccrualState, Policy, fold
from machine_agents.crosscheck import cross_check
from machine_agents.model import SILENCE_MS, live, recorded, write_recording
from machine_agents.recording import Recording, read_recording

END = datetime(2026, 5, 30, 11, 20, 7, 123456, tzinfo=UTC)
HOUR = 3_600_000


@pytest.fixture(scope="module")
def month(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    path = tmp_path_factory.mktemp("model") / "month.txt.xz"
    write_recording(path, seed=7, end=END)
    return read_recording(path)


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not(tmp_path: Path) -> None:
    paths = [tmp_path / f"{name}.txt" for name in "abc"]
    for path, seed in zip(paths, (1, 1, 2), strict=True):
        write_recording(path, seed=seed, end=END, days=3)
    one, again, other = (path.read_bytes() for path in paths)
    assert one == again != other


def test_a_month_is_a_plausible_month(month: Recording) -> None:
    state = AccrualState.begin(month.header.begin, month.header.signals)
    fold(state, month.observations, month.header.end, Policy(silence_ms=month.header.silence_ms))
    registers = state.registers
    assert 150_000 < len(month.observations) < 350_000
    assert 100 * HOUR < registers["spindle_on"] < 200 * HOUR
    assert registers["spindle_on"] < registers["program_run"] < registers["power_on"] < 22 * 16 * HOUR
    assert 1e9 < registers["travel.X"] + registers["travel.Y"] + registers["travel.Z"] < 20e9  # 1 to 20 km
    assert registers["parts"] > 200
    assert min(len(spindle.cells) for spindle in state.spindles.values()) > 50


def test_its_counters_agree_with_the_agent_but_for_named_causes(month: Recording) -> None:
    state = AccrualState.begin(month.header.begin, month.header.signals)
    fold(state, month.observations, month.header.end, Policy(silence_ms=SILENCE_MS))
    for comparison in cross_check(state.registers).comparisons:
        assert abs(comparison.unexplained) < comparison.counter_ms // 500, comparison
        assert comparison.causes["gap"] > 0  # the line drops now and then


def test_nights_and_weekends_are_off(month: Recording) -> None:
    times = {seen.source_time for seen in month.observations[1:]}
    assert all(moment.weekday() < 5 and 4 <= moment.hour <= 20 for moment in times)


def test_the_machine_goes_on_from_where_the_recording_ends(month: Recording) -> None:
    begin, end = month.header.begin, month.header.end
    going_on = list(islice(live(seed=7, begin=begin, end=end), 2_000))
    assert going_on[0].source_time >= end  # a Saturday: the shop has no closing time any more
    assert going_on[-1].source_time < end + timedelta(hours=20)
    assert {"spindle.S1.speed", "execution"} <= {seen.signal for seen in going_on}
    assert list(recorded(seed=7, begin=begin, end=end)) == month.observations
