"""The small parts of a sealed record's payload: times, numbers, register codes, spectrum cells, gaps."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from metering.period import Period, PeriodError
from metering.reading import TimeQuality
from metering.register import UnknownRegister, describe

FORMAT_VERSION = "1.3"
MAX_READINGS = 200
MAX_REGISTERS = 128
MAX_VALUE = 2**63 - 1
MAX_NAME = 120
MAX_CELLS = 50_000
MAX_CELL_KEY = 2**17 - 1
MAX_RECOVERED = 100
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d,\d{3}[+-]\d{4}")
_CODE = re.compile(r"[a-z_]{1,24}(\.[A-Za-z0-9_]{1,24}){0,2}")
_HEX = frozenset("0123456789abcdef")
_SPINDLE = re.compile(r"[A-Za-z0-9_]{1,24}")


class NumberText(str):
    """A number that is no integer, as it is written: its zeros at the end say its resolution."""

    __slots__ = ()


class OcmfError(ValueError):
    """The text is no sealed record that we read: `where` says the place in it, `what` what is wrong there."""

    def __init__(self, what: str, where: str) -> None:
        super().__init__(f"{where}: {what}")
        self.what = what
        self.where = where


def time_text(moment: datetime, where: str) -> str:
    """`2018-07-24T13:22:04,000+0000`; OcmfError for a time without zone or finer than a millisecond."""
    if moment.tzinfo is None:
        raise OcmfError(f"{moment.isoformat()} has no zone", where)
    if moment.microsecond % 1000:
        raise OcmfError(f"{moment.isoformat()} is finer than a millisecond", where)
    plain = moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    return plain.replace(".", ",") + "+0000"


def read_time(text: object, where: str) -> datetime:
    """The UTC time that `text` says, whatever its offset."""
    if not isinstance(text, str) or _TIME.fullmatch(text) is None:
        raise OcmfError(f"{text!r} is not a time like 2018-07-24T13:22:04,000+0000", where)
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise OcmfError(f"{text!r} is no time of the calendar", where) from None


def read_stamp(text: object, where: str) -> tuple[datetime, TimeQuality]:
    """A TM field: time, blank, clock quality."""
    if not isinstance(text, str) or text[-2:] not in _QUALITIES:
        raise OcmfError(f"{text!r} does not end with a clock quality U, I, S or R", where)
    return read_time(text[:-2], where), _QUALITIES[text[-2:]]


_QUALITIES = {f" {quality}": quality for quality in TimeQuality}


def name(value: object, where: str) -> str:
    """A printable name of 1 to MAX_NAME characters."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME or not value.isprintable():
        raise OcmfError(f"{value!r} is not a printable name of 1 to {MAX_NAME} characters", where)
    return value


def number(value: object, where: str, least: int = 0) -> int:
    """An exact integer from `least` to MAX_VALUE; JSON's 1.0, 1e3 and true are none."""
    if type(value) is not int or not least <= value <= MAX_VALUE:
        raise OcmfError(f"{value!r} is not an integer from {least} to {MAX_VALUE}", where)
    return value


def signed(value: object, where: str) -> int:
    """An exact integer of either sign, no further from zero than MAX_VALUE."""
    if type(value) is not int or abs(value) > MAX_VALUE:
        raise OcmfError(f"{value!r} is not an integer up to {MAX_VALUE} from zero", where)
    return value


def link(value: object, where: str) -> str:
    """A SHA-256 in lower-case hex."""
    if not isinstance(value, str) or len(value) != 64 or not _HEX.issuperset(value):
        raise OcmfError(f"{value!r} is no SHA-256 in lower-case hex", where)
    return value


@lru_cache(maxsize=4096)
def unit_of(code: str, where: str) -> str:
    """The unit text of a register code; OcmfError for a code outside the catalogue."""
    if _CODE.fullmatch(code) is None:
        raise OcmfError(f"{code!r} is not a register code such as travel.X", where)
    try:
        return str(describe(code).unit)
    except UnknownRegister as error:
        raise OcmfError(str(error), where) from None


def cells_json(spectrum: Mapping[tuple[str, int], int], where: str) -> dict[str, list[int]]:
    """Per spindle its changed cells as one flat list: key, milliseconds, key, milliseconds, ..., keys rising."""
    flat: dict[str, list[int]] = {}
    for (spindle, key), value in sorted(spectrum.items()):
        flat.setdefault(spindle, []).extend((key, value))
    read_cells(flat, where)
    return flat


def is_spindle(name: str) -> bool:
    """Whether a spindle may be called so."""
    return _SPINDLE.fullmatch(name) is not None


def read_cells(value: object, where: str) -> dict[tuple[str, int], int]:
    """The spectrum that `cells_json` wrote."""
    if not isinstance(value, dict):
        raise OcmfError("not an object of spindles", where)
    if not value:
        return {}
    spectrum: dict[tuple[str, int], int] = {}
    for spindle, flat in value.items():
        place = f"{where}.{spindle}"
        if not is_spindle(spindle) or not isinstance(flat, list) or not flat or len(flat) % 2:
            raise OcmfError("not a spindle with a list of cell, milliseconds, ...", place)
        if len(flat) > 2 * MAX_CELLS:
            raise OcmfError(f"more than {MAX_CELLS} cells", place)
        _read_flat(spindle, flat, spectrum, place)
    return spectrum


def _read_flat(spindle: str, flat: list[Any], spectrum: dict[tuple[str, int], int], where: str) -> None:
    previous = -1
    for key, value in zip(flat[::2], flat[1::2], strict=True):
        if type(key) is not int or not previous < key <= MAX_CELL_KEY:
            raise OcmfError(f"cell {key!r} is not an integer above {previous} and up to {MAX_CELL_KEY}", where)
        spectrum[spindle, key] = number(value, where)
        previous = key


def read_period(start: object, end: object, where: str) -> Period:
    """A stretch's two times."""
    try:
        return Period(read_time(start, where), read_time(end, where))
    except PeriodError as error:
        raise OcmfError(str(error), where) from None
