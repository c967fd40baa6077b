"""What the machine of a fault run does, by the seed alone, and what a meter beside it must have counted.

Worked out from the machine's own states, without a line of the agent's accrual: it is what the registers are held
against. Every figure is an exact integer in the register's smallest unit.
"""

import random
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from metering.spectrum import cell_key

TICK_MS = 75_000
"""Machine time between two ticks: twelve make a quarter hour."""
TICKS_A_QUARTER = 12
_START = datetime(2026, 3, 2, 8, tzinfo=UTC)
START_MS = int(_START.timestamp()) * 1000
_MREV_DIVISOR = 60_000  # 1/1000 per minute x ms -> 1/1000 rev
_RAPID_UM_S, _CUTTING_PERMILLE = 20_000, 100
# Whole multiples of 60/min and of what the nodes' units hold exactly, so that no figure has a remainder.
_SPEEDS_MRPM = (0, 600_000, 1_200_000, 3_000_000, 6_000_000, -1_200_000)
_LOADS_PERMILLE = (0, 50, 150, 400, 800)
_FEEDS_UM_S = (0, 600, 5_000, 30_000)
_PROGRAM = ("active", "active", "active", "ready", "stopped")

Stretch = tuple[int, int]
"""From and to, in milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class State:
    """What the machine shows: mrpm, permille, um/s, um, mWh and pieces."""

    power: bool = True
    execution: str = "ready"
    feed: int = 0
    speed: int = 0
    load: int = 0
    position: int = 0
    energy: int = 0
    parts: int = 0

    def signals(self, at: int) -> dict[str, int | str | bool]:
        """As an agent's signals; everything up to `at` (ms) has been said."""
        return {
            "replayed": True,
            "power": self.power,
            "execution": self.execution,
            "feed": self.feed,
            "spindle.S1.speed": self.speed,
            "spindle.S1.load": self.load,
            "axis.X.position": self.position,
            "energy": self.energy,
            "parts": self.parts,
            "heartbeat": at,
        }


@dataclass(frozen=True, slots=True)
class Frame:
    """A moment at which the machine says all its values; they hold until the next."""

    at: int
    state: State


def frames(seed: int, ticks: int) -> list[Frame]:
    """The machine's life: a frame at each tick, and one at each change, which never falls on a tick."""
    chance = random.Random(f"machine {seed}")
    made = [Frame(START_MS, State())]
    for tick in range(1, ticks + 1):
        begin = START_MS + (tick - 1) * TICK_MS
        changes = sorted(chance.sample(range(1, TICK_MS), chance.choice((0, 1, 1, 2))))
        for offset in changes:
            made.append(Frame(begin + offset, _changed(_grown(made[-1].state, chance), chance)))
        made.append(Frame(begin + TICK_MS, _grown(made[-1].state, chance)))
    return made


def _grown(state: State, chance: random.Random) -> State:
    return replace(state, energy=state.energy + chance.randrange(50_000))


def _changed(state: State, chance: random.Random) -> State:
    moved: dict[str, Any] = {
        "execution": chance.choice(_PROGRAM),
        "feed": chance.choice(_FEEDS_UM_S),
        "speed": chance.choice(_SPEEDS_MRPM),
        "load": chance.choice(_LOADS_PERMILLE),
        "position": chance.randrange(-400_000, 400_000),
        "parts": state.parts + 1,
        "power": chance.random() < 0.9,
    }
    names = chance.sample(sorted(moved), chance.randint(1, 4))
    return replace(state, **{name: moved[name] for name in names})


def _turns(state: State) -> bool:
    return state.speed != 0


RUNNING: Mapping[str, Callable[[State], bool]] = {
    "power_on": lambda state: state.power,
    "program_run": lambda state: state.execution == "active",
    "occupied_idle": lambda state: state.power and state.execution == "active" and not _turns(state),
    "spindle_on": _turns,
    "spindle_on.S1": _turns,
    "cutting": lambda state: state.execution == "active" and _turns(state) and 0 < state.feed <= _RAPID_UM_S,
    "cutting_load": lambda state: _turns(state) and state.load > _CUTTING_PERMILLE,
}
"""Registers that count time: in which states they run."""
TOTALS = ("energy", "parts")
"""Counters of the control's own: over a gap too they tell what was."""


def known(within: Stretch, gaps: Sequence[Stretch]) -> list[Stretch]:
    """What is left of a stretch without `gaps`, which lie in order."""
    pieces, begin = [], within[0]
    for start, end in gaps:
        if start > begin:
            pieces.append((begin, min(start, within[1])))
        begin = max(begin, end)
    return [*pieces, (begin, within[1])] if begin < within[1] else pieces


class Truth:
    """One machine's life, to be asked what it did in any stretch."""

    def __init__(self, seed: int, ticks: int) -> None:
        self.frames = frames(seed, ticks)
        self._times = [frame.at for frame in self.frames]
        self.end = self._times[-1]

    def before(self, at: int) -> Frame:
        """The last frame before `at`."""
        return self.frames[bisect_left(self._times, at) - 1]

    def at(self, at: int) -> Frame:
        """The frame in force at `at`."""
        return self.frames[bisect_right(self._times, at) - 1]

    def counted(self, pieces: Sequence[Stretch]) -> Counter[str]:
        """What every register but the totals grew in `pieces`, each of which was seen from its begin to its end.

        A change counts where both sides of it were seen: not at a piece's begin, but at its end.
        """
        grown: Counter[str] = Counter()
        for begin, end in pieces:
            for old, frame, until in self._held(begin, end):
                self._count(grown, frame, max(frame.at, begin), until)
                if old is not None:
                    grown["starts"] += _turns(frame.state) and not _turns(old.state)
                    grown["travel.X"] += abs(frame.state.position - old.state.position)
        return grown

    def spectrum(self, pieces: Sequence[Stretch]) -> dict[tuple[str, int], int]:
        """Milliseconds at each speed and load in `pieces`, where the spindle turned."""
        cells: Counter[tuple[str, int]] = Counter()
        for begin, end in pieces:
            for _, frame, until in self._held(begin, end):
                if _turns(frame.state):
                    cells["S1", cell_key(frame.state.speed, frame.state.load)] += until - max(frame.at, begin)
        return {cell: length for cell, length in cells.items() if length}

    def _held(self, begin: int, end: int) -> list[tuple[Frame | None, Frame, int]]:
        """The frames in force from `begin` to `end`: with the one before where the change was seen, and until when."""
        first = bisect_right(self._times, begin) - 1
        last = bisect_right(self._times, end) - 1
        return [
            (
                self.frames[index - 1] if index > first else None,
                self.frames[index],
                min(end, self._times[index + 1]) if index + 1 < len(self._times) else end,
            )
            for index in range(first, last + 1)
        ]

    @staticmethod
    def _count(grown: Counter[str], frame: Frame, begin: int, until: int) -> None:
        for code, runs in RUNNING.items():
            grown[code] += (until - begin) * runs(frame.state)
        grown["revolutions.S1"] += abs(frame.state.speed) // _MREV_DIVISOR * (until - begin)
