"""The player: writes a recording into the machine's nodes as fast as subscribers acknowledge it, and no faster."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from machine_agents.observation import REPLAYED, Observation
from machine_agents.simulator.chunks import Chunk, Pace, chunks, heartbeat
from machine_agents.simulator.machine import HEARTBEAT_PATH, Machine, Shown
from machine_agents.simulator.service import Subscriptions
from machine_agents.simulator.subscription import Subscription
from machine_agents.simulator.values import ticks

WINDOW = 8
"""Chunks on their way at once: enough that server and subscriber both always have work."""
MOST = 1_000
"""Observations in a chunk at most."""
_SETTLING_SECONDS = 0.2


class ReplayLoss(RuntimeError):
    """Values were lost between player and subscriber: the meter would be wrong. Raise the queue size and play again."""


@dataclass(slots=True)
class Progress:
    """How far a replay is. `recorded` and `total` count the recording's own values; `rewound` those played again."""

    total: int
    begin: datetime
    end: datetime
    phase: str = "waiting"
    recorded: int = 0
    heartbeats: int = 0
    at: datetime | None = None
    rewound: int = 0

    @property
    def fraction(self) -> float:
        if self.phase in ("live", "done"):
            return 1.0
        if self.at is None:
            return 0.0
        return (self.at - self.begin) / (self.end - self.begin)

    def count(self, chunk: Chunk, sign: int) -> None:
        """Count a chunk as played (1), or as not played after all (-1)."""
        self.recorded += sign * chunk.recorded
        self.heartbeats += sign * (len(chunk.observations) - chunk.recorded)
        self.rewound += chunk.recorded if sign < 0 else 0
        self.at = chunk.until


@dataclass(slots=True)
class _Flying:
    """A chunk on its way: what the nodes showed before it, and where it ends in each subscription's count."""

    chunk: Chunk
    before: Shown
    ends: dict[Subscription, int]


@dataclass(slots=True)
class Player:
    """Plays one recording once. `speed`: recorded seconds per second at most; None: as fast as acknowledged."""

    machine: Machine
    subscriptions: Subscriptions
    progress: Progress
    speed: float | None = None
    _flying: deque[_Flying] = field(default_factory=deque)
    _again: deque[Chunk] = field(default_factory=deque)
    _told: asyncio.Event = field(default_factory=asyncio.Event)
    _exhausted: bool = False

    def prepare(self, observations: Iterable[Observation]) -> None:
        """Show the values in force before the begin, so that they are what a subscriber reads first."""
        begin = self.progress.begin
        self.machine.forget(ticks(begin))
        for seen in observations:
            if seen.source_time >= begin:
                break
            self._write(seen)
        self._write(Observation(REPLAYED, True, begin))
        self._write(heartbeat(begin))

    async def play(self, observations: Iterable[Observation]) -> None:
        """Play to the end and wait for the last acknowledgement. Raises ReplayLoss."""
        self.subscriptions.told = self._told.set
        self.subscriptions.gone = self._rewind
        span = None if self.speed is None else timedelta(seconds=self.speed / 2)
        source = chunks(observations, Pace(MOST, span), begin=self.progress.begin, end=self.progress.end)
        clock = _Clock(self.speed, self.progress.begin)
        while not self._is_complete():
            paced = self._paced()
            window, size = _shares(paced)
            if not paced:
                self.progress.phase = "waiting"
            if not paced or self._exhausted or len(self._flying) >= window:
                await self._wait()
                continue
            self.progress.phase = "playing"
            if (chunk := self._next(source, size)) is None:
                self._exhausted = True
                continue
            await clock.until(chunk.until)
            self._offer(chunk, paced)
            for subscription in paced:
                await subscription.push()
            await asyncio.sleep(0)
        self.progress.phase = "done"

    def _is_complete(self) -> bool:
        """Take note of what was acknowledged; whether that is all. What happens later sets `_told` again."""
        self._told.clear()
        self._settle()
        return self._exhausted and not self._flying

    async def _wait(self) -> None:
        """Until something happens at a subscription, or a moment, since time alone also makes one complete."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._told.wait(), _SETTLING_SECONDS)

    def _next(self, source: Iterator[Chunk], size: int) -> Chunk | None:
        """The next chunk, or as much of it as `size` allows."""
        chunk = self._again.popleft() if self._again else next(source, None)
        if chunk is None or len(chunk.observations) <= size:
            return chunk
        first, rest = chunk.split(size)
        self._again.appendleft(rest)
        return first

    def _offer(self, chunk: Chunk, paced: list[Subscription]) -> None:
        before = self.machine.shown()
        for seen in chunk.observations:
            self._write(seen)
        self._flying.append(_Flying(chunk, before, {one: one.offered for one in paced}))
        self.progress.count(chunk, 1)

    def _write(self, seen: Observation) -> None:
        self.machine.write(seen.signal, seen.value, ticks(seen.source_time))

    def _paced(self) -> list[Subscription]:
        """The subscriptions that meter: they monitor the heartbeat, are complete and have begun to acknowledge."""
        node = self.machine.nodes[HEARTBEAT_PATH].node
        now = asyncio.get_running_loop().time()
        return [
            one
            for one in self.subscriptions.subscriptions.values()
            if one.publishing
            and one.acknowledged
            and now - one.changed_at >= _SETTLING_SECONDS
            and any(item.node == node for item in one.items)
        ]

    def _settle(self) -> None:
        """Let go of the chunks that every subscription has acknowledged."""
        for one in {one for flying in self._flying for one in flying.ends}:
            if one.lost:
                raise ReplayLoss(
                    f"{one.lost} values of subscription {one.data.SubscriptionId} were lost on the way to the agent; "
                    "let it ask for longer queues and play again"
                )
        flying = self._flying
        while flying and flying[0].ends and all(one.settled >= end for one, end in flying[0].ends.items()):
            flying.popleft()

    def _rewind(self, gone: Subscription) -> None:
        """A subscription ended: what only it was to acknowledge and did not is played again for the next one."""
        self._settle()
        for flying in self._flying:
            flying.ends.pop(gone, None)
        lost = [flying for flying in self._flying if not flying.ends]
        self._flying = deque(flying for flying in self._flying if flying.ends)
        if lost and not self._flying:
            self.machine.show(lost[0].before)
            self._again.extendleft(flying.chunk for flying in reversed(lost))
            self._exhausted = False
            for flying in lost:
                self.progress.count(flying.chunk, -1)


def _shares(paced: list[Subscription]) -> tuple[int, int]:
    """How many chunks may be on their way, and their size, so that all of one node's values fit into its queue."""
    queue = min((item.limit for one in paced for item in one.items), default=1)
    window = min(WINDOW, queue)
    return window, min(MOST, queue // window)


class _Clock:
    """Holds a replay back to `speed` recorded seconds per second."""

    def __init__(self, speed: float | None, begin: datetime) -> None:
        self._speed = speed
        self._begin = begin
        self._started: float | None = None

    async def until(self, recorded: datetime) -> None:
        if self._speed is None:
            return
        now = asyncio.get_running_loop().time()
        self._started = now if self._started is None else self._started
        due = self._started + (recorded - self._begin).total_seconds() / self._speed
        await asyncio.sleep(max(0.0, due - now))
