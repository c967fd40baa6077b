"""A lease's billing periods: what each one covers, which part of the whole it is, and when it is billed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from billing.invoicing.cycle import Cycle
from billing.pricing.proration import Proration, Share, share
from metering.period import Period

MOST_PERIODS = 20_000


class TooManyPeriods(ValueError):
    """More billing periods than anybody reads: ask for a shorter stretch, or for longer periods."""


class Billed(StrEnum):
    """When a period is billed: as it begins, or when it is over."""

    IN_ADVANCE = "in_advance"
    IN_ARREARS = "in_arrears"


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingPlan:
    """By what a lease is cut into billing periods, and the stretch that they are asked for.

    `starts` and `ends` are the lease's; `ends` is None while it is open-ended.
    """

    cycle: Cycle
    proration: Proration
    billed: Billed
    asked: Period
    starts: datetime
    ends: datetime | None


@dataclass(frozen=True, slots=True)
class BillingPeriod:
    """One period of a lease.

    `number` counts from the lease's first. `whole` is what the cycle makes it; `service` what the lease runs of it;
    `share` the part of a fixed amount that is owed for that. `billed_at` is the begin or end of `service`.
    """

    number: int
    whole: Period
    service: Period
    share: Share
    billed_at: datetime


def billing_periods(plan: BillingPlan) -> list[BillingPeriod]:
    """The lease's periods that `plan.asked` touches, in order; their `service` parts follow without hole or overlap.

    Raises TooManyPeriods beyond 20 000.
    """
    asked = _within(plan, plan.asked)
    if asked is None:
        return []
    cycle = plan.cycle
    if cycle.number_at(asked.end) - cycle.number_at(asked.start) > MOST_PERIODS:
        raise TooManyPeriods(f"more than {MOST_PERIODS} billing periods: ask for a shorter stretch, or longer periods")
    before = cycle.number_at(plan.starts) - 1
    return [_billing_period(plan, number - before, whole) for number, whole in cycle.periods(asked)]


def _billing_period(plan: BillingPlan, number: int, whole: Period) -> BillingPeriod:
    service = _within(plan, whole)
    assert service  # the stretch that was cut lies in the lease
    cycle = plan.cycle
    part = share(plan.proration, whole, service, cycle.zone, fixed_days=cycle.fixed_days)
    billed_at = service.start if plan.billed is Billed.IN_ADVANCE else service.end
    return BillingPeriod(number, whole, service, part, billed_at)


def _within(plan: BillingPlan, period: Period) -> Period | None:
    start = max(period.start, plan.starts)
    end = period.end if plan.ends is None else min(period.end, plan.ends)
    return Period(start, end) if start < end else None
