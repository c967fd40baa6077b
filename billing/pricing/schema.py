"""The JSON Schemas of TARIFF.json and USAGE.json, and an example of each: the worked month of the documentation.

The schemas describe the shape for people and editors; the values' own checks are stricter and have the last word.
"""

import json
from importlib.resources import files
from typing import Any

NAMES = ("tariff", "usage")


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of `tariff` or `usage`."""
    found: dict[str, Any] = json.loads(schema_text(name))
    return found


def schema_text(name: str) -> str:
    return _text("schemas", name)


def example_text(name: str) -> str:
    """A whole file that prices: `tariff` or `usage`."""
    return _text("examples", name)


def _text(folder: str, name: str) -> str:
    return files("billing.pricing").joinpath(folder, f"{name}.json").read_text(encoding="utf-8")
