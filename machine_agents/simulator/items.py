"""Monitored items whose values come packed, without a copy and a task for each."""

from dataclasses import dataclass
from typing import Any

from asyncua import ua
from asyncua.server.monitored_item_service import MonitoredItemService

from machine_agents.simulator.values import Raw, from_data_value


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


class Items(MonitoredItemService):
    """The monitored items of one subscription."""

    def __init__(self, subscription: Any, space: Any) -> None:
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
