"""Form bodies as the SDK writes them: `line_items[0][price_data][currency]=eur` to nested values."""

from typing import Any
from urllib.parse import parse_qsl

from sandbox.stripe.problem import invalid

_MAX_FIELDS = 1000


def decode(text: str) -> dict[str, Any]:
    """The nested value of a form body or query; a list is still a dict with digit keys. Raises StripeProblem."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise invalid(f"Invalid request body: {error}") from None
    tree: dict[str, Any] = {}
    for name, value in pairs:
        _place(tree, _path(name), value, name)
    return tree


def _path(name: str) -> list[str]:
    head, *rest = name.split("[")
    if not head or any(not part.endswith("]") for part in rest):
        raise invalid(f"Invalid parameter name: {name}", param=name)
    return [head, *(part[:-1] for part in rest)]


def _place(tree: dict[str, Any], path: list[str], value: str, name: str) -> None:
    """Put `value` at `path`; an empty step (`expand[]`) means the next place of a list."""
    here = tree
    for index, raw in enumerate(path):
        step = raw or str(len(here))
        if index == len(path) - 1:
            if step in here:
                raise invalid(f"Parameter given twice: {name}", param=name)
            here[step] = value
            return
        here = here.setdefault(step, {})
        if not isinstance(here, dict):
            raise invalid(f"Invalid object: {name}", param=name)
