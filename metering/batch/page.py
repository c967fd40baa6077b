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

_OF_ONE_VALUE = {"FV": b'"1.3"', "IS": b"false", "IT": b'"NONE"'}
_FLAGS = {b"true": True, b"false": False}


class Entry(Struct, forbid_unknown_fields=True, gc=False):
    """One reading of RD, its names as OCMF has them."""

    TM: str
    RV: Raw
    TX: str | UnsetType = UNSET
    RI: str | UnsetType = UNSET
    RU: str | UnsetType = UNSET
    ST: str | UnsetType = UNSET


_FIELDS = msgspec.json.Decoder(dict[str, Raw])
_ENTRIES = msgspec.json.Decoder(list[Entry])
_ANY = msgspec.json.Decoder()
_SHORTEST_ENTRY = len('{"TM":"","RV":},')
_OPTIONAL_FIELD = len('"TX":"",')


@dataclass(frozen=True, slots=True)
class Page:
    """A text in parts. `rows` is XV without its outer brackets; `cells` XL, `gaps` XG and `sessions` XI, or None."""

    head: Head
    entries: list[Entry]
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
    _check_entries(entries, len(memoryview(fields["RD"])))
    head = _head(text, fields, len(entries))
    signing.check(signature, payload.encode("ascii"), keys.of(head.pagination))
    rows = bytes(fields["XV"])
    if not (rows.startswith(b"[[") and rows.endswith(b"]]") and rows.count(b"[") == 1 + len(entries)):
        raise Unusual("XV")
    codes, clocks, steps, gaps, sessions = (_decoded(fields, key) for key in ("XC", "XT", "XK", "XG", "XI"))
    ocmf_read.read_clocks(clocks, steps)
    return Page(head, entries, ocmf_readings.read_codes(codes), rows[1:-1], fields.get("XL"), gaps, sessions)


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


def _check_entries(entries: list[Entry], size: int) -> None:
    if not 0 < len(entries) <= MAX_READINGS:
        raise Unusual("RD")
    texts = [text for one in entries for text in (one.TX, one.ST, one.RI, one.RU) if text is not UNSET]
    least = 1 + _SHORTEST_ENTRY * len(entries) + _OPTIONAL_FIELD * len(texts) + sum(map(len, texts))
    if size != least + sum([len(one.TM) + len(memoryview(one.RV)) for one in entries]):
        raise Unusual("RD")


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
