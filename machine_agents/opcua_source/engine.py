"""The engine: everything a subscription sends is delivered once, in order, and acknowledged only after it is stored.

start -> resume (reactivated session, or transfer; then republish what was sent but not stored)
      -> or create anew (what lies between is lost: the delivery says so)
      -> publish, collect until the server has no more to send, deliver, acknowledge
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from asyncua import ua
from asyncua.ua.uaerrors import BadNoSubscription, BadSubscriptionIdInvalid, BadTimeout, BadTooManyPublishRequests

from machine_agents.config import SourceConfig
from machine_agents.delivery import Delivery, Sink, SubscriptionState
from machine_agents.observation import Observation
from machine_agents.opcua_source.decode import Decoder
from machine_agents.opcua_source.nodes import Resolution
from machine_agents.opcua_source.session import Link
from machine_agents.opcua_source.subscription import (
    KEEP_ALIVE_SECONDS,
    Subscription,
    Vanished,
    following,
    is_before,
)
from machine_agents.profile import Profile
from machine_agents.source_time import from_ms
from machine_agents.status import Status

_OUTSTANDING = 3
_MOST_AT_ONCE = 20_000
"""Observations kept in memory before they are stored, even if the server has more to send."""
_ACKNOWLEDGED_AGAIN = 100
"""Messages acknowledged once more on resuming: the last acknowledgements may have died with the connection, and a
server that waits for them sends nothing."""


class Silent(Exception):
    """The connection lives but nothing comes: not even the machine's heartbeat."""


@dataclass(slots=True)
class Group:
    """What has come since the last delivery. `last` is the newest sequence number among it."""

    last: int
    observations: list[Observation] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    closed: str = ""


