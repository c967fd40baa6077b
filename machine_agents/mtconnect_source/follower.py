"""One connection's work: from where the last one ended, every observation once and in order, or a gap that is said.

probe -> same life of the buffer and nothing overwritten: go on with the next sequence number
      -> else begin anew at the oldest that the agent still has; what lies between is a gap
sample stream -> translate -> deliver (stored when it returns) -> the next
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta

from machine_agents.delivery import Delivery, Sink
from machine_agents.item_mapping import Item
from machine_agents.mtconnect_source.client import MtConnectClient
from machine_agents.mtconnect_source.config import MtConnectConfig
from machine_agents.mtconnect_source.life import Life
from machine_agents.mtconnect_source.state import StreamState
from machine_agents.mtconnect_source.streams import BadAnswer, OutOfRange, Seen, Streams
from machine_agents.observation import HEARTBEAT, Observation
from machine_agents.source_time import to_ms
from machine_agents.status import Status


class BufferBegunAnew(Exception):
    """The agent was started again while we listened: its buffer has another life."""


class Follower:
    """Follows one device. `heard` is called for each answer of the agent."""

    def __init__(
        self,
        client: MtConnectClient,
        config: MtConnectConfig,
        items: Mapping[str, Item],
        life: Life,
        sink: Sink,
        status: Status,
        *,
        heard: Callable[[], None],
    ) -> None:
        self._client, self._config, self._items, self._life = client, config, items, life
        self._sink, self._status, self._heard = sink, status, heard
        self._signals = (HEARTBEAT, *sorted({item.signal for item in items.values()}))
        self._settle = timedelta(milliseconds=config.settle_ms)
        self._state = StreamState()
        self._heartbeat: datetime | None = None

    async def run(self, state: StreamState, instance: int | None) -> None:
        """Deliver until the connection fails; the failure is raised. `instance` is what the agent says it is now."""
        self._state = state
        if not state.next or state.instance != instance:
            await self._begin(first_ever=not state.next)
        elif self._life.watched:
            # Values in force before the place where we go on: not observations of ours, but they tell who is there.
            with suppress(OutOfRange):
                self._observed((await self._client.current(state.next - 1)).seen)
        while True:
            try:
                async for streams in self._client.sample(self._state.next):
                    self._heard()
                    self._take(streams)
            except OutOfRange:
                self._status.say("observations overwritten", level="warning", wanted=self._state.next)
                await self._begin(first_ever=False)

    async def _begin(self, *, first_ever: bool) -> None:
        """Start with the values in force: now for a meter that begins, else as long ago as the agent can tell."""
        now = await self._client.current()
        at = None if first_ever else await self._oldest(now)
        streams = at or now
        latest = max((seen.time for seen in streams.seen), default=streams.created)
        began = latest if at else streams.created
        state = replace(self._state, instance=streams.instance, next=(at.next if at else now.next))
        observations = [Observation(HEARTBEAT, to_ms(began), began), *self._observed(streams.seen)]
        if not first_ever:
            self._status.count("source", "gaps")
        self._deliver(observations, began, state, fresh=True)
        self._status.say("stream begun", instance=streams.instance, sequence=state.next, since=began.isoformat())

    async def _oldest(self, now: Streams) -> Streams | None:
        """The values as they were at the oldest sequence number that will still be there when the stream begins."""
        size = now.last - now.first
        for margin in (size // 20, size // 4):
            at = now.first + margin
            try:
                then = await self._client.current(at)
            except OutOfRange:
                continue
            # Some agents say the buffer's end as `nextSequence` even here: what follows `at` is what we want.
            return replace(then, next=at + 1) if then.instance == now.instance else None
        return None

    def _take(self, streams: Streams) -> None:
        if streams.instance != self._state.instance:
            raise BufferBegunAnew(f"instance {streams.instance} instead of {self._state.instance}")
        new = [seen for seen in streams.seen if seen.sequence >= self._state.next]
        if not new and streams.next < self._state.next:
            raise BadAnswer(f"the agent goes back from {self._state.next} to {streams.next}")
        beat = self._watermark(streams)
        observations: list[Observation] = [*self._observed(new)]
        if beat is not None:
            observations += [Observation(HEARTBEAT, to_ms(beat), beat), *self._life.signs(beat)]
        state = replace(self._state, next=max(streams.next, self._state.next))
        self._deliver(observations, beat, state, fresh=False)

    def _watermark(self, streams: Streams) -> datetime | None:
        """Up to when everything has come: the agent's clock when it has no more, else the newest observation's time."""
        known = streams.created if streams.complete else max((seen.time for seen in streams.seen), default=None)
        beat = known - self._settle if known else None
        if beat is None or (self._heartbeat is not None and beat <= self._heartbeat):
            return None
        return beat

    def _deliver(
        self, observations: list[Observation], heartbeat: datetime | None, state: StreamState, *, fresh: bool
    ) -> None:
        if not observations and state == self._state:
            return
        self._sink.deliver(Delivery(observations, heartbeat, state.to_text(), self._signals, fresh=fresh))
        self._state, self._heartbeat = state, heartbeat or self._heartbeat
        self._status.count("source", "notifications", len(observations))

    def _observed(self, seen: Sequence[Seen]) -> list[Observation]:
        """Observations of our signals. A text that is no value of its item ends the value before, and is counted."""
        observations = []
        for one in seen:
            item = self._items.get(one.item)
            if item is None:
                continue
            try:
                value = item.value_of(one.text)
            except ValueError:
                self._status.count("source", "unreadable")
                value = None
            observations.append(Observation(item.signal, value, one.time))
        self._life.take(seen, observations)
        return observations
