"""One sealed text taken apart and its signature checked; its many numbers stay text until the whole batch is there."""

import hashlib
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from metering import ocmf, ocmf_fields, ocmf_read, ocmf_readings, signing
from metering.batch.block import Head
from metering.batch.numbers import Unusual
from metering.keyring import Keyring
from metering.ocmf_fields import MAX_READINGS
from metering.ocmf_leading import identified, leading
from metering.reading import Reason, Status

_OF_ONE_VALUE = {"FV": b'"1.3"', "IS": b"false", "IT": b'"NONE"'}
_FLAGS = {b"true": True, b"false": False}
_REASONS, _STATUSES = {str(one) for one in Reason}, {str(one) for one in Status}


class Entry(Struct, forbid_unknown_fields=True, gc=False):
    """One reading of RD, its names as OCMF has them."""

    TM: str
    RV: Raw
    TX: str | UnsetType = UNSET
    RI: str | UnsetType = UNSET
    RU: str | UnsetType = UNSET
    ST: str | UnsetType = UNSET

    def optional(self) -> list[str]:
        """What it says beside time and value."""
        return [text for text in (self.TX, self.RI, self.RU, self.ST) if text is not UNSET]


_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_ENTRIES = msgspec.json.Decoder(list[Entry])
_ANY = msgspec.json.Decoder()
_STAMP = len("0000-00-00T00:00:00,000+0000 S")
_SHORTEST_ENTRY = len('{"TM":"","RV":},') + _STAMP
_OPTIONAL_FIELD = len('"TX":"",')


@dataclass(frozen=True, slots=True)
class Page:
    """A text in parts, one of each for a reading or told by place.

    `stamps` are TM and `shown` RV, joined by commas; `reasons` and `statuses` TX and ST as letters; `rows` is XV
    without its outer brackets; `cells` XL, `gaps` XG and `sessions` XI, or None.
    """

    head: Head
    stamps: list[str]
    shown: bytes
    reasons: bytes
    statuses: bytes
    codes: tuple[str, ...]
    rows: bytes
    cells: Raw | None
    gaps: Any
    sessions: Any


def page(text: str, keys: Keyring) -> Page:
    """The parts of `text`. An OcmfError, BadSignature or ValueError leaves it to the reference reader."""
    if len(text) > ocmf.MAX_TEXT_BYTES or not text.isascii():
        raise Unusual("text")
    payload, signature = ocmf.sections(text)
    fields = _FIELDS.decode(payload)
    _check_fields(fields, len(payload))
    entries = _ENTRIES.decode(fields["RD"])
    head = _head(text, fields, len(entries))
    signing.check(signature, payload.encode("ascii"), keys.of(head.pagination))
    rows = bytes(fields["XV"])
    if not (rows.startswith(b"[[") and rows.endswith(b"]]") and rows.count(b"[") == 1 + len(entries)):
        raise Unusual("XV")
    named, clocks, steps, gaps, sessions = (_decoded(fields, key) for key in ("XC", "XT", "XK", "XG", "XI"))
    ocmf_read.read_clocks(clocks, steps)
    if (recovered := _decoded(fields, "XH")) is not None:
        ocmf_readings.read_recovered(recovered)
    codes = ocmf_readings.read_codes(named)
    told = _told(entries, codes)
    shown = b",".join([one.RV for one in entries])
    # Without blanks, repeats and escapes the section is as long as its parts; that the stamps have their length is seen
    # when they are read.
    optional = sum(_OPTIONAL_FIELD + len(text) for _, one in told for text in one.optional())
    if len(memoryview(fields["RD"])) != 1 + _SHORTEST_ENTRY * len(entries) + len(shown) - len(entries) + 1 + optional:
        raise Unusual("RD")
    return Page(
        head=head,
        stamps=[one.TM for one in entries],
        shown=shown,
        reasons=_letters([(place, one.TX) for place, one in told], len(entries), _REASONS),
        statuses=_letters([(place, one.ST) for place, one in told], len(entries), _STATUSES),
        codes=codes,
        rows=rows[1:-1],
        cells=fields.get("XL"),
        gaps=gaps,
        sessions=sessions,
    )


def _told(entries: list[Entry], codes: tuple[str, ...]) -> list[tuple[int, Entry]]:
    """The entries that say more than a time and a value, as the first must; most say what the one before said."""
    if not 0 < len(entries) <= MAX_READINGS:
        raise Unusual("RD")
    told = [
        (place, one)
        for place, one in enumerate(entries)
        if not (one.TX is UNSET and one.ST is UNSET and one.RI is UNSET and one.RU is UNSET)
    ]
    which = identified(leading(codes)[1])
    for place, one in told:
        if not all(text == which[key] or (text is UNSET and place) for key, text in (("RI", one.RI), ("RU", one.RU))):
            raise Unusual("RI and RU")
    return told


def _letters(told: list[tuple[int, str | UnsetType]], count: int, choices: set[str]) -> bytes:
    """A letter for each of `count` entries, where one that does not tell it has that of the entry before."""
    given = [(place, text) for place, text in told if text is not UNSET]
    if not given or given[0][0] != 0 or not {text for _, text in given} <= choices:
        raise Unusual("TX or ST")
    ends = [place for place, _ in given[1:]] + [count]
    return "".join([text * (end - place) for (place, text), end in zip(given, ends, strict=True)]).encode("ascii")


def _decoded(fields: dict[str, Raw], key: str) -> Any:
    """A field's value. One that is null is not the same as one that is not there."""
    if key not in fields:
        return None
    value = _ANY.decode(fields[key])
    if value is None:
        raise Unusual(key)
    return value


def _check_fields(fields: dict[str, Raw], size: int) -> None:
    """Which there are, those that have one value only, and that none stands twice nor is spelled another way."""
    if not ocmf_read.REQUIRED <= fields.keys() <= ocmf_read.KNOWN:
        raise Unusual("fields")
    if any(bytes(fields[key]) != told for key, told in _OF_ONE_VALUE.items()):
        raise Unusual("fields of one value")
    # Without blanks, repeats and escapes an object is as long as its parts.
    if size != 1 + sum([len(key) + 4 + len(memoryview(raw)) for key, raw in fields.items()]):
        raise Unusual("spelling")


def _head(text: str, fields: dict[str, Raw], count: int) -> Head:
    told = {key: _ANY.decode(fields[key]) for key in ("GS", "MS", "MM", "PG", "XP", "XS")}
    ocmf_fields.name(told["MM"], "MM")
    replayed = _FLAGS.get(bytes(fields["XR"]))
    if replayed is None:
        raise Unusual("XR")
    return Head(
        text=text,
        digest=hashlib.sha256(text.encode("ascii")).hexdigest(),
        agent=ocmf_fields.name(told["GS"], "GS"),
        meter=ocmf_fields.name(told["MS"], "MS"),
        pagination=ocmf_read.read_pagination(told["PG"]),
        previous=ocmf_fields.link(told["XP"], "XP"),
        replayed=replayed,
        first=ocmf_fields.number(told["XS"], "XS", 1),
        count=count,
    )
