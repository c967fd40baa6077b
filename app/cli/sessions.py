"""`spindleshare sessions`: a meter's sessions, and whether the agent sealed their begin and end."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from metering.session import Edge, MeasuredSession


def sessions(
    meter: Annotated[str, typer.Argument(help="Serial number of the meter.")],
    month: Annotated[str, typer.Option(help="A month (2026-05), or two days (2026-05-01/2026-05-16).")],
    zone: Annotated[str | None, typer.Option(help="Whose midnight; the machine's own unless given.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print registers too, in their smallest units.")] = False,
) -> None:
    """Each session that touches the month: signed at both ends, or cut by the service at quarter hours."""
    found = _sessions(meter, month, zone)
    if as_json:
        typer.echo(json.dumps([_data(one) for one in found], indent=2))
        return
    for one in found:
        period = one.session.period
        readings = f"  readings {_evidence(one.opening)} and {_evidence(one.closing)}" if one.opening else ""
        stretch = f"{period.start:%Y-%m-%d %H:%M} to {period.end:%Y-%m-%d %H:%M} UTC"
        typer.echo(f"{stretch}  {one.cutting.value}{readings}  {one.session.id}")
    if not found:
        typer.echo(f"no session of meter {meter} in {month}")


def _sessions(serial: str, month: str, zone: str | None) -> "list[MeasuredSession]":
    from app import settings
    from app.database import Role
    from app.telemetry import opened
    from billing.invoicing.billing_period import billing_period
    from metering.store import MeteringStore

    with opened(settings.load()) as database, database.transaction(Role.WORKER) as session:
        store = MeteringStore(session)
        meter = store.meter_by_serial(serial)
        period = billing_period(month, zone or store.machine(meter.machine_id).zone)
        return store.sessions(meter.id, period)


def _evidence(edge: "Edge | None") -> str:
    if edge is None:
        return "none yet"
    first, last = edge.evidence
    return str(first) if first == last else f"between {first} and {last}"


def _data(one: "MeasuredSession") -> dict[str, Any]:
    session = one.session
    return {
        "session": session.id,
        "from": session.period.start.isoformat(),
        "until": session.period.end.isoformat(),
        "cut": one.cutting.value,
        "withdrawn_at": session.withdrawn_at.isoformat() if session.withdrawn_at else None,
        "opening": _edge(one.opening),
        "closing": _edge(one.closing),
        "grown": {code: value for code, value in one.deltas.items() if value},
    }


def _edge(edge: "Edge | None") -> dict[str, Any] | None:
    if edge is None:
        return None
    return {
        "at": edge.at.isoformat(),
        "readings": list(edge.evidence),
        "signed": edge.signed,
        "substitute": edge.substitute,
        "unsynchronised": edge.unsynchronised,
        "registers": dict(edge.registers),
    }
