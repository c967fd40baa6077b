"""The agent's benchmark: its sides measured for real on a small machine, its rows by figures made up."""

import asyncio
from dataclasses import replace
from pathlib import Path

from tests.peers import needs_node_opcua
from workbench.bench.agent.client import WARM_TICKS, Cost, Truth, measure
from workbench.bench.agent.rows import Run, rows_of
from workbench.bench.agent.spooled import Stored, stored
from workbench.bench.row import Row

COST = Cost(measured=1000, cpu_seconds=0.05, idle_bytes=60 << 20, busy_bytes=70 << 20, truth=Truth(1200, 3000, 1))


def run(ours: Cost = COST, spool: Stored | None = None) -> Run:
    slow, fast = replace(COST, cpu_seconds=0.045), replace(COST, cpu_seconds=0.02)
    return Run({"ours": ours, "handler": slow, "session": fast}, spool or Stored(1200, 3_000_000))


def rows(*runs: Run) -> dict[str, Row]:
    return {row.name.removeprefix("agent, 5 nodes").lstrip(", "): row for row in rows_of(5, runs)}


def test_processor_time_is_compared_in_the_same_run() -> None:
    found = rows(run(), run())
    assert (found[""].ours, found[""].ratio, found[""].holds) == (20_000, 0.9, True)
    session = found["bare session"]  # information, without a goal
    assert (session.ratio, session.goal, session.holds) == (0.4, None, True)
    assert not rows(run(replace(COST, cpu_seconds=0.06)), run(replace(COST, cpu_seconds=0.06)))[""].holds
    assert (found["memory idle"].ours, found["memory busy"].ours) == (60, 70)
    assert all(row.goal is None or row.goal > 0 for row in found.values())
    assert all(row.how for row in found.values())


def test_what_is_stored_must_be_what_was_changed_to_the_unit() -> None:
    good = run()
    assert rows(good, good)["stored"].holds
    for wrong in (Stored(1199, 3_000_000), Stored(1201, 3_000_000), Stored(1200, 3_000_001)):
        assert not rows(good, run(spool=wrong))["stored"].holds


@needs_node_opcua
def test_both_sides_take_all_changes_and_the_agents_spool_holds_each_once(tmp_path: Path) -> None:
    async def both_sides() -> dict[str, Cost]:
        names = ("handler", "ours")
        costs = await asyncio.gather(*(measure(name, tmp_path / name, items=8, ticks=5) for name in names))
        return dict(zip(names, costs, strict=True))

    costs = asyncio.run(both_sides())
    assert all(one.cpu_seconds > 0 and one.idle_bytes > 2**20 for one in costs.values())
    truth = costs["ours"].truth
    assert truth.changed == 8 * (WARM_TICKS + 5)
    assert stored(tmp_path / "ours" / "ours" / "data") == Stored(truth.changed, 1000 * truth.travel_mm)
