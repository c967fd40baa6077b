"""Check a bundle offline: whether it is as it was made, and whether the invoice follows from the readings to the cent.

Every check says what it found and where. Nothing in the bundle is trusted: keys come from the auditor's registry.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from billing.capacity.measure import measure
from billing.invoicing import canonical_zip
from billing.invoicing.evidence import (
    EARLIER_INVOICES,
    FILES,
    GAPS,
    INVOICE,
    MANIFEST,
    METERS,
    READINGS,
    SIGNATURE,
    TARIFF,
    Case,
    case_files,
    case_from,
)
from billing.invoicing.evidence_keys import Keys, is_signed
from billing.invoicing.evidence_readings import by_meter, uses_of
from billing.invoicing.line import InvoiceLine, differences, from_rated
from billing.pricing.rated import RatedBill
from billing.pricing.rating import rate
from metering.audit import Audited, audit
from metering.ocmf import OcmfError, parse
from metering.reading import Reason

_UNREADABLE = (ValueError, LookupError, TypeError, ArithmeticError, AttributeError, RecursionError)
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")
_NUMBERS = ("quantity", "price", "amount", "vat_rate")


class Verdict(StrEnum):
    """What an auditor may say."""

    VERIFIED = "verified"
    INCOMPLETE = "incomplete"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be: the file or field, and what is wrong with it."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a check.

    `missing` names what could not be checked for want of a key; `bill` is what was worked out from the readings.
    """

    findings: tuple[Finding, ...]
    missing: tuple[str, ...]
    invoice: str | None
    checked: tuple[str, ...]
    bill: RatedBill | None

    @property
    def verdict(self) -> Verdict:
        if self.findings:
            return Verdict.WRONG
        return Verdict.INCOMPLETE if self.missing else Verdict.VERIFIED


def check_bundle(data: bytes, *, keys: Keys) -> Report:
    """Recompute the invoice of a bundle from its readings and name everything that differs."""
    files, problems = canonical_zip.unpack(data)
    check = _Check(files, keys, [Finding("BUNDLE", problem) for problem in problems])
    check.manifest()
    case = check.case()
    bill = check.recompute(case) if case else None
    number = case.invoice.number or str(case.invoice.id) if case else None
    return Report(tuple(check.findings), tuple(check.missing), number, tuple(check.checked), bill)


