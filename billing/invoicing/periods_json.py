"""PERIODS.json: what billing periods are asked for, and the answer; for people and scripts without a database."""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from billing.invoicing.billing_periods import Billed, BillingPeriod, BillingPlan
from billing.invoicing.cycle import LARGEST_COUNT, Cycle, NoCalendar, Unit
from billing.money import round_half_up
from billing.pricing.fields import Fields
from billing.pricing.local_clock import day_of, moment_in
from billing.pricing.measured import is_zone
from billing.pricing.proration import Proration
from metering.period import Period

FORMAT = "spindleshare-periods/1"
CALENDAR, ANNIVERSARY = "calendar", "anniversary"
PART_PLACES = 9
_FIRST_YEAR, _END_YEAR = 1970, 2200
_PLACEHOLDER = Period(datetime(2000, 1, 1, tzinfo=UTC), datetime(2001, 1, 1, tzinfo=UTC))
_A_MOMENT = 'write a day such as "2026-01-31" (its midnight in the zone), or a time such as "2026-01-31T15:00:00"'


def plan_from_json(value: object) -> BillingPlan:
    """The plan that PERIODS.json says. Raises InvalidInput naming every wrong field."""
    fields = Fields(value, "the billing periods asked for")
    fields.text("format", choices=(FORMAT,))
    zone = _zone(fields)
    asked = _asked(fields, zone)
    starts, ends = fields.maybe("lease", lambda lease: _lease(lease, asked.start, zone)) or (asked.start, asked.end)
    plan = BillingPlan(
        cycle=_cycle(fields, starts, zone),
        proration=Proration(_choice(fields, "proration", Proration, Proration.BY_DAY)),
        billed=Billed(_choice(fields, "billed", Billed, Billed.IN_ARREARS)),
        asked=asked,
        starts=starts,
        ends=ends,
    )
    fields.done()
    return plan


def to_json(plan: BillingPlan, periods: list[BillingPeriod]) -> dict[str, Any]:
    """The answer: every period in UTC and by the zone's clock, its part exactly and to nine places, half up."""
    cycle = plan.cycle
    return {
        "format": "spindleshare-billing-periods/1",
        "unit": cycle.unit.value,
        "count": cycle.count,
        "anchor": cycle.anchor.isoformat(),
        "zone": cycle.zone.key,
        "proration": plan.proration.value,
        "billed": plan.billed.value,
        "from": _utc(plan.asked.start),
        "to": _utc(plan.asked.end),
        "lease": {"from": _utc(plan.starts), "to": _utc(plan.ends) if plan.ends else None},
        "periods": [_period(each, cycle.zone) for each in periods],
    }


def _period(each: BillingPeriod, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "number": each.number,
        "from": _utc(each.service.start),
        "to": _utc(each.service.end),
        "from_local": each.service.start.astimezone(zone).isoformat(),
        "to_local": each.service.end.astimezone(zone).isoformat(),
        "seconds": each.service.length // timedelta(seconds=1),
        "whole": {"from": _utc(each.whole.start), "to": _utc(each.whole.end)},
        "is_whole": each.service == each.whole,
        "part": str(each.share.part),
        "part_decimal": f"{round_half_up(each.share.part, PART_PLACES):f}",
        "working": each.share.working,
        "billed_at": _utc(each.billed_at),
        "billed_on": day_of(each.billed_at, zone).isoformat(),
    }


def _zone(fields: Fields) -> ZoneInfo:
    name = fields.text("zone", "UTC")
    if is_zone(name):
        return ZoneInfo(name)
    fields.wrong("zone", "write an IANA zone such as Europe/Berlin")
    return ZoneInfo("UTC")


def _asked(fields: Fields, zone: ZoneInfo) -> Period:
    start, end = _moment(fields, "from", zone), _moment(fields, "to", zone)
    if start and end and end <= start:
        fields.wrong("to", "must lie after from")
    return Period(start, end) if start and end and start < end else _PLACEHOLDER


def _lease(value: object, starts: datetime, zone: ZoneInfo) -> tuple[datetime, datetime | None]:
    fields = Fields(value, "when the lease runs")
    starts = (_moment(fields, "from", zone) or starts) if fields.has("from") else starts
    ends = _moment(fields, "to", zone) if fields.has("to") else None
    if ends and ends <= starts:
        fields.wrong("to", "must lie after the lease's start; leave it out while the lease is open-ended")
    fields.done()
    return starts, ends


def _cycle(fields: Fields, starts: datetime, zone: ZoneInfo) -> Cycle:
    unit = Unit(_choice(fields, "unit", Unit, Unit.MONTH))
    count = fields.integer("count", 1, least=1)
    if count > LARGEST_COUNT:
        fields.wrong("count", f"write a whole number from 1 to {LARGEST_COUNT}")
        count = 1
    anchor = fields.text("anchor", CALENDAR)
    if anchor != CALENDAR:
        told = (None if anchor == ANNIVERSARY else _moment(fields, "anchor", zone)) or starts
        return Cycle(unit, count, told.astimezone(zone).replace(tzinfo=None, fold=0), zone)
    try:
        return Cycle.calendar(unit, count, zone)
    except NoCalendar as error:
        fields.wrong("anchor", f"{error}, or write {ANNIVERSARY}")
        return Cycle.calendar(Unit.DAY, 1, zone)


def _choice(fields: Fields, name: str, choices: type[StrEnum], default: StrEnum) -> str:
    return fields.text(name, default.value, choices=[choice.value for choice in choices]) or default.value


def _moment(fields: Fields, name: str, zone: ZoneInfo) -> datetime | None:
    text = fields.text(name)
    try:
        found = moment_in(text, zone)
        if _FIRST_YEAR <= found.year < _END_YEAR:
            return found
    except (ValueError, OverflowError):
        pass
    if text:
        fields.wrong(name, _A_MOMENT)
    return None


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
