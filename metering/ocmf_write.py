"""The payload of a sealed record, written: from a Record to JSON text.

OCMF's fields: FV, GI, GS agent, PG "T<n>", MM machine model, MS meter serial, IS/IT (no user assigned), RD readings,
one entry each with its leading register. Extension fields: XP, XR, XS, XT, XK, XC, XV, XL, XG, XI, XH
(metering/README.md).
"""

import json
from collections.abc import Iterator, Sequence

from metering import ocmf_fields as fields
from metering.ocmf_fields import FORMAT_VERSION, MAX_READINGS, MAX_REGISTERS, OcmfError
from metering.ocmf_leading import identified, leading, value_texts
from metering.ocmf_readings import read_recovered
from metering.period import Period
from metering.reading import Clocks, Reason, Record
from metering.reading_columns import ReadingColumns

GATEWAY = "SpindleShare machine agent"
_WHOLE = {Reason.BEGIN, Reason.END, Reason.POWER_FAIL}


def encode(record: Record) -> str:
    """The payload text of `record`: ASCII, no `|`, no line break.

    OcmfError when it holds what a text cannot say: no reading, a hole in the sequence, a reading without registers or
    with other registers than the rest, a time finer than a millisecond, a value that is negative or beyond 63 bits, a
    register outside the catalogue.
    """
    readings = _columns(record)
    payload: dict[str, object] = {
        "FV": FORMAT_VERSION,
        "GI": GATEWAY,
        "GS": fields.name(record.agent, "GS"),
        "PG": f"T{fields.number(record.pagination, 'PG', 1)}",
        "MM": fields.name(record.machine_model, "MM"),
        "MS": fields.name(record.meter, "MS"),
        "IS": False,
        "IT": "NONE",
        "RD": [],
        "XP": fields.link(record.previous, "XP"),
        "XR": record.replayed,
        "XS": fields.number(readings.first, "XS", 1),
        **_clocks(record.clocks),
        "XC": readings.codes,
        "XV": readings.rows,
    }
    if readings.spectra:
        payload["XL"] = [fields.cells_json(readings.spectra.get(place, {}), "XL") for place in range(len(readings))]
    if readings.gaps:
        payload["XG"] = [
            [place, fields.time_text(gap.start, "XG"), fields.time_text(gap.end, "XG")]
            for place, gap in readings.gaps.items()
        ]
    if readings.sessions:
        payload["XI"] = [[place, fields.name(session, "XI")] for place, session in readings.sessions.items()]
    if record.recovered:
        payload["XH"] = _recovered(record.recovered)
    text = json.dumps(payload, separators=(",", ":"))
    # The entries are put together as text: RV is a number whose zeros at the end say its resolution, which JSON's
    # writer would not keep.
    return text.replace('"RD":[]', f'"RD":[{",".join(_entries(readings))}]', 1).replace("|", "\\u007c")


def _columns(record: Record) -> ReadingColumns:
    if not 0 < len(record.readings) <= MAX_READINGS:
        raise OcmfError(f"{len(record.readings)} readings, not 1 to {MAX_READINGS}", "RD")
    try:
        readings = ReadingColumns.of(record.readings)
    except ValueError as error:
        raise OcmfError(str(error), "RD") from None
    if not 0 < len(readings.codes) <= MAX_REGISTERS:
        raise OcmfError(f"{len(readings.codes)} registers, not 1 to {MAX_REGISTERS}", "XC")
    for code in readings.codes:
        fields.unit_of(code, "XC")
    for row in readings.rows:
        for code, value in zip(readings.codes, row, strict=True):
            fields.number(value, f"XV of {code}")
    return readings


def _clocks(clocks: Clocks) -> dict[str, object]:
    ahead = clocks.source_ahead_ms
    wall, monotonic = fields.time_text(clocks.wall, "XT"), fields.number(clocks.monotonic_ms, "XT")
    if ahead is not None:
        fields.number(abs(ahead), "XT")
    told: dict[str, object] = {"XT": [wall, monotonic, fields.name(clocks.boot, "XT"), ahead]}
    steps = [clocks.wall_step_ms, clocks.source_step_ms]
    if any(steps):
        told["XK"] = [step for step in steps if fields.number(abs(step), "XK") >= 0]
    return told


def _recovered(stretches: Sequence[Period]) -> list[list[str]]:
    told = [[fields.time_text(one.start, "XH"), fields.time_text(one.end, "XH")] for one in stretches]
    read_recovered(told)
    return told


def _entries(readings: ReadingColumns) -> Iterator[str]:
    """Each reading's entry of RD, without the fields that are as in the entry before.

    Where a transaction begins or ends the entry is whole: the public software looks at these by themselves.
    """
    place, code = leading(readings.codes)
    which = "".join(f'"{key}":"{value}",' for key, value in identified(code).items())
    values = value_texts(code, [row[place] for row in readings.rows])
    before: tuple[object, object] | None = None
    heads = zip(readings.times, readings.qualities, readings.reasons, readings.statuses, values, strict=True)
    for time, quality, reason, status, value in heads:
        whole = before is None or reason in _WHOLE
        known: Sequence[object] = (None, None) if whole or before is None else before
        tx = f'"TX":"{reason}",' if reason != known[0] else ""
        st = f'"ST":"{status}",' if status != known[1] else ""
        stamp = f"{fields.time_text(time, 'TM')} {quality}"
        yield f'{{"TM":"{stamp}",{tx}{which if whole else ""}{st}"RV":{value}}}'
        before = (reason, status)
