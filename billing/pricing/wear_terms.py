"""The wear model's constants as a tariff states them, and the working that a wear line shows."""

from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.money import quantity
from billing.pricing.digits import exact_text, plain
from billing.pricing.fields import Fields, InvalidInput, Problem
from metering.spectrum import Cell
from metering.wear import WearModel, WearModelError

_SHOWN_CELLS = 6
_MS_PER_HOUR = 3_600_000


def wear_from_json(value: object) -> WearModel:
    """The model of an object such as the one that `wear_to_json` writes."""
    fields = Fields(value, "the wear model's constants")
    speed = fields.integer("reference_speed_per_min", least=1)
    load = fields.integer("reference_load_percent", least=1)
    floor, exponent = fields.decimal("preload_floor", least="0"), fields.integer("exponent", 3, least=1)
    fields.done()
    try:
        return WearModel(n_ref=speed, load_ref=load, a=Fraction(floor), p=exponent)
    except WearModelError:
        raise InvalidInput([Problem("", "write a preload_floor from 0 to 1 and an exponent from 1 to 10")]) from None


def wear_to_json(model: WearModel) -> dict[str, Any]:
    """The constants, decimals as text."""
    return {
        "reference_speed_per_min": model.n_ref,
        "reference_load_percent": model.load_ref,
        "preload_floor": exact_text(model.a),
        "exponent": model.p,
    }


def wear_working(spectrum: Mapping[tuple[str, int], Fraction | int], model: WearModel) -> list[str]:
    """The model and the cells that weigh most, for a line's working."""
    constants = f"n_ref {model.n_ref}/min, load_ref {model.load_ref} %, a {exact_text(model.a)}, p {model.p}"
    lines = [f"wear hours = h × n/n_ref × (a + (1 - a) load/load_ref)^p; {constants}"]
    cells = []
    for (spindle, key), ms in spectrum.items():
        cell, hours = Cell.from_key(key), Fraction(ms) / _MS_PER_HOUR
        cells.append((hours * model.rate(cell.speed, cell.load), spindle, cell, hours))
    cells.sort(key=lambda entry: (-entry[0], entry[1], entry[2]))
    for wear, spindle, cell, hours in cells[:_SHOWN_CELLS]:
        figures = f"{_shown(hours)} h × {_shown(model.rate(cell.speed, cell.load), 6)} = {_shown(wear)} WH"
        lines.append(f"{spindle} at {cell.speed}/min, {cell.load} %: {figures}")
    if rest := cells[_SHOWN_CELLS:]:
        lines.append(f"{len(rest)} further cells: {_shown(sum((entry[0] for entry in rest), Fraction(0)))} WH")
    return lines


def _shown(value: Fraction, places: int = 4) -> str:
    shown: Decimal = quantity(value, places)
    return plain(shown)