class _Check:
    """One run: findings, what is missing, and what was checked, in order."""

    def __init__(self, files: Mapping[str, bytes], keys: Keys, findings: list[Finding]) -> None:
        self.files, self.keys, self.findings = files, keys, findings
        self.missing: list[str] = []
        self.checked: list[str] = []

    def wrong(self, where: str, what: str) -> None:
        self.findings.append(Finding(where, what))

    def manifest(self) -> None:
        """Every file is there, unchanged and no more, under the platform's signature."""
        raw = self.files.get(MANIFEST)
        if raw is None:
            self.wrong(MANIFEST, "is missing")
            return
        if not self.keys.platform:
            self.missing.append("no platform key was given: its signature over the manifest is not checked")
        elif not is_signed(self.files.get(SIGNATURE, b"").decode("ascii", "replace"), raw, self.keys.platform):
            self.wrong(SIGNATURE, "is not the platform's signature over manifest.json")
        else:
            self.checked.append("the platform's signature over the manifest")
        try:
            listed: dict[str, Any] = dict(json.loads(raw)["sha256"])
        except _UNREADABLE as error:
            self.wrong(MANIFEST, f"cannot be read ({type(error).__name__})")
            return
        for name, what in _differing(self.files, listed):
            self.wrong(name, what)
        self.checked.append(f"SHA-256 of {len(listed)} files")

    def case(self) -> Case | None:
        """What the files say, if they can be read and are in their one spelling."""
        try:
            for invoice in (json.loads(self.files[INVOICE]), *json.loads(self.files[EARLIER_INVOICES])):
                _refuse_numbers(invoice)
            case = case_from(self.files)
            for name, wanted in case_files(case).items():
                if self.files[name] != wanted:
                    self.wrong(name, _spelling(name, self.files[name], wanted))
        except _UNREADABLE as error:
            self.wrong("BUNDLE", f"its files cannot be read as evidence ({type(error).__name__}: {error})"[:300])
            return None
        return case

    def recompute(self, case: Case) -> RatedBill | None:
        """From readings to the total."""
        audited = self._audit(case)
        if audited is None:
            return None
        self._consistent(case, audited)
        self._sessions(case, audited)
        period = case.invoice.period
        uses = uses_of(case, audited)
        try:
            bill = rate(case.tariff, measure(case.lease, period, uses=uses, facts=case.facts))
            wanted = tuple(from_rated(line) for line in bill.lines)
            if case.billed:
                wanted = differences(wanted, [line for invoice in case.billed for line in invoice.lines])
        except _UNREADABLE as error:
            self.wrong(READINGS, f"cannot be priced ({type(error).__name__}: {error})"[:300])
            return None
        if any(row.replayed for use in uses for row in use.usage) and not case.invoice.replayed:
            self.wrong(INVOICE, "does not say that readings were played back from a recording")
        self._compare(case.invoice.lines, wanted)
        self.checked.append(f"{len(wanted)} lines, VAT and total recomputed from the readings")
        return bill

    def _audit(self, case: Case) -> dict[str, Audited] | None:
        """What the readings say, by meter; None where something is wrong with them."""
        found = {meter: self._audit_meter(case, meter, texts) for meter, texts in by_meter(case.texts).items()}
        sound = {meter: audited for meter, audited in found.items() if audited is not None}
        return sound if len(sound) == len(found) else None

    def _audit_meter(self, case: Case, meter: str, texts: Sequence[str]) -> Audited | None:
        try:
            agent = parse(texts[0]).record.agent
        except OcmfError as error:
            self.wrong(READINGS, f"line 1: {error}")
            return None
        trusted = self.keys.of_agent(agent)
        if trusted is None:
            self.wrong(READINGS, f"agent {agent[:80]!r} is not in the key registry: its readings prove nothing")
            return None
        if trusted.meter not in (None, meter):
            self.wrong(READINGS, f"the registry knows agent {agent} for meter {trusted.meter}, not for {meter}")
        passed = [gap.passed for gap in case.gaps if gap.meter == meter]
        audited = audit(texts, keys=trusted.keys, earlier=by_meter(case.texts_before).get(meter, ()), passed=passed)
        for fault in audited.faults:
            self.wrong(READINGS, f"record {fault.pagination}: {fault.reason}")
        for gap in passed:
            numbers = f"record {gap.last}" if gap.last == gap.after + 1 else f"records {gap.after + 1} to {gap.last}"
            self.checked.append(f"gap in the chain of meter {meter}: {numbers} refused, {gap.told}"[:600])
        self.checked.append(f"chain and signatures of {len(texts)} records by agent {agent}")
        return None if audited.faults else audited

    def _consistent(self, case: Case, audited: Mapping[str, Audited]) -> None:
        """Invoice, lease, tariff and readings speak of the same things."""
        invoice, lease, terms = case.invoice, case.lease, case.invoice.terms
        serials = {meter.serial for meter in case.meters}
        claims = (
            (invoice.lease == lease.id, "the invoice is for another lease"),
            (invoice.seller.id == lease.lessor_id, "the seller is not the lessor"),
            (invoice.buyer.id == lease.lessee_id, "the buyer is not the lessee"),
            (invoice.currency == lease.currency == case.tariff.currency, "currencies differ"),
            (terms.machine_zone == lease.zone, "the machine's zone differs from the lease's"),
            (terms.rounding == case.tariff.rounding.value, "the rounding policy differs from the tariff's"),
            ((terms.tariff, terms.tariff_version) == (case.tariff.code, case.tariff.version), "names another tariff"),
            (terms.tariff_digest == case.tariff.digest(), f"names another content of the tariff than {TARIFF}"),
            (audited.keys() <= serials, f"the readings are of another meter than {METERS} names"),
            (len(serials) == len(case.meters), f"{METERS} names a meter twice"),
            (invoice.ordinal == len(case.billed), "the invoices before it are not all there"),
        )
        for holds, told in claims:
            if not holds:
                self.wrong(INVOICE, told)
        there = {
            (meter, reading.sequence)
            for meter, each in audited.items()
            for record in each.records
            for reading in record.record.readings
        }
        parts = [part for line in invoice.lines for part in line.evidence]
        named = {(part.meter, end) for part in parts for end in (part.first, part.last)}
        if gone := sorted(named - there):
            self.wrong(READINGS, f"reading {gone[0][1]} of {gone[0][0]}, which the invoice names, is not there")

    def _sessions(self, case: Case, audited: Mapping[str, Audited]) -> None:
        """How the lease's sessions were cut: a session has the id of its booking, and the agent signs its readings."""
        sealed = {
            (reading.reason, reading.session, reading.device_time)
            for each in audited.values()
            for record in each.records
            for reading in record.record.readings
            if reading.session is not None
        }
        mine = [one for one in case.bookings if one.lease_id == case.lease.id]
        edges = [{(Reason.BEGIN, str(one.id), one.slot.start), (Reason.END, str(one.id), one.slot.end)} for one in mine]
        signed = sum(both <= sealed for both in edges)
        if mine:
            self.checked.append(
                f"sessions: {signed} with signed readings at begin and end, {len(mine) - signed} cut at quarter hours"
            )

    def _compare(self, billed: Sequence[InvoiceLine], wanted: Sequence[InvoiceLine]) -> None:
        for place, (found, right) in enumerate(zip(billed, wanted, strict=False), start=1):
            for name in _differing_fields(found, right):
                told = f"says {_shown(found, name)}, the readings give {_shown(right, name)}"
                self.wrong(INVOICE, f"line {place} ({found.code}), {name}: {told}")
        if len(billed) != len(wanted):
            self.wrong(INVOICE, f"has {len(billed)} lines, the readings give {len(wanted)}")


