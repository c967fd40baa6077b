"""One fault: the same server, the same moment, several clients, each over a link of its own."""

import asyncio
import signal
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from workbench.bench.faults.machine import SIGNALS, Machine, machine
from workbench.bench.faults.ours import SpoolSink, ours
from workbench.bench.faults.peer import peer
from workbench.bench.faults.proxy import Proxy, proxied
from workbench.bench.faults.score import Score, count

CLIENTS = ("ours", "asyncua", "node-opcua")
_BEFORE_SECONDS = 3.0
_AFTER_SECONDS = 5.0


class Client(Protocol):
    """What is measured of a client."""

    came: float

    def stored(self) -> list[tuple[str, int]]: ...


@dataclass(frozen=True, slots=True)
class Fault:
    """`queue`: values that a client asks the server to keep per node. `may_lose`: the server itself loses some."""

    name: str
    queue: int = 600
    may_lose: bool = False


FAULTS = (
    Fault("link reset"),
    Fault("link cut"),
    Fault("silent stall"),
    Fault("server stopped and continued"),
    Fault("server killed and restarted", may_lose=True),
    Fault("link cut beyond the queue", queue=10, may_lose=True),
)


async def measure(
    fault: Fault, folder: Path, *, seconds: float, patience: float, clients: Sequence[str] = CLIENTS
) -> list[Score]:
    """Let `clients` run into `fault` for `seconds`; wait up to `patience` seconds for the last number."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(machine(folder / "machine"))
        proxies = [await stack.enter_async_context(proxied(server.url)) for _ in clients]
        measured: dict[str, Client] = {}
        for name, proxy in zip(clients, proxies, strict=True):
            measured[name] = await _enter(stack, name, proxy.url, folder / name, fault.queue)
        await server.go()
        await asyncio.sleep(_BEFORE_SECONDS)
        await _spoil(fault, server, proxies, seconds)
        over = time.monotonic()
        first = await _watch(measured, over, _AFTER_SECONDS)
        written = await server.hold()
        first |= await _watch(measured, over, patience, until=lambda one: _has_last(one, written), known=first)
        return [_score(fault, name, one, written, first.get(name)) for name, one in measured.items()]


async def _enter(stack: AsyncExitStack, name: str, url: str, folder: Path, queue: int) -> Client:
    if name != "ours":
        return await stack.enter_async_context(peer(name, url, folder, queue=queue))
    sink, _ = await stack.enter_async_context(ours(url, folder, queue=queue))
    async with asyncio.timeout(60):
        while not sink.fresh:  # noqa: ASYNC110 (the sink is no event's owner)
            await asyncio.sleep(0.05)
    return sink


async def _spoil(fault: Fault, server: Machine, proxies: Sequence[Proxy], seconds: float) -> None:
    """The fault, from its beginning to its end."""
    if fault.name == "link reset":
        for proxy in proxies:
            proxy.reset()
    elif fault.name == "server stopped and continued":
        server.send(signal.SIGSTOP)
        await asyncio.sleep(seconds)
        server.send(signal.SIGCONT)
    elif fault.name == "server killed and restarted":
        await server.kill()
        await asyncio.sleep(seconds)
        await server.start()
        await server.go()
    else:
        for proxy in proxies:
            (proxy.stall if fault.name == "silent stall" else proxy.cut)()
        await asyncio.sleep(seconds)
        for proxy in proxies:
            proxy.mend()


async def _watch(
    clients: dict[str, Client],
    over: float,
    seconds: float,
    *,
    until: Callable[[Client], bool] | None = None,
    known: dict[str, float] | None = None,
) -> dict[str, float]:
    """The silence of each client after the fault was over; until `until` holds for all, or for so many seconds."""
    first = dict(known or {})
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name, one in clients.items():
            if name not in first and one.came > over:
                first[name] = one.came - over
        if until and all(until(one) for one in clients.values()):
            break
        await asyncio.sleep(0.05)
    return first


def _has_last(client: Client, written: int) -> bool:
    values = client.stored()
    return {value for _, value in values[-3 * len(SIGNALS) :]} >= {written} and sum(
        value == written for _, value in values[-3 * len(SIGNALS) :]
    ) >= len(SIGNALS)


def _score(fault: Fault, name: str, client: Client, written: int, silence: float | None) -> Score:
    return Score(
        fault.name,
        name,
        **count(client.stored(), len(SIGNALS), written),
        silence_seconds=None if silence is None else round(silence, 1),
        recovered=_has_last(client, written),
        gap_records=client.gaps if isinstance(client, SpoolSink) else None,
        may_lose=fault.may_lose,
    )
