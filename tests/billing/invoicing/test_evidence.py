"""A bundle is verified as made; whatever is changed in it, by a vandal or by a forger with a key of his own, shows."""

import hashlib
import io
import json
import random
import struct
import zipfile
from dataclasses import replace
from datetime import date
from functools import cache
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest

from billing.capacity.booking import Booking, booking_id
from billing.capacity.lease import FactKind, Lease, LeaseFact, LeaseKind, fact_id, lease_id
from billing.capacity.machine_use import MachineUse
from billing.capacity.measure import measure
from billing.invoicing import canonical_zip, evidence, invoice_json
from billing.invoicing.draft import draft
from billing.invoicing.evidence import Case, bundle
from billing.invoicing.evidence_check import Report, Verdict, check_bundle
from billing.invoicing.evidence_json import CaseMeter
from billing.invoicing.evidence_keys import AgentKey, BadRegistry, Keys, is_signed, registry_from, registry_text, sign
from billing.invoicing.invoice import Invoice, Status
from billing.invoicing.line import differences
from billing.money import Money
from billing.pricing.rating import rate
from metering import ocmf
from metering.audit import audit
from metering.keyring import Keyring
from metering.period import Period
from metering.signing import new_key, public_to_pem
from tests.builders import BEFORE_MAY, JUNE, MAY, SHANGHAI, organisation, seal_life, worked_month, worked_tariff

AGENT_KEY, PLATFORM_KEY = new_key(), new_key()
AGENT, METER = "agent-1", "SN-1"
MAKER, SME = organisation("maker"), organisation("sme")
AGENT_KEYS = Keyring.single(AGENT_KEY.public_key())
KEYS = Keys({AGENT: AgentKey(AGENT_KEYS, METER)}, (PLATFORM_KEY.public_key(),))


@cache
def texts() -> tuple[str, ...]:
    shop: Any = SimpleNamespace(agent=SimpleNamespace(id=AGENT), meter=SimpleNamespace(serial=METER), key=AGENT_KEY)
    return tuple(seal_life(shop, worked_month()))


BOMB = json.dumps([{"lines": [{"quantity": "1e999999999", "price": None, "amount": "1", "vat_rate": "0"}]}]).encode()


def lease() -> Lease:
    machine = UUID(int=1)
    return Lease(
        id=lease_id(machine, SME.id, BEFORE_MAY),
        kind=LeaseKind.OPEN_ENDED,
        machine_id=machine,
        meter_id=UUID(int=2),
        meter_serial=METER,
        lessor_id=MAKER.id,
        lessee_id=SME.id,
        tariff_version_id=UUID(int=3),
        currency="CNY",
        zone=SHANGHAI,
        starts=BEFORE_MAY,
    )


def fact(kind: FactKind, quantity: str, *proof: str) -> LeaseFact:
    mine = lease()
    at = MAY.start
    return LeaseFact(
        id=fact_id(mine.id, kind, at),
        lease_id=mine.id,
        lessor_id=MAKER.id,
        lessee_id=SME.id,
        kind=kind,
        at=at,
        quantity=__import__("decimal").Decimal(quantity),
        evidence=proof,
    )


def issued(found: Invoice, number: str = "LS2026000001") -> Invoice:
    return replace(
        found,
        status=Status.ISSUED,
        number=number,
        invoice_date=date(2026, 6, 1),
        due_date=date(2026, 6, 15),
        issued_at=JUNE,
    )


@cache
def case() -> Case:
    mine = lease()
    slot = Booking(
        id=booking_id(mine.id, MAY),
        lease_id=mine.id,
        machine_id=mine.machine_id,
        lessor_id=MAKER.id,
        lessee_id=SME.id,
        slot=MAY,
    )
    facts = (fact(FactKind.AVAILABILITY, "92.0"), fact(FactKind.LATE_CANCEL, "4", "booking-7"))
    usage = audit(texts(), keys=AGENT_KEYS).usage
    bill = rate(worked_tariff(), measure(mine, MAY, uses=[MachineUse(mine.machine_id, usage, [slot])], facts=facts))
    invoice = issued(draft(bill, mine, seller=MAKER, buyer=SME, machine="Mill-turn 1", replayed=False))
    meters = (CaseMeter(mine.machine_id, mine.meter_serial),)
    return Case(invoice, worked_tariff(), mine, meters, (slot,), facts, texts())


