"""`spindleshare usage`: a meter's quarter hours, with what is to be said of each, as known today or on a past day."""

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from app.usage import MeterUsage
    from metering.known import Known, Pair

_SHOWN = ("program_run", "spindle_on", "cutting")


class TwoFormats(ValueError):
    """Choose --json or --csv, not both."""


def usage(
    meter: Annotated[str, typer.Argument(help="Serial number of the meter.")],
    start: Annotated[str, typer.Option("--from", help="First day (2026-05-01), or a moment with its offset.")],
    until: Annotated[str, typer.Option("--until", help="The day after the last one, or a moment.")],
    known_on: Annotated[
        str | None, typer.Option("--known-on", help="As known at the end of that day, or at a moment.")
    ] = None,
    zone: Annotated[str | None, typer.Option(help="Whose midnight; the machine's own unless given.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print every register, in smallest units, as JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="The same as CSV, a quarter hour a line.")] = False,
) -> None:
    """A meter's usage by quarter hour.

    Marks: gap, substitute, late, corrected, clock not synchronised, not over yet, replayed. With --known-on the figures
    are those of that day (what was billed then); where they have changed since, today's are told beside them.
    """
    if as_json and as_csv:
        raise TwoFormats("choose --json or --csv, not both")
    found = _found(meter, start, until, known_on, zone)
    if as_json:
        typer.echo(json.dumps(_data(found), ensure_ascii=False, indent=1))
    elif as_csv:
        csv.writer(sys.stdout, lineterminator="\n").writerows(_table(found))
    else:
        _show(found)


def _found(serial: str, start: str, until: str, known_on: str | None, zone: str | None) -> "MeterUsage":
    from app import settings
    from app.database import Role
    from app.telemetry import opened
    from app.usage import of_meter
    from app.wear import end_of, moment_in
    from metering.period import Period
    from metering.store import MeteringStore

    with (
        opened(settings.load()) as database,
        database.transaction(Role.WORKER, as_of_one_moment=True) as session,
    ):
        metering = MeteringStore(session)
        meter = metering.meter_by_serial(serial)
        clock = zone or metering.machine(meter.machine_id).zone
        period = Period(moment_in(start, clock), moment_in(until, clock))
        known_at = end_of(known_on, clock) if known_on else None
        return of_meter(session, meter.id, period, known_at=known_at)


def _data(found: "MeterUsage") -> dict[str, Any]:
    from metering.known import totals

    rows = [_row(each) for each in found.rows] if found.known_at is None else list(map(_pair, found.pairs()))
    return {
        "meter": found.meter.serial,
        "machine": found.machine.name,
        "from": found.period.start.isoformat(),
        "until": found.period.end.isoformat(),
        "known_at": found.known_at.isoformat() if found.known_at else None,
        "totals": totals(found.shown),
        "totals_now": totals(found.rows),
        "rows": rows,
    }


def _pair(pair: "Pair") -> dict[str, Any]:
    """As known then; beside it today's, where that differs."""
    then = _row(pair.then) if pair.then else {"from": pair.starts_at.isoformat(), "marks": [], "grown": {}}
    return then | ({"now": _row(pair.now) if pair.now else None} if pair.differs or pair.then is None else {})


def _row(each: "Known") -> dict[str, Any]:
    return {
        "from": each.usage.period.start.isoformat(),
        "until": each.usage.period.end.isoformat(),
        "marks": [mark.value for mark in each.marks()],
        "revision": each.revision,
        "known_since": each.recorded_at.isoformat(),
        "readings": list(each.usage.evidence),
        "grown": _grown(each),
    }


def _grown(each: "Known") -> dict[str, int]:
    return {code: value for code, value in sorted(each.usage.deltas.items()) if value}


def _table(found: "MeterUsage") -> Iterator[Sequence[object]]:
    codes = sorted({code for each in found.shown for code in each.usage.deltas})
    yield ("from", "until", "marks", "revision", "known_since", "first_reading", "last_reading", *codes)
    for each in found.shown:
        period = each.usage.period
        marks = "; ".join(mark.value for mark in each.marks())
        fixed = (period.start.isoformat(), period.end.isoformat(), marks, each.revision, each.recorded_at.isoformat())
        yield (*fixed, *each.usage.evidence, *(each.usage.deltas.get(code, 0) for code in codes))


def _show(found: "MeterUsage") -> None:
    from rich.console import Console
    from rich.table import Table

    from app.pages.format import finely, minute, moment
    from metering.known import Mark, grew, totals
    from metering.register import billed_unit

    console, zone = Console(), found.machine.zone
    known = f"as known on {moment(found.known_at, zone)}" if found.known_at else "as known today"
    table = Table("Quarter hour", title=f"{found.machine.name}, meter {found.meter.serial}, {known}")
    for code in _SHOWN:
        table.add_column(f"{code} {billed_unit(code)}", justify="right")
    for heading in ("Readings", "Marks"):
        table.add_column(heading)
    told = [each for each in found.shown if grew(each.usage.deltas) or set(each.marks()) - {Mark.REPLAYED}]
    for each in told:
        figures = (finely(code, each.usage.deltas.get(code, 0)) for code in _SHOWN)
        readings = f"{each.usage.evidence[0]} to {each.usage.evidence[1]}"
        marks = ", ".join(mark.value for mark in each.marks())
        table.add_row(minute(each.usage.period.start, zone), *figures, readings, marks)
    console.print(table)
    sums, now = totals(found.shown), totals(found.rows)
    for code in _SHOWN:
        line = f"{code}: {finely(code, sums.get(code, 0))} {billed_unit(code)}"
        if found.known_at is not None:
            line += f", today {finely(code, now.get(code, 0))}"
        console.print(line, highlight=False)
    for pair in found.pairs() if found.known_at is not None else ():
        if pair.differs:
            change = ", ".join(f"{code} {value:+d}" for code, value in sorted(pair.difference.items()) if value)
            console.print(f"changed since: {minute(pair.starts_at, zone)} {change}", style="yellow", highlight=False)
