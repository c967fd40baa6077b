"""`spindleshare serve`: the web service in this process, with the embedded database where no other is given."""

import errno
import signal
import socket
from typing import Annotated

import typer

from app.settings import Settings

_BACKLOG = 2048


class PortInUse(Exception):
    """Another program listens on this port."""


class NotMigrated(Exception):
    """The database's tables are not those of this version: run `spindleshare migrate up`."""


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. [env: SPINDLESHARE_HOST]")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Port; 0 takes any free one. [env: SPINDLESHARE_PORT]")
    ] = None,
    *,
    migrate: Annotated[bool, typer.Option("--migrate", help="Bring the database up to this version first.")] = False,
) -> None:
    """Run the web service until Ctrl-C. It refuses a database that is not at this version."""
    from app import installation, migrations, settings

    chosen = settings.load()
    # Before the slow imports: a port in use is told at once.
    listening = listen(host or chosen.host, chosen.port if port is None else port)
    bound_host, bound_port = listening.getsockname()[:2]
    with installation.database_urls(chosen) as urls:
        if migrate:
            migrations.upgrade(installation.migrate_url(urls), urls.run)
        _check_head(installation.revision(urls), migrations.head())
        from app.main import create_app
        from app.server import Server

        found = {"host": bound_host, "port": bound_port, "run_url": urls.run, "migrate_url": urls.migrate}
        in_force: Settings = chosen.model_copy(update=found)
        server = Server(create_app(in_force))
        typer.echo(f"SpindleShare runs at {in_force.base_url} (Ctrl-C stops it)")
        try:
            server.run(sockets=[listening])
        except (KeyboardInterrupt, SystemExit) as end:
            # uvicorn raises the signal again that it was ended by; for a service that is the orderly end.
            if isinstance(end, SystemExit) and end.code != 128 + signal.SIGTERM:
                raise


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; `PortInUse` says what to do."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol by name: asyncio sends answers without delay (TCP_NODELAY) only where it sees that it is TCP.
    opened = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
        opened.listen(_BACKLOG)
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"port {port} is in use: end the program that has it, or set SPINDLESHARE_PORT to another (0: any free)"
            ) from error
        if error.errno == errno.EACCES:
            raise PortInUse(f"port {port} is reserved for root: set SPINDLESHARE_PORT to one above 1023") from error
        raise
    return opened


def _check_head(here: str | None, newest: str | None) -> None:
    if here != newest:
        raise NotMigrated(
            f"the database is at {here or 'nothing'}, this version needs {newest}: `spindleshare migrate up`"
        )
