"""How a node's value becomes a signal's exact one: one small function per kind of value."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import IntEnum
from fractions import Fraction
from math import isfinite
from typing import Any, TypeAlias

Convert: TypeAlias = Callable[[Any], int | str | bool | None]

KINDS = ("number", "word", "flag", "time", "state", "text")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = datetime(1970, 1, 1, 0, 0, 0, 1000, tzinfo=UTC) - _EPOCH
_LONGEST_TEXT = 100


def converter(kind: str, scale: Fraction, words: Mapping[str, str | bool]) -> Convert:
    """A function from the node's value to the signal's; it gives None for what cannot be one."""
    if kind == "number":
        return _number(scale)
    if kind == "time":
        return _time
    if kind == "text":
        return _text
    if kind == "flag" and not words:
        return lambda value: value if isinstance(value, bool) else None
    return _words(words, None if kind == "flag" or any(isinstance(word, bool) for word in words.values()) else "other")


def key_of(value: Any) -> str | None:
    """A value as `words` name it: number, true or false, localized text's text, node id; None if it is no scalar."""
    if value is None or isinstance(value, list):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, IntEnum):
        return str(int(value))
    # The source's own values are not known here: a node id writes itself, localized and qualified names hold a text.
    if callable(write := getattr(value, "to_string", None)) and not hasattr(value, "Text"):
        return str(write()) if not hasattr(value, "Name") else str(value.Name)
    for attribute in ("Text", "Name"):
        if hasattr(value, attribute):
            text = getattr(value, attribute)
            return None if text is None else str(text)
    return str(value)


def _number(scale: Fraction) -> Convert:
    top, bottom = scale.numerator, scale.denominator

    def convert(value: Any) -> int | None:
        """Exactly `value` x scale, the nearest whole number, halves upward."""
        if type(value) is float:
            if not isfinite(value):
                return None
            part, whole = value.as_integer_ratio()
            return (2 * part * top + whole * bottom) // (2 * whole * bottom)
        if isinstance(value, int) and not isinstance(value, bool):
            return (2 * value * top + bottom) // (2 * bottom)
        return None

    return convert


def _words(words: Mapping[str, str | bool], unknown: str | None) -> Convert:
    def convert(value: Any) -> str | bool | None:
        """The word for the node's value; any other value is `unknown`."""
        key = key_of(value)
        return None if key is None else words.get(key, unknown)

    return convert


def _text(value: Any) -> str | None:
    key = key_of(value)
    return None if key is None else key[:_LONGEST_TEXT]


def _time(value: Any) -> int | None:
    """Milliseconds since 1970 of a UTC date and time, or the same as a number."""
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (moment - _EPOCH) // _MILLISECOND
    return value if isinstance(value, int) and not isinstance(value, bool) else None
