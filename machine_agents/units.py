"""Units of measurement: UN/ECE common codes (Recommendation 20), their dimension and the exact factor between them.

`units.tsv` is the table: code, symbol and name texts as UN/ECE Recommendation 20 and OPC UA's list of it
(`UNECE_to_OPCUA.csv`) have them; the factor is to the dimension's own unit (r/min, mm, 1, W, Wh, ms, mm/s, degree) and
exact, but for radians, where pi is taken to 33 decimals.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib.resources import files

SIGNAL_UNITS = {
    "speed": ("rotation", Fraction(1, 1000)),
    "load": ("ratio", Fraction(1, 1000)),
    "position": ("length", Fraction(1, 1000)),
    "feed": ("velocity", Fraction(1, 1000)),
    "energy": ("energy", Fraction(1, 1000)),
    "counter": ("time", Fraction(1)),
}
"""What a signal counts: its dimension, and its step in the dimension's own unit (see `observation`)."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit. `factor` x value is the value in the dimension's own unit."""

    code: str
    symbol: str
    dimension: str
    factor: Fraction

    @property
    def unit_id(self) -> int:
        """EUInformation's number: the code's characters as one big-endian integer (OPC UA Part 8, 5.6.3)."""
        return int.from_bytes(self.code.encode("ascii"), "big")


def unit_of_code(code: str) -> Unit | None:
    """The unit of a UN/ECE common code."""
    return _tables()[0].get(code)


def unit_of_id(unit_id: int) -> Unit | None:
    """The unit of EUInformation's number."""
    return _tables()[1].get(unit_id)


def unit_of_text(text: str) -> Unit | None:
    """The unit that a display name means, if it is one of the usual ways to write it."""
    found = _tables()[2]
    text = text.strip()
    return found.get(text) or found.get(text.casefold())


def signal_unit(signal: str) -> tuple[str, Fraction] | None:
    """The dimension and the step of a signal's whole numbers; None for a signal that is no measured quantity."""
    head, _, rest = signal.partition(".")
    return SIGNAL_UNITS.get(head) or SIGNAL_UNITS.get(rest.rpartition(".")[2])


@cache
def _tables() -> tuple[dict[str, Unit], dict[int, Unit], dict[str, Unit]]:
    by_code: dict[str, Unit] = {}
    by_text: dict[str, Unit] = {}
    text = files(__package__).joinpath("units.tsv").read_text("utf-8")
    for line in text.splitlines()[1:]:
        code, symbol, dimension, factor, others = line.split("\t")
        unit = by_code[code] = Unit(code, symbol, dimension, Fraction(factor))
        for name in (symbol, *filter(None, others.split(";"))):
            by_text.setdefault(name, unit)
    for name, unit in list(by_text.items()):
        # "mW" is no "MW": only words are taken in any case.
        if len(name) > 3:
            by_text.setdefault(name.casefold(), unit)
    return by_code, {unit.unit_id: unit for unit in by_code.values()}, by_text
