"""Whether a node can give its signal: its right to be read, its type, its unit; and the exact factor for its unit."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from asyncua import ua

from machine_agents.opcua_source.browser import Browser
from machine_agents.opcua_source.trails import Trail, node_id
from machine_agents.profile import Entry
from machine_agents.units import Unit, signal_unit, unit_of_code, unit_of_id, unit_of_text

_STANDARD = "http://opcfoundation.org/UA/"
_NUMBERS = {
    ua.VariantType[name]
    for name in ("SByte", "Byte", "Int16", "UInt16", "Int32", "UInt32", "Int64", "UInt64", "Float", "Double")
}
_TEXTS = {ua.VariantType.String, ua.VariantType.LocalizedText, ua.VariantType.QualifiedName}
_WHOLE = _NUMBERS - {ua.VariantType.Float, ua.VariantType.Double}
_TYPES = {
    "number": _NUMBERS,
    "word": _WHOLE | _TEXTS | {ua.VariantType.Boolean, ua.VariantType.NodeId},
    "flag": _WHOLE | _TEXTS | {ua.VariantType.Boolean, ua.VariantType.NodeId},
    "state": _TEXTS | {ua.VariantType.NodeId},
    "text": _WHOLE | _TEXTS | {ua.VariantType.Guid, ua.VariantType.NodeId},
    "time": {ua.VariantType.DateTime} | _WHOLE,
}
_NO_RIGHT = {
    ua.StatusCodes.BadUserAccessDenied: "the user has no right to read it: give it on the control",
    ua.StatusCodes.BadNotReadable: "it cannot be read",
    ua.StatusCodes.BadSecurityModeInsufficient: "the server wants a better security for it",
    ua.StatusCodes.BadNodeIdUnknown: "the server does not know the node",
    ua.StatusCodes.BadNodeIdInvalid: "the server does not know the node",
    ua.StatusCodes.BadAttributeIdInvalid: "the node has no value on this control",
}


@dataclass(frozen=True, slots=True)
class Fitted:
    """A node that gives its signal: the entry as this node needs it (scale, words), and its present value.

    `unit` is what the node says of its unit, empty when it says nothing.
    """

    entry: Entry
    trail: Trail
    value: ua.DataValue
    unit: str = ""


async def fit(browser: Browser, found: Sequence[tuple[Entry, Trail]]) -> list[Fitted | str]:
    """For each entry and node: what fits, or why it does not."""
    nodes = [trail.node for _, trail in found]
    values = await browser.read(nodes, ua.AttributeIds.Value)
    types = await browser.read(nodes, ua.AttributeIds.DataType)
    units = await _units(browser, found)
    fitted: list[Fitted | str] = []
    for (entry, trail), value, kind, unit in zip(found, values, types, units, strict=True):
        entry = await _with_states(browser, entry, trail) if entry.words else entry
        if why := _misfit(entry, value, kind):
            fitted.append(f"{trail.way}: {why}")
            continue
        scaled = _scaled(entry, unit)
        if isinstance(scaled, str):
            fitted.append(f"{trail.way}: {scaled}")
        else:
            fitted.append(Fitted(scaled, trail, value, _shown(unit)))
    return fitted


def _misfit(entry: Entry, value: ua.DataValue, declared: ua.DataValue) -> str:
    if why := _NO_RIGHT.get(value.StatusCode.value):
        return why
    variant = value.Value
    if variant is None or variant.Value is None:
        return "" if _may_become(entry, declared) else f"it is declared as {_type_name(declared)}, not a {entry.kind}"
    if isinstance(variant.Value, list):
        return "it is an array: a signal is one value"
    if variant.VariantType not in _TYPES[entry.kind] or (
        entry.kind == "flag" and not entry.words and variant.VariantType != ua.VariantType.Boolean
    ):
        return f"it holds {_article(variant.VariantType.name)}, not a {entry.kind}"
    if variant.VariantType == ua.VariantType.NodeId and variant.Value.is_null():
        return "the server leaves it empty"
    return ""


def _may_become(entry: Entry, declared: ua.DataValue) -> bool:
    """Whether a node without a value now is declared as something that cannot fit; types of the server's own may."""
    node = declared.Value.Value if declared.Value else None
    if not isinstance(node, ua.NodeId) or node.NamespaceIndex or not isinstance(node.Identifier, int):
        return True
    if node.Identifier > 25 or node.Identifier in (22, 24):
        return True
    return ua.VariantType(node.Identifier) in _TYPES[entry.kind]


