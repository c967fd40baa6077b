"""Which meter is on a machine when: a broken box or a new controller brings another meter, with registers of its own.

A meter's registers never go on in another's. What a machine used is the sum of what each of its meters counted while
it was on the machine; an invoice over the change rests on both, each with its own opening and closing reading.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from metering.machine import Meter
from metering.period import QUARTER_HOUR, Period, quarter_start
from metering.usage import Usage

_LEAST = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Replacement:
    """`new` took `old`'s place on the machine at `at`, for this reason."""

    old: Meter
    new: Meter
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class Fitting:
    """A meter on its machine in [since, until); None: from the machine's first day, until now."""

    meter: Meter
    since: datetime | None = None
    until: datetime | None = None
    reason: str = ""

    def during(self, period: Period) -> Period | None:
        """The part of `period` in which the meter is on the machine."""
        start = period.start if self.since is None else max(period.start, self.since)
        end = period.end if self.until is None else min(period.end, self.until)
        return Period(start, end) if start < end else None

    def quarter_hours(self, period: Period) -> Period | None:
        """`during`, widened to the quarter hours whose usage counts; `period` is on quarter hours."""
        inside = self.during(period)
        if inside is None:
            return None
        return Period(quarter_start(inside.start), quarter_start(inside.end - _LEAST) + QUARTER_HOUR)

    def counts(self, usage: Usage) -> bool:
        """Whether the meter was on the machine in the usage's time; see `counts`."""
        return counts(usage, self.since, self.until)


def counts(usage: Usage, since: datetime | None, until: datetime | None) -> bool:
    """Whether usage was measured in a meter's time [since, until) on its machine.

    The quarter hour of a change counts for both meters: neither can have counted what the other did.
    """
    return (since is None or usage.period.end > since) and (until is None or usage.period.start < until)


def fittings(meter: Meter, replacements: Iterable[Replacement]) -> list[Fitting]:
    """The meters of one place, in order of time: `meter`, those before it and those after it."""
    before = {each.new.id: each for each in replacements}
    after = {each.old.id: each for each in before.values()}
    first = meter
    while first.id in before:
        first = before[first.id].old
    chain: list[Replacement] = []
    last = first
    while last.id in after:
        chain.append(after[last.id])
        last = chain[-1].new
    return _in_turn(first, chain)


def _in_turn(first: Meter, chain: Sequence[Replacement]) -> list[Fitting]:
    meters = [first, *(each.new for each in chain)]
    since = [None, *(each.at for each in chain)]
    until = [*(each.at for each in chain), None]
    reasons = ["", *(each.reason for each in chain)]
    return [Fitting(*each) for each in zip(meters, since, until, reasons, strict=True)]
