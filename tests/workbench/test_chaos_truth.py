"""What a fault run is held against: plans and truth come of the seed alone, and the judgement sees what is wrong."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

import pytest

from machine_agents.source_time import from_ms
from metering.interval import Step
from metering.period import Period
from metering.reading import Reading, Reason, Status, TimeQuality
from metering.usage import quarter_hours
from workbench.chaos import damage, database, journal
from workbench.chaos.journal import Journal
from workbench.chaos.oracle import Verdict, judge, once
from workbench.chaos.plan import plan
from workbench.chaos.planned import AGENT, OPCUA, PROGRAMS
from workbench.chaos.truth import START_MS, TICK_MS, TICKS_A_QUARTER, Stretch, Truth, known

SEED = 5
TICKS = 3 * TICKS_A_QUARTER
QUARTER_MS = TICK_MS * TICKS_A_QUARTER
CODES = ("power_on", "billable_power_on", "spindle_on", "cutting", "revolutions.S1", "travel.X", "starts")
_SECOND = START_MS + QUARTER_MS
GAP = (_SECOND + 3 * TICK_MS, _SECOND + 5 * TICK_MS)
LOSS = (_SECOND + 2 * TICK_MS, _SECOND + 6 * TICK_MS)


def test_a_seed_always_makes_the_same_plan_and_another_seed_another() -> None:
    assert list(plan(17).lines()) == list(plan(17).lines())
    assert plan(17) == plan(17)
    assert len({tuple(plan(seed).lines()) for seed in range(200)}) == 200


def test_the_plans_of_two_hundred_seeds_hold_every_kind_of_fault() -> None:
    plans = [plan(seed) for seed in range(1, 201)]
    moments = {f"{one.what} {one.target}" for each in plans for one in each.moments}
    assert {f"{what} opcua" for what in ("cut", "reset", "stall", "half-open", "delay")} <= moments
    assert {"kill agent", "kill service", "restart machine"} <= moments
    assert {f"freeze {program}" for program in PROGRAMS} <= moments
    assert {f"{what} spool" for what in damage.KINDS} | {f"{what} database" for what in database.KINDS} <= moments
    assert any(one.target == OPCUA and one.length_ms > 2_000 for each in plans for one in each.moments)
    uploads = {one.what for each in plans for one in each.uploads}
    assert {
        "duplicate",
        "duplicate at once",
        "reorder",
        "delay",
        "stall",
        "half-open",
        "cut inside",
        "delay answer",
    } <= uploads
    actions = {rule.action for each in plans for life in each.lives[AGENT] for rule in life.rules}
    assert actions == {"kill", "enospc", "eio", "erofs", "delay", "clock"}
    assert all(life.rules[0].action == "kill" for each in plans for life in each.lives[AGENT])


def test_the_truth_is_what_the_machines_states_add_up_to() -> None:
    """A second count, millisecond sums aside: state by state over the frames, and by halves against the whole."""
    truth = Truth(SEED, TICKS)
    whole = truth.counted([(START_MS, truth.end)])
    frames = truth.frames
    pairs = list(pairwise(frames))
    assert whole["power_on"] == sum(later.at - one.at for one, later in pairs if one.state.power)
    assert whole["travel.X"] == sum(abs(later.state.position - one.state.position) for one, later in pairs)
    assert whole["starts"] == sum(not one.state.speed and bool(later.state.speed) for one, later in pairs)
    revolutions = sum(abs(one.state.speed) * (later.at - one.at) for one, later in pairs)
    assert (whole["revolutions.S1"], revolutions % 60_000) == (revolutions // 60_000, 0)
    middle = START_MS + QUARTER_MS
    assert truth.counted([(START_MS, middle)]) + truth.counted([(middle, truth.end)]) == +whole
    assert sum(truth.spectrum([(START_MS, truth.end)]).values()) == whole["spindle_on"] > 0


def test_what_happens_across_a_gap_is_not_counted() -> None:
    truth = Truth(SEED, TICKS)
    change = next(
        later
        for one, later in zip(truth.frames, truth.frames[1:], strict=False)
        if later.state.position != one.state.position
    )
    outside = [(START_MS, change.at - 1), (change.at + 1, truth.end)]
    whole, seen = truth.counted([(START_MS, truth.end)]), truth.counted(outside)
    assert seen["travel.X"] == whole["travel.X"] - abs(change.state.position - truth.before(change.at).state.position)
    assert known((0, 10), [(2, 3), (9, 12)]) == [(0, 2), (3, 9)]
    assert known((0, 10), [(0, 10)]) == []


def test_a_loss_is_from_what_was_acknowledged_to_what_was_seen_next() -> None:
    lines = ["boot 0", "born 1 0", "acked 1 100", "acked 1 250", "boot 700", "born 1 700", "born 2 800", "acked 2 900"]
    found = journal.parse([*lines, "dropped 2 1000 1300", "acked 2 1400"])
    assert (found.losses, found.boots, found.overflows) == (((250, 800), (1000, 1300)), 2, 1)
    assert found.explains((300, 800))
    assert found.explains((1000, 1300))
    assert not found.explains((240, 800))
    assert not found.explains((300, 1100))


def test_an_agent_that_gives_up_a_subscription_by_itself_has_no_loss_to_show() -> None:
    found = journal.parse(["boot 0", "born 1 0", "acked 1 100", "born 2 200", "acked 2 300"])
    assert found.losses == ()


def test_a_damaged_file_is_a_loss_from_the_services_last_reading_to_what_the_next_subscription_brought() -> None:
    before = ["boot 0", "born 1 0", "acked 1 100", "damaged 50"]
    found = journal.parse([*before, "born 2 300", "acked 2 400"])
    assert (found.losses, found.anew) == (((50, 300),), ())
    assert journal.parse([*before, "recovered", "born 2 300", "acked 2 400"]).anew == ((50, 300),)
    # The same subscription goes on; and one that was made before somebody had put the file right counts for nothing.
    assert journal.parse([*before, "acked 1 700"], [0, 100, 170, 700]).losses == ((50, 170),)
    found = journal.parse([*before, "born 2 300", "acked 2 400", "recovered", "born 3 600", "acked 3 700"])
    assert (found.losses, found.anew) == (((50, 600),), ((50, 600),))


def test_after_a_file_was_replaced_the_machines_own_counters_go_on_from_what_they_show_then() -> None:
    life, gap = Life(gap=(_SECOND, GAP[1])), (_SECOND, GAP[1])
    then, told = Truth(SEED, TICKS).at(gap[1]).state, Truth(SEED, TICKS).before(_SECOND).state
    assert then.energy > told.energy
    assert faults_of(life, losses=(gap,)) == []
    life.forgotten = {"energy": then.energy - told.energy, "parts": then.parts - told.parts}
    assert any("energy" in fault for fault in faults_of(life, losses=(gap,)))
    assert faults_of(life, losses=(gap,), anew=(gap,)) == []


def test_a_meter_that_counts_right_is_found_right() -> None:
    assert faults_of(Life()) == []
    assert faults_of(Life(gap=GAP), losses=(LOSS,)) == []


def test_a_gap_that_no_loss_explains_is_a_fault() -> None:
    (fault,) = faults_of(Life(gap=GAP))
    assert "nothing was lost there" in fault


@pytest.mark.parametrize("code", ["power_on", "billable_power_on", "travel.X", "starts", "energy", "parts", "unknown"])
@pytest.mark.parametrize("gap", [None, GAP])
def test_a_single_unit_more_or_less_is_a_fault(code: str, gap: Stretch | None) -> None:
    life = Life(gap=gap)
    life.add = {code: 1}
    assert faults_of(life, losses=(LOSS,))


def test_what_lies_in_a_gap_may_not_be_counted() -> None:
    life = Life(gap=GAP, counts_in_gap=True)
    assert any("power_on" in fault for fault in faults_of(life, losses=(LOSS,)))


def test_several_gaps_between_two_readings_are_held_to_what_is_possible() -> None:
    truth, life = Truth(SEED, TICKS), Life(gap=GAP)
    life.add = {"unknown": 1}
    found = Verdict()
    judge(life.steps(truth), quarter_hours(life.readings(truth), meter="m"), truth, Journal((LOSS,), 1, 0), found)
    assert found.unplaced == 1
    assert any("is more than" in fault for fault in found.faults)


def test_what_the_machines_counters_showed_last_is_not_known_after_several_gaps_until_it_is_seen_again() -> None:
    truth, life = Truth(SEED, TICKS), Life(gap=GAP)
    life.add = {"unknown": 1, "energy": -5}  # a second gap, in which the energy was last seen
    *steps, last = life.steps(truth)
    whole = Period(from_ms(START_MS + 2 * QUARTER_MS), from_ms(truth.end))
    before = steps[-1].reading.registers
    unseen = replace(last.reading, gap=whole, registers={**before, "unknown": before["unknown"] + QUARTER_MS})
    found = Verdict()
    losses = (LOSS, (START_MS + 2 * QUARTER_MS, truth.end))
    judge([*steps, Step(unseen, {})], [], truth, Journal(losses, 1, 0), found)
    assert [fault for fault in found.faults if "reading 4" in fault] == []


def test_a_reading_that_is_missing_or_there_twice_is_a_fault() -> None:
    truth = Truth(SEED, TICKS)
    steps, usage = Life().steps(truth), quarter_hours(Life().readings(truth), meter="m")
    for wrong in (steps[:2] + steps[3:], [*steps[:2], steps[1], *steps[2:]], steps[:-1]):
        found = Verdict()
        judge(wrong, usage, truth, Journal((), 1, 0), found)
        assert found.faults


def test_usage_that_is_not_what_the_readings_grew_is_a_fault() -> None:
    truth = Truth(SEED, TICKS)
    steps, usage = Life().steps(truth), quarter_hours(Life().readings(truth), meter="m")
    off = replace(usage[1], deltas={**usage[1].deltas, "power_on": usage[1].deltas["power_on"] + 1})
    for wrong in (usage[1:], [*usage, usage[0]], [usage[0], off, *usage[2:]]):
        found = Verdict()
        judge(steps, wrong, truth, Journal((), 1, 0), found)
        assert found.faults


def test_every_sealed_record_has_to_be_stored_once_and_in_order() -> None:
    for stored in (["a", "b"], ["a", "b", "b", "c"], ["a", "c", "b"], ["a", "b", "c", "d"]):
        found = Verdict()
        once(["a", "b", "c"], stored, found)
        assert found.faults
    right = Verdict()
    once(["a", "b", "c"], ["a", "b", "c"], right)
    assert right.faults == []


def test_what_a_damaged_file_held_is_stored_once_or_lost_and_nothing_else_is_stored() -> None:
    for stored in (["a", "c", "d"], ["a", "b", "c", "d"], ["c", "d"]):
        found = Verdict()
        once(["c", "d"], stored, found, before=["a", "b", "x"])
        assert found.faults == []
    for stored in (["a", "y", "c", "d"], ["a", "a", "c", "d"], ["a", "d", "c"], ["a", "c"]):
        found = Verdict()
        once(["c", "d"], stored, found, before=["a", "b", "x"])
        assert found.faults


@dataclass
class Life:
    """What a meter says of the whole life of the machine, a reading a quarter hour. `add`: what it says too much at the
    end of the second quarter hour. `forgotten`: what of the machine's own counters it does not know from the gap on."""

    gap: Stretch | None = None
    counts_in_gap: bool = False
    forgotten: dict[str, int] = field(default_factory=dict)
    add: dict[str, int] = field(default_factory=dict)

    def pieces(self, number: int) -> list[Stretch]:
        """The known time before reading `number`."""
        end = START_MS + (number - 1) * QUARTER_MS
        return known((end - QUARTER_MS, end), self.gaps(number))

    def gaps(self, number: int) -> list[Stretch]:
        begin = START_MS + (number - 2) * QUARTER_MS
        return [self.gap] if self.gap and begin <= self.gap[0] < begin + QUARTER_MS else []

    def readings(self, truth: Truth) -> list[Reading]:
        total: Counter[str] = Counter(dict.fromkeys(CODES, 0))
        made = [_reading(1, total, None)]
        for number in range(2, 2 + TICKS // TICKS_A_QUARTER):
            end, gaps = START_MS + (number - 1) * QUARTER_MS, self.gaps(number)
            pieces = [(end - QUARTER_MS, end)] if self.counts_in_gap else self.pieces(number)
            grown = truth.counted(pieces)
            total.update({code: grown[code.removeprefix("billable_")] for code in CODES})
            total["unknown"] += sum(until - begin for begin, until in gaps)
            state = truth.before(end).state
            total["energy"], total["parts"] = state.energy, state.parts
            total.subtract(self.forgotten if number >= 3 else {})
            total.update(self.add if number == 3 else {})
            made.append(_reading(number, total, gaps[0] if gaps else None))
        return made

    def steps(self, truth: Truth) -> list[Step]:
        made = self.readings(truth)
        return [Step(made[0], {}), *(Step(one, truth.spectrum(self.pieces(one.sequence))) for one in made[1:])]


def _reading(number: int, registers: Mapping[str, int], gap: Stretch | None) -> Reading:
    return Reading(
        sequence=number,
        device_time=from_ms(START_MS + (number - 1) * QUARTER_MS),
        time_quality=TimeQuality.INFORMATIVE,
        reason=Reason.BEGIN if number == 1 else Reason.DURING,
        status=Status.GOOD,
        registers=dict(registers),
        gap=Period(from_ms(gap[0]), from_ms(gap[1])) if gap else None,
    )


def faults_of(life: Life, losses: tuple[Stretch, ...] = (), anew: tuple[Stretch, ...] = ()) -> list[str]:
    truth, found = Truth(SEED, TICKS), Verdict()
    usage = quarter_hours(life.readings(truth), meter="m")
    judge(life.steps(truth), usage, truth, Journal(losses, 1, 0, anew), found)
    return found.faults
