"""Days and moments by the clock on a zone's walls, through every jump that the clock makes."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)


def instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first moment (UTC) at which the clock of `zone` shows `wall` (naive), or has just jumped over it.

    An hour that the clock shows twice counts from its first pass; a time that it leaves out is the moment of the jump.
    So later walls never give earlier moments, and two days with one midnight (a date left out) give the same moment.
    """
    found = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _wall(found, zone) == wall.replace(fold=0):
        return found
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC).replace(microsecond=0)
    return _jump(before, found, wall, zone)


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The moment (UTC) at which `day` begins in `zone`; some zones have begun a day at half past twelve, or at one."""
    return instant(datetime.combine(day, time()), zone)


def moment_in(text: str, zone: ZoneInfo) -> datetime:
    """The moment (UTC) that `text` says: a day is its midnight in `zone`, a time without an offset its wall clock's.

    Raises ValueError where it is no ISO 8601 day or time.
    """
    found = datetime.fromisoformat(text)
    return found.astimezone(UTC) if found.tzinfo else instant(found, zone)


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """The day that has begun last: the clock's own, also while a clock set back past midnight shows the day before."""
    local = moment.astimezone(zone)
    day = local.date()
    return day + _DAY if local.fold and midnight(day + _DAY, zone) <= moment else day


def days_touched(start: datetime, end: datetime, zone: ZoneInfo) -> int:
    """How many days of `zone` the stretch [start, end) touches; a date that the zone has left out is none."""
    last = end - timedelta(microseconds=1)
    dates = (day_of(last, zone) - day_of(start, zone)).days + 1
    return dates - _dates_left_out(start, last, zone)


def _dates_left_out(start: datetime, last: datetime, zone: ZoneInfo) -> int:
    """Crossing the date line moves the clock by about a day; no other change comes near half of one."""
    before, after = (moment.astimezone(zone).utcoffset() or timedelta() for moment in (start, last))
    return (after - before + _DAY / 2) // _DAY


def _jump(early: datetime, late: datetime, wall: datetime, zone: ZoneInfo) -> datetime:
    """The first whole second after `early` at which the clock shows `wall` or more; at `late` it does."""
    while late - early > _SECOND:
        middle = early + (late - early) // _SECOND // 2 * _SECOND
        early, late = (middle, late) if _wall(middle, zone) < wall else (early, middle)
    return late


def _wall(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)
