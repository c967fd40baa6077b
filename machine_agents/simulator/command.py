"""`python -m machine_agents simulate`."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

_Recording = Annotated[Path, typer.Argument(help="A recording, our own format or a `time|item|value` log; .xz too.")]
_Endpoint = Annotated[str, typer.Option(help="Where to serve; port 0 takes a free one.")]
_PasswordFile = Annotated[Path, typer.Option(help="File with that user's password in its first line.")]
_Speed = Annotated[
    float | None, typer.Option(help="Recorded seconds per second; default: as fast as it is acknowledged.", min=1)
]
_UntilPlayed = Annotated[bool, typer.Option("--until-played", help="End when everything has been acknowledged.")]
_TrustFirst = Annotated[bool, typer.Option(help="Trust the first client certificate while none is trusted yet.")]


def simulate(
    recording: _Recording,
    endpoint: _Endpoint = "opc.tcp://127.0.0.1:4840",
    user: Annotated[str, typer.Option(help="The user that a client must log in as.")] = "agent",
    password_file: _PasswordFile = Path("opcua-password"),
    folder: Annotated[Path, typer.Option(help="Certificates: own, trusted, rejected.")] = Path("simulator-pki"),
    day: Annotated[str, typer.Option(help="Play only this UTC day, such as 2018-05-29.")] = "",
    speed: _Speed = None,
    live: Annotated[bool, typer.Option("--live", help="Go on live afterwards, with the seeded model.")] = False,
    until_played: _UntilPlayed = False,
    trust_first: _TrustFirst = True,
    seed: Annotated[int, typer.Option(help="The model's seed, for --live.")] = 0,
    status_file: Annotated[Path | None, typer.Option(help="Keep the progress in this JSON file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line on standard output.")] = False,
) -> None:
    """Play a recording as if it were a machine: an OPC UA server with the companion models Machinery, MachineTool, CNC.

    It waits for a subscriber, plays as fast as the subscriber acknowledges, and loses nothing or fails. It is ready
    when its first line is out.

    Exit status: 0 stopped as asked or all played, 3 recording, password or option, 5 endpoint cannot be opened, 8
    values were lost on the way.
    """
    from machine_agents.credentials import BadSecret
    from machine_agents.item_mapping import MappingError
    from machine_agents.recording_text import RecordingError
    from machine_agents.simulator import serve
    from machine_agents.simulator.player import ReplayLoss

    job = serve.Job(
        recording, endpoint, user, password_file, folder, day, speed, live, until_played, trust_first, seed, status_file
    )
    statuses = {RecordingError: 3, MappingError: 3, BadSecret: 3, serve.NotServed: 5, ReplayLoss: 8}
    try:
        asyncio.run(serve.simulate(job, clock=lambda: datetime.now(UTC), say=_say_json if as_json else _say))
    except tuple(statuses) as error:
        typer.echo(f"machine_agents: {error}", err=True)
        raise typer.Exit(next(status for kind, status in statuses.items() if isinstance(error, kind))) from None


def _say_json(facts: dict[str, Any]) -> None:
    typer.echo(json.dumps(facts))


def _say(facts: dict[str, Any]) -> None:
    if facts["phase"] == "waiting" and not facts["recorded"]:
        typer.echo(f"{facts['machine']} at {facts['endpoint']}, certificate SHA-256 {facts['fingerprint']}")
    typer.echo(f"{facts['phase']}: {facts['recorded']} of {facts['total']} values")
