"""Parameters and use for the tests of components."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from metering.components.parameters import Kind, Parameters
from metering.period import QUARTER_HOUR, Period
from metering.spectrum import Cell
from metering.usage import Usage

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR_MS = 3_600_000
# speed 1/min, load %, hours: the mix of the worked month.
MIX = ((6000, 10, "60"), (6000, 50, "90"), (9000, 70, "40"), (3000, 100, "12.5"), (12000, 30, "10"))
BEARINGS: Mapping[str, object] = {
    "spindle": "S1",
    "rolling": "ball",
    "rating_n": 30_000,
    "loads": [[10, 1200], [30, 1500], [50, 2000], [70, 2600], [100, 3500]],
}
SCREW: Mapping[str, object] = {
    "axis": "X",
    "rating_n": 25_000,
    "lead_mm": 10,
    "duty": [[3000, 500, 20], [1500, 1000, 50], [500, 3000, 30]],
}
WEAR_HOURS: Mapping[str, object] = {
    "spindle": "S1",
    "reference_speed_per_min": 6000,
    "reference_load_percent": 50,
    "preload_floor": "0.4",
    "capacity": 12_000,
}
COUNTED: Mapping[str, object] = {"register": "tool_changes", "capacity": 1_000_000}
GIVEN = {
    Kind.SPINDLE_BEARINGS: BEARINGS,
    Kind.BALL_SCREW: SCREW,
    Kind.WEAR_HOURS: WEAR_HOURS,
    Kind.COUNTED: COUNTED,
}


def of(kind: Kind, **changed: object) -> Parameters:
    return Parameters.of(kind, {**GIVEN[kind], **changed})


def quarter(
    index: int,
    cells: Mapping[tuple[int, int], int] | None = None,
    *,
    on: int | None = None,
    revolutions: int | None = None,
    spindle: str = "S1",
    **deltas: int,
) -> Usage:
    """A quarter hour: ms per (speed, load) of a spindle, which turned `on` ms and so many 1/1000 turns (else as in the
    cells)."""
    known = dict(cells or {})
    turned = sum(known.values()) if on is None else on
    turns = sum(speed * ms for (speed, _), ms in known.items()) // 60 if revolutions is None else revolutions
    grown = {f"spindle_on.{spindle}": turned, f"revolutions.{spindle}": turns}
    grown |= {code.replace("__", "."): value for code, value in deltas.items()}
    start = START + index * QUARTER_HOUR
    spectrum = {(spindle, Cell(*cell).key): ms for cell, ms in known.items()}
    return Usage("M-1", Period(start, start + timedelta(minutes=15)), grown, spectrum, evidence=(index + 1, index + 2))


def mix(hours: Fraction = Fraction(1)) -> list[Usage]:
    """The mix as quarter hours, each of one cell, so many times as long."""
    return [
        quarter(index, {(speed, load): int(Fraction(length) * hours * HOUR_MS)})
        for index, (speed, load, length) in enumerate(MIX)
    ]
