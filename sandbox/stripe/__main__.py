"""`python -m sandbox.stripe`: the Stripe stand-in as a process of its own."""

import socket
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from sandbox.stripe.call import Call
from sandbox.stripe.delivery_plan import Plan, set_plan
from sandbox.stripe.events import new_endpoint
from sandbox.stripe.server import create_app
from sandbox.stripe.shelf import Shelf

_PORT_TAKEN = 3


def main(
    port: Annotated[int, typer.Option(help="Port on this machine; 0 takes a free one.")] = 12111,
    key: Annotated[str, typer.Option(help="The API key that clients must send.")] = "sk_test_sandbox",
    secret: Annotated[str, typer.Option(help="Signing secret for --webhook.")] = "whsec_sandbox",
    webhook: Annotated[str, typer.Option(help="Address that gets all events.")] = "",
    folder: Annotated[Path | None, typer.Option(help="Folder to keep the state in; without it, memory.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the webhook accidents below.")] = 0,
    lose: Annotated[float, typer.Option(help="Part of webhooks never delivered, 0 to 1.")] = 0.0,
    duplicate: Annotated[float, typer.Option(help="Part delivered twice.")] = 0.0,
    reorder: Annotated[float, typer.Option(help="Part delivered after their successors.")] = 0.0,
    delay: Annotated[float, typer.Option(help="Part delivered late.")] = 0.0,
    delay_seconds: Annotated[float, typer.Option(help="How late at most.")] = 1.0,
) -> None:
    """Serve a Stripe-compatible API on 127.0.0.1; see sandbox/README.md for what it can and cannot do."""
    listener = _listen(port)
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    shelf = Shelf(folder)
    with shelf.change():
        set_plan(shelf, Plan(seed, lose, duplicate, reorder, delay, delay_seconds))
        if webhook:
            _only_endpoint(shelf, webhook, secret)
    server = uvicorn.Server(uvicorn.Config(create_app(shelf, key), log_level="warning", lifespan="on"))
    typer.echo(f"stripe sandbox ready at {address}")
    server.run(sockets=[listener])


def _listen(port: int) -> socket.socket:
    """A bound socket. Ends with one clear line when the port is in use."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(256)
    except OSError as error:
        typer.echo(
            f"Port {port} cannot be used ({error.strerror}): choose another with --port, or 0 for any.", err=True
        )
        raise typer.Exit(_PORT_TAKEN) from None
    return listener


def _only_endpoint(shelf: Shelf, url: str, secret: str) -> None:
    """One endpoint at `url` for all events; those of earlier starts are forgotten."""
    for old in shelf.newest_first("webhook_endpoint"):
        shelf.database.execute("delete from object where id = ?", (old["id"],))
    new_endpoint(Call(shelf, base=""), url, ["*"], secret)


if __name__ == "__main__":
    typer.run(main)
