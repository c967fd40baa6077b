"""The agent's source under faults of a server that nobody here wrote: node-opcua with its published machine models."""

import asyncio
from pathlib import Path

import pytest

from tests.peers import needs_node_opcua
from workbench.bench.faults.run import FAULTS, measure
from workbench.bench.faults.score import Score, count

OUTAGE_SECONDS = 5
PATIENCE_SECONDS = 60


def score(**changes: int) -> Score:
    found = {"lost": 0, "doubled": 0, "out_of_order": 0, "gap_records": 0} | changes
    return Score("a fault", "ours", 10, 10, silence_seconds=1.0, recovered=True, **found)


@pytest.mark.slow
@needs_node_opcua
def test_no_fault_within_the_queue_loses_or_doubles_a_value_and_one_beyond_it_is_one_gap(tmp_path: Path) -> None:
    async def all_at_once() -> list[Score]:
        limits = {"seconds": OUTAGE_SECONDS, "patience": PATIENCE_SECONDS}
        runs = (measure(one, tmp_path / str(n), clients=["ours"], **limits) for n, one in enumerate(FAULTS))
        scores = await asyncio.gather(*runs)
        return [one for some in scores for one in some]

    scores = asyncio.run(all_at_once())
    assert [one.fault for one in scores] == [fault.name for fault in FAULTS]
    assert all(one.offered > 5 * 10 * OUTAGE_SECONDS for one in scores)
    assert all(one.silence_seconds is not None for one in scores)
    assert [one for one in scores if not one.holds] == []
    (beyond,) = [one for one in scores if one.fault == "link cut beyond the queue"]
    assert beyond.lost > 0


def test_values_are_counted_against_the_servers_own_count() -> None:
    values = [("a", 1), ("a", 2), ("b", 1), ("b", 3), ("b", 2), ("b", 3)]
    found = count(values, 2, 3)
    assert found == {"offered": 6, "received": 5, "lost": 1, "doubled": 1, "out_of_order": 1}


@pytest.mark.parametrize("wrong", [{"lost": 1}, {"doubled": 1}, {"out_of_order": 1}, {"gap_records": 1}])
def test_a_score_holds_only_when_nothing_is_wrong(wrong: dict[str, int]) -> None:
    assert score().holds
    assert not score(**wrong).holds
