"""What a lease has cost since it was last billed: the same rating as the invoice will use, up to the latest reading."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

from billing.capacity.lease import Lease
from billing.capacity.lease_use import machine_uses
from billing.capacity.measure import measure
from billing.capacity.store import LeasingStore
from billing.invoicing.billing_period import month
from billing.invoicing.store import InvoiceStore
from billing.pricing.rated import RatedBill
from billing.pricing.rating import rate
from billing.pricing.store import TariffStore
from metering.period import Period
from metering.store import MeteringStore


def cost_to_date(
    lease: Lease,
    *,
    until: datetime,
    invoicing: InvoiceStore,
    leasing: LeasingStore,
    metering: MeteringStore,
    tariffs: TariffStore,
) -> RatedBill | None:
    """The cost of the running billing period up to `until` (the meter's clock); None before it has begun.

    Needs the worker's role, since other parties' bookings bound this one's: check first that the user may see `lease`.
    """
    period = running_period(lease, until, invoicing)
    if not max(lease.starts, period.start) < until:
        return None
    so_far = replace(lease, ends=min(until, lease.ends or until))
    if so_far.covered(period) is None:
        return None
    measured = measure(
        so_far,
        period,
        uses=machine_uses(lease, period, leasing=leasing, metering=metering),
        facts=leasing.facts_of(lease.id, period),
    )
    return rate(tariffs.version(lease.tariff_version_id), measured)


def running_period(lease: Lease, until: datetime, invoicing: InvoiceStore) -> Period:
    """The period that is billed next: after the last one billed and as long, else the calendar month of `until`."""
    billed = invoicing.last_period(lease.id)
    if billed is None:
        local = until.astimezone(ZoneInfo(lease.zone))
        return month(local.year, local.month, lease.zone)
    clock = ZoneInfo(lease.zone)
    first, following = billed.start.astimezone(clock), billed.end.astimezone(clock)
    if billed == month(first.year, first.month, lease.zone):
        return month(following.year, following.month, lease.zone)
    return Period(billed.end, billed.end + billed.length)
