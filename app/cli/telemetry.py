"""`spindleshare telemetry`: what raw telemetry there is, and a copy of it."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

group = typer.Typer(no_args_is_help=True)
_Period = Annotated[str, typer.Option(help="A month (2026-05), or two days (2026-05-01/2026-05-16), UTC.")]


@group.command("ls")
def ls(
    meter: Annotated[str | None, typer.Option(help="Serial number; all meters unless given.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False,
) -> None:
    """List each meter's telemetry: segments stored and missing, what the agent lost or thinned, what was refused."""
    from datetime import UTC, datetime

    from app import settings
    from app.telemetry import kept, opened
    from metering.period import Period

    ever = Period(datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))
    with opened(settings.load()) as database:
        found = [(one.serial, one.completeness) for one in kept(database, ever, serial=meter)]
    if as_json:
        typer.echo(json.dumps([{"meter": serial, **asdict(known)} for serial, known in found], default=str, indent=2))
        return
    for serial, known in found:
        until = f"{known.until:%Y-%m-%d %H:%M} UTC" if known.until else "never"
        typer.echo(
            f"{serial}: {known.stored} segments up to {until}, {known.missing} missing, {known.thinned} thinned, "
            f"{known.refused} refused, {known.lost_rows} observations not kept by the agent"
        )


@group.command("export")
def export(
    meter: Annotated[str, typer.Argument(help="Serial number of the meter.")],
    folder: Annotated[Path, typer.Argument(help="A new folder for the Parquet files.")],
    period: _Period,
) -> None:
    """Copy a meter's Parquet files of a period, each segment once, with a manifest (segments.json)."""
    from app import settings
    from app.telemetry import kept, opened
    from billing.invoicing.billing_period import billing_period
    from metering.telemetry.export import export_segments
    from metering.telemetry.shelf import Shelf

    chosen = settings.load()
    asked = billing_period(period, "UTC")
    with opened(chosen) as database:
        (one,) = kept(database, asked, serial=meter)
    files = export_segments(Shelf(chosen.telemetry_folder), one.machine_id, one.meter_id, one.segments, asked, folder)
    typer.echo(f"{files} files and segments.json of {len(one.segments)} segments in {folder}")
