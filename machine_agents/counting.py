"""Counters of the machine while they are folded: each new value by its policy, and what was unusual by name."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from machine_agents.accrual_state import AccrualState, Value
from machine_agents.counter_policy import CounterMemory, CounterPolicy, Event, Step
from machine_agents.source_time import from_ms
from metering.ocmf_fields import MAX_REGISTERS

ADJUSTED = "adjusted."
"""Begins the signal by which the fold says how much more, or less, a counter's step counted than it grew by."""
EVENT = "counter_event"
"""The register of a counter's unusual steps, by counter and event."""
SERIAL = "serial"
"""The serial number of the control; `serial.energy`, `serial.parts`, `serial.auto`: of that counter's own device."""


@dataclass(frozen=True, slots=True)
class CounterEvent:
    """An unusual step of a counter: from `before` to `after`, of which `counted` counts."""

    at: datetime
    signal: str
    event: Event
    before: int | None
    after: int
    counted: int


class TakeCount(Protocol):
    """Takes a counter's new value; what it counts for, or None for a value that is no number."""

    def __call__(self, now: int, value: Value) -> Step | None: ...


def take_count(
    state: AccrualState, signal: str, memory: CounterMemory, policy: CounterPolicy, now: int, value: Value
) -> Step | None:
    """Judge a counter's new value; note its events in the registers and for whoever asks."""
    if isinstance(value, bool) or not isinstance(value, int):
        memory.interrupted()
        return None
    before = memory.last
    step = memory.take(value, now, policy)
    if step.counted != step.plain:
        state.notes.append((now * 1000, ADJUSTED + signal, step.counted - step.plain))
    for event in step.events:
        state.events.append(CounterEvent(from_ms(now), signal, event, before, value, step.counted))
        code = f"{EVENT}.{part_of(signal)}.{event}"
        if code in state.registers or len(state.registers) < MAX_REGISTERS:
            state.registers[code] = state.registers.get(code, 0) + 1
    if state.asleep_since is not None:
        memory.interrupted()
    return step


def part_of(signal: str) -> str:
    """The counter's own name: `energy`, `parts`, `auto`."""
    return signal.removeprefix("counter.")


def is_serial(signal: str) -> bool:
    return signal == SERIAL or (signal.startswith(f"{SERIAL}.") and signal.count(".") == 1)


def counters_of(serial: str, counters: Iterable[str]) -> Iterator[str]:
    """Those of `counters` that a serial number's device keeps."""
    own = serial.partition(".")[2]
    return (one for one in counters if own in ("", part_of(one)))
