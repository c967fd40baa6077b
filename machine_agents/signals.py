"""What each signal's new value changes: one small function per signal, bound once and then looked up by name."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from machine_agents.accrual_state import AccrualState, Spindle, Value
from machine_agents.counters import ControlCounter
from machine_agents.signal_codes import codes_of
from metering.spectrum import cell_key


@dataclass(frozen=True, slots=True)
class Policy:
    """Choices of the meter's owner; part of the agent's configuration.

    `silence_ms`: how long after a sign of life (an observation with a value, other than `heartbeat` and `replayed`)
    values still hold; choose it a little above the longest pause that the machine makes between two observations
    while its line is up. `long_gap_ms`: after so much silence no more cuts are made until the source speaks again.
    `cutting_feed_max_um_s`: path feed above it is a rapid move. `turning_above_mrpm`: a spindle turns above it.
    """

    silence_ms: int = 30_000
    long_gap_ms: int = 86_400_000
    cutting_feed_max_um_s: int = 20_000
    turning_above_mrpm: int = 0


Taker: TypeAlias = Callable[[int, Value, Value], None]
"""Takes (now in ms, the signal's old value, its new value)."""


def bind(state: AccrualState, policy: Policy) -> None:
    """Make the state ready for folding under `policy`: derive what is not saved."""
    if state.policy == policy:
        return
    state.policy = policy
    state.takers = {}
    state.known = sum(value is not None for value in state.values.values())
    for spindle in state.spindles.values():
        _classify(spindle, policy)
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
        take = _on_speed if what == "speed" else _on_load
        return partial(take, state, policy, state.spindles.setdefault(part, Spindle()))
    if name == "axis":
        state.axes.setdefault(part, None)
        return partial(_on_position, state, part)
    if name == "counter":
        counter = state.counters.setdefault(part, ControlCounter(part))
        return partial(_on_counter, state, counter, state.seen_ms(part))
    if signal in ("energy", "parts"):
        return partial(_on_total, state, signal)
    return partial(_on_feed if signal == "feed" else _on_state, state, policy)


def refresh(state: AccrualState, policy: Policy) -> None:
    """Decide which registers run with the values now in force."""
    values, registers = state.values, state.registers
    turning = [(name, spindle) for name, spindle in state.spindles.items() if spindle.turning]
    execution = values.get("execution")
    codes = [f"spindle_on.{name}" for name, _ in turning]
    if turning:
        codes.append("spindle_on")
    if values.get("power") is True:
        codes.append("power_on")
    if execution == "active":
        codes.append("program_run")
        if values.get("mode") == "automatic":
            codes.append("auto_run")
        if turning and _is_cutting_feed(values.get("feed"), policy):
            codes.append("cutting")
    state.running = tuple(code for code in codes if code in registers)
    state.holding = execution in ("interrupted", "feed_hold")
    state.turning = tuple((f"revolutions.{name}", spindle) for name, spindle in turning)


def _is_cutting_feed(feed: Value, policy: Policy) -> bool:
    return isinstance(feed, int) and 0 < feed <= policy.cutting_feed_max_um_s


def _on_state(state: AccrualState, policy: Policy, now: int, old: Value, value: Value) -> None:
    if value == old:
        return
    state.settle(now)
    refresh(state, policy)


def _on_feed(state: AccrualState, policy: Policy, now: int, old: Value, value: Value) -> None:
    if _is_cutting_feed(old, policy) is not _is_cutting_feed(value, policy):
        state.settle(now)
        refresh(state, policy)


def _on_speed(state: AccrualState, policy: Policy, spindle: Spindle, now: int, old: Value, value: Value) -> None:
    state.settle(now)
    spindle.speed = value if isinstance(value, int) else None
    was_turning = spindle.turning
    _classify(spindle, policy)
    if spindle.turning is not was_turning:
        if spindle.turning and old is not None:
            state.registers["starts"] += 1
        refresh(state, policy)


def _on_load(state: AccrualState, policy: Policy, spindle: Spindle, now: int, old: Value, value: Value) -> None:
    if spindle.turning:
        state.settle(now)
    spindle.load = value if isinstance(value, int) else None
    _classify(spindle, policy)


def _classify(spindle: Spindle, policy: Policy) -> None:
    speed, load = spindle.speed, spindle.load
    spindle.turning = speed is not None and abs(speed) > policy.turning_above_mrpm
    spindle.key = None if speed is None or load is None else cell_key(speed, load)


def _on_position(state: AccrualState, axis: str, now: int, old: Value, value: Value) -> None:
    base = state.axes[axis]
    position = value if isinstance(value, int) else None
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
