"""`spindleshare agents`: which machine agents there are, how they stand, and the end of one that is not trusted."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from metering.store import MeteringStore

group = typer.Typer(no_args_is_help=True)


@group.command("list")
def list_agents(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Every agent: its meter, key, when it was last heard, and what was refused of it."""
    with _store() as store:
        found = _rows(store)
    if as_json:
        typer.echo(json.dumps(found, indent=1))
        return
    for row in found:
        state = f"revoked {row['revoked_at']}: {row['revoked_why']}" if row["revoked_at"] else "trusted"
        heard = row["heard_at"] or "never"
        typer.echo(f"{row['meter']}  {state}\n  last heard {heard}, {row['records_refused']} records refused")
        typer.echo(
            f"  key {row['fingerprint'][:16]} since record {row['key_first']}, {row['keys']} in all; {row['agent']}"
        )
    if not found:
        typer.echo("no agent yet: `spindleshare enrol` makes a code for one")


@group.command()
def revoke(
    meter: Annotated[str, typer.Argument(help="Serial number of the agent's meter.")],
    why: Annotated[str, typer.Option(help="The reason; it is kept and shown.")],
) -> None:
    """Trust an agent no more: from now on its records are refused and kept aside, whatever time they say."""
    from app import clock
    from metering.rotate_key import revoke_agent

    with _store() as store:
        agent = revoke_agent(meter, why, store=store, now=clock.now())
    typer.echo(
        f"the agent of meter {meter} is revoked since {agent.revoked_at:%Y-%m-%d %H:%M} UTC: {agent.revoked_why}"
    )
    typer.echo("to meter again: `spindleshare enrol ... --replace`, and the agent's data folder made anew")


@contextmanager
def _store() -> Iterator["MeteringStore"]:
    from app import settings
    from app.database import Role
    from app.telemetry import opened
    from metering.store import MeteringStore

    with opened(settings.load()) as database, database.transaction(Role.WORKER) as session:
        yield MeteringStore(session)


def _rows(store: "MeteringStore") -> list[dict[str, Any]]:
    agents = store.agents()
    heads = store.heads(agent.meter_id for agent in agents)
    return [
        {
            "agent": str(agent.id),
            "meter": agent.meter_serial,
            "name": agent.name,
            "version": agent.version,
            "fingerprint": agent.fingerprint,
            "key_first": agent.key_first,
            "keys": len(store.keys_of(agent.id)),
            "enrolled_at": agent.enrolled_at.isoformat(),
            "heard_at": heard.isoformat() if (heard := heads[agent.meter_id].heard_at) else None,
            "readings": heads[agent.meter_id].sequence,
            "records_refused": len(store.refused(agent.meter_id)),
            "revoked_at": agent.revoked_at.isoformat() if agent.revoked_at else None,
            "revoked_why": agent.revoked_why,
        }
        for agent in agents
    ]
