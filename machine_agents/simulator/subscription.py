"""A subscription that loses nothing silently, over asyncua's own.

asyncua 2.1 drops the oldest value of a full queue without a mark, copies every value deeply, groups a message by item,
ignores MaxNotificationsPerPublish, and forgets a message as soon as it is republished. This one keeps one queue in
order of arrival, packs a value once, counts what is offered, acknowledged and lost, and marks an overflow.
"""

import struct
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeAlias

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.internal_subscription import InternalSubscription
from asyncua.server.monitored_item_service import MonitoredItemService

from machine_agents.simulator.values import Raw, from_data_value, ticks

OVERFLOW = 0x480
"""Info bits of a status: data value, overflow (Part 4, 7.39.1)."""
MOST_PER_MESSAGE = 1_000
_ENCODING = ua.NodeId(ua.ObjectIds.DataChangeNotification_Encoding_DefaultBinary)
_HEAD = struct.Struct("<IB").pack
_STATUS = struct.Struct("<I").pack
_TIME = struct.Struct("<q").pack
_COUNT = struct.Struct("<i").pack


@dataclass(slots=True)
class Item:
    """A monitored item as the fast path needs it. `waiting` of its values are in the subscription's queue."""

    node: ua.NodeId
    client_handle: int
    limit: int
    with_time: bool
    source_time: bool
    server_time: bool
    reporting: bool = True
    last: Raw | None = None
    waiting: int = 0


Clock: TypeAlias = Callable[[], float]
Entry: TypeAlias = tuple[Item, Raw, int]
"""Item, value, server timestamp in ticks (0: not wanted)."""


class Items(MonitoredItemService):
    """The monitored items of one subscription."""

    def __init__(self, subscription: "Subscription", space: Any) -> None:
        super().__init__(subscription, space)
        self.by_handle: dict[int, Item] = {}
        self._stamps = ua.TimestampsToReturn.Source

    async def create_monitored_items(self, params: Any) -> Any:
        self._stamps = params.TimestampsToReturn
        return await super().create_monitored_items(params)

    def _revise_queue_size(self, requested: int) -> int:
        most: int = self.isub.max_queue_size
        return max(1, min(requested, most))

    async def _create_data_change_monitored_item(self, params: Any) -> Any:
        wanted = params.RequestedParameters.Filter
        if isinstance(wanted, ua.ExtensionObject) and wanted.TypeId.is_null():
            # How some clients write "no filter".
            wanted = params.RequestedParameters.Filter = None
        # By field and not by class: asyncua decodes to another class of the same name than the one that it exports.
        if wanted is None or getattr(wanted, "DeadbandType", None) == ua.DeadbandType.None_:
            return await super()._create_data_change_monitored_item(params)
        result = ua.MonitoredItemCreateResult()
        result.StatusCode = ua.StatusCode(ua.StatusCodes.BadMonitoredItemFilterUnsupported)
        return result

    def _item(self, handle: int) -> Item:
        # Made at the first value and not before: asyncua triggers that one itself when it creates the item.
        if handle not in self.by_handle:
            data = self._monitored_items[self._monitored_datachange[handle]]
            trigger = data.filter.Trigger if data.filter else ua.DataChangeTrigger.StatusValue
            self.by_handle[handle] = Item(
                data.read_value_id.NodeId,
                data.client_handle,
                data.queue_size,
                trigger == ua.DataChangeTrigger.StatusValueTimestamp,
                self._stamps in (ua.TimestampsToReturn.Source, ua.TimestampsToReturn.Both),
                self._stamps in (ua.TimestampsToReturn.Server, ua.TimestampsToReturn.Both),
                data.mode == ua.MonitoringMode.Reporting,
            )
            self.isub.changed_at = self.isub.now()
        return self.by_handle[handle]

    async def datachange_callback(self, handle: int, value: Any, error: Any = None) -> None:
        """What asyncua calls for values that it writes itself, and with an item's first value."""
        if error:
            await self.trigger_statuschange(error)
        else:
            self._item(handle)
            self.offer(handle, from_data_value(value))

    def offer(self, handle: int, raw: Raw) -> None:
        """Queue a value of the monitored attribute `handle` unless the item's filter holds it back."""
        item = self.by_handle.get(handle)
        if item is None or not item.reporting:
            return
        last = item.last
        if last is None or raw[:2] != last[:2] or (item.with_time and raw[2] != last[2]):
            item.last = raw
            self.isub.queue_value(item, raw)

    async def _set_monitoring_mode(self, mode: Any, mid: int) -> Any:
        for handle, owner in self._monitored_datachange.items():
            if owner == mid and handle in self.by_handle:
                self.by_handle[handle].reporting = mode == ua.MonitoringMode.Reporting
        return await super()._set_monitoring_mode(mode, mid)

    def _delete_monitored_items(self, mid: int) -> Any:
        for handle in [handle for handle, owner in self._monitored_datachange.items() if owner == mid]:
            self.by_handle.pop(handle, None)
        return super()._delete_monitored_items(mid)


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
