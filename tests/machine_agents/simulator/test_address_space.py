"""Our address space against the nodesets that node-opcua ships, and against the profile that the agent reads by."""

import asyncio
from functools import cache
from typing import Any

import pytest
from asyncua import Server, ua

from machine_agents.simulator.companion import URIS, Names, add_types, register_namespaces
from machine_agents.simulator.machine import SIGNALS, build_machine
from tests.machine_agents.simulator.nodesets import STANDARD, Id, nodes

SIGNALS_OF_A_MILL_TURN = {
    *SIGNALS,
    *(f"spindle.{spindle}.{what}" for spindle in ("S1", "S2") for what in ("speed", "load")),
    *(f"axis.{axis}.position" for axis in "XYZ"),
}
NAMES_OF_REFERENCES = {
    ua.ObjectIds.HasAddIn: "HasAddIn",
    ua.ObjectIds.HasProperty: "HasProperty",
    ua.ObjectIds.HasComponent: "HasComponent",
    ua.ObjectIds.HasOrderedComponent: "HasOrderedComponent",
    ua.ObjectIds.HasSubtype: "HasSubtype",
    ua.ObjectIds.Organizes: "Organizes",
    ua.ObjectIds.HasTypeDefinition: "HasTypeDefinition",
    ua.ObjectIds.HasModellingRule: "HasModellingRule",
}
MEMBERS = ("HasComponent", "HasProperty", "HasAddIn", "HasOrderedComponent")
MANDATORY = (STANDARD, ua.ObjectIds.ModellingRule_Mandatory)
PLACEHOLDERS = {
    (STANDARD, ua.ObjectIds.ModellingRule_OptionalPlaceholder),
    (STANDARD, ua.ObjectIds.ModellingRule_MandatoryPlaceholder),
}


@cache
def built() -> tuple[Server, Names]:
    async def build() -> tuple[Server, Names]:
        server = Server()
        await server.init()
        names = await register_namespaces(server)
        add_types(server, names)
        build_machine(server, names, name="M", signals=SIGNALS_OF_A_MILL_TURN, serial="1")
        return server, names

    return asyncio.run(build())


def uri(index: int) -> str:
    return STANDARD if index == 0 else {n: URIS[prefix] for prefix, n in built()[1].indexes.items()}[index]


def identity(node: ua.NodeId) -> Id:
    return uri(node.NamespaceIndex), node.Identifier


def attribute(node: ua.NodeId, name: str) -> Any:
    value = built()[0].iserver.aspace[node].attributes.get(getattr(ua.AttributeIds, name))
    return value.value.Value.Value if value is not None and value.value is not None and value.value.Value else None


def references(node: ua.NodeId) -> list[tuple[str, bool, ua.NodeId]]:
    return [
        (NAMES_OF_REFERENCES[ref.ReferenceTypeId.Identifier], ref.IsForward, ref.NodeId)
        for ref in built()[0].iserver.aspace[node].references
        if ref.ReferenceTypeId.Identifier in NAMES_OF_REFERENCES
    ]


def ours(*, own: bool) -> list[ua.NodeId]:
    """Nodes of the companion namespaces, or (`own`) those of our instances."""
    server, names = built()
    indexes = {index for prefix, index in names.indexes.items() if (prefix == "ss") == own}
    return [node for node in server.iserver.aspace.keys() if node.NamespaceIndex in indexes]  # noqa: SIM118


