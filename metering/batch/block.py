"""The readings of an upload as columns: one array for each thing that a reading says.

Whole numbers of 64 bits throughout, which hold every register exactly (a sealed text's values are below 2**63).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from metering.period import Period

Integers: TypeAlias = npt.NDArray[np.int64]
Flags: TypeAlias = npt.NDArray[np.bool_]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Head:
    """What a sealed record says beside its readings, of which it holds `count` from sequence `first` on."""

    text: str
    digest: str
    agent: str
    meter: str
    pagination: int
    previous: str
    replayed: bool
    first: int
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Spectrum cells in the order of the readings that tell them: `places` of the readings, rising.

    `spindles` are the names that `which` counts in, `keys` the cells, `ms` their cumulative milliseconds.
    """

    places: Integers
    spindles: tuple[str, ...]
    which: Integers
    keys: Integers
    ms: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Readings that follow one another in time; `values` has a row for each and a column for each of `codes`.

    `times` are milliseconds since 1970 in UTC; `qualities`, `reasons` and `statuses` hold each reading's OCMF letter;
    `gaps` and `sessions` have an entry only where a reading has one, by its place.
    """

    times: Integers
    qualities: bytes
    reasons: bytes
    statuses: bytes
    codes: tuple[str, ...]
    values: Integers
    gaps: Mapping[int, Period] = field(default_factory=dict)
    sessions: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Genuine records by pagination, with all their readings in one block and the cells that these tell."""

    heads: tuple[Head, ...]
    block: Block
    cells: Cells


def integers(values: Sequence[int] | Sequence[Sequence[int]]) -> Integers:
    """OverflowError for one beyond 64 bits."""
    return np.array(values, dtype=np.int64)


def moment_of(ms: int) -> datetime:
    """The UTC time of a number of `Block.times`."""
    return _EPOCH + ms * _MILLISECOND


def ms_of(moment: datetime) -> int:
    """`moment`, which is not finer than a millisecond, as a number of `Block.times`."""
    return (moment - _EPOCH) // _MILLISECOND


def letters(text: bytes) -> npt.NDArray[np.bytes_]:
    """One letter for each reading, to compare and to store."""
    return np.frombuffer(text, dtype="S1")
