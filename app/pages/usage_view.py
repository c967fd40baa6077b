"""What the page of a meter's usage shows: quarter hours or days with their marks and readings, then beside now."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from app.pages.format import NOTHING, Figure, State, billed, finely, minute, moment
from app.usage import MeterUsage
from metering.known import Known, Mark, Pair, compare, grew, totals
from metering.register import billed_unit

QUARTERS_UP_TO = timedelta(days=3)
_COLUMNS = ("power_on", "program_run", "spindle_on", "travel", "energy")
_LABELS = {
    "power_on": "Power on h",
    "program_run": "Program h",
    "spindle_on": "Spindle h",
    "travel": "Axis km",
    "energy": "Energy kWh",
}
_COMPARED = ("spindle_on", "travel")
_KINDS = {Mark.REPLAYED: "", Mark.OPEN: ""}
# What is worth a row of its own even where nothing was counted.
_TELLING = {Mark.GAP, Mark.SUBSTITUTE, Mark.CORRECTED}


@dataclass(frozen=True, slots=True)
class Row:
    """A quarter hour or a day. `figures` are then, now and difference of each column where two times are compared."""

    label: str
    link: str
    figures: tuple[str, ...]
    differs: bool
    marks: tuple[State, ...]
    known_since: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class UsagePage:
    """`start`, `end`, `known_on` as the form's fields hold them; `columns` are the heads, `sums` the last row."""

    meter_id: UUID
    machine_id: UUID
    machine: str
    serial: str
    zone: str
    month: str
    start: str
    end: str
    known_on: str
    known_at: str
    figures: tuple[Figure, ...]
    by_day: bool
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    sums: tuple[str, ...]
    silent: int
    counted: tuple[tuple[State, int], ...]


def usage_page(found: MeterUsage, *, start: str, end: str, known_on: str) -> UsagePage:
    """The page of one meter and period."""
    zone = found.machine.zone
    compared = found.known_at is not None
    pairs = compare(found.then if compared else found.rows, found.rows)
    told = [pair for pair in pairs if _is_told(pair)]
    codes = _codes(found, _COMPARED if compared else _COLUMNS)
    by_day = found.period.length > QUARTERS_UP_TO
    groups = _by_day(told, zone) if by_day else [[pair] for pair in told]
    return UsagePage(
        meter_id=found.meter.id,
        machine_id=found.machine.id,
        machine=found.machine.name,
        serial=found.meter.serial,
        zone=zone,
        month=f"{found.period.start.astimezone(ZoneInfo(zone)):%Y-%m}",
        start=start,
        end=end,
        known_on=known_on,
        known_at=moment(found.known_at, zone) if found.known_at else "",
        figures=_heads(found),
        by_day=by_day,
        columns=tuple(_columns(codes, compared)),
        rows=tuple(_row(group, codes, zone, compared=compared, by_day=by_day) for group in groups),
        sums=_cells(pairs, codes, compared),
        silent=len(pairs) - len(told),
        counted=tuple(_counted(found.shown)),
    )


def _is_told(pair: Pair) -> bool:
    """What counted nothing needs no row, unless something else is to be said of it."""
    known = [each for each in (pair.then, pair.now) if each]
    return any(grew(each.usage.deltas) or _TELLING & set(each.marks()) for each in known)


def _codes(found: MeterUsage, wanted: Iterable[str]) -> list[str]:
    known = {code.partition(".")[0] for code in found.meter.register_codes}
    return [code for code in wanted if code in known]


def _columns(codes: Iterable[str], compared: bool) -> Iterable[str]:
    for code in codes:
        yield from (f"{_LABELS[code]}{part}" for part in ((" then", " now", " change") if compared else ("",)))


def _heads(found: MeterUsage) -> tuple[Figure, ...]:
    """Spindle hours: as known now, or then, now and what changed."""
    now = totals(found.rows).get("spindle_on", 0)
    if found.known_at is None:
        return (Figure("Spindle on", finely("spindle_on", now), "h"),)
    then = totals(found.then).get("spindle_on", 0)
    labelled = (("Spindle on, as known then", then), ("As known today", now), ("Change since", now - then))
    return tuple(Figure(label, finely("spindle_on", value), billed_unit("spindle_on")) for label, value in labelled)


def _row(group: Sequence[Pair], codes: Sequence[str], zone: str, *, compared: bool, by_day: bool) -> Row:
    told = [known for pair in group if (known := (pair.then if compared else pair.now) or pair.now)]
    start = group[0].starts_at.astimezone(ZoneInfo(zone))
    label = f"{start:%Y-%m-%d}" if by_day else minute(start, zone)
    following = start.date() + timedelta(days=1)
    return Row(
        label=label,
        link=f"start={start:%Y-%m-%d}&end={following}" if by_day else "",
        figures=_cells(group, codes, compared),
        differs=compared and any(pair.differs for pair in group),
        marks=_marks(told, count=by_day),
        known_since=minute(max(known.recorded_at for known in told), zone),
        first=min(known.usage.evidence[0] for known in told),
        last=max(known.usage.evidence[1] for known in told),
    )


def _cells(group: Sequence[Pair], codes: Sequence[str], compared: bool) -> tuple[str, ...]:
    then = totals(pair.then for pair in group if pair.then)
    now = totals(pair.now for pair in group if pair.now)
    cells: list[str] = []
    for code in codes:
        before, after = _sum(then, code), _sum(now, code)
        cells += [_text(code, before), _text(code, after), _change(code, after - before)] if compared else [
            _text(code, after)
        ]  # fmt: skip
    return tuple(cells)


def _sum(sums: dict[str, int], name: str) -> int:
    if name != "travel":
        return sums.get(name, 0)
    return sum(value for code, value in sums.items() if code.partition(".")[0] == name)


def _text(code: str, value: int) -> str:
    return billed("travel.X", value, 3) if code == "travel" else finely(code, value)


def _change(code: str, value: int) -> str:
    return f"{'+' if value > 0 else ''}{_text(code, value)}" if value else NOTHING


def _marks(rows: Sequence[Known], *, count: bool = False) -> tuple[State, ...]:
    """Each mark once; with `count`, of how many quarter hours it is told."""
    found: dict[Mark, int] = {}
    for row in rows:
        for mark in row.marks():
            found[mark] = found.get(mark, 0) + 1
    ordered = [(mark, found[mark]) for mark in Mark if mark in found]
    return tuple(State(f"{number} {mark.value}" if count else mark.value, _kind(mark)) for mark, number in ordered)


def _counted(rows: Iterable[Known]) -> Iterable[tuple[State, int]]:
    """How many quarter hours have each mark, all marks named."""
    found = [mark for row in rows for mark in row.marks()]
    return [(State(mark.value, _kind(mark)), found.count(mark)) for mark in Mark if mark in found]


def _kind(mark: Mark) -> str:
    return _KINDS.get(mark, "warn")


def _by_day(pairs: Iterable[Pair], zone: str) -> list[list[Pair]]:
    days: dict[date, list[Pair]] = {}
    for pair in pairs:
        days.setdefault(pair.starts_at.astimezone(ZoneInfo(zone)).date(), []).append(pair)
    return list(days.values())
