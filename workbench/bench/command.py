"""`spindleshare bench`: one benchmark, as a table or as JSON."""

import importlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Annotated, TypeAlias

import typer
from rich.console import Console
from rich.table import Table

from workbench.bench.faults.score import Score
from workbench.bench.row import Row

BENCHES = {
    "ingest": "workbench.bench.ingest.rows:run",
    "agent": "workbench.bench.agent.rows:run",
    "faults": "workbench.bench.faults.table:run",
    "rollup": "workbench.bench.rollup:run",
    "rating": "workbench.bench.rating.rows:rate_leases",
}
"""Name -> "module:function"; the function takes the number of runs and gives the rows, mostly as they are measured."""
_SIZED = {"rollup": "--rows", "ingest": "--stored", "rating": "--leases"}
"""Those that also take a size, and the option that says it."""
_NOT_HELD = 1
Line: TypeAlias = Row | Score


class UnknownBench(ValueError):
    """There is no such benchmark."""


def bench(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(BENCHES)}.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
    runs: Annotated[int, typer.Option(min=2, max=50, help="How often each side is measured, in turn.")] = 5,
    size: Annotated[
        int | None,
        typer.Option("--rows", min=1000, help="Rows of input to make (rollup; its claim: 50000000)."),
    ] = None,
    stored: Annotated[
        int | None,
        typer.Option("--stored", min=1000, help="Readings stored already (ingest; its claim: 10000000)."),
    ] = None,
    leases: Annotated[
        int | None,
        typer.Option("--leases", min=1, help="Leases in the database (rating; its claim: 10000)."),
    ] = None,
) -> None:
    """Measure ours against a limit or a peer of the same run; the ratio is what counts, not the machine's figures.

    Exit codes: 0 every row reaches its goal · 1 one does not · 2 wrong command line · 3 could not measure.
    """
    measure = _load(name)
    for option, given in (("--rows", size), ("--stored", stored), ("--leases", leases)):
        if given is not None and _SIZED.get(name) != option:
            raise typer.BadParameter(f"{name} does not take it", param_hint=option)
    how_much = size or stored or leases
    rows = list(_told(measure(runs) if how_much is None else measure(runs, how_much)))
    if as_json:
        typer.echo(json.dumps([asdict(row) for row in rows], indent=2))
    else:
        _show(rows)
    raise typer.Exit(0 if all(row.holds for row in rows) else _NOT_HELD)


def _told(rows: Iterable[Line]) -> Iterable[Line]:
    """Say each on standard error as it comes: a long benchmark that is stopped has said what it knew."""
    for row in rows:
        if isinstance(row, Row):
            spread = f"spread {row.spread:.0%} in {row.runs} runs"
            typer.echo(f"{row.name}: {row.ratio:.3f} ({_goal(row)}), {spread}", err=True)
        yield row


def _load(name: str) -> Callable[..., Iterable[Line]]:
    if name not in BENCHES:
        raise UnknownBench(f"there is no benchmark {name!r}: choose one of {', '.join(BENCHES)}")
    module, _, function = BENCHES[name].partition(":")
    found: Callable[..., Iterable[Line]] = getattr(importlib.import_module(module), function)
    return found


def _goal(row: Row) -> str:
    return "no goal" if row.goal is None else f"{'≥' if row.better == 'higher' else '≤'} {row.goal}"


def _figure(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


def _show(rows: Sequence[Line]) -> None:
    _show_ratios([row for row in rows if isinstance(row, Row)])
    _show_scores([row for row in rows if isinstance(row, Score)])


def _show_scores(rows: Sequence[Score]) -> None:
    if not rows:
        return
    table = Table()
    for heading in Score.HEADINGS:
        table.add_column(heading, justify="left" if heading in ("fault", "client") else "right")
    for row in rows:
        table.add_row(*row.cells, style="" if row.holds else "red")
    Console(width=max(Console().width, 120)).print(table)


def _show_ratios(rows: Sequence[Row]) -> None:
    if not rows:
        return
    table = Table()
    for heading in ("name", "unit", "ours", "limit", "ratio", "goal", "holds", "runs", "spread"):
        table.add_column(heading, justify="left" if heading in ("name", "unit") else "right")
    for row in rows:
        holds = "[green]yes[/]" if row.holds else "[red]no[/]"
        if row.goal is None:
            holds = ""
        figures = (_figure(row.ours), _figure(row.limit), f"{row.ratio:.3f}", _goal(row))
        table.add_row(row.name, row.unit, *figures, holds, str(row.runs), f"{row.spread:.0%}")
    console = Console()
    console.print(table)
    for row in rows:
        console.print(f"[bold]{row.name}[/]: {row.how}", highlight=False)
