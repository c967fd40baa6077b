"""What a reading's page shows, built from values: every register with its growth, and the seal."""

from dataclasses import dataclass
from uuid import UUID

from app.pages.format import NOTHING, State, finely, moment
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
_STATUSES = {
    Status.GOOD: "",
    Status.TIMEOUT: "the source did not answer in time",
    Status.MANIPULATED: "the meter reports manipulation",
    Status.SUBSTITUTE: "a substitute value",
}
# The control's own counters, and where they differ from the agent's: for a cross-check, never billed.
_CONTROL = "counter"


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


def reading_page(
    meter: Meter,
    reading: Reading,
    before: Reading | None,
    proof: Proof | None,
    *,
    has_next: bool,
    zone: str,
    shows_text: bool,
) -> ReadingPage:
    """The whole page; `before` and `has_next` tell of the neighbours that the viewer may see."""
    record = proof.sealed.record if proof else None
    rows = [_row(code, reading, before) for code in sorted(reading.registers)]
    return ReadingPage(
        meter_id=meter.id,
        serial=meter.serial,
        sequence=reading.sequence,
        device_time=moment(reading.device_time, zone),
        reason=_REASONS[reading.reason],
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
    )


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
