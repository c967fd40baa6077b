"""MTConnect's XML read safely: a stream of elements, with no document type, no entity, and limits on size and depth.

A document that declares a type could define entities that grow without end or name files; MTConnect has none, so one
that does is refused whole.
"""

from collections.abc import Callable, Mapping
from typing import Any
from xml.parsers import expat

MAX_BYTES = 64 * 1024 * 1024
_MAX_DEPTH = 64

Begin = Callable[[str, Mapping[str, str]], None]
End = Callable[[str, str], None]


class XmlRefused(ValueError):
    """The document is not well-formed, declares a document type, or is too large or too deep."""


def read(document: bytes, *, begin: Begin, end: End) -> None:
    """Call `begin` with each element's name (without prefix) and attributes, `end` with its name and own text.

    XmlRefused; what was called before stays called.
    """
    if len(document) > MAX_BYTES:
        raise XmlRefused(f"{len(document)} bytes are more than {MAX_BYTES}")
    texts: list[list[str]] = []

    def start_element(name: str, attributes: dict[str, str]) -> None:
        if len(texts) >= _MAX_DEPTH:
            raise XmlRefused(f"more than {_MAX_DEPTH} elements within one another")
        texts.append([])
        begin(_local(name), attributes)

    def end_element(name: str) -> None:
        end(_local(name), "".join(texts.pop()).strip())

    def refuse(*_: Any) -> None:
        raise XmlRefused("it declares a document type, which MTConnect does not have")

    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = start_element
    parser.EndElementHandler = end_element
    parser.CharacterDataHandler = lambda text: texts[-1].append(text) if texts else None
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        raise XmlRefused(f"it is no XML: {error}") from error


def _local(name: str) -> str:
    """Extensions have a prefix (`x:Vibration`); it says whose they are, not what."""
    return name.rpartition(":")[2]
