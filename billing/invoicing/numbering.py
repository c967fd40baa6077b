"""Invoice numbers: gapless per owner, series and year."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

SERIES = "LS"
_DIGITS = 6


def invoice_number(series: str, year: int, count: int) -> str:
    """The number of the `count`-th invoice of a series and year: LS, 2026, 17 -> LS2026000017."""
    return f"{series}{year}{count:0{_DIGITS}d}"


def local_date(moment: datetime, zone: str) -> date:
    """The calendar day of `moment` in the seller's zone: what an invoice issued then is dated, and numbered in."""
    return moment.astimezone(ZoneInfo(zone)).date()
