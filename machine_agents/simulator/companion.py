"""The companion models' types (DI, Machinery, MachineTool, CNC) as far as our machine needs them, from a table."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files

from asyncua import Server, ua

URIS = {
    "di": "http://opcfoundation.org/UA/DI/",
    "mach": "http://opcfoundation.org/UA/Machinery/",
    "mt": "http://opcfoundation.org/UA/MachineTool/",
    "cnc": "http://opcfoundation.org/UA/CNC",
    "ss": "urn:spindleshare:recorded-machine",
}
"""Prefix -> namespace URI, in the order in which the server registers them; `ss` holds our own instances."""

REFERENCES = {
    "HasSubtype": ua.ObjectIds.HasSubtype,
    "HasComponent": ua.ObjectIds.HasComponent,
    "HasProperty": ua.ObjectIds.HasProperty,
    "HasAddIn": ua.ObjectIds.HasAddIn,
    "HasOrderedComponent": ua.ObjectIds.HasOrderedComponent,
    "Organizes": ua.ObjectIds.Organizes,
}
RULES = {
    "M": ua.ObjectIds.ModellingRule_Mandatory,
    "O": ua.ObjectIds.ModellingRule_Optional,
    "MP": ua.ObjectIds.ModellingRule_MandatoryPlaceholder,
    "OP": ua.ObjectIds.ModellingRule_OptionalPlaceholder,
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table; empty text where a column does not apply."""

    node: str
    node_class: str
    name: str
    reference: str
    source: str
    type_definition: str
    data_type: str
    rank: str
    rule: str
    abstract: str
    value: str


def rows() -> Iterator[Row]:
    """The table's lines, a parent always before its members."""
    text = files(__package__).joinpath("companion_types.tsv").read_text("utf-8")
    for line in text.splitlines()[1:]:
        yield Row(*line.split("\t"))


class Names:
    """Texts such as `mt:13`, `i=58` and `mt:Monitoring` as ids of one server."""

    def __init__(self, indexes: dict[str, int]) -> None:
        self.indexes = indexes

    def node(self, text: str) -> ua.NodeId:
        """`mt:13` (numeric, companion namespace), `i=58` (standard) or `ss:a/path` (own, by path)."""
        prefix, _, rest = text.partition(":")
        if not rest:
            return ua.NodeId(int(text.removeprefix("i=")), 0)
        return ua.NodeId(int(rest) if rest.isdigit() else rest, self.indexes[prefix])

    def browse(self, text: str) -> ua.QualifiedName:
        """`mt:Monitoring`, or `Id` for the standard namespace."""
        prefix, _, rest = text.partition(":")
        return ua.QualifiedName(rest, self.indexes[prefix]) if rest else ua.QualifiedName(text, 0)


async def register_namespaces(server: Server) -> Names:
    """Register all companion namespaces and our own."""
    return Names({prefix: await server.register_namespace(uri) for prefix, uri in URIS.items()})


def add_types(server: Server, names: Names) -> None:
    """Add every type of the table to the server; types first, because members refer to them."""
    for row in sorted(rows(), key=lambda row: row.reference != "HasSubtype"):
        add_node(
            server,
            node=names.node(row.node),
            parent=names.node(row.source),
            reference=REFERENCES[row.reference],
            name=names.browse(row.name),
            attributes=_attributes(row, names),
            type_definition=names.node(row.type_definition) if row.type_definition else None,
        )
        if row.rule:
            add_reference(server, names.node(row.node), ua.ObjectIds.HasModellingRule, ua.NodeId(RULES[row.rule]))


def add_node(
    server: Server,
    *,
    node: ua.NodeId,
    parent: ua.NodeId,
    reference: int,
    name: ua.QualifiedName,
    attributes: ua.ObjectAttributes,
    type_definition: ua.NodeId | None,
) -> None:
    """Add one node with its attributes (any of ua's ...Attributes classes) below `parent`."""
    attributes.DisplayName = ua.LocalizedText(name.Name)
    item = ua.AddNodesItem(
        ParentNodeId=parent,
        ReferenceTypeId=ua.NodeId(reference),
        RequestedNewNodeId=node,
        BrowseName=name,
        NodeClass=_CLASS_OF[type(attributes)],
        NodeAttributes=attributes,
    )
    if type_definition is not None:
        item.TypeDefinition = type_definition
    server.iserver.node_mgt_service.add_nodes([item])[0].StatusCode.check()


def add_reference(server: Server, source: ua.NodeId, reference: int, target: ua.NodeId) -> None:
    """Add a forward reference."""
    item = ua.AddReferencesItem(SourceNodeId=source, ReferenceTypeId=ua.NodeId(reference), TargetNodeId=target)
    item.IsForward = True
    server.iserver.node_mgt_service.add_references([item])[0].check()


def variable(data_type: ua.NodeId, rank: int, value: ua.Variant) -> ua.VariableAttributes:
    """Attributes of a variable that may be read and not written."""
    return ua.VariableAttributes(
        DataType=data_type,
        ValueRank=ua.ValueRank(rank),
        Value=value,
        AccessLevel=ua.AccessLevel.CurrentRead.mask,
        UserAccessLevel=ua.AccessLevel.CurrentRead.mask,
    )


def _attributes(row: Row, names: Names) -> ua.ObjectAttributes:
    if row.node_class == "Variable":
        return variable(names.node(row.data_type), int(row.rank), _value(row, names))
    if row.node_class == "VariableType":
        kind = ua.VariableTypeAttributes(DataType=names.node(row.data_type), ValueRank=ua.ValueRank(int(row.rank)))
        kind.IsAbstract = bool(row.abstract)
        return kind
    if row.node_class == "Object":
        return ua.ObjectAttributes()
    types = {"ObjectType": ua.ObjectTypeAttributes, "DataType": ua.DataTypeAttributes}
    return types[row.node_class](IsAbstract=bool(row.abstract))


def _value(row: Row, names: Names) -> ua.Variant:
    if not row.value:
        return ua.Variant(None, ua.VariantType.Null)
    if row.name == "EnumValues":
        pairs = [pair.split("=") for pair in row.value.split(",")]
        values = [ua.EnumValueType(Value=int(n), DisplayName=ua.LocalizedText(word)) for n, word in pairs]
        return ua.Variant(values, ua.VariantType.ExtensionObject)
    if row.name == "EnumStrings":
        return ua.Variant([ua.LocalizedText(word) for word in row.value.split(",")], ua.VariantType.LocalizedText)
    if row.name == "DefaultInstanceBrowseName":
        prefix = row.node.partition(":")[0]
        return ua.Variant(ua.QualifiedName(row.value, names.indexes[prefix]), ua.VariantType.QualifiedName)
    return ua.Variant(int(row.value), ua.VariantType.UInt32)


_CLASS_OF = {
    ua.ObjectAttributes: ua.NodeClass.Object,
    ua.VariableAttributes: ua.NodeClass.Variable,
    ua.ObjectTypeAttributes: ua.NodeClass.ObjectType,
    ua.VariableTypeAttributes: ua.NodeClass.VariableType,
    ua.DataTypeAttributes: ua.NodeClass.DataType,
}
