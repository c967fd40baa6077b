"""`spindleshare bench faults`: every fault, every client, as one table."""

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from workbench.bench.faults.run import FAULTS, Fault, measure
from workbench.bench.faults.score import Score

OUTAGE_SECONDS = 15.0
_PATIENCE_SECONDS = 45.0
_AT_ONCE = 2


def run(_runs: int) -> list[Score]:
    """Each fault once, for 15 s: a fault's outcome is a count, not a figure that scatters."""
    with tempfile.TemporaryDirectory(prefix="spindleshare-faults-") as folder:
        return asyncio.run(measure_all(FAULTS, Path(folder), seconds=OUTAGE_SECONDS))


async def measure_all(faults: Sequence[Fault], folder: Path, *, seconds: float) -> list[Score]:
    """A few at a time, each against a server of its own, so that they do not take the processor from one another."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(number: int, fault: Fault) -> list[Score]:
        async with turn:
            return await measure(fault, folder / str(number), seconds=seconds, patience=_PATIENCE_SECONDS)

    done = await asyncio.gather(*(one(number, fault) for number, fault in enumerate(faults)))
    return [score for scores in done for score in scores]
