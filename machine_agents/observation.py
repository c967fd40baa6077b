"""Observations: what a source saw, in signal terms. The one value that passes between a source and the registers.

Signals, and what their exact values mean:

| signal | value |
| --- | --- |
| `power` | bool: the control is switched on |
| `mode` | "automatic", "mdi", "manual", "setup" or "other" |
| `execution` | "active", "interrupted", "feed_hold", "stopped", "ready" or "other" |
| `item_state` | "executing", "not_executing", "not_available", "out_of_service" or "other" (OPC 40001-1) |
| `operation_mode` | "processing", "setup", "maintenance", "none" or "other" (OPC 40001-1) |
| `warm_up` | bool: the machine is warming up, nobody cuts |
| `dry_run` | bool: a program is tried without cutting |
| `spindle.S1.speed` | 1/1000 revolutions per minute |
| `spindle.S1.rotating` | bool: the spindle turns; counts where no speed is known |
| `spindle.S1.as_axis` | bool: the spindle is positioned as an axis; it then does not turn, whatever speed says |
| `spindle.S1.load` | 1/1000 of rated load |
| `axis.X.position` | micrometres |
| `feed` | actual path feed in micrometres per second |
| `tool` | text: number or identifier of the tool in use; "" or "0" is none |
| `counter.power_on`, `counter.auto`, `counter.cut` | the controller's own time counters in milliseconds |
| `energy` | milliwatt hours of a cumulative meter |
| `serial` | text: the control's serial number; `serial.energy`, `serial.auto`: of the device that keeps that counter |
| `parts` | the control's part counter |
| `replayed` | bool: what is seen is a recording played back |
| `heartbeat` | milliseconds since 1970 UTC: proof of life, and the clock |

Any number of spindles (S1, S2, ...) and axes. A signal's value holds until its next value.
"""

from dataclasses import dataclass
from datetime import datetime

HEARTBEAT = "heartbeat"
REPLAYED = "replayed"
ASIDE = frozenset({HEARTBEAT, REPLAYED})
"""Signals that say something of the source and not of the machine."""
TEXTS = frozenset({"mode", "execution", "item_state", "operation_mode", "tool"})
"""Signals whose value is text."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One value of one signal. `value` is None when it is unavailable or of bad quality: that ends the value before.

    `source_time` is the source's own timestamp, UTC.
    """

    signal: str
    value: int | str | bool | None
    source_time: datetime
