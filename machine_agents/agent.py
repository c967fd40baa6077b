"""The agent: source, meter, spool and courier put together, from start to a graceful stop."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, TextIO

import httpx

from machine_agents import credentials
from machine_agents.config import AgentConfig
from machine_agents.courier import Courier, Refused
from machine_agents.credentials import Enrolment
from machine_agents.cut_planner import CutPlanner
from machine_agents.delivery import NotStored, StoreBroken
from machine_agents.host import Host, this_host
from machine_agents.observation_log import ObservationLog
from machine_agents.report import EVERY_SECONDS, Reporter, doing
from machine_agents.rotation import finish_switch
from machine_agents.sealing import TELEMETRY, Meter
from machine_agents.segment_files import SegmentFiles
from machine_agents.service_manager import Notifier
from machine_agents.sources import MakeSource, source_maker, with_counters
from machine_agents.spool import Spool
from machine_agents.status import Status
from machine_agents.telemetry_courier import TelemetryCourier
from metering.ocmf import PrivateKey, fingerprint

_LAST_WORDS_SECONDS = 5.0
_CANCEL_AGAIN_SECONDS = 0.5


async def run(
    config: AgentConfig, *, log: TextIO | None, clock: Callable[[], datetime], monotonic: Callable[[], float]
) -> None:
    """Run until SIGTERM or SIGINT. SpoolInUse, SpoolBroken, NotStored, BadSecret and BadProfile end it at the start."""
    stop = _stop_on_signals()
    config = with_counters(config)
    make_source = source_maker(config, monotonic=monotonic)
    with contextlib.closing(Spool(config.data)) as spool:
        finish_switch(config.data)
        key = credentials.signing_key(config.data)
        status = Status(config.data / "status.json", log, clock=clock, monotonic=monotonic)
        status.note("agent", name=config.name, process=os.getpid(), key_fingerprint=fingerprint(key.public_key()))
        status.say("started", data=str(config.data), key_fingerprint=fingerprint(key.public_key()))
        notifier = Notifier()
        try:
            with _local_port(config, status, clock):
                notifier.ready()
                await _enrolled_work(
                    config, make_source, spool, key, status, notifier, stop, this_host(clock, monotonic)
                )
        except StoreBroken as broken:
            status.note("agent", failed=str(broken))
            status.say("failed", level="error", why=str(broken))
            raise
        finally:
            notifier.stopping()
            status.note("agent", stopped=clock().isoformat())
            status.say("stopped")
            status.write(at_once=True)


def _local_port(
    config: AgentConfig, status: Status, clock: Callable[[], datetime]
) -> contextlib.AbstractContextManager[object]:
    if not config.local_port:
        return contextlib.nullcontext()
    from machine_agents.local_port import serving

    return serving(config.local_host, config.local_port, status.published, clock=clock)


async def _enrolled_work(
    config: AgentConfig,
    make_source: MakeSource,
    spool: Spool,
    key: PrivateKey,
    status: Status,
    notifier: Notifier,
    stop: asyncio.Event,
    host: Host,
) -> None:
    """Enrol where that is still to be done, then meter until `stop`."""
    courier = Courier(config.service, config.data, key, config.name, status)
    alive = asyncio.create_task(_stay_alive(status, notifier))
    try:
        enrolment = credentials.enrolment(config.data) or await _until(stop, courier.enrol())
        if enrolment is not None:
            await _work(config, make_source, spool, key, enrolment, courier, status, stop, host)
    finally:
        await _cancel(alive)
        await courier.close()


async def _stay_alive(status: Status, notifier: Notifier) -> None:
    """The loop turns: say so, and publish what is known."""
    while True:
        status.write()
        notifier.alive(doing(status.facts))
        await asyncio.sleep(EVERY_SECONDS)


async def _work(
    config: AgentConfig,
    make_source: MakeSource,
    spool: Spool,
    key: PrivateKey,
    enrolment: Enrolment,
    courier: Courier,
    status: Status,
    stop: asyncio.Event,
    host: Host,
) -> None:
    files = SegmentFiles(config.data / "telemetry", budget=config.telemetry.budget_mib * 1024 * 1024)
    log = _log(config, files, spool, enrolment, status, host.monotonic)
    meter = Meter(spool, key, enrolment, config.meter, host=host, log=log)
    courier.planner = CutPlanner(
        meter,
        enrolment,
        config.data,
        status,
        poll_seconds=config.service.schedule_poll_seconds,
        monotonic=host.monotonic,
    )
    source = make_source(meter, status)
    reporter = Reporter(status, spool, meter, folder=config.data, keep_bytes=config.keep_mb * 1024 * 1024)
    status.note("agent", id=enrolment.agent_id, meter=enrolment.meter_serial, model=enrolment.machine_model)
    others = [
        courier.run(spool, enrolment.token),
        reporter.run(),
        # Also without a log: what an earlier configuration kept is still sent.
        TelemetryCourier(config.service, files, enrolment.token, status).run(spool),
    ]
    try:
        await _until_stopped(stop, source.run(), *others)
        await _send_rest(courier, spool, enrolment.token)
    finally:
        if log is not None:
            log.close()
        with contextlib.suppress(NotStored, StoreBroken):
            reporter.note()


async def _until_stopped(stop: asyncio.Event, *works: Coroutine[Any, Any, None]) -> None:
    """Do all of it until the stop, or until one fails, which is then raised; none of it goes on afterwards."""
    tasks = [asyncio.create_task(work) for work in works]
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task.done():
                task.result()
    finally:
        await _cancel(*tasks, stopping)


def _log(
    config: AgentConfig,
    files: SegmentFiles,
    spool: Spool,
    enrolment: Enrolment,
    status: Status,
    monotonic: Callable[[], float],
) -> ObservationLog | None:
    """The raw observations' log, where the configuration wants one."""
    if not config.telemetry.keep:
        return None
    kept = spool.kept(TELEMETRY)
    return ObservationLog(
        files, enrolment.meter_serial, config.meter.policy, config.telemetry, status, kept=kept, monotonic=monotonic
    )


async def _until(stop: asyncio.Event, work: Coroutine[Any, Any, Enrolment]) -> Enrolment | None:
    """The result of `work`, or None when the stop comes first."""
    task, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait([task, stopping], return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        await _cancel(task, stopping)


async def _send_rest(courier: Courier, spool: Spool, token: str) -> None:
    """Send what was sealed last, as far as the service answers at once; the rest is for the next start."""
    with contextlib.suppress(TimeoutError, httpx.HTTPError, Refused, NotStored):
        async with asyncio.timeout(_LAST_WORDS_SECONDS):
            while await courier.send_batch(spool, token):
                pass


async def _cancel(*tasks: "asyncio.Task[Any]") -> None:
    """End tasks, and wait until they have ended.

    Asked for again as long as need be: a library may take a cancellation for the end of its connection, and Python's
    own wait_for drops one that comes together with a result (before 3.12); the source would then connect anew for ever.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_CANCEL_AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)


def _stop_on_signals() -> asyncio.Event:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop
