"""What the agent says of itself, second by second: the facts behind its status file, its metrics and its health."""

import asyncio
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from machine_agents.delivery import NotStored
from machine_agents.sealing import Meter
from machine_agents.spool import Spool
from machine_agents.status import Status
from metering.ocmf import OcmfError, parse

EVERY_SECONDS = 1.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Reporter:
    """Gathers facts from the parts of a running agent, and keeps the spool within its size."""

    def __init__(self, status: Status, spool: Spool, meter: Meter, *, folder: Path, keep_bytes: int) -> None:
        """`keep_bytes`: what the spool may take for records that the service already has."""
        self._status, self._spool, self._meter = status, spool, meter
        self._folder, self._keep_bytes = folder, keep_bytes
        self._oldest: tuple[str | None, str | None] = (None, None)

    async def run(self) -> None:
        """Report for ever; cancel to stop."""
        while True:
            with suppress(NotStored):  # said by whoever could not store; the report itself goes on
                self.note()
                self._spool.prune(self._keep_bytes)
            await asyncio.sleep(EVERY_SECONDS)

    def note(self) -> None:
        """Bring the facts up to date."""
        spool, meter, counts = self._spool, self._meter, self._spool.counts()
        self._status.note(
            "spool",
            sealed=counts.sealed,
            sent=counts.sent,
            refused=counts.refused,
            unsent=max(0, counts.sealed - counts.sent),
            oldest_unsent=self._oldest_unsent(),
            bytes=spool.size_bytes(),
            digest=spool.tail.digest,
        )
        heartbeat = meter.heartbeat.isoformat() if meter.heartbeat else None
        counts_of = {"registers": meter.registers(), "dropped": meter.dropped()}
        events = dict(meter.counter_events)
        self._status.note("meter", heartbeat=heartbeat, live=meter.live, counter_events=events, **counts_of)
        for one in meter.untold_events():
            told = {"before": one.before, "after": one.after, "counted": one.counted, "at": one.at.isoformat()}
            self._status.say(f"counter {one.event}".replace("_", " "), level="warning", signal=one.signal, **told)
        self._note_schedule()
        self._status.note("disk", free_bytes=shutil.disk_usage(self._folder).free)
        self._status.note("agent", memory_bytes=_resident_bytes())

    def _note_schedule(self) -> None:
        """What is known of sessions and tariff changes to come."""
        plan, ahead = self._meter.plan, self._meter.cuts_ahead()
        self._status.note(
            "schedule",
            number=plan.number,
            valid_until=plan.valid_until.isoformat() if plan.valid_until else None,
            cuts_ahead=len(ahead),
            next_cut=ahead[0].at.isoformat() if ahead else None,
        )

    def _oldest_unsent(self) -> str | None:
        """When the oldest record that the service lacks was taken; its text is read once."""
        text = self._spool.oldest_unsent()
        if text != self._oldest[0]:
            self._oldest = text, _taken_at(text) if text else None
        return self._oldest[1]


def doing(facts: Mapping[str, Mapping[str, Any]]) -> str:
    """One line for people: how the machine, the service and the spool stand."""
    source, service, spool = (facts.get(name, {}) for name in ("source", "service", "spool"))
    machine = source.get("state", "starting")
    return f"machine {machine}, service {service.get('state', 'starting')}, {spool.get('unsent', 0)} records unsent"


def _taken_at(text: str) -> str | None:
    with suppress(OcmfError):
        return parse(text).record.readings[0].device_time.isoformat()
    return None


def _resident_bytes() -> int | None:
    """Resident memory, where the system tells (Linux)."""
    with suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * _PAGE_BYTES
    return None
