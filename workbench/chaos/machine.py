"""The machine's OPC UA server as a process: says what `truth` has for each moment, and keeps a journal of what it said.

Run as `python -m workbench.chaos.machine FOLDER`, once more after each kill. The machine itself goes on meanwhile: its
time is told by a clock that all starts share. The journal is what happened at the server, one line each, times in ms:

    boot AT               a start, showing the values of that moment
    born SUBSCRIPTION AT  a subscription whose first values are those of AT
    acked SUBSCRIPTION AT everything up to AT was acknowledged
    dropped SUBSCRIPTION AFTER UNTIL   its queue was full: between these two moments nothing is left
"""

import asyncio
import json
import os
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field
from pathlib import Path

from machine_agents.simulator.subscription import Subscription
from machine_agents.simulator.values import moment, ticks
from machine_agents.source_time import from_ms, to_ms
from workbench.chaos import prepared
from workbench.chaos.truth import START_MS, TICK_MS, Frame, Truth

_LONGEST_NAP_SECONDS = 0.005


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


def began(folder: Path) -> float | None:
    """When machine time began to run, on the monotonic clock; None before a first agent reads the machine."""
    file = folder / "began"
    return float(file.read_text()) if file.exists() else None


def journal(folder: Path) -> Path:
    return folder / "journal"


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
        self._at = 0

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

    def look(self) -> bool:
        """Note new subscriptions and acknowledgements; whether any was acknowledged yet."""
        for number, subscription in self._subscriptions.items():
            if number not in self._watched and subscription.offered:
                self._watched[number] = _Watched(deque([(subscription.offered, self._at)]))
                self._say("born", number, self._at)
        for number in list(self._watched):
            if number not in self._subscriptions:
                del self._watched[number]
                continue
            self._note_acknowledged(number, self._subscriptions[number])
        return any(one.acked for one in self._watched.values())

    def _note_acknowledged(self, number: int, subscription: Subscription) -> None:
        one, settled = self._watched[number], subscription.settled
        newest = one.acked
        while subscription.acknowledged and one.offered and one.offered[0][0] <= settled:
            newest = one.offered.popleft()[1]
        if newest != one.acked:
            one.acked = newest
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
    start = began(folder)
    index = _due(truth.frames, order, start, 0)
    showing.boot(truth.frames[index])
    await ready.server.start()
    while start is None:
        await asyncio.sleep(_LONGEST_NAP_SECONDS)
        if showing.look():
            start = _begin(folder)
    while True:
        due = _due(truth.frames, order, start, index)
        for frame in truth.frames[index + 1 : due + 1]:
            showing.show(frame)
        index = due
        await showing.push()
        showing.look()
        await asyncio.sleep(_LONGEST_NAP_SECONDS)


def _begin(folder: Path) -> float:
    start = time.monotonic()
    file = folder / "began.new"
    file.write_text(repr(start))
    file.rename(folder / "began")
    return start


def _due(frames: list[Frame], order: Order, start: float | None, index: int) -> int:
    """The newest frame whose moment has come, from `index` on."""
    if start is None:
        return index
    passed_ms = (time.monotonic() - start) * 1000 / order.pace_ms * TICK_MS
    while index + 1 < len(frames) and frames[index + 1].at - START_MS <= passed_ms:
        index += 1
    return index


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
