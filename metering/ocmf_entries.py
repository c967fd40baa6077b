"""The list RD of a sealed payload, taken apart: heads, registers and values of its readings.

Two ways that say the same. Our own writer's spelling is read by its pattern, because the readings of a record repeat
one another but for times and values, and JSON would make an object of each of thousands of entries. Every other
spelling is read as JSON, which also names what is wrong and where.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from metering.ocmf_fields import MAX_READINGS, MAX_REGISTERS, MAX_VALUE, OcmfError, number, unit_of

_MARK = '"RD":['
_END = "]}"
# What stands around the values is compared as text. A pattern that begins with plain text is found quickest.
_VALUE = re.compile(r'"RV":([1-9][0-9]{0,18}|0),')
_HEAD = re.compile(r'\{"TM":"([^"\\]*)",(?:"TX":"([A-Z])",)?(?:"ST":"([A-Z])",)?')
_NEXT = ",{"
_REGISTER = re.compile(r'"RI":"([^"\\]*)","RU":"([^"\\]*)"\}')


@dataclass(slots=True)
class Entries:
    """Readings by parts: `heads` are (TM, TX or None, ST or None), `codes` and `values` of each reading's registers."""

    heads: list[tuple[Any, Any, Any]]
    codes: list[tuple[str, ...]]
    values: list[list[int]]


def scan(payload: str) -> tuple[str, Entries] | None:
    """The payload with RD emptied, and RD's entries; None when it is not our writer's spelling.

    Sound whatever the text: RD's place is that of a top-level field in the shortened text just when it is in the whole.
    """
    before, mark, listing = payload.rpartition(_MARK)
    if not mark or not listing.endswith(_END):
        return None
    parts = _VALUE.split(listing[: -len(_END)])
    between, values, tail = parts[0:-1:2], parts[1::2], parts[-1]
    width = next((index for index in range(1, len(between)) if '"TM"' in between[index]), len(between))
    if not values or len(values) % width or len(values) > MAX_READINGS * MAX_REGISTERS:
        return None
    inner = between[1:width]
    registers = [_REGISTER.fullmatch(text.removesuffix(_NEXT)) for text in inner] + [_REGISTER.fullmatch(tail)]
    if not all(text.endswith(_NEXT) for text in inner) or not all(registers):
        return None
    heads = _heads(between, width, inner, tail + ",")
    if heads is None:
        return None
    codes = tuple(match[1] for match in registers if match)
    _check_registers(codes, [match[2] for match in registers if match], 0)
    numbers = _checked(list(map(int, values)))
    rows = [numbers[start : start + width] for start in range(0, len(numbers), width)]
    return before + mark + _END, Entries(heads, [codes] * len(heads), rows)


def _heads(between: Sequence[str], width: int, inner: Sequence[str], closing: str) -> list[tuple[Any, Any, Any]] | None:
    """Each reading's head, if all readings hold the same registers in the same order."""
    heads = []
    for start in range(0, len(between), width):
        text = between[start]
        if start:
            if not text.startswith(closing):
                return None
            text = text[len(closing) :]
        head = _HEAD.fullmatch(text)
        if head is None or between[start + 1 : start + width] != inner:
            return None
        heads.append((head[1], head[2], head[3]))
    return heads


def from_json(entries: Any) -> Entries:
    """The entries of RD as JSON has read it."""
    if not isinstance(entries, list) or not 0 < len(entries) <= MAX_READINGS * MAX_REGISTERS:
        raise OcmfError("not a list of readings, or too long", "RD")
    if not all(isinstance(entry, dict) and {"RV", "RI", "RU"} <= entry.keys() for entry in entries):
        raise OcmfError("an entry is not an object with RV, RI and RU", "RD")
    starts = [index for index, entry in enumerate(entries) if len(entry) != 3]
    if starts[:1] != [0]:
        raise OcmfError("no TM in the first entry", "RD[0]")
    read = Entries([], [], [])
    values = _checked([entry["RV"] for entry in entries])
    for start, end in pairwise([*starts, len(entries)]):
        codes = tuple(entry["RI"] for entry in entries[start:end])
        _check_registers(codes, [entry["RU"] for entry in entries[start:end]], start)
        read.heads.append(_head(entries[start], start))
        read.codes.append(codes)
        read.values.append(values[start:end])
    return read


def _head(entry: dict[str, Any], index: int) -> tuple[Any, Any, Any]:
    if "TM" not in entry or not entry.keys() <= {"TM", "TX", "ST", "RV", "RI", "RU"}:
        raise OcmfError("no TM, or a field that is not TM, TX, ST, RV, RI, RU", f"RD[{index}]")
    return entry["TM"], entry.get("TX"), entry.get("ST")


def _checked(values: list[Any]) -> list[int]:
    if set(map(type, values)) != {int} or min(values) < 0 or max(values) > MAX_VALUE:
        for index, value in enumerate(values):
            number(value, f"RD[{index}].RV")
    return values


def _check_registers(codes: Sequence[Any], units: Sequence[Any], start: int) -> None:
    """The registers of one reading: each of the catalogue, with its unit, once."""
    if len(codes) > MAX_REGISTERS:
        raise OcmfError(f"more than {MAX_REGISTERS} registers in a reading", f"RD[{start}]")
    for index, (code, unit) in enumerate(zip(codes, units, strict=True), start=start):
        if not isinstance(code, str) or unit != unit_of(code, f"RD[{index}].RI"):
            raise OcmfError(f"{code!r} with unit {unit!r}", f"RD[{index}].RU")
        if code in codes[: index - start]:
            raise OcmfError(f"{code} twice in a reading", f"RD[{index}].RI")