class Engine:
    """Runs one connection until it fails; the failure is raised."""

    def __init__(
        self,
        link: Link,
        config: SourceConfig,
        profile: Profile,
        resolution: Resolution,
        sink: Sink,
        status: Status,
        *,
        monotonic: Callable[[], float],
    ) -> None:
        self._link, self._config, self._profile, self._resolution = link, config, profile, resolution
        self._sink, self._status, self._monotonic = sink, status, monotonic
        self._subscription = Subscription(link, config)
        self._converters = {one.signal: one.entry.converter() for one in resolution.found}
        self._state = replace(sink.remembered(), token=link.token, nonce=link.nonce)
        self._decoder = Decoder((), {})
        self._group = Group(0)
        self._heartbeat: datetime | None = None
        self._heard = monotonic()
        self._acks: list[ua.SubscriptionAcknowledgement] = []
        self._acknowledged: set[int] = set()
        self._pending: list[asyncio.Task[ua.PublishResponse]] = []
        self._outstanding = _OUTSTANDING
        self.delivered = 0

    async def run(self, *, anew: bool = False) -> None:
        """Resume or create, then deliver for as long as the connection holds. `anew`: do not resume."""
        try:
            self._sink.remember(self._state)
            try:
                if anew or not await self._resume():
                    await self._create()
            except Vanished as vanished:
                await self._recreate(vanished)
            while True:
                try:
                    await self._pump()
                except Vanished as vanished:
                    await self._recreate(vanished)
        finally:
            await self._drop_pending()

    async def _resume(self) -> bool:
        """Take up the stored subscription; False when there is none for this profile on this server."""
        state = self._state
        if not state.subscription or (state.profile, state.server) != (self._profile.digest, self._link.server):
            return False
        self._adopt(state)
        last = state.last_sequence
        self._acknowledge(range(max(1, last - _ACKNOWLEDGED_AGAIN + 1), last + 1))
        if not self._link.resumed:
            await self._subscription.transfer(state.subscription)
        await self._republish_until(None)
        await self._subscription.publishing(state.subscription)
        self._status.say("subscription resumed", republished=len(self._group.sequences), reused=self._link.resumed)
        return True

    async def _create(self) -> None:
        if self._state.subscription:
            await self._subscription.delete(self._state.subscription)
        base = replace(self._state, profile=self._profile.digest, server=self._link.server)
        state, granted = await self._subscription.create(
            self._resolution.found, base, self._sink.remember, timestamp_trigger=self._profile.timestamp_trigger
        )
        self._adopt(state)
        missing = self._resolution.missing | granted.refused
        self._status.note("source", **granted.facts(), missing=missing, signals=[s for s in state.signals if s])
        self._status.say("subscription created", **granted.facts(), missing=missing)

    async def _recreate(self, vanished: Vanished) -> None:
        self._status.say("subscription lost", why=str(vanished))
        self._status.count("source", "gaps")
        await self._drop_pending()
        await self._create()

    def _adopt(self, state: SubscriptionState) -> None:
        self._state = state
        self._decoder = Decoder(state.signals, self._converters)
        self._group = Group(state.last_sequence)
        self._acks, self._acknowledged = [], set()

    async def _pump(self) -> None:
        """Keep publish requests waiting at the server and take the answers in the order of the requests."""
        limit = 3 * KEEP_ALIVE_SECONDS + self._config.request_seconds
        while True:
            while len(self._pending) < self._outstanding:
                self._pending.append(asyncio.create_task(self._link.session.publish(self._acks)))
                self._acks = []
            done, _ = await asyncio.wait(self._pending, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                raise Silent(f"no answer for {limit} s")
            for task in [task for task in self._pending if task in done]:
                self._pending.remove(task)
                await self._take_answer(task)
            if self._monotonic() - self._heard > self._config.silence_seconds:
                raise Silent(f"no heartbeat for {self._config.silence_seconds} s")

    async def _take_answer(self, task: "asyncio.Task[ua.PublishResponse]") -> None:
        try:
            result = task.result().Parameters
        except BadTimeout:
            return
        except BadTooManyPublishRequests:
            self._outstanding = max(1, self._outstanding - 1)
            return
        except (BadNoSubscription, BadSubscriptionIdInvalid) as error:
            raise Vanished(type(error).__name__) from error
        if not result.SubscriptionId:
            raise Vanished("the server has no subscription")
        if result.SubscriptionId != self._state.subscription:
            await self._subscription.delete(result.SubscriptionId)
            return
        self._acknowledge_stored(result.AvailableSequenceNumbers or [])
        message = result.NotificationMessage
        if message.NotificationData:
            await self._take_message(message)
        else:
            await self._take_keep_alive(message.SequenceNumber)
        if not result.MoreNotifications:
            self._deliver(complete=True)
        elif len(self._group.observations) > _MOST_AT_ONCE:
            self._deliver(complete=False)
        if self._group.closed:
            raise Vanished(f"the server closed the subscription: {self._group.closed}")

    async def _take_message(self, message: ua.NotificationMessage) -> None:
        sequence = message.SequenceNumber
        if is_before(self._group.last, sequence):
            if sequence != following(self._group.last):
                await self._republish_until(sequence)
            self._add(message)

    async def _take_keep_alive(self, upcoming: int) -> None:
        """Nothing to send. `upcoming` is the next message's number, so what is missing before it shows."""
        if not self._state.ready and not self._group.sequences:
            await self._complete()
        elif is_before(following(self._group.last), upcoming):
            await self._republish_until(upcoming)

    async def _complete(self) -> None:
        """The last start was interrupted while it created the items, and none is there: create them now."""
        by_signal = {one.signal: one for one in self._resolution.found}
        found = [by_signal[signal] for signal in self._state.signals if signal in by_signal]
        if len(found) != len(self._state.signals):
            raise Vanished("interrupted while it was created")
        trigger = self._profile.timestamp_trigger
        await self._subscription.add_items(self._state, found, timestamp_trigger=trigger)
        self._state = replace(self._state, ready=True)
        self._sink.remember(self._state)

    async def _republish_until(self, end: int | None) -> None:
        """Ask again for the messages after the last one: up to `end`, or up to what the server still has."""
        sequence = following(self._group.last)
        while end is None or is_before(sequence, end):
            message = await self._subscription.republish(self._state.subscription, sequence)
            if message is not None:
                self._add(message)
                if len(self._group.observations) > _MOST_AT_ONCE:
                    self._deliver(complete=False)
            elif end is None:
                return
            else:
                self._status.count("source", "messages_lost")
                self._group.lost.update(self._state.signals)
                self._group.last = sequence
            sequence = following(sequence)

    def _add(self, message: ua.NotificationMessage) -> None:
        taken, group = self._decoder.take(message), self._group
        group.last = message.SequenceNumber
        group.sequences.append(group.last)
        group.observations += taken.observations
        group.closed = group.closed or taken.closed
        if taken.overflowed:
            self._status.count("source", "overflows", len(taken.overflowed))
            group.lost |= taken.overflowed
        if taken.heartbeat_ms is not None:
            self._heard = self._monotonic()
            beat = from_ms(taken.heartbeat_ms) - timedelta(milliseconds=self._profile.settle_ms)
            self._heartbeat = max(self._heartbeat or beat, beat)

    def _deliver(self, *, complete: bool) -> None:
        """Store what has come, and only then acknowledge it. A new subscription begins with its first heartbeat."""
        group, state = self._group, self._state
        if not group.sequences or (state.fresh and self._heartbeat is None):
            return
        stored = replace(state, last_sequence=group.last, ready=True, fresh=False)
        self._sink.deliver(
            Delivery(
                group.observations,
                self._heartbeat if complete else None,
                stored,
                lost=frozenset(group.lost - {""}),
                fresh=state.fresh,
            )
        )
        self._acknowledge(group.sequences)
        self.delivered += len(group.observations)
        self._status.count("source", "notifications", len(group.observations))
        self._state, self._group = stored, Group(group.last, closed=group.closed)

    def _acknowledge_stored(self, held: Iterable[int]) -> None:
        """Acknowledge what the server still holds although it is stored: the acknowledgement was lost."""
        last = self._state.last_sequence
        self._acknowledged.intersection_update(held)
        self._acknowledge([one for one in held if one not in self._acknowledged and not is_before(last, one)])

    def _acknowledge(self, sequences: Iterable[int]) -> None:
        subscription = self._state.subscription
        for sequence in sequences:
            self._acknowledged.add(sequence)
            self._acks.append(ua.SubscriptionAcknowledgement(subscription, sequence))

    async def _drop_pending(self) -> None:
        for task in self._pending:
            task.cancel()
        await asyncio.gather(*self._pending, return_exceptions=True)
        self._pending = []
