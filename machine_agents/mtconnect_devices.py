"""What an MTConnect device declares (its Devices document, the answer to `probe`): data items and where they belong."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from machine_agents.mtconnect_xml import XmlRefused, read

_MAX_ITEMS = 20_000


class BadDevices(ValueError):
    """The document is not an MTConnect Devices document, or declares more than is sensible."""


@dataclass(frozen=True, slots=True)
class DataItem:
    """One data item. `component` is its component's element name (Linear, Rotary, Path), `owner` that one's name and
    `owner_id` its id. `units` is what the agent gives values in; `unusual` why it is no plain value."""

    id: str
    name: str
    category: str
    type: str
    sub_type: str
    units: str
    coordinates: str
    component: str
    owner: str
    owner_id: str
    unusual: str = ""

    @property
    def shown(self) -> str:
        """As people find it on the agent's page."""
        return f"{self.component} {self.owner or self.owner_id}: {self.name or self.id}"


@dataclass(frozen=True, slots=True)
class Device:
    """A machine of an agent, with its items in the order of the document."""

    name: str
    uuid: str
    items: tuple[DataItem, ...]


def parse_devices(document: bytes) -> tuple[list[Device], int | None]:
    """The devices, and the agent's instance id where the document comes from an agent. BadDevices."""
    reader = _Reader()
    try:
        read(document, begin=reader.begin, end=reader.end)
    except XmlRefused as error:
        raise BadDevices(f"the Devices document cannot be read: {error}") from error
    if not reader.seen_root:
        raise BadDevices("this is no MTConnect Devices document: its first element is not MTConnectDevices")
    return reader.devices, reader.instance


@dataclass(slots=True)
class _Reader:
    seen_root: bool = False
    instance: int | None = None
    devices: list[Device] = field(default_factory=list)
    _about: Mapping[str, str] = field(default_factory=dict)
    _components: list[tuple[str, str, str]] = field(default_factory=list)
    _items: list[DataItem] = field(default_factory=list)
    _depth: int = 0

    def begin(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._depth == 1:
            self.seen_root = name == "MTConnectDevices"
        elif name == "Header":
            found = attributes.get("instanceId", "")
            self.instance = int(found) if found.isdecimal() else None
        elif name in ("Device", "Agent"):
            self._about, self._items = attributes, []
        if name == "DataItem":
            self._take(attributes)
        # Whatever has an id and is no data item may hold some: components are many and their names grow in number.
        elif "id" in attributes:
            self._components.append((name, attributes.get("name", ""), attributes["id"]))
        else:
            self._components.append(("", "", ""))

    def end(self, name: str, _text: str) -> None:
        self._depth -= 1
        if name != "DataItem":
            self._components.pop()
        if name == "Device":
            about = self._about
            self.devices.append(Device(about.get("name", ""), about.get("uuid", ""), tuple(self._items)))

    def _take(self, attributes: Mapping[str, str]) -> None:
        if len(self._items) >= _MAX_ITEMS:
            raise BadDevices(f"a device declares more than {_MAX_ITEMS} data items")
        kind, owner, owner_id = next((one for one in reversed(self._components) if one[0]), ("", "", ""))
        representation = attributes.get("representation", "VALUE")
        unusual = attributes.get("statistic", "") or ("" if representation == "VALUE" else representation)
        self._items.append(
            DataItem(
                id=attributes.get("id", ""),
                name=attributes.get("name", ""),
                category=attributes.get("category", ""),
                type=attributes.get("type", "").rpartition(":")[2],
                sub_type=attributes.get("subType", "").rpartition(":")[2],
                units=attributes.get("units", ""),
                coordinates=attributes.get("coordinateSystem", ""),
                component=kind,
                owner=owner,
                owner_id=owner_id,
                unusual=unusual,
            )
        )
