"""XML as it is written: elements without content are left out, so that none is ever empty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr


@dataclass(frozen=True, slots=True)
class Node:
    """An element: its prefixed name, attributes, and text or children."""

    name: str
    text: str = ""
    children: tuple["Node", ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()


def leaf(name: str, text: object, /, **attributes: str) -> Node | None:
    """An element with text; None where there is no text. Attributes without a value are left out."""
    found = "" if text is None else str(text)
    if not found.strip():
        return None
    return Node(name, found, attributes=tuple((key, value) for key, value in attributes.items() if value))


def branch(name: str, *children: "Node | Sequence[Node | None] | None") -> Node | None:
    """An element of elements; None where none of them is there."""
    found: list[Node] = []
    for child in children:
        if isinstance(child, Node):
            found.append(child)
        elif child is not None:
            found += [each for each in child if each is not None]
    return Node(name, children=tuple(found)) if found else None


def document(root: Node | None, namespaces: Mapping[str, str]) -> bytes:
    """The file: UTF-8, indented by two, the same for the same invoice. `namespaces` by prefix, "" for the default."""
    if root is None:
        raise ValueError("a document needs content")
    declared = "".join(f" xmlns{':' if prefix else ''}{prefix}={quoteattr(uri)}" for prefix, uri in namespaces.items())
    lines = ['<?xml version="1.0" encoding="UTF-8"?>']
    _write(root, lines, "", declared)
    return ("\n".join(lines) + "\n").encode()


def _write(node: Node, lines: list[str], indent: str, more: str = "") -> None:
    head = f"{indent}<{node.name}{more}" + "".join(f" {key}={quoteattr(value)}" for key, value in node.attributes)
    if not node.children:
        lines.append(f"{head}>{_escaped(node.text)}</{node.name}>")
        return
    lines.append(f"{head}>")
    for child in node.children:
        _write(child, lines, indent + "  ")
    lines.append(f"{indent}</{node.name}>")


def _escaped(text: str) -> str:
    # Not characters of XML 1.0, though they are of Unicode.
    return escape(text.replace("￾", "�").replace("￿", "�"))
