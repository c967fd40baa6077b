"""The agent's box while its disk goes wrong: the spool is damaged, and somebody does what the agent says to do then."""

import asyncio
import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from workbench.chaos.damage import damage, texts
from workbench.chaos.supervised import Program
from workbench.chaos.uploads import UploadLine

_FOLDER = 4
"""The agent's exit status for a data folder that it cannot work with."""


class Box:
    """`data`: the agent's data folder. `stored_to` asks the service's database for its last reading's time, in ms."""

    def __init__(self, data: Path, config: Path, journal: Path, *, seed: int, stored_to: Callable[[], int]) -> None:
        self._data, self._config, self._journal = data, config, journal
        self._chance = random.Random(f"damage of {seed}")
        self._stored_to = stored_to
        self.sealed_before: set[str] = set()
        """Every text that lay in the spool when it was damaged."""
        self.damaged = False

    async def damage(self, what: str, agent: Program, uploads: UploadLine) -> bool:
        """Kill the agent and do `what` to its spool, when nothing that it sent is on its way any more."""
        async with agent.kept_down():
            await uploads.quiet()
            stored_to = await asyncio.to_thread(self._stored_to)
            before = await asyncio.to_thread(self._texts)
            happened = await asyncio.to_thread(damage, self._data, what, self._chance)
            if happened:
                self.damaged = True
                self.sealed_before.update(before)
                self._note(f"damaged {stored_to}")
        return happened

    def what_to_do(self, status: int) -> Sequence[str]:
        """Of an agent that ended with `status`: the command that its message names."""
        return ("recover", "--config", str(self._config)) if self.damaged and status == _FOLDER else ()

    def done(self, status: int) -> None:
        """The command has ended with `status`."""
        if status == 0:
            self._note("recovered")

    def _texts(self) -> list[str]:
        return texts(self._data) if (self._data / "spool.sqlite").exists() else []

    def _note(self, line: str) -> None:
        descriptor = os.open(self._journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, f"{line}\n".encode())
        os.close(descriptor)
