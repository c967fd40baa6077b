"""What a tariff can price: every register, sums over a register's parts, wear hours, and counted things.

A dimension is a register code (`spindle_on`, `travel.X`), a register name with `.*` for the sum over all its parts
(`travel.*`), wear hours (`wear_hours`, `wear_hours.S1`), or one of the counted dimensions below.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from metering.register import UnknownRegister, billed_unit, catalogue, describe

# Up to two parts, as in `counter_beside.auto.gap`.
_SPELLING = re.compile(r"[a-z_]+(\.[A-Za-z0-9_-]{1,20}){0,2}(\.\*)?")
WEAR_HOURS = "wear_hours"
_COUNTED = {"booked_time": "h", "idle_time": "h", "sessions": "1"}


@lru_cache(maxsize=4096)
def is_dimension(name: str) -> bool:
    """Whether a tariff may price `name`."""
    if name in _COUNTED:
        return True
    if not _SPELLING.fullmatch(name):
        return False
    try:
        describe(name)
    except UnknownRegister:
        return is_wear(name) and not name.endswith(".*")
    return True


def is_wear(name: str) -> bool:
    return name == WEAR_HOURS or name.startswith(WEAR_HOURS + ".")


def is_register(name: str) -> bool:
    return is_dimension(name) and not is_wear(name) and name not in _COUNTED


def unit_of(name: str) -> str:
    """The unit people are billed in: h, km, kWh, rev, WH (wear hours) or 1."""
    if is_wear(name):
        return "WH"
    return _COUNTED.get(name) or billed_unit(name)


def members(dimension: str, codes: Iterable[str]) -> list[str]:
    """The `codes` whose sum is `dimension`: itself, or every part for `name.*`."""
    if dimension.endswith(".*"):
        stem = dimension[:-1]
        return [code for code in codes if code.startswith(stem)]
    return [code for code in codes if code == dimension]


def known() -> str:
    """A sentence naming what can be priced, for messages."""
    names = ", ".join(register.name for register in catalogue())
    counted = ", ".join(_COUNTED)
    return f"a register ({names}; with a part such as travel.X, or travel.* for all parts), wear_hours, {counted}"
