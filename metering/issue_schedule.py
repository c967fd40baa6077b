"""Issue a meter's cut schedule: when the newest one no longer says what is promised, or is soon over."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeAlias

from metering.machine import Meter
from metering.period import Period
from metering.schedule import MAX_CUTS, CutKind, CutSchedule, ScheduledCut, from_ms, ordered, seal, to_ms
from metering.session import Session
from metering.signing import PrivateKey
from metering.store import MeteringStore
from metering.store_schedules import Head, Standing

AHEAD = timedelta(days=14)
"""How far a schedule looks ahead: an agent that is cut off from the service for so long still cuts every session."""
RENEWED_BEFORE = timedelta(days=7)
BACK = timedelta(days=30)
"""How far a schedule reaches back at most: to where a meter is that has not been able to follow the time."""
_LOST_AT_MOST = 1_000_000
"""By so much an agent may know a higher number: the service was restored from a backup. More is no service's doing."""

TariffChanges: TypeAlias = Callable[[Sequence[Session]], Iterable[datetime]]
"""The moments within sessions at which their tariff changes."""


def issue_schedule(
    meter: Meter, *, known: int, changes: TariffChanges, store: MeteringStore, key: PrivateKey, now: datetime
) -> Standing:
    """The meter's schedule in force, issued anew where it is due; with its text when its number is above `known`.

    A schedule begins at the meter's newest reading, because what comes after that can still be cut there. An agent that
    knows a higher number than is stored gets a yet higher one, or it would believe no schedule of a service that was
    restored from a backup. Needs the worker's role.
    """
    store.lock_schedules(meter.id)
    standing = store.schedule_standing(meter.id, known=known)
    if standing is not None and not is_due(standing, known=known, now=now):
        return standing
    window = _window(store.head(meter.id), now)
    # Counted before the sessions are read: one that comes in between makes the schedule due again, none is missed.
    count = store.session_changes(meter.id, window.start)
    cuts, until = _cuts(store.planned_sessions(meter.id, window), window, changes)
    last = standing.number if standing else 0
    number = (known if _has_lost(last, known) else last) + 1
    sealed = seal(CutSchedule(meter.serial, number, window.start, until, cuts), key)
    store.add_schedule(meter, sealed, changes=count, now=now)
    issued = store.schedule_standing(meter.id, known=known)
    assert issued is not None
    return issued


def is_due(standing: Standing, *, known: int, now: datetime) -> bool:
    """Whether another schedule has to take the place of this one for an agent that knows the number `known`."""
    window = _window(standing.head, now)
    over_soon = standing.valid_until < window.end - AHEAD + RENEWED_BEFORE
    # A meter whose time lies before the schedule's begin: a recording that is played back, or a clock set back.
    is_other = not standing.unchanged or window.start < standing.issued_at
    return is_other or over_soon or _has_lost(standing.number, known)


def _has_lost(last: int, known: int) -> bool:
    return last < known <= last + _LOST_AT_MOST


def _window(head: Head | None, now: datetime) -> Period:
    """From the meter's newest reading, which may lie back, to AHEAD of the time at the machine."""
    clock = head.at if head is not None and head.replayed else now
    start = max(min(head.at, clock), clock - BACK) if head is not None else clock
    return Period(from_ms(to_ms(start)), from_ms(to_ms(clock + AHEAD)))


def _cuts(
    sessions: Sequence[Session], window: Period, changes: TariffChanges
) -> tuple[tuple[ScheduledCut, ...], datetime]:
    """All cuts in the window, and its end: earlier than wanted where there would be too many cuts."""
    standing = [one for one in sessions if one.withdrawn_at is None]
    found = [ScheduledCut(at, CutKind.TARIFF_CHANGE) for at in changes(standing)]
    for one in standing:
        found.append(ScheduledCut(one.period.start, CutKind.BEGIN, one.id))
        found.append(ScheduledCut(one.period.end, CutKind.END, one.id))
    cuts = ordered(cut for cut in found if cut.at in window)
    until = window.end if len(cuts) <= MAX_CUTS else cuts[MAX_CUTS].at
    return tuple(cut for cut in cuts if cut.at < until), until
