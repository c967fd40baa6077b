"""The machine's OPC UA server as a process: says what `truth` has for each moment, and keeps a journal of what it said.

Run as `python -m workbench.chaos.machine FOLDER`, once more after each kill. The machine itself goes on meanwhile, on a
clock that all starts share; but it waits for an agent that is away for too long, so that on a slow computer too most of
its life is seen. The journal is what happened at the server, one line each, times in ms:

    boot AT               a start, showing the values of that moment
    born SUBSCRIPTION AT  a subscription whose first values are those of AT
    acked SUBSCRIPTION AT everything up to AT was acknowledged
    dropped SUBSCRIPTION AFTER UNTIL   its queue was full: between these two moments nothing is left

The run itself adds what happened to the agent's file:

    damaged AFTER         no agent runs, and the service's last reading is of that moment
    recovered             the agent's file was replaced by a new one
"""

import asyncio
import json
import mmap
import os
import struct
import sys
import time
from bisect import bisect_right
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path

from machine_agents.simulator.subscription import Subscription
from machine_agents.simulator.values import moment, ticks
from machine_agents.source_time import from_ms, to_ms
from workbench.chaos import prepared
from workbench.chaos.truth import START_MS, TICK_MS, Frame, Truth

_NAP_SECONDS = 0.005
_AHEAD_TICKS = 24
_CLOCK = "clock"
_TIME = struct.Struct("<3d")
"""Ticks that have passed, when that was on the monotonic clock, and the newest moment acknowledged, in ms."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to be. `pace_ms`: how long a tick of machine time takes here."""

    seed: int
    ticks: int
    pace_ms: int
    port: int

    def write(self, folder: Path) -> None:
        (folder / "order.json").write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, folder: Path) -> "Order":
        return cls(**json.loads((folder / "order.json").read_text()))


def position(folder: Path) -> float:
    """How many ticks of the machine's time have passed; zero until a first agent has read the machine."""
    file = folder / _CLOCK
    kept = file.read_bytes() if file.exists() else b""
    return float(_TIME.unpack(kept)[0]) if len(kept) == _TIME.size else 0.0


def journal(folder: Path) -> Path:
    return folder / "journal"


@dataclass(slots=True)
class _Clock:
    """The machine's time in ticks: in memory that a file keeps, since at a system call it could be killed."""

    pace_ms: int
    _kept: mmap.mmap

    @classmethod
    def open(cls, folder: Path, pace_ms: int) -> "_Clock":
        with (folder / _CLOCK).open("a+b") as file:
            file.truncate(_TIME.size)
            return cls(pace_ms, mmap.mmap(file.fileno(), _TIME.size))

    def run(self, acked: int) -> int:
        """Let time pass, up to a limit beyond the newest moment that was acknowledged (0: none yet). Now, in ms."""
        at, seen, known = _TIME.unpack_from(self._kept)
        now, acked = time.monotonic(), max(acked, int(known))
        limit = (acked - START_MS) / TICK_MS + _AHEAD_TICKS if acked else 0.0
        if seen:
            at = max(at, min(at + (now - seen) * 1000 / self.pace_ms, limit))
        _TIME.pack_into(self._kept, 0, at, now, float(acked))
        return START_MS + int(at * TICK_MS)


@dataclass(slots=True)
class _Watched:
    """A subscription: how many values it had been offered by each frame that it was not seen to acknowledge."""

    offered: deque[tuple[int, int]] = field(default_factory=deque)
    lost: int = 0
    acked: int = 0


class _Showing:
    """Writes frames to the server, and to the journal what became of them."""

    def __init__(self, ready: prepared.Prepared, file: Path) -> None:
        self._ready = ready
        self._fd = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        self._watched: dict[int, _Watched] = {}
        self._at = self._acked = 0

    def boot(self, frame: Frame) -> None:
        self._write(frame)
        self._say("boot", frame.at)

    def show(self, frame: Frame) -> None:
        self.look()
        subscriptions = [(number, self._subscriptions[number], one) for number, one in self._watched.items()]
        oldest = {number: _oldest(subscription) for number, subscription, _ in subscriptions}
        before = self._at
        self._write(frame)
        for number, subscription, one in subscriptions:
            one.offered.append((subscription.offered, frame.at))
            if subscription.lost > one.lost:
                one.lost = subscription.lost
                self._dropped(number, one, oldest[number] or before, _oldest(subscription) or frame.at)

    async def push(self) -> None:
        for subscription in list(self._subscriptions.values()):
            await subscription.push()

    def look(self) -> int:
        """Note new subscriptions and acknowledgements; the newest moment that was acknowledged, 0 for none."""
        for number, subscription in self._subscriptions.items():
            if number not in self._watched and subscription.offered:
                self._watched[number] = _Watched(deque([(subscription.offered, self._at)]))
                self._say("born", number, self._at)
        for number in list(self._watched):
            if number not in self._subscriptions:
                del self._watched[number]
                continue
            self._note_acknowledged(number, self._subscriptions[number])
        return self._acked

    def _note_acknowledged(self, number: int, subscription: Subscription) -> None:
        one, settled = self._watched[number], subscription.settled
        newest = one.acked
        while subscription.acknowledged and one.offered and one.offered[0][0] <= settled:
            newest = one.offered.popleft()[1]
        if newest != one.acked:
            one.acked = newest
            self._acked = max(self._acked, newest)
            self._say("acked", number, newest)

    def _dropped(self, number: int, one: _Watched, first: int, kept: int) -> None:
        """Frames from `first` to before `kept` left the queue unsent: the one before them is the last that is told."""
        after = max((at for _, at in one.offered if at < first), default=one.acked or first)
        one.offered = deque((count, at) for count, at in one.offered if not first <= at < kept)
        self._say("dropped", number, after, kept)

    def _write(self, frame: Frame) -> None:
        self._at = frame.at
        stamp = ticks(from_ms(frame.at))
        for signal, value in frame.state.signals(frame.at).items():
            self._ready.machine.write(signal, value, stamp)

    @property
    def _subscriptions(self) -> dict[int, Subscription]:
        found: dict[int, Subscription] = self._ready.server.subscriptions.subscriptions
        return found

    def _say(self, *words: object) -> None:
        os.write(self._fd, (" ".join(map(str, words)) + "\n").encode())


def _oldest(subscription: Subscription) -> int | None:
    """The moment of the oldest value in its queue."""
    queue = subscription._queue
    return to_ms(moment(queue[0][1][2])) if queue else None


async def serve(folder: Path) -> None:
    """Show the machine until killed; after its last frame it stands still."""
    order, ready = Order.read(folder), prepared.take()
    truth = Truth(order.seed, order.ticks)
    ready.serve_at(order.port, folder / "pki")
    showing = _Showing(ready, journal(folder))
    clock, times = _Clock.open(folder, order.pace_ms), [frame.at for frame in truth.frames]
    index = bisect_right(times, clock.run(0)) - 1
    showing.boot(truth.frames[index])
    await ready.server.start()
    while True:
        due = bisect_right(times, clock.run(showing.look())) - 1
        for frame in truth.frames[index + 1 : due + 1]:
            showing.show(frame)
        index = due
        await showing.push()
        await asyncio.sleep(_NAP_SECONDS)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
