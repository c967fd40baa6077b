"""One seed: the programs, the lines between them, what is done to them, and the judgement."""

import asyncio
import contextlib
import json
import shutil
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy.exc import DBAPIError

from app.database import Role
from machine_agents.source_time import from_ms, to_ms
from metering.store import MeteringStore
from workbench.chaos import database, journal, machine
from workbench.chaos.box import Box
from workbench.chaos.judgement import judge_home
from workbench.chaos.link import Link
from workbench.chaos.machine import Order
from workbench.chaos.oracle import Verdict
from workbench.chaos.planned import AGENT, DATABASE, MACHINE, OPCUA, SERVICE, SPOOL, Moment, Plan
from workbench.chaos.shim import ERRORS, Rule, Shim
from workbench.chaos.stage import Home, Stage, home
from workbench.chaos.supervised import Program
from workbench.chaos.truth import START_MS, Truth
from workbench.chaos.uploads import UploadLine
from workbench.demo.processes import free_port

PACE_MS = 20
_TICK_SECONDS = 90
_SETTLE_SECONDS = 90
_LOOK_SECONDS = 0.1
_TOLD = (0, -signal.SIGTERM, 128 + signal.SIGTERM)  # in order, or before it could see to that
_PROBLEM, _FOLDER = 3, 4  # exit statuses: what an operator can put right; the agent's data folder
_MAY_END: dict[str, tuple[int, ...]] = {AGENT: _TOLD, SERVICE: (*_TOLD, _PROBLEM), MACHINE: ()}


@dataclass(slots=True)
class Outcome:
    """What a seed did and what came of it. `hits`: the faults at system calls that happened, by program."""

    plan: Plan
    seconds: float = 0.0
    verdict: Verdict = field(default_factory=Verdict)
    hits: dict[str, list[Rule]] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    starts: dict[str, int] = field(default_factory=dict)
    overflows: int = 0
    folder: Path | None = None

    @property
    def passed(self) -> bool:
        return not self.verdict.faults


class _NotSettled(Exception):
    """What had to come did not."""


def run_seed(stage: Stage, plan: Plan, *, keep: bool = False) -> Outcome:
    """Run `plan` and judge; the folder of a run that failed is kept where `keep` says so."""
    began, outcome = time.monotonic(), Outcome(plan)
    with home(stage, plan.seed) as own:
        try:
            asyncio.run(_Run(stage, own, outcome).work())
        except _NotSettled as late:
            outcome.verdict.fault(str(late))
    outcome.seconds = time.monotonic() - began
    if keep and not outcome.passed:
        outcome.folder = own.folder
    else:
        shutil.rmtree(own.folder)
    return outcome


