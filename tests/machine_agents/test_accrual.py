"""Registers by hand-worked cases: what accrues, what a silence does, what jumps are not counted."""

from datetime import UTC, datetime, timedelta

from machine_agents.accrual import AccrualState, Cut, Policy, fold, snapshot
from machine_agents.observation import Observation
from metering.period import Period
from metering.reading import Reason
from metering.spectrum import Cell

START = datetime(2026, 5, 4, 6, 0, tzinfo=UTC)
POLICY = Policy(silence_ms=60_000)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def told(*lines: tuple[float, str, int | str | bool | None]) -> list[Observation]:
    return [Observation(signal, value, at(seconds)) for seconds, signal, value in lines]


def beats(signal: str, value: int, *seconds: float) -> list[Observation]:
    """A value repeated as a sign of life."""
    return [Observation(signal, value, at(second)) for second in seconds]


def folded(seen: list[Observation], until: float, policy: Policy = POLICY) -> tuple[AccrualState, list[Cut]]:
    state = AccrualState.begin(START, {observation.signal for observation in seen})
    return state, fold(state, seen, at(until), policy)


def test_times_and_revolutions_of_a_short_program() -> None:
    state, _ = folded(
        told(
            (0, "power", True),
            (0, "mode", "automatic"),
            (0, "execution", "active"),
            (0, "feed", 0),
            (0, "spindle.S1.load", 300),
            (0, "spindle.S1.speed", 0),
            (10, "spindle.S1.speed", 3_000_000),
            (12, "feed", 4_000),
            (42, "feed", 400_000),
            (45, "spindle.S1.speed", 0),
            (50, "mode", "mdi"),
            (55, "execution", "interrupted"),
        ),
        until=60,
    )
    assert state.registers["power_on"] == 60_000
    assert state.registers["program_run"] == 55_000
    assert state.registers["auto_run"] == 50_000
    assert state.registers["cutting"] == 30_000
    assert state.registers["spindle_on"] == state.registers["spindle_on.S1"] == 35_000
    assert state.registers["revolutions.S1"] == 35 * 50 * 1000
    assert state.registers["starts"] == 1
    assert snapshot(state).spectrum == {("S1", Cell(3000, 30).key): 35_000}


def test_two_spindles_at_once_are_one_spindle_on() -> None:
    state, _ = folded(
        told(
            (0, "spindle.S1.speed", 0),
            (0, "spindle.S2.speed", 0),
            (10, "spindle.S1.speed", -1_000_000),
            (20, "spindle.S2.speed", 500_000),
            (30, "spindle.S1.speed", 0),
            (40, "spindle.S2.speed", 0),
        ),
        until=50,
    )
    registers = state.registers
    assert (registers["spindle_on.S1"], registers["spindle_on.S2"], registers["spindle_on"]) == (20_000, 20_000, 30_000)
    assert snapshot(state).spectrum == {}  # no load known: no cell


def test_a_spindle_frozen_for_weeks_counts_no_longer_than_the_grace() -> None:
    weeks = 14 * 86_400
    state, cuts = folded(told((0, "spindle.S1.speed", 3_000_000), (weeks, "spindle.S1.speed", 0)), until=weeks + 1)
    assert state.registers["spindle_on.S1"] == POLICY.silence_ms
    assert state.registers["unknown"] == weeks * 1000 - POLICY.silence_ms
    assert len(cuts) < 100  # no reading per quarter hour in a long gap
    assert [cut.reason for cut in cuts[-2:]] == [Reason.EXCEPTION, Reason.EXCEPTION]
    assert cuts[-1].at == at(weeks)
    assert cuts[-1].gap == Period(cuts[-2].at, at(weeks))


def test_unavailable_ends_a_value_and_the_last_one_ends_life() -> None:
    state, _ = folded(told((0, "power", True), (0, "feed", 1), (10, "feed", None), (20, "power", None)), until=30)
    assert state.registers["power_on"] == 20_000
    assert state.registers["unknown"] == 10_000


def test_a_jump_of_position_after_a_silence_is_no_travel() -> None:
    state, _ = folded(
        told(
            (0, "axis.X.position", 0),
            (1, "axis.X.position", 5_000),
            (2, "axis.X.position", -1_000),
            (3, "axis.X.position", None),
            (4, "axis.X.position", 90_000),
            (5, "axis.X.position", 91_000),
            (500, "axis.X.position", 800_000),
            (501, "axis.X.position", 800_500),
        ),
        until=502,
    )
    assert state.registers["travel.X"] == 5_000 + 6_000 + 1_000 + 500


def test_initial_values_older_than_the_begin_hold_but_prove_no_life() -> None:
    seen = told((-7_200, "power", True), (-7_200, "spindle.S1.speed", 3_000_000), (100, "feed", 0))
    state, _ = folded(seen, until=130)
    assert state.registers["spindle_on.S1"] == state.registers["power_on"] == 30_000
    assert state.registers["unknown"] == 100_000


