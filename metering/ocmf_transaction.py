"""What a court would ask of the records of one transaction beyond their signatures.

Counters contiguous, first a begin, last an end, one meter, no error flags, clock qualities that fit, an end not below
its begin; looked at are the registers that are relevant for law: imported or exported active energy (OBIS A = 1,
D = 8). [transparency software, OCMFVerifiedData; OCMF 1.4.1, table 25]
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from metering.ocmf_public import PublicReading, PublicRecord

_OBIS = re.compile(r"([0-9a-f]+)-([0-9a-f]+):([0-9a-f]+)\.([0-9a-f]+)(?:\.([0-9a-f]+))?(?:[.*]([0-9a-f]+))?", re.I)
_ENDS = frozenset("ELRAP")
_IDENTITY_ERRORS = frozenset(("MISMATCH", "INVALID", "OUTDATED", "UNKNOWN"))
#: C of the energy that is compensated for the cable: where there is such, it is what counts.
_COMPENSATED = frozenset((0x98, 0xB1, 0xB3, 0xC1, 0xC3))
_TOTALS = frozenset((0x00, 0x200, 0x255, 0xFF))
_IN_KWH = {"kwh": Decimal(1), "wh": Decimal("0.001")}


@dataclass(frozen=True, slots=True)
class Transaction:
    """`begin` and `end` of the register that counts, or None where there is none; `findings` says what is wrong."""

    begin: PublicReading | None
    end: PublicReading | None
    findings: tuple[str, ...]

    @property
    def energy(self) -> Decimal | None:
        """kWh between begin and end, with the readings' decimals."""
        if self.begin is None or self.end is None:
            return None
        begin, end = in_kwh(self.begin), in_kwh(self.end)
        return None if begin is None or end is None else end - begin


def in_kwh(reading: PublicReading) -> Decimal | None:
    """The reading's value in kWh; None where it has none or is of another unit."""
    factor = _IN_KWH.get(reading.unit.lower())
    return None if factor is None or reading.value is None else reading.value * factor


def judge(records: Sequence[PublicRecord]) -> Transaction:
    """One transaction's records in their order: one with begin and end, or several."""
    readings = _relevant([reading for record in records for reading in record.readings])
    begins = [reading for reading in readings if reading.kind == "B"]
    ends = [reading for reading in readings if reading.kind[:1] in _ENDS and reading.kind]
    begin, end = (begins[0] if begins else None), (ends[0] if ends else None)
    findings = [*_of_records(records), *_of_count(len(begins), "begin"), *_of_count(len(ends), "end")]
    if begin is not None and end is not None:
        findings += _of_pair(begin, end)
    return Transaction(begin, end, tuple(findings))


def _relevant(readings: Sequence[PublicReading]) -> list[PublicReading]:
    coded = [(_obis(reading.identifier), reading) for reading in readings]
    compensated = [reading for code, reading in coded if code and code[0] == 1 and code[1] in _COMPENSATED]
    return compensated or [reading for code, reading in coded if code and _is_relevant(*code)]


def _obis(identifier: str) -> tuple[int, int, int] | None:
    """(A, C, F) of an energy code (D = 8)."""
    match = _OBIS.fullmatch(identifier)
    if match is None or int(match[4], 16) != 8:
        return None
    return int(match[1], 16), int(match[3], 16), int(match[6] or "0", 16)


def _is_relevant(a: int, c: int, f: int) -> bool:
    return a == 1 and (c in (0x01, 0x98, 0x9E) or 0xB0 <= c <= 0xC7) and f in _TOTALS


def _of_count(count: int, what: str) -> Iterator[str]:
    if count != 1:
        yield f"{count or 'no'} readings of law-relevant energy that {what} a transaction, instead of one"


def _of_records(records: Sequence[PublicRecord]) -> Iterator[str]:
    if len({record.meter for record in records}) > 1:
        yield f"records of several meters: {', '.join(sorted({record.meter for record in records}))}"
    pages = [record.text_of("PG") for record in records]
    for before, after in pairwise(pages):
        if not (before[:1] == after[:1] and before[1:].isdigit() and after[1:] == str(int(before[1:]) + 1)):
            yield f"pagination {after!r} does not follow {before!r}"
    for level in sorted({record.text_of("IL").strip() for record in records} & _IDENTITY_ERRORS):
        yield f"the user's identification has the state {level}"


def _of_pair(begin: PublicReading, end: PublicReading) -> Iterator[str]:
    if (first := in_kwh(begin)) is None or (last := in_kwh(end)) is None:
        yield "a value or its unit (kWh, Wh) is missing"
    elif last < first:
        yield f"the end {last} kWh is below the begin {first} kWh"
    if begin.time is None or end.time is None:
        yield "a time is missing"
    elif end.time < begin.time:
        yield "the end is before the begin"
    for name, reading in (("begin", begin), ("end", end)):
        if reading.status != "G":
            yield f"the meter's state at {name} is {reading.status or 'not given'} instead of G (good)"
        if "E" in reading.errors:
            yield f"the energy at {name} is flagged as not usable"
        if not reading.quality:
            yield f"the clock's quality at {name} is not given"
    if begin.quality == "R" and end.quality not in ("R", ""):
        yield f"a relative time at begin, {end.quality} at end"
    if end.events and end.events != begin.events:
        yield f"the event counter went from {begin.events or 'none'} to {end.events}"
