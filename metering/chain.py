"""The chain of a meter's sealed records: what follows what, and what is wrong when it does not.

One rule for both sides: the service appends arriving records to a `Chain`, an auditor walks a bundle's records with
`verify`. A signature alone proves who said it; the chain proves that nothing was left out, added or wound back.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import lt

from metering import ocmf
from metering.ocmf import BadSignature, PublicKey, Sealed
from metering.reading import GENESIS, Reading, Reason, Record, TimeQuality
from metering.spectrum import Spectrum
from metering.values import Values, is_laid_out


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a record does not belong where it stands."""

    pagination: int
    reason: str


@dataclass(frozen=True, slots=True)
class Passed:
    """A gap in the chain that the meter's owner accepted: after record `after` the records up to `last` were refused.

    `digest` is the last refused one's, to which the next record must be linked: the gap is not a record wider.
    `told` says who accepted it, when and why.
    """

    after: int
    last: int
    digest: str
    told: str = ""


@dataclass(slots=True)
class Chain:
    """The end of a meter's chain so far. `spectrum` holds every cell's cumulative milliseconds.

    `passed` are accepted gaps that begin here, of which one is the true one: several texts may have claimed a number.
    The record after a gap may follow, as well as the one that is lacking.
    """

    agent: str
    meter: str
    pagination: int = 0
    digest: str = GENESIS
    last: Reading | None = None
    spectrum: dict[tuple[str, int], int] = field(default_factory=dict)
    passed: Sequence[Passed] = ()

    def append(self, sealed: Sealed) -> list[dict[tuple[str, int], int]] | Fault:
        """Take `sealed` as the next record: the spectrum's growth per reading; or say the fault and stay as it is."""
        record = sealed.record
        reason = self._misplaced(record)
        grown: list[dict[tuple[str, int], int]] = []
        changed: dict[tuple[str, int], int] = {}
        last, beyond = self.last, self._gap_before(record) is not None
        for reading in record.readings:
            reason = reason or _not_after(last, reading, beyond=beyond)
            grown.append(self._growth(reading.spectrum, changed))
            reason = reason or _cell_fell(grown[-1])
            changed.update(reading.spectrum)
            last, beyond = reading, False
        if reason:
            return Fault(record.pagination, reason)
        self.pagination, self.digest, self.last = record.pagination, sealed.digest, last
        self.spectrum.update(changed)
        self.passed = ()
        return grown

    def _gap_before(self, record: Record) -> Passed | None:
        """The accepted gap that the record is the one after; where several end there, the one that it is linked to."""
        found = [gap for gap in self.passed if gap.last + 1 == record.pagination]
        return next((gap for gap in found if gap.digest == record.previous), found[0] if found else None)

    def _growth(self, cells: Spectrum, changed: Spectrum) -> dict[tuple[str, int], int]:
        """What `cells` grew beyond what this record has changed before, or else beyond the chain's end."""
        known = self.spectrum
        return {
            cell: grown
            for cell, value in cells.items()
            if (grown := value - (changed[cell] if cell in changed else known.get(cell, 0)))
        }

    def _misplaced(self, record: Record) -> str | None:
        expected, digest = self.pagination + 1, self.digest
        if gap := self._gap_before(record):
            expected, digest = gap.last + 1, gap.digest
        if record.agent != self.agent:
            return f"the record is of agent {record.agent!r}, not {self.agent!r}"
        if record.meter != self.meter:
            return f"the record is of meter {record.meter!r}, not {self.meter!r}"
        if record.pagination > expected:
            return f"records {expected} to {record.pagination - 1} are missing before it"
        if record.pagination < expected:
            return f"record {record.pagination} was already there"
        if record.previous != digest:
            return "its link is not the digest of the record before"
        if record.pagination == 1 and record.readings[0].reason is not Reason.BEGIN:
            return "the first reading of a meter must be marked B (begin)"
        return None


def verify(run: Iterable[Sealed], key: PublicKey, *, follows: Chain | None = None) -> list[Fault]:
    """Every fault of a run of sealed records under `key`; none means that they are genuine and whole.

    The run begins a meter's life unless `follows` says what came before it.
    """
    records = list(run)
    forged = [Fault(one.record.pagination, reason) for one in records if (reason := _bad_signature(one, key))]
    return forged + walk(records, follows)


def walk(run: Iterable[Sealed], follows: Chain | None, passed: Iterable[Passed] = ()) -> list[Fault]:
    """The faults of the chain alone, signatures aside; `follows` is left at the run's end. `passed` are accepted gaps.

    After a fault the walk goes on from the faulty record, so that one missing record is one fault.
    """
    faults: list[Fault] = []
    chain = follows
    gaps = list(passed)
    for sealed in run:
        chain = chain or Chain(sealed.record.agent, sealed.record.meter)
        chain.passed = [gap for gap in gaps if gap.after == chain.pagination]
        if isinstance(fault := chain.append(sealed), Fault):
            faults.append(fault)
            chain = after(sealed, chain.spectrum)
    return faults


def after(sealed: Sealed, spectrum: Mapping[tuple[str, int], int] | None = None) -> Chain:
    """The chain whose end is `sealed`: for a run that begins in the middle of a meter's life."""
    record = sealed.record
    cells = dict(spectrum or {})
    for reading in record.readings:
        cells.update(reading.spectrum)
    return Chain(record.agent, record.meter, record.pagination, sealed.digest, record.readings[-1], cells)


def _bad_signature(sealed: Sealed, key: PublicKey) -> str | None:
    try:
        ocmf.verify(sealed, key)
    except BadSignature as error:
        return str(error)
    return None


def _not_after(last: Reading | None, reading: Reading, *, beyond: bool) -> str | None:
    """Why `reading` cannot be the one after `last`; `beyond` an accepted gap it may be a later one."""
    expected = last.sequence + 1 if last else 1
    if reading.sequence < expected or (reading.sequence > expected and not beyond):
        return f"reading {reading.sequence} stands where {expected} follows"
    if last is None:
        unrelated = reading.time_quality is TimeQuality.RELATIVE
        return "a relative clock has no reading before it to relate to" if unrelated else None
    if reading.device_time < last.device_time:
        return f"reading {reading.sequence} lies before its predecessor in time"
    if reading.gap and not last.device_time <= reading.gap.start < reading.gap.end <= reading.device_time:
        return f"reading {reading.sequence} tells a gap that is not between it and its predecessor"
    fallen = _fallen(reading.registers, last.registers)
    return f"register {fallen} fell at reading {reading.sequence}" if fallen else None


def _fallen(later: Mapping[str, int], earlier: Mapping[str, int]) -> str | None:
    """The first register that is lower than before; one that is no more there counts as zero."""
    if type(earlier) is Values and is_laid_out(later, earlier.codes):
        lower = list(map(lt, later.values_in_order, earlier.values_in_order))
        return earlier.codes[lower.index(True)] if True in lower else None
    return next((code for code, value in earlier.items() if later.get(code, 0) < value), None)


def _cell_fell(grown: Mapping[tuple[str, int], int]) -> str | None:
    fallen = [cell for cell, ms in grown.items() if ms < 0] if grown else []
    return f"spectrum cell {fallen[0][1]} of {fallen[0][0]} fell" if fallen else None
