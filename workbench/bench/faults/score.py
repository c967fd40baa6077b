"""What a client made of a fault, counted against the server's own count."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Score:
    """One client and one fault. Counts are of values over all nodes; `silence_seconds` runs from the fault's end to the
    first value that came after it, None when none came. `gap_records` is None for clients that have no such thing."""

    fault: str
    client: str
    offered: int
    received: int
    lost: int
    doubled: int
    out_of_order: int
    silence_seconds: float | None
    recovered: bool
    gap_records: int | None = None


def count(values: Sequence[tuple[str, int]], signals: int, written: int) -> dict[str, int]:
    """`values` as (signal, number) in the order received; each of so many `signals` was given 1 to `written`."""
    seen = Counter(values)
    by_signal: dict[str, list[int]] = {}
    for signal, number in values:
        by_signal.setdefault(signal, []).append(number)
    offered = signals * written
    received = sum(1 for _, number in seen if 1 <= number <= written)
    return {
        "offered": offered,
        "received": received,
        "lost": offered - received,
        "doubled": sum(seen.values()) - len(seen),
        "out_of_order": sum(after < before for run in by_signal.values() for before, after in pairwise(run)),
    }
