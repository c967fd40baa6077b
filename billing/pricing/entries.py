"""Entries of lists and free objects in JSON: text, decimals, ratios, whole numbers."""

import re
from decimal import Decimal
from fractions import Fraction

from billing.pricing.fields import TEXT_LIMIT, Fields, InvalidInput, Problem, is_plain

_RATIO = re.compile(r"[1-9][0-9]{0,8}/[1-9][0-9]{0,8}")


def text_entry(value: object) -> str:
    """A list's entry that is text."""
    if not isinstance(value, str) or len(value) > TEXT_LIMIT or not is_plain(value):
        raise InvalidInput([Problem("", "write plain text in quotes")])
    return value


def decimal_entry(value: object) -> Decimal:
    """An object's entry that is a decimal in quotes."""
    fields = Fields({"value": value}, "a decimal")
    number = fields.decimal("value")
    _done_as_entry(fields)
    return number


def ratio_entry(value: object) -> Fraction:
    """A decimal in quotes, or a ratio of two whole numbers such as "1/12"."""
    if isinstance(value, str) and _RATIO.fullmatch(value):
        part, whole = value.split("/")
        return Fraction(int(part), int(whole))
    try:
        return Fraction(decimal_entry(value))
    except InvalidInput:
        raise InvalidInput([Problem("", 'write a decimal such as "0.25", or a ratio such as "1/12"')]) from None


def whole_entry(value: object) -> int:
    """An object's entry that is a whole number."""
    fields = Fields({"value": value}, "a whole number")
    number = fields.integer("value")
    _done_as_entry(fields)
    return number


def _done_as_entry(fields: Fields) -> None:
    try:
        fields.done()
    except InvalidInput as error:
        raise InvalidInput([Problem("", problem.message) for problem in error.problems]) from None
