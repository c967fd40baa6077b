"""`spindleshare bench agent`: the machine agent's processor time, memory and completeness, against asyncua's client."""

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from workbench.bench.agent.client import Cost, measure
from workbench.bench.agent.spooled import Stored, stored
from workbench.bench.row import Better, Row, compare

ITEMS = (100, 1000)
TICKS = 100
SIDES = ("handler", "ours", "session")
CPU_GOAL = 0.8
MEMORY_GOAL = 1.5
_MIB = 1024 * 1024
_HOW = (
    "processor time (getrusage of the client's process) for {changes:,} changes of {items} nodes at 10 Hz after a "
    "warm-up, from node-opcua's server in a process of its own, by Basic256Sha256 SignAndEncrypt with a user; ours: "
    "the whole agent with its default settings, through registers, raw telemetry and a committed spool transaction "
    "per publish response; limit: {limit}; a process of its own for each side and run, in turn"
)
_HANDLER = "asyncua's client with a subscription handler that does nothing, which acknowledges before it is called"
_SESSION = "a publish loop on asyncua's session level that decodes, counts and acknowledges"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of every side, and what the agent's spool held at its end."""

    costs: dict[str, Cost]
    spool: Stored


def run(runs: int) -> list[Row]:
    """The rows of `spindleshare bench agent`: about three minutes a run."""
    rows: list[Row] = []
    for items in ITEMS:
        done = [asyncio.run(_once(number, items)) for number in range(runs)]
        rows += rows_of(items, done)
    return rows


async def _once(number: int, items: int) -> Run:
    """Every side after another, each run beginning with another one."""
    order = SIDES[number % len(SIDES) :] + SIDES[: number % len(SIDES)]
    costs = {}
    with tempfile.TemporaryDirectory(prefix="spindleshare-agent-") as folder:
        for name in order:
            costs[name] = await measure(name, Path(folder, name), items=items, ticks=TICKS)
        return Run(costs, stored(Path(folder, "ours", "ours", "data")))


def rows_of(items: int, runs: Sequence[Run]) -> list[Row]:
    """The rows of one number of nodes."""
    size = f"{items} nodes"
    changes = runs[0].costs["ours"].measured

    def speed(name: str, limit: str, goal: float | None, limit_text: str) -> Row:
        return compare(
            f"agent, {size}{name}",
            ours=lambda number: runs[number].costs["ours"].per_cpu_second,
            limit=lambda number: runs[number].costs[limit].per_cpu_second,
            unit="changes/CPU s",
            goal=goal,
            runs=len(runs),
            how=_HOW.format(changes=changes, items=items, limit=limit_text),
        )

    def memory(when: str, figure: str) -> Row:
        return compare(
            f"agent, {size}, memory {when}",
            ours=lambda number: getattr(runs[number].costs["ours"], figure) / _MIB,
            limit=lambda number: getattr(runs[number].costs["handler"], figure) / _MIB,
            unit="MiB",
            goal=MEMORY_GOAL,
            better=Better.LOWER,
            runs=len(runs),
            how=f"resident memory of the whole agent's process {when}, against that of asyncua's client with a handler",
        )

    return [
        speed("", "handler", CPU_GOAL, _HANDLER),
        # Information: nobody can bill by what that loop does, which keeps nothing; it shows what keeping costs.
        speed(", bare session", "session", None, _SESSION),
        memory("idle", "idle_bytes"),
        memory("busy", "busy_bytes"),
        _complete(size, runs),
    ]


def _complete(size: str, runs: Sequence[Run]) -> Row:
    """Whether the spool holds every change once: the server's count against the rows, and travel to the micrometre."""
    truths = [one.costs["ours"].truth for one in runs]
    ratios = [one.spool.rows / truth.changed for one, truth in zip(runs, truths, strict=True)]
    exact = all(
        (one.spool.rows, one.spool.travel_um) == (truth.changed, 1000 * truth.travel_mm)
        for one, truth in zip(runs, truths, strict=True)
    )
    return Row(
        name=f"agent, {size}, stored",
        unit="changes",
        ours=median(one.spool.rows for one in runs),
        limit=median(truth.changed for truth in truths),
        ratio=median(ratios),
        better=Better.HIGHER,
        goal=1.0,
        holds=exact,
        runs=len(runs),
        spread=(max(ratios) - min(ratios)) / median(ratios),
        how="changes kept on the agent's disk against the server's own count of what it changed, and the travel "
        "registers against the server's sum: none lost, none twice, or this row does not hold",
    )
