"""What is shown of sessions, built from values: begin and end, the readings that tell them, and what grew between."""

from dataclasses import dataclass
from uuid import UUID

from app.pages.completeness_rows import MonthChoice
from app.pages.format import NOTHING, State, billed, finely, minute, sum_of
from metering.session import Cutting, Edge, MeasuredSession
from metering.store_schedules import Standing

_STATES = {
    Cutting.AHEAD: State("not begun"),
    Cutting.RUNNING: State("running"),
    Cutting.SIGNED: State("signed begin and end", "good"),
    Cutting.BY_SERVICE: State("cut at quarter hours", "warn"),
    Cutting.WITHDRAWN: State("withdrawn"),
}
FIGURES = (("power_on", "Power on h"), ("program_run", "Program h"), ("spindle_on", "Spindle h"))
SPINDLE = 2
"""The place of the spindle's hours among a session's figures."""


@dataclass(frozen=True, slots=True)
class EdgeView:
    """The readings that a session's begin or end rests on: the same twice where one was taken at that moment."""

    first: int
    last: int
    signed: bool


@dataclass(frozen=True, slots=True)
class SessionRow:
    start: str
    end: str
    party: str
    state: State
    marks: tuple[State, ...]
    opening: EdgeView | None
    closing: EdgeView | None
    figures: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SessionsPage:
    """`schedule` is for the owner: what the agent is told of sessions to come."""

    meter_id: UUID
    machine: str
    serial: str
    zone: str
    month: MonthChoice
    schedule: str
    rows: tuple[SessionRow, ...]
    columns: tuple[str, ...] = (*(label for _, label in FIGURES), "Axis km")


def session_row(found: MeasuredSession, party: str, zone: str) -> SessionRow:
    """One session; figures only where it is closed and stands."""
    period, deltas = found.session.period, found.deltas
    told = deltas and found.cutting is not Cutting.WITHDRAWN
    hours = tuple(finely(code, deltas.get(code, 0)) for code, _ in FIGURES)
    figures = (*hours, billed("travel.X", sum_of(deltas, "travel"), 3))
    return SessionRow(
        start=minute(period.start, zone),
        end=minute(period.end, zone),
        party=party,
        state=cutting_state(found),
        marks=tuple(_marks(found)),
        opening=_edge(found.opening),
        closing=_edge(found.closing),
        figures=figures if told else (NOTHING,) * len(figures),
    )


def cutting_state(found: MeasuredSession) -> State:
    """How the session's registers were come by."""
    if found.cutting is Cutting.RUNNING and found.opening and found.opening.signed:
        return State("begin signed", "good")
    return _STATES[found.cutting]


def schedule_line(standing: Standing | None, zone: str) -> str:
    """Which schedule the meter's agent is given."""
    if standing is None:
        return "No cut schedule yet: the agent is given the first when it sends or asks next."
    known = f"Cut schedule {standing.number} says every session until {minute(standing.valid_until, zone)}"
    return f"{known}." if standing.unchanged else f"{known}; sessions changed since, and the agent is given a new one."


def _edge(edge: Edge | None) -> EdgeView | None:
    return EdgeView(*edge.evidence, edge.signed) if edge else None


def _marks(found: MeasuredSession) -> list[State]:
    edges = [edge for edge in (found.opening, found.closing) if edge is not None]
    marks = []
    if any(edge.substitute for edge in edges):
        marks.append(State("with substitutes", "warn"))
    if any(edge.unsynchronised for edge in edges):
        marks.append(State("clock not synchronised", "warn"))
    if found.deltas.get("unknown"):
        marks.append(State(f"{finely('unknown', found.deltas['unknown'])} h not proven alive", "warn"))
    return marks
