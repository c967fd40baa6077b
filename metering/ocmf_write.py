"""The payload of a sealed record, written: from a Record to JSON text.

OCMF's fields: FV, GI, GS agent, PG "T<n>", MM machine model, MS meter serial, IS/IT (no user assigned), RD readings. An
RD entry with TM begins a reading and carries TX and ST where they differ from the reading before; every entry adds one
register (RV exact integer, RI code, RU smallest unit). Extension fields: XP, XR, XS, XG, XC (metering/README.md).
"""

import json
from collections.abc import Sequence

from metering import ocmf_fields as fields
from metering.ocmf_fields import FORMAT_VERSION, MAX_READINGS, MAX_REGISTERS, OcmfError
from metering.period import Period
from metering.reading import Reading, Reason, Record, Status

GATEWAY = "SpindleShare machine agent"


def encode(record: Record) -> str:
    """The payload text of `record`: ASCII, no `|`, no line break.

    OcmfError when it holds what a text cannot say: no reading, a hole in the sequence, a reading without registers, a
    time finer than a millisecond, a value that is negative or beyond 63 bits, a register outside the catalogue.
    """
    _check_readings(record.readings)
    payload: dict[str, object] = {
        "FV": FORMAT_VERSION,
        "GI": GATEWAY,
        "GS": fields.name(record.agent, "GS"),
        "PG": f"T{fields.number(record.pagination, 'PG', 1)}",
        "MM": fields.name(record.machine_model, "MM"),
        "MS": fields.name(record.meter, "MS"),
        "IS": False,
        "IT": "NONE",
        "XP": fields.link(record.previous, "XP"),
        "XR": record.replayed,
        "XS": record.readings[0].sequence,
    }
    if gaps := [_gap(index, reading.gap) for index, reading in enumerate(record.readings) if reading.gap]:
        payload["XG"] = gaps
    if any(reading.spectrum for reading in record.readings):
        payload["XC"] = [fields.cells_json(reading.spectrum, "XC") for reading in record.readings]
    payload["RD"] = _entries(record.readings)
    return json.dumps(payload, separators=(",", ":")).replace("|", "\\u007c")


def _check_readings(readings: Sequence[Reading]) -> None:
    if not 0 < len(readings) <= MAX_READINGS:
        raise OcmfError(f"{len(readings)} readings, not 1 to {MAX_READINGS}", "RD")
    first = fields.number(readings[0].sequence, "XS", 1)
    for index, reading in enumerate(readings):
        if reading.sequence != first + index:
            raise OcmfError(f"sequence {reading.sequence} where {first + index} follows", f"reading {index}")
        if not 0 < len(reading.registers) <= MAX_REGISTERS:
            raise OcmfError(f"{len(reading.registers)} registers, not 1 to {MAX_REGISTERS}", f"reading {index}")


def _gap(index: int, gap: Period) -> list[object]:
    return [index, fields.time_text(gap.start, "XG"), fields.time_text(gap.end, "XG")]


def _entries(readings: Sequence[Reading]) -> list[dict[str, object]]:
    entries: list[dict[str, object]] = []
    reason: Reason | None = None
    status: Status | None = None
    for reading in readings:
        head: dict[str, object] = {"TM": f"{fields.time_text(reading.device_time, 'TM')} {reading.time_quality}"}
        if reading.reason is not reason:
            head["TX"] = reason = reading.reason
        if reading.status is not status:
            head["ST"] = status = reading.status
        for code, value in reading.registers.items():
            unit = fields.unit_of(code, "RI")
            entries.append({**head, "RV": fields.number(value, f"RV of {code}"), "RI": code, "RU": unit})
            head = {}
    return entries
