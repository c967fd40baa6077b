"""What the page of a meter's agent shows: how it stands, what was refused of it, and what became of that."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.pages.format import State, finely, moment
from app.pages.forms import Confirming, Grown, reason
from app.pages.maker_view import live_state
from app.security import Link
from metering.chain import Passed
from metering.machine import Agent, Machine, Meter
from metering.reading import Reading
from metering.refusals.foresee import Foreseen
from metering.refusals.refusal import KeptAside, Settled
from metering.refusals.settle import is_noted
from metering.register import billed_unit

ROWS_SHOWN = 100


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A record that was refused and that nobody has settled. `verb` is what its owner may do now, or ""."""

    id: UUID
    name: str
    digest: str
    reason: str
    at: str
    state: State
    verb: str


@dataclass(frozen=True, slots=True)
class SettledRow:
    """What became of a refused record, who decided so, when and why."""

    name: str
    digest: str
    what: str
    by: str
    at: str
    why: str


@dataclass(frozen=True, slots=True)
class AgentPage:
    meter_id: UUID
    serial: str
    machine: str
    zone: str
    state: State
    facts: tuple[tuple[str, str], ...]
    is_enrolled: bool
    is_revoked: bool
    revoked: str
    refused: tuple[RefusedRow, ...]
    count: int
    noted: int
    settled: tuple[SettledRow, ...]


@dataclass(frozen=True, slots=True)
class Refusals:
    """What is kept aside of an agent and how many in all, where its chain ends, which gaps begin there, what was
    settled before."""

    kept: Sequence[KeptAside]
    count: int
    end: int
    passed: Sequence[Passed]
    settled: Sequence[Settled]

    @property
    def wanted(self) -> int:
        """The number of the record that the chain waits for."""
        return max([self.end, *(gap.last for gap in self.passed)]) + 1


def agent_page(
    machine: Machine, meter: Meter, agent: Agent | None, found: Refusals, *, heard_at: datetime | None, now: datetime
) -> AgentPage:
    """The page; without an agent it says that one has to be enrolled."""
    zone = machine.zone
    revoked = agent is not None and agent.revoked_at is not None
    return AgentPage(
        meter_id=meter.id,
        serial=meter.serial,
        machine=machine.name,
        zone=zone,
        state=State("revoked", "bad") if revoked else live_state(heard_at, now=now),
        facts=_facts(agent, found, heard_at, zone) if agent else (),
        is_enrolled=agent is not None,
        is_revoked=revoked,
        revoked=f"{moment(agent.revoked_at, zone)}: {agent.revoked_why}" if agent and revoked else "",
        refused=tuple(_row(one, found, zone, revoked=revoked) for one in found.kept[:ROWS_SHOWN]),
        count=found.count,
        noted=sum(revoked or is_noted(one, found.end) for one in found.kept),
        settled=tuple(_settled(one, zone) for one in reversed(found.settled[-ROWS_SHOWN:])),
    )


def accept_page(meter: Meter, told: Foreseen, zone: str) -> Confirming:
    """The page on which the owner accepts the gap that a refused record leaves, or notes one that leaves none."""
    place = f"/meters/{meter.id}/agent"
    name = _name(told.record.pagination)
    is_gap = told.gap is not None
    return Confirming(
        title=f"Accept the gap of {name}" if is_gap else f"Note {name}",
        back=Link(place, f"The agent of meter {meter.serial}"),
        points=tuple(_gap_points(told, zone) if is_gap else _note_points(told)),
        action=f"{place}/refusals/{told.record.id}/accept",
        button="Accept the gap" if is_gap else "Note it",
        fields=(reason("what happened; it is kept with your name, and shown to who checks a bill"),),
        agree="I have looked into why it was refused, and agree to what it means for the bill.",
        grown_label="What the registers grew by over the gap",
        grown=_grown(told),
    )


def note_page(meter: Meter, count: int) -> Confirming:
    """The page on which the owner settles at once all that nothing waits for."""
    place = f"/meters/{meter.id}/agent"
    return Confirming(
        title=f"Note {count} refused records",
        back=Link(place, f"The agent of meter {meter.serial}"),
        points=(
            "No record waits for them: either the meter's chain has passed their numbers, or their agent was revoked.",
            "No bill changes. They stay kept aside as they were sent, with your name and reason.",
        ),
        action=f"{place}/note/confirm",
        button="Note them all",
        fields=(reason("what happened; it is kept with your name"),),
        agree="I have looked into why they were refused.",
    )


