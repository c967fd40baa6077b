"""From a booking to signed registers: a real agent beside a machine's server, the service over HTTP, PostgreSQL."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app import clock
from app.database import Database, Role
from app.settings import Settings
from billing.capacity.book import Booked, book
from billing.capacity.booking import Booking
from billing.capacity.cancel_booking import cancel_booking
from billing.capacity.store import LeasingStore
from metering.enrol import invite
from metering.period import Period, quarter_start
from metering.session import Cutting, MeasuredSession
from metering.store import MeteringStore
from tests.app.site import served
from tests.builders import Shop, open_shop
from tests.machine_agents.plain_server import PASSWORD, PROFILE_TEXT, START, USER, PlainServer, plain_server
from tests.machine_agents.processes import AgentFolder

_CONFIG = """
[agent]
data = "data"
[source]
endpoint = "{endpoint}"
user = "{user}"
password_file = "password"
profile = "profile.toml"
publish_ms = 20
sampling_ms = 0
retry_max_seconds = 1
[service]
url = "{service}"
code_file = "code"
retry_max_seconds = 1
schedule_poll_seconds = 300
[meter]
silence_ms = 7200000
# The test sets the machine's time, many minutes at once.
clock_limit_seconds = 86400
interim_seconds = 0
"""


@dataclass
class Workshop:
    """The machine's time is minutes after `zero`, and goes on when the test says so."""

    shop: Shop
    zero: datetime
    settings: Settings
    machine: PlainServer
    agent: AgentFolder
    service: ExitStack = field(default_factory=ExitStack)
    port: int = 0

    def open_service(self) -> str:
        base = self.service.enter_context(served(self.settings, self.shop.database, port=self.port))
        self.port = int(base.rpartition(":")[2])
        return base

    def at(self, minutes: float) -> datetime:
        return self.zero + timedelta(minutes=minutes)

    def book(self, begin: float, end: float) -> Booking:
        with self.shop.database.transaction(Role.WORKER) as session:
            found = book(
                self.shop.listing,
                self.shop.sme.id,
                Period(self.at(begin), self.at(end)),
                leasing=LeasingStore(session),
                metering=MeteringStore(session),
                now=clock.now(),
            )
        assert isinstance(found, Booked)
        return found.booking

    def cancel(self, booking: Booking) -> None:
        with self.shop.database.transaction(Role.WORKER) as session:
            leasing, metering = LeasingStore(session), MeteringStore(session)
            cancel_booking(booking.id, leasing=leasing, metering=metering, now=clock.now())

    async def go_on(self, minutes: float) -> None:
        """The machine is on all the time, and it is now `minutes`."""
        seconds = (self.at(minutes) - START).total_seconds()
        await self.machine.write("power", True, seconds - 1)
        await self.machine.beat(seconds)

    async def stored(self, minutes: float) -> None:
        """Until the service has a reading of `minutes` or later."""

        def there() -> bool:
            with self.shop.database.transaction(Role.WORKER) as session:
                latest = MeteringStore(session).latest(self.shop.meter.id)
            return latest is not None and latest.reading.device_time >= self.at(minutes)

        await until(there)

    async def told(self, expected: Callable[[dict[str, Any]], bool]) -> None:
        """Until the agent's status says so of its schedule."""

        def said() -> bool:
            with contextlib.suppress(OSError, ValueError):
                return expected(self.agent.status.get("schedule", {}))
            return False

        await until(said)

    def sessions(self) -> dict[str, MeasuredSession]:
        with self.shop.database.transaction(Role.WORKER) as session:
            found = MeteringStore(session).sessions(self.shop.meter.id, Period(self.at(0), self.at(600)))
        return {one.session.id: one for one in found}


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return
        await asyncio.sleep(0.1)
    raise TimeoutError


@asynccontextmanager
async def workshop(database: Database, folder: Path) -> AsyncIterator[Workshop]:
    shop, zero = open_shop(database), quarter_start(clock.now())
    with database.transaction(Role.WORKER) as session:
        metering = MeteringStore(session)
        machine = metering.machine(shop.meter.machine_id)
        code = invite(machine, shop.meter.serial, store=metering, now=clock.now(), replaces=True).code
    settings = Settings(data_folder=folder / "service", run_url="postgresql://unused", schedule=False)
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(plain_server(folder / "machine"))
        agent = AgentFolder(folder / "agent", server.url, "")
        place = Workshop(shop, zero, settings, server, agent)
        stack.callback(place.service.close)
        await place.go_on(-5)
        agent.data.mkdir(parents=True)
        given = {"endpoint": server.url, "user": USER, "service": place.open_service()}
        for name, text in (
            ("agent.toml", _CONFIG.format(**given)),
            ("password", PASSWORD),
            ("code", code),
            ("profile.toml", PROFILE_TEXT),
        ):
            (agent.path / name).write_text(text)
        try:
            yield place
        finally:
            for process in agent.starts:
                process.kill()


async def _story(database: Database, folder: Path) -> None:
    async with workshop(database, folder) as place:
        first, touching, cancelled = place.book(15, 30), place.book(30, 45), place.book(60, 75)
        running = place.agent.start()
        await place.told(lambda schedule: schedule.get("number", 0) >= 1 and schedule["cuts_ahead"] >= 6)
        await place.go_on(20)
        await place.stored(15)
        # Killed between begin and end; while it is away a booking is cancelled, and another one made at once.
        running.kill()
        place.cancel(cancelled)
        instead = place.book(60, 90)
        number = place.agent.status["schedule"]["number"]
        running = place.agent.start()
        await place.told(lambda schedule: schedule.get("number", 0) > number)
        await place.go_on(50)
        await place.stored(45)
        # The service is not there for the whole session: the agent knows it, and tells later.
        place.service.close()
        await place.go_on(95)
        await until(lambda: place.agent.status["spool"]["unsent"] > 0)
        place.open_service()
        await place.stored(90)
        # Nothing was sent between this booking and its end: the agent could not know of it.
        unknown = place.book(105, 120)
        await place.go_on(130)
        await place.stored(120)
        await place.told(lambda schedule: schedule.get("missed") == 2)
        assert await asyncio.to_thread(running.stop) == 0
        _check(place.sessions(), first, touching, cancelled, instead, unknown)


def _check(
    sessions: dict[str, MeasuredSession],
    first: Booking,
    touching: Booking,
    cancelled: Booking,
    instead: Booking,
    unknown: Booking,
) -> None:
    how = {one: sessions[str(one.id)].cutting for one in (first, touching, cancelled, instead, unknown)}
    assert how == {
        first: Cutting.SIGNED,
        touching: Cutting.SIGNED,
        cancelled: Cutting.WITHDRAWN,
        instead: Cutting.SIGNED,
        unknown: Cutting.BY_SERVICE,
    }
    for booking in (first, touching, instead, unknown):
        length = booking.slot.length // timedelta(milliseconds=1)
        assert sessions[str(booking.id)].deltas["power_on"] == length, booking
    ended, begun = sessions[str(first.id)].closing, sessions[str(touching.id)].opening
    assert ended
    assert begun
    assert ended.registers == begun.registers
    assert begun.evidence[0] == ended.evidence[0] + 1


@pytest.mark.slow
def test_from_bookings_to_signed_registers(database: Database, tmp_path: Path) -> None:
    asyncio.run(_story(database, tmp_path))
