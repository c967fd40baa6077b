"""The cut schedule: when an agent has to seal readings for sessions and changes of tariff, signed by the service.

A schedule says every cut of one meter from `issued_at` until `valid_until`. The one with the higher number replaces
what an older one said from its own `issued_at` on; what the older one said of before stands. Its text is
`CUTS|<payload JSON>|<signature in hex>`: plain ASCII, one line, one spelling, so that any changed byte is found.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Any

from metering import signing
from metering.signing import PrivateKey, PublicKey

FORMAT_VERSION = 1
MAX_TEXT_BYTES = 256 * 1024
MAX_CUTS = 2_000
MAX_NUMBER = 10**12
MAX_LENGTH = timedelta(days=62)
_HEADER = "CUTS|"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,63}")
_MAX_METER = 120
_SIGNATURE = re.compile(r"(?:[0-9a-f]{2}){8,72}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_FIELDS = ("FV", "MS", "NR", "IA", "VU", "CT")
# 9999-01-01: beyond it there is no calendar, and no contract.
_MAX_MS = 253_370_764_800_000


class ScheduleError(ValueError):
    """The text is no cut schedule that we read; the message says what is wrong in it."""


class CutKind(StrEnum):
    """What begins or ends at a cut; the letters are those of the readings sealed there (OCMF TX)."""

    END = "E"
    TARIFF_CHANGE = "T"
    BEGIN = "B"


_ORDER = {kind: place for place, kind in enumerate(CutKind)}


@dataclass(frozen=True, slots=True)
class ScheduledCut:
    """A moment (UTC, whole milliseconds) to seal a reading at; `session` names what begins or ends there."""

    at: datetime
    kind: CutKind
    session: str | None = None

    def __post_init__(self) -> None:
        if self.at.tzinfo is None or self.at.microsecond % 1000:
            raise ScheduleError(f"a cut is at a time with a zone, in whole milliseconds, not at {self.at.isoformat()}")
        if (self.session is None) is not (self.kind is CutKind.TARIFF_CHANGE):
            raise ScheduleError("a begin and an end name their session, a change of tariff none")
        if self.session is not None and not _NAME.fullmatch(self.session):
            raise ScheduleError(f"{self.session!r:.80} is no id of a session: letters, digits, . _ : - up to 64")

    @property
    def order(self) -> tuple[datetime, int, str]:
        """Cuts of one moment: what ends before what changes, before what begins."""
        return self.at, _ORDER[self.kind], self.session or ""


@dataclass(frozen=True, slots=True)
class CutSchedule:
    """All cuts of `meter` (its serial) in [issued_at, valid_until), by `number` the newest of its schedules."""

    meter: str
    number: int
    issued_at: datetime
    valid_until: datetime
    cuts: tuple[ScheduledCut, ...] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        if not 0 < len(self.meter) <= _MAX_METER or not self.meter.isprintable():
            raise ScheduleError(f"{self.meter!r:.80} is no serial of a meter")
        if not 0 < self.number <= MAX_NUMBER:
            raise ScheduleError(f"number {self.number} is not from 1 to {MAX_NUMBER}")
        for moment in (self.issued_at, self.valid_until):
            if moment.tzinfo is None or moment.microsecond % 1000 or not 0 <= to_ms(moment) <= _MAX_MS:
                raise ScheduleError(f"{moment.isoformat()} is no time from 1970 on with a zone, in whole milliseconds")
        if not timedelta(0) < self.valid_until - self.issued_at <= MAX_LENGTH:
            raise ScheduleError(f"a schedule holds for more than nothing and at most {MAX_LENGTH.days} days")
        self._check_cuts()

    def _check_cuts(self) -> None:
        if len(self.cuts) > MAX_CUTS:
            raise ScheduleError(f"{len(self.cuts)} cuts are more than {MAX_CUTS}")
        orders = [cut.order for cut in self.cuts]
        if any(later <= earlier for earlier, later in pairwise(orders)):
            raise ScheduleError("cuts do not follow one another in time, each once")
        if self.cuts and not self.issued_at <= self.cuts[0].at <= self.cuts[-1].at < self.valid_until:
            raise ScheduleError("a cut lies in the past, or after the schedule's end")


@dataclass(frozen=True, slots=True)
class SealedSchedule:
    """A schedule with the signed text that says it."""

    text: str
    schedule: CutSchedule


def ordered(cuts: Iterable[ScheduledCut]) -> tuple[ScheduledCut, ...]:
    """`cuts` as a schedule holds them: in order, each once."""
    return tuple(sorted(set(cuts), key=lambda cut: cut.order))


def seal(schedule: CutSchedule, key: PrivateKey) -> SealedSchedule:
    """`schedule` as a signed text; the same schedule and key give the same text."""
    payload = _encode(schedule)
    signature = signing.sign(f"{_HEADER}{payload}".encode("ascii"), key).hex()
    return SealedSchedule(f"{_HEADER}{payload}|{signature}", schedule)


def parse(text: str) -> SealedSchedule:
    """The schedule that `text` says; its signature is not looked at (see `verify`). Raises ScheduleError."""
    payload, _ = _sections(text)
    schedule = _decode(payload)
    if _encode(schedule) != payload:
        raise ScheduleError("the payload is not in its one spelling")
    return SealedSchedule(text, schedule)


def verify(sealed: SealedSchedule, key: PublicKey) -> None:
    """Raise BadSignature unless the service's key sealed the text."""
    payload, signature = _sections(sealed.text)
    signing.check(signature, f"{_HEADER}{payload}".encode("ascii"), key)


