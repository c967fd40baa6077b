"""From metering's usage rows to a measure: the billing side of the path, without a database."""

from collections.abc import Iterable
from decimal import Decimal

from billing.pricing.measured import Event, EvidenceRange, Measured, Slice
from metering.period import Period
from metering.usage import Usage


def measured_from_usage(
    usage: Iterable[Usage],
    *,
    period: Period,
    covered: Period | None,
    zone: str,
    availability_percent: Decimal | None = None,
    events: Iterable[Event] = (),
) -> Measured:
    """What a lease used in `period`; rows outside it belong to another period and are left out.

    `covered` is the part of the period in which the lease ran (None: it did not), `zone` the machine's IANA zone.
    """
    slices = tuple(_slice(row) for row in usage if period.covers(row.period))
    facts = tuple(event for event in events if event.at in period)
    return Measured(period, covered, zone, slices, availability_percent, facts)


def _slice(row: Usage) -> Slice:
    return Slice(
        period=row.period,
        registers=row.deltas,
        spectrum=row.spectrum,
        substitute=row.substitute,
        evidence=(EvidenceRange(row.meter, *row.evidence),),
        unsynchronised=row.unsynchronised,
    )
