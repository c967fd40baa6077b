"""The payload of a sealed record, read: from JSON text to a Record. `ocmf_write` says what the fields are."""

import json
from typing import Any, NoReturn

from metering import ocmf_fields as fields
from metering import ocmf_readings
from metering.ocmf_fields import FORMAT_VERSION, NumberText, OcmfError
from metering.reading import Clocks, Record

REQUIRED = {"FV", "GI", "GS", "PG", "MM", "MS", "IS", "IT", "RD", "XP", "XR", "XS", "XT", "XC", "XV"}
KNOWN = REQUIRED | {"XK", "XL", "XG", "XI", "XH"}


def _refuse_number(text: str) -> NoReturn:
    raise OcmfError(f"{text} is no number", "payload")


_JSON = json.JSONDecoder(parse_float=NumberText, parse_constant=_refuse_number)


def decode(payload: str) -> Record:
    """The record that a payload text says; OcmfError names what is wrong and where."""
    body = _load(payload)
    return Record(
        agent=fields.name(body["GS"], "GS"),
        meter=fields.name(body["MS"], "MS"),
        machine_model=fields.name(body["MM"], "MM"),
        pagination=read_pagination(body["PG"]),
        previous=fields.link(body["XP"], "XP"),
        replayed=body["XR"],
        readings=ocmf_readings.read(body),
        clocks=read_clocks(body["XT"], body.get("XK")),
        recovered=ocmf_readings.read_recovered(body["XH"]) if "XH" in body else (),
    )


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


def _check_fields(body: Any) -> None:
    if not isinstance(body, dict):
        raise OcmfError("not a JSON object", "payload")
    if missing := REQUIRED - body.keys():
        raise OcmfError(f"{', '.join(sorted(missing))} missing", "payload")
    if unknown := body.keys() - KNOWN:
        raise OcmfError(f"unknown field {', '.join(sorted(unknown))}", "payload")
    for key, value in (("FV", FORMAT_VERSION), ("IS", False), ("IT", "NONE")):
        if body[key] != value or type(body[key]) is not type(value):
            raise OcmfError(f"{body[key]!r} instead of {value!r}", key)
    if type(body["XR"]) is not bool:
        raise OcmfError(f"{body['XR']!r} is not true or false", "XR")


def read_pagination(text: Any) -> int:
    """The number that PG says."""
    digits = text[1:] if isinstance(text, str) and text[:1] == "T" else ""
    if not (digits.isascii() and digits.isdigit() and len(digits) < 20 and digits[0] != "0"):
        raise OcmfError(f"{text!r} is not T and a number from 1", "PG")
    return fields.number(int(digits), "PG", 1)


def read_clocks(told: Any, steps: Any) -> Clocks:
    """The clocks that XT says, with the steps of XK where it is there."""
    if not isinstance(told, list) or len(told) != 4:
        raise OcmfError(f"{told!r} is not [wall clock, monotonic ms, boot, source ahead ms]", "XT")
    if steps is not None and (not isinstance(steps, list) or len(steps) != 2 or steps == [0, 0]):
        raise OcmfError(f"{steps!r} is not [wall step ms, source step ms]", "XK")
    wall, monotonic, boot, ahead = told
    return Clocks(
        fields.read_time(wall, "XT"),
        fields.number(monotonic, "XT"),
        fields.name(boot, "XT"),
        None if ahead is None else fields.signed(ahead, "XT"),
        *((fields.signed(step, "XK") for step in steps) if steps else ()),
    )
