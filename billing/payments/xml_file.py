"""XML from outside, read without doing what it says: no entities, no network, no document type, no giants."""

from collections.abc import Iterator
from typing import cast

from lxml import etree

from billing.payments.statement import StatementRefused

LARGEST_BYTES = 50_000_000
_DECLARATIONS = (b"<!DOCTYPE", b"<!ENTITY")
_ENCODINGS = ("utf-8", "utf8", "utf-16", "utf-16le", "utf-16be", "us-ascii", "ascii", "iso-8859-", "windows-125")


class Node:
    """An element by local names, so that every version and namespace prefix reads the same."""

    __slots__ = ("_element",)

    def __init__(self, element: "etree._Element") -> None:
        self._element = element

    @property
    def name(self) -> str:
        """The name without its namespace."""
        return etree.QName(self._element).localname

    @property
    def namespace(self) -> str:
        return etree.QName(self._element).namespace or ""

    @property
    def line(self) -> int | None:
        """Where it begins in the file."""
        return cast("int | None", self._element.sourceline)

    @property
    def text(self) -> str:
        """Its own text without surrounding space."""
        return (self._element.text or "").strip()

    def attribute(self, name: str) -> str:
        return (self._element.get(name) or "").strip()

    def all(self, path: str) -> Iterator["Node"]:
        """Every descendant at `path` (`NtryDtls/TxDtls`), in order."""
        step, _, rest = path.partition("/")
        for child in self._element:
            if isinstance(child.tag, str) and etree.QName(child).localname == step:
                yield from Node(child).all(rest) if rest else (Node(child),)

    def first(self, *paths: str) -> "Node | None":
        """The first element at the first path that leads anywhere."""
        return next((node for path in paths for node in self.all(path)), None)

    def value(self, *paths: str) -> str:
        """The text at the first path that has any, else an empty text."""
        return next((node.text for path in paths for node in self.all(path) if node.text), "")


def read(content: bytes) -> Node:
    """The root of an XML file. Raises StatementRefused, with the line, for what is no plain, well-formed XML."""
    if not content.strip():
        raise StatementRefused("the file is empty")
    if len(content) > LARGEST_BYTES:
        raise StatementRefused(f"the file has {len(content)} bytes; at most {LARGEST_BYTES} are read")
    plain = content.replace(b"\0", b"")  # so that UTF-16 hides nothing
    if any(word in plain for word in _DECLARATIONS):
        raise StatementRefused("the file declares a document type or entities, which are not taken")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False, recover=False
    )
    try:
        root = etree.fromstring(content, parser)
    except etree.XMLSyntaxError as error:
        raise StatementRefused(f"not well-formed XML: {error.msg}", error.lineno or None) from None
    except ValueError as error:
        raise StatementRefused(f"not readable as XML: {error}") from None
    document = root.getroottree().docinfo
    if document.internalDTD is not None or not _known(document.encoding):
        raise StatementRefused(f"the file has a document type or an encoding that is not read ({document.encoding})")
    return Node(root)


def _known(encoding: str | None) -> bool:
    return encoding is None or encoding.lower().startswith(_ENCODINGS)
