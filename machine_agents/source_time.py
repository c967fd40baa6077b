"""Source timestamps as integers: microseconds order observations, milliseconds measure durations."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def to_us(moment: datetime) -> int:
    """Microseconds since 1970 (UTC)."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def to_ms(moment: datetime) -> int:
    """Whole milliseconds since 1970 (UTC); a rest below one is dropped."""
    return to_us(moment) // 1000


def from_ms(moment: int) -> datetime:
    """UTC time of `moment` milliseconds since 1970."""
    return _EPOCH + timedelta(milliseconds=moment)


def from_us(moment: int) -> datetime:
    """UTC time of `moment` microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=moment)
