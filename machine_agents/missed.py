"""What a meter folds of a delivery that comes after a loss: where signals end, what history tells, where they go on."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from operator import itemgetter

from machine_agents.accrual_state import AccrualState, Value
from machine_agents.counting import is_serial
from machine_agents.delivery import Delivery, Known
from machine_agents.observation import HEARTBEAT, Observation
from machine_agents.shortfall import last_known, may_lose
from machine_agents.source_time import from_ms, from_us

_NONE: frozenset[str] = frozenset()
_NEXT = timedelta(microseconds=1)
"""So much later, values that a new subscription begins with are no repetition, also where the source's time stands
still or was set back; it is less than the registers count in."""
_LAST = ".as_axis"
"""A spindle that is used as an axis stays one until nothing is known of it: it did not start to turn in between."""


def known_of(state: AccrualState) -> Known:
    """What has been taken so far, folded or not yet."""
    last: dict[str, tuple[int, tuple[Value, ...]]] = dict(state.seen)
    for us, signal, value in sorted(state.pending, key=itemgetter(0)):
        at, values = last.get(signal, (us, ()))
        if us >= at:
            last[signal] = (us, (*(values if at == us else ()), value))
    return Known(last_known(state), {signal: (from_us(us), values) for signal, (us, values) in last.items()})


def after_loss(
    state: AccrualState, delivery: Delivery, first: datetime | None, *, begun: bool
) -> Sequence[Observation]:
    """The delivery's observations with what ends and fills the loss before them, if there was one.

    `first` is the first heartbeat of a fresh delivery; `begun`: it is the meter's very first, which lost nothing.
    """
    history = delivery.history
    told, joined = (history.told, history.joined) if history else (_NONE, _NONE)
    observations = delivery.observations
    if first is not None:
        begin = first if begun else max(first, last_known(state) + _NEXT)
        observations = _from(begin, observations, joined)
    # A new subscription may lack signals that the one before gave: what they said last holds no more.
    lost = frozenset(delivery.signals) | state.values.keys() if delivery.fresh else delivery.lost
    if begun or not (lost or history):
        return observations
    ends = sorted(may_lose(state, lost - told), key=lambda seen: seen.signal.endswith(_LAST))
    read = history.observations if history else ()
    for seen in read:
        if seen.value is None:  # from here on history tells no more of it: as lost as without one
            state.lost.setdefault(seen.signal, False)
    return [*ends, *read, *observations]


def first_heartbeat(observations: Iterable[Observation]) -> datetime | None:
    beats = [seen.value for seen in observations if seen.signal == HEARTBEAT and isinstance(seen.value, int)]
    return from_ms(min(beats)) if beats else None


def _from(first: datetime, observations: Sequence[Observation], joined: frozenset[str]) -> list[Observation]:
    """Values found on subscribing count from the first heartbeat: what was before was not seen.

    But where history leads up to them: these keep their times, and hold at the first heartbeat too.
    """
    moved = [
        seen if seen.signal in joined or seen.source_time >= first else replace(seen, source_time=first)
        for seen in observations
    ]
    held = {seen.signal: seen for seen in observations if seen.signal in joined and seen.source_time <= first}
    return _serials_first(first, [*moved, *(replace(seen, source_time=first) for seen in held.values())])


def _serials_first(first: datetime, observations: list[Observation]) -> list[Observation]:
    """Serial numbers before all else, so that counters are known to be another device's."""
    serials = [replace(seen, source_time=first) for seen in observations if is_serial(seen.signal)]
    return serials + [seen for seen in observations if not is_serial(seen.signal)] if serials else observations
