"""Raw telemetry to quarter-hour usage: our one expression against DuckDB by hand, pandas, and on two servers."""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path

from metering.telemetry.cluster import share_out
from metering.telemetry.embedded import Embedded
from metering.telemetry.rollup import Batch, Row
from metering.telemetry.spark import Spark
from workbench.bench import row
from workbench.bench.rollup_pandas import roll_up_by_pandas
from workbench.bench.row import Better
from workbench.bench.spark_servers import MEMORY_MIB, available, spark_servers
from workbench.bench.telemetry_data import Telemetry, write_telemetry

DEFAULT_ROWS = 2_500_000
_MEMORY_MIB = 4096
_BY_HAND = files("workbench.bench").joinpath("rollup_by_hand.sql").read_text(encoding="utf-8")
_GOAL_BY_HAND, _GOAL_PANDAS, _GOAL_CLUSTER = 1.2, 1.0, 10.0


class NotTheSame(AssertionError):
    """Two sides of the benchmark give different results: no figure of it counts."""


def run(runs: int, rows: int = DEFAULT_ROWS) -> Iterator[row.Row]:
    """The rows of `spindleshare bench rollup`, each as soon as it is measured."""
    with tempfile.TemporaryDirectory(prefix="spindleshare-bench-") as folder:
        data = write_telemetry(Path(folder), rows=rows, seed=1)
        ours = Embedded(memory_mib=_MEMORY_MIB).run
        by_hand = Embedded(memory_mib=_MEMORY_MIB, sql=_BY_HAND).run
        _check_same(data, ours, by_hand, roll_up_by_pandas)
        against = "the same by hand for this data and engine"
        yield _row("rollup", data, ours, by_hand, _GOAL_BY_HAND, runs, against)
        yield _row("rollup, pandas", data, ours, roll_up_by_pandas, _GOAL_PANDAS, runs, "the same in plain pandas")
        if available():
            with spark_servers(2) as urls:
                yield _cluster_row(data, urls, ours, runs)
        else:
            print("the cluster is not measured: pysail is not installed", file=sys.stderr)


def _row(
    name: str,
    data: Telemetry,
    ours: Callable[[Batch], list[Row]],
    limit: Callable[[Batch], list[Row]],
    goal: float,
    runs: int,
    against: str,
) -> row.Row:
    measured: dict[int, tuple[float, float]] = {}

    def both(number: int) -> tuple[float, float]:
        if number not in measured:
            measured[number] = _in_turn(data, ours, limit, first=number % 2)
        return measured[number]

    return row.compare(
        name,
        ours=lambda number: both(number)[0],
        limit=lambda number: both(number)[1],
        unit="s",
        goal=goal,
        better=Better.LOWER,
        runs=runs,
        how=f"{data.rows:,} observations of {len(data.batches)} machines in Parquet to quarter hours. ours: rollup.sql "
        f"in DuckDB within {_MEMORY_MIB} MiB, a machine at a time, in turn; limit: {against}; results compared first",
    )


def _cluster_row(data: Telemetry, urls: Sequence[str], embedded: Callable[[Batch], list[Row]], runs: int) -> row.Row:
    def ours(_: int) -> float:
        began = time.perf_counter()
        grown = share_out(data.batches, [(url, partial(Spark, url)) for url in urls]).grown
        took = time.perf_counter() - began
        expected = {
            (batch.stretches[index].meter, quarter_ms, code, cell): value
            for batch in data.batches
            for index, quarter_ms, code, cell, value in embedded(batch)
        }
        if grown != expected:
            raise NotTheSame("the cluster's result is another")
        return took

    return row.compare(
        "rollup, cluster",
        ours=ours,
        limit=lambda _: _seconds(data, embedded),
        unit="s",
        goal=_GOAL_CLUSTER,
        better=Better.LOWER,
        runs=runs,
        how=f"ours: rollup.sql on {len(urls)} Spark Connect servers (Sail, {MEMORY_MIB} MiB each) as processes, "
        "machines shared out over them; limit: the same text embedded in this process. On one machine the servers "
        "share its cores",
    )


def _in_turn(
    data: Telemetry, ours: Callable[[Batch], list[Row]], limit: Callable[[Batch], list[Row]], *, first: int
) -> tuple[float, float]:
    """Seconds of both sides over all batches: batch by batch in turn, so that a busy machine is busy for both."""
    took = [0.0, 0.0]
    for number, batch in enumerate(data.batches):
        for side in (0, 1) if (number + first) % 2 == 0 else (1, 0):
            began = time.perf_counter()
            (ours, limit)[side](batch)
            took[side] += time.perf_counter() - began
    return took[0], took[1]


def _seconds(data: Telemetry, engine: Callable[[Batch], list[Row]]) -> float:
    began = time.perf_counter()
    for batch in data.batches:
        engine(batch)
    return time.perf_counter() - began


def _check_same(data: Telemetry, *engines: Callable[[Batch], list[Row]]) -> None:
    """On the first machine, so that the check does not take longer than the benchmark."""
    first, *others = (engine(data.batches[0]) for engine in engines)
    if not first or any(other != first for other in others):
        raise NotTheSame("the sides give different results")
