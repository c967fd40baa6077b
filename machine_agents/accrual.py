"""Accrual: observations folded into registers, exactly, whatever way they arrive in.

A value holds until the signal's next value; `None` ends it; nothing accrues while the source is not proven alive.
Observations are folded in the order of their source times up to the heartbeat's time, so that the result does not
depend on how they were batched, nor on a restart from the saved state in between.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from operator import itemgetter

from machine_agents.accrual_state import AccrualState, Pending, Value
from machine_agents.counting import ADJUSTED
from machine_agents.doubt import fold_in_doubt
from machine_agents.observation import HEARTBEAT, REPLAYED, Observation
from machine_agents.running import Policy
from machine_agents.shortfall import SHORT, find, forget_unlost, lose
from machine_agents.signals import bind, taker_of
from machine_agents.source_time import from_ms, to_us
from metering.period import Period
from metering.reading import Reason

__all__ = ["AccrualState", "Cut", "Policy", "fold", "snapshot"]


@dataclass(frozen=True, slots=True)
class Cut:
    """The registers at one moment, ready to become a reading.

    `spectrum` holds the cells changed since the cut or snapshot before, each with its cumulative ms. `gap` is the
    longest stretch since then in which the source was not proven alive. `reason` is DURING at quarter hours, EXCEPTION
    where a long gap begins to suppress cuts and where it ends, and at the moments of the cut plan what that says: BEGIN
    or END of `session`, or a change of tariff.
    """

    at: datetime
    registers: Mapping[str, int]
    spectrum: Mapping[tuple[str, int], int]
    gap: Period | None
    replayed: bool
    reason: Reason = Reason.DURING
    session: str | None = None


def fold(
    state: AccrualState,
    observations: Iterable[Observation],
    heartbeat: datetime | None,
    policy: Policy,
    *,
    doubted_ms: int = 0,
) -> list[Cut]:
    """Take in `observations`; fold all up to `heartbeat` (None: keep them for later) and return the cuts passed.

    Changes `state`. Cuts come in order of time. `heartbeat` and `replayed` signals among the observations are allowed:
    a `heartbeat` observation does not move the watermark, only the argument does. `doubted_ms`: so much of the source's
    time from the last watermark on has not passed (its clock was set forward): nothing accrues in it.
    """
    pending = state.pending
    _take_in(pending, observations)
    state.taken, state.notes, state.events = [], [], []
    if heartbeat is None:
        return []
    bind(state, policy)
    limit = to_us(heartbeat)
    pending.sort(key=itemgetter(0))
    ready = bisect_right(pending, limit, key=itemgetter(0))
    state.pending = pending[ready:]
    cuts: list[Cut] = []
    if doubted_ms or state.doubted_until:
        take = partial(_take, state, policy=policy, cuts=cuts)
        state.taken = fold_in_doubt(state, pending[:ready], limit, doubted_ms, take)
    else:
        state.taken = pending[:ready]
        for us, signal, value in state.taken:
            _take(state, us, signal, value, policy, cuts)
    now = limit // 1000
    forget_unlost(state)
    if now >= state.next_cut:
        _cut_until(state, now, policy, cuts)
    state.advance(now)
    if state.notes:
        state.taken = [*state.taken, *state.notes]
    return cuts


def snapshot(state: AccrualState, *, reason: Reason = Reason.DURING, session: str | None = None) -> Cut:
    """The registers as of the last watermark, for a first (BEGIN), interim or last reading.

    Changes `state`: the next cut's spectrum and gap hold what changed since this snapshot.
    """
    gap = state.gap()
    spectrum = {
        (name, key): spindle.cells[key] for name, spindle in state.spindles.items() for key in sorted(spindle.changed)
    }
    for spindle in state.spindles.values():
        spindle.changed.clear()
    state.longest_gap = None
    state.last_cut = state.settled
    period = Period(from_ms(gap[0]), from_ms(gap[1])) if gap else None
    return Cut(from_ms(state.settled), dict(state.registers), spectrum, period, state.replayed, reason, session)


def _take_in(pending: list[Pending], observations: Iterable[Observation]) -> None:
    """Values of one sampling mostly bear the same time: it is worked out once."""
    add = pending.append
    moment, us = None, 0
    for seen in observations:
        if seen.source_time is not moment:
            moment = seen.source_time
            us = to_us(moment)
        add((us, seen.signal, seen.value))


def _take(state: AccrualState, us: int, signal: str, value: Value, policy: Policy, cuts: list[Cut]) -> None:
    """Fold one observation, the next in order of source time."""
    now = at = us // 1000
    if now >= state.next_cut:  # first of all, so that nothing of this observation is in the cut
        _cut_until(state, now, policy, cuts)
    if signal not in state.takers:
        state.takers[signal] = taker_of(state, signal, policy)
    taker = state.takers[signal]
    if taker is None:
        _take_aside(state, signal, value)
        return
    if not _is_news(state, us, signal, value):
        return
    if now < state.settled:  # from before the watermark, or before the meter began: it counts from here on
        state.dropped["late"] += 1
        now = state.settled
    old = state.values.get(signal)
    if value is None:
        state.advance(now)
        if signal in state.lost:
            lose(state, signal)
    else:
        if state.lost.get(signal):
            find(state, signal, now)
        life_end = max(state.life_end, at + policy.silence_ms)
        if state.asleep_since is not None or now > state.life_end:
            _wake(state, now, life_end, cuts)
        state.life_end = life_end
    state.values[signal] = value
    taker(now, old, value)
    if (old is None) is not (value is None):
        _count_known(state, now, 1 if old is None else -1)


def _take_aside(state: AccrualState, signal: str, value: Value) -> None:
    """Signals that no register needs: the player's own, and such as nobody knows."""
    if signal == REPLAYED:
        state.replayed = value is True
    elif signal != HEARTBEAT and not signal.startswith((SHORT, ADJUSTED)):
        state.dropped["unmapped"] += 1


def _is_news(state: AccrualState, us: int, signal: str, value: Value) -> bool:
    """Whether the observation is neither a repetition nor older than what the signal said last."""
    last = state.seen.get(signal)
    if last is None or us > last[0]:
        state.seen[signal] = (us, (value,))
        return True
    if us < last[0]:
        state.dropped["stale"] += 1
        return False
    if value in last[1]:
        state.dropped["duplicate"] += 1
        return False
    state.seen[signal] = (us, (*last[1], value))
    return True


def _wake(state: AccrualState, now: int, life_end: int, cuts: list[Cut]) -> None:
    state.advance(now)
    if state.asleep_since is None or life_end <= now:
        return
    if state.suppressed:
        state.suppressed = False
        cuts.append(snapshot(state, reason=Reason.EXCEPTION))
    state.wake()


def _count_known(state: AccrualState, now: int, change: int) -> None:
    """A source of which no value is left is not alive, whatever the grace."""
    state.known += change
    if not state.known and state.asleep_since is None:
        state.settle(now)
        state.sleep()


def _cut_until(state: AccrualState, now: int, policy: Policy, cuts: list[Cut]) -> None:
    """Cut at each quarter hour up to `now`, within a long gap only where it has become long; and wherever planned."""
    while state.next_cut <= now:
        boundary = state.next_cut
        state.advance(boundary)
        if planned := state.pass_cut(boundary):
            cuts += [snapshot(state, reason=reason, session=session) for _, reason, session in planned]
        elif state.asleep_since is None or boundary - state.asleep_since < policy.long_gap_ms:
            cuts.append(snapshot(state))
        elif not state.suppressed:
            state.suppressed = True
            cuts.append(snapshot(state, reason=Reason.EXCEPTION))
