"""Our client under faults: the agent's source, handing over to a spool on the disk."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from machine_agents import profile
from machine_agents.config import SourceConfig
from machine_agents.delivery import Delivery
from machine_agents.opcua_source.source import OpcUaSource
from machine_agents.spool import Spool
from machine_agents.status import Status
from workbench.bench.faults.machine import PASSWORD, SIGNALS, USER

_SPINDLE = "mach:Machines/{machine}/cnc:CncInterface/cnc:CncSpindleList/{spindle}/cnc:"
_MEANING = ("parts", "tool", "item_state", "operation_mode", "dry_run")
PROFILE = profile.parse(
    """
name = "faults"
trigger = "timestamp"
settle_ms = 1000
[namespaces]
mach = "http://opcfoundation.org/UA/Machinery/"
cnc = "http://opcfoundation.org/UA/CNC"
[[signal]]
signal = "heartbeat"
path = "Server/ServerStatus/CurrentTime"
type = "time"
"""
    + "".join(
        f'[[signal]]\nsignal = "{meaning}"\npath = "{_SPINDLE}{name}"\ntype = "number"\n'
        for meaning, name in zip(_MEANING, SIGNALS, strict=True)
    ),
    "faults",
)
"""Five nodes whose numbers are taken as they are: signals without a unit, whose names matter to nobody here."""


@dataclass
class SpoolSink:
    """Commits each delivery to the disk. `gaps`: deliveries before which values may be missing."""

    spool: Spool
    gaps: int = 0
    lost: set[str] = field(default_factory=set)
    fresh: int = 0
    came: float = 0.0
    _deliveries: int = 0

    def deliver(self, delivery: Delivery) -> None:
        seen = [(one.signal, one.value) for one in delivery.observations if one.signal != "heartbeat"]
        self.spool.commit({"source": delivery.state, f"delivery {self._deliveries:09}": json.dumps(seen)})
        self._deliveries += 1
        self.fresh += delivery.fresh
        self.gaps += bool(delivery.lost or (delivery.fresh and self.fresh > 1))
        self.lost |= delivery.lost
        if seen:
            self.came = time.monotonic()

    def remember(self, state: str) -> None:
        self.spool.commit({"source": state})

    def remembered(self) -> str:
        return self.spool.kept("source") or ""

    def known(self) -> None:
        """What is lost stays lost here: the faults are compared by what a subscription brings."""

    def stored(self) -> list[tuple[str, int]]:
        """(signal, number) in the order stored, read back from the spool."""
        texts = (self.spool.kept(f"delivery {number:09}") or "[]" for number in range(self._deliveries))
        return [(signal, value) for text in texts for signal, value in json.loads(text) if value]


def _prepare(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "password").write_text(PASSWORD)


@asynccontextmanager
async def ours(url: str, folder: Path, *, queue: int) -> AsyncIterator[tuple[SpoolSink, Status]]:
    """The source at work on `url`, with its spool and certificates in `folder`."""
    _prepare(folder)
    config = SourceConfig(
        url, USER, folder / "password", sampling_ms=0, queue=queue, silence_seconds=6, request_seconds=4,
        retry_max_seconds=2,
    )  # fmt: skip
    with contextlib.closing(Spool(folder)) as spool, (folder / "log").open("w") as log:
        sink = SpoolSink(spool)
        status = Status(None, log, clock=lambda: datetime.now(UTC), monotonic=time.monotonic)
        source = OpcUaSource(config, PROFILE, sink, status, folder=folder / "pki", monotonic=time.monotonic)
        task = asyncio.create_task(source.run())
        try:
            yield sink, status
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
