"""USAGE.json: a measure as a file, for pricing without a database."""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from billing.pricing.digits import plain
from billing.pricing.entries import decimal_entry, text_entry, whole_entry
from billing.pricing.fees import EventKind
from billing.pricing.fields import Fields, InvalidInput, Problem
from billing.pricing.measured import Event, EvidenceRange, Measured, Slice
from metering.period import Period, PeriodError
from metering.spectrum import LOAD_STEP_PERCENT, MAX_SPEED_CLASS, SPEED_STEP_PER_MIN, Cell

FORMAT = "spindleshare-usage/1"
_MS_PER_HOUR = 3_600_000


def measured_from_json(value: object) -> Measured:
    """The measure in `value` (parsed JSON); `InvalidInput` names every wrong field."""
    fields = Fields(value, "a usage file")
    fields.text("format", choices=(FORMAT,))
    period, covered = fields.one("period", period_from_json), fields.maybe("covered", period_from_json)
    zone, slices = fields.text("zone"), fields.many("slices", slice_from_json)
    availability, events = fields.maybe_decimal("availability_percent"), fields.many("events", event_from_json)
    fields.done()
    return Measured(
        period, None if fields.is_null("covered") else covered or period, zone, slices, availability, events
    )


def measured_to_json(measured: Measured) -> dict[str, Any]:
    """The value as JSON data; `measured_from_json` gives the same value back."""
    found: dict[str, Any] = {
        "format": FORMAT,
        "period": period_to_json(measured.period),
        "covered": period_to_json(measured.covered) if measured.covered else None,
        "zone": measured.zone,
        "slices": [_slice_to_json(part) for part in measured.slices],
        "events": [event_to_json(event) for event in measured.events],
    }
    if measured.availability_percent is not None:
        found["availability_percent"] = plain(measured.availability_percent)
    return found


def period_from_json(value: object) -> Period:
    """A half-open period {"from", "to"} with offsets."""
    fields = Fields(value, 'a period {"from": ..., "to": ...}')
    start, end = fields.moment("from"), fields.moment("to")
    fields.done()
    try:
        return Period(start, end)
    except PeriodError:
        raise InvalidInput([Problem(".to", "must lie after `from`")]) from None


def period_to_json(period: Period) -> dict[str, str]:
    return {"from": period.start.isoformat(), "to": period.end.isoformat()}


def slice_from_json(value: object) -> Slice:
    """One stretch of use."""
    fields = Fields(value, "a slice with from, to and what was used")
    start, end = fields.moment("from"), fields.moment("to")
    registers = fields.pairs("registers", whole_entry)
    quantities = fields.pairs("quantities", decimal_entry)
    cells = fields.many("spectrum", _cell)
    band = fields.maybe("band", text_entry)
    substitute, unsynchronised = fields.flag("substitute"), fields.flag("unsynchronised")
    evidence = fields.many("evidence", _range)
    if start >= end:
        fields.wrong("to", "must lie after `from`")
    fields.done()
    spectrum: dict[tuple[str, int], int] = {}
    for cell, ms in cells:
        spectrum[cell] = spectrum.get(cell, 0) + ms
    return Slice(Period(start, end), registers, quantities, spectrum, band, substitute, evidence, unsynchronised)


def event_from_json(value: object) -> Event:
    """One event that may have a price."""
    fields = Fields(value, "an event with kind, id, at and its evidence")
    kind = EventKind(fields.text("kind", choices=list(EventKind)) or EventKind.SERVICE)
    name, at = fields.text("id"), fields.moment("at")
    used, price = fields.decimal("quantity", "1"), fields.maybe_decimal("price")
    description, evidence = fields.text("description", ""), fields.many("evidence", text_entry)
    fields.done()
    return Event(kind, name, at, used, price, description, evidence)


def event_to_json(event: Event) -> dict[str, Any]:
    found: dict[str, Any] = {
        "kind": event.kind.value,
        "id": event.id,
        "at": event.at.isoformat(),
        "quantity": plain(event.quantity),
        "description": event.description,
        "evidence": list(event.evidence),
    }
    return found if event.price is None else {**found, "price": plain(event.price)}


def _slice_to_json(part: Slice) -> dict[str, Any]:
    found: dict[str, Any] = period_to_json(part.period)
    if part.registers:
        found["registers"] = dict(part.registers)
    if part.quantities:
        found["quantities"] = {name: plain(used) for name, used in part.quantities.items()}
    if part.spectrum:
        found["spectrum"] = [_cell_to_json(spindle, key, ms) for (spindle, key), ms in part.spectrum.items()]
    if part.band is not None:
        found["band"] = part.band
    if part.substitute:
        found["substitute"] = True
    if part.unsynchronised:
        found["unsynchronised"] = True
    if part.evidence:
        found["evidence"] = [{"meter": e.meter, "first": e.first, "last": e.last} for e in part.evidence]
    return found


def _cell(value: object) -> tuple[tuple[str, int], int]:
    fields = Fields(value, "a load spectrum's cell with spindle, speed_per_min, load_percent and hours (or ms)")
    spindle = fields.text("spindle")
    speed, load = fields.integer("speed_per_min"), fields.integer("load_percent")
    ms = fields.integer("ms") if fields.has("ms") else _whole_ms(fields, fields.decimal("hours", least="0"))
    if speed % SPEED_STEP_PER_MIN or speed > SPEED_STEP_PER_MIN * MAX_SPEED_CLASS:
        fields.wrong("speed_per_min", f"write the cell's own speed, a multiple of {SPEED_STEP_PER_MIN} such as 6000")
    if load % LOAD_STEP_PERCENT or load > LOAD_STEP_PERCENT * 255:
        fields.wrong("load_percent", f"write the cell's own load, a multiple of {LOAD_STEP_PERCENT} such as 50")
    fields.maybe_decimal("hours")
    fields.maybe("ms", whole_entry)
    fields.done()
    return (spindle, Cell(speed, load).key), ms


def _whole_ms(fields: Fields, hours: Decimal) -> int:
    exact = Fraction(hours) * _MS_PER_HOUR
    if exact.denominator != 1:
        fields.wrong("hours", "is finer than a millisecond; write `ms` as a whole number instead")
    return int(exact)


def _cell_to_json(spindle: str, key: int, ms: int) -> dict[str, Any]:
    cell = Cell.from_key(key)
    return {"spindle": spindle, "speed_per_min": cell.speed, "load_percent": cell.load, "ms": ms}


def _range(value: object) -> EvidenceRange:
    fields = Fields(value, 'readings such as {"meter": "M-1", "first": 17, "last": 42}')
    found = EvidenceRange(fields.text("meter"), fields.integer("first"), fields.integer("last"))
    if found.last < found.first:
        fields.wrong("last", "must not lie before `first`")
    fields.done()
    return found