def _differing(files: Mapping[str, bytes], listed: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name in sorted(FILES - files.keys()):
        yield name, "is missing"
    for name in sorted(files.keys() - FILES - {MANIFEST, SIGNATURE, GAPS}):
        yield name, "does not belong into a bundle"
    wanted = FILES | (files.keys() & {GAPS})
    for name in sorted(wanted & files.keys()):
        if listed.get(name) != hashlib.sha256(files[name]).hexdigest():
            yield name, "was changed: its SHA-256 is not the manifest's"
    if listed.keys() != wanted:
        yield MANIFEST, "does not list exactly the files of a bundle"


def _spelling(name: str, found: bytes, wanted: bytes) -> str:
    """What differs between a file and the same content written again: for the invoice, which sums."""
    try:
        one, other = json.loads(found), json.loads(wanted)
        fields = [key for key in other if one.get(key) != other[key]] if isinstance(other, dict) else []
    except _UNREADABLE:
        fields = []
    told = ", ".join(f"{key} is {one[key]!r}, not {other[key]!r}" for key in fields if key in one)
    return f"contradicts itself: {told}"[:300] if told else "is not in its one spelling"


def _differing_fields(found: InvoiceLine, right: InvoiceLine) -> Iterable[str]:
    names = dict.fromkeys(("quantity", "price", "amount", *InvoiceLine.__dataclass_fields__))
    return [name for name in names if getattr(found, name) != getattr(right, name)]


def _shown(line: InvoiceLine, name: str) -> str:
    return str(getattr(line, name))[:200]


def _refuse_numbers(invoice: Any) -> None:
    """Numbers are plain and short before anything calculates with them: 1e999999999 would fill the memory."""
    for line in invoice["lines"]:
        for name in _NUMBERS:
            if line[name] is not None and not _NUMBER.fullmatch(line[name]):
                raise ValueError(f"a line's {name} is no plain number")