def _type_name(declared: ua.DataValue) -> str:
    return _article(ua.VariantType(declared.Value.Value.Identifier).name)


def _article(name: str) -> str:
    return f"an {name}" if name[0] in "AEIO" else f"a {name}"


async def _units(browser: Browser, found: Sequence[tuple[Entry, Trail]]) -> list[ua.EUInformation | None]:
    """What each node's EngineeringUnits property says; None where the entry has no unit or the node says nothing."""
    asked = [trail.node for entry, trail in found if entry.unit]
    children = await browser.children_of(asked)
    properties = {
        node: child.node
        for node in asked
        for child in children[node]
        if child.name == "EngineeringUnits" and child.namespace == _STANDARD
    }
    read = await browser.read(list(properties.values()), ua.AttributeIds.Value)
    said = {
        node: value.Value.Value if value.Value is not None and value.StatusCode.is_good() else None
        for node, value in zip(properties, read, strict=True)
    }
    return [said.get(trail.node) if entry.unit else None for entry, trail in found]


def _scaled(entry: Entry, said: ua.EUInformation | None) -> Entry | str:
    """The entry with the factor for the node's own unit; or why its unit cannot be taken."""
    expected = unit_of_code(entry.unit)
    known = said_unit(said)
    if expected is None or known is None:
        return entry
    if isinstance(known, str):
        return known
    if known.dimension != expected.dimension:
        wanted = f"{expected.dimension} ({entry.unit})"
        return f"its unit {known.symbol} is a {known.dimension}, the profile expects a {wanted}"
    return replace(entry, scale=entry.scale * known.factor / expected.factor, unit=known.code)


def said_unit(said: ua.EUInformation | None) -> Unit | str | None:
    """The unit that EUInformation means; a text when it cannot be said; None when it says nothing."""
    number, text = getattr(said, "UnitId", None), _shown(said)
    if not isinstance(number, int):
        return None
    by_id, by_text = unit_of_id(number), unit_of_text(text)
    if by_id and by_text and (by_id.dimension, by_id.factor) != (by_text.dimension, by_text.factor):
        return f"its unit is said twice and not alike: {by_id.code} ({by_id.symbol}) by number, {text!r} by name"
    if by_id or by_text:
        return by_id or by_text
    if number <= 0 and not text:
        return None
    return f"its unit {text or number!r} is not known here"


def _shown(said: ua.EUInformation | None) -> str:
    return str(getattr(getattr(said, "DisplayName", None), "Text", None) or "")


async def _with_states(browser: Browser, entry: Entry, trail: Trail) -> Entry:
    """Words of node ids, for this server's indexes; and of the state machine's own states, by their browse names."""
    words = dict(entry.words)
    for key in [key for key in words if key.startswith("nsu=")]:
        uri, _, rest = key[4:].rpartition(";")
        if (index := browser.index(uri)) is not None:
            words[node_id(rest[0], rest[2:], index).to_string()] = words.pop(key)
    if entry.kind == "state" and len(trail.nodes) > 2:
        machine = trail.nodes[-3]
        places = [machine, *await browser.types_of(machine)]
        for children in (await browser.children_of(places)).values():
            for child in children:
                if child.is_object and child.name in entry.words:
                    words.setdefault(child.node.to_string(), entry.words[child.name])
    return replace(entry, words=words)


def signal_step(signal: str) -> str:
    """What a signal's whole numbers count, for people: "1/1000 rotation"."""
    found = signal_unit(signal)
    return f"{found[1]} {found[0]}" if found else ""
