"""Sealed texts to a batch: the same fields and checks as `ocmf.parse`, on all readings of an upload at once.

What is not spelled as our own writer spells it is left to the reference, right or wrong; so is a batch of which one
signature does not fit. `tests/metering/batch` holds both readers together.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, TypeVar

import msgspec

from metering import ocmf_readings
from metering.batch.block import Batch, Block
from metering.batch.cells import cells
from metering.batch.numbers import Unusual, matrix, times
from metering.batch.page import Page, page
from metering.keyring import Keyring
from metering.ocmf_leading import leading, value_texts
from metering.reading import TimeQuality
from metering.signing import BadSignature

_QUALITIES = "".join(TimeQuality).encode("ascii")
_T = TypeVar("_T")


def read(texts: Sequence[str], keys: Keyring) -> Batch | None:
    """The batch that `texts` say, genuine under `keys`; None where the reference reader has to look."""
    if not texts:
        return None
    try:
        return _batch(sorted((page(text, keys) for text in texts), key=lambda one: one.head.pagination))
    # A ValueError are all of them: OcmfError, Unusual, and what msgspec says of JSON that it does not read.
    except (ValueError, OverflowError, BadSignature, msgspec.MsgspecError):
        return None


def _batch(pages: Sequence[Page]) -> Batch:
    firsts = list(accumulate((one.head.count for one in pages[:-1]), initial=0))
    count, codes = firsts[-1] + pages[-1].head.count, pages[0].codes
    if any(one.codes != codes for one in pages):
        raise Unusual("registers that differ from record to record")
    values = matrix(b",".join([one.rows for one in pages]), count, len(codes))
    place, code = leading(codes)
    # What people are shown must be what they are billed by.
    if b",".join([one.shown for one in pages]) != ",".join(value_texts(code, values[:, place].tolist())).encode(
        "ascii"
    ):
        raise Unusual("RV")
    moments, qualities = times([stamp for one in pages for stamp in one.stamps])
    if qualities.strip(_QUALITIES):
        raise Unusual("clock quality")
    block = Block(
        times=moments,
        qualities=qualities,
        reasons=b"".join([one.reasons for one in pages]),
        statuses=b"".join([one.statuses for one in pages]),
        codes=codes,
        values=values,
        gaps=_placed(firsts, pages, lambda one: one.gaps, ocmf_readings.read_gaps),
        sessions=_placed(firsts, pages, lambda one: one.sessions, ocmf_readings.read_sessions),
    )
    told = [(first, one.head.count, one.cells) for first, one in zip(firsts, pages, strict=True)]
    return Batch(tuple(one.head for one in pages), block, cells(told))


def _placed(
    firsts: Sequence[int],
    pages: Sequence[Page],
    told: Callable[[Page], Any],
    read_placed: Callable[[Any, int], dict[int, _T]],
) -> dict[int, _T]:
    """What only some readings have, by their place in the block."""
    return {
        first + place: value
        for first, one in zip(firsts, pages, strict=True)
        if told(one) is not None
        for place, value in read_placed(told(one), one.head.count).items()
    }
