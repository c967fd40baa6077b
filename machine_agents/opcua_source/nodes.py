"""Where a profile's signals lie on a server: browse paths followed by namespace URI, anew on every connection."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from asyncua import ua
from asyncua.client.ua_session import UaSession

from machine_agents.observation import HEARTBEAT
from machine_agents.profile import Entry, Profile, Step

_OBJECTS = ua.NodeId(ua.Int32(ua.ObjectIds.ObjectsFolder))
_NAMESPACES = ua.NodeId(ua.Int32(ua.ObjectIds.Server_NamespaceArray))
_STANDARD = "http://opcfoundation.org/UA/"


@dataclass(frozen=True, slots=True)
class Child:
    """A node found by browsing."""

    namespace: str
    name: str
    node: ua.NodeId
    is_object: bool


@dataclass(frozen=True, slots=True)
class Found:
    """A signal and the node that gives it."""

    signal: str
    entry: Entry
    node: ua.NodeId
    path: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """What of a profile is on the server. `missing` holds, per signal, why it is not metered."""

    found: list[Found]
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def has_heartbeat(self) -> bool:
        return any(one.signal == HEARTBEAT for one in self.found)


class Browser:
    """Browses each node once per connection."""

    def __init__(self, session: UaSession) -> None:
        self._session = session
        self._uris: list[str] = []
        self._known: dict[ua.NodeId, list[Child]] = {}

    async def children(self, node: ua.NodeId) -> list[Child]:
        """The nodes that `node` refers to hierarchically."""
        if node not in self._known:
            self._known[node] = await self._browse(node)
        return self._known[node]

    async def _browse(self, node: ua.NodeId) -> list[Child]:
        if not self._uris:
            values = await self._session.read_attributes([_NAMESPACES], ua.AttributeIds.Value)
            self._uris = [str(uri) for uri in (values[0].Value.Value if values[0].Value else None) or []]
        description = ua.BrowseDescription()
        description.NodeId = node
        description.BrowseDirection = ua.BrowseDirection.Forward
        description.ReferenceTypeId = ua.NodeId(ua.Int32(ua.ObjectIds.HierarchicalReferences))
        description.IncludeSubtypes = True
        description.ResultMask = ua.BrowseResultMask.All
        parameters = ua.BrowseParameters()
        parameters.NodesToBrowse = [description]
        result = (await self._session.browse(parameters))[0]
        references = list(result.References or [])
        while result.ContinuationPoint:
            more = ua.BrowseNextParameters()
            more.ContinuationPoints = [result.ContinuationPoint]
            result = (await self._session.browse_next(more))[0]
            references += result.References or []
        return [self._child(reference) for reference in references]

    def _child(self, reference: ua.ReferenceDescription) -> Child:
        name, index = reference.BrowseName, reference.BrowseName.NamespaceIndex
        uri = self._uris[index] if index < len(self._uris) else ""
        node = ua.NodeId(reference.NodeId.Identifier, reference.NodeId.NamespaceIndex, reference.NodeId.NodeIdType)
        return Child(uri, str(name.Name), node, reference.NodeClass == ua.NodeClass.Object)


async def resolve(session: UaSession, profile: Profile, machine: str) -> Resolution:
    """Find every entry's nodes; what cannot be found or does not fit is named, and does not stop the rest."""
    browser = Browser(session)
    found: dict[str, Found] = {}
    missing: dict[str, str] = {}
    for entry in profile.entries:
        trails, why = await _follow(browser, entry.path, machine)
        if not trails:
            missing[entry.signal] = f"{entry.text}: {why}"
        for node, holes, path in trails:
            signal = entry.signal.format_map(holes)
            found.setdefault(signal, Found(signal, entry, node, path))
    for signal, why in (await _wrong_units(session, browser, found.values())).items():
        missing[signal] = why
        del found[signal]
    return Resolution(list(found.values()), missing)


async def _follow(
    browser: Browser, path: Iterable[Step], machine: str
) -> tuple[list[tuple[ua.NodeId, dict[str, str], str]], str]:
    """Every node that `path` leads to, with what filled its holes; else why there is none."""
    trails: list[tuple[ua.NodeId, dict[str, str], str]] = [(_OBJECTS, {}, "")]
    for step in path:
        onward = [
            (child.node, holes | {step.name: child.name} if step.hole else holes, f"{way}/{child.name}")
            for node, holes, way in trails
            for child in await browser.children(node)
            if _fits(child, step, machine)
        ]
        if not onward:
            wanted = "{" + step.name + "}" if step.hole else step.name
            return [], f"there is no {wanted} under {trails[0][2] or 'Objects'}"
        if step.hole and step.name == "machine" and len(onward) > 1:
            names = ", ".join(sorted(holes["machine"] for _, holes, _ in onward))
            return [], f"there are several machines ({names}): name one as source.machine"
        trails = onward
    return trails, ""


def _fits(child: Child, step: Step, machine: str) -> bool:
    if not step.hole:
        return child.name == step.name and child.namespace == step.namespace
    return child.is_object and (step.name != "machine" or machine in ("", child.name))


async def _wrong_units(session: UaSession, browser: Browser, found: Iterable[Found]) -> dict[str, str]:
    """Signals whose node says another unit than the profile expects: metering them would be wrong by a factor."""
    asked: list[tuple[Found, ua.NodeId]] = []
    for one in found:
        if one.entry.unit:
            units = [
                child.node
                for child in await browser.children(one.node)
                if child.name == "EngineeringUnits" and child.namespace == _STANDARD
            ]
            asked += [(one, node) for node in units[:1]]
    if not asked:
        return {}
    values = await session.read_attributes([node for _, node in asked], ua.AttributeIds.Value)
    wrong: dict[str, str] = {}
    for (one, _), value in zip(asked, values, strict=True):
        unit = value.Value.Value if value.Value else None
        said = getattr(unit, "UnitId", None)
        if said is not None and said != _unit_id(one.entry.unit):
            shown = getattr(getattr(unit, "DisplayName", None), "Text", None) or said
            wrong[one.signal] = f"{one.path}: the unit is {shown}, the profile expects {one.entry.unit}"
    return wrong


def _unit_id(code: str) -> int:
    """A UN/ECE common code as EUInformation's number: its characters as one big-endian integer (Part 8, 5.6.3)."""
    return int.from_bytes(code.encode("ascii"), "big")
