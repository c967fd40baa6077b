"""The payload of a sealed record, read: from JSON text to a Record. `ocmf_write` says what the fields are."""

import json
from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

from metering import ocmf_entries
from metering import ocmf_fields as fields
from metering.ocmf_entries import Entries
from metering.ocmf_fields import FORMAT_VERSION, MAX_READINGS, OcmfError
from metering.period import Period
from metering.reading import Reading, Reason, Record, Status
from metering.values import Values

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
    scanned = ocmf_entries.scan(payload)
    if scanned is not None:
        return _record(_load(scanned[0]), scanned[1])
    return decode_json(payload)


def decode_json(payload: str) -> Record:
    """The same without the short cut for our own writer's spelling."""
    return _record(_load(payload), None)


def _load(payload: str) -> dict[str, Any]:
    try:
        body = _JSON.decode(payload)
    except OcmfError:
        raise
    except (ValueError, RecursionError) as error:
        raise OcmfError(f"no JSON: {error}", "payload") from None
    _check_fields(body)
    fields_of_body: dict[str, Any] = body
    return fields_of_body


def _record(body: dict[str, Any], entries: Entries | None) -> Record:
    return Record(
        agent=fields.name(body["GS"], "GS"),
        meter=fields.name(body["MS"], "MS"),
        machine_model=fields.name(body["MM"], "MM"),
        pagination=_pagination(body["PG"]),
        previous=fields.link(body["XP"], "XP"),
        replayed=body["XR"],
        readings=_readings(body, entries or ocmf_entries.from_json(body["RD"])),
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


def _readings(body: Mapping[str, Any], entries: Entries) -> tuple[Reading, ...]:
    count = len(entries.heads)
    if count > MAX_READINGS:
        raise OcmfError(f"more than {MAX_READINGS} readings", "RD")
    first = fields.number(body["XS"], "XS", 1)
    gaps = _gaps(body.get("XG", []), count)
    cells = body.get("XC", [{}] * count)
    if not isinstance(cells, list) or len(cells) != count:
        raise OcmfError(f"not a list with one object for each of {count} readings", "XC")
    reason: Reason | None = None
    status: Status | None = None
    readings = []
    for index, (tm, tx, st) in enumerate(entries.heads):
        time, quality = fields.read_stamp(tm, f"TM of reading {index}")
        reason = _choice(_REASONS, tx, reason, f"TX of reading {index}")
        status = _choice(_STATUSES, st, status, f"ST of reading {index}")
        registers = Values(entries.codes[index], entries.values[index])
        spectrum = fields.read_cells(cells[index], f"XC[{index}]")
        readings.append(Reading(first + index, time, quality, reason, status, registers, spectrum, gaps.get(index)))
    return tuple(readings)


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
