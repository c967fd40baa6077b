"""`spindleshare components`: what of a machine wears, with what parameters, since when; nothing is ever overwritten."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from uuid import UUID

    from metering.components.component import Entry, History
    from metering.components.record import Recorded, Teller
    from metering.components.store import ComponentStore

group = typer.Typer(no_args_is_help=True)
_Machine = Annotated[str, typer.Argument(help="The machine's name or id, or its meter's serial number.")]
_Component = Annotated[str, typer.Argument(help="The component's name.")]
_Why = Annotated[str, typer.Option(help="The reason; it is kept and shown.")]
_By = Annotated[str, typer.Option(help="Who says so.")]


@group.command("list")
def list_components(
    machine: _Machine,
    known_on: Annotated[str, typer.Option(help="As it was known on this day (2026-05-01) or at a moment.")] = "",
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Every component with all that was told of it."""
    from app.wear import end_of
    from app.wear_data import history_data

    with _telling(machine, "") as (teller, store):
        known_at = end_of(known_on, teller.machine.zone) if known_on else None
        found = [history.known(known_at) for history in store.histories(teller.machine.id)]
    found = [history for history in found if history.entries]
    if as_json:
        typer.echo(json.dumps([history_data(history) for history in found], ensure_ascii=False, indent=1))
        return
    for history in found:
        typer.echo(f"{history.component.name} ({history.component.kind})")
        for line in _lines(history):
            typer.echo(f"  {line}")
    if not found:
        typer.echo("no component yet: `spindleshare components example` shows a file to begin with")


@group.command("set")
def set_components(
    machine: _Machine,
    file: Annotated[Path, typer.Argument(help="A components file (TOML).", exists=True, dir_okay=False)],
    by: _By = "command line",
) -> None:
    """Put on record what a file says and was not known yet: new components, versions of parameters, fitted pieces."""
    from metering.components.file import read_components
    from metering.components.record import set_component

    said = read_components(file.read_bytes())
    with _telling(machine, by) as (teller, store):
        for each in said:
            _tell(set_component(each, teller=teller, store=store))


@group.command()
def fit(
    machine: _Machine,
    component: _Component,
    at: Annotated[str, typer.Option(help="When, as 2026-05-01T10:00; the machine's clock unless an offset is given.")],
    why: _Why,
    serial: Annotated[str, typer.Option(help="The new piece's number.")] = "",
    used_share: Annotated[str, typer.Option(help="The share of its life that it had used before.")] = "0",
    by: _By = "command line",
) -> None:
    """Another piece was fitted: it starts at zero, and what the old one took stays in the history."""
    from app.wear import moment_in
    from metering.components import record
    from metering.components.told import fitting

    with _telling(machine, by) as (teller, store):
        piece = fitting({"fitted_at": moment_in(at, teller.machine.zone), "serial": serial, "used_share": used_share})
        _tell(record.fit(_called(component, teller, store), piece, why, teller=teller, store=store))


@group.command()
def withdraw(
    machine: _Machine,
    component: _Component,
    entry: Annotated[int, typer.Argument(help="The entry's number, as listed.")],
    why: _Why,
    by: _By = "command line",
) -> None:
    """Take an entry back: it stays on record and counts no more."""
    from metering.components import record

    with _telling(machine, by) as (teller, store):
        _tell(record.withdraw(_called(component, teller, store), entry, why, teller=teller, store=store))


@group.command()
def example() -> None:
    """Print a components file with comments, to begin with."""
    from metering.components.file import EXAMPLE

    typer.echo(EXAMPLE.read_text(encoding="utf-8"), nl=False)


@contextmanager
def _telling(machine: str, by: str) -> Iterator[tuple["Teller", "ComponentStore"]]:
    from app import clock, settings
    from app.database import Role
    from app.telemetry import opened
    from app.wear import machine_called
    from metering.components.record import Teller
    from metering.components.store import ComponentStore
    from metering.store import MeteringStore

    with opened(settings.load()) as database, database.transaction(Role.WORKER) as session:
        found = machine_called(MeteringStore(session), machine)
        yield Teller(found, by, clock.now()), ComponentStore(session)


def _called(name: str, teller: "Teller", store: "ComponentStore") -> "UUID":
    from metering.components.fields import refusal

    found = [history.component for history in store.histories(teller.machine.id)]
    for component in found:
        if component.name == name:
            return component.id
    known = ", ".join(component.name for component in found) or "none"
    raise refusal("component", f"{teller.machine.name} has no component {name!r}; there are: {known}")


def _tell(done: "Recorded") -> None:
    name = done.history.component.name
    if not done.new:
        typer.echo(f"{name}: known already, nothing recorded")
    for entry in done.new:
        typer.echo(f"{name}: recorded {_line(entry)}")


def _lines(history: "History") -> Iterator[str]:
    withdrawn = {entry.withdraws for entry in history.entries}
    for entry in history.entries:
        yield _line(entry) + (" (taken back)" if entry.number in withdrawn else "")


def _line(entry: "Entry") -> str:
    from metering.components.fields import shown

    if entry.parameters:
        values = ", ".join(
            f"{name} {shown(value)}".replace("\n", "; ") for name, value in entry.parameters.values.items()
        )
        told = f"parameters from {entry.at:%Y-%m-%d %H:%M} UTC: {values}"
    elif entry.withdraws is not None:
        told = f"entry {entry.withdraws} taken back"
    else:
        piece = f" {entry.serial}" if entry.serial else ""
        told = f"piece{piece} fitted {entry.at:%Y-%m-%d %H:%M} UTC, {entry.used_share:%} of its life used before"
    because = f"; {entry.why}" if entry.why else ""
    return f"{entry.number}. {told} [{entry.by}, {entry.recorded_at:%Y-%m-%d %H:%M} UTC{because}]"
