"""`spindleshare enrol`: a machine, its meter, and the one-time code for the agent beside it."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.settings import Settings
    from metering.enrol import Invitation


class UnknownOwner(Exception):
    """The machine's owner is not known yet."""


def enrol(
    meter: Annotated[str, typer.Argument(help="Serial number of the meter: any text that is unique to this machine.")],
    owner: Annotated[str, typer.Option(help="Key of the organisation that owns the machine, such as hartmann.")],
    machine: Annotated[str, typer.Option(help="The owner's name for the machine.")],
    model: Annotated[str, typer.Option(help="Manufacturer and model.")],
    zone: Annotated[str | None, typer.Option(help="Zone of the machine's tariff. [env: SPINDLESHARE_ZONE]")] = None,
    owner_name: Annotated[str | None, typer.Option(help="Full name: registers an owner that is new.")] = None,
    owner_country: Annotated[str, typer.Option(help="Country of a new owner, in two letters.")] = "DE",
    *,
    replaces: Annotated[
        bool, typer.Option("--replace", help="Let a box made anew, with another key, go on with this meter's chain.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the code and its meter as JSON.")] = False,
) -> None:
    """Make a one-time code that a new machine agent enrols with. Each call makes another; none is shown twice."""
    from app import settings

    invitation = _invite(
        settings.load(),
        owner=(owner, owner_name, owner_country),
        machine=(machine, model, zone),
        serial=meter,
        replaces=replaces,
    )
    expires = invitation.expires_at.isoformat(timespec="minutes")
    if as_json:
        found = {"meter": meter, "meter_id": str(invitation.meter.id), "code": invitation.code, "expires_at": expires}
        typer.echo(json.dumps(found))
        return
    typer.echo(f"code     {invitation.code}\nmeter    {meter}\nexpires  {expires}")
    typer.echo("Put the code into the agent's code_file; it is not kept here and cannot be shown again.")


def _invite(
    chosen: "Settings",
    *,
    owner: tuple[str, str | None, str],
    machine: tuple[str, str, str | None],
    serial: str,
    replaces: bool,
) -> "Invitation":
    from app import clock, installation
    from app.database import Database, Role
    from metering.enrol import invite
    from metering.machine import Machine, machine_id
    from metering.parties.party import Organisation, organisation_id
    from metering.parties.store import PartyStore
    from metering.store import MeteringStore

    (key, full_name, country), (name, model, zone), now = owner, machine, clock.now()
    owner_id = organisation_id(key)
    wanted = Machine(id=machine_id(owner_id, name), owner_id=owner_id, name=name, model=model, zone=zone or chosen.zone)
    with installation.database_urls(chosen) as urls:
        database = Database(urls.run, pool=1)
        try:
            with database.transaction(Role.WORKER) as session:
                parties = PartyStore(session)
                if owner_id not in {known.id for known in parties.organisations()}:
                    if full_name is None:
                        raise UnknownOwner(f"no organisation has the key {key!r}: register it with --owner-name")
                    new = Organisation(id=owner_id, name=full_name, country=country, zone=wanted.zone)
                    parties.add_organisation(new, now=now)
                return invite(wanted, serial, store=MeteringStore(session), now=now, replaces=replaces)
        finally:
            database.close()
