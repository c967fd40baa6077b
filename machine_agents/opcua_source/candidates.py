"""Nodes that no profile maps and that look like something a meter wants: by their unit, or by their name."""

import re
from collections.abc import Collection
from dataclasses import dataclass

from asyncua import ua

from machine_agents.opcua_source.browser import Browser, Child
from machine_agents.opcua_source.fitting import said_unit
from machine_agents.opcua_source.trails import OBJECTS
from machine_agents.units import Unit

MOST_VISITED = 5_000
MOST_SHOWN = 200
_DEEPEST = 12
_SERVER = ua.NodeId(ua.Int32(ua.ObjectIds.Server))
_NUMBERS = {"SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float", "Double"}
_BY_NAME = (
    (re.compile(r"act.*speed|spindle.*speed|drehzahl|rpm|转速", re.I), "spindle.{spindle}.speed", "rotation"),
    (re.compile(r"load|auslastung|utili[sz]ation|负载", re.I), "spindle.{spindle}.load", "ratio"),
    (re.compile(r"feed.?rate|vorschub|actfeed|进给", re.I), "feed", "velocity"),
    (re.compile(r"energy|energie|kwh|电能", re.I), "energy", "energy"),
    (re.compile(r"power.?on|einschalt|betriebsstunden|uptime|通电", re.I), "counter.power_on", "time"),
    (re.compile(r"cut.*time|schnittzeit|切削", re.I), "counter.cut", "time"),
    (re.compile(r"(run|auto|operat|program).*(time|hours|duration)", re.I), "counter.auto", "time"),
    (re.compile(r"part.*(count|total|produced)|total.*parts|st.ckz|工件", re.I), "parts", ""),
    (re.compile(r"act.*pos|position|istpos", re.I), "axis.{axis}.position", "length"),
)
_BY_UNIT = {"rotation": "spindle.{spindle}.speed", "energy": "energy", "velocity": "feed"}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A numeric node that may be worth mapping. `signal` is a guess; `unit` a UN/ECE code, or what the node says."""

    node: str
    path: str
    value: str
    unit: str
    signal: str


async def candidates(browser: Browser, mapped: Collection[ua.NodeId]) -> tuple[list[Candidate], bool]:
    """What is worth a look, and whether the whole server was seen."""
    found, whole = await _variables(browser, set(mapped))
    values = await browser.read([child.node for _, child in found], ua.AttributeIds.Value)
    numbers = [
        (way, child, value) for (way, child), value in zip(found, values, strict=True) if _is_number(value.Value)
    ]
    units = await _units(browser, [child for _, child, _ in numbers])
    shown: list[Candidate] = []
    for (way, child, value), unit in zip(numbers, units, strict=True):
        if signal := _guess(child.name, unit):
            text = unit.code if isinstance(unit, Unit) else str(unit or "")
            shown.append(Candidate(_text(browser, child.node), way, str(value.Value.Value), text, signal))
    return shown[:MOST_SHOWN], whole and len(shown) <= MOST_SHOWN


def _is_number(variant: ua.Variant | None) -> bool:
    return variant is not None and variant.VariantType.name in _NUMBERS and not isinstance(variant.Value, list)


async def _variables(browser: Browser, seen: set[ua.NodeId]) -> tuple[list[tuple[str, Child]], bool]:
    """Variables by breadth, each node once: a server may refer in circles. Its own diagnostics are left out."""
    level: list[tuple[str, ua.NodeId]] = [("", OBJECTS)]
    seen |= {OBJECTS, _SERVER}
    found: list[tuple[str, Child]] = []
    visited = 0
    for _ in range(_DEEPEST):
        below: list[tuple[str, ua.NodeId]] = []
        children = await browser.children_of([node for _, node in level])
        for way, node in level:
            for child in children[node]:
                if child.node in seen:
                    continue
                seen.add(child.node)
                if child.is_variable:
                    found.append((f"{way}/{child.name}", child))
                if child.is_object or child.is_variable:
                    below.append((f"{way}/{child.name}", child.node))
        visited += len(level)
        if not below:
            return found, True
        if visited + len(below) > MOST_VISITED:
            return found, False
        level = below
    return found, False


async def _units(browser: Browser, nodes: list[Child]) -> list[Unit | str | None]:
    children = await browser.children_of([one.node for one in nodes])
    places = {one.node: child.node for one in nodes for child in children[one.node] if child.name == "EngineeringUnits"}
    read = await browser.read(list(places.values()), ua.AttributeIds.Value)
    said = {node: value.Value.Value if value.Value else None for node, value in zip(places, read, strict=True)}
    return [said_unit(said.get(one.node)) for one in nodes]


def _guess(name: str, unit: Unit | str | None) -> str:
    """The signal that a name means, if the unit does not speak against it; else one that the unit alone means."""
    for pattern, signal, dimension in _BY_NAME:
        if pattern.search(name) and (not isinstance(unit, Unit) or unit.dimension == dimension):
            return signal
    return _BY_UNIT.get(unit.dimension, "") if isinstance(unit, Unit) else ""


def _text(browser: Browser, node: ua.NodeId) -> str:
    """The node as a profile names it: its namespace's URI, its kind and its identifier."""
    uri = browser.uris[node.NamespaceIndex] if node.NamespaceIndex < len(browser.uris) else str(node.NamespaceIndex)
    return f"nsu={uri};{node.to_string().rpartition(';')[2] if node.NamespaceIndex else node.to_string()}"
