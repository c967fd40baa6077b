"""The shelf's upkeep: small files joined, what is too old deleted. By any process, any number of times."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from metering.telemetry.shelf import Shelf
from metering.telemetry.store import TelemetryStore


@dataclass(frozen=True, slots=True)
class Tended:
    """How many files were joined, how many days and segments were deleted for their age."""

    joined: int = 0
    days: int = 0
    segments: int = 0


def tend(shelf: Shelf, *, store: TelemetryStore, keep: timedelta, now: datetime) -> Tended:
    """Join what lies in small files, and delete what is older than `keep`. Nothing when another process is at it."""
    with shelf.tending() as mine:
        if not mine:
            return Tended()
        oldest = (now - keep).replace(hour=0, minute=0, second=0, microsecond=0)
        # The manifest first: rows that are still there though it says otherwise harm nobody, the reverse is a hole.
        segments = store.forget(oldest, now=now)
        days = shelf.forget(oldest.date())
        known, today = store.stored_numbers(), now.date().isoformat()
        joined = sum(
            shelf.compact(machine, day, known=known, is_past=day < today) for machine, day in shelf.partitions()
        )
        return Tended(joined, days, segments)