def to_ms(moment: datetime) -> int:
    """Milliseconds since 1970 (UTC)."""
    return (moment - _EPOCH) // _MILLISECOND


def from_ms(moment: int) -> datetime:
    """The UTC time of `moment` milliseconds since 1970."""
    return _EPOCH + moment * _MILLISECOND


def _sections(text: str) -> tuple[str, bytes]:
    """(payload, signature in DER)."""
    if len(text) > MAX_TEXT_BYTES:
        raise ScheduleError(f"{len(text)} characters are more than {MAX_TEXT_BYTES}")
    if not text.isascii() or not text.isprintable():
        raise ScheduleError("there is a character beyond printable ASCII")
    if not text.startswith(_HEADER):
        raise ScheduleError("the text does not begin with 'CUTS|'")
    payload, bar, signature = text[len(_HEADER) :].rpartition("|")
    if not bar or not _SIGNATURE.fullmatch(signature):
        raise ScheduleError("there is no signature in lower-case hex at the end")
    return payload, bytes.fromhex(signature)


def _encode(schedule: CutSchedule) -> str:
    cuts = [[to_ms(cut.at), cut.kind.value, *([cut.session] if cut.session else [])] for cut in schedule.cuts]
    times = (to_ms(schedule.issued_at), to_ms(schedule.valid_until))
    values = (FORMAT_VERSION, schedule.meter, schedule.number, *times, cuts)
    return json.dumps(dict(zip(_FIELDS, values, strict=True)), separators=(",", ":"))


def _decode(payload: str) -> CutSchedule:
    try:
        plain = json.loads(payload)
    except (ValueError, RecursionError):
        raise ScheduleError("the payload is no JSON") from None
    if not isinstance(plain, dict) or tuple(plain) != _FIELDS:
        raise ScheduleError(f"the payload is no object of {', '.join(_FIELDS)}")
    if _whole(plain["FV"], "FV") != FORMAT_VERSION:
        raise ScheduleError(f"format {plain['FV']} is not known here, only {FORMAT_VERSION}: update this program")
    if not isinstance(plain["MS"], str) or not isinstance(plain["CT"], list):
        raise ScheduleError("MS is no text or CT no list")
    if len(plain["CT"]) > MAX_CUTS:
        raise ScheduleError(f"{len(plain['CT'])} cuts are more than {MAX_CUTS}")
    issued_at, valid_until = _moment(plain["IA"], "IA"), _moment(plain["VU"], "VU")
    cuts = tuple(_cut(entry) for entry in plain["CT"])
    return CutSchedule(plain["MS"], _whole(plain["NR"], "NR"), issued_at, valid_until, cuts)


def _cut(entry: Any) -> ScheduledCut:
    if not isinstance(entry, list) or not 2 <= len(entry) <= 3 or not all(isinstance(text, str) for text in entry[1:]):
        raise ScheduleError("a cut in CT is not [milliseconds, kind, session]")
    if entry[1] not in _KINDS:
        raise ScheduleError(f"{entry[1]!r:.20} is no kind of cut: {', '.join(_KINDS)}")
    return ScheduledCut(_moment(entry[0], "CT"), _KINDS[entry[1]], entry[2] if len(entry) > 2 else None)


_KINDS = {kind.value: kind for kind in CutKind}


def _moment(value: Any, name: str) -> datetime:
    return from_ms(_whole(value, name))


def _whole(value: Any, name: str) -> int:
    if type(value) is not int or not 0 <= value <= _MAX_MS:
        raise ScheduleError(f"{name} is no whole number from 0 to {_MAX_MS}")
    return value
