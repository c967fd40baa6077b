"""The payload of a sealed record, read: from JSON text to a Record. `ocmf_write` says what the fields are."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
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
class _Draft:
    time: datetime
    quality: TimeQuality
    reason: Reason
    status: Status
    registers: dict[str, int] = field(default_factory=dict)


def _readings(body: Mapping[str, Any]) -> tuple[Reading, ...]:
    drafts = _drafts(body["RD"])
    first = fields.number(body["XS"], "XS", 1)
    gaps = _gaps(body.get("XG", []), len(drafts))
    cells = body.get("XC", [{}] * len(drafts))
    if not isinstance(cells, list) or len(cells) != len(drafts):
        raise OcmfError(f"not a list with one object for each of {len(drafts)} readings", "XC")
    return tuple(
        Reading(
            sequence=first + index,
            device_time=draft.time,
            time_quality=draft.quality,
            reason=draft.reason,
            status=draft.status,
            registers=draft.registers,
            spectrum=fields.read_cells(cells[index], f"XC[{index}]") if cells[index] else {},
            gap=gaps.get(index),
        )
        for index, draft in enumerate(drafts)
    )


def _drafts(entries: Any) -> list[_Draft]:
    if not isinstance(entries, list) or not 0 < len(entries) <= MAX_READINGS * MAX_REGISTERS:
        raise OcmfError("not a list of readings, or too long", "RD")
    drafts: list[_Draft] = []
    registers: dict[str, int] = {}
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise OcmfError("not an object", f"RD[{index}]")
        if "TM" in entry:
            drafts.append(_begin(entry, drafts[-1] if drafts else None, f"RD[{index}]"))
            registers = drafts[-1].registers
        elif not drafts or len(entry) != 3:
            raise OcmfError("no TM in the first entry, or a field that is not RV, RI, RU", f"RD[{index}]")
        _add_register(entry, registers, index)
    if len(drafts) > MAX_READINGS:
        raise OcmfError(f"{len(drafts)} readings, more than {MAX_READINGS}", "RD")
    return drafts


def _begin(entry: dict[str, Any], before: _Draft | None, where: str) -> _Draft:
    time, quality = fields.read_stamp(entry["TM"], f"{where}.TM")
    reason = _choice(_REASONS, entry.get("TX"), before.reason if before else None, f"{where}.TX")
    status = _choice(_STATUSES, entry.get("ST"), before.status if before else None, f"{where}.ST")
    if len(entry) != 4 + ("TX" in entry) + ("ST" in entry):
        raise OcmfError("a field that is not TM, TX, ST, RV, RI, RU", where)
    return _Draft(time, quality, reason, status)


def _choice(choices: Mapping[str, _Choice], text: Any, before: _Choice | None, where: str) -> _Choice:
    chosen = before if text is None else choices.get(text) if isinstance(text, str) else None
    if chosen is None:
        raise OcmfError(f"{text!r} is none of {', '.join(choices)}", where)
    return chosen


def _add_register(entry: dict[str, Any], registers: dict[str, int], index: int) -> None:
    value, code, unit = entry.get("RV"), entry.get("RI"), entry.get("RU")
    if type(value) is not int or not 0 <= value <= fields.MAX_VALUE:
        raise OcmfError(f"{value!r} is not an integer from 0 to {fields.MAX_VALUE}", f"RD[{index}].RV")
    if not isinstance(code, str) or unit != fields.unit_of(code, "RI"):
        raise OcmfError(f"{code!r} with unit {unit!r}", f"RD[{index}].RU")
    if code in registers or len(registers) >= MAX_REGISTERS:
        raise OcmfError(f"{code} twice in a reading, or more than {MAX_REGISTERS} registers", f"RD[{index}].RI")
    registers[code] = value


def _gaps(value: Any, readings: int) -> dict[int, Period]:
    gaps: dict[int, Period] = {}
    for item in value if isinstance(value, list) else [value]:
        if not isinstance(item, list) or len(item) != 3 or type(item[0]) is not int or not 0 <= item[0] < readings:
            raise OcmfError(f"{item!r} is not [reading, start, end]", "XG")
        gaps[item[0]] = fields.read_period(item[1], item[2], "XG")
    return gaps
