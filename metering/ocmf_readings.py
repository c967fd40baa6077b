"""The readings of a sealed payload, taken apart column by column: RD's times and reasons, XC's codes, XV's values.

The readings of a record repeat one another but for times and values, so that most checks are made on a whole column.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from itertools import chain, pairwise
from typing import Any, TypeVar

from metering import ocmf_fields as fields
from metering.ocmf_fields import MAX_READINGS, MAX_RECOVERED, MAX_REGISTERS, MAX_VALUE, NumberText, OcmfError
from metering.ocmf_leading import identified, leading, value_texts
from metering.period import Period
from metering.reading import Reason, Status, TimeQuality
from metering.reading_columns import ReadingColumns
from metering.spectrum import Spectrum

_ENTRY = {"TM", "TX", "RV", "RI", "RU", "ST"}
_REASONS = {str(reason): reason for reason in Reason}
_STATUSES = {str(status): status for status in Status}
_QUALITIES = {str(quality): quality for quality in TimeQuality}
_Choice = TypeVar("_Choice", Reason, Status, TimeQuality)
_IN_UTC = re.compile(r"(?:\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{3}\+0000 [A-Z]\n)+")


def read(body: Mapping[str, Any]) -> ReadingColumns:
    """The readings that a payload's fields say; OcmfError names what is wrong and where."""
    entries = body["RD"]
    if not isinstance(entries, list) or not 0 < len(entries) <= MAX_READINGS:
        raise OcmfError(f"not a list of 1 to {MAX_READINGS} readings", "RD")
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict) or "TM" not in entry or "RV" not in entry or not entry.keys() <= _ENTRY:
            raise OcmfError("no object of TM, TX, RV, RI, RU, ST with at least TM and RV", f"RD[{place}]")
    codes = read_codes(body["XC"])
    rows = _rows(body["XV"], len(entries), len(codes))
    _check_leading(entries, codes, rows)
    times, qualities = _stamps([entry["TM"] for entry in entries])
    return ReadingColumns(
        first=fields.number(body["XS"], "XS", 1),
        times=times,
        qualities=qualities,
        reasons=_carried(entries, "TX", _REASONS),
        statuses=_carried(entries, "ST", _STATUSES),
        codes=codes,
        rows=rows,
        spectra=_spectra(body["XL"], len(entries)) if "XL" in body else {},
        gaps=read_gaps(body["XG"], len(entries)) if "XG" in body else {},
        sessions=read_sessions(body["XI"], len(entries)) if "XI" in body else {},
    )


def read_codes(codes: Any) -> tuple[str, ...]:
    """The register codes that XC says."""
    if not isinstance(codes, list) or not 0 < len(codes) <= MAX_REGISTERS:
        raise OcmfError(f"not a list of 1 to {MAX_REGISTERS} registers", "XC")
    if not all(isinstance(code, str) for code in codes):
        raise OcmfError("a register code is not text", "XC")
    return _checked_codes(tuple(codes))


@lru_cache(maxsize=1024)
def _checked_codes(codes: tuple[str, ...]) -> tuple[str, ...]:
    for place, code in enumerate(codes):
        fields.unit_of(code, f"XC[{place}]")
        if code in codes[:place]:
            raise OcmfError(f"{code} twice", f"XC[{place}]")
    return codes


def _rows(rows: Any, count: int, width: int) -> list[list[int]]:
    if not isinstance(rows, list) or len(rows) != count:
        raise OcmfError(f"not a list with one row for each of {count} readings", "XV")
    if set(map(type, rows)) != {list} or set(map(len, rows)) != {width}:
        raise OcmfError(f"not every row is a list of {width} values", "XV")
    if set(map(type, chain.from_iterable(rows))) != {int} or min(map(min, rows)) < 0 or max(map(max, rows)) > MAX_VALUE:
        for place, row in enumerate(rows):
            for value in row:
                fields.number(value, f"XV[{place}]")
    return rows


