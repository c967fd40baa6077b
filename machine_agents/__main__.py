"""`python -m machine_agents`: run an agent, look what a machine offers, play a recording as if it were a machine."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import asdict
from datetime import UTC, datetime
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from machine_agents.replay_command import replay
from machine_agents.simulator.command import simulate
from machine_agents.upkeep import recover, rotate_key, status, unit

app = typer.Typer(
    help="The box beside the machine: reads it over OPC UA, keeps its registers, seals and sends readings.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
_T = TypeVar("_T")


class Exit(IntEnum):
    """What the exit status says."""

    DONE = 0
    FAILED = 1
    BAD_CONFIG = 3
    FOLDER = 4
    UNREACHABLE = 5
    INSECURE = 6
    NOTHING_TO_METER = 7


@app.command()
def run(
    config: Annotated[Path, typer.Option(help="The agent's TOML file; a commented example: agent.example.toml.")],
    quiet: Annotated[bool, typer.Option("--quiet", help="No log on standard error; the status file remains.")] = False,
) -> None:
    """Run the agent until SIGTERM or Ctrl-C.

    It logs one JSON object a line to standard error and keeps DATA/status.json up to date. It may be killed at any
    moment: the next start goes on where the last one stopped.

    Exit status: 0 stopped as asked, 3 configuration, 4 data folder in use, broken or not writable.
    """
    from machine_agents import agent
    from machine_agents.config import load

    loaded = _or_exit(lambda: load(config))
    _await(
        agent.run(
            loaded,
            log=None if quiet else sys.stderr,
            clock=lambda: datetime.now(UTC),
            monotonic=time.monotonic,
        )
    )


@app.command()
def discover(
    endpoint: Annotated[str, typer.Option(help="The server, such as opc.tcp://192.0.2.10:4840.")],
    user: Annotated[str, typer.Option(help="A user of the control with the right to read.")],
    password_file: Annotated[Path, typer.Option(help="File with the password in its first line.")],
    profile: Annotated[
        list[str] | None, typer.Option(help="Profile name or file; default: all that come along.")
    ] = None,
    machine: Annotated[str, typer.Option(help="Browse name of the machine, if the server has several.")] = "",
    data: Annotated[Path, typer.Option(help="Data folder; its pki folder holds the certificates.")] = Path(
        "agent-data"
    ),
    channel: Annotated[str, typer.Option(help="Channel of the control, if it has several.")] = "",
    write_profile: Annotated[
        Path | None, typer.Option(help="Write a draft of a custom profile here; it must not exist yet.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Look which profile fits a server, which signals it gives, and what cannot be metered.

    Exit status: 0 at least one profile can be used, 7 none, 5 server not reached, 6 server not secure or not the known
    one, 3 wrong option.
    """
    from machine_agents import profile as profiles
    from machine_agents.config import SourceConfig
    from machine_agents.opcua_source.discovery import survey, write_draft

    known = _or_exit(lambda: [profiles.load(name) for name in profile or profiles.names()])
    wanted = SourceConfig(endpoint, user, password_file, machine=machine, channel=channel)
    found = _await(survey(wanted, known, data / "pki", now=datetime.now(UTC)))
    if write_profile is not None:
        _or_exit(lambda: write_draft(found, write_profile))
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=1))
    else:
        from machine_agents.terminal import show_survey

        show_survey(found)
    raise typer.Exit(Exit.DONE if any(one.usable for one in found.proposals) else Exit.NOTHING_TO_METER)


@app.command()
def check(
    config: Annotated[Path, typer.Option(help="The agent's TOML file.")],
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Try a configuration against the live machine and the service, without metering: a line for each thing.

    ok, warn or fail, and what to do. It leaves nothing behind on either side, and may run beside the agent.

    Exit status: 0 nothing failed, 1 something did, 3 configuration or profile.
    """
    from machine_agents.check_command import report, run_checks, utc_now
    from machine_agents.checks import Verdict
    from machine_agents.config import load

    loaded = _or_exit(lambda: load(config))
    found = _await(run_checks(loaded, clock=utc_now))
    typer.echo(report(found, as_json=as_json))
    raise typer.Exit(Exit.FAILED if any(one.verdict == Verdict.FAIL for one in found) else Exit.DONE)


def _or_exit(work: Callable[[], _T]) -> _T:
    """The result of `work`; what a person can put right ends the program with one line and a status that says which."""
    try:
        return work()
    except Exception as error:
        _leave(error)


def _await(work: Coroutine[Any, Any, _T]) -> _T:
    return _or_exit(lambda: asyncio.run(work))


def _leave(error: Exception) -> NoReturn:
    from machine_agents.config import BadConfig
    from machine_agents.credentials import BadSecret
    from machine_agents.delivery import NotStored, StoreBroken
    from machine_agents.local_port import PortTaken
    from machine_agents.opcua_source.discovery import NotReached
    from machine_agents.opcua_source.session import SecurityRefused
    from machine_agents.profile import BadProfile
    from machine_agents.spool import SpoolInUse
    from metering.ocmf import BadKey

    statuses: list[tuple[tuple[type[Exception], ...], Exit]] = [
        ((BadConfig, BadSecret, BadProfile, PortTaken), Exit.BAD_CONFIG),
        ((SpoolInUse, StoreBroken, NotStored, BadKey), Exit.FOLDER),
        ((SecurityRefused,), Exit.INSECURE),
        ((NotReached,), Exit.UNREACHABLE),
    ]
    for kinds, exit_status in statuses:
        if isinstance(error, kinds):
            with contextlib.suppress(OSError):  # the full disk that it is about may be the log's too
                typer.echo(f"machine_agents: {str(error) or type(error).__name__}", err=True)
            raise typer.Exit(exit_status) from None
    raise error


for _command in (replay, simulate, status, unit, rotate_key, recover):
    app.command()(_command)

if __name__ == "__main__":
    app()
