"""The agent follows the schedules of its own service alone, keeps the last good one, and seals what it says."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from machine_agents import credentials, metrics
from machine_agents.config import ServiceConfig
from machine_agents.courier import Courier
from machine_agents.credentials import Enrolment, save_enrolment
from machine_agents.cut_planner import CutPlanner
from machine_agents.health import examine
from machine_agents.sealing import Meter
from machine_agents.spool import Spool
from machine_agents.status import Status
from metering.ocmf import PrivateKey, new_key, parse, public_to_pem
from metering.reading import Reading, Reason
from metering.schedule import CutKind, CutSchedule, ScheduledCut, ordered, seal
from metering.schedule_plan import Admitted, Plan, Refusal, Refused
from tests.machine_agents.fake_service import TOKEN, FakeService, fake_service
from tests.machine_agents.test_sealing import CONFIG, FIRST, KEY, START, Wall, at, delivery, host, seen

PLATFORM = new_key()
IDENTITY = Enrolment("a", "m", "Mill", TOKEN, public_to_pem(PLATFORM.public_key()))


def begin(minutes: float, session: str) -> ScheduledCut:
    return ScheduledCut(at(minutes), CutKind.BEGIN, session)


def end(minutes: float, session: str) -> ScheduledCut:
    return ScheduledCut(at(minutes), CutKind.END, session)


def schedule(
    number: int,
    *cuts: ScheduledCut,
    meter: str = "m",
    key: PrivateKey = PLATFORM,
    issued: datetime = START,
    days: int = 14,
) -> str:
    return seal(CutSchedule(meter, number, issued, issued + timedelta(days=days), ordered(cuts)), key).text


@dataclass
class Agent:
    """A meter on its spool; `again` is the same after a restart."""

    folder: Path
    spool: Spool = field(init=False)
    meter: Meter = field(init=False)

    def __post_init__(self) -> None:
        self.spool = Spool(self.folder)
        self.meter = Meter(self.spool, KEY, IDENTITY, CONFIG, host=host(Wall()))

    def again(self) -> "Agent":
        self.spool.close()
        return Agent(self.folder)

    def follow(self, text: str) -> Admitted | Refused:
        return self.meter.follow(text, PLATFORM.public_key())

    def run_to(self, minutes: float) -> None:
        """The machine is on, and says so every five minutes."""
        step = max(5, minutes / 1000)
        seen_at = [number * step for number in range(int(minutes / step) + 1)]
        self.meter.deliver(delivery([seen("power", True, moment) for moment in seen_at], minutes))

    def cuts(self) -> list[tuple[Reason, str | None, float]]:
        """(reason, session, minutes) of the readings after the first, other than quarter hours."""
        return [
            (one.reason, one.session, (one.device_time - START) / timedelta(minutes=1))
            for one in self.readings()[1:]
            if one.reason is not Reason.DURING
        ]

    def readings(self) -> list[Reading]:
        return [reading for text in self.spool.texts() for reading in parse(text).record.readings]


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    one = Agent(tmp_path / "data")
    with contextlib.closing(one.spool):
        yield one


def test_sessions_are_sealed_at_begin_and_end_and_tariff_changes_between(agent: Agent) -> None:
    agent.meter.deliver(FIRST)
    change = ScheduledCut(at(40), CutKind.TARIFF_CHANGE)
    assert isinstance(agent.follow(schedule(1, begin(20, "s-1"), change, end(50, "s-1"))), Admitted)
    agent.run_to(61)
    expected = [(Reason.BEGIN, "s-1", 20), (Reason.TARIFF_CHANGE, None, 40), (Reason.END, "s-1", 50)]
    assert agent.cuts() == expected
    during = [one.device_time for one in agent.readings() if one.reason is Reason.DURING]
    assert during == [at(15), at(30), at(45), at(60)]
    assert [one.registers["power_on"] for one in agent.readings() if one.session] == [20 * 60_000, 50 * 60_000]


def test_two_sessions_that_touch_are_two_readings_of_one_moment_in_two_records(agent: Agent) -> None:
    agent.meter.deliver(FIRST)
    agent.follow(schedule(1, begin(15, "s-1"), end(30, "s-1"), begin(30, "s-2"), end(45, "s-2")))
    agent.run_to(50)
    moments = [(Reason.BEGIN, "s-1", 15), (Reason.END, "s-1", 30), (Reason.BEGIN, "s-2", 30), (Reason.END, "s-2", 45)]
    assert agent.cuts() == moments
    ended, begun = agent.readings()[2:4]
    assert ended.registers == begun.registers
    assert begun.gap is None
    records = [[reading.session for reading in parse(text).record.readings] for text in agent.spool.texts()]
    assert records == [[None], ["s-1", "s-1"], ["s-2", "s-2"]]


def test_the_plan_and_an_open_session_survive_restarts(agent: Agent) -> None:
    agent.meter.deliver(FIRST)
    agent.follow(schedule(3, begin(20, "s-1"), end(50, "s-1")))
    agent.run_to(30)
    agent = agent.again()
    assert agent.meter.plan.number == 3
    assert [cut.kind for cut in agent.meter.cuts_ahead()] == [CutKind.END]
    agent.run_to(40)
    agent = agent.again()
    agent.run_to(70)
    assert agent.cuts() == [(Reason.BEGIN, "s-1", 20), (Reason.END, "s-1", 50)]
    agent.spool.close()


def test_a_session_cancelled_after_it_was_announced_is_not_cut_and_the_one_made_at_once_is(agent: Agent) -> None:
    agent.meter.deliver(FIRST)
    agent.follow(schedule(1, begin(30, "s-1"), end(60, "s-1")))
    agent.run_to(20)
    agent.follow(schedule(2, begin(45, "s-2"), end(60, "s-2"), issued=at(16)))
    agent.run_to(70)
    assert agent.cuts() == [(Reason.BEGIN, "s-2", 45), (Reason.END, "s-2", 60)]


def test_a_session_that_becomes_known_too_late_is_told_as_missed_and_never_cut_afterwards(agent: Agent) -> None:
    agent.meter.deliver(FIRST)
    agent.run_to(40)
    outcome = agent.follow(schedule(1, begin(20, "s-1"), end(50, "s-1")))
    assert isinstance(outcome, Admitted)
    assert outcome.missed == (begin(20, "s-1"),)
    agent.run_to(70)
    assert agent.cuts() == [(Reason.END, "s-1", 50)]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (schedule(9, begin(20, "s-9"), key=new_key()), Refusal.BAD_SIGNATURE),
        (schedule(9, begin(20, "s-9")).replace("s-9", "s-8"), Refusal.BAD_SIGNATURE),
        (schedule(9, begin(20, "s-9"), meter="n"), Refusal.OTHER_METER),
        (schedule(2, begin(20, "s-9")), Refusal.OLDER),
        (schedule(1, begin(20, "s-9")), Refusal.OLDER),
        (schedule(9, issued=START - timedelta(days=400)), Refusal.OUTDATED),
        ("CUTS|{}|" + "00" * 70, Refusal.UNREADABLE),
    ],
    ids=["forged", "changed", "of another meter", "replayed", "older", "over", "unreadable"],
)
def test_a_schedule_that_is_not_to_be_followed_changes_nothing_also_not_after_a_restart(
    agent: Agent, text: str, why: Refusal
) -> None:
    agent.meter.deliver(FIRST)
    agent.follow(schedule(2, begin(30, "s-1"), end(45, "s-1")))
    refused = agent.follow(text)
    assert isinstance(refused, Refused)
    assert refused.why is why
    agent = agent.again()
    assert agent.meter.plan.number == 2
    agent.run_to(50)
    assert agent.cuts() == [(Reason.BEGIN, "s-1", 30), (Reason.END, "s-1", 45)]
    agent.spool.close()


def test_a_machine_whose_clock_is_far_ahead_follows_nothing_that_is_over_by_its_clock(agent: Agent) -> None:
    agent.meter.deliver(FIRST)
    agent.run_to(400 * 24 * 60)
    sealed = len(agent.readings())
    refused = agent.follow(schedule(1, begin(20, "s-1"), end(50, "s-1")))
    assert isinstance(refused, Refused)
    assert refused.why is Refusal.OUTDATED
    assert len(agent.readings()) == sealed


def test_what_is_planned_before_the_meter_begins_is_cut_from_then_on(agent: Agent) -> None:
    agent.follow(schedule(1, begin(-30, "s-1"), end(20, "s-1"), issued=at(-60)))
    agent.meter.deliver(FIRST)
    agent.run_to(31)
    assert agent.cuts() == [(Reason.END, "s-1", 20)]


def test_a_plan_written_by_an_earlier_version_is_read() -> None:
    text = '{"number":4,"until":null,"cuts":[]}'
    assert Plan.from_json(text) == Plan(4)
    assert Plan.from_json(Plan(4, (begin(20, "s-1"),), at(60)).to_json()) == Plan(4, (begin(20, "s-1"),), at(60))


@dataclass
class Line:
    """A courier with its planner, run until nothing is left to do."""

    agent: Agent
    url: str
    identity: Enrolment = IDENTITY
    now: float = 0.0

    def __post_init__(self) -> None:
        self.status = Status(None, None, clock=lambda: datetime.now(UTC), monotonic=time.monotonic)
        folder = self.agent.folder
        self.planner = CutPlanner(
            self.agent.meter, self.identity, folder, self.status, poll_seconds=300, monotonic=lambda: self.now
        )

    def run(self) -> None:
        asyncio.run(self._run())

    async def _run(self) -> None:
        async def pause(seconds: float) -> None:
            raise asyncio.CancelledError

        courier = Courier(ServiceConfig(self.url), self.agent.folder, KEY, "test", self.status, pause=pause)
        courier.planner = self.planner
        with contextlib.suppress(asyncio.CancelledError):
            await courier.run(self.agent.spool, TOKEN)
        await courier.close()


@pytest.fixture
def service() -> Iterator[FakeService]:
    with fake_service() as one:
        yield one


def test_an_agent_that_sends_nothing_polls_at_the_start_and_after_a_while(agent: Agent, service: FakeService) -> None:
    service.schedule = (1, schedule(1, begin(20, "s-1")))
    line = Line(agent, service.url)
    line.run()
    assert (agent.meter.plan.number, service.asked) == (1, ["0"])
    line.now = 200
    line.run()
    assert service.asked == ["0"]
    line.now = 301
    line.run()
    assert service.asked == ["0", "1"]
    assert line.status.facts["schedule"].keys() == {"confirmed"}


def test_a_receipt_brings_the_schedule_and_makes_polling_needless(agent: Agent, service: FakeService) -> None:
    service.schedule = (1, schedule(1))
    line = Line(agent, service.url)
    line.run()
    agent.meter.deliver(FIRST)
    service.schedule = (2, schedule(2, begin(20, "s-1"), end(30, "s-1")))
    line.now = 299
    line.run()
    assert agent.meter.plan.number == 2
    line.now = 500
    line.run()
    assert service.asked == ["0"]


def test_a_forged_schedule_is_shown_once_with_what_to_do_and_sending_goes_on(
    agent: Agent, service: FakeService
) -> None:
    agent.meter.deliver(FIRST)
    service.schedule = (5, schedule(5, begin(20, "s-1"), key=new_key()))
    line = Line(agent, service.url)
    line.run()
    agent.run_to(20)
    line.run()
    assert sorted(service.stored) == [1, 2]
    assert agent.meter.plan.number == 0
    facts = line.status.facts["schedule"]
    assert facts["refused"].startswith("bad signature")
    assert facts["refusals"] == 1
    (finding,) = [one for one in examine(line.status.facts, now=at(0)).findings if one.name == "schedule refused"]
    assert "enrol again" in finding.what_to_do
    shown = metrics.text(line.status.facts, clock=lambda: at(0)).decode()
    assert "spindleshare_agent_schedules_refused_total 1.0" in shown


def test_a_service_of_before_schedules_is_no_trouble(agent: Agent, service: FakeService) -> None:
    agent.meter.deliver(FIRST)
    line = Line(agent, service.url)
    line.run()
    assert sorted(service.stored) == [1]
    assert "refused" not in line.status.facts.get("schedule", {})


def test_an_agent_enrolled_before_schedules_pins_the_key_once_and_for_ever(agent: Agent, service: FakeService) -> None:
    old = Enrolment("a", "m", "Mill", TOKEN)
    save_enrolment(agent.folder, old)
    service.schedule, service.schedule_key = (1, schedule(1)), public_to_pem(PLATFORM.public_key())
    Line(agent, service.url, old).run()
    assert agent.meter.plan.number == 1
    pinned = credentials.enrolment(agent.folder)
    assert pinned == Enrolment("a", "m", "Mill", TOKEN, service.schedule_key)
    other = new_key()
    service.schedule, service.schedule_key = (2, schedule(2, key=other)), public_to_pem(other.public_key())
    line = Line(agent, service.url, pinned)
    line.run()
    assert agent.meter.plan.number == 1
    assert line.status.facts["schedule"]["refused"].startswith("bad signature")
    assert credentials.enrolment(agent.folder) == pinned


def test_a_plan_that_cannot_be_written_is_not_followed_until_it_can(agent: Agent) -> None:
    agent.meter.deliver(FIRST)
    text = schedule(1, begin(20, "s-1"))
    agent.spool._db.execute("pragma query_only = on")
    with pytest.raises(Exception, match="spool"):
        agent.follow(text)
    assert agent.meter.plan.number == 0
    agent.spool._db.execute("pragma query_only = off")
    assert isinstance(agent.follow(text), Admitted)


def test_a_plan_that_is_over_is_said(tmp_path: Path) -> None:
    facts = {"schedule": {"number": 3, "valid_until": at(0).isoformat()}}
    assert [one.name for one in examine(facts, now=at(1)).findings if "schedule" in one.name] == ["schedule over"]
    assert [one.name for one in examine(facts, now=at(-1)).findings if "schedule" in one.name] == []