def _check_leading(entries: Sequence[dict[str, Any]], codes: Sequence[str], rows: Sequence[Sequence[int]]) -> None:
    """What OCMF's own fields say must be what the matrix says: people are shown the one and billed by the other."""
    column, code = leading(codes)
    which = identified(code)
    if not which.keys() <= entries[0].keys():
        raise OcmfError("no RI and RU in the first entry", "RD[0]")
    number_type = NumberText if which["RI"] != code else int
    told = value_texts(code, [row[column] for row in rows])
    for place, (entry, value) in enumerate(zip(entries, told, strict=True)):
        rv = entry["RV"]
        if type(rv) is not number_type or str(rv) != value:
            raise OcmfError(f"RV is {rv!r} where the matrix has {value} as {code}", f"RD[{place}]")
        if len(entry) > 2 and any(entry.get(key, text) != text for key, text in which.items()):
            raise OcmfError(f"RI and RU are not {which['RI']} in {which['RU']}", f"RD[{place}]")


def _stamps(stamps: list[Any]) -> tuple[list[datetime], list[TimeQuality]]:
    """Times and clock qualities; in UTC, as our own writer has them, they are matched all at once."""
    if set(map(type, stamps)) == {str} and _IN_UTC.fullmatch("\n".join([*stamps, ""])):
        try:
            times = [datetime.fromisoformat(stamp[:-2]) for stamp in stamps]
            return times, [_QUALITIES[stamp[-1]] for stamp in stamps]
        except (ValueError, KeyError):
            pass
    pairs = [fields.read_stamp(stamp, f"TM of reading {place}") for place, stamp in enumerate(stamps)]
    return [time for time, _ in pairs], [quality for _, quality in pairs]


def _carried(entries: Sequence[dict[str, Any]], key: str, choices: Mapping[str, _Choice]) -> list[_Choice]:
    """A field that is left out where it is as in the entry before."""
    chosen: list[_Choice] = []
    current: _Choice | None = None
    for place, entry in enumerate(entries):
        if key in entry:
            text = entry[key]
            current = choices.get(text) if isinstance(text, str) else None
        if current is None:
            raise OcmfError(f"{entry.get(key)!r} is none of {', '.join(choices)}", f"{key} of reading {place}")
        chosen.append(current)
    return chosen


def _spectra(cells: Any, count: int) -> dict[int, Spectrum]:
    if not isinstance(cells, list) or len(cells) != count:
        raise OcmfError(f"not a list with one object for each of {count} readings", "XL")
    return {place: fields.read_cells(told, f"XL[{place}]") for place, told in enumerate(cells) if told != {}}


def read_gaps(value: Any, count: int) -> dict[int, Period]:
    """What XG says of `count` readings, by place."""
    return {place: fields.read_period(start, end, "XG") for place, start, end in _placed(value, count, 3, "XG")}


def read_sessions(value: Any, count: int) -> dict[int, str]:
    """What XI says of `count` readings, by place."""
    return {place: fields.name(session, "XI") for place, session in _placed(value, count, 2, "XI")}


def read_recovered(value: Any) -> tuple[Period, ...]:
    """What XH says: stretches that were read from the machine's own history, in order."""
    if not isinstance(value, list) or not 0 < len(value) <= MAX_RECOVERED:
        raise OcmfError(f"not a list of 1 to {MAX_RECOVERED} stretches", "XH")
    if not all(isinstance(one, list) and len(one) == 2 for one in value):
        raise OcmfError("a stretch is not [start, end]", "XH")
    stretches = tuple(fields.read_period(start, end, "XH") for start, end in value)
    if any(later.start < one.end for one, later in pairwise(stretches)):
        raise OcmfError("the stretches are not in order", "XH")
    return stretches


def _placed(value: Any, count: int, size: int, where: str) -> list[list[Any]]:
    """Entries of `size` that each begin with a reading's place, rising."""
    if not isinstance(value, list) or not value:
        raise OcmfError("not a list with an entry", where)
    previous = -1
    for item in value:
        if not isinstance(item, list) or len(item) != size or type(item[0]) is not int:
            raise OcmfError(f"{item!r} is not [reading, ...] of {size}", where)
        if not previous < item[0] < count:
            raise OcmfError(f"reading {item[0]} is not above {previous} and below {count}", where)
        previous = item[0]
    return value