@cache
def good() -> bytes:
    return bundle(case(), PLATFORM_KEY)


def check(data: bytes, keys: Keys = KEYS) -> Report:
    return check_bundle(data, keys=keys)


def repacked(changes: dict[str, bytes | None], *, key: Any = None) -> bytes:
    """The good bundle with files changed; with `key` the manifest is made and signed anew, as a forger would."""
    files, _ = canonical_zip.unpack(good())
    for name, content in changes.items():
        if content is None:
            del files[name]
        else:
            files[name] = content
    if key:
        manifest = json.loads(files[evidence.MANIFEST])
        plain = {n: c for n, c in files.items() if n not in (evidence.MANIFEST, evidence.SIGNATURE)}
        manifest["sha256"] = {name: hashlib.sha256(content).hexdigest() for name, content in plain.items()}
        files[evidence.MANIFEST] = evidence.canonical(manifest)
        files[evidence.SIGNATURE] = sign(files[evidence.MANIFEST], key).encode()
    return canonical_zip.pack(files)


def file(name: str) -> bytes:
    return canonical_zip.unpack(good())[0][name]


def edited(name: str, old: str, new: str) -> dict[str, bytes | None]:
    text = file(name).decode()
    assert old in text
    return {name: text.replace(old, new, 1).encode()}


def test_the_worked_month_is_verified_to_the_cent() -> None:
    report = check(good())
    assert report.findings == ()
    assert report.verdict is Verdict.VERIFIED
    assert report.bill
    assert report.bill.total == Money(1615139, "CNY")
    assert case().invoice.total == report.bill.total


def test_the_same_case_gives_the_same_bytes_and_any_zip_tool_opens_them() -> None:
    assert bundle(case(), PLATFORM_KEY) == good()
    with zipfile.ZipFile(io.BytesIO(good())) as opened:
        assert opened.testzip() is None
        assert set(opened.namelist()) == evidence.FILES | {evidence.MANIFEST, evidence.SIGNATURE}


def test_no_key_is_in_the_bundle() -> None:
    for key in (AGENT_KEY, PLATFORM_KEY):
        assert public_to_pem(key.public_key()).splitlines()[1].encode() not in good()


@pytest.mark.parametrize("seed", range(40))
def test_a_changed_byte_anywhere_is_found_and_named(seed: int) -> None:
    chance = random.Random(seed)
    data = bytearray(good())
    at = chance.randrange(len(data))
    data[at] ^= 1 << chance.randrange(8)
    report = check(bytes(data))
    assert report.verdict is Verdict.WRONG
    assert all(finding.where and finding.what for finding in report.findings)


def test_every_byte_of_the_container_counts() -> None:
    """All headers, names, the directory, the end, the manifest and its signature: each byte by itself."""
    files, _ = canonical_zip.unpack(good())
    small = {name: content for name, content in files.items() if name not in (evidence.READINGS,)}
    data = canonical_zip.pack(small)
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 0x20
        again, problems = canonical_zip.unpack(bytes(changed))
        assert problems or again != small, at
        if problems:
            assert problems[0].startswith(("byte ", "the file")), problems


def test_what_was_changed_is_named_by_file() -> None:
    data = bytearray(good())
    at = good().index(b"remote monitoring") if b"remote monitoring" in good() else good().index(b"Remote monitoring")
    data[at] = ord("r") if data[at] != ord("r") else ord("R")
    places = " ".join(map(str, check(bytes(data)).findings))
    assert evidence.INVOICE in places or evidence.TARIFF in places


@pytest.mark.parametrize(
    ("tail", "told"),
    [(b"x", "after the container's end"), (b"PK\x05\x06" + bytes(18), "after the container's end")],
)
def test_something_appended_is_found(tail: bytes, told: str) -> None:
    assert told in str(check(good() + tail).findings[0])


