"""`python -m machine_agents replay`: what an agent beside the machine of a recording would have sealed."""

import json
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from machine_agents.replay import Replayed

_BAD_RECORDING = 3
_LONGEST_SHOWN = 10
_HOUR_MS = 3_600_000


def replay(
    recording: Annotated[
        list[Path], typer.Argument(help="A recording: our own format or `time|item|value` logs; .xz and .gz too.")
    ],
    profile: Annotated[
        Path | None, typer.Option(help="What the items mean: a mapping file (.toml) or the machine's Devices.xml.")
    ] = None,
    silence: Annotated[
        str, typer.Option(help="Seconds without any value after which nothing counts; default: the machine's own.")
    ] = "",
    day: Annotated[str, typer.Option(help="Only this UTC day, such as 2018-05-29.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Send a recording through the meter's own counting, without any network, and say what came of it.

    Registers by their basis, gaps, counters that stepped back, lines that were repeated, stale or out of order, and how
    far the meter agrees with the control's own counters.

    Exit status: 0 done, 3 recording, mapping or option.
    """
    from machine_agents import replay as work
    from machine_agents.item_mapping import MappingError
    from machine_agents.recording_text import RecordingError

    try:
        found = work.replay(recording, profile=profile, silence_ms=_milliseconds(silence), day=day)
    except (RecordingError, MappingError) as error:
        raise _left(str(error)) from None
    except OSError as error:
        raise _left(f"{error.filename}: {error.strerror}") from None
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=1))
    else:
        _show(found)


def _milliseconds(seconds: str) -> int | None:
    if not seconds:
        return None
    try:
        length = Decimal(seconds) * 1000
    except ArithmeticError:
        length = Decimal(-1)
    if not (length.is_finite() and 0 < length <= 10**12 and length == int(length)):
        raise _left(f"--silence {seconds!r} must be a number of seconds above 0, such as 5 or 0.5")
    return int(length)


def _show(found: "Replayed") -> None:
    from rich.console import Console
    from rich.table import Table

    from machine_agents.replay import shown
    from metering.register import billed_unit, describe

    # Names come from the recording: nothing in them is markup.
    console = Console(markup=False, highlight=False)
    period = found.period
    console.print(f"{found.machine} {found.serial}, {period.start:%Y-%m-%d %H:%M} to {period.end:%Y-%m-%d %H:%M} UTC")
    console.print(f"  items by {found.mapping}", soft_wrap=True)
    for warning in found.warnings:
        console.print(f"  note: {warning}", soft_wrap=True)
    console.print(
        f"  silence counts as a gap after {found.silence_ms / 1000:g} s ({found.silence_from})", soft_wrap=True
    )
    table = Table(title="registers", title_justify="left")
    for heading in ("register", "value", "", "what it counts"):
        table.add_column(heading, justify="right" if heading == "value" else "left", overflow="fold")
    for code, value in sorted(found.registers.items()):
        if not code.startswith("counter"):
            table.add_row(code, shown(code, value), billed_unit(code).replace("1", ""), describe(code).definition)
    console.print(table)
    _show_gaps(console, found)
    _show_counters(console, found)
    lines = {name: getattr(found.lines, name) for name in found.lines.__dataclass_fields__}
    console.print("lines: " + ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in lines.items()))
    resets = ", ".join(f"{signal} {count}" for signal, count in found.resets.items()) or "none"
    console.print(f"counters that stepped back: {resets}")
    _show_events(console, found)
    if found.credit:
        console.print(f"data: {found.credit}")


def _show_events(console: "Console", found: "Replayed") -> None:
    """What each counter shows from its first to its last value, what of it counts, and the steps that make the rest."""
    for signal, (first, last) in sorted(found.shown.items()):
        counted = found.registers.get(signal, 0)
        agrees = "agrees" if counted == last - first else f"{counted - last + first:+} by the steps below, or by a gap"
        console.print(f"{signal}: shows {first} to {last}, counted {counted} ({agrees})", soft_wrap=True)
    times = Counter((one.signal, one.event) for one in found.events)
    for (signal, event), count in sorted(times.items()):
        console.print(f"  {signal} {event.replace('_', ' ')}: {count} times")
    for one in found.events[:_LONGEST_SHOWN]:
        what = f"{one.signal} {one.event.replace('_', ' ')}: {one.before} to {one.after}, counted {one.counted}"
        console.print(f"  {one.at:%Y-%m-%d %H:%M:%S} {what}", soft_wrap=True)


def _show_gaps(console: "Console", found: "Replayed") -> None:
    console.print(f"gaps: {len(found.gaps)}, {found.gap_ms / _HOUR_MS:.3f} h in all; nothing counts inside")
    longest = sorted(found.gaps, key=lambda gap: gap.length, reverse=True)[:_LONGEST_SHOWN]
    for gap in sorted(longest):
        length = gap.length / timedelta(hours=1)
        console.print(f"  {gap.start:%Y-%m-%d %H:%M:%S} to {gap.end:%Y-%m-%d %H:%M:%S}  {length:.3f} h")


def _show_counters(console: "Console", found: "Replayed") -> None:
    from rich.table import Table

    from machine_agents.crosscheck import CAUSE_TEXTS

    if not found.comparisons:
        console.print("the control gives no counter of its own to compare with")
        return
    table = Table(title="against the control's own counters, in hours", title_justify="left")
    for heading in ("counter", "control", "meter", "difference", "of it"):
        table.add_column(heading, justify="left" if heading in ("counter", "of it") else "right", overflow="fold")
    for one in found.comparisons:
        hours = [f"{ms / _HOUR_MS:.3f}" for ms in (one.counter_ms, one.own_ms, one.difference)]
        causes = [f"{cause.replace('_', ' ')} {ms / _HOUR_MS:+.3f}" for cause, ms in one.causes.items() if ms]
        table.add_row(f"{one.counter} ({one.register})", *hours, ", ".join(causes))
    console.print(table)
    told = dict.fromkeys(cause for one in found.comparisons for cause, ms in one.causes.items() if ms)
    for cause in told:
        console.print(f"  {cause.replace('_', ' ')}: {CAUSE_TEXTS.get(cause, '')}", soft_wrap=True)


def _left(why: str) -> typer.Exit:
    typer.echo(f"machine_agents: {why}", err=True)
    return typer.Exit(_BAD_RECORDING)
