"""Bundles made from the database: of a part of a meter's life, beside other parties, and after things have changed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from app.closing import close, issue
from app.database import Database, Role
from app.refusals import settle_one
from billing.capacity.cancel_booking import cancel_booking
from billing.capacity.store import LeasingStore
from billing.invoicing import canonical_zip
from billing.invoicing.bundle import NotIssued, make_bundle
from billing.invoicing.evidence import GAPS, MANIFEST
from billing.invoicing.evidence_check import Verdict, check_bundle
from billing.invoicing.evidence_keys import AgentKey, Keys
from billing.invoicing.invoice import Invoice
from billing.invoicing.store import InvoiceStore
from billing.pricing.store import TariffStore
from metering import ocmf
from metering.keyring import Keyring
from metering.period import Period
from metering.reading import GENESIS
from metering.refusals.store import RefusalStore
from metering.signing import new_key
from metering.store import MeteringStore
from tests.builders import JUNE, MAY, Shop, add_organisation, open_shop, seal_life, worked_month

KEY = new_key()
DAY = timedelta(days=1)
MIDDLE = MAY.start + (MAY.end - MAY.start) / 2


@pytest.fixture
def shop(database: Database) -> Shop:
    return open_shop(database)


def made(shop: Shop, invoice: Invoice) -> bytes:
    with shop.database.transaction(Role.WORKER) as session:
        return make_bundle(
            invoice.id,
            key=KEY,
            invoicing=InvoiceStore(session),
            metering=MeteringStore(session),
            leasing=LeasingStore(session),
            tariffs=TariffStore(session),
        )


def keys(shop: Shop) -> Keys:
    agent = AgentKey(Keyring.single(shop.key.public_key()), shop.meter.serial)
    return Keys({str(shop.agent.id): agent}, (KEY.public_key(),))


def adjoining(shop: Shop) -> tuple[Invoice, Invoice]:
    """Two lessees with half a month each, closed and issued: the one from the start, the other to the end."""
    first, second = shop.lease(), shop.lease(add_organisation(shop, "other"))
    shop.book(first, Period(MAY.start, MIDDLE))
    shop.book(second, Period(MIDDLE, MAY.end))
    assert not shop.ingest(seal_life(shop, worked_month())).refused
    closing = close(shop.database, MAY, now=JUNE)
    assert closing.parked == ()
    issued = {one.lease: one for one in issue(shop.database, [each.id for each in closing.invoices], now=JUNE)}
    return issued[first.id], issued[second.id]


def test_a_draft_has_no_evidence(shop: Shop) -> None:
    shop.lease()
    (draft,) = close(shop.database, MAY, now=JUNE).invoices
    with pytest.raises(NotIssued, match="issue it first"):
        made(shop, draft)


def test_both_halves_of_a_meters_month_are_verified_each_by_itself(shop: Shop) -> None:
    """The second begins in the middle of the meter's life: earlier texts tell what its spectrum stood at."""
    for invoice in adjoining(shop):
        report = check_bundle(made(shop, invoice), keys=keys(shop))
        assert report.findings == ()
        assert report.verdict is Verdict.VERIFIED
        assert report.bill
        assert report.bill.total == invoice.total


def test_a_bundle_shows_no_more_of_the_other_party_than_that_a_slot_was_taken(shop: Shop) -> None:
    first, second = adjoining(shop)
    for mine, theirs in ((first, second), (second, first)):
        content = b"".join(canonical_zip.unpack(made(shop, mine))[0].values())
        for secret in (str(theirs.lease), str(theirs.buyer.id), theirs.buyer.name, theirs.number or ""):
            assert secret
            assert secret.encode() not in content


def test_what_happens_later_does_not_change_the_evidence(shop: Shop) -> None:
    first, second = adjoining(shop)
    before = made(shop, first), made(shop, second)
    with shop.database.transaction(Role.WORKER) as session:
        leasing = LeasingStore(session)
        (booking,) = leasing.bookings_of_lease(first.lease)
        cancel_booking(booking.id, leasing=leasing, metering=MeteringStore(session), now=JUNE.replace(day=20))
    assert (made(shop, first), made(shop, second)) == before
    assert check_bundle(before[0], keys=keys(shop)).verdict is Verdict.VERIFIED


def test_who_checks_a_bundle_is_told_which_sessions_the_agent_signed(shop: Shop) -> None:
    lease = shop.lease()
    known = [shop.book(lease, Period(MAY.start + number * DAY, MAY.start + (number + 1) * DAY)) for number in (2, 4)]
    shop.book(lease, Period(MAY.start + 6 * DAY, MAY.start + 7 * DAY))
    shop.ingest(seal_life(shop, worked_month(), sessions=known))
    (invoice,) = issue(shop.database, [each.id for each in close(shop.database, MAY, now=JUNE).invoices], now=JUNE)
    report = check_bundle(made(shop, invoice), keys=keys(shop))
    assert report.verdict is Verdict.VERIFIED
    assert "sessions: 2 with signed readings at begin and end, 1 cut at quarter hours" in report.checked


def test_a_gap_that_was_accepted_is_named_and_the_rest_is_verified(shop: Shop) -> None:
    """One record was sealed by a key that nobody knows; its gap is in the bundle, with who accepted it and why."""
    link, texts = GENESIS, []
    for sealed in map(ocmf.parse, seal_life(shop, worked_month())):
        key = new_key() if sealed.record.pagination == 10 else shop.key
        again = ocmf.seal(replace(sealed.record, previous=link), key)
        link = again.digest
        texts.append(again.text)
    lease = shop.lease()
    shop.book(lease, MAY)
    assert len(shop.ingest(texts).refused) == len(texts) - 9
    with shop.database.transaction(Role.WORKER) as session:
        first = RefusalStore(session).kept_aside(shop.meter.id, most=1)[0]
    done = settle_one(shop.database, shop.agent, first.id, why="box was swapped", by="Maker", now=JUNE)
    assert done.stored == len(texts) - 10
    (draft,) = close(shop.database, MAY, now=JUNE).invoices
    (invoice,) = issue(shop.database, [draft.id], now=JUNE)
    bundle = made(shop, invoice)
    report = check_bundle(bundle, keys=keys(shop))
    assert report.findings == ()
    assert report.verdict is Verdict.VERIFIED
    assert any("record 10 refused, accepted by Maker" in told and "box was swapped" in told for told in report.checked)
    files = canonical_zip.unpack(bundle)[0]
    without = canonical_zip.pack({name: content for name, content in files.items() if name != GAPS})
    told = {finding.where: finding.what for finding in check_bundle(without, keys=keys(shop)).findings}
    assert "records 10 to 10 are missing" in told["readings.ocmf"]
    assert MANIFEST in told
