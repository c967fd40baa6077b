"""Looking through a server's address space: in batches that it takes, each node once a connection, within limits."""

from collections.abc import Sequence
from dataclasses import dataclass

from asyncua import ua
from asyncua.client.ua_session import UaSession
from asyncua.ua.uaerrors import (
    BadEncodingLimitsExceeded,
    BadRequestTooLarge,
    BadResponseTooLarge,
    BadTooManyOperations,
)

MOST_NODES = 20_000
"""Nodes that are browsed over one connection; a server with more is not looked through to its end."""
MOST_CHILDREN = 5_000
_BATCH = 50
_NAMESPACES = ua.NodeId(ua.Int32(ua.ObjectIds.Server_NamespaceArray))
_TOO_MUCH = (BadTooManyOperations, BadRequestTooLarge, BadResponseTooLarge, BadEncodingLimitsExceeded)
_STANDARD = "http://opcfoundation.org/UA/"


@dataclass(frozen=True, slots=True)
class Child:
    """A node found by browsing. `display` is its name for people."""

    namespace: str
    name: str
    node: ua.NodeId
    is_object: bool
    is_variable: bool = False
    display: str = ""


class Browser:
    """One connection's view of the address space. `notes` says what was not looked at, and why."""

    def __init__(self, session: UaSession) -> None:
        self._session = session
        self._known: dict[ua.NodeId, list[Child]] = {}
        self._batch = _BATCH
        self.uris: list[str] = []
        self.notes: list[str] = []

    async def start(self) -> None:
        """Learn this connection's namespace indexes."""
        values = await self._session.read_attributes([_NAMESPACES], ua.AttributeIds.Value)
        self.uris = [str(uri) for uri in (values[0].Value.Value if values[0].Value else None) or []] or [_STANDARD]

    def index(self, uri: str) -> int | None:
        """The index that the server has for a namespace now."""
        return self.uris.index(uri) if uri in self.uris else None

    async def children(self, node: ua.NodeId) -> list[Child]:
        """The nodes that `node` refers to hierarchically."""
        return (await self.children_of([node]))[node]

    async def children_of(self, nodes: Sequence[ua.NodeId]) -> dict[ua.NodeId, list[Child]]:
        """The same for several at once, in as many requests as the server wants."""
        new = [node for node in dict.fromkeys(nodes) if node not in self._known]
        room = max(MOST_NODES - len(self._known), 0)
        if len(new) > room:
            self._note(f"the server is large: only {MOST_NODES} nodes were looked at")
        await self._browse(new[:room], ua.ObjectIds.HierarchicalReferences, ua.BrowseDirection.Forward)
        return {node: self._known.get(node, []) for node in nodes}

    async def types_of(self, node: ua.NodeId) -> list[ua.NodeId]:
        """The type of an object and its supertypes, the nearest first."""
        found: list[ua.NodeId] = []
        kind, ahead = ua.ObjectIds.HasTypeDefinition, ua.BrowseDirection.Forward
        while len(found) < 8:
            result = (await self._request([node], kind, ahead))[0]
            if not result.References:
                break
            node = _plain(result.References[0].NodeId)
            if node in found:
                break
            found.append(node)
            kind, ahead = ua.ObjectIds.HasSubtype, ua.BrowseDirection.Inverse
        return found

    async def read(self, nodes: Sequence[ua.NodeId], attribute: ua.AttributeIds) -> list[ua.DataValue]:
        """One attribute of each node, in as many requests as the server wants."""
        found: list[ua.DataValue] = []
        while len(found) < len(nodes):
            part = nodes[len(found) : len(found) + self._batch]
            try:
                found += await self._session.read_attributes(list(part), attribute)
            except _TOO_MUCH:
                self._less(len(part))
        return found

    async def _browse(self, nodes: Sequence[ua.NodeId], kind: int, ahead: ua.BrowseDirection) -> None:
        rest = list(nodes)
        while rest:
            part = rest[: self._batch]
            try:
                results = await self._request(part, kind, ahead)
            except _TOO_MUCH:
                self._less(len(part))
                continue
            rest = rest[len(part) :]
            for node, result in zip(part, results, strict=True):
                if result.StatusCode.value == ua.StatusCodes.BadNoContinuationPoints and len(part) > 1:
                    # It keeps room for few unfinished answers: ask for this one alone.
                    result = (await self._request([node], kind, ahead))[0]
                references = await self._all(result)
                self._known[node] = [self._child(reference) for reference in references]

    async def _request(self, nodes: Sequence[ua.NodeId], kind: int, ahead: ua.BrowseDirection) -> list[ua.BrowseResult]:
        parameters = ua.BrowseParameters()
        parameters.NodesToBrowse = [_description(node, kind, ahead) for node in nodes]
        results: list[ua.BrowseResult] = await self._session.browse(parameters)
        return results

    async def _all(self, result: ua.BrowseResult) -> list[ua.ReferenceDescription]:
        references = list(result.References or [])
        while result.ContinuationPoint:
            more = ua.BrowseNextParameters()
            more.ContinuationPoints = [result.ContinuationPoint]
            more.ReleaseContinuationPoints = len(references) >= MOST_CHILDREN
            result = (await self._session.browse_next(more))[0]
            if more.ReleaseContinuationPoints:
                self._note(f"a node has more than {MOST_CHILDREN} children: the others were not looked at")
                break
            if not result.StatusCode.is_good():
                self._note(f"the server ended a long answer with {result.StatusCode.name}: nodes may be missing")
            references += result.References or []
        return references

    def _less(self, tried: int) -> None:
        if tried <= 1:
            raise BadTooManyOperations()
        self._batch = max(1, tried // 2)

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _child(self, reference: ua.ReferenceDescription) -> Child:
        name, index = reference.BrowseName, reference.BrowseName.NamespaceIndex
        uri = self.uris[index] if index < len(self.uris) else ""
        return Child(
            uri,
            str(name.Name),
            _plain(reference.NodeId),
            reference.NodeClass == ua.NodeClass.Object,
            reference.NodeClass == ua.NodeClass.Variable,
            str(reference.DisplayName.Text or ""),
        )


def _plain(node: ua.ExpandedNodeId) -> ua.NodeId:
    return ua.NodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType)


def _description(node: ua.NodeId, kind: int, ahead: ua.BrowseDirection) -> ua.BrowseDescription:
    description = ua.BrowseDescription()
    description.NodeId = node
    description.BrowseDirection = ahead
    description.ReferenceTypeId = ua.NodeId(ua.Int32(kind))
    description.IncludeSubtypes = True
    description.ResultMask = ua.BrowseResultMask.All
    return description
