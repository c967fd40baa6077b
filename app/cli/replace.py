"""`spindleshare replace`: another meter on a machine, or another machine for a running lease."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

if TYPE_CHECKING:
    from app.database import Session
    from billing.capacity.lease import Lease

group = typer.Typer(no_args_is_help=True)

_AT = typer.Option(metavar="TIME", help="When it was done, with zone: 2026-05-14T10:07+02:00.")
_WHY = typer.Option(help="The reason; it is printed on the bill.")


class NotATime(ValueError):
    """A moment is written with its zone, such as 2026-05-14T10:07+02:00."""


class NoSuchLease(LookupError):
    """There is not exactly one running lease to swap the machine of."""


@group.command()
def meter(
    old: Annotated[str, typer.Argument(help="Serial number of the meter that was taken off.")],
    new: Annotated[str, typer.Argument(help="Serial number of the meter that is on the machine now.")],
    at: Annotated[str, _AT],
    why: Annotated[str, _WHY],
) -> None:
    """Bill on with another meter: the old one's readings count until then, the new one's from then on."""
    from app import clock
    from app.replacing import put_meter

    moment = _moment(at)
    with _session() as session:
        done = put_meter(session, old, new, at=moment, reason=why, now=clock.now())
    typer.echo(f"meter    {new}, in place of {old} since {moment.isoformat(timespec='minutes')}")
    typer.echo(f"code     {done.invitation.code}\nexpires  {done.invitation.expires_at.isoformat(timespec='minutes')}")
    typer.echo("Put the code into the new agent's code_file. The old agent may still send what it measured before.")


@group.command()
def machine(
    old: Annotated[str, typer.Argument(help="Serial number of the meter of the machine that the lease ran on.")],
    new: Annotated[str, typer.Argument(help="Serial number of the meter of the machine in its place.")],
    at: Annotated[str, _AT],
    why: Annotated[str, _WHY],
    lessee: Annotated[str | None, typer.Option(help="Key of the lessee, where several lease the machine.")] = None,
) -> None:
    """Go on with a lease on another machine of the lessor: its bookings move, its bill shows both machines."""
    from app import clock
    from app.replacing import put_machine
    from metering.store import MeteringStore

    moment = _moment(at)
    with _session() as session:
        metering = MeteringStore(session)
        there, here = (metering.meter_by_serial(serial).machine_id for serial in (old, new))
        lease = _lease(session, there, moment, lessee)
        put_machine(session, lease.id, here, at=moment, reason=why, now=clock.now())
        name = metering.machine(here).name
    typer.echo(f"lease    {lease.id} runs on {name} since {moment.isoformat(timespec='minutes')}")


def _lease(session: "Session", machine_id: UUID, at: datetime, lessee: str | None) -> "Lease":
    """The one lease that is meant. Raises NoSuchLease."""
    from billing.capacity.store import LeasingStore
    from metering.parties.party import organisation_id

    leasing = LeasingStore(session)
    running = [each for each in leasing.leases() if each.starts <= at and (each.ends is None or at < each.ends)]
    machines = leasing.machines_of_all(running)
    found = [
        each
        for each in running
        if machine_id in {place.machine_id for place in machines[each.id]}
        and (lessee is None or each.lessee_id == organisation_id(lessee))
    ]
    if len(found) != 1:
        told = "several leases run on the machine: name one with --lessee" if found else "no lease ran there then"
        raise NoSuchLease(told)
    return found[0]


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise NotATime from None
    if moment.tzinfo is None:
        raise NotATime
    return moment


@contextmanager
def _session() -> "Iterator[Session]":
    from app import settings
    from app.database import Role
    from app.telemetry import opened

    with opened(settings.load()) as database, database.transaction(Role.WORKER) as session:
        yield session
