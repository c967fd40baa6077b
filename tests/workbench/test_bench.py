"""The frame of the benchmarks: what a row says, and what the command prints."""

import json
from dataclasses import asdict, fields

import pytest
import typer
from typer.testing import CliRunner

from workbench.bench import command, ingest, rollup
from workbench.bench.row import Better, Row, TooFewRuns, compare

FIELDS = ["name", "unit", "ours", "limit", "ratio", "better", "goal", "holds", "runs", "spread", "how"]


def row(*, goal: float = 0.3, better: Better = Better.HIGHER, runs: int = 3) -> Row:
    mine, limits = [30.0, 50.0, 40.0], [100.0, 100.0, 200.0]
    return compare(
        "r",
        ours=lambda run: mine[run],
        limit=lambda run: limits[run],
        unit="1/s",
        goal=goal,
        better=better,
        runs=runs,
        how="h",
    )


def test_a_row_is_the_median_of_ratios_of_the_same_run() -> None:
    one = row()
    assert (one.ours, one.limit, one.ratio, one.runs) == (40.0, 100.0, 0.3, 3)
    assert one.spread == pytest.approx((0.5 - 0.2) / 0.3)
    assert [one.holds, row(goal=0.31).holds, row(goal=0.31, better=Better.LOWER).holds] == [True, False, True]
    assert [field.name for field in fields(Row)] == FIELDS
    with pytest.raises(TooFewRuns):
        row(runs=1)


def test_both_sides_go_first_in_turn() -> None:
    order: list[str] = []

    def mark(side: str) -> float:
        order.append(side)
        return 1.0

    compare("r", ours=lambda _: mark("ours"), limit=lambda _: mark("limit"), unit="1", goal=1, runs=4, how="")
    assert order == ["ours", "limit", "limit", "ours"] * 2


@pytest.mark.parametrize(("goal", "status"), [(0.3, 0), (0.9, 1)])
def test_the_command_prints_rows_and_its_status_says_whether_they_hold(
    monkeypatch: pytest.MonkeyPatch, goal: float, status: int
) -> None:
    monkeypatch.setattr(command, "_load", lambda _: lambda runs: [row(goal=goal)])
    app = typer.Typer()
    app.command()(command.bench)
    told = CliRunner().invoke(app, ["r", "--json"])
    assert told.exit_code == status
    assert json.loads(told.stdout) == [asdict(row(goal=goal))]
    table = CliRunner().invoke(app, ["r"])
    assert table.exit_code == status
    assert "0.300" in table.stdout


def test_an_unknown_benchmark_is_named() -> None:
    with pytest.raises(command.UnknownBench, match="ingest"):
        command._load("nothing")


def test_ingest_measures_a_real_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small: that every reading arrives is checked within; the figure itself means nothing here."""
    monkeypatch.setattr(ingest, "_AGENTS", 2)
    monkeypatch.setattr(ingest, "_REQUESTS_PER_RUN", 1)
    (measured,) = ingest.run(2)
    assert measured.ours > 0
    assert measured.limit > 0
    assert measured.name == "ingest"


def test_rollup_measures_equal_results_and_only_it_takes_a_size() -> None:
    """Small: that all sides give the same is checked within; the figures mean nothing here."""
    measured = rollup.run(2, 20_000)
    assert [row.name for row in measured][:2] == ["rollup", "rollup, pandas"]
    assert all(row.ours > 0 and row.limit > 0 for row in measured)
    app = typer.Typer()
    app.command()(command.bench)
    assert CliRunner().invoke(app, ["ingest", "--rows", "5000"]).exit_code == 2
