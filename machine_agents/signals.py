"""What each signal's new value changes: one small function per signal, bound once and then looked up by name."""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from machine_agents.accrual_state import AccrualState, Spindle, Value
from machine_agents.counter_policy import CounterMemory, is_counter, policy_of
from machine_agents.counters import ControlCounter
from machine_agents.counting import TakeCount, counters_of, is_serial, take_count
from machine_agents.running import Policy, classify, is_cutting_feed, refresh
from machine_agents.shortfall import name_uncounted
from machine_agents.signal_codes import codes_of

Taker: TypeAlias = Callable[[int, Value, Value], None]
"""Takes (now in ms, the signal's old value, its new value)."""


def bind(state: AccrualState, policy: Policy) -> None:
    """Make the state ready for folding under `policy`: derive what is not saved."""
    if state.policy == policy:
        return
    state.policy = policy
    state.takers = {}
    name_uncounted(state)
    state.known = sum(value is not None for value in state.values.values())
    for spindle in state.spindles.values():
        classify(spindle, policy)
    refresh(state, policy)


def taker_of(state: AccrualState, signal: str, policy: Policy) -> Taker | None:
    """The function that takes a new value of `signal`; None for a signal that no register needs."""
    if is_serial(signal):
        return partial(_on_serial, state, signal)
    if not codes_of(signal):
        return None
    for code in codes_of(signal):
        state.registers.setdefault(code, 0)
    name, _, rest = signal.partition(".")
    part, _, what = rest.partition(".")
    if name == "spindle":
        return partial(_on_spindle, state, policy, state.spindles.setdefault(part, Spindle()), what)
    if name == "axis":
        state.axes.setdefault(part, None)
        return partial(_on_position, state, part)
    if is_counter(signal):
        return _counting(state, signal, policy)
    if signal == "tool":
        return partial(_on_tool, state)
    return partial(_on_feed if signal == "feed" else _on_state, state, policy)


def number_of(value: Value) -> int | None:
    """The value of a signal that is a number; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _on_state(state: AccrualState, policy: Policy, now: int, old: Value, value: Value) -> None:
    if value == old:
        return
    state.settle(now)
    refresh(state, policy)


def _on_feed(state: AccrualState, policy: Policy, now: int, old: Value, value: Value) -> None:
    if is_cutting_feed(old, policy) is not is_cutting_feed(value, policy):
        state.settle(now)
        refresh(state, policy)


def _on_spindle(
    state: AccrualState, policy: Policy, spindle: Spindle, what: str, now: int, old: Value, value: Value
) -> None:
    """A spindle's speed, load, rotating or as_axis."""
    if value == old and value is not True and value is not False:  # 1 == True: which of them it is matters
        return
    before, turned, known = spindle.kind, spindle.turning, spindle.known
    if turned or what != "load":
        state.settle(now)
    _set(spindle, what, value)
    classify(spindle, policy)
    if spindle.turning and not turned and known:  # what was not seen at rest did not start
        state.registers["starts"] += 1
    if spindle.kind != before:
        refresh(state, policy)


def _set(spindle: Spindle, what: str, value: Value) -> None:
    if what == "speed":
        spindle.speed = number_of(value)
    elif what == "load":
        spindle.load = number_of(value)
    elif what == "rotating":
        spindle.rotating = value if isinstance(value, bool) else None
    else:
        spindle.as_axis = value is True


def _on_tool(state: AccrualState, now: int, old: Value, value: Value) -> None:
    """A change is counted between two tools both seen; what was put in during a silence was not."""
    if value is None or state.asleep_since is not None:
        state.tool = None
    tool = "" if value is None else str(value).strip()
    if tool.strip("0"):
        state.registers["tool_changes"] += state.tool is not None and state.tool != tool
        state.tool = tool


def _on_position(state: AccrualState, axis: str, now: int, old: Value, value: Value) -> None:
    base = state.axes[axis]
    position = number_of(value)
    state.axes[axis] = position if state.asleep_since is None else None
    if base is not None and position is not None:
        state.registers[f"travel.{axis}"] += abs(position - base)


def _counting(state: AccrualState, signal: str, policy: Policy) -> Taker:
    """A counter of the machine, by its policy; an increase of a time counter by its cause too."""
    one = policy_of(policy.counters, signal)
    take = partial(take_count, state, signal, state.totals.setdefault(signal, CounterMemory()), one)
    if signal in ("energy", "parts"):
        return partial(_on_total, state, signal, take)
    name = signal.partition(".")[2]
    return partial(_on_counter, state, state.counters.setdefault(name, ControlCounter(name)), state.seen_ms(name), take)


def _on_total(state: AccrualState, register: str, take: TakeCount, now: int, old: Value, value: Value) -> None:
    if (step := take(now, value)) is not None:
        state.registers[register] += step.counted


def _on_counter(
    state: AccrualState,
    counter: ControlCounter,
    seen: Callable[[str], int],
    take: TakeCount,
    now: int,
    old: Value,
    value: Value,
) -> None:
    if (step := take(now, value)) is None:
        return
    state.settle(now)
    if step.begun:
        counter.begin(seen)
    if step.counted:
        for cause, length in counter.explain(step.counted, seen, of_gap=step.of_gap).items():
            state.registers[f"counter.{counter.name}"] += length
            if cause != "own":
                state.registers[f"counter_beside.{counter.name}.{cause}"] += length


def _on_serial(state: AccrualState, signal: str, now: int, old: Value, value: Value) -> None:
    """Another serial number is another device: its counters begin anew with their next values."""
    serial = value.strip() if isinstance(value, str) else ""
    if not serial:
        return
    known, state.serials[signal] = state.serials.get(signal), serial
    if known is not None and known != serial:
        for counter in counters_of(signal, state.totals):
            state.totals[counter].replace()
