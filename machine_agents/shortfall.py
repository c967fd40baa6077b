"""Values that may have been lost: which registers they leave short, from when on, and until when.

A register that a lost signal feeds counts nothing though the source lives; `unknown.<its code>` counts that time.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

from machine_agents.accrual_state import AccrualState
from machine_agents.observation import ASIDE, Observation
from machine_agents.signal_codes import lossy_codes_of
from machine_agents.source_time import from_ms
from metering.ocmf_fields import MAX_REGISTERS

SHORT = "unknown."
"""Begins the code of a register of such time, and the signal by which the fold says since when it runs."""


def may_lose(state: AccrualState, signals: Iterable[str]) -> list[Observation]:
    """Values of `signals` may have been lost since the last moment that something is known of: fold these first.

    Each signal is unknown from then on, until its next value. That a recording is played back holds until it is denied.
    """
    named = sorted({*signals} - ASIDE)
    for signal in named:
        state.lost.setdefault(signal, False)
    ended = last_known(state)
    return [Observation(signal, None, ended) for signal in named]


def lose(state: AccrualState, signal: str) -> None:
    """From `settled` on it is not known what the registers of `signal` would have counted."""
    state.lost[signal] = True
    _tell_uncounted(state)


def find(state: AccrualState, signal: str, now: int) -> None:
    """From `now` on the signal is known again."""
    state.advance(now)
    del state.lost[signal]
    _tell_uncounted(state)


def forget_unlost(state: AccrualState) -> None:
    """Everything is folded: what did not become unknown was so already."""
    if state.lost and not state.pending:
        state.lost = {signal: True for signal, unknown in state.lost.items() if unknown}


def name_uncounted(state: AccrualState) -> None:
    """Find the registers `unknown.<code>` that run: one for each code that a lost signal feeds, while there is room.

    A code that sums up a counter's growth has no gap: the counter's next value holds what was missed.
    """
    for code in _wanted(state):
        if len(state.registers) < MAX_REGISTERS:
            state.registers.setdefault(code, 0)
    state.uncounted = short_codes(state)


def short_codes(state: AccrualState) -> tuple[str, ...]:
    """The registers `unknown.<code>` that run, as far as there was room for them; also before the first fold."""
    return tuple(code for code in _wanted(state) if code in state.registers)


def _wanted(state: AccrualState) -> list[str]:
    signals = [signal for signal, unknown in state.lost.items() if unknown]
    return sorted({SHORT + code for signal in signals for code in lossy_codes_of(signal)})


def _tell_uncounted(state: AccrualState) -> None:
    before = state.uncounted
    name_uncounted(state)
    for code in sorted({*before} ^ {*state.uncounted}):
        state.notes.append((state.settled * 1000, code, code in state.uncounted))


def last_known(state: AccrualState) -> datetime:
    """The last moment that something is known of: no value is newer, also within the watermark's millisecond."""
    latest = max([0, *(us for us, *_ in state.pending), *(us for us, _ in state.seen.values())])
    return max(state.folded_to, from_ms(latest // 1000) + timedelta(microseconds=latest % 1000))
