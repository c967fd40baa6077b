"""A subscription that loses nothing silently, over asyncua's own.

asyncua 2.1 drops the oldest value of a full queue without a mark, copies every value deeply, groups a message by item,
ignores MaxNotificationsPerPublish, and forgets a message as soon as it is republished. This one keeps one queue in
order of arrival, packs a value once, counts what is offered, acknowledged and lost, and marks an overflow.
"""

import struct
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, TypeAlias

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.internal_subscription import InternalSubscription

from machine_agents.simulator.items import Item, Items
from machine_agents.simulator.values import Raw, ticks

OVERFLOW = 0x480
"""Info bits of a status: data value, overflow (Part 4, 7.39.1)."""
MOST_PER_MESSAGE = 1_000
_ENCODING = ua.NodeId(ua.ObjectIds.DataChangeNotification_Encoding_DefaultBinary)
_HEAD = struct.Struct("<IB").pack
_STATUS = struct.Struct("<I").pack
_TIME = struct.Struct("<q").pack
_COUNT = struct.Struct("<i").pack


Clock: TypeAlias = Callable[[], float]
Entry: TypeAlias = tuple[Item, Raw, int]
"""Item, value, server timestamp in ticks (0: not wanted)."""


class Subscription(InternalSubscription):
    """Counts, since the beginning: `offered` values, `published` ones, `lost` ones. See `settled`."""

    monitored_item_srv: Items
    _publish_cycles_count: int

    def __init__(
        self, data: Any, space: Any, *args: Any, most: int, now: Clock, told: Callable[[], None], **options: Any
    ) -> None:
        super().__init__(data, space, *args, **options)
        self.monitored_item_srv = Items(self, space)
        # asyncua only asks whether this is empty, and lets us empty it in _pop_triggered_datachanges.
        self._queue: deque[Entry] = deque()
        self._triggered_datachanges = self._queue
        self._most = min(most or MOST_PER_MESSAGE, MOST_PER_MESSAGE)
        self._starts: dict[int, int] = {}
        self._told = told
        self.now = now
        self.changed_at = now()
        self.application = ""
        self.acknowledged = False
        self.offered = self.published = self.lost = 0

    @property
    def settled(self) -> int:
        """How many of the offered values are acknowledged without a gap before them."""
        for sequence in self._not_acknowledged_results:
            return self._starts[sequence]
        return self.published

    @property
    def publishing(self) -> bool:
        return bool(self._publishing_enabled)

    @property
    def items(self) -> list[Item]:
        return list(self.monitored_item_srv.by_handle.values())

    @property
    def processor(self) -> Any:
        """The connection that publish requests come from (a bound method's owner: asyncua keeps nothing else)."""
        return self.pub_request_callback.__self__

    def queue_value(self, item: Item, raw: Raw) -> None:
        """Put a value into the queue; when the item's share of it is full its oldest value makes room."""
        self.offered += 1
        if item.waiting >= item.limit:
            self._drop_oldest(item)
        item.waiting += 1
        self._queue.append((item, raw, ticks(datetime.now(UTC)) if item.server_time else 0))

    def _drop_oldest(self, item: Item) -> None:
        self.lost += 1
        self.published += 1
        item.waiting -= 1
        places = (place for place, entry in enumerate(self._queue) if entry[0] is item)
        del self._queue[next(places)]
        for place, (owner, (packed, status, at), server) in enumerate(self._queue):
            if owner is item:
                self._queue[place] = (item, (packed, status | OVERFLOW, at), server)
                return

    async def push(self) -> None:
        """Send what is queued as far as there are publish requests for it, without waiting for the interval."""
        cycles = self._publish_cycles_count
        while self._queue and self._publishing_enabled:
            if not await super().publish_results():
                # No request: asyncua calls us back with the next one. Only the interval may count as a cycle.
                self._publish_cycles_count = cycles
                return

    async def publish_results(self, requestdata: Any = None) -> bool:
        sent = bool(await super().publish_results(requestdata))
        if sent and requestdata is not None:
            await self.push()
        return sent

    def _pop_publish_result(self) -> Any:
        before = self.published
        while len(self._not_acknowledged_results) >= self._no_acks_limit:
            sequence = next(iter(self._not_acknowledged_results))
            del self._not_acknowledged_results[sequence], self._starts[sequence]
            self.lost += 1
        result = super()._pop_publish_result()
        if result.NotificationMessage.NotificationData:
            self._starts[result.NotificationMessage.SequenceNumber] = before
        result.MoreNotifications = bool(self._queue)
        return result

    def _pop_triggered_datachanges(self, result: Any) -> None:
        count = min(len(self._queue), self._most)
        if not count:
            return
        parts = [_COUNT(count)]
        for _ in range(count):
            item, raw, server = self._queue.popleft()
            item.waiting -= 1
            parts.append(_notification(item, raw, server))
        parts.append(_COUNT(-1))  # no diagnostic infos
        self.published += count
        result.NotificationMessage.NotificationData.append(ua.ExtensionObject(_ENCODING, b"".join(parts)))

    def publish(self, acks: Iterable[int]) -> None:
        for sequence in acks:
            self._starts.pop(sequence, None)
            if self._not_acknowledged_results.pop(sequence, None) is not None:
                self.acknowledged = True
        self._told()

    def republish(self, nb: int) -> Any:
        """A message again, kept until it is acknowledged: the client may die once more before it is safe."""
        result = self._not_acknowledged_results.get(nb)
        if result is None:
            raise ServiceError(ua.StatusCodes.BadMessageNotAvailable)
        return result.NotificationMessage


def _notification(item: Item, raw: Raw, server: int) -> bytes:
    """MonitoredItemNotification in UA binary: handle, then a DataValue with only the fields that its mask names."""
    packed, status, at = raw
    source = item.source_time and at
    mask = (0x01 if packed else 0) | (0x02 if status else 0) | (0x04 if source else 0) | (0x08 if server else 0)
    return b"".join(
        (
            _HEAD(item.client_handle, mask),
            packed,
            _STATUS(status) if status else b"",
            _TIME(at) if source else b"",
            _TIME(server) if server else b"",
        )
    )
