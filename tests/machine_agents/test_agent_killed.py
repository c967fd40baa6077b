"""Killed at any moment and started again, the agent seals the very same readings as one that was left in peace."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from machine_agents.model import write_recording
from tests.machine_agents.fake_service import FakeService, fake_service
from tests.machine_agents.plain_server import PASSWORD, USER
from tests.machine_agents.processes import AgentFolder, readings

END = datetime(2026, 3, 5, tzinfo=UTC)
DAYS = 2


@dataclass
class Simulator:
    """A simulator that plays and then keeps its last values."""

    endpoint: str
    status_file: Path
    process: "subprocess.Popen[str]"

    def done(self) -> bool:
        assert self.process.poll() is None, "the simulator ended: values were lost"
        return self.status_file.exists() and json.loads(self.status_file.read_text())["phase"] == "done"


@contextmanager
def simulator(recording: Path, folder: Path) -> Iterator[Simulator]:
    folder.mkdir()
    (folder / "password").write_text(PASSWORD)
    command = [sys.executable, "-m", "machine_agents", "simulate", str(recording), "--json", "--user", USER]
    command += ["--endpoint", "opc.tcp://127.0.0.1:0", "--password-file", str(folder / "password")]
    command += ["--speed", "100000", "--folder", str(folder / "pki"), "--status-file", str(folder / "status.json")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Simulator(json.loads(process.stdout.readline())["endpoint"], folder / "status.json", process)
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recording") / "two-days.txt"
    write_recording(path, seed=5, end=END, days=DAYS)
    return path


@dataclass
class Peaceful:
    """What an agent sealed that nobody disturbed, and its key's folder."""

    folder: AgentFolder
    texts: list[str]
    registers: dict[str, int]


@pytest.fixture(scope="module")
def peaceful(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> Peaceful:
    base = tmp_path_factory.mktemp("peaceful")
    with fake_service() as service, simulator(recording, base / "simulator") as machine:
        folder = AgentFolder(base / "agent", machine.endpoint, service.url).prepare()
        agent = folder.start()
        wait_until(machine.done)
        assert agent.stop() == 0
        registers = folder.status["meter"]["registers"]
        return Peaceful(folder, stored(service), registers)


def wait_until(condition: Any, seconds: float = 60) -> None:
    limit = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < limit, "it took too long"
        time.sleep(0.02)


def stored(service: FakeService) -> list[str]:
    return [service.stored[number] for number in sorted(service.stored)]


def test_an_undisturbed_agent_seals_every_quarter_hour(peaceful: Peaceful) -> None:
    sealed = readings(peaceful.texts)
    assert len(sealed) == DAYS * 96 + 1
    assert sealed[0].reason == "B"
    assert sealed[-1].device_time == END
    last = sealed[-1].registers
    assert {code: last[code] for code in peaceful.registers} == peaceful.registers
    assert last["program_run"] > 0
    assert last["travel.X"] > 0


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "forget_session"), [(1, False), (2, True), (3, False)])
def test_killed_at_random_moments_it_seals_the_same_readings(
    seed: int, forget_session: bool, recording: Path, peaceful: Peaceful, tmp_path: Path
) -> None:
    """Also when the session cannot be taken up again, so that the subscription has to be transferred to a new one."""
    chance = random.Random(seed)
    with fake_service() as service, simulator(recording, tmp_path / "simulator") as machine:
        folder = AgentFolder(tmp_path / "agent", machine.endpoint, service.url).prepare(peaceful.folder)
        while not machine.done():
            agent = folder.start()
            # From the first moments of the start, through connecting and resuming, into the middle of the replay.
            event, longest = chance.choice([("started", 0.25), ("connected", 0.25), ("connected", 0.6)])
            agent.wait_for(event)
            time.sleep(chance.uniform(0, longest))
            agent.kill()
            if forget_session:
                folder.forget_session()
        agent = folder.start()
        agent.wait_for("connected")
        wait_until(lambda: len(readings(stored(service))) == len(readings(peaceful.texts)))
        assert agent.stop() == 0
    assert len(folder.starts) > 5
    assert readings(stored(service)) == readings(peaceful.texts)
    assert folder.status["meter"]["registers"] == peaceful.registers


def test_the_status_says_what_the_agent_is_doing(peaceful: Peaceful) -> None:
    status = peaceful.folder.status
    assert status["service"]["state"] == "reached"
    assert status["spool"]["sealed"] == status["spool"]["sent"] == len(peaceful.texts)
    assert status["source"]["missing"] == {}
    assert "gaps" not in status["source"]
    assert datetime.fromisoformat(status["meter"]["heartbeat"]) == END
