"""The inbox: messages of one subscription in order, delivered in groups, acknowledged only after they are stored."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from asyncua import ua

from machine_agents.delivery import Delivery, History, Moment, Sink
from machine_agents.observation import HEARTBEAT, Observation
from machine_agents.opcua_source.catch_up import Missed
from machine_agents.opcua_source.decode import Decoder
from machine_agents.opcua_source.notification import Message
from machine_agents.opcua_source.state import SubscriptionState
from machine_agents.opcua_source.subscription import Vanished, following, is_before
from machine_agents.profile import Convert
from machine_agents.source_time import from_ms
from machine_agents.status import Status

MOST_AT_ONCE = 20_000
"""Observations kept in memory before they are stored, even if the server has more to send."""
_ACKNOWLEDGED_AGAIN = 100
"""Messages acknowledged once more on resuming: the last acknowledgements may have died with the connection, and a
server that waits for them sends nothing."""


@dataclass(slots=True)
class Group:
    """What has come since the last delivery. `lost` signals may have lost values before it."""

    observations: list[Observation] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)
    lost: frozenset[str] = frozenset()


class Inbox:
    """`state` is what the sink holds. `closed`: why the server ended the subscription, once it has."""

    def __init__(
        self,
        state: SubscriptionState,
        converters: Mapping[str, Convert],
        sink: Sink,
        status: Status,
        *,
        settle_ms: int,
        heard: Callable[[], None],
    ) -> None:
        """`heard` is called for each heartbeat that comes."""
        self.state = state
        self.closed = ""
        self.delivered = 0
        self._last = state.last_sequence
        self._decoder = Decoder(state.signals, dict(converters))
        self._sink, self._status, self._heard = sink, status, heard
        self._settle = timedelta(milliseconds=settle_ms)
        self._heartbeat: datetime | None = None
        self._group = Group()
        self._acks: list[ua.SubscriptionAcknowledgement] = []
        self._acknowledged: set[int] = set()

    @property
    def next(self) -> int:
        """The sequence number that has to come next."""
        return following(self._last)

    @property
    def waiting(self) -> int:
        """How many messages are not delivered yet."""
        return len(self._group.sequences)

    def is_new(self, sequence: int) -> bool:
        """Whether this message has not come yet."""
        return is_before(self._last, sequence)

    def add(self, message: Message) -> None:
        """Take the next message."""
        taken = self._decoder.take(message)
        if taken.overflowed:
            self._status.count("source", "overflows", len(taken.overflowed))
            self._begin_after_loss(frozenset(taken.overflowed))
        self._last = message.sequence
        self._group.sequences.append(self._last)
        self._group.observations += taken.observations
        self.closed = self.closed or message.closed
        if taken.heartbeat_ms is not None:
            self._heard()
            beat = from_ms(taken.heartbeat_ms) - self._settle
            self._heartbeat = max(self._heartbeat or beat, beat)

    def lose(self) -> None:
        """The next message is not to be had any more."""
        self._status.count("source", "messages_lost")
        self._begin_after_loss(frozenset(self.state.signals) - {""})
        self._last = self.next

    def missed(self) -> Missed | None:
        """The loss that what waits comes after; None when there is none, or nothing to be had of it."""
        group, state = self._group, self.state
        known = tuple(signal for signal in state.signals if signal)
        if group.lost and group.sequences:
            return Missed(group.lost, known, _first_seen(group.observations))
        if not state.fresh or not state.connected or not group.sequences or self._heartbeat is None:
            return None
        first = min(int(one.value or 0) for one in group.observations if one.signal == HEARTBEAT and one.value)
        return Missed(frozenset(known), known, _first_seen(group.observations), from_ms(first), state.to_text())

    def deliver(self, *, complete: bool, history: History | None = None) -> None:
        """Store what has come, then acknowledge it. A new subscription begins with its first heartbeat.

        `complete`: the server has nothing more to send now, so everything up to the heartbeat has come. `history`: what
        could be read of what was `missed`.
        """
        group, state = self._group, self.state
        if not group.sequences or (state.fresh and self._heartbeat is None):
            return
        heartbeat = self._heartbeat if complete else None
        stored = replace(state, last_sequence=self._last, ready=True, fresh=False)
        known = tuple(signal for signal in state.signals if signal)
        self._sink.deliver(
            Delivery(group.observations, heartbeat, stored.to_text(), known, group.lost, state.fresh, history)
        )
        self.acknowledge(group.sequences)
        self.delivered += len(group.observations)
        self._status.count("source", "notifications", len(group.observations))
        self.state, self._group = stored, Group()

    @property
    def full(self) -> bool:
        """Whether more waits than should be kept in memory."""
        return len(self._group.observations) > MOST_AT_ONCE

    def take_acks(self) -> list[ua.SubscriptionAcknowledgement]:
        """What the next publish request acknowledges."""
        acks, self._acks = self._acks, []
        return acks

    def acknowledge_again(self) -> None:
        """On resuming: acknowledge the last messages that are stored."""
        last = self.state.last_sequence
        self.acknowledge(range(max(1, last - _ACKNOWLEDGED_AGAIN + 1), last + 1))

    def acknowledge_stored(self, held: Iterable[int]) -> None:
        """Acknowledge what the server still holds although it is stored: the acknowledgement was lost."""
        last = self.state.last_sequence
        self._acknowledged.intersection_update(held)
        self.acknowledge([one for one in held if one not in self._acknowledged and not is_before(last, one)])

    def acknowledge(self, sequences: Iterable[int]) -> None:
        for sequence in sequences:
            self._acknowledged.add(sequence)
            self._acks.append(ua.SubscriptionAcknowledgement(self.state.subscription, sequence))

    def _begin_after_loss(self, lost: frozenset[str]) -> None:
        """Deliver what came before the loss, so that the lost signals end after it and not before."""
        if self.state.fresh:
            raise Vanished("values were lost before the first heartbeat")
        self.deliver(complete=False)
        self._group.lost |= lost


def _first_seen(observations: Iterable[Observation]) -> dict[str, Moment]:
    """Each signal's first moment, with every value that it had then."""
    first: dict[str, Moment] = {}
    for seen in observations:
        at, values = first.get(seen.signal, (seen.source_time, ()))
        if seen.source_time == at:
            first[seen.signal] = (at, (*values, seen.value))
    return first
