"""Numbers and times out of sealed texts, many at once: strictly as JSON and OCMF spell them, or not at all."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from metering.batch.block import Integers
from metering.ocmf_fields import MAX_VALUE

_POWERS_OF_TEN = 10 ** np.arange(1, 19, dtype=np.int64)
_STAMP = b"0000-00-00T00:00:00,000+0000 "
_TIME = 23
_DIGIT, _NINE = ord("0"), 9
_FIXED = [place for place, letter in enumerate(_STAMP) if letter != _DIGIT or place > _TIME]
_DIGITS = [place for place in range(_TIME) if place not in _FIXED]


class Unusual(ValueError):
    """Not as our agents spell it. That is no fault: the reference reader decides."""


def matrix(rows: bytes, height: int, width: int) -> Integers:
    """The values of `[1,2],[3,4],...` by row. Unusual unless it is just that, of this size, with values below 2**63."""
    skeleton = _skeleton(height, width)
    if rows.translate(None, b"0123456789") != skeleton:
        raise Unusual("not a matrix of this size")
    try:
        values: Integers = np.fromstring(rows.translate(None, b"[]").decode("ascii"), dtype=np.int64, sep=",")
    except ValueError as error:
        raise Unusual(str(error)) from None
    # Beyond 63 bits it saturates; and a number with a zero before it has more digits than its value needs.
    if values.size != height * width or not values.size or values.max() >= MAX_VALUE:
        raise Unusual("not a number everywhere, or one that is too large")
    digits = values.size + int(np.searchsorted(_POWERS_OF_TEN, values, side="right").sum())
    if digits != len(rows) - len(skeleton):
        raise Unusual("a zero before a number")
    return values.reshape(height, width)


@lru_cache(maxsize=256)
def _skeleton(height: int, width: int) -> bytes:
    """What is left of the rows without their digits."""
    return b",".join([b"[" + b"," * (width - 1) + b"]"] * height)


def times(stamps: Sequence[str]) -> tuple[Integers, bytes]:
    """Milliseconds since 1970 and clock qualities of TM fields. Unusual unless all are spelled in UTC."""
    if set(map(len, stamps)) != {len(_STAMP) + 1}:
        raise Unusual("not a time of this spelling")
    letters = np.frombuffer("".join(stamps).encode("ascii"), dtype=np.uint8).reshape(len(stamps), -1)
    fixed = np.frombuffer(_STAMP, dtype=np.uint8)[_FIXED]
    # Of unsigned numbers what lies before "0" is far above 9.
    if (letters[:, _FIXED] != fixed).any() or (letters[:, _DIGITS] - np.uint8(_DIGIT) > _NINE).any():
        raise Unusual("not a time of this spelling")
    spelled = letters[:, :_TIME].copy()
    spelled[:, _STAMP.index(b",")] = ord(".")
    try:
        moments = spelled.view(f"S{_TIME}")[:, 0].astype("datetime64[ms]").astype(np.int64)
    except ValueError as error:
        raise Unusual(str(error)) from None
    if moments.min() < _YEAR_ONE:
        raise Unusual("a year that there was not")
    return moments, letters[:, -1].tobytes()


_YEAR_ONE = int(np.datetime64("0001-01-01", "ms").astype(np.int64))
