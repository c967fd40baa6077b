"""Instances derived from the types in a server's own address space: mandatory members always, optional ones by name."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from asyncua import Server, ua
from asyncua.server.address_space import NodeData

from machine_agents.simulator.companion import Names, add_node, variable

_MEMBER = {
    ua.NodeId(kind)
    for kind in (
        ua.ObjectIds.HasComponent,
        ua.ObjectIds.HasProperty,
        ua.ObjectIds.HasAddIn,
        ua.ObjectIds.HasOrderedComponent,
    )
}
_RULE = ua.NodeId(ua.ObjectIds.HasModellingRule)
_SUBTYPE = ua.NodeId(ua.ObjectIds.HasSubtype)
_TYPE = ua.NodeId(ua.ObjectIds.HasTypeDefinition)
_MANDATORY = ua.NodeId(ua.ObjectIds.ModellingRule_Mandatory)
_OPTIONAL = ua.NodeId(ua.ObjectIds.ModellingRule_Optional)


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds instances; `optional`: paths (plain names, from the machine) of the optional members to build too."""

    server: Server
    names: Names
    optional: Collection[str]

    def instance(
        self, path: str, name: ua.QualifiedName, type_id: ua.NodeId, *, parent: ua.NodeId, reference: int
    ) -> ua.NodeId:
        """An object of type `type_id` below `parent`, with its members; its node id is `path`."""
        node = self.names.node("ss:" + path)
        add_node(
            self.server,
            node=node,
            parent=parent,
            reference=reference,
            name=name,
            attributes=ua.ObjectAttributes(),
            type_definition=type_id,
        )
        self._members(path, node, [type_id])
        return node

    def _members(self, path: str, node: ua.NodeId, declarations: list[ua.NodeId]) -> None:
        for reference, declaration in self._declared(declarations):
            data = self._space(declaration)
            name: ua.QualifiedName = _attribute(data, ua.AttributeIds.BrowseName)
            below = f"{path}/{name.Name}"
            if not self._wanted(declaration, below):
                continue
            child = self.names.node("ss:" + below)
            type_id = self._target(declaration, _TYPE)
            add_node(
                self.server,
                node=child,
                parent=node,
                reference=reference.Identifier,
                name=name,
                attributes=_copy(data),
                type_definition=type_id,
            )
            self._without_data(child)
            self._members(below, child, [type_id, declaration] if type_id else [declaration])

    def _without_data(self, node: ua.NodeId) -> None:
        if value := self._space(node).attributes.get(ua.AttributeIds.Value):
            value.value = ua.DataValue(StatusCode=ua.StatusCode(ua.StatusCodes.BadDataUnavailable))

    def _declared(self, sources: list[ua.NodeId]) -> list[tuple[ua.NodeId, ua.NodeId]]:
        """(reference, declaration) of all members; a later source and a subtype override by browse name."""
        found: dict[tuple[int, str], tuple[ua.NodeId, ua.NodeId]] = {}
        for source in sources:
            for level in reversed(list(self._line(source))):
                for ref in self._space(level).references:
                    if ref.IsForward and ref.ReferenceTypeId in _MEMBER:
                        found[ref.BrowseName.NamespaceIndex, ref.BrowseName.Name] = (ref.ReferenceTypeId, ref.NodeId)
        return list(found.values())

    def _line(self, type_id: ua.NodeId) -> Iterator[ua.NodeId]:
        """A type and its supertypes, the type first."""
        current: ua.NodeId | None = type_id
        while current is not None:
            yield current
            current = self._target(current, _SUBTYPE, forward=False)

    def _wanted(self, declaration: ua.NodeId, path: str) -> bool:
        rule = self._target(declaration, _RULE)
        return rule == _MANDATORY or (rule == _OPTIONAL and path.partition("/")[2] in self.optional)

    def _target(self, node: ua.NodeId, reference: ua.NodeId, *, forward: bool = True) -> ua.NodeId | None:
        for ref in self._space(node).references:
            if ref.ReferenceTypeId == reference and ref.IsForward == forward:
                return ref.NodeId
        return None

    def _space(self, node: ua.NodeId) -> NodeData:
        return self.server.iserver.aspace[node]


def _attribute(data: NodeData, attribute: ua.AttributeIds) -> Any:
    return data.attributes[attribute].value.Value.Value


def _copy(data: NodeData) -> ua.ObjectAttributes:
    """Attributes of an instance as its declaration has them, the value without data until somebody writes one."""
    if _attribute(data, ua.AttributeIds.NodeClass) != ua.NodeClass.Variable:
        return ua.ObjectAttributes()
    data_type = _attribute(data, ua.AttributeIds.DataType)
    return variable(data_type, int(_attribute(data, ua.AttributeIds.ValueRank)), ua.Variant(None, ua.VariantType.Null))
