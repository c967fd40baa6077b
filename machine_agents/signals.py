"""What each signal's new value changes: one small function per signal, bound once and then looked up by name."""

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from machine_agents.accrual_state import AccrualState, Spindle, Value
from machine_agents.counters import ControlCounter
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
    if name == "counter":
        counter = state.counters.setdefault(part, ControlCounter(part))
        return partial(_on_counter, state, counter, state.seen_ms(part))
    if signal in ("energy", "parts"):
        return partial(_on_total, state, signal)
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


def _on_total(state: AccrualState, register: str, now: int, old: Value, value: Value) -> None:
    """A counter that only grows; a step back is a reset and adds nothing."""
    if isinstance(value, int):
        state.registers[register] += max(value - state.bases.get(register, value), 0)
        state.bases[register] = value


def _on_counter(
    state: AccrualState, counter: ControlCounter, seen: Callable[[str], int], now: int, old: Value, value: Value
) -> None:
    if not isinstance(value, int):
        counter.interrupted()
        return
    state.settle(now)
    for cause, length in counter.increase(value, seen).items():
        state.registers[f"counter.{counter.name}"] += length
        if cause != "own":
            state.registers[f"counter_beside.{counter.name}.{cause}"] += length
    if state.asleep_since is not None:
        counter.interrupted()