def test_a_late_observation_takes_effect_at_the_watermark() -> None:
    state, _ = folded(told((0, "power", True), (0, "execution", "ready")), until=30)
    fold(state, told((20, "execution", "active")), at(40), POLICY)
    assert state.registers["program_run"] == 10_000
    assert state.dropped["late"] == 1


def test_a_part_counter_set_back_and_a_new_meter_lose_nothing() -> None:
    state, _ = folded(told((0, "parts", 98), (5, "parts", 100), (9, "parts", 0), (12, "parts", 1)), until=20)
    assert state.registers["parts"] == 3


def test_cuts_fall_on_quarter_hours_with_what_changed_and_the_longest_gap() -> None:
    seen = [*told((0, "spindle.S1.load", 100), (0, "spindle.S1.speed", 1_000_000), (0, "replayed", True))]
    seen += beats("feed", 0, *range(0, 1000, 30), *range(1200, 1900, 30))
    state, cuts = folded(seen, until=1900)
    assert [cut.at for cut in cuts] == [at(900), at(1800)]
    assert all(cut.replayed for cut in cuts)
    assert cuts[0].spectrum == {("S1", Cell(1000, 10).key): 900_000}
    assert cuts[0].gap is None
    assert cuts[1].gap == Period(at(990 + 60), at(1200))
    assert cuts[1].registers["spindle_on.S1"] == 1800_000 - 150_000
    assert state.folded_to == at(1900)


def test_without_a_heartbeat_nothing_is_folded() -> None:
    state = AccrualState.begin(START)
    assert fold(state, told((0, "power", True)), None, POLICY) == []
    assert fold(state, [], at(10), POLICY) == []
    assert state.registers["power_on"] == 10_000


def test_runtime_in_warm_up_maintenance_and_dry_run_is_not_billable_but_wears() -> None:
    state, _ = folded(
        told(
            (0, "spindle.S1.load", 300),
            (0, "spindle.S1.speed", 0),
            (0, "warm_up", True),
            (5, "spindle.S1.speed", 6_000_000),
            (15, "warm_up", False),
            (25, "operation_mode", "maintenance"),
            (30, "operation_mode", "processing"),
            (32, "dry_run", True),
            (40, "dry_run", False),
        ),
        until=45,
    )
    registers = state.registers
    assert (registers["warm_up"], registers["maintenance"], registers["dry_run"]) == (15_000, 5_000, 8_000)
    assert registers["spindle_on"] == 40_000
    assert registers["billable_spindle_on"] == registers["billable_spindle_on.S1"] == 40_000 - 10_000 - 5_000 - 8_000
    assert registers["cutting_load"] == 40_000
    assert registers["billable_cutting_load"] == 40_000 - 10_000 - 5_000 - 8_000
    assert snapshot(state).spectrum == {("S1", Cell(6000, 30).key): 40_000}


def test_rotating_counts_where_no_speed_is_known_and_an_axis_does_not_turn() -> None:
    state, _ = folded(
        told(
            (0, "spindle.S1.rotating", False),
            (10, "spindle.S1.rotating", True),
            (20, "spindle.S1.as_axis", True),
            (25, "spindle.S1.as_axis", False),
            (30, "spindle.S1.speed", 0),
            (40, "spindle.S1.speed", None),
            (45, "spindle.S1.rotating", False),
        ),
        until=50,
    )
    assert state.registers["spindle_on.S1"] == 10_000 + 5_000 + 5_000
    assert state.registers["starts"] == 3  # at 10 s, freed from being an axis, and by the flag when speed is gone


def test_a_program_occupies_the_machine_while_it_holds_it_within_the_limit() -> None:
    policy = Policy(silence_ms=1_000_000, hold_limit_ms=30_000)
    state, _ = folded(
        told(
            (0, "mode", "automatic"),
            (0, "spindle.S1.speed", 0),
            (0, "execution", "active"),
            (10, "spindle.S1.speed", 1_000_000),
            (20, "spindle.S1.speed", 0),
            (25, "execution", "interrupted"),
            (35, "execution", "stopped"),
            (200, "execution", "ready"),
            (210, "execution", "feed_hold"),
            (220, "power", False),
        ),
        until=230,
        policy=policy,
    )
    assert state.registers["occupied_idle"] == 10_000 + 5_000 + 30_000 + 10_000


def test_item_executing_needs_processing_and_only_another_tool_is_a_change() -> None:
    state, _ = folded(
        told(
            (0, "item_state", "executing"),
            (10, "operation_mode", "processing"),
            (30, "item_state", "not_executing"),
            (31, "tool", "5"),
            (32, "tool", "0"),
            (33, "tool", "5"),
            (34, "tool", "12"),
            (35, "tool", None),
            (36, "tool", "7"),
        ),
        until=40,
    )
    assert state.registers["item_executing"] == 20_000
    assert state.registers["tool_changes"] == 1
