"""One line of a benchmark, and how it comes from interleaved runs."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

Measurement = Callable[[int], float]
"""Measures once; the argument is the run's number, so that every run has input of its own."""


class Better(StrEnum):
    """Which way is better."""

    HIGHER = "higher"
    LOWER = "lower"


class TooFewRuns(ValueError):
    """A spread needs at least two runs."""


@dataclass(frozen=True, slots=True)
class Row:
    """`ours` and `limit` are medians in `unit`; `ratio` is the median of the runs' own ratios ours / limit.

    `holds` says whether the ratio reaches `goal`; a row without a goal is information, and holds. `spread` is the
    largest ratio less the smallest, as a share of the median. `how` says what was measured, so that it can be judged.
    """

    name: str
    unit: str
    ours: float
    limit: float
    ratio: float
    better: Better
    goal: float | None
    holds: bool
    runs: int
    spread: float
    how: str


def compare(
    name: str,
    *,
    ours: Measurement,
    limit: Measurement,
    unit: str,
    goal: float | None,
    better: Better = Better.HIGHER,
    runs: int,
    how: str,
) -> Row:
    """Measure both `runs` times in turn, each going first as often as second."""
    if runs < 2:
        raise TooFewRuns("a spread needs at least two runs")
    pairs = []
    for run in range(runs):
        if run % 2:
            limited = limit(run)
            mine = ours(run)
        else:
            mine = ours(run)
            limited = limit(run)
        pairs.append((mine, limited))
    ratios = [mine / limited for mine, limited in pairs]
    ratio = median(ratios)
    return Row(
        name=name,
        unit=unit,
        ours=median(mine for mine, _ in pairs),
        limit=median(limited for _, limited in pairs),
        ratio=ratio,
        better=better,
        goal=goal,
        holds=goal is None or (ratio >= goal if better is Better.HIGHER else ratio <= goal),
        runs=runs,
        spread=(max(ratios) - min(ratios)) / ratio,
        how=how,
    )
