"""A small simulator in the test's own process, and the recording it plays."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from asyncua import Client, ua

from machine_agents.observation import Observation
from machine_agents.simulator.certificates import Certificates
from machine_agents.simulator.companion import add_types, register_namespaces
from machine_agents.simulator.machine import HEARTBEAT_PATH, Machine, build_machine
from machine_agents.simulator.player import Player, Progress
from machine_agents.simulator.server import SecureServer, make_server
from tests.machine_agents.simulator.subscriber import APPLICATION, Subscriber, secure_client

USER, PASSWORD = "agent", "right horse"
BEGIN = datetime(2018, 5, 1, tzinfo=UTC)
PATHS = {
    "power": "Recording/PowerOn",
    "execution": "CncInterface/CncChannelList/Channel1/ActProgramStatus",
    "spindle.S1.speed": "CncInterface/CncSpindleList/S1/ActSpeed",
    "axis.X.position": "CncInterface/CncAxisList/X/PosDirect/ActPos",
    "counter.cut": "Recording/CuttingDuration",
    "heartbeat": HEARTBEAT_PATH,
}
SCALE = {"spindle.S1.speed": 1000, "axis.X.position": 1000, "counter.cut": 1}
PROGRAM = {"active": 1, "stopped": 0, "feed_hold": 2}


def recording(count: int, *, seed: int = 1) -> list[Observation]:
    """`count` observations with microseconds, equal times and repeated values among them."""
    random = Random(seed)
    at = BEGIN
    made = [Observation("power", True, BEGIN - timedelta(hours=1))]
    for number in range(count):
        at += timedelta(microseconds=random.choice((0, 1, 250_333, 1_000_000, 7_000_001)))
        signal = random.choice(("spindle.S1.speed", "axis.X.position", "counter.cut", "execution"))
        value: int | str | None = random.choice(list(PROGRAM)) if signal == "execution" else number // 3 * 1000
        made.append(Observation(signal, None if random.random() < 0.02 else value, at))
    return made


@dataclass
class Bench:
    """A running simulator with a player that is ready to play `observations`."""

    server: SecureServer
    machine: Machine
    player: Player
    observations: list[Observation]
    folder: Path
    namespace: int

    async def play(self) -> None:
        await self.player.play(self.observations)

    async def client(self, *, user: str = USER, password: str = PASSWORD, uri: str = APPLICATION) -> Client:
        """A connected client with a certificate of its own application."""
        folder = self.folder / uri.replace(":", "-")
        client = await secure_client(self.server.url, folder, user=user, password=password, uri=uri)
        await client.connect()
        return client

    async def subscriber(self, *, queue: int = 10_000, uri: str = APPLICATION, **options: float) -> Subscriber:
        """A client that has subscribed every signal's node, and not yet asked for anything."""
        nodes = {signal: ua.NodeId(f"M/{path}", self.namespace) for signal, path in PATHS.items()}
        subscriber = Subscriber(await self.client(uri=uri), nodes, queue)
        await subscriber.subscribe(**options)  # type: ignore[arg-type]
        return subscriber


@asynccontextmanager
async def bench(
    folder: Path, observations: Iterable[Observation], *, trust_first: bool = True, begin: datetime = BEGIN
) -> AsyncIterator[Bench]:
    """A server that serves, with `observations` ready to be played from `begin` to just after the last."""
    observations = list(observations)
    certificates = Certificates(folder / "pki", trust_first)
    server = await make_server("opc.tcp://127.0.0.1:0", certificates=certificates, user=USER, password=PASSWORD)
    names = await register_namespaces(server)
    add_types(server, names)
    signals = {seen.signal for seen in observations} | set(PATHS)
    machine = build_machine(server, names, name="M", signals=signals, serial="1")
    progress = Progress(len(observations), begin, observations[-1].source_time + timedelta(seconds=1))
    player = Player(machine, server.subscriptions, progress)
    player.prepare(observations)
    await server.start()
    try:
        yield Bench(server, machine, player, observations, folder, names.indexes["ss"])
    finally:
        await server.stop()


def expected(observations: Iterable[Observation], signal: str) -> list[tuple[float | None, datetime]]:
    """What a node should have shown of `signal` within the recording: value in the node's unit, source time.

    A repetition of both is no change to any subscriber.
    """
    told = [
        (None if seen.value is None else shown(signal, seen.value), seen.source_time)
        for seen in observations
        if seen.signal == signal and seen.source_time >= BEGIN
    ]
    return [one for one, before in zip(told, [None, *told], strict=False) if one != before]


def shown(signal: str, value: int | str | bool) -> float:
    return PROGRAM[value] if isinstance(value, str) else value / SCALE[signal]


def received(subscriber: Subscriber, signal: str) -> list[tuple[float | None, datetime]]:
    """What a subscriber got of `signal` after the node's first value."""
    return [(one.value, one.at) for one in subscriber.got if one.path == signal][1:]
