"""A stop ends the agent whatever the libraries below it make of a cancellation; with a full disk it says so."""

import asyncio
import errno
import io
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from machine_agents.agent import _cancel
from machine_agents.config import ServiceConfig
from machine_agents.courier import Courier
from machine_agents.credentials import enrolment, write_secret
from machine_agents.delivery import NotStored
from machine_agents.status import Status
from metering.ocmf import new_key
from tests.machine_agents.fake_service import CODE, fake_service
from tests.machine_agents.processes import AgentFolder

NOW = datetime(2026, 3, 2, 8, tzinfo=UTC)


def test_a_task_that_takes_a_cancellation_for_something_else_is_ended_all_the_same() -> None:
    """Such as the source, whose connection is over when an answer is cancelled: it makes the next one."""
    swallowed = 0

    async def source() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(60)
            except asyncio.CancelledError:
                if swallowed == 2:
                    raise
                swallowed += 1

    async def stop() -> list[bool]:
        tasks = [asyncio.create_task(source()), asyncio.create_task(asyncio.sleep(60))]
        await asyncio.sleep(0)
        await asyncio.wait_for(_cancel(*tasks), 20)
        return [task.cancelled() for task in tasks]

    assert asyncio.run(stop()) == [True, True]
    assert swallowed == 2


class FullDisk(io.StringIO):
    """A log file on a disk without room for `refusals` lines."""

    def __init__(self, refusals: int) -> None:
        super().__init__()
        self.refusals = refusals

    def flush(self) -> None:
        if self.refusals:
            self.refusals -= 1
            self.truncate(0)
            self.seek(0)
            raise OSError(errno.ENOSPC, "No space left on device")


def test_a_log_on_a_full_disk_loses_lines_and_not_the_agent() -> None:
    log = FullDisk(refusals=2)
    status = Status(None, log, clock=lambda: NOW, monotonic=lambda: 0.0)
    for number in range(3):
        status.say("connected", number=number)
    assert [json.loads(line)["number"] for line in log.getvalue().splitlines()] == [2]
    assert status.facts["agent"]["log_lines_lost"] == 2


def in_the_way(file: Path) -> Path:
    """A folder in the place of the file's first half: it cannot be written, also by root, until that is gone."""
    blocked = file.with_name(file.name + ".part")
    blocked.mkdir(parents=True)
    return blocked


def test_a_secret_that_cannot_be_written_is_not_stored_and_names_its_file(tmp_path: Path) -> None:
    in_the_way(tmp_path / "token")
    with pytest.raises(NotStored, match="token cannot be written"):
        write_secret(tmp_path / "token", b"secret")
    assert not (tmp_path / "token").exists()


def test_an_enrolment_that_cannot_be_kept_is_asked_for_again(tmp_path: Path) -> None:
    blocked = in_the_way(tmp_path / "enrolment.json")
    (tmp_path / "code").write_text(CODE)
    status = Status(None, None, clock=lambda: NOW, monotonic=lambda: 0.0)
    pauses: list[float] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            blocked.rmdir()

    async def enrol(url: str) -> None:
        config = ServiceConfig(url, tmp_path / "code")
        courier = Courier(config, tmp_path, new_key(), "test", status, pause=pause)
        given = await courier.enrol()
        await courier.close()
        assert enrolment(tmp_path) == given

    with fake_service() as service:
        asyncio.run(enrol(service.url))
    assert len(pauses) == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full device is Linux's")
def test_started_without_room_for_its_key_or_a_word_it_ends_with_the_folders_status(tmp_path: Path) -> None:
    folder = AgentFolder(tmp_path / "agent", "opc.tcp://127.0.0.1:9", "http://127.0.0.1:9").prepare()
    in_the_way(folder.data / "agent-key.pem")
    command = [sys.executable, "-m", "machine_agents", "run", "--config", str(folder.path / "agent.toml")]
    told = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert told.returncode == 4
    assert "agent-key.pem cannot be written" in told.stderr
    assert "Traceback" not in told.stderr
    with Path("/dev/full").open("w") as full:
        assert subprocess.run(command, stderr=full, timeout=60, check=False).returncode == 4
