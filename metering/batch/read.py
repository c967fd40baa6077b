"""Sealed texts to a batch: the same fields and checks as `ocmf.parse`, on all readings of an upload at once.

What is not spelled as our own writer spells it is left to the reference, right or wrong; so is a batch of which one
signature does not fit. `tests/metering/batch` holds both readers together.
"""

from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET

from metering import ocmf_readings
from metering.batch.block import Batch, Block
from metering.batch.cells import cells
from metering.batch.numbers import Unusual, matrix, times
from metering.batch.page import Entry, Page, page
from metering.keyring import Keyring
from metering.ocmf_leading import identified, leading, value_texts
from metering.reading import Reason, Status, TimeQuality
from metering.signing import BadSignature

_REASONS, _STATUSES = {str(one) for one in Reason}, {str(one) for one in Status}
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
    entries = [entry for one in pages for entry in one.entries]
    firsts = list(accumulate((one.head.count for one in pages[:-1]), initial=0))
    codes = pages[0].codes
    if any(one.codes != codes for one in pages):
        raise Unusual("registers that differ from record to record")
    values = matrix(b",".join([one.rows for one in pages]), len(entries), len(codes))
    place, code = leading(codes)
    # What people are shown must be what they are billed by.
    if b",".join([one.RV for one in entries]) != ",".join(value_texts(code, values[:, place].tolist())).encode():
        raise Unusual("RV")
    moments, qualities = times([one.TM for one in entries])
    if qualities.strip(_QUALITIES):
        raise Unusual("clock quality")
    for one in pages:
        _check_identified(one.entries, **identified(code))
    block = Block(
        times=moments,
        qualities=qualities,
        reasons=b"".join([_letters([entry.TX for entry in one.entries], _REASONS) for one in pages]),
        statuses=b"".join([_letters([entry.ST for entry in one.entries], _STATUSES) for one in pages]),
        codes=codes,
        values=values,
        gaps=_placed(firsts, pages, lambda one: one.gaps, ocmf_readings.read_gaps),
        sessions=_placed(firsts, pages, lambda one: one.sessions, ocmf_readings.read_sessions),
    )
    told = [(first, one.head.count, one.cells) for first, one in zip(firsts, pages, strict=True)]
    return Batch(tuple(one.head for one in pages), block, cells(told))


# OCMF's names.
def _check_identified(entries: Sequence[Entry], RI: str, RU: str) -> None:  # noqa: N803
    first, *others = entries
    if (first.RI, first.RU) != (RI, RU):
        raise Unusual("RI and RU")
    if not ({entry.RI for entry in others} <= {RI, UNSET} and {entry.RU for entry in others} <= {RU, UNSET}):
        raise Unusual("RI and RU")


def _letters(told: Sequence[Any], choices: set[str]) -> bytes:
    """A field that is left out where it is as in the entry before: its letter for every entry."""
    if not {text for text in told if text is not UNSET} <= choices or told[0] is UNSET:
        raise Unusual("TX or ST")
    current = told[0]
    return "".join([current if text is UNSET else (current := text) for text in told]).encode("ascii")


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
