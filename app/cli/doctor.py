"""`spindleshare doctor`: every part looked at, in one line each."""

import dataclasses
import json
from typing import Annotated

import typer

_MARK = {"ok": "[green]ok[/]   ", "note": "[yellow]note[/] ", "wrong": "[red]wrong[/]"}


def doctor(*, as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False) -> None:
    """Say what is wrong with this installation, and what to do. Status 1 where something is wrong."""
    from rich.console import Console
    from rich.markup import escape

    from app import settings
    from app.cli.checks import State, all_checks

    checks = list(all_checks(settings.load()))
    if as_json:
        typer.echo(json.dumps([dataclasses.asdict(check) for check in checks], indent=2))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for check in checks:
            remedy = f" -> {check.remedy}" if check.remedy else ""
            console.print(f"{_MARK[check.state]} {check.name}: {escape(check.detail + remedy)}")
    raise typer.Exit(1 if any(check.state is State.WRONG for check in checks) else 0)
