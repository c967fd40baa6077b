"""Stretches that were missed and read from history afterwards, until a sealed record has said so."""

import json
from collections.abc import Iterator
from datetime import datetime

from machine_agents.source_time import from_ms, to_us
from metering.ocmf_fields import MAX_RECOVERED
from metering.period import Period


class Recovered:
    """Whole milliseconds, in order, none touching another; no more of them than a record can say."""

    def __init__(self, text: str | None = None) -> None:
        """`text`: what `to_json` gave."""
        self._stretches: list[tuple[int, int]] = [(start, end) for start, end in json.loads(text or "[]")]

    def to_json(self) -> str:
        return json.dumps(self._stretches, separators=(",", ":"))

    def add(self, period: Period) -> None:
        """Some of what was missed in `period` is known now."""
        new = to_us(period.start) // 1000, -(-to_us(period.end) // 1000)
        merged: list[tuple[int, int]] = []
        for start, end in sorted([*self._stretches, new]):
            if merged and start <= merged[-1][1]:
                merged[-1] = merged[-1][0], max(end, merged[-1][1])
            else:
                merged.append((start, end))
        while len(merged) > MAX_RECOVERED:  # said as one stretch rather than not at all
            merged[-2:] = [(merged[-2][0], merged[-1][1])]
        self._stretches = merged

    def take(self, until: datetime) -> tuple[Period, ...]:
        """What lies before `until`, for the record that ends there; the rest stays for the next one."""
        limit = to_us(until) // 1000
        told = tuple(self._before(limit))
        self._stretches = [(max(start, limit), end) for start, end in self._stretches if end > limit]
        return told

    def _before(self, limit: int) -> Iterator[Period]:
        for start, end in self._stretches:
            if start < limit:
                yield Period(from_ms(start), from_ms(min(end, limit)))
