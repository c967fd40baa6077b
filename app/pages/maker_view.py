"""What the maker's fleet page shows, built from values."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from app.pages.charts import Day, DayChart, day_chart
from app.pages.format import NOTHING, Figure, State, billed, moment, sum_of
from app.pages.invoice_view import Row
from metering.interval import Step
from metering.machine import Agent, Machine, Meter
from metering.reading import Reading
from metering.telemetry.store import Completeness
from metering.usage import Usage

SILENT_AFTER = timedelta(minutes=30)
DAYS_SHOWN = 35
OUTSIDE_SHOWN = 10


@dataclass(frozen=True, slots=True)
class OutsideRow:
    """A stretch of use that nobody had booked."""

    day: date
    start: str
    end: str
    program: str
    spindle: str
    km: str


@dataclass(frozen=True, slots=True)
class LeaseLink:
    """A lease that runs on the machine, or will: who holds it, and since or from when."""

    id: UUID
    lessee: str
    since: str


@dataclass(frozen=True, slots=True)
class MachineCard:
    name: str
    model: str
    serial: str
    meter_id: UUID
    machine_id: UUID
    state: State
    replayed: bool
    last_reading: str
    sequence: int | None
    figures: tuple[Figure, ...]
    days: DayChart | None
    telemetry: str
    outside: tuple[OutsideRow, ...]
    more_outside: int
    alarm: str = ""
    refused: tuple[tuple[str, int], ...] = ()
    leases: tuple[LeaseLink, ...] = ()
    is_replaced: bool = False
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Banner:
    """Records of a meter's agent were refused, and wait for a decision: how many, why the first of them, and since when
    it is alarmed on."""

    meter_id: UUID
    serial: str
    count: int
    reason: str
    since: str


@dataclass(frozen=True, slots=True)
class MakerPage:
    machines: tuple[MachineCard, ...]
    drafts: tuple[Row, ...]
    banners: tuple[Banner, ...] = ()


def banners(cards: Iterable[MachineCard], raised: Mapping[UUID, datetime]) -> tuple[Banner, ...]:
    """One per meter with refused records; `raised` tells since when there is an alarm, by meter."""
    return tuple(
        Banner(
            card.meter_id,
            card.serial,
            sum(count for _, count in card.refused),
            card.refused[0][0],
            moment(at, card.zone) if at else "",
        )
        for card in cards
        if card.refused
        for at in (raised.get(card.meter_id),)
    )


def machine_card(
    machine: Machine,
    meter: Meter,
    latest: Step | None,
    *,
    usage: Sequence[Usage],
    outside: Sequence[Usage],
    telemetry: Completeness,
    heard_at: datetime | None,
    now: datetime,
    agent: Agent | None = None,
    refused: Sequence[tuple[str, int]] = (),
    leases: tuple[LeaseLink, ...] = (),
    is_replaced: bool = False,
) -> MachineCard:
    """One machine: its live state, registers, and use per local day. `latest` is its newest reading; `refused` says why
    records were not taken, and how many for it."""
    reading = latest.reading if latest else None
    beyond = tuple(_outside_rows(outside, machine.zone))
    return MachineCard(
        name=machine.name,
        model=machine.model,
        serial=meter.serial,
        meter_id=meter.id,
        machine_id=machine.id,
        state=live_state(heard_at, now=now),
        replayed=latest is not None and latest.replayed,
        last_reading=moment(reading.device_time if reading else None, machine.zone),
        sequence=reading.sequence if reading else None,
        figures=register_figures(reading),
        days=_days(usage, outside, machine.zone),
        telemetry=telemetry_line(telemetry, machine.zone),
        outside=beyond[-OUTSIDE_SHOWN:],
        more_outside=max(len(beyond) - OUTSIDE_SHOWN, 0),
        alarm=alarm_of(agent, machine.zone),
        refused=tuple(refused),
        leases=leases,
        is_replaced=is_replaced,
        zone=machine.zone,
    )


def alarm_of(agent: Agent | None, zone: str) -> str:
    """What somebody has to do about an agent that was revoked; empty where it was not."""
    if agent is None or agent.revoked_at is None:
        return ""
    since = moment(agent.revoked_at, zone)
    return f"The agent was revoked at {since}: {agent.revoked_why}. Enrol it anew with a code that replaces it."


def live_state(heard_at: datetime | None, *, now: datetime) -> State:
    """Whether the agent reports."""
    if heard_at is None:
        return State("waits for its agent", "warn")
    if now - heard_at > SILENT_AFTER:
        return State("agent silent", "bad")
    return State("reporting", "good")


def register_figures(latest: Reading | None) -> tuple[Figure, ...]:
    """The registers that people ask for first, at the latest reading."""
    registers = latest.registers if latest else {}
    travel = sum_of(registers, "travel")
    return (
        Figure("Power on", billed("power_on", registers.get("power_on", 0)), "h", "power_on"),
        Figure("Automatic run", billed("auto_run", registers.get("auto_run", 0)), "h", "auto_run"),
        Figure("Cutting", billed("cutting", registers.get("cutting", 0)), "h", "cutting"),
        Figure("Spindle on", billed("spindle_on", registers.get("spindle_on", 0)), "h", "spindle_on"),
        Figure("Axis travel", billed("travel.X", travel, 3), "km", "travel"),
        Figure("Not proven alive", billed("unknown", registers.get("unknown", 0)), "h", "unknown"),
    )


def telemetry_line(known: Completeness, zone: str) -> str:
    """How much of the raw observations is there, in one line; empty where the agent sends none."""
    if not known.newest and not known.refused:
        return ""
    parts = [f"{known.stored} of {known.stored + known.missing} segments, up to {moment(known.until, zone)}"]
    faults = {
        "missing": known.missing,
        "thinned": known.thinned,
        "refused": known.refused,
        "observations not kept by the agent": known.lost_rows,
    }
    return ", ".join([*parts, *(f"{count} {what}" for what, count in faults.items() if count)])


def live_values(latest: Reading | None, zone: str) -> dict[str, str]:
    """The same figures as fields of a live update."""
    values = {figure.field: figure.value for figure in register_figures(latest)}
    values["last_reading"] = moment(latest.device_time if latest else None, zone)
    values["sequence"] = str(latest.sequence) if latest else NOTHING
    return values


def _days(usage: Sequence[Usage], outside: Sequence[Usage], zone: str) -> DayChart | None:
    clock = ZoneInfo(zone)
    spindle: dict[date, int] = {}
    beyond: dict[date, int] = {}
    for rows, sums in ((usage, spindle), (outside, beyond)):
        for row in rows:
            day = row.period.start.astimezone(clock).date()
            sums[day] = sums.get(day, 0) + row.deltas.get("spindle_on", 0)
    if not spindle:
        return None
    last = max(spindle)
    first = max(min(spindle), last - timedelta(days=DAYS_SHOWN - 1))
    every = [first + timedelta(days=count) for count in range((last - first).days + 1)]
    return day_chart([Day(day, spindle.get(day, 0), beyond.get(day, 0)) for day in every])


def _outside_rows(outside: Iterable[Usage], zone: str) -> Iterable[OutsideRow]:
    """Adjoining quarter hours as one row."""
    clock = ZoneInfo(zone)
    stretch: list[Usage] = []
    for row in [*outside, None]:
        if stretch and (row is None or row.period.start != stretch[-1].period.end):
            yield _outside_row(stretch, clock)
            stretch = []
        if row is not None:
            stretch.append(row)


def _outside_row(stretch: list[Usage], clock: ZoneInfo) -> OutsideRow:
    start, end = stretch[0].period.start.astimezone(clock), stretch[-1].period.end.astimezone(clock)
    return OutsideRow(
        day=start.date(),
        start=f"{start:%H:%M}",
        end=f"{end:%H:%M}",
        program=billed("program_run", sum(row.deltas.get("program_run", 0) for row in stretch)),
        spindle=billed("spindle_on", sum(row.deltas.get("spindle_on", 0) for row in stretch)),
        km=billed("travel.X", sum(sum_of(row.deltas, "travel") for row in stretch), 3),
    )
