"""A stop ends the agent whatever the libraries below it make of a cancellation, and no full disk does."""

import asyncio
import errno
import io
import json
from datetime import UTC, datetime

from machine_agents.agent import _cancel
from machine_agents.status import Status

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
