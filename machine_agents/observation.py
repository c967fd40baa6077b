"""Observations: what a source says about one signal at one moment, in exact integers and words.

Signals and their values (`None` = unavailable or of bad quality):

- `power` bool · `mode` automatic|mdi|manual|setup|other · `execution` active|interrupted|feed_hold|stopped|ready|other
- `spindle.S1.speed` in 1/1000 per minute · `spindle.S1.load` in 1/1000 of rated load (any number of spindles)
- `axis.X.position` in micrometres (any number of axes) · `feed` actual path feed in micrometres per second
- `counter.power_on|auto|cut` the control's own time counters in ms · `energy` counter in mWh · `parts` counter
- `replayed` bool: a recording is played back · `heartbeat` the source's clock, ms since 1970 (UTC)
"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Observation:
    """A signal's value as of `source_time`, the source's own timestamp in UTC."""

    signal: str
    value: int | str | bool | None
    source_time: datetime
