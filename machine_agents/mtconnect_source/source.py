"""Keeps following an MTConnect agent: connects, follows, and after any failure waits and begins again."""

import asyncio
import hashlib
import random
from collections.abc import Mapping

import httpx

from machine_agents.delivery import NotStored, Sink, StoreBroken
from machine_agents.item_mapping import Item, MappingError, load_mapping
from machine_agents.mtconnect_devices import BadDevices, DataItem, Device, parse_devices
from machine_agents.mtconnect_items import map_items
from machine_agents.mtconnect_source.client import MtConnectClient
from machine_agents.mtconnect_source.config import MtConnectConfig
from machine_agents.mtconnect_source.follower import Follower
from machine_agents.mtconnect_source.life import Life
from machine_agents.mtconnect_source.state import StreamState
from machine_agents.status import Status

_FIRST_PAUSE_SECONDS = 0.5


class NoSuchDevice(Exception):
    """The agent does not have the machine asked for, has several, or gives none of its signals."""


class MtConnectSource:
    """The machine, seen through its MTConnect agent. An absent agent is normal: machines are switched off."""

    def __init__(self, config: MtConnectConfig, sink: Sink, status: Status) -> None:
        self._config, self._sink, self._status = config, sink, status
        self._pause = _FIRST_PAUSE_SECONDS
        # MTConnect itself knows neither users nor signatures: whoever can reach the line can pose as the machine.
        secure = config.endpoint.startswith("https://")
        status.note("source", endpoint=config.endpoint, kind="mtconnect", encrypted=secure)

    async def run(self) -> None:
        """Deliver what the machine says, for ever; cancel to stop."""
        while True:
            try:
                await self._once()
            except (asyncio.CancelledError, StoreBroken):
                raise
            except (NotStored, NoSuchDevice, MappingError, BadDevices) as trouble:
                self._failed("stopped", trouble)
            except Exception as error:
                # Whatever an agent or the network may do ends here: this connection is over, the next is made anew.
                self._failed("disconnected", error)
            self._status.write(at_once=True)
            await asyncio.sleep(self._pause * random.uniform(0.8, 1.2))
            self._pause = min(2 * self._pause, self._config.retry_max_seconds)

    async def _once(self) -> None:
        client = MtConnectClient(self._config)
        try:
            devices, instance = parse_devices(await client.probe())
            device = chosen(devices, self._config.machine)
            client.choose(device.name or device.uuid)
            items, skipped = items_of(device, self._config)
            state = StreamState.of_text(self._sink.remembered())
            mapping, place = _digest(items), device.uuid or device.name
            if (state.mapping, state.device) != (mapping, place):
                state = StreamState(mapping=mapping, device=place)
            self._status.note("source", state="connected", why=None, missing=skipped, device=place)
            self._status.say("connected", endpoint=self._config.endpoint, instance=instance)
            availability = frozenset(one.id for one in device.items if one.type == "AVAILABILITY")
            life = Life(availability if self._config.available_is_life else frozenset())
            follower = Follower(client, self._config, items, life, self._sink, self._status, heard=self._hear)
            await follower.run(state, instance)
        finally:
            await client.close()

    def _hear(self) -> None:
        self._pause = _FIRST_PAUSE_SECONDS

    def _failed(self, state: str, error: Exception) -> None:
        why = f"{type(error).__name__}: {error}" if isinstance(error, httpx.HTTPError) else str(error)
        why = why or type(error).__name__
        self._status.note("source", state=state, why=why)
        self._status.say(f"source {state}", level="warning", why=why, retry_seconds=round(self._pause, 1))


def chosen(devices: list[Device], wanted: str) -> Device:
    """The device named by name or uuid, or the only one. NoSuchDevice names those that there are."""
    fitting = [device for device in devices if wanted in ("", device.name, device.uuid)]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(device.name or device.uuid for device in devices) or "none"
    if wanted:
        raise NoSuchDevice(f"the agent has no device {wanted!r}, it has: {names}")
    raise NoSuchDevice(f"the agent has several devices ({names}): name one as source.machine")


def items_of(device: Device, config: MtConnectConfig) -> tuple[Mapping[str, Item], Mapping[str, str]]:
    """Data item id -> signal, from the mapping file if there is one, and what is not metered with its reason."""
    if config.mapping is None:
        mapped = map_items(device)
        items, skipped = mapped.items, mapped.skipped
    else:
        given = load_mapping(config.mapping).items
        found = {one.id: given[name] for one in device.items if (name := _key_of(one, given)) is not None}
        there = {item.signal for item in found.values()}
        items, skipped = found, {i.signal: f"the device has no item {name}" for name, i in given.items()
                                 if i.signal not in there}  # fmt: skip
    if not items:
        raise NoSuchDevice(f"device {device.name or device.uuid} gives nothing that can be metered")
    return items, skipped


def _key_of(one: DataItem, given: Mapping[str, Item]) -> str | None:
    return next((key for key in (one.name, one.id) if key and key in given), None)


def _digest(items: Mapping[str, Item]) -> str:
    """Changes when an item means another signal."""
    text = "\n".join(f"{one}={item.signal}" for one, item in sorted(items.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