def revoke_page(meter: Meter) -> Confirming:
    """The page on which the owner revokes the agent's key."""
    place = f"/meters/{meter.id}/agent"
    return Confirming(
        title=f"Revoke the key of meter {meter.serial}'s agent",
        back=Link(place, f"The agent of meter {meter.serial}"),
        points=(
            "From now on nothing that it sends is taken, also what it says it sealed before: whoever has the key could "
            "have sealed that today. It is kept aside with your reason.",
            "What is stored stays, and is billed. Nothing more is metered or billed until the agent is enrolled anew, "
            "with a code that replaces its key (spindleshare enrol … --replace).",
            "It cannot be undone.",
        ),
        action=f"{place}/revoke/confirm",
        button="Revoke the key",
        fields=(reason("such as: box stolen; it is kept and told with every record that is refused from then on"),),
        agree="I know that the machine is not metered until its agent is enrolled anew.",
    )


def _facts(agent: Agent, found: Refusals, heard_at: datetime | None, zone: str) -> tuple[tuple[str, str], ...]:
    return (
        ("Name, version", f"{agent.name}, {agent.version}"),
        ("Enrolled", moment(agent.enrolled_at, zone)),
        ("Last heard", moment(heard_at, zone)),
        ("Records stored", f"up to {found.end}" if found.end else "none"),
        ("Key", f"{agent.fingerprint} since record {agent.key_first}"),
    )


def _row(one: KeptAside, found: Refusals, zone: str, *, revoked: bool) -> RefusedRow:
    if revoked or is_noted(one, found.end):
        state, verb = State("nothing waits for it"), "Note"
    elif one.pagination is not None and one.pagination <= found.wanted:
        state, verb = State("the chain waits for it", "bad"), "Accept the gap"
    else:
        state, verb = State(f"waits behind record {found.wanted}", "warn"), ""
    return RefusedRow(
        one.id, _name(one.pagination), one.digest[:12], one.reason, moment(one.recorded_at, zone), state, verb
    )


def _settled(one: Settled, zone: str) -> SettledRow:
    what = "noted, no gap" if one.last is None else f"gap accepted after record {one.after}"
    return SettledRow(_name(one.pagination), one.digest[:12], what, one.by, moment(one.recorded_at, zone), one.why)


def _name(number: int | None) -> str:
    return "a text without a number" if number is None else f"record {number}"


def _gap_points(told: Foreseen, zone: str) -> list[str]:
    waiting = f"{told.waiting} records wait" if told.waiting != 1 else "1 record waits"
    before = "no reading" if told.before is None else _reading(told.before, zone)
    if told.behind is None:
        across = (
            f"Before the gap is {before}. No record that follows on it has come yet: what the registers will have "
            "grown by until the first reading behind it is billed as one difference."
        )
    elif told.before is None:
        across = f"The meter then begins with {_reading(told.behind, zone)}: what it counted before is on no bill."
    else:
        across = (
            f"The chain goes on from {before} to {_reading(told.behind, zone)}. What the registers grew by in between "
            "is billed as their difference, spread over that time and marked as a substitute where it is not known "
            "when it grew."
        )
    return [
        f"It was refused because {told.record.reason}. Nothing that it says is billed, now or later.",
        across,
        f"{waiting} behind it; those that follow are stored at once. Should the lacking record still come, there is no "
        "gap.",
        "The gap, your name and your reason are a part of the evidence of every bill over this time, and cannot be "
        "taken back.",
    ]


def _note_points(told: Foreseen) -> list[str]:
    return [
        f"It was refused because {told.record.reason}.",
        "Nothing waits for it: it leaves no gap, and no bill changes. It stays kept aside as it was sent.",
    ]


def _reading(reading: Reading, zone: str) -> str:
    return f"reading {reading.sequence} of {moment(reading.device_time, zone)}"


def _grown(told: Foreseen) -> tuple[Grown, ...]:
    shown = {code: value for code, value in told.grown.items() if value and not code.startswith("billable_")}
    return tuple(Grown(code, finely(code, value), billed_unit(code)) for code, value in shown.items())
