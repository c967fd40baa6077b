"""`spindleshare migrate`: the database's tables up to this version, or down."""

import json
from typing import Annotated

import typer

group = typer.Typer(no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@group.command()
def up(
    revision: Annotated[str, typer.Argument(help="Up to this revision.")] = "head", *, as_json: Json = False
) -> None:
    """Make the roles and tables that are missing. At the newest already: nothing happens."""
    from app import installation, migrations, settings

    with installation.database_urls(settings.load()) as urls:
        before, after = migrations.upgrade(installation.migrate_url(urls), urls.run, revision)
    _report(before, after, as_json=as_json)


@group.command()
def down(
    revision: Annotated[str, typer.Argument(help="Down to this revision; base removes every table and its data.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Undo migrations, with the data in their tables."""
    from app import installation, migrations, settings

    if not yes:
        typer.confirm(f"Undo all migrations after {revision} and lose the data in their tables?", abort=True)
    with installation.database_urls(settings.load()) as urls:
        before, after = migrations.downgrade(installation.migrate_url(urls), urls.run, revision)
    _report(before, after, as_json=as_json)


@group.command()
def status(*, as_json: Json = False) -> None:
    """Show where the database is, and the newest revision. Status 1 where they differ."""
    from app import installation, migrations, settings

    with installation.database_urls(settings.load()) as urls:
        here, newest = installation.revision(urls), migrations.head()
    typer.echo(json.dumps({"current": here, "head": newest}) if as_json else f"at {here or 'nothing'}, newest {newest}")
    raise typer.Exit(0 if here == newest else 1)


def _report(before: str | None, after: str | None, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"before": before, "after": after}))
    elif before == after:
        typer.echo(f"The database is at {after or 'nothing'} already; nothing to do.")
    else:
        typer.echo(f"The database went from {before or 'nothing'} to {after or 'nothing'}.")
