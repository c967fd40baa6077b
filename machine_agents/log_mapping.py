"""Which item of a log is which signal: from what is given, what comes along, or what lies beside the log."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from machine_agents.counter_policy import CounterPolicy
from machine_agents.item_mapping import ItemMapping, MappingError, counters_in, load_mapping, mapping_for
from machine_agents.mtconnect_devices import BadDevices, Device, parse_devices
from machine_agents.mtconnect_items import map_items
from machine_agents.mtconnect_xml import MAX_BYTES
from machine_agents.recording import failures_named, open_text
from machine_agents.recording_text import MAGIC
from machine_agents.usual_items import by_usual_names

_LOOKED_AT = 200_000
_MANY_MATCH = 3


@dataclass(frozen=True, slots=True)
class Chosen:
    """The mapping for a log, where it is from, and what whoever reads the figures has to know. None: our own format."""

    mapping: ItemMapping | None
    origin: str
    warnings: tuple[str, ...] = ()
    counters: Mapping[str, CounterPolicy] = field(default_factory=dict)


@dataclass(slots=True)
class _Look:
    own: bool = False
    section: str = ""
    names: dict[str, None] = field(default_factory=dict)


def choose(path: Path, given: Path | None) -> Chosen:
    """The mapping for the log in `path`: `given` (a mapping file, or a Devices document), else a bundled one for its
    first section, else the Devices document beside it, else the usual names. MappingError when none fits."""
    look = _look(path)
    if look.own:
        counters = counters_in(given) if given is not None and given.suffix == ".toml" else {}
        return Chosen(None, "the recording itself", counters=counters)
    if given is not None:
        return _given(given, look)
    if look.section:
        try:
            mapping = mapping_for(look.section)
            return Chosen(mapping, "the mapping that comes along for this machine", counters=mapping.counters)
        except MappingError:
            pass
    for document in sorted(path.absolute().parent.glob("*.xml")):
        if found := _of_document(document, look):
            return found
    items = by_usual_names(look.names)
    if not items:
        known = ", ".join(list(look.names)[:12]) or "none"
        raise MappingError(f"no item of {path} has a name that is known (there are {known}): give --profile")
    mapping = ItemMapping(
        machine=look.section or path.stem, serial="", credit="", sections="", silence_ms=0, items=items
    )
    warning = (
        "units and meanings are guessed from the items' names: give the device's Devices.xml as --profile to be sure"
    )
    return Chosen(mapping, "usual names", (warning,))


def _look(path: Path) -> _Look:
    """What the log says of itself: its format, first section and items."""
    look = _Look()
    with failures_named(path), open_text(path) as stream:
        for line in islice(stream, _LOOKED_AT):
            if line.startswith("###"):
                look.section = look.section or line.strip("# \r\n")
            elif line.startswith(MAGIC):
                look.own = True
                break
            elif len(parts := line.split("|", 2)) == 3:
                look.names[parts[1]] = None
    return look


def _given(given: Path, look: _Look) -> Chosen:
    if given.suffix == ".toml":
        mapping = load_mapping(given)
        return Chosen(mapping, str(given), counters=mapping.counters)
    found = _of_document(given, look, needed=True)
    if found is None:
        raise MappingError(f"{given} has no device whose items are in this log")
    return found


def _of_document(document: Path, look: _Look, *, needed: bool = False) -> Chosen | None:
    """The mapping by a Devices document; None where it is none, or of other machines."""
    try:
        if document.stat().st_size > MAX_BYTES:
            raise BadDevices(f"it is larger than {MAX_BYTES} bytes")
        devices, _ = parse_devices(document.read_bytes())
    except (OSError, BadDevices) as error:
        if needed:
            raise MappingError(
                f"{document}: {error}; give a mapping file (.toml) or a Devices document (.xml)"
            ) from error
        return None
    device = _fitting(devices, look)
    if device is None:
        return None
    mapped = map_items(device)
    items = {
        key: mapped.items[one.id]
        for one in device.items
        if one.id in mapped.items
        for key in _keys(one.name, one.id, device.name, look.names)
    }
    if not items:
        return None
    warnings = tuple(f"{shown}: {why}" for shown, why in mapped.skipped.items())
    mapping = ItemMapping(machine=device.name, serial=device.uuid, credit="", sections="", silence_ms=0, items=items)
    return Chosen(mapping, f"{document.name}, device {device.name}", warnings)


def _keys(name: str, item: str, device: str, names: Iterable[str]) -> list[str]:
    """How the log may call an item: by name, by id, or with the device before it."""
    wanted = (name, item, f"{device}:{name}", f"{device}:{item}")
    known = set(names)
    return [key for key in wanted if key and key in known]


def _fitting(devices: Sequence[Device], look: _Look) -> Device | None:
    """The device that the section is named after, else the one with the most items of the log's names."""
    named = [device for device in devices if device.name and look.section.startswith(f"{device.name}-")]
    if named:
        return named[0]
    known = set(look.names)

    def shared(device: Device) -> int:
        return sum(bool({one.name, one.id, f"{device.name}:{one.name}"} & known) for one in device.items)

    best = max(devices, key=shared, default=None)
    return best if best and (shared(best) >= _MANY_MATCH or (len(devices) == 1 and shared(best))) else None
