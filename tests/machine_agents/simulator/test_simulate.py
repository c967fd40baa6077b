"""The simulator as people start it: a process with a command line, a ready line, a status file and an exit status."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua

from machine_agents.model import write_recording
from machine_agents.simulator.companion import URIS
from tests.machine_agents.simulator.subscriber import Subscriber, secure_client

PASSWORD = "right horse"
FOREIGN_END = datetime(2018, 5, 29, 15, 0, tzinfo=UTC)


@dataclass
class Process:
    """A running simulator; `ready` is its first line."""

    process: "subprocess.Popen[str]"
    ready: dict[str, Any]
    folder: Path

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "status.json").read_text())
        return found

    def wait_for(self, done: Callable[[dict[str, Any]], bool], seconds: float = 30) -> dict[str, Any]:
        limit = time.monotonic() + seconds
        while not done(self.status()):
            assert self.process.poll() is None, "it ended"
            assert time.monotonic() < limit, f"it took too long: {self.status()}"
            time.sleep(0.05)
        return self.status()


def command(folder: Path, recording: Path, *options: str) -> list[str]:
    (folder / "password").write_text(PASSWORD + "\n")
    given = [sys.executable, "-m", "machine_agents", "simulate", str(recording), "--json"]
    given += ["--folder", str(folder / "pki"), "--status-file", str(folder / "status.json")]
    given += ["--password-file", str(folder / "password")]
    return [*given, *(() if "--endpoint" in options else ("--endpoint", "opc.tcp://127.0.0.1:0")), *options]


@contextmanager
def simulator(folder: Path, recording: Path, *options: str) -> Iterator[Process]:
    process = subprocess.Popen(command(folder, recording, *options), stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Process(process, json.loads(process.stdout.readline()), folder)
    finally:
        process.kill()
        process.wait()


async def subscriber(one: Process, paths: list[str]) -> Subscriber:
    client = await secure_client(one.ready["endpoint"], one.folder / "client", user="agent", password=PASSWORD)
    await client.connect()
    space = await client.get_namespace_index(URIS["ss"])
    machine = one.ready["machine"]
    found = Subscriber(client, {path: ua.NodeId(f"{machine}/{path}", space) for path in paths})
    await found.subscribe()
    return found


def receive(one: Process, until: Callable[[dict[str, Any]], bool]) -> Subscriber:
    """Subscribe, and receive until the simulator's status says so."""

    async def go() -> Subscriber:
        paths = ["Recording/Heartbeat", "Recording/Replayed", "Recording/PowerOn", "Recording/CuttingDuration"]
        got = await subscriber(one, paths)
        running = asyncio.create_task(got.run())
        await asyncio.to_thread(one.wait_for, until)
        running.cancel()
        return got

    return asyncio.run(go())


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three days that ended just now, so that one of them is a working day of the model."""
    path = tmp_path_factory.mktemp("recording") / "own.txt.xz"
    write_recording(path, seed=4, end=datetime.now(UTC), days=3)
    return path


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As somebody else's: it may not be moved in time."""
    path = tmp_path_factory.mktemp("recording") / "foreign.txt"
    write_recording(path, seed=4, end=FOREIGN_END, days=1)
    path.write_text(path.read_text().replace("# mark: own", "# mark: foreign"))
    return path


def test_it_plays_and_ends(tmp_path: Path, recording: Path) -> None:
    with simulator(tmp_path, recording, "--until-played") as one:
        assert one.ready["phase"] == "waiting"
        assert len(one.ready["fingerprint"]) == 64
        assert one.ready["endpoint"].startswith("opc.tcp://127.0.0.1:")
        time.sleep(1)
        assert one.status()["recorded"] == 0, "nobody subscribes yet"

        async def go() -> Subscriber:
            got = await subscriber(one, ["Recording/Heartbeat", "Recording/PowerOn"])
            with pytest.raises(ConnectionError):  # it leaves when everything is acknowledged
                await asyncio.wait_for(got.run(), 30)
            return got

        got = asyncio.run(go())
        assert one.process.wait(10) == 0
        last = one.status()
        assert (last["phase"], last["fraction"], last["recorded"]) == ("done", 1.0, last["total"])
        assert got.got[-1].path == "Recording/Heartbeat"
        assert got.got[-1].value == datetime.fromisoformat(last["end"])


def test_asked_to_stop_it_stops(tmp_path: Path, recording: Path) -> None:
    with simulator(tmp_path, recording) as one:
        one.process.send_signal(signal.SIGTERM)
        assert one.process.wait(10) == 0


def test_after_our_own_recording_the_machine_is_live(tmp_path: Path, recording: Path) -> None:
    with simulator(tmp_path, recording, "--live", "--seed", "4") as one:
        began = datetime.fromisoformat(one.ready["end"])
        got = receive(one, lambda now: now["phase"] == "live" and datetime.fromisoformat(now["at"]) > began)
    replayed = [(seen.value, seen.at) for seen in got.got if seen.path == "Recording/Replayed"]
    assert [value for value, _ in replayed] == [True, False]
    assert replayed[-1][1] == began
    beats = [seen.at for seen in got.got if seen.path == "Recording/Heartbeat"]
    assert beats == sorted(beats)
    assert abs(datetime.now(UTC) - beats[-1]) < timedelta(seconds=10), "live means now"


def test_after_another_recording_its_clock_goes_on_and_says_so(tmp_path: Path, foreign: Path) -> None:
    with simulator(tmp_path, foreign, "--live", "--seed", "9") as one:
        later = (FOREIGN_END + timedelta(seconds=3)).isoformat()
        got = receive(one, lambda now: now["phase"] == "live" and now["at"] > later)
    assert {seen.value for seen in got.got if seen.path == "Recording/Replayed"} == {True}
    beats = [seen.at for seen in got.got if seen.path == "Recording/Heartbeat"]
    assert FOREIGN_END < beats[-1] < FOREIGN_END + timedelta(minutes=1)
    counter = [seen.value for seen in got.got if seen.path == "Recording/CuttingDuration" and seen.value is not None]
    assert counter == sorted(counter), "a counter goes on from where it stood"


def refusal(folder: Path, recording: Path, *options: str) -> tuple[int, list[str]]:
    given = command(folder, recording, *options)
    ended = subprocess.run(given, capture_output=True, text=True, timeout=30, check=False)
    return ended.returncode, ended.stderr.splitlines()


def test_a_port_in_use_is_one_clear_line(tmp_path: Path, recording: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        endpoint = f"opc.tcp://127.0.0.1:{taken.getsockname()[1]}"
        status, lines = refusal(tmp_path, recording, "--endpoint", endpoint)
    assert status == 5
    assert len(lines) == 1
    assert endpoint in lines[0]


def test_no_recording_no_password_no_day_are_named(tmp_path: Path, recording: Path) -> None:
    status, lines = refusal(tmp_path, tmp_path / "none.txt")
    assert (status, len(lines)) == (3, 1)
    assert "none.txt" in lines[0]
    status, lines = refusal(tmp_path, recording, "--password-file", str(tmp_path / "no-password"))
    assert (status, len(lines)) == (3, 1)
    assert "no-password" in lines[0]
    status, lines = refusal(tmp_path, recording, "--day", "yesterday")
    assert (status, len(lines)) == (3, 1)
    assert "yesterday" in lines[0]


def test_the_key_is_for_its_owner_only(tmp_path: Path, recording: Path) -> None:
    with simulator(tmp_path, recording):
        assert (tmp_path / "pki" / "own" / "key.pem").stat().st_mode & 0o077 == 0
