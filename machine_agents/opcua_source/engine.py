"""The engine: everything a subscription sends is delivered once, in order, and acknowledged only after it is stored.

start -> resume (reactivated session, or transfer; then republish what was sent but not stored)
      -> or create anew (what lies between is lost: the delivery says so)
      -> publish, collect until the server has no more to send, deliver, acknowledge
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from asyncua.ua.uaerrors import BadNoSubscription, BadSubscriptionIdInvalid, BadTimeout, BadTooManyPublishRequests

from machine_agents.config import SourceConfig
from machine_agents.delivery import History, Sink
from machine_agents.opcua_source.catch_up import CatchUp, Missed
from machine_agents.opcua_source.inbox import Inbox
from machine_agents.opcua_source.nodes import Resolution
from machine_agents.opcua_source.notification import Message, Published
from machine_agents.opcua_source.session import Link
from machine_agents.opcua_source.state import SubscriptionState
from machine_agents.opcua_source.subscription import KEEP_ALIVE_SECONDS, Subscription, Vanished, is_before
from machine_agents.profile import Profile
from machine_agents.status import Status

_OUTSTANDING = 3


class Silent(Exception):
    """The connection lives but nothing comes: not even the machine's heartbeat."""


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
        history: bool,
        monotonic: Callable[[], float],
    ) -> None:
        """`history`: whether what was missed is read from the server's history."""
        self._read_history = history
        self.reading_history = False  # at the end: the connection failed while it read
        self._link, self._config, self._profile, self._resolution = link, config, profile, resolution
        self._sink, self._status, self._monotonic = sink, status, monotonic
        self._subscription = Subscription(link, config)
        self._converters = {one.signal: one.entry.converter() for one in resolution.found}
        self._heard = monotonic()
        self.alive = False  # whether the machine's heartbeat was heard over this connection
        known = SubscriptionState.of_text(sink.remembered())
        self._inbox = self._new_inbox(replace(known, token=link.token, nonce=link.nonce))
        self._pending: list[asyncio.Task[Published]] = []
        self._outstanding = _OUTSTANDING
        self._delivered = 0

    @property
    def delivered(self) -> int:
        """Observations delivered over this connection."""
        return self._delivered + self._inbox.delivered

    async def run(self, *, anew: bool = False) -> None:
        """Resume or create, then deliver for as long as the connection holds. `anew`: do not resume."""
        try:
            self._remember(self._inbox.state)
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
        """Take up the stored subscription; False when there is none for these nodes of this server, in these units."""
        state = self._inbox.state
        if not state.subscription or (state.profile, state.server) != (self._resolution.digest, self._link.server):
            return False
        if state.ready and state.granted.get("outage_tolerance_seconds", 0) < self._config.contract_tolerance_seconds:
            return False  # the contract demands more than when it was made: ask the server for more
        self._inbox.acknowledge_again()
        if not self._link.resumed:
            await self._subscription.transfer(state.subscription)
        await self._republish_until(None)
        await self._subscription.publishing(state.subscription)
        self._facts(state)
        self._status.say("subscription resumed", republished=self._inbox.waiting, reused=self._link.resumed)
        return True

    async def _create(self) -> None:
        old = self._inbox.state
        if old.subscription:
            await self._subscription.delete(old.subscription)
            self._status.count("source", "gaps", 0 if old.fresh else 1)
        same = (old.profile, old.server) == (self._resolution.digest, self._link.server)
        # A subscription of which nothing was stored connects no further than the one before it did.
        connected = same and (old.connected or not old.fresh)
        base = replace(old, profile=self._resolution.digest, server=self._link.server, connected=connected)
        state = await self._subscription.create(
            self._resolution.found, base, self._remember, timestamp_trigger=self._profile.timestamp_trigger
        )
        self._delivered += self._inbox.delivered
        self._inbox = self._new_inbox(state)
        self._status.say("subscription created", **self._facts(state))

    def _facts(self, state: SubscriptionState) -> dict[str, Any]:
        """Note what the server granted, and what it does not let us monitor beside what it does not have."""
        granted = dict(state.granted)
        facts = granted | {"missing": self._resolution.missing | granted.pop("missing", {})}
        wished, tolerance = self._config.tolerance_seconds, facts.get("outage_tolerance_seconds")
        short = tolerance is not None and tolerance < wished
        warning = f"outages over {tolerance:g} s lose values: {wished} s were asked for" if short else None
        self._status.note("source", **facts, tolerance_warning=warning)
        return facts

    async def _recreate(self, vanished: Vanished) -> None:
        self._status.say("subscription lost", why=str(vanished))
        await self._drop_pending()
        await self._create()

    def _remember(self, state: SubscriptionState) -> None:
        self._sink.remember(state.to_text())

    def _new_inbox(self, state: SubscriptionState) -> Inbox:
        settle_ms = self._profile.settle_ms
        return Inbox(state, self._converters, self._sink, self._status, settle_ms=settle_ms, heard=self._hear)

    def _hear(self) -> None:
        self._heard, self.alive = self._monotonic(), True

    async def _pump(self) -> None:
        """Keep publish requests waiting at the server and take the answers in the order of the requests."""
        limit = 3 * KEEP_ALIVE_SECONDS + self._config.request_seconds
        while True:
            while len(self._pending) < self._outstanding:
                self._pending.append(asyncio.create_task(self._subscription.publish(self._inbox.take_acks())))
            done, _ = await asyncio.wait(self._pending, timeout=limit, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                raise Silent(f"no answer for {limit} s")
            for task in [task for task in self._pending if task in done]:
                self._pending.remove(task)
                await self._take_answer(task)
            if self._monotonic() - self._heard > self._config.silence_seconds:
                raise Silent(f"no heartbeat for {self._config.silence_seconds} s")

    async def _take_answer(self, task: "asyncio.Task[Published]") -> None:
        try:
            answer = task.result()
        except BadTimeout:
            return
        except BadTooManyPublishRequests:
            self._outstanding = max(1, self._outstanding - 1)
            return
        except (BadNoSubscription, BadSubscriptionIdInvalid) as error:
            raise Vanished(type(error).__name__) from error
        if not answer.subscription:
            raise Vanished("the server has no subscription")
        inbox = self._inbox
        if answer.subscription != inbox.state.subscription:
            await self._subscription.delete(answer.subscription)
            return
        inbox.acknowledge_stored(answer.available)
        if answer.message.empty:
            await self._take_keep_alive(answer.message.sequence)
        else:
            await self._take_message(answer.message)
        if not answer.more or inbox.full:
            await self._deliver(complete=not answer.more)
        if inbox.closed:
            raise Vanished(f"the server closed the subscription: {inbox.closed}")

    async def _take_message(self, message: Message) -> None:
        if self._inbox.is_new(message.sequence):
            await self._republish_until(message.sequence)
            await self._add(message)

    async def _take_keep_alive(self, upcoming: int) -> None:
        """Nothing to send. `upcoming` is the next message's number, so what is missing before it shows."""
        if not self._inbox.state.ready and not self._inbox.waiting:
            await self._complete()
        elif self._inbox.is_new(upcoming):
            await self._republish_until(upcoming)

    async def _complete(self) -> None:
        """The last start was interrupted while it created the items, and none is there: create them now."""
        state = self._inbox.state
        by_signal = {one.signal: one for one in self._resolution.found}
        found = [by_signal[signal] for signal in state.signals if signal in by_signal]
        if len(found) != len(state.signals):
            raise Vanished("interrupted while it was created")
        trigger = self._profile.timestamp_trigger
        add = self._subscription.add_items
        self._inbox.state = await add(state, found, self._remember, timestamp_trigger=trigger)
        self._facts(self._inbox.state)

    async def _republish_until(self, end: int | None) -> None:
        """Ask again for the messages that have to come next: up to before `end`, or what the server still has."""
        inbox = self._inbox
        while end is None or is_before(inbox.next, end):
            message = await self._subscription.republish(inbox.state.subscription, inbox.next)
            if message is not None:
                await self._add(message)
                if inbox.full:
                    await self._deliver(complete=False)
            elif end is None:
                return
            else:
                inbox.lose()

    async def _add(self, message: Message) -> None:
        """Take the next message; what came after an earlier loss is stored first, together with what history tells."""
        if not self._inbox.state.fresh and self._inbox.missed() is not None:
            await self._deliver(complete=False)
        self._inbox.add(message)

    async def _deliver(self, *, complete: bool) -> None:
        missed = self._inbox.missed()
        history = None if missed is None else await self._history_of(missed)
        self._inbox.deliver(complete=complete, history=history)

    async def _history_of(self, missed: Missed) -> History | None:
        """What the server's history tells of a loss; meanwhile it keeps what happens, for as long as it tolerates."""
        known = self._sink.known() if self._read_history else None
        if known is None:
            return None
        tolerance = self._inbox.state.granted.get("outage_tolerance_seconds", 0)
        # A server with a short queue loses more meanwhile: that is read as well, once the next values tell of it.
        seconds = min(float(self._config.history_seconds), max(tolerance / 2, self._config.request_seconds))
        self.reading_history = True
        one = CatchUp(
            self._link,
            self._config,
            self._resolution,
            self._sink,
            self._status,
            seconds=seconds,
            monotonic=self._monotonic,
        )
        history = await one.run(missed, known)
        self.reading_history = False
        self._heard = self._monotonic()  # nothing was listened to meanwhile
        return history

    async def _drop_pending(self) -> None:
        for task in self._pending:
            task.cancel()
        await asyncio.gather(*self._pending, return_exceptions=True)
        self._pending = []
