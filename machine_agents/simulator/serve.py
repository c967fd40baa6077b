"""The simulator as a process: read the recording, serve, play, go on live, and tell how far it is."""

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from machine_agents.credentials import first_line
from machine_agents.recording import Recording, read_recording
from machine_agents.simulator.certificates import Certificates
from machine_agents.simulator.companion import add_types, register_namespaces
from machine_agents.simulator.live import continuation, go_live
from machine_agents.simulator.machine import Machine, build_machine
from machine_agents.simulator.player import Player, Progress
from machine_agents.simulator.server import SecureServer, make_server

_REPORT_SECONDS = 0.5


class NotServed(Exception):
    """The endpoint could not be opened: another port, or end the program that has it."""


@dataclass(frozen=True, slots=True)
class Job:
    """What to simulate. `speed`: recorded seconds per second at most, None as fast as acknowledged.

    `live`: go on live afterwards; else the last values stay to be read, or, with `until_played`, the server ends.
    """

    recording: Path
    endpoint: str
    user: str
    password_file: Path
    folder: Path
    day: str = ""
    speed: float | None = None
    live: bool = False
    until_played: bool = False
    trust_first: bool = True
    seed: int = 0
    status_file: Path | None = None


async def simulate(job: Job, *, clock: Callable[[], datetime], say: Callable[[dict[str, Any]], None]) -> None:
    """Serve until SIGTERM or SIGINT, or until played. `say` gets the ready line and then each new phase.

    Raises RecordingError or MappingError (recording), BadSecret (password), NotServed, ReplayLoss.
    """
    password = first_line(job.password_file, "password")
    recording = read_recording(job.recording)
    recording = recording.day(job.day) if job.day else recording
    certificates = Certificates(job.folder, job.trust_first)
    server = await make_server(job.endpoint, certificates=certificates, user=job.user, password=password)
    names = await register_namespaces(server)
    add_types(server, names)
    header = recording.header
    machine = build_machine(
        server, names, name=header.machine.replace("/", " "), signals=header.signals, serial=header.serial
    )
    total = sum(header.begin <= seen.source_time < header.end for seen in recording.observations)
    progress = Progress(total, header.begin, header.end)
    player = Player(machine, server.subscriptions, progress, job.speed)
    player.prepare(recording.observations)
    try:
        await server.start()
    except OSError as error:
        raise NotServed(f"cannot open {job.endpoint}: {error.strerror}") from error
    report = _Report(job, server, recording, progress, certificates.fingerprint, say)
    try:
        await _until_stopped(_work(job, player, machine, recording, clock, report), report)
    finally:
        await server.stop()


async def _work(
    job: Job,
    player: Player,
    machine: Machine,
    recording: Recording,
    clock: Callable[[], datetime],
    report: "_Report",
) -> None:
    await player.play(recording.observations)
    if not job.live:
        if not job.until_played:
            await asyncio.Event().wait()
        return
    player.progress.phase = "live"
    header = recording.header
    shift = clock() - header.end

    def recorded_now() -> datetime:
        # Our own recording was made to end now: its clock is the wall's. Another one goes on from where it ended.
        return clock() if header.own else clock() - shift

    await go_live(
        machine,
        player.subscriptions,
        continuation(recording, seed=job.seed),
        replayed=not header.own,
        began=header.end,
        recorded_now=recorded_now,
        beat=report.beat,
    )


async def _until_stopped(work: Any, report: "_Report") -> None:
    """Run `work` and the reporting until the work ends or somebody asks us to stop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError, RuntimeError):
            loop.add_signal_handler(number, stop.set)
    working = asyncio.create_task(work)
    stopping = asyncio.create_task(stop.wait())
    reporting = asyncio.create_task(report.run())
    try:
        await asyncio.wait({working, stopping, reporting}, return_when=asyncio.FIRST_COMPLETED)
        for task in (reporting, working):
            if task.done():
                task.result()
    except BaseException as error:
        report.write(failed=str(error))
        raise
    else:
        report.write()
    finally:
        for task in (working, stopping, reporting):
            task.cancel()
        await asyncio.gather(working, stopping, reporting, return_exceptions=True)


class _Report:
    """Keeps the status file up to date and says each new phase once."""

    def __init__(
        self,
        job: Job,
        server: SecureServer,
        recording: Recording,
        progress: Progress,
        fingerprint: str,
        say: Callable[[dict[str, Any]], None],
    ) -> None:
        self._file = job.status_file
        self._progress = progress
        self._say = say
        header = recording.header
        self._facts: dict[str, Any] = {
            "pid": os.getpid(),
            "endpoint": server.url,
            "fingerprint": fingerprint,
            "machine": header.machine,
            "begin": header.begin.isoformat(),
            "end": header.end.isoformat(),
            "total": progress.total,
        }
        self._phase = ""

    def beat(self, at: datetime) -> None:
        self._progress.at = at

    async def run(self) -> None:
        while True:
            self.write()
            await asyncio.sleep(_REPORT_SECONDS)

    def write(self, **more: Any) -> None:
        progress = self._progress
        facts = {
            **self._facts,
            "phase": progress.phase,
            "recorded": progress.recorded,
            "heartbeats": progress.heartbeats,
            "rewound": progress.rewound,
            "fraction": round(progress.fraction, 4),
            "at": progress.at.isoformat() if progress.at else None,
            **more,
        }
        if progress.phase != self._phase or more:
            self._phase = progress.phase
            self._say(facts)
        if self._file is not None:
            partial = self._file.with_name(self._file.name + ".part")
            partial.write_text(json.dumps(facts) + "\n", encoding="utf-8")
            partial.replace(self._file)
