"""Billing periods as people write them: a month, or two days, by the clock of a zone."""

import re
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from metering.period import Period

_MONTH = re.compile(r"(\d{4})-(\d{2})\Z")


class UnreadablePeriod(ValueError):
    """A period is a month such as 2026-05, or two days such as 2026-05-01/2026-05-16 (the second not included)."""


def billing_period(text: str, zone: str) -> Period:
    """The period that `text` says, from midnight to midnight in `zone` (IANA); moments with an offset keep it."""
    try:
        if found := _MONTH.match(text):
            return month(int(found[1]), int(found[2]), zone)
        start, slash, end = text.partition("/")
        if slash:
            return Period(_moment(start, zone), _moment(end, zone))
    except ValueError as error:
        raise UnreadablePeriod(f"{text!r}: {error}") from error
    raise UnreadablePeriod(f"{text!r}: write a month such as 2026-05, or 2026-05-01/2026-05-16")


def month(year: int, number: int, zone: str) -> Period:
    """The calendar month of `zone`, as long as its clock changes make it."""
    following = date(year + number // 12, number % 12 + 1, 1)
    return Period(_midnight(date(year, number, 1), zone), _midnight(following, zone))


def month_before(moment: datetime, zone: str) -> Period:
    """The last calendar month of `zone` that is over at `moment`."""
    local = moment.astimezone(ZoneInfo(zone))
    return month(local.year - (local.month == 1), (local.month - 2) % 12 + 1, zone)


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone))


def _moment(text: str, zone: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(zone))
