"""`spindleshare wear`: how worn a machine's components are, who wore them, and what may be left."""

import json
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from app.wear import MachineWear
    from metering.components.measure import ComponentWear, Found


def wear(
    machine: Annotated[str, typer.Argument(help="The machine's name or id, or its meter's serial number.")],
    start: Annotated[
        str, typer.Option("--from", help="A day or moment by the machine's clock; since the first piece was fitted.")
    ] = "",
    end: Annotated[
        str, typer.Option("--until", help="A day or moment, not included; the newest reading unless given.")
    ] = "",
    known_on: Annotated[
        str, typer.Option(help="By parameters, usage and bookings as they were known on this day.")
    ] = "",
    *,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print JSON: shares to 12 places, every band and reason.")
    ] = False,
) -> None:
    """The wear of each component: its life so far, the period's share by lease, and what may be left, as a band.

    L10 is the life that nine of ten of a large population reach, not a date for one machine's part.
    """
    from app import clock, settings
    from app.database import Role
    from app.telemetry import opened
    from app.wear import Asked, machine_called, wear_of
    from app.wear_data import wear_data
    from metering.store import MeteringStore

    with opened(settings.load()) as database, database.transaction(Role.WORKER, as_of_one_moment=True) as session:
        found = machine_called(MeteringStore(session), machine)
        done = wear_of(session, found, Asked(start, end, known_on), usual=None, now=clock.now())
    if as_json:
        typer.echo(json.dumps(wear_data(done), ensure_ascii=False, indent=1))
        return
    _show(done)


def _show(found: "MachineWear") -> None:
    from rich.console import Console

    console = Console()
    period = found.period
    console.print(f"{found.machine.name}, {period.start:%Y-%m-%d %H:%M} to {period.end:%Y-%m-%d %H:%M} UTC")
    for each, shares in found.components:
        _show_component(console, each)
        whole = each.in_period
        for share in shares:
            console.print(f"    {share.who}: {_said(share.worn)}")
        if shares:
            console.print(f"    in this period: {_said(whole)}")
    if not found.components:
        console.print("no component yet: `spindleshare components example` shows a file to begin with")


def _show_component(console: "Console", each: "ComponentWear") -> None:
    from metering.components.parameters import TITLES, unit_of

    component = each.history.component
    console.print(f"{component.name}: {TITLES[component.kind]}", style="bold", highlight=False)
    if each.present is None or each.version is None or each.version.parameters is None:
        console.print("  nothing was fitted at this time")
        return
    unit, life = unit_of(each.version.parameters), each.present.life
    piece = f"piece {life.serial or life.number}, fitted {life.start:%Y-%m-%d}"
    console.print(f"  {piece}: {_said(each.present.whole, unit)}, by parameters of entry {each.version.number}")
    if left := each.left:
        if left.on_mix is None and left.lately is None:
            console.print("  left: cannot be said, nothing was measured to extrapolate")
        else:
            mix, late = _amount(left.on_mix, unit), _amount(left.lately, unit)
            console.print(f"  left to rated life: {mix} on the whole life's mix, {late} as lately")
            console.print(f"  band: {_amount(left.earliest, unit)} to {_amount(left.latest, unit)}")
    for before in each.earlier:
        console.print(f"  before: piece {before.life.serial or before.life.number}, {_said(before.whole, unit)}")


def _said(found: "Found", unit: str = "") -> str:
    from metering.components.models import CannotSay

    if isinstance(found, CannotSay):
        return f"cannot be said: {found.reason}"
    told = f"{_percent(found.share)} of life"
    if unit:
        told += f" in {_amount(found.used, unit)}"
    if found.unknown:
        band = f"{_percent(found.least)} to {_percent(found.most)}"
        told += f"; {_amount(found.unknown, unit or 'h')} with unknown load: {band}"
    return told


def _percent(share: Fraction | None) -> str:
    from app.pages.format import percent

    return percent(share)


def _amount(amount: Fraction | None, unit: str) -> str:
    from app.pages.format import grouped

    return "?" if amount is None else f"{grouped(amount)} {unit}".removesuffix(" 1")
