"""Time of the source that has not passed, because its clock was set forward: nothing is known of it."""

from collections.abc import Callable, Iterable
from typing import TypeAlias

from machine_agents.accrual_state import AccrualState, Pending, Value
from machine_agents.observation import ASIDE

Take: TypeAlias = Callable[[int, str, Value], None]
"""Folds one observation: source time in microseconds, signal, value."""


def fold_in_doubt(
    state: AccrualState, ready: Iterable[Pending], limit_us: int, doubted_ms: int, take: Take
) -> list[Pending]:
    """Fold `ready`, of which the first `doubted_ms` have not passed: in them every signal is unknown, at their end as
    it then is.

    What was taken says so by itself, so that whoever folds it again needs to know of no doubt.
    """
    taken: list[Pending] = []

    def take_down(us: int, signal: str, value: Value) -> None:
        taken.append((us, signal, value))
        take(us, signal, value)

    if doubted_ms and not state.doubted_until:
        _begin(state, take_down)
    state.doubted_until += doubted_ms
    for us, signal, value in ready:
        if state.doubted_until and us >= state.doubted_until * 1000:
            _end(state, take_down)
        if state.doubted_until and signal not in ASIDE:
            state.held[signal] = value
        else:
            take_down(us, signal, value)
    if state.doubted_until and limit_us >= state.doubted_until * 1000:
        _end(state, take_down)
    return taken


def _begin(state: AccrualState, take: Take) -> None:
    state.doubted_until = state.settled
    awake = state.asleep_since is None  # who is silent is not brought to life by what was said before
    state.held = {signal: value for signal, value in state.values.items() if awake and value is not None}
    for signal in state.held:
        take(max(state.settled * 1000, state.seen[signal][0]), signal, None)


def _end(state: AccrualState, take: Take) -> None:
    until, state.doubted_until = state.doubted_until * 1000, 0
    held, state.held = state.held, {}
    for signal, value in held.items():
        take(until, signal, value)
