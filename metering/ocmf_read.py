"""The payload of a sealed record, read: from JSON text to a Record. `ocmf_write` says what the fields are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, NoReturn, TypeVar

from metering import ocmf_fields as fields
from metering.ocmf_fields import FORMAT_VERSION, MAX_READINGS, MAX_REGISTERS, OcmfError
from metering.period import Period
from metering.reading import Reading, Reason, Record, Status, TimeQuality

_REQUIRED = {"FV", "GI", "GS", "PG", "MM", "MS", "IS", "IT", "XP", "XR", "XS", "RD"}
_KNOWN = _REQUIRED | {"XG", "XC"}
_REASONS = {str(reason): reason for reason in Reason}
_STATUSES = {str(status): status for status in Status}
_Choice = TypeVar("_Choice", Reason, Status)


def _refuse_number(text: str) -> NoReturn:
    raise OcmfError(f"{text} is not an exact integer", "payload")


_JSON = json.JSONDecoder(parse_float=_refuse_number, parse_constant=_refuse_number)


def decode(payload: str) -> Record:
    """The record that a payload text says; OcmfError names what is wrong and where."""
    try:
        body = _JSON.decode(payload)
    except OcmfError:
        raise
    except (ValueError, RecursionError) as error:
        raise OcmfError(f"no JSON: {error}", "payload") from None
    _check_fields(body)
    return Record(
        agent=fields.name(body["GS"], "GS"),
        meter=fields.name(body["MS"], "MS"),
        machine_model=fields.name(body["MM"], "MM"),
        pagination=_pagination(body["PG"]),
        previous=fields.link(body["XP"], "XP"),
        replayed=body["XR"],
        readings=_readings(body),
    )


def _check_fields(body: Any) -> None:
    if not isinstance(body, dict):
        raise OcmfError("not a JSON object", "payload")
    if missing := _REQUIRED - body.keys():
        raise OcmfError(f"{', '.join(sorted(missing))} missing", "payload")
    if unknown := body.keys() - _KNOWN:
        raise OcmfError(f"unknown field {', '.join(sorted(unknown))}", "payload")
    for key, value in (("FV", FORMAT_VERSION), ("IS", False), ("IT", "NONE")):
        if body[key] != value or type(body[key]) is not type(value):
            raise OcmfError(f"{body[key]!r} instead of {value!r}", key)
    if type(body["XR"]) is not bool:
        raise OcmfError(f"{body['XR']!r} is not true or false", "XR")


def _pagination(text: Any) -> int:
    digits = text[1:] if isinstance(text, str) and text[:1] == "T" else ""
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20 and digits[0] != "0"):
        raise OcmfError(f"{text!r} is not T and a number from 1", "PG")
    return fields.number(int(digits), "PG", 1)


@dataclass(slots=True)
class _Head:
    """What the first entry of a reading says beside its register."""

    time: datetime
    quality: TimeQuality
    reason: Reason
    status: Status


def _readings(body: Mapping[str, Any]) -> tuple[Reading, ...]:
    heads, registers = _heads_and_registers(body["RD"])
    first = fields.number(body["XS"], "XS", 1)
    gaps = _gaps(body.get("XG", []), len(heads))
    cells = body.get("XC", [{}] * len(heads))
    if not isinstance(cells, list) or len(cells) != len(heads):
        raise OcmfError(f"not a list with one object for each of {len(heads)} readings", "XC")
    return tuple(
        Reading(
            first + index,
            head.time,
            head.quality,
            head.reason,
            head.status,
            registers[index],
            fields.read_cells(cells[index], f"XC[{index}]"),
            gaps.get(index),
        )
        for index, head in enumerate(heads)
    )


def _heads_and_registers(entries: Any) -> tuple[list[_Head], list[dict[str, int]]]:
    """RD as readings. Taken by columns, because a record of many readings holds thousands of entries."""
    if not isinstance(entries, list) or not 0 < len(entries) <= MAX_READINGS * MAX_REGISTERS:
        raise OcmfError("not a list of readings, or too long", "RD")
    try:
        codes, units = [entry["RI"] for entry in entries], [entry["RU"] for entry in entries]
        values, sizes = [entry["RV"] for entry in entries], [len(entry) for entry in entries]
        starts = [index for index, size in enumerate(sizes) if size != 3]
    except (KeyError, TypeError):
        raise OcmfError("an entry is not an object with RV, RI and RU", "RD") from None
    if starts[:1] != [0] or len(starts) > MAX_READINGS:
        raise OcmfError(f"no TM in the first entry, or more than {MAX_READINGS} readings", "RD")
    _check_values(values)
    heads: list[_Head] = []
    registers: list[dict[str, int]] = []
    known: tuple[list[Any], list[Any]] | None = None
    for start, end in pairwise([*starts, len(entries)]):
        heads.append(_head(entries[start], heads[-1] if heads else None, start))
        layout = (codes[start:end], units[start:end])
        if layout != known:
            _check_layout(*layout, start)
            known = layout
        registers.append(dict(zip(layout[0], values[start:end], strict=True)))
    return heads, registers


def _check_values(values: list[Any]) -> None:
    if set(map(type, values)) == {int} and min(values) >= 0 and max(values) <= fields.MAX_VALUE:
        return
    for index, value in enumerate(values):
        fields.number(value, f"RD[{index}].RV")


def _check_layout(codes: list[Any], units: list[Any], start: int) -> None:
    """The registers of one reading: each of the catalogue, with its unit, once."""
    if len(codes) > MAX_REGISTERS:
        raise OcmfError(f"more than {MAX_REGISTERS} registers in a reading", f"RD[{start}]")
    for index, (code, unit) in enumerate(zip(codes, units, strict=True), start=start):
        if not isinstance(code, str) or unit != fields.unit_of(code, f"RD[{index}].RI"):
            raise OcmfError(f"{code!r} with unit {unit!r}", f"RD[{index}].RU")
        if code in codes[: index - start]:
            raise OcmfError(f"{code} twice in a reading", f"RD[{index}].RI")


def _head(entry: dict[str, Any], before: _Head | None, index: int) -> _Head:
    where = f"RD[{index}]"
    if len(entry) != 3 + ("TM" in entry) + ("TX" in entry) + ("ST" in entry) or "TM" not in entry:
        raise OcmfError("no TM, or a field that is not TM, TX, ST, RV, RI, RU", where)
    time, quality = fields.read_stamp(entry["TM"], f"{where}.TM")
    reason = _choice(_REASONS, entry.get("TX"), before.reason if before else None, f"{where}.TX")
    status = _choice(_STATUSES, entry.get("ST"), before.status if before else None, f"{where}.ST")
    return _Head(time, quality, reason, status)


def _choice(choices: Mapping[str, _Choice], text: Any, before: _Choice | None, where: str) -> _Choice:
    chosen = before if text is None else choices.get(text) if isinstance(text, str) else None
    if chosen is None:
        raise OcmfError(f"{text!r} is none of {', '.join(choices)}", where)
    return chosen


def _gaps(value: Any, readings: int) -> dict[int, Period]:
    gaps: dict[int, Period] = {}
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, list) or len(item) != 3 or type(item[0]) is not int or not 0 <= item[0] < readings:
            raise OcmfError(f"{item!r} is not [reading, start, end]", "XG")
        gaps[item[0]] = fields.read_period(item[1], item[2], "XG")
    return gaps
