"""Charts of wear, drawn on the server: the share of life used, the band of what is left, and hours by load cell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from app.pages.format import grouped, percent
from billing.money import round_half_up
from metering.components.models import Worn
from metering.components.remaining import Remaining
from metering.spectrum import LOAD_STEP_PERCENT, SPEED_STEP_PER_MIN, Cell, Spectrum

WIDTH = 1000
_MOST_COLUMNS, _MOST_ROWS = 16, 12
_STEPS = (1, 2, 4, 8, 16, 32, 64)
_SHADES = 5
_MS_PER_HOUR = 3_600_000


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a strip: where it begins and how wide it is, of `WIDTH`; `look` names how it is drawn."""

    x: int
    width: int
    look: str
    title: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment on a strip."""

    x: int
    look: str
    title: str


@dataclass(frozen=True, slots=True)
class Strip:
    """A horizontal bar chart of one row; `label` says in words what it shows, `ends` the ends of its axis."""

    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    label: str
    ends: tuple[str, str]


@dataclass(frozen=True, slots=True)
class HeatCell:
    """Hours at a class of speed and load; `shade` from 0 (none) to 5."""

    shade: int
    hours: str
    title: str


@dataclass(frozen=True, slots=True)
class HeatRow:
    load: str
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Hours of one spindle by load (rows, the highest first) and speed (columns)."""

    spindle: str
    speeds: tuple[str, ...]
    rows: tuple[HeatRow, ...]
    total: str
    highest: str


def used_strip(worn: Worn) -> Strip:
    """The share of life used: what was measured, and between what bounds it lies where load was unknown."""
    reach = max(Fraction(1), worn.share, worn.most or Fraction(0))
    bars = [Bar(0, max(_at(worn.share, reach), 2 if worn.share else 0), "used", f"{percent(worn.share)} measured")]
    if worn.most is None:
        bars.append(
            Bar(_at(worn.least, reach), WIDTH - _at(worn.least, reach), "doubt", "unknown load: no upper bound")
        )
    elif worn.most > worn.share:
        start, end = _at(worn.share, reach), _at(worn.most, reach)
        bars.append(Bar(start, max(end - start, 4), "doubt", f"with unknown load up to {percent(worn.most)}"))
    label = f"{percent(worn.share)} of its life used"
    if worn.unknown:
        label += f", with unknown load {percent(worn.least)} to {percent(worn.most)}"
    marks = (Mark(_at(Fraction(1), reach), "rated", "rated life"),) if reach > 1 else ()
    return Strip(tuple(bars), marks, label, ("new", "rated life" if reach == 1 else percent(reach)))


def left_strip(left: Remaining, unit: str) -> Strip | None:
    """The band of what is left, and where the two paces reach the rated life; None where there is no band."""
    if left.latest is None or not left.latest:
        return None
    reach = max(left.latest, left.on_mix or Fraction(0), left.lately or Fraction(0))
    start = _at(left.earliest or Fraction(0), reach)
    early = "?" if left.earliest is None else grouped(left.earliest)
    label = f"{early} to {grouped(left.latest)} {unit} left"
    points = (("mix", left.on_mix, "on the whole life's mix"), ("lately", left.lately, "as lately"))
    marks = [
        Mark(_at(amount, reach), look, f"rated life in {grouped(amount)} {unit} {what}")
        for look, amount, what in points
        if amount is not None
    ]
    band = Bar(start, max(_at(left.latest, reach) - start, 4), "band", label)
    return Strip((band,), tuple(marks), label, ("now", f"{grouped(reach)} {unit}"))


def heat_maps(spectrum: Spectrum) -> tuple[HeatMap, ...]:
    """A map for each spindle that turned with a known load."""
    spindles = sorted({name for (name, _), ms in spectrum.items() if ms})
    cells = [(name, Cell.from_key(key), ms) for (name, key), ms in spectrum.items() if ms]
    return tuple(_heat_map(name, [(cell, ms) for of, cell, ms in cells if of == name]) for name in spindles)


def _heat_map(spindle: str, cells: Sequence[tuple[Cell, int]]) -> HeatMap:
    """Neighbouring classes are put together until the map is small enough to read."""
    speed = _step((cell.speed for cell, _ in cells), SPEED_STEP_PER_MIN, _MOST_COLUMNS)
    load = _step((cell.load for cell, _ in cells), LOAD_STEP_PERCENT, _MOST_ROWS)
    sums: dict[tuple[int, int], int] = {}
    for cell, ms in cells:
        place = cell.speed // speed, cell.load // load
        sums[place] = sums.get(place, 0) + ms
    columns, rows = (range(max(place[axis] for place in sums) + 1) for axis in (0, 1))
    highest = max(sums.values())

    def cell_at(column: int, row: int) -> HeatCell:
        ms = sums.get((column, row), 0)
        speeds = f"{column * speed}–{(column + 1) * speed - SPEED_STEP_PER_MIN}/min"
        loads = f"{row * load}–{(row + 1) * load - LOAD_STEP_PERCENT} %"
        return HeatCell(-(-ms * _SHADES // highest), _short(ms), f"{speeds}, {loads}: {_hours(ms)} h")

    return HeatMap(
        spindle=spindle,
        speeds=tuple(f"{column * speed}" for column in columns),
        rows=tuple(
            HeatRow(f"{row * load} %", tuple(cell_at(column, row) for column in columns)) for row in reversed(rows)
        ),
        total=_hours(sum(sums.values())),
        highest=_hours(highest),
    )


def _step(values: Iterable[int], least: int, most: int) -> int:
    """The smallest width of classes with which `values` need no more than `most` of them."""
    highest = max(values)
    return next((least * many for many in _STEPS if highest // (least * many) < most), least * _STEPS[-1])


def _at(amount: Fraction, reach: Fraction) -> int:
    return int(amount * WIDTH / reach) if reach else 0


def _short(ms: int) -> str:
    """Hours in few digits, for a cell."""
    hours = Fraction(ms, _MS_PER_HOUR)
    return f"{round_half_up(hours, 0 if hours >= 10 else 1):,f}" if ms else ""


def _hours(ms: int) -> str:
    return grouped(Fraction(ms, _MS_PER_HOUR))
