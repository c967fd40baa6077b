"""The load spectrum: milliseconds at each speed x load cell, counted by time at level.

Cells are classes around a representative: speed to the nearest 250/min, load to the nearest 5 %, halves upward. A
cell's key is one integer, `speed class * 256 + load class`, so that spectra travel and store as integers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

SPEED_STEP_PER_MIN = 250
LOAD_STEP_PERCENT = 5
_LOAD_CLASSES = 256
MAX_SPEED_CLASS = 400

Spectrum: TypeAlias = Mapping[tuple[str, int], int]
"""(spindle, cell key) -> milliseconds."""


@dataclass(frozen=True, slots=True, order=True)
class Cell:
    """One speed x load class by its representative: `speed` in 1/min, `load` in % of rated load."""

    speed: int
    load: int

    @property
    def key(self) -> int:
        return self.speed // SPEED_STEP_PER_MIN * _LOAD_CLASSES + self.load // LOAD_STEP_PERCENT

    @classmethod
    def from_key(cls, key: int) -> "Cell":
        speed_class, load_class = divmod(key, _LOAD_CLASSES)
        return cls(speed_class * SPEED_STEP_PER_MIN, load_class * LOAD_STEP_PERCENT)


def cell_key(speed_mrpm: int, load_permille: int) -> int:
    """The key of the cell for a speed in 1/1000 per minute (sign ignored) and a load in 1/1000 of rated load.

    Values beyond the grid count in its last class.
    """
    speed_class = (abs(speed_mrpm) + SPEED_STEP_PER_MIN * 500) // (SPEED_STEP_PER_MIN * 1000)
    load_class = (abs(load_permille) + LOAD_STEP_PERCENT * 5) // (LOAD_STEP_PERCENT * 10)
    return min(speed_class, MAX_SPEED_CLASS) * _LOAD_CLASSES + min(load_class, _LOAD_CLASSES - 1)


def difference(later: Spectrum, earlier: Spectrum) -> dict[tuple[str, int], int]:
    """The cells that grew between two cumulative spectra, by how much."""
    return {cell: grown for cell, value in later.items() if (grown := value - earlier.get(cell, 0))}
