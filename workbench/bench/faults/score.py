"""What a client made of a fault, counted against the server's own count."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Score:
    """One client and one fault. Counts are of values over all nodes; `silence_seconds` runs from the fault's end to the
    first value that came after it, None when none came. `gap_records` is None for clients that have no such thing."""

    HEADINGS: ClassVar[tuple[str, ...]] = (
        "fault", "client", "offered", "received", "lost", "doubled", "disorder", "silence s", "recovered", "gaps said",
    )  # fmt: skip

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
    may_lose: bool = False

    @property
    def holds(self) -> bool:
        """Whether ours kept its word: nothing lost or doubled, else exactly one gap said. Peers are compared."""
        if self.gap_records is None:
            return True
        kept = self.gap_records == 1 if self.may_lose else self.lost == self.gap_records == 0
        return kept and self.recovered and self.doubled == self.out_of_order == 0

    @property
    def cells(self) -> list[str]:
        """The row as people read it, under HEADINGS."""
        silence = "for ever" if self.silence_seconds is None else f"{self.silence_seconds:.1f}"
        counts = (self.offered, self.received, self.lost, self.doubled, self.out_of_order)
        gaps = "-" if self.gap_records is None else str(self.gap_records)
        return [self.fault, self.client, *map(str, counts), silence, "yes" if self.recovered else "no", gaps]


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
