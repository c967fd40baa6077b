"""Commands for whoever looks after the box: how it stands, its systemd unit, and going on after a damaged spool."""

import getpass
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

_CONFIG = typer.Option(help="The agent's TOML file.")
_FAILING, _NO_STATUS, _NOT_DONE = 1, 3, 4


def status(
    config: Annotated[Path, _CONFIG],
    as_json: Annotated[bool, typer.Option("--json", help="The status file as it is.")] = False,
) -> None:
    """Show how the agent stands, from the status file that it writes each second.

    Exit status: 0 it meters, 1 it does not or its status is older than a minute, 3 configuration or no status.
    """
    from machine_agents.health import State, examine
    from machine_agents.terminal import show_status

    facts, written = _facts(config)
    now = datetime.now(UTC)
    health = examine(facts, now=now)
    stale = (now - written).total_seconds() > 60
    if as_json:
        typer.echo(json.dumps({"written": written.isoformat(), "state": health.state, **facts}, indent=1))
    else:
        show_status(facts, health, written=written, stale=stale)
    raise typer.Exit(_FAILING if stale or health.state is State.FAILING else 0)


def unit(
    config: Annotated[Path, _CONFIG],
    user: Annotated[str, typer.Option(help="The system's user that the agent runs as.")] = "",
) -> None:
    """Print a systemd unit for this agent: restarted, watched, and shut in."""
    from machine_agents.config import BadConfig, load
    from machine_agents.service_manager import UNIT

    try:
        loaded = load(config)
    except BadConfig as error:
        raise _left(str(error), _NO_STATUS) from None
    values = {"python": sys.executable, "config": config.absolute(), "data": loaded.data.resolve()}
    typer.echo(UNIT.format(user=user or getpass.getuser(), **values), nl=False)


def rotate_key(config: Annotated[Path, _CONFIG]) -> None:
    """Give the stopped agent a new signing key; the service is told when it runs again, and nothing is lost.

    Exit status: 0 done, 3 configuration, 4 not possible now; the line says why.
    """
    from contextlib import closing

    from machine_agents.config import BadConfig, load
    from machine_agents.credentials import enrolment
    from machine_agents.delivery import NotStored, StoreBroken
    from machine_agents.rotation import RotationPending, begin_rotation
    from machine_agents.spool import Spool, SpoolInUse

    try:
        folder = load(config).data
        known = enrolment(folder)
        if known is None:
            raise RotationPending("the agent is not enrolled yet: its first key is as good as new")
        with closing(Spool(folder)) as spool:
            rotation = begin_rotation(folder, known, spool)
    except BadConfig as error:
        raise _left(str(error), _NO_STATUS) from None
    except (RotationPending, SpoolInUse, StoreBroken, NotStored) as error:
        raise _left(str(error), _NOT_DONE) from None
    typer.echo(f"a new key signs from record {rotation.first_record} on: start the agent again, it tells the service")


def recover(config: Annotated[Path, _CONFIG]) -> None:
    """Go on after a damaged spool, or one restored from a backup, from what is whole and what the service has.

    The spool is set aside, not deleted. Whole records that the service lacks are taken over; what was metered after
    them is a gap: unknown, and not billed.

    Exit status: 0 done, 3 configuration, 4 not possible now; the line says why.
    """
    from machine_agents.config import BadConfig, load
    from machine_agents.recovery import NotRecovered, recover_spool
    from machine_agents.spool import SpoolInUse

    try:
        found = recover_spool(load(config), now=datetime.now(UTC))
    except BadConfig as error:
        raise _left(str(error), _NO_STATUS) from None
    except (NotRecovered, SpoolInUse) as error:
        raise _left(str(error), _NOT_DONE) from None
    typer.echo(f"the damaged spool lies in {found.set_aside}")
    typer.echo(
        f"the service has every record up to {found.high_water}; {found.rescued} more were whole and are taken over"
    )
    typer.echo(f"metering goes on from {found.until:%Y-%m-%d %H:%M:%S} UTC: start the agent again")


def _facts(config: Path) -> tuple[dict[str, Any], datetime]:
    from machine_agents.config import BadConfig, load

    try:
        path = load(config).data / "status.json"
        facts = json.loads(path.read_text(encoding="utf-8"))
        return facts, datetime.fromisoformat(facts.pop("written"))
    except BadConfig as error:
        raise _left(str(error), _NO_STATUS) from None
    except (OSError, ValueError, KeyError):
        raise _left(f"there is no status in {path.parent}: start the agent with `run`", _NO_STATUS) from None


def _left(why: str, status: int) -> typer.Exit:
    typer.echo(f"machine_agents: {why}", err=True)
    return typer.Exit(status)
