"""What a stopped agent's data folder holds of a machine's changes: counted anew, from the disk."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from machine_agents.accrual_state import AccrualState
from machine_agents.spool import Spool
from metering.telemetry.segment import Segment, parse, unpack


@dataclass(frozen=True, slots=True)
class Stored:
    """`rows`: observations other than the heartbeat and each signal's first; `travel_um`: all travel registers' sum."""

    rows: int
    travel_um: int


def stored(data: Path) -> Stored:
    """Count what is in the agent's folder `data`."""
    with contextlib.closing(Spool(data)) as spool:
        state = AccrualState.from_json(spool.kept("accrual") or "")
    seen: dict[str, int] = {}
    for segment in _segments(data / "telemetry"):
        for delivery in segment.deliveries:
            for _, signal, _ in delivery.taken:
                seen[signal] = seen.get(signal, 0) + 1
    seen.pop("heartbeat", None)
    travel = sum(value for code, value in state.registers.items() if code.startswith("travel."))
    return Stored(sum(seen.values()) - len(seen), travel)


def _segments(folder: Path) -> Iterator[Segment]:
    for path in sorted(folder.glob("*.*")):
        content = path.read_bytes()
        yield parse(unpack(content) if path.suffix == ".gz" else content)
