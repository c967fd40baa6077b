"""The OPC Foundation's nodesets as node-opcua ships them, read with nothing but an XML parser."""

import os
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TypeAlias

import pytest

FOLDER = Path(__file__).parents[2] / "node" / "node_modules" / "node-opcua-nodesets" / "nodesets"
FILES = (
    "Opc.Ua.Di.NodeSet2.xml",
    "Opc.Ua.IA.NodeSet2.xml",
    "Opc.Ua.Machinery.NodeSet2.xml",
    "Opc.Ua.MachineTool.NodeSet2.xml",
    "Opc.Ua.CNC.NodeSet.xml",
)
STANDARD = "http://opcfoundation.org/UA/"
_SET = "{http://opcfoundation.org/UA/2011/03/UANodeSet.xsd}"
_TYPES = "{http://opcfoundation.org/UA/2008/02/Types.xsd}"
_REFERENCES = {
    "i=17604": "HasAddIn",
    "i=46": "HasProperty",
    "i=47": "HasComponent",
    "i=45": "HasSubtype",
    "i=35": "Organizes",
    "i=40": "HasTypeDefinition",
    "i=37": "HasModellingRule",
}

Id: TypeAlias = tuple[str, int | str]
"""Namespace URI and number (text for a few examples in the CNC nodeset)."""


@dataclass
class Node:
    """One node of a nodeset; `references`: (name or id of the reference type, forward, target)."""

    node_class: str
    browse_name: tuple[str, str]
    data_type: Id | None
    rank: int
    abstract: bool
    value: str
    references: set[tuple[str, bool, Id]] = field(default_factory=set)

    def target(self, reference: str, *, forward: bool = True) -> Id | None:
        return next((to for kind, ahead, to in self.references if kind == reference and ahead == forward), None)

    def members(self) -> set[tuple[str, Id]]:
        kinds = ("HasComponent", "HasProperty", "HasAddIn", "HasOrderedComponent")
        return {(kind, to) for kind, ahead, to in self.references if ahead and kind in kinds}


@cache
def nodes() -> dict[Id, Node]:
    """Every node of the companion nodesets, references known from both ends."""
    if not FOLDER.exists():
        reason = f"NO NODESETS TO COMPARE WITH: run `make test`, or `npm ci` in tests/node ({FOLDER})"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    found: dict[Id, Node] = {}
    for name in FILES:
        found |= _read(FOLDER / name)
    for here, node in list(found.items()):
        for kind, ahead, there in node.references:
            if there in found and kind not in ("HasTypeDefinition", "HasModellingRule"):
                found[there].references.add((kind, not ahead, here))
    return found


def _read(file: Path) -> dict[Id, Node]:
    root = ET.parse(file).getroot()
    uris = [STANDARD, *(str(uri.text) for uri in root.findall(f"{_SET}NamespaceUris/{_SET}Uri"))]
    alias = {str(one.get("Alias")): str(one.text) for one in root.iter(f"{_SET}Alias")}

    def identify(text: str) -> Id:
        text = alias.get(text, text)
        space, _, number = text.rpartition(";") if text.startswith("ns=") else ("ns=0", "", text)
        return uris[int(space[3:])], int(number[2:]) if number.startswith("i=") else number

    def name_of(text: str) -> tuple[str, str]:
        space, colon, name = text.partition(":")
        return (uris[int(space)], name) if colon and space.isdigit() else (STANDARD, text)

    found: dict[Id, Node] = {}
    for element in root:
        if not (node_id := element.get("NodeId")):
            continue
        data_type = element.get("DataType")
        node = Node(
            element.tag.removeprefix(_SET + "UA"),
            name_of(str(element.get("BrowseName"))),
            identify(data_type) if data_type else None,
            int(element.get("ValueRank", "-1")),
            element.get("IsAbstract") == "true",
            _value(element),
        )
        for reference in element.iter(f"{_SET}Reference"):
            kind = str(reference.get("ReferenceType"))
            kind = _REFERENCES.get(alias.get(kind, kind), kind)
            node.references.add((kind, reference.get("IsForward") != "false", identify(str(reference.text).strip())))
        found[identify(node_id)] = node
    return found


def _value(element: ET.Element) -> str:
    """Enumerations as `0=Active,...` or `Manual,...`; a plain value as its text."""
    value = element.find(f"{_SET}Value")
    if value is None:
        return ""
    pairs = [
        f"{one.findtext(f'{_TYPES}Value')}={next(one.iter(f'{_TYPES}Text')).text}"
        for one in value.iter(f"{_TYPES}EnumValueType")
    ]
    texts = [str(text.text) for text in value.iter(f"{_TYPES}Text")]
    return ",".join(pairs or texts) or "".join(value.itertext()).strip()
