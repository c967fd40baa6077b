"""A components file: TOML with one `[[component]]` each, read exactly."""

import tomllib
from decimal import Decimal
from pathlib import Path

from metering.components.fields import ComponentRefused, Problem
from metering.components.told import Told, told

LARGEST_BYTES = 1_000_000
EXAMPLE = Path(__file__).with_name("components.example.toml")


def read_components(content: bytes) -> list[Told]:
    """The components that the file describes. Raises ComponentRefused, which names every wrong field of every one."""
    if len(content) > LARGEST_BYTES:
        raise ComponentRefused([Problem("", f"the file is larger than {LARGEST_BYTES} bytes; is it the right one?")])
    try:
        data = tomllib.loads(content.decode(), parse_float=Decimal)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ComponentRefused([Problem("", f"the file is no TOML: {error}")]) from None
    found = data.get("component")
    if not isinstance(found, list) or not found:
        raise ComponentRefused(
            [Problem("", "the file has no [[component]]; `spindleshare components example` shows one")]
        )
    problems = [
        Problem(name, "is not known here; write [[component]] tables only") for name in data if name != "component"
    ]
    read = []
    for index, one in enumerate(found):
        try:
            read.append(told(one))
        except ComponentRefused as refused:
            where = f"component[{index}]"
            problems += [
                Problem(f"{where}.{each.field}" if each.field else where, each.message) for each in refused.problems
            ]
    if problems:
        raise ComponentRefused(problems)
    return read
