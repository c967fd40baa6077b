"""`spindleshare rollup`: quarter hours anew from raw telemetry, beside what is billed by."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.telemetry import RolledUp

_SHOWN = 50


def rollup(
    meter: Annotated[str, typer.Argument(help="Serial number of the meter.")],
    period: Annotated[str, typer.Option(help="A month (2026-05), or two days (2026-05-01/2026-05-16).")],
    zone: Annotated[str, typer.Option(help="Whose midnight.")] = "UTC",
    engine: Annotated[
        str, typer.Option(help="embedded, or Spark Connect servers: sc://host:port, several separated by commas.")
    ] = "embedded",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print sums and differences as JSON.")] = False,
) -> None:
    """Compute a meter's quarter hours from every raw observation, and list where the stored usage differs.

    Stored usage comes from the agent's sealed readings. Both are integers of the smallest unit and should be equal.

    Exit codes: 0 equal · 1 at least one figure differs · 3 not done.
    """
    from app import settings
    from app.telemetry import kept, opened, rolled_up
    from billing.invoicing.billing_period import billing_period
    from metering.telemetry.shelf import Shelf

    chosen = settings.load()
    asked = billing_period(period, zone)
    with opened(chosen) as database:
        (one,) = kept(database, asked, serial=meter)
    done = rolled_up(one, asked, shelf=Shelf(chosen.telemetry_folder), engine=engine)
    if as_json:
        typer.echo(json.dumps(_data(done), default=str, indent=2))
    else:
        _show(done, len(one.segments))
    raise typer.Exit(1 if done.comparison.differences else 0)


def _sums(done: "RolledUp") -> dict[str, int]:
    sums: dict[str, int] = {}
    for (_, _, code, _), value in sorted(done.grown.items(), key=lambda item: item[0][2]):
        sums[code] = sums.get(code, 0) + value
    return sums


def _data(done: "RolledUp") -> dict[str, object]:
    return {"sums": _sums(done), **asdict(done.comparison)}


def _show(done: "RolledUp", segments: int) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table("Register", title=f"From raw telemetry ({segments} segments)")
    table.add_column("Growth, smallest unit", justify="right")
    for code, value in _sums(done).items():
        table.add_row(code, f"{value:,}")
    console.print(table)
    compared, differences = done.comparison, done.comparison.differences
    if compared.until is None:
        console.print("Nothing to compare with: there is no stored usage or no telemetry.", style="yellow")
        return
    of = f"{compared.quarters} quarter hours up to {compared.until:%Y-%m-%d %H:%M} UTC"
    if not differences:
        console.print(f"Equal to the stored usage in {of}.", style="green")
        return
    listed = Table("Quarter hour", "Register", "Why", title=f"{len(differences)} figures differ in {of}")
    for heading in ("Stored", "Rolled up"):
        listed.add_column(heading, justify="right")
    for one in differences[:_SHOWN]:
        code = one.code if one.cell is None else f"{one.code} {one.cell}"
        listed.add_row(f"{one.starts_at:%Y-%m-%d %H:%M}", code, one.why, f"{one.stored:,}", f"{one.rolled:,}")
    console.print(listed)
    if len(differences) > _SHOWN:
        console.print(f"{len(differences) - _SHOWN} more with --json.")
