"""What a reading's page shows, built from values: every register with its growth, and the seal."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from app.pages.format import NOTHING, State, finely, minute, moment
from billing.invoicing.store import Resting
from metering.known import Known, Mark
from metering.machine import Meter
from metering.ocmf import fingerprint, public_from_pem
from metering.proof import Proof
from metering.reading import Reading, Reason, Status
from metering.register import Unit, billed_unit, describe

_REASONS = {
    Reason.BEGIN: "the first reading",
    Reason.DURING: "a reading on the way",
    Reason.EXCEPTION: "the end of a stretch without proof of life",
    Reason.END: "the last reading",
    Reason.TARIFF_CHANGE: "a change of tariff",
    Reason.POWER_FAIL: "a power failure",
}
_OF_SESSION = {Reason.BEGIN: "the begin of a session", Reason.END: "the end of a session"}
_STATUSES = {
    Status.GOOD: "",
    Status.TIMEOUT: "the source did not answer in time",
    Status.MANIPULATED: "the meter reports manipulation",
    Status.SUBSTITUTE: "a substitute value",
}
# The control's own counters, and where they differ from the agent's: for a cross-check, never billed.
_CONTROL = "counter"
_USAGE_SHOWN = 12


@dataclass(frozen=True, slots=True)
class RegisterRow:
    """A register; `growth` is since the reading before, and `grew` whether that is more than nothing."""

    code: str
    definition: str
    value: str
    unit: str
    growth: str
    grew: bool


@dataclass(frozen=True, slots=True)
class UsageLink:
    """A stretch of usage that rests on the reading."""

    label: str
    spindle: str
    start: str
    end: str
    marks: tuple[State, ...]


@dataclass(frozen=True, slots=True)
class LineLink:
    """An invoice's line that rests on the reading."""

    invoice_id: UUID
    number: str
    position: int
    description: str
    amount: str


@dataclass(frozen=True, slots=True)
class ReadingPage:
    """`text` is empty where the record also holds readings that are not the viewer's to see."""

    meter_id: UUID
    serial: str
    sequence: int
    device_time: str
    reason: str
    trouble: str
    replayed: bool
    signature: State
    fault: str
    previous: int | None
    next: int | None
    registers: tuple[RegisterRow, ...]
    counters: tuple[RegisterRow, ...]
    pagination: int | None
    link: str
    fingerprint: str
    text: str
    usage: tuple[UsageLink, ...]
    more_usage: int
    lines: tuple[LineLink, ...]


def reading_page(
    meter: Meter,
    reading: Reading,
    before: Reading | None,
    proof: Proof | None,
    *,
    has_next: bool,
    zone: str,
    shows_text: bool,
    usage: Sequence[Known] = (),
    lines: Sequence[Resting] = (),
) -> ReadingPage:
    """The whole page; `before` and `has_next` tell of the neighbours that the viewer may see.

    `usage` and `lines` are what rests on the reading.
    """
    record = proof.sealed.record if proof else None
    rows = [_row(code, reading, before) for code in sorted(reading.registers)]
    return ReadingPage(
        meter_id=meter.id,
        serial=meter.serial,
        sequence=reading.sequence,
        device_time=moment(reading.device_time, zone),
        reason=_reason(reading, proof),
        trouble=_STATUSES[reading.status],
        replayed=record is not None and record.replayed,
        signature=_signature(proof),
        fault=(proof.fault or "") if proof else "There is no sealed record of this reading.",
        previous=before.sequence if before else None,
        next=reading.sequence + 1 if has_next else None,
        registers=tuple(row for row in rows if not row.code.startswith(_CONTROL)),
        counters=tuple(row for row in rows if row.code.startswith(_CONTROL)),
        pagination=record.pagination if record else None,
        link=record.previous if record else "",
        fingerprint=fingerprint(public_from_pem(proof.agent.public_key_pem)) if proof else "",
        text=proof.sealed.text if proof and shows_text else "",
        usage=tuple(_usage(each, zone) for each in usage[:_USAGE_SHOWN]),
        more_usage=max(len(usage) - _USAGE_SHOWN, 0),
        lines=tuple(_line(each) for each in lines),
    )


def _usage(each: Known, zone: str) -> UsageLink:
    start = each.starts_at.astimezone(ZoneInfo(zone))
    return UsageLink(
        label=minute(each.usage.period.start, zone),
        spindle=finely("spindle_on", each.usage.deltas.get("spindle_on", 0)),
        start=f"{start:%Y-%m-%d}",
        end=f"{start + timedelta(days=1):%Y-%m-%d}",
        marks=tuple(State(mark.value, "warn") for mark in each.marks() if mark is not Mark.REPLAYED),
    )


def _line(each: Resting) -> LineLink:
    return LineLink(each.invoice, each.number or "Draft", each.position, each.description, str(each.amount))


def _reason(reading: Reading, proof: Proof | None) -> str:
    told = proof.sealed.record.readings if proof else ()
    of_session = any(one.session is not None for one in told if one.sequence == reading.sequence)
    return _OF_SESSION.get(reading.reason, "") if of_session else _REASONS[reading.reason]


def _signature(proof: Proof | None) -> State:
    if proof is None:
        return State("not sealed", "bad")
    return State("signature does not hold", "bad") if proof.fault else State("signature holds", "good")


def _row(code: str, reading: Reading, before: Reading | None) -> RegisterRow:
    register = describe(code)
    value = reading.registers[code]
    grown = value - before.registers.get(code, 0) if before else None
    return RegisterRow(
        code=code,
        definition=register.definition,
        value=finely(code, value),
        unit="" if register.unit is Unit.PIECE else billed_unit(code),
        growth=NOTHING if grown is None else finely(code, grown),
        grew=bool(grown),
    )
