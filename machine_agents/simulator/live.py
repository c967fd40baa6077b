"""Going on after the recording: the seeded model at real pace, on the recording's own clock."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import chain

from machine_agents import model
from machine_agents.observation import REPLAYED, Observation
from machine_agents.recording import Recording
from machine_agents.simulator.chunks import heartbeat
from machine_agents.simulator.machine import Machine, Value
from machine_agents.simulator.service import Subscriptions
from machine_agents.simulator.values import ticks

_TICK_SECONDS = 0.2
_WARM_UP = timedelta(days=3)
_CUMULATIVE = ("counter.", "axis.", "energy", "parts")


def continuation(recording: Recording, *, seed: int) -> Iterator[Observation]:
    """What follows a recording: for our own its model's very next observations, else a model of the same signals.

    With a foreign recording counters and positions go on from where they stood: no step that anybody could bill.
    """
    header = recording.header
    if header.own:
        return model.live(seed=seed, begin=header.begin, end=header.end)
    begin = header.end - _WARM_UP
    in_force = {seen.signal: seen.value for seen in model.recorded(seed=seed, begin=begin, end=header.end)}
    first = (Observation(signal, value, header.end) for signal, value in in_force.items())
    stood = {seen.signal: seen.value for seen in recording.observations if seen.value is not None}
    return _joined(chain(first, model.live(seed=seed, begin=begin, end=header.end)), stood)


def _joined(observations: Iterable[Observation], stood: Mapping[str, Value]) -> Iterator[Observation]:
    offsets: dict[str, int] = {}
    for seen in observations:
        value = seen.value
        if isinstance(value, int) and seen.signal.startswith(_CUMULATIVE):
            if seen.signal not in offsets:
                offsets[seen.signal] = int(stood.get(seen.signal) or 0) - value
            value += offsets[seen.signal]
        yield Observation(seen.signal, value, seen.source_time)


async def go_live(
    machine: Machine,
    subscriptions: Subscriptions,
    observations: Iterator[Observation],
    *,
    replayed: bool,
    began: datetime,
    recorded_now: Callable[[], datetime],
    beat: Callable[[datetime], None],
) -> None:
    """Write what has become due, with a heartbeat each second, for ever; `beat` is told of each heartbeat.

    `recorded_now` is the recording's clock. A subscriber that is away loses what exceeds its queue, as with a machine.
    """
    machine.write(REPLAYED, replayed, ticks(began))
    next_beat = began
    upcoming = next(observations)
    while True:
        now = recorded_now()
        while upcoming.source_time <= now:
            machine.write(upcoming.signal, upcoming.value, ticks(upcoming.source_time))
            upcoming = next(observations)
        if now >= next_beat:
            seen = heartbeat(now)
            machine.write(seen.signal, seen.value, ticks(seen.source_time))
            beat(now)
            next_beat = now + timedelta(seconds=1)
            for subscription in list(subscriptions.subscriptions.values()):
                await subscription.push()
        await asyncio.sleep(_TICK_SECONDS)
