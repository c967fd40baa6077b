"""A meter replaced, a machine swapped, within a leased month: the bill stays right to the cent and says so."""

import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pypdf import PdfReader

from app import documents
from app.closing import close, issue
from app.database import Database, Role
from app.replacing import put_machine, put_meter
from billing.capacity.booking import BookingStatus, OffTheGrid
from billing.capacity.lease import FactKind, Lease, Listing
from billing.capacity.store import LeasingStore
from billing.capacity.swap import CannotSwap
from billing.invoicing import canonical_zip
from billing.invoicing.evidence_check import Report, Verdict, check_bundle
from billing.invoicing.evidence_keys import AgentKey, Keys
from billing.invoicing.invoice import Invoice
from metering import ocmf
from metering.enrol import MeterTaken, invite, redeem
from metering.keyring import Keyring
from metering.machine import Machine, machine_id
from metering.period import Period
from metering.replace_meter import CannotReplace
from metering.store import MeteringStore
from tests.billing.invoicing.test_close_period import WORKED_LEASE, WORKED_REST
from tests.builders import (
    BEFORE_MAY,
    JUNE,
    MAY,
    SHANGHAI,
    Growth,
    Shop,
    add_organisation,
    open_shop,
    seal_life,
    worked_month,
)

PLATFORM = ocmf.new_key()
MIDDLE = sorted(worked_month())[len(worked_month()) // 2]
CHANGED = MIDDLE + timedelta(minutes=7)
WHY = "controller exchanged"


@pytest.fixture
def shop(database: Database) -> Shop:
    return open_shop(database)


def worked_lease(shop: Shop) -> Lease:
    lease = shop.lease()
    shop.book(lease, MAY)
    shop.record(lease, FactKind.AVAILABILITY, MAY.start, "92.0")
    shop.record(lease, FactKind.LATE_CANCEL, MAY.start + timedelta(days=12), "4", "booking-7")
    return lease


def enrolled(shop: Shop, code: str, serial: str, listing: Listing) -> Shop:
    """The shop seen through another meter of its maker."""
    key = ocmf.new_key()
    with shop.database.transaction(Role.WORKER) as session:
        metering = MeteringStore(session)
        redeem(code, ocmf.public_to_pem(key.public_key()), name="agent", version="1", store=metering, now=JUNE)
        meter = metering.meter_by_serial(serial)
        agent = metering.agent_of(meter.id)
    assert agent
    return replace(shop, meter=meter, agent=agent, key=key, listing=listing)


def local(moment: datetime) -> str:
    return f"{moment.astimezone(ZoneInfo(SHANGHAI)):%Y-%m-%d %H:%M}"


def with_new_meter(shop: Shop, serial: str = "SN-new", at: datetime = CHANGED) -> Shop:
    with shop.database.transaction(Role.WORKER) as session:
        done = put_meter(session, shop.meter.serial, serial, at=at, reason=WHY, now=JUNE)
        listing = LeasingStore(session).listing(shop.listing.machine_id)
    assert (listing.meter_id, listing.meter_serial) == (done.fitting.meter.id, serial)
    return enrolled(shop, done.invitation.code, serial, listing)


def with_second_machine(shop: Shop) -> Shop:
    other = Machine(
        id=machine_id(shop.maker.id, "Mill-turn 2"),
        owner_id=shop.maker.id,
        name="Mill-turn 2",
        model="MT 300",
        zone=SHANGHAI,
    )
    with shop.database.transaction(Role.WORKER) as session:
        invitation = invite(other, "SN-second", store=MeteringStore(session), now=JUNE)
        meter = invitation.meter
        listing = replace(
            shop.listing, machine_id=other.id, meter_id=meter.id, meter_serial=meter.serial, title="Mill-turn 2"
        )
        LeasingStore(session).add_listing(listing, now=BEFORE_MAY)
    return enrolled(shop, invitation.code, "SN-second", listing)


def split(growths: Mapping[datetime, Growth], at: datetime) -> tuple[dict[datetime, Growth], dict[datetime, Growth]]:
    before = {start: growth for start, growth in growths.items() if start < at}
    return before, {start: growth for start, growth in growths.items() if start >= at}


def measured_by_both(old: Shop, new: Shop, at: datetime = MIDDLE) -> None:
    """The worked month, its first part counted by the one meter, the rest by the other, from zero on."""
    first, rest = split(worked_month(), at)
    assert not old.ingest(seal_life(old, first, Period(MAY.start, at))).refused
    assert not new.ingest(seal_life(new, rest, Period(at, MAY.end))).refused


def billed(shop: Shop) -> Invoice:
    closing = close(shop.database, MAY, now=JUNE)
    assert closing.parked == ()
    (draft,) = closing.invoices
    (invoice,) = issue(shop.database, [draft.id], now=JUNE)
    assert close(shop.database, MAY, now=JUNE + timedelta(hours=1)).changed == frozenset()
    return invoice


def amounts(invoice: Invoice) -> list[str]:
    return [str(line.amount.decimal) for line in invoice.lines]


def evidence(shop: Shop, invoice: Invoice) -> bytes:
    with shop.database.transaction(Role.WORKER) as session:
        return documents.evidence(session, invoice, PLATFORM)


def checked(data: bytes, *shops: Shop) -> Report:
    agents = {str(each.agent.id): AgentKey(Keyring.single(each.key.public_key()), each.meter.serial) for each in shops}
    return check_bundle(data, keys=Keys(agents, (PLATFORM.public_key(),)))


def printed(shop: Shop, invoice: Invoice) -> str:
    with shop.database.transaction(Role.WORKER) as session:
        pdf = documents.pdf(session, invoice)
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


def test_a_meter_replaced_in_the_month_changes_no_cent_and_both_are_on_the_bill(shop: Shop) -> None:
    worked_lease(shop)
    new = with_new_meter(shop)
    measured_by_both(shop, new)
    invoice = billed(shop)
    assert amounts(invoice) == WORKED_LEASE + WORKED_REST
    wear = next(line for line in invoice.lines if line.code == "wear")
    assert {item.meter for item in wear.evidence} == {shop.meter.serial, "SN-new"}
    text = printed(shop, invoice)
    for told in ("SN-maker, SN-new", f"Taken off the machine at {local(CHANGED)}", "On the machine since", WHY):
        assert told in text
    report = checked(evidence(shop, invoice), shop, new)
    assert (report.verdict, report.findings) == (Verdict.VERIFIED, ())


def test_evidence_over_a_change_needs_both_meters_chains_and_keys(shop: Shop) -> None:
    worked_lease(shop)
    new = with_new_meter(shop)
    measured_by_both(shop, new)
    data = evidence(shop, billed(shop))
    assert checked(data, shop).verdict is Verdict.WRONG
    swapped = checked(data, shop, replace(new, key=shop.key))
    assert swapped.verdict is Verdict.WRONG
    files, _ = canonical_zip.unpack(data)
    moved = files["meters.json"].replace(CHANGED.isoformat().encode(), MAY.end.isoformat().encode())
    assert moved != files["meters.json"]
    report = checked(canonical_zip.pack({**files, "meters.json": moved}), shop, new)
    assert any(finding.where == "meters.json" for finding in report.findings)


def test_the_lessee_sees_the_new_meter_from_the_change_on(shop: Shop) -> None:
    worked_lease(shop)
    new = with_new_meter(shop)
    measured_by_both(shop, new)
    with shop.database.transaction(Role.APP, party=shop.sme.id) as session:
        metering = MeteringStore(session)
        assert metering.usage(new.meter.id, Period(MIDDLE, MAY.end))
        assert [one.period for one in metering.planned_sessions(new.meter.id, MAY)] == [Period(CHANGED, MAY.end)]


def test_what_the_old_meter_sends_late_is_billed_as_an_adjustment(shop: Shop) -> None:
    lease = worked_lease(shop)
    new = with_new_meter(shop)
    first, rest = split(worked_month(), MIDDLE)
    texts = seal_life(shop, first, Period(MAY.start, MIDDLE))
    assert not shop.ingest(texts[:-1]).refused
    assert not new.ingest(seal_life(new, rest, Period(MIDDLE, MAY.end))).refused
    early = billed(shop)
    assert not shop.ingest(texts[-1:], now=JUNE + timedelta(days=1)).refused
    closing = close(shop.database, MAY, now=JUNE + timedelta(days=2))
    late = next(invoice for invoice in closing.invoices if invoice.id in closing.changed)
    assert (early.lease, late.lease, late.ordinal) == (lease.id, lease.id, 1)
    assert (early.net + late.net).decimal == sum(map(type(early.net.decimal), WORKED_LEASE + WORKED_REST))


def test_a_replacement_told_twice_is_one_and_a_wrong_one_is_refused(shop: Shop) -> None:
    with_new_meter(shop)
    for again in range(2):
        with shop.database.transaction(Role.WORKER) as session:
            put_meter(session, shop.meter.serial, "SN-new", at=CHANGED, reason=f"told again {again}", now=JUNE)
            (old, new) = MeteringStore(session).fittings(shop.meter.id)
            assert (old.until, new.since, new.reason) == (CHANGED, CHANGED, WHY)
    wrong = (
        (shop.meter.serial, "SN-third", CHANGED, WHY, "name SN-new"),
        ("SN-new", "SN-third", CHANGED, WHY, "tell a later moment"),
        ("SN-new", "SN-third", JUNE + timedelta(days=1), WHY, "still to come"),
        ("SN-new", "SN-third", MAY.end, " ", "give a reason"),
        (shop.meter.serial, "SN-new", MAY.end, WHY, "already, since"),
    )
    for old_serial, serial, at, why, told in wrong:
        with pytest.raises(CannotReplace, match=told), shop.database.transaction(Role.WORKER) as session:
            put_meter(session, old_serial, serial, at=at, reason=why, now=JUNE)
    with_second_machine(shop)
    with pytest.raises(MeterTaken), shop.database.transaction(Role.WORKER) as session:
        put_meter(session, "SN-new", "SN-second", at=MAY.end, reason=WHY, now=JUNE)


def test_two_replacements_in_one_month_are_three_turns(shop: Shop) -> None:
    worked_lease(shop)
    second = with_new_meter(shop)
    third_at = MIDDLE + timedelta(days=5)
    third = with_new_meter(second, "SN-third", third_at)
    first, rest = split(worked_month(), MIDDLE)
    middle, last = split(rest, third_at)
    for each, growths, period in (
        (shop, first, Period(MAY.start, MIDDLE)),
        (second, middle, Period(MIDDLE, third_at)),
        (third, last, Period(third_at, MAY.end)),
    ):
        assert not each.ingest(seal_life(each, growths, period)).refused
    invoice = billed(shop)
    assert amounts(invoice) == WORKED_LEASE + WORKED_REST
    assert checked(evidence(shop, invoice), shop, second, third).verdict is Verdict.VERIFIED


def test_a_machine_swapped_in_the_month_goes_on_under_the_lease(shop: Shop) -> None:
    lease = worked_lease(shop)
    other = with_second_machine(shop)
    for _ in range(2):
        with shop.database.transaction(Role.WORKER) as session:
            put_machine(session, lease.id, other.listing.machine_id, at=MIDDLE, reason="spindle repair", now=JUNE)
            standing = [
                (booking.machine_id, booking.slot)
                for booking in LeasingStore(session).bookings_of_lease(lease.id)
                if booking.status is BookingStatus.CONFIRMED
            ]
        assert standing == [
            (shop.listing.machine_id, Period(MAY.start, MIDDLE)),
            (other.listing.machine_id, Period(MIDDLE, MAY.end)),
        ]
    measured_by_both(shop, other)
    invoice = billed(shop)
    assert amounts(invoice) == WORKED_LEASE + WORKED_REST
    assert invoice.terms.machine == f"Mill-turn 1, Mill-turn 2 (from {MIDDLE:%Y-%m-%d}: spindle repair)"
    text = printed(shop, invoice)
    assert "MT 200 · SN-maker" in text
    assert "MT 300 · SN-second" in text
    report = checked(evidence(shop, invoice), shop, other)
    assert (report.verdict, report.findings) == (Verdict.VERIFIED, ())


def test_what_the_old_machine_does_after_the_swap_is_not_the_leases(shop: Shop) -> None:
    lease = worked_lease(shop)
    other = with_second_machine(shop)
    with shop.database.transaction(Role.WORKER) as session:
        put_machine(session, lease.id, other.listing.machine_id, at=MIDDLE, reason="repair", now=JUNE)
    first, _ = split(worked_month(), MIDDLE)
    assert not shop.ingest(seal_life(shop, worked_month())).refused
    closing = close(shop.database, MAY, now=JUNE)
    assert closing.parked == ()
    assert [each.machine for each in closing.outside] == [shop.listing.machine_id]
    counted, mine = (
        sum(growth.deltas["spindle_on"] for growth in growths.values()) for growths in (worked_month(), first)
    )
    assert closing.outside[0].totals["spindle_on"] == counted - mine > 0


def test_a_swap_onto_a_machine_that_is_taken_changes_nothing(shop: Shop) -> None:
    lease = worked_lease(shop)
    other = with_second_machine(shop)
    stranger = add_organisation(shop, "stranger")
    taken = Lease(
        id=lease.id.__class__(int=7),
        kind=lease.kind,
        machine_id=other.listing.machine_id,
        meter_id=other.meter.id,
        meter_serial=other.meter.serial,
        lessor_id=shop.maker.id,
        lessee_id=stranger.id,
        tariff_version_id=lease.tariff_version_id,
        currency="CNY",
        zone=SHANGHAI,
        starts=BEFORE_MAY,
    )
    with shop.database.transaction(Role.WORKER) as session:
        LeasingStore(session).add_lease(taken, now=BEFORE_MAY)
    other.book(taken, Period(MAY.end - timedelta(days=1), MAY.end))
    with shop.database.transaction(Role.WORKER) as session:
        before = LeasingStore(session).bookings_of_lease(lease.id)
    with pytest.raises(CannotSwap, match="is taken"), shop.database.transaction(Role.WORKER) as session:
        put_machine(session, lease.id, other.listing.machine_id, at=MIDDLE, reason="repair", now=JUNE)
    with pytest.raises(OffTheGrid), shop.database.transaction(Role.WORKER) as session:
        put_machine(session, lease.id, other.listing.machine_id, at=CHANGED, reason="repair", now=JUNE)
    with shop.database.transaction(Role.WORKER) as session:
        assert LeasingStore(session).bookings_of_lease(lease.id) == before
        assert len(LeasingStore(session).machines_of(lease)) == 1
