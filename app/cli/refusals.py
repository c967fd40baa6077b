"""`spindleshare refusals`: records that were not taken and why, and their owner's decisions about them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from app.database import Database
    from metering.machine import Agent
    from metering.refusals.refusal import KeptAside

group = typer.Typer(no_args_is_help=True)
_Meter = Annotated[str, typer.Argument(help="Serial number of the meter.")]
_Why = Annotated[str, typer.Option(help="The reason; it is kept, and shown to who checks a bill.")]
_By = Annotated[str, typer.Option(help="Who says so.")]
_MOST = 1_000_000
_DIGITS = 6


class NoSuchRefusal(LookupError):
    """There is no such refused record to settle: `spindleshare refusals list` shows those that there are."""


@group.command("list")
def list_refusals(
    meter: Annotated[str | None, typer.Option(help="Serial number of a meter; all of them unless given.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Refused records that wait to be settled, meter by meter in the order of the chain."""
    with _opened() as database:
        found = _listed(database, meter)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    for row in found:
        number = "no number" if row["record"] is None else f"record {row['record']}"
        typer.echo(f"{row['meter']}  {number}  {row['digest'][:12]}  came {row['recorded_at']}\n  {row['reason']}")
    if not found:
        typer.echo("no refused record waits to be settled")


@group.command()
def accept(
    meter: _Meter,
    record: Annotated[str, typer.Argument(help="The record's number, or the beginning of its digest, as listed.")],
    why: _Why,
    by: _By = "command line",
) -> None:
    """Accept the gap that a refused record leaves: nothing of it is billed, and the chain goes on behind it.

    What the registers grew by over the gap is billed as one difference.
    """
    from app import clock
    from app.refusals import settle_one

    with _opened() as database:
        agent, kept = _kept(database, meter)
        chosen = _chosen(kept, record)
        done = settle_one(database, agent, chosen.id, why=why, by=by, now=clock.now())
    if done.gap is None:
        typer.echo(f"noted: {_named(chosen)}; nothing waits for it, and no bill changes")
    else:
        typer.echo(f"accepted: the gap of {_named(chosen)}; records stored behind it: {done.stored}")


@group.command()
def note(meter: _Meter, why: _Why, by: _By = "command line") -> None:
    """Settle at once what nothing waits for: numbers that the chain has passed, or all of a revoked agent."""
    from app import clock
    from app.refusals import settle_all

    with _opened() as database:
        count = settle_all(database, _kept(database, meter)[0], why=why, by=by, now=clock.now())
    typer.echo(f"noted: {count} refused records of meter {meter}; no bill changes")


@contextmanager
def _opened() -> Iterator["Database"]:
    from app import settings
    from app.telemetry import opened

    with opened(settings.load()) as database:
        yield database


def _listed(database: "Database", serial: str | None) -> list[dict[str, Any]]:
    from app.database import Role
    from metering.refusals.store import RefusalStore
    from metering.store import MeteringStore

    with database.transaction(Role.WORKER) as session:
        metering, refusals = MeteringStore(session), RefusalStore(session)
        meters = [metering.meter_by_serial(serial)] if serial else metering.meters()
        return [_data(meter.serial, one) for meter in meters for one in refusals.kept_aside(meter.id, most=_MOST)]


def _kept(database: "Database", serial: str) -> "tuple[Agent, list[KeptAside]]":
    from app.database import Role
    from metering.refusals.store import RefusalStore
    from metering.rotate_key import NoSuchAgent
    from metering.store import MeteringStore

    with database.transaction(Role.WORKER) as session:
        metering = MeteringStore(session)
        meter = metering.meter_by_serial(serial)
        agent = metering.agent_of(meter.id)
        if agent is None:
            raise NoSuchAgent(f"no agent is enrolled for meter {serial!r}: check the serial number")
        return agent, RefusalStore(session).kept_aside(meter.id, most=_MOST)


def _chosen(kept: "list[KeptAside]", record: str) -> "KeptAside":
    """The one that is meant. Raises NoSuchRefusal."""
    found = [one for one in kept if str(one.pagination) == record] or [
        one for one in kept if len(record) >= _DIGITS and one.digest.startswith(record.lower())
    ]
    if len(found) > 1:
        digests = ", ".join(one.digest[:12] for one in found)
        raise NoSuchRefusal(f"{len(found)} texts claim that number: name one by its digest: {digests}")
    if not found:
        raise NoSuchRefusal
    return found[0]


def _named(one: "KeptAside") -> str:
    return f"text {one.digest[:12]}" if one.pagination is None else f"record {one.pagination}"


def _data(meter: str, one: "KeptAside") -> dict[str, Any]:
    return {
        "meter": meter,
        "record": one.pagination,
        "digest": one.digest,
        "reason": one.reason,
        "recorded_at": one.recorded_at.isoformat(timespec="seconds"),
    }
