"""Which registers run while the values in force stay as they are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from machine_agents.accrual_state import FOR_EVER, AccrualState, Spindle, Value
from machine_agents.counter_policy import CounterPolicy
from metering.register import billable_twin
from metering.spectrum import cell_key

_HELD = ("interrupted", "feed_hold")


@dataclass(frozen=True, slots=True)
class Policy:
    """Choices of the meter's owner; part of the agent's configuration.

    `silence_ms`: how long after a sign of life (an observation with a value, other than `heartbeat` and `replayed`)
    values still hold; choose it a little above the longest pause that the machine makes between two observations
    while its line is up. `long_gap_ms`: after so much silence no more cuts are made until the source speaks again.
    `cutting_feed_max_um_s`: path feed above it is a rapid move. `cutting_load_above_permille`: a spindle whose load
    (1/1000 of rated) is above it cuts. `turning_above_mrpm`: a spindle turns above it. `hold_limit_ms`: how long a
    program that is held or stopped still occupies the machine. `counters`: of which counter unusual steps mean what, by
    signal; from the profile.
    """

    silence_ms: int = 30_000
    long_gap_ms: int = 86_400_000
    cutting_feed_max_um_s: int = 20_000
    cutting_load_above_permille: int = 100
    turning_above_mrpm: int = 0
    hold_limit_ms: int = 3_600_000
    counters: Mapping[str, CounterPolicy] = field(default_factory=dict)


def refresh(state: AccrualState, policy: Policy) -> None:
    """Decide what runs from `state.settled` on; everything before is settled."""
    turning = [(name, spindle) for name, spindle in state.spindles.items() if spindle.turning]
    execution = state.values.get("execution")
    state.holding = execution in _HELD
    state.turning = tuple((f"revolutions.{name}", one) for name, one in turning if one.speed is not None)
    state.running = _present(state, [*_by_state(state), *_by_spindle(state, turning, policy)])
    _hold(state, held=state.holding or (execution == "stopped" and state.values.get("mode") == "automatic"))
    state.idle_until = _idle_until(state, policy)
    state.idling = _present(state, ["occupied_idle"] if state.idle_until else [])


def classify(spindle: Spindle, policy: Policy) -> None:
    """Whether the spindle turns, cuts by its load, and in which cell of the spectrum it is."""
    speed, load = spindle.speed, spindle.load
    by_speed = spindle.rotating is True if speed is None else abs(speed) > policy.turning_above_mrpm
    spindle.turning = by_speed and not spindle.as_axis
    spindle.loaded = load is not None and abs(load) > policy.cutting_load_above_permille
    spindle.key = None if speed is None or load is None else cell_key(speed, load)


def is_cutting_feed(feed: Value, policy: Policy) -> bool:
    """Whether the path feed is one at which material is cut."""
    return isinstance(feed, int) and 0 < feed <= policy.cutting_feed_max_um_s


def _by_state(state: AccrualState) -> Iterable[str]:
    values = state.values
    if values.get("power") is True:
        yield "power_on"
    if values.get("execution") == "active":
        yield "program_run"
        if values.get("mode") == "automatic":
            yield "auto_run"
    if values.get("item_state") == "executing" and values.get("operation_mode") == "processing":
        yield "item_executing"
    for flag in ("warm_up", "dry_run"):
        if values.get(flag) is True:
            yield flag
    if values.get("operation_mode") == "maintenance":
        yield "maintenance"


def _by_spindle(state: AccrualState, turning: list[tuple[str, Spindle]], policy: Policy) -> Iterable[str]:
    if not turning:
        return
    yield "spindle_on"
    for name, _ in turning:
        yield f"spindle_on.{name}"
    values = state.values
    if values.get("execution") == "active" and is_cutting_feed(values.get("feed"), policy):
        yield "cutting"
    if any(spindle.loaded for _, spindle in turning):
        yield "cutting_load"


def _present(state: AccrualState, codes: list[str]) -> tuple[str, ...]:
    """Those of `codes` that the meter has, each with its billable twin unless nothing is charged now."""
    values = state.values
    exempt = (
        values.get("warm_up") is True or values.get("dry_run") is True or values.get("operation_mode") == "maintenance"
    )
    twins = [] if exempt else [twin for code in codes if (twin := billable_twin(code))]
    return tuple(code for code in (*codes, *twins) if code in state.registers)


def _hold(state: AccrualState, *, held: bool) -> None:
    if not held:
        state.held_since = None
    elif state.held_since is None:
        state.held_since = state.settled


def _idle_until(state: AccrualState, policy: Policy) -> int:
    """Until when a program keeps the machine from others while no spindle turns; 0: none does.

    A machine of which no spindle is known could be cutting whenever its program runs.
    """
    turning = any(spindle.turning for spindle in state.spindles.values())
    if turning or state.values.get("power") is False:
        return 0
    if state.values.get("execution") == "active":
        return FOR_EVER if any(spindle.known for spindle in state.spindles.values()) else 0
    return 0 if state.held_since is None else state.held_since + policy.hold_limit_ms