def test_a_truncated_file_is_found() -> None:
    for length in (0, 1, 100, len(good()) // 2, len(good()) - 1):
        assert check(good()[:length]).verdict is Verdict.WRONG


def lines(content: bytes) -> list[bytes]:
    return content.splitlines(keepends=True)


def without(at: int) -> bytes:
    found = lines(file(evidence.READINGS))
    return b"".join(found[:at] + found[at + 1 :])


def swapped() -> bytes:
    found = lines(file(evidence.READINGS))
    found[3], found[4] = found[4], found[3]
    return b"".join(found)


def doubled() -> bytes:
    found = lines(file(evidence.READINGS))
    return b"".join([*found[:5], found[4], *found[5:]])


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda: without(7), "missing before it"),
        (lambda: without(0), "reading 1 of SN-1, which the invoice names"),
        (lambda: without(31), "reading 2977 of SN-1, which the invoice names"),
        (swapped, "readings.ocmf"),
        (doubled, "already there"),
    ],
)
def test_even_the_platform_cannot_drop_double_or_reorder_readings(change: Any, told: str) -> None:
    """The manifest is made and signed anew with the platform's own key: the readings still do not fit."""
    report = check(repacked({evidence.READINGS: change()}, key=PLATFORM_KEY))
    assert report.verdict is Verdict.WRONG
    assert told in " ".join(map(str, report.findings))


def test_even_the_platform_cannot_change_a_reading() -> None:
    record = lines(file(evidence.READINGS))[5].decode()
    values = record.split('"XV":[[')[1].split("]")[0]
    more = ",".join(str(int(value) + 3_600_000) for value in values.split(","))
    leading = record.split('"RV":')[1].split("}")[0]
    energy = leading.replace(".", "")
    changed = record.replace(f"[[{values}]", f"[[{more}]", 1)
    assert energy in values.split(",")
    shown = f"{int(energy) + 3_600_000:07}"
    shown = f"{shown[:-6]}.{shown[-6:]}" if "." in leading else shown
    changed = changed.replace(f'"RV":{leading}', f'"RV":{shown}', 1)
    content = file(evidence.READINGS).replace(record.encode(), changed.encode())
    report = check(repacked({evidence.READINGS: content}, key=PLATFORM_KEY))
    assert "signature does not match" in " ".join(map(str, report.findings))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (lambda: edited(evidence.TARIFF, '"9.50"', '"9.60"'), "line 6 (wear), price: says 9.50"),
        (lambda: edited(evidence.INVOICE, '"2348.53"', '"2348.54"'), "contradicts itself"),
        (lambda: edited(evidence.INVOICE, '"total":"16151.39"', '"total":"16151.40"'), "contradicts itself"),
        (lambda: edited(evidence.FACTS, '"92.0"', '"93.0"'), "line 8 (availability)"),
        (lambda: edited(evidence.LEASE, "Asia/Shanghai", "Europe/Berlin"), "zone differs"),
        (lambda: edited(evidence.BOOKINGS, '"of_this_lease":true', '"of_this_lease":false'), "the readings give"),
        (lambda: edited(evidence.ROUNDING, "HALF_UP", "HALF_DOWN"), "contradicts itself"),
        (lambda: edited(evidence.TARIFF, '"rounding":"line"', '"rounding":"sum"'), "rounding policy differs"),
        (lambda: {"extra.txt": b"hello"}, "does not belong"),
        (lambda: {evidence.FACTS: None}, "is missing"),
        (lambda: edited(evidence.INVOICE, '"2348.53"', '"1e999999999"'), "no plain number"),
        (lambda: {evidence.EARLIER_INVOICES: BOMB}, "no plain number"),
        (lambda: {evidence.INVOICE: b"[" * 100_000}, "cannot be read"),
        (lambda: {evidence.LEASE: b"\xff\xfe"}, "cannot be read"),
    ],
)
def test_an_altered_file_is_found_even_under_the_platforms_own_signature(changes: Any, told: str) -> None:
    unsigned = check(repacked(changes()))
    assert unsigned.verdict is Verdict.WRONG
    signed = check(repacked(changes(), key=PLATFORM_KEY))
    assert signed.verdict is Verdict.WRONG
    assert told in " ".join(map(str, signed.findings))


def test_a_bundle_wholly_signed_with_other_keys_fails() -> None:
    """A forger seals inflated readings, rates and signs everything properly, but with keys of his own."""
    forger: Any = SimpleNamespace(agent=SimpleNamespace(id=AGENT), meter=SimpleNamespace(serial=METER), key=new_key())
    sealed = tuple(seal_life(forger, worked_month()))
    forged = replace(case(), texts=sealed)
    whole = check(bundle(forged, forger.key))
    places = " ".join(map(str, whole.findings))
    assert "manifest.sig: is not the platform's signature" in places
    assert "signature does not match" in places
    readings_only = check(bundle(forged, PLATFORM_KEY))
    assert "signature does not match" in " ".join(map(str, readings_only.findings))
    own = Keys({AGENT: AgentKey(Keyring.single(forger.key.public_key()))}, (forger.key.public_key(),))
    assert check(bundle(forged, forger.key), own).verdict is Verdict.VERIFIED


