"""OCMF records of any make, read as the public transparency software reads them, to check a meter that is not ours.

Our own records have one spelling and a chain (`ocmf`); a charging station's or an energy meter's have neither, but the
same envelope: `OCMF|<payload JSON>|<signature JSON>`, signed over the payload's bytes as they stand.
[SAFE e.V., Open Charge Metering Format 1.4.1; its transparency software]
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from metering import ocmf_keys
from metering.ocmf_fields import OcmfError
from metering.ocmf_keys import DEFAULT, PublicKey

MAX_TEXT_BYTES = 512 * 1024
_VERSION = re.compile(r"(\d+)\.(\d+)")
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{3}[+-]\d{4})(?: ([UISR]))?")
#: Left out where a reading has the same as the one before it in the record.
_CARRIED = ("TM", "TX", "RI", "RU", "RT", "EF", "ST", "EI")
_NUMBER = re.compile(r"[+-]?\d{1,30}(?:\.\d{1,30})?(?:[eE][+-]?\d{1,2})?")


@dataclass(frozen=True, slots=True)
class PublicReading:
    """One entry of RD with what it leaves out filled in; a field that nothing said is empty or None.

    `value` has the number's own decimals. `kind` is TX (B, C, X, E, L, R, A, P, S, T), `status` ST, `errors` EF.
    """

    time: datetime | None
    quality: str
    kind: str
    value: Decimal | None
    identifier: str
    unit: str
    status: str
    errors: str
    events: str


@dataclass(frozen=True, slots=True)
class PublicRecord:
    """A record and what it takes to check it; `fields` is the payload as JSON says it, numbers as their text."""

    payload: str
    fields: Mapping[str, Any]
    readings: tuple[PublicReading, ...]
    algorithm: str
    signature: bytes

    def text_of(self, key: str) -> str:
        """A field of the payload as text; empty where it is not given."""
        value = self.fields.get(key)
        return "" if value is None else str(value)

    @property
    def meter(self) -> str:
        """The serial that names it: the meter's, else the gateway's."""
        return self.text_of("MS") or self.text_of("GS")


def read(text: str) -> PublicRecord:
    """The record that `text` says; its signature is not looked at (see `verify`). OcmfError: what is wrong, where."""
    text = text.strip()
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise OcmfError(f"more than {MAX_TEXT_BYTES} bytes", "text")
    header, _, rest = text.partition("|")
    payload, bar, section = rest.partition("|")
    if header != "OCMF":
        raise OcmfError("the text does not begin with 'OCMF|'", "header")
    if not bar:
        raise OcmfError("there is no signature section", "signature")
    fields, signed = _object(payload, "payload"), _object(section.partition("|")[0], "signature")
    _check_version(fields.get("FV"))
    return PublicRecord(
        payload, fields, _readings(fields.get("RD")), _text(signed, "SA") or DEFAULT, _signature(signed)
    )


def verify(record: PublicRecord, key: PublicKey) -> None:
    """Raise BadSignature unless `key`'s other half sealed the payload, byte for byte."""
    ocmf_keys.check(record.signature, record.payload.encode(), key)


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        # Numbers stay text: their zeros at the end say their resolution.
        body = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (ValueError, RecursionError) as error:
        raise OcmfError(f"no JSON: {error}", where) from None
    if not isinstance(body, dict):
        raise OcmfError("not a JSON object", where)
    return body


def _check_version(version: object) -> None:
    match = _VERSION.fullmatch(version) if isinstance(version, str) else None
    if match is None or not (0, 1) <= (int(match[1]), int(match[2])) <= (1, 4):
        raise OcmfError(f"{version!r} is not a version from 0.1 to 1.4", "FV")


def _signature(signed: Mapping[str, Any]) -> bytes:
    try:
        return ocmf_keys.decode_signature(_text(signed, "SD"), _text(signed, "SE") or "hex")
    except ValueError as error:
        raise OcmfError(f"not a signature: {error}", "SD") from None


def _text(body: Mapping[str, Any], key: str) -> str:
    value = body.get(key, "")
    if value is not None and not isinstance(value, str):
        raise OcmfError(f"{value!r} is no text", key)
    return value or ""


def _readings(entries: object) -> tuple[PublicReading, ...]:
    if not isinstance(entries, list) or not entries:
        raise OcmfError("there are no readings", "RD")
    carried: dict[str, Any] = {}
    readings = []
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise OcmfError("not a JSON object", f"RD[{place}]")
        carried = {key: entry.get(key, carried.get(key)) for key in _CARRIED}
        readings.append(_reading({**entry, **carried}, f"RD[{place}]"))
    return tuple(readings)


def _reading(entry: Mapping[str, Any], where: str) -> PublicReading:
    time, quality = _stamp(entry.get("TM"), f"{where}.TM")
    told = {key: str(entry.get(key) or "").strip() for key in ("TX", "RI", "RU", "ST", "EF", "EI")}
    value = _value(entry.get("RV"), f"{where}.RV")
    return PublicReading(time, quality, told["TX"], value, told["RI"], told["RU"], told["ST"], told["EF"], told["EI"])


def _stamp(told: object, where: str) -> tuple[datetime | None, str]:
    if told is None:
        return None, ""
    match = _STAMP.fullmatch(told) if isinstance(told, str) else None
    try:
        if match is not None:
            return datetime.fromisoformat(match[1]), match[2] or ""
    except ValueError:
        pass
    raise OcmfError(f"{told!r} is not a time like 2018-07-24T13:22:04,000+0200 S", where)


def _value(told: object, where: str) -> Decimal | None:
    if told is None:
        return None
    text = told.strip() if isinstance(told, str) else ""
    try:
        if _NUMBER.fullmatch(text):
            return Decimal(text)
    except InvalidOperation:
        pass
    raise OcmfError(f"{told!r} is no number", where)