class _Run:
    """The programs of one seed and the two lines, from the first start to the judgement."""

    def __init__(self, stage: Stage, own: Home, outcome: Outcome) -> None:
        self._stage, self._own, self._outcome, self._plan = stage, own, outcome, outcome.plan
        self._verdict = outcome.verdict
        self._truth = Truth(self._plan.seed, self._plan.ticks)
        ports = {"opcua": free_port(), "http": free_port(), "database": _port_of(own.run_url)}
        self._link = Link(f"opc.tcp://127.0.0.1:{ports['opcua']}")
        self._uploads = UploadLine(ports["http"], self._plan.uploads)
        self._ports = ports
        self._programs: dict[str, Program] = {}
        self._keepers: list[asyncio.Task[None]] = []
        agent = own.folder / AGENT
        self._box = Box(
            agent / "data",
            agent / "agent.toml",
            machine.journal(own.folder / MACHINE),
            seed=self._plan.seed,
            stored_to=lambda: to_ms(self._newest() or from_ms(START_MS)),
        )

    async def work(self) -> None:
        async with self._lines(), self._kept_going():
            await self._spoil()
            await self._settled()
            await self._programs[AGENT].stop()
            await self._programs[SERVICE].stop()
        for program in self._programs.values():
            self._outcome.hits[program.name] = program.shim.hits()
            self._outcome.starts[program.name] = program.starts
            if program.broken:
                self._verdict.fault(program.broken)
        self._outcome.done += self._uploads.done
        steps = sum(hit.argument for hit in self._outcome.hits[AGENT] if hit.action == "clock")
        times = [frame.at for frame in self._truth.frames]
        found = journal.read(machine.journal(self._own.folder / MACHINE), times)
        self._outcome.overflows = found.overflows
        judge_home(self._own, self._truth, found, steps, self._box.sealed_before, self._verdict)

    @asynccontextmanager
    async def _lines(self) -> AsyncIterator[None]:
        await self._link.start()
        await self._uploads.start()
        try:
            yield
        finally:
            self._link.mend()
            await self._link.stop()
            await self._uploads.stop()

    @asynccontextmanager
    async def _kept_going(self) -> AsyncIterator[None]:
        folder = self._own.folder
        (folder / MACHINE).mkdir()
        Order(self._plan.seed, self._plan.ticks, PACE_MS, self._ports["opcua"]).write(folder / MACHINE)
        config = self._own.configure_agent(endpoint=self._link.url, service=self._uploads.url, queue=self._plan.queue)
        seen = {"opcua": int(self._link.url.rpartition(":")[2]), "http": self._uploads.port}
        self._add(MACHINE, "workbench.chaos.machine", [str(folder / MACHINE)], self._ports)
        self._add(SERVICE, "app.cli", ["serve", "--port", str(self._ports["http"])], self._ports)
        self._add(AGENT, "machine_agents", ["run", "--config", str(config)], seen, self._plan.clock_ms)
        agent = self._programs[AGENT]
        agent.wrong, agent.repair, agent.repaired = self._agent_is_wrong, self._box.what_to_do, self._box.done
        self._keepers = [asyncio.create_task(program.keep()) for program in self._programs.values()]
        try:
            yield
        finally:
            for task in self._keepers:
                task.cancel()
            await asyncio.gather(*self._keepers, return_exceptions=True)
            for program in self._programs.values():
                program.end_at_once()

    def _add(self, name: str, module: str, arguments: list[str], ports: dict[str, int], clock_ms: int = 0) -> None:
        shim = Shim(self._stage.library, self._own.folder, name, ports, clock_ms)
        self._programs[name] = Program(
            name,
            module,
            arguments,
            self._stage.nursery,
            shim,
            self._own.folder,
            self._plan.lives[name],
            environment={
                "SPINDLESHARE_DATA_FOLDER": str(self._own.folder / SERVICE),
                "SPINDLESHARE_RUN_URL": self._own.run_url,
                "SPINDLESHARE_SCHEDULE": "false",
            },
            wrong=lambda status, hits: status not in _MAY_END[name],
        )

    def _agent_is_wrong(self, status: int, hits: Sequence[Rule]) -> bool:
        """It may end when it is told to, and where its disk or its spool is not in order; by no other status."""
        disk_failed = self._box.damaged or any(hit.action in ERRORS for hit in hits)
        return status not in _TOLD and not (status == _FOLDER and disk_failed)

    async def _spoil(self) -> None:
        """Do what the plan has for each tick, until the machine stands still."""
        lasting: list[asyncio.Task[None]] = []
        for moment in self._plan.moments:
            await self._tick(moment.tick)
            lasting.append(asyncio.create_task(self._do(moment)))
        await self._tick(self._plan.ticks)
        await asyncio.gather(*lasting)

    async def _tick(self, number: int) -> None:
        """Wait until the machine has come so far: its time stands still while no agent reads it."""
        deadline = time.monotonic() + _TICK_SECONDS
        while machine.position(self._own.folder / MACHINE) < number:
            self._check(deadline, f"the machine waits for an agent before tick {number}")
            await asyncio.sleep(_LOOK_SECONDS / 20)

    async def _do(self, moment: Moment) -> None:
        seconds, kind = moment.length_ms / 1000, f"{moment.what} {moment.target}"
        if moment.target == OPCUA:
            self._link.spoil(moment.what, seconds)
            happened = True
            await asyncio.sleep(seconds)
            self._link.mend()
        elif moment.target == DATABASE:
            happened = await database.spoil(self._stage.cluster, self._own.name, moment.what, seconds)
        elif moment.target == SPOOL:
            happened = await self._box.damage(moment.what, self._programs[AGENT], self._uploads)
        elif moment.what in ("kill", "restart"):
            happened = self._programs[moment.target].kill(seconds)
        elif moment.what == "stop":
            happened = self._programs[moment.target].signal(signal.SIGTERM)
        else:
            happened = self._programs[moment.target].signal(signal.SIGSTOP)
            await asyncio.sleep(seconds)
            self._programs[moment.target].signal(signal.SIGCONT)
        self._outcome.done[kind] += happened

    async def _settled(self) -> None:
        """Wait until the last quarter hour is in the database, and no request is on its way any more."""
        deadline, end = time.monotonic() + _SETTLE_SECONDS, from_ms(self._truth.end)
        while (await asyncio.to_thread(self._newest)) != end:
            self._check(deadline, "the last reading did not come")
            await asyncio.sleep(_LOOK_SECONDS)
        await self._uploads.quiet()

    def _newest(self) -> datetime | None:
        """The last stored reading's time; None for none, or where the database is away."""
        with contextlib.suppress(DBAPIError), self._own.database.transaction(Role.WORKER) as session:
            step = MeteringStore(session).latest(self._own.meter.id)
            return step.reading.device_time if step else None
        return None

    def _check(self, deadline: float, what: str) -> None:
        for keeper in self._keepers:
            if keeper.done():
                keeper.result()  # a mistake of ours, which ends the run
        broken = [program.broken for program in self._programs.values() if program.broken]
        if broken or time.monotonic() > deadline:
            status = _json(self._own.folder / "agent" / "data" / "status.json")
            stand = {part: status.get(part, {}).get("state") for part in ("source", "service")}
            raise _NotSettled("; ".join([what, *broken, f"the agent says {stand}"]))


def _port_of(url: str) -> int:
    return int(url.rpartition("@")[2].partition("/")[0].rpartition(":")[2])


def _json(file: Path) -> dict[str, dict[str, object]]:
    with contextlib.suppress(OSError, ValueError):
        found: dict[str, dict[str, object]] = json.loads(file.read_text())
        return found
    return {}
