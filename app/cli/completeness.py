"""`spindleshare completeness`: opening register + booked + explained use = closing register, and what is left."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from app.completeness import MachineBalance, MeterBalance
    from metering.completeness.balance import Share
    from metering.machine import Meter

_REGISTERS = ("power_on", "program_run", "spindle_on", "cutting")


def completeness(
    month: Annotated[str, typer.Option(help="A month (2026-05), or two days (2026-05-01/2026-05-16).")],
    meter: Annotated[str | None, typer.Option(help="Serial number of one meter; all unless given.")] = None,
    zone: Annotated[str | None, typer.Option(help="Whose midnight; each machine's own unless given.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print every register and share, in smallest units.")] = False,
) -> None:
    """For each meter: what its registers grew by in a month, and who or what answers for it.

    Exit codes: 0 everything is explained · 1 at least one register has unexplained growth · 3 not done.
    """
    found = _balances(month, meter, zone)
    if as_json:
        typer.echo(json.dumps([_data(machine, one) for machine, one in found], ensure_ascii=False, indent=2))
    else:
        for machine, one in found:
            _show(machine, one)
        if meter is None:
            _show_totals(list({machine.machine.id: machine for machine, _ in found}.values()))
        if not found:
            typer.echo("no meter yet: `spindleshare enrol` makes a code for an agent")
    raise typer.Exit(int(any(line.unexplained for _, one in found for line in one.balance.lines())))


def _balances(month: str, serial: str | None, zone: str | None) -> list[tuple["MachineBalance", "MeterBalance"]]:
    from app import settings
    from app.completeness import of_machine
    from app.database import Role
    from app.telemetry import opened
    from billing.invoicing.billing_period import billing_period
    from metering.store import MeteringStore

    with (
        opened(settings.load()) as database,
        database.transaction(Role.WORKER, as_of_one_moment=True) as session,
    ):
        store = MeteringStore(session)
        wanted: Meter | None = store.meter_by_serial(serial) if serial else None
        machines = [store.machine(wanted.machine_id)] if wanted else store.machines()
        found = [of_machine(session, each, billing_period(month, zone or each.zone)) for each in machines]
    return [(each, one) for each in found for one in each.meters if serial in (None, one.meter.serial)]


def _data(machine: "MachineBalance", one: "MeterBalance") -> dict[str, Any]:
    balance = one.balance
    return {
        "machine": machine.machine.name,
        "meter": balance.meter,
        "from": balance.period.start.isoformat(),
        "until": balance.period.end.isoformat(),
        "bounds": {
            name: {"at": bound.at.isoformat(), "reading": bound.sequence, "between_readings": bound.between}
            for name, bound in (("opening", balance.opening), ("closing", balance.closing))
            if bound
        },
        "registers": {
            line.code: {
                "opening": line.opening,
                "booked": line.booked,
                "explained": line.explained,
                "unexplained": line.unexplained,
                "closing": line.closing,
                "not_in_usage": line.adrift,
            }
            for line in balance.lines()
        },
        "shares": [_share(share, one) for share in balance.shares],
    }


def _share(share: "Share", one: "MeterBalance") -> dict[str, Any]:
    booked = one.bookings.get(share.key)
    return {
        "kind": share.kind.value,
        "name": booked.lessee if booked else share.name,
        "booking": str(booked.id) if booked else None,
        "session": booked.cutting.value if booked and booked.cutting else None,
        "from": share.period.start.isoformat(),
        "until": share.period.end.isoformat(),
        "readings": list(share.evidence),
        "grown": {code: value for code, value in share.deltas.items() if value},
        "substitute": share.substitute,
        "unsynchronised": share.unsynchronised,
    }


def _show_totals(machines: list["MachineBalance"]) -> None:
    """What is left unexplained over all meters of each machine that had several."""
    from app.pages.format import finely
    from metering.register import billed_unit

    for machine in machines:
        if len(machine.meters) > 1:
            lines = [machine.line(code) for code in machine.codes() if code in _REGISTERS]
            told = ", ".join(
                f"{line.code} {finely(line.code, line.unexplained)} {billed_unit(line.code)}" for line in lines
            )
            typer.echo(f"{machine.machine.name}, all {len(machine.meters)} meters: unexplained {told or 'nothing'}")


def _show(machine: "MachineBalance", one: "MeterBalance") -> None:
    from rich.console import Console
    from rich.table import Table

    from app.pages.format import finely
    from metering.completeness.balance import Kind
    from metering.register import billed_unit

    console, balance = Console(), one.balance
    if balance.opening is None or balance.closing is None:
        console.print(f"{machine.machine.name}, meter {balance.meter}: no readings that bound this period")
        return
    readings = f"readings {balance.opening.sequence} to {balance.closing.sequence}"
    table = Table("Register", "Unit", title=f"{machine.machine.name}, meter {balance.meter}, {readings}")
    for heading in ("Opening", "+ Booked", "+ Explained", "+ Unexplained", "= Closing"):
        table.add_column(heading, justify="right")
    lines = [line for line in balance.lines() if line.code in _REGISTERS or line.unexplained]
    for line in lines:
        figures = (line.opening, line.booked, line.explained, line.unexplained, line.closing)
        table.add_row(line.code, billed_unit(line.code), *(finely(line.code, each) for each in figures))
    console.print(table)
    for share in balance.shares:
        if share.kind is Kind.OUTSIDE:
            spindle = finely("spindle_on", share.deltas.get("spindle_on", 0))
            stretch = f"{share.period.start:%Y-%m-%d %H:%M} to {share.period.end:%Y-%m-%d %H:%M} UTC"
            console.print(
                f"unexplained {stretch}, spindle {spindle} h, readings {share.evidence[0]} to {share.evidence[1]}",
                style="yellow",
            )
    if any(line.adrift for line in balance.lines()):
        console.print("Usage and readings differ: cut the usage of this period anew.", style="red")
