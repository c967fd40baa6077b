"""Observations: what a source saw, in signal terms. The one value that passes between a source and the registers.

Signals, and what their exact values mean:

| signal | value |
| --- | --- |
| `power` | bool: the control is switched on |
| `mode` | "automatic", "mdi", "manual", "setup" or "other" |
| `execution` | "active", "interrupted", "feed_hold", "stopped", "ready" or "other" |
| `spindle.S1.speed` | 1/1000 revolutions per minute |
| `spindle.S1.load` | 1/1000 of rated load |
| `axis.X.position` | micrometres |
| `feed` | actual path feed in micrometres per second |
| `counter.power_on`, `counter.auto`, `counter.cut` | the controller's own time counters in milliseconds |
| `energy` | milliwatt hours of a cumulative meter |
| `parts` | the control's part counter |
| `replayed` | bool: what is seen is a recording played back |
| `heartbeat` | milliseconds since 1970 UTC: proof of life, and the clock |

Any number of spindles (S1, S2, ...) and axes. A signal's value holds until its next value.
"""

from dataclasses import dataclass
from datetime import datetime

HEARTBEAT = "heartbeat"
REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class Observation:
    """One value of one signal. `value` is None when it is unavailable or of bad quality: that ends the value before.

    `source_time` is the source's own timestamp, UTC.
    """

    signal: str
    value: int | str | bool | None
    source_time: datetime
