"""Usage: what was used in each quarter hour, as differences of valid readings."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from metering.period import Period


@dataclass(frozen=True, slots=True)
class Usage:
    """Growth of a meter's registers within one quarter hour (or a part of one).

    `deltas` is per register code in its smallest unit, `spectrum` per (spindle, cell key) in milliseconds.
    `substitute` marks values that were spread over a stretch without readings, `replayed` a recording played back.
    `evidence` names the first and last reading's sequence that the figures are the difference of.
    """

    meter: str
    period: Period
    deltas: Mapping[str, int]
    spectrum: Mapping[tuple[str, int], int] = field(default_factory=dict)
    substitute: bool = False
    replayed: bool = False
    evidence: tuple[int, int] = (0, 0)
