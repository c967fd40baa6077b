"""The JSON Schema of INVOICE.json, and examples of it.

The schema describes the shape for people and editors; the reader's own checks are stricter and have the last word.
"""

from importlib.resources import files

EXAMPLES = ("invoice", "credit-note", "fapiao", "red-fapiao", "goods")


def schema_text() -> str:
    """The JSON Schema (draft 2020-12)."""
    return _text("schemas", "einvoice")


def example_text(name: str) -> str:
    """A whole file that passes: a European invoice or credit note, a Chinese one blue or red, or goods codes."""
    return _text("examples", name)


def _text(folder: str, name: str) -> str:
    return files("billing.invoicing.einvoice").joinpath(folder, f"{name}.json").read_text(encoding="utf-8")
