"""Which of a device's data items is which signal: by MTConnect's own types and units, so that any machine fits.

Where several items could be one signal, the actual value wins over one without a sub-type, machine coordinates over the
work piece's, and the document's first of equals; a commanded or programmed value is never metered. What is left over is
named with the reason.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import takewhile

from machine_agents.item_mapping import Item, Value, by_scale, by_words
from machine_agents.mtconnect_devices import DataItem, Device
from machine_agents.signal_codes import codes_of

UNAVAILABLE = frozenset({"UNAVAILABLE", ""})

EXECUTION = {
    "ACTIVE": "active",
    "INTERRUPTED": "interrupted",
    "FEED_HOLD": "feed_hold",
    "READY": "ready",
    "STOPPED": "stopped",
    "PROGRAM_STOPPED": "interrupted",
    "OPTIONAL_STOP": "interrupted",
    "WAIT": "interrupted",
    "PROGRAM_OPTIONAL_STOP": "interrupted",
    "PROGRAM_COMPLETED": "ready",
    "*": "other",
}
MODE = {
    "AUTOMATIC": "automatic",
    "SEMI_AUTOMATIC": "automatic",
    "MANUAL_DATA_INPUT": "mdi",
    "MANUAL": "manual",
    "EDIT": "manual",
    "*": "other",
}
POWER = {"ON": True, "OFF": False}
OPERATION_MODE = {
    "PRODUCTION": "processing",
    "PROCESS_DEVELOPMENT": "setup",
    "SETUP": "setup",
    "TEARDOWN": "setup",
    "MAINTENANCE": "maintenance",
    "*": "none",
}
_WORDS: Mapping[str, tuple[str, Mapping[str, Value]]] = {
    "EXECUTION": ("execution", EXECUTION),
    "CONTROLLER_MODE": ("mode", MODE),
    "FUNCTIONAL_MODE": ("operation_mode", OPERATION_MODE),
    "POWER_STATE": ("power", POWER),
    "POWER_STATUS": ("power", POWER),
    "AVAILABILITY": ("power", {"AVAILABLE": True}),
}
# Factors from MTConnect's units (Part 2, "Units") to the smallest unit of our signals.
_SCALES: Mapping[str, Mapping[str, Fraction]] = {
    "speed": {
        "REVOLUTION/MINUTE": Fraction(1000),
        "REVOLUTION/SECOND": Fraction(60_000),
        "DEGREE/SECOND": Fraction(1000, 6),
    },
    "load": {"PERCENT": Fraction(10)},
    "position": {"MILLIMETER": Fraction(1000), "METER": Fraction(1_000_000), "INCH": Fraction(25_400)},
    "feed": {
        "MILLIMETER/SECOND": Fraction(1000),
        "MILLIMETER/MINUTE": Fraction(50, 3),
        "INCH/MINUTE": Fraction(25_400, 60),
    },
    # Without a unit a timer counts seconds, the standard's unit for its type.
    "counter": {
        "": Fraction(1000),
        "SECOND": Fraction(1000),
        "MILLISECOND": Fraction(1),
        "MINUTE": Fraction(60_000),
        "HOUR": Fraction(3_600_000),
    },
    "energy": {"WATT_SECOND": Fraction(5, 18), "JOULE": Fraction(5, 18), "KILOWATT_HOUR": Fraction(1_000_000)},
    "parts": {"": Fraction(1), "COUNT": Fraction(1)},
}
_SPEEDS = ("ROTARY_VELOCITY", "SPINDLE_SPEED")
# What a timer's sub-type, or else its name, says of what it counts (EQUIPMENT_TIMER, and the older ACCUMULATED_TIME).
_TIMERS = {"POWERED": "power_on", "TOTAL": "power_on", "AUTO": "auto", "OPERATING": "auto", "CUT": "cut"}
_ACTUAL_FIRST = ("ACTUAL", "ALL", "CONTROL", "")


@dataclass(frozen=True, slots=True)
class Mapped:
    """`items`: data item id -> its signal and how its text becomes a value. `skipped`: what could have been, and why
    not. `names`: signal -> the item as people know it."""

    items: Mapping[str, Item]
    skipped: Mapping[str, str]
    names: Mapping[str, str]

    @property
    def signals(self) -> tuple[str, ...]:
        return tuple(sorted(self.names))


def map_items(device: Device) -> Mapped:
    """Every signal that `device` gives, and why the rest of what looks like one is not taken."""
    candidates: dict[str, list[tuple[int, DataItem, Item]]] = {}
    skipped: dict[str, str] = {}
    for rank, (signal, one) in enumerate(_candidates(device, skipped)):
        item = _item(signal, one, skipped)
        if item is not None:
            candidates.setdefault(signal, []).append((rank, one, item))
    chosen = _Chosen()
    for signal, found in candidates.items():
        best, *others = sorted(found, key=lambda each: (_preference(each[1]), each[0]))
        chosen.take(signal, best[1], best[2])
        skipped.update({one.shown: f"{signal} is taken from {best[1].shown}" for _, one, _ in others})
    return Mapped(chosen.items, skipped, chosen.names)


@dataclass(slots=True)
class _Chosen:
    items: dict[str, Item] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def take(self, signal: str, one: DataItem, item: Item) -> None:
        self.items[one.id] = item
        self.names[signal] = one.shown


def _candidates(device: Device, skipped: dict[str, str]) -> Iterator[tuple[str, DataItem]]:
    """(signal, item) for each item whose type can be one, in the document's order."""
    plain = [one for one in device.items if one.category in ("SAMPLE", "EVENT") and one.id]
    spindles = _spindles(plain)
    for one in plain:
        signal = _signal_of(one, spindles)
        if signal and one.unusual:
            skipped[one.shown] = f"it is given as {one.unusual}, not as a plain value"
        elif signal and one.sub_type in ("COMMANDED", "PROGRAMMED", "OVERRIDE", "TARGET", "REMAINING"):
            skipped[one.shown] = f"{one.sub_type.lower()} is what was asked for, not what happened"
        elif signal:
            yield signal, one


