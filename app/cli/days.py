"""`spindleshare days`: usage by local day, of one meter, of some, or of the whole fleet."""

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.usage import MeterDay

_SHOWN = ("power_on", "program_run", "spindle_on", "cutting")


def days(
    period: Annotated[str, typer.Option(help="A month (2026-05), or two days (2026-05-01/2026-05-16).")],
    meters: Annotated[list[str] | None, typer.Argument(help="Serial numbers of meters; all unless given.")] = None,
    zone: Annotated[str | None, typer.Option(help="Whose midnight; each machine's own unless given.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print every register, in smallest units, as JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="The same as CSV, a meter's day a line.")] = False,
) -> None:
    """Usage by local day, as known today; days on which nothing was measured are left out.

    Marks: substitute, clock not synchronised, replayed, not over yet. `spindleshare usage` tells the quarter hours.
    """
    from app.cli.usage import TwoFormats

    if as_json and as_csv:
        raise TwoFormats("choose --json or --csv, not both")
    found = _found(meters or [], period, zone)
    if as_json:
        typer.echo(json.dumps([_data(one) for one in found], ensure_ascii=False, indent=1))
    elif as_csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows(_table(found))
    else:
        _show(found)


def _found(serials: Sequence[str], period: str, zone: str | None) -> "list[MeterDay]":
    from app import settings
    from app.database import Role
    from app.telemetry import opened
    from app.usage import by_day

    with (
        opened(settings.load()) as database,
        database.transaction(Role.WORKER, as_of_one_moment=True) as session,
    ):
        return by_day(session, serials, period, zone=zone)


def _data(one: "MeterDay") -> dict[str, object]:
    grown = {code: value for code, value in sorted(one.day.deltas.items()) if value}
    return {
        "meter": one.serial,
        "machine": one.machine,
        "day": one.date.isoformat(),
        "marks": one.marks,
        "grown": grown,
    }


def _table(found: "Sequence[MeterDay]") -> Iterator[Sequence[object]]:
    codes = sorted({code for one in found for code in one.day.deltas})
    yield ("meter", "machine", "day", "marks", *codes)
    for one in found:
        figures = (one.day.deltas.get(code, 0) for code in codes)
        yield (one.serial, one.machine, one.date.isoformat(), "; ".join(one.marks), *figures)


def _show(found: "Sequence[MeterDay]") -> None:
    from rich.console import Console
    from rich.table import Table

    from app.pages.format import finely
    from metering.register import billed_unit

    table = Table("Machine", "Meter", "Day")
    for code in _SHOWN:
        table.add_column(f"{code} {billed_unit(code)}", justify="right")
    table.add_column("Marks")
    for one in found:
        figures = (finely(code, one.day.deltas.get(code, 0)) for code in _SHOWN)
        table.add_row(one.machine, one.serial, one.date.isoformat(), *figures, ", ".join(one.marks))
    Console().print(table)