def test_without_the_platforms_key_a_bundle_is_not_called_verified() -> None:
    report = check(good(), Keys({}, (), AgentKey(AGENT_KEYS)))
    assert report.verdict is Verdict.INCOMPLETE
    assert "no platform key" in report.missing[0]


def test_an_agent_that_the_registry_does_not_know_proves_nothing() -> None:
    assert "not in the key registry" in str(check(good(), Keys({}, KEYS.platform)).findings[0])
    other_meter = Keys({AGENT: AgentKey(AGENT_KEYS, "SN-2")}, KEYS.platform)
    assert "for meter SN-2" in str(check(good(), other_meter).findings[0])


def test_an_adjustment_is_verified_as_the_difference_to_what_was_billed() -> None:
    whole = case().invoice
    first_lines = tuple(line for line in whole.lines if line.code != "travel")
    first = replace(whole, lines=first_lines)
    second = issued(replace(whole, ordinal=1, lines=differences(whole.lines, first_lines)), number="LS2026000002")
    report = check(bundle(replace(case(), invoice=second, billed=(first,)), PLATFORM_KEY))
    assert report.findings == ()
    alone = check(bundle(replace(case(), invoice=second), PLATFORM_KEY))
    assert "not all there" in str(alone.findings[0])


def test_a_month_without_use_is_verified_too() -> None:
    mine = lease()
    bill = rate(worked_tariff(), measure(mine, MAY, uses=[], facts=[]))
    invoice = issued(draft(bill, mine, seller=MAKER, buyer=SME, machine="Mill-turn 1", replayed=False))
    report = check(bundle(Case(invoice, worked_tariff(), mine, ()), PLATFORM_KEY))
    assert report.findings == ()
    assert invoice.total == Money(1080600, "CNY")


def test_a_flipped_signature_with_the_other_s_is_not_taken() -> None:
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    signature = sign(b"text", PLATFORM_KEY)
    r, s = decode_dss_signature(bytes.fromhex(signature))
    assert is_signed(signature, b"text", KEYS.platform)
    assert not is_signed(encode_dss_signature(r, order - s).hex(), b"text", KEYS.platform)
    assert not is_signed(signature.upper(), b"text", KEYS.platform)
    assert not is_signed(signature + "\n", b"text", KEYS.platform)


def test_a_registry_is_written_and_read_and_nonsense_is_refused() -> None:
    pem = public_to_pem(AGENT_KEY.public_key())
    text = registry_text({AGENT: (METER, [(1, pem)])}, [public_to_pem(PLATFORM_KEY.public_key())])
    assert check(good(), registry_from(text)).verdict is Verdict.VERIFIED
    for nonsense in ("", "{}", "[]", '{"format":"x"}', text.replace("BEGIN", "BEGUN"), "[" * 50_000):
        with pytest.raises(ValueError, match=r"."):
            registry_from(nonsense)
    assert issubclass(BadRegistry, ValueError)


def test_bombs_are_refused_before_they_go_off() -> None:
    many = {f"f{number}": b"" for number in range(canonical_zip.MAX_FILES + 1)}
    with pytest.raises(canonical_zip.NotPackable):
        canonical_zip.pack(many)
    local = struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 8, 0, 33, 0, 100, 2**32 - 1, 1, 0) + b"a"
    assert "damaged" in canonical_zip.unpack(local + bytes(100))[1][0]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("bomb", bytes(10_000_000))
    assert check(buffer.getvalue()).verdict is Verdict.WRONG


def test_the_invoice_in_the_bundle_is_the_one_that_was_issued() -> None:
    assert invoice_json.from_json(file(evidence.INVOICE).decode()).number == "LS2026000001"
    assert Period(MAY.start, MAY.end) == invoice_json.from_json(file(evidence.INVOICE).decode()).period
    assert ocmf.parse(lines(file(evidence.READINGS))[0].decode().strip()).record.meter == METER