def _signal_of(one: DataItem, spindles: Mapping[str, str]) -> str:
    """The signal that an item's type and place stand for; empty for none."""
    if one.type in _WORDS:
        return _WORDS[one.type][0]
    if one.id in spindles:
        return spindles[one.id]
    if one.type == "POSITION" and one.component == "Linear":
        return f"axis.{_part(one.owner or one.owner_id)}.position"
    if one.type == "PATH_FEEDRATE":
        return "feed"
    if one.type == "PART_COUNT" and one.sub_type in ("", "ALL"):
        return "parts"
    if one.type in ("ELECTRICAL_ENERGY", "ENERGY"):
        return "energy"
    if one.type in ("TOOL_NUMBER", "TOOL_ASSET_ID"):
        return "tool"
    return _counter_of(one)


def _counter_of(one: DataItem) -> str:
    if one.type not in ("ACCUMULATED_TIME", "EQUIPMENT_TIMER", "PROCESS_TIMER"):
        return ""
    said = (one.sub_type, *one.name.upper().split("_"))
    found = [counter for word, counter in _TIMERS.items() if word in said]
    return f"counter.{found[0]}" if found else ""


def _spindles(items: Sequence[DataItem]) -> dict[str, str]:
    """Speed and load items of each rotary component that has a speed: item id -> signal.

    Spindles count from S1 in the document's order. Of several loads at one component (an axis that is also a spindle)
    the one named most like the speed is the spindle's.
    """
    signals: dict[str, str] = {}
    owners = dict.fromkeys(one.owner_id for one in items if one.type in _SPEEDS and _is_measured(one))
    for number, owner in enumerate(owners, start=1):
        own = [one for one in items if one.owner_id == owner]
        speeds = [one for one in own if one.type in _SPEEDS]
        loads = [one for one in own if one.type == "LOAD"]
        signals.update({one.id: f"spindle.S{number}.speed" for one in speeds})
        if loads:
            alike = max(loads, key=lambda load: max(_alike(load.name, speed.name) for speed in speeds))
            signals[alike.id] = f"spindle.S{number}.load"
    return signals


def _alike(name: str, other: str) -> int:
    """How many letters two names begin with in common."""
    return len(list(takewhile(lambda pair: pair[0] == pair[1], zip(name, other, strict=False))))


def _is_measured(one: DataItem) -> bool:
    return one.sub_type in _ACTUAL_FIRST


def _item(signal: str, one: DataItem, skipped: dict[str, str]) -> Item | None:
    """The item with its conversion; None, and the reason, when its unit is not known or no register needs it."""
    if not codes_of(signal):
        return None
    if one.type in _WORDS:
        return Item(signal, by_words(dict(_WORDS[one.type][1]), UNAVAILABLE))
    if signal == "tool":
        return Item(signal, lambda text: None if text in UNAVAILABLE else text)
    kind = signal.rpartition(".")[2] if signal.startswith(("spindle", "axis")) else signal.partition(".")[0]
    scale = _SCALES[kind].get(one.units)
    if scale is None:
        skipped[one.shown] = f"its unit {one.units or '(none)'} is not one of {', '.join(filter(None, _SCALES[kind]))}"
        return None
    return Item(signal, by_scale(scale, UNAVAILABLE))


def _preference(one: DataItem) -> tuple[int, int, int]:
    """Smaller is better. POWER_STATE tells more of the control than the line's AVAILABILITY."""
    order = _ACTUAL_FIRST.index(one.sub_type) if one.sub_type in _ACTUAL_FIRST else len(_ACTUAL_FIRST)
    return (one.type == "AVAILABILITY", order, one.coordinates == "WORK")


def _part(name: str) -> str:
    """A component's name as the part of a register code: letters, digits and underscores, at most 24."""
    kept = "".join(letter if letter.isascii() and letter.isalnum() else "_" for letter in name)
    return kept[:24] or "_"


def missing(signals: Iterable[str]) -> list[str]:
    """What a machine tool's meter would like to have and this device does not give."""
    wanted = ("power", "mode", "execution", "feed", "spindle.S1.speed", "spindle.S1.load", "parts")
    return [signal for signal in wanted if signal not in set(signals)]
