"""The agent against a server that shares no code with ours: node-opcua, with security, killed and restarted."""

import json
import os
import random
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.machine_agents.fake_service import fake_service
from tests.machine_agents.processes import AgentFolder, chain
from tests.peers import NODE_FOLDER, needs_node_opcua, node

PROFILE = """
name = "node"
trigger = "timestamp"
# The server samples each node by itself: a value may reach us just after a later heartbeat.
settle_ms = 1000
[namespaces]
m = "urn:spindleshare:test:mill"
[[signal]]
signal = "heartbeat"
path = "m:Machines/{machine}/m:Clock"
type = "time"
[[signal]]
signal = "power"
path = "m:Machines/{machine}/m:Power"
type = "flag"
[[signal]]
signal = "axis.X.position"
path = "m:Machines/{machine}/m:Position"
type = "number"
unit = "MMT"
[[signal]]
signal = "axis.Y.position"
path = "m:Machines/{machine}/m:NotThere"
type = "number"
unit = "MMT"
"""


@dataclass
class NodeMachine:
    """node-opcua's server as a process; it counts the true travel itself."""

    process: "subprocess.Popen[str]"
    url: str = ""

    def answer(self) -> dict[str, Any]:
        """Its next JSON line; its library prints other lines too."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):
                said: dict[str, Any] = json.loads(line)
                return said
        raise AssertionError("the server ended")

    def tell(self, command: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        return self.answer()


@contextmanager
def node_machine(folder: Path, *options: str) -> Iterator[NodeMachine]:
    folder.mkdir()
    script = Path(__file__).with_name("node_machine.cjs")
    environment = os.environ | {"NODE_PATH": str(NODE_FOLDER / "node_modules")}
    process = subprocess.Popen(
        [str(node()), str(script), str(folder), *options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    try:
        machine = NodeMachine(process)
        machine.url = machine.answer()["url"]
        yield machine
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
@needs_node_opcua
@pytest.mark.parametrize(("seed", "forget_session"), [(1, False), (2, True)])
def test_no_movement_is_lost_over_kills(seed: int, forget_session: bool, tmp_path: Path) -> None:
    """By the session taken up again, and by transfer to a new session; then republish."""
    chance = random.Random(seed)
    with fake_service() as service, node_machine(tmp_path / "node") as machine:
        (tmp_path / "agent").mkdir()
        (tmp_path / "agent" / "node.toml").write_text(PROFILE)
        folder = AgentFolder(tmp_path / "agent", machine.url, service.url, "node.toml", publish_ms=100).prepare()
        agent = folder.start()
        agent.wait_for("subscription created")
        wait_for_travel(folder, lambda travel: travel == 0)
        machine.tell("go")
        for _ in range(4):
            time.sleep(chance.uniform(0.2, 1.5))
            agent.kill()
            if forget_session:
                folder.forget_session()
            time.sleep(chance.uniform(0.1, 2))
            agent = folder.start()
            agent.wait_for("subscription resumed")
        true = machine.tell("stop")["travel"]
        wait_for_travel(folder, lambda travel: travel >= true * 1000)
        assert agent.stop() == 0
    status = folder.status
    assert status["meter"]["registers"]["travel.X"] == true * 1000
    assert list(status["source"]["missing"]) == ["axis.Y.position"]
    assert status["meter"]["dropped"]["late"] == 0
    chain([service.stored[number] for number in sorted(service.stored)])


@contextmanager
def away(tmp_path: Path, *options: str) -> Iterator[tuple[AgentFolder, NodeMachine]]:
    """A machine that moves on, and an agent that metered it and was killed; the server's queue is short."""
    with fake_service() as service, node_machine(tmp_path / "node", *options) as machine:
        (tmp_path / "agent").mkdir()
        (tmp_path / "agent" / "node.toml").write_text(PROFILE)
        folder = AgentFolder(
            tmp_path / "agent", machine.url, service.url, "node.toml", publish_ms=100, queue=5
        ).prepare()
        agent = folder.start()
        agent.wait_for("subscription created")
        wait_for_travel(folder, lambda travel: travel == 0)
        machine.tell("go")
        wait_for_travel(folder, lambda travel: travel > 0)
        agent.kill()
        moves_on(machine)
        yield folder, machine


def moves_on(machine: NodeMachine) -> None:
    """Until it has moved by more than the queue holds."""
    limit = time.monotonic() + 60
    begin = machine.tell("go")["travel"]
    while machine.tell("go")["travel"] < begin + 80:
        assert time.monotonic() < limit
        time.sleep(0.05)


def settled(folder: AgentFolder, machine: NodeMachine) -> int:
    """The true travel, once everything that the machine did is folded."""
    said = machine.tell("stop")
    end = datetime.fromtimestamp(said["at"] / 1000, UTC) + timedelta(seconds=2)
    limit = time.monotonic() + 60
    while datetime.fromisoformat(folder.status.get("meter", {}).get("heartbeat") or _LONG_AGO) < end:
        assert time.monotonic() < limit, folder.status
        time.sleep(0.05)
    return int(said["travel"]) * 1000


_LONG_AGO = "2000-01-01T00:00:00+00:00"


@pytest.mark.slow
@needs_node_opcua
def test_its_history_gives_back_what_was_missed(tmp_path: Path) -> None:
    """What a short queue overflowed, and all between two subscriptions, also when killed while it is read."""
    with away(tmp_path, "10000") as (folder, machine):
        agent = folder.start()
        agent.wait_for("recovered from history")
        agent.kill()
        moves_on(machine)
        folder.forget_subscription()
        agent = folder.start()
        agent.wait_for("subscription created")
        agent.kill()
        agent = folder.start()
        agent.wait_for("connected")
        assert settled(folder, machine) == folder.status["meter"]["registers"]["travel.X"]
        assert agent.stop() == 0


def wait_for_travel(folder: AgentFolder, fits: Any) -> None:
    limit = time.monotonic() + 30
    while time.monotonic() < limit:
        path = folder.data / "status.json"
        if path.exists() and fits(folder.status.get("meter", {}).get("registers", {}).get("travel.X", -1)):
            return
        time.sleep(0.05)
    raise AssertionError(f"the agent stands at {folder.status}")