def text_of(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(
            f"{one.Value}={one.DisplayName.Text}" if isinstance(one, ua.EnumValueType) else str(one.Text)
            for one in value
        )
    return str(value.Name) if isinstance(value, ua.QualifiedName) else str(value)


def test_every_companion_node_is_as_in_its_nodeset() -> None:
    standard = nodes()
    for node in ours(own=False):
        there = standard[identity(node)]
        name = attribute(node, "BrowseName")
        assert (uri(name.NamespaceIndex), name.Name) == there.browse_name
        node_class = ua.NodeClass(attribute(node, "NodeClass")).name
        assert node_class == there.node_class
        if node_class.endswith("Type"):
            assert attribute(node, "IsAbstract") == there.abstract, name
        if node_class in ("Variable", "VariableType"):
            default = (STANDARD, ua.ObjectIds.BaseDataType)
            assert identity(attribute(node, "DataType")) == (there.data_type or default), name
            assert attribute(node, "ValueRank") == there.rank, name
        value = attribute(node, "Value")
        if value is not None:
            assert text_of(value) in there.value, name
        for kind, forward, target in references(node):
            if target.NamespaceIndex != built()[1].indexes["ss"] and target.NamespaceIndex + forward > 0:
                known = (kind, forward, identity(target)) in there.references
                assert known or identity(target) == (STANDARD, ua.ObjectIds.ObjectsFolder), (name, kind, target)


def test_every_enumeration_and_state_has_its_value() -> None:
    for node in ours(own=False):
        if attribute(node, "BrowseName").Name in ("EnumValues", "EnumStrings", "StateNumber"):
            assert attribute(node, "Value") not in (None, [])


def declared(type_id: Id) -> dict[tuple[str, str], Id]:
    """Members of a companion type with those of its supertypes, by browse name."""
    standard = nodes()
    line = []
    current: Id | None = type_id
    while current in standard:
        line.append(current)
        current = standard[current].target("HasSubtype", forward=False)
    members = [to for kind in reversed(line) for _, to in standard[kind].members() if to in standard]
    return {standard[to].browse_name: to for to in members}


@pytest.mark.parametrize("what", ["mandatory members are there", "members are declared"])
def test_instances_follow_their_types(what: str) -> None:
    standard = nodes()
    checked = 0
    for node in ours(own=True):
        kind = next((target for name, _, target in references(node) if name == "HasTypeDefinition"), None)
        if kind is None or identity(kind) not in standard:
            continue
        checked += 1
        members = {}
        for name, forward, target in references(node):
            if forward and name in MEMBERS:
                browse = attribute(target, "BrowseName")
                members[uri(browse.NamespaceIndex), browse.Name] = target
        declarations = declared(identity(kind))
        for browse_name, declaration in declarations.items():
            there = standard[declaration]
            mandatory = there.target("HasModellingRule") == MANDATORY and there.node_class != "Method"
            if browse_name not in members:
                assert not mandatory, f"{node} lacks {browse_name}"
            elif what == "members are declared" and there.node_class == "Variable":
                assert identity(attribute(members[browse_name], "DataType")) == there.data_type
    assert checked > 20


def test_machines_are_where_the_models_say() -> None:
    _, names = built()
    folder = names.node("mach:1001")
    assert attribute(folder, "BrowseName") == ua.QualifiedName("Machines", names.indexes["mach"])
    machine = names.node("ss:M")
    assert ("Organizes", True, machine) in references(folder)
    assert ("HasTypeDefinition", True, names.node("mt:13")) in references(machine)


def test_units_are_official_codes() -> None:
    """UnitId is the UN/ECE code's bytes: C26 -> 4403766 (ms), as printed in the OPC Foundation's list."""
    _, names = built()
    milliseconds = attribute(names.node("ss:M/Recording/CuttingDuration/EngineeringUnits"), "Value")
    assert milliseconds.UnitId == 4403766
    assert milliseconds.NamespaceUri == "http://www.opcfoundation.org/UA/units/un/cefact"
    for node in ours(own=True):
        if attribute(node, "BrowseName").Name in ("EngineeringUnits", "EURange"):
            assert attribute(node, "Value") is not None, node


def test_what_nobody_tells_has_no_value() -> None:
    server, names = built()
    node = names.node("ss:M/CncInterface/CncSpindleList/S1/ActPower")
    value = server.iserver.aspace[node].attributes[ua.AttributeIds.Value].value
    assert value.StatusCode.value == ua.StatusCodes.BadDataUnavailable
