"""Closing a period on real readings and a real database, to the cent."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from app import documents
from app.closing import close, issue
from app.database import Database, Role
from billing.accounting.store import LedgerStore
from billing.capacity.lease import FactKind, Lease
from billing.invoicing.evidence_check import Verdict, check_bundle
from billing.invoicing.evidence_keys import registry_from, registry_text
from billing.invoicing.invoice import Invoice, Status, WrongStatus
from billing.invoicing.issue_invoice import OnHold
from billing.invoicing.review import approve_invoice, hold_invoice, release_hold
from billing.invoicing.store import InvoiceStore
from billing.pricing.store import TariffStore
from metering import ocmf
from metering.period import QUARTER_HOUR, Period
from tests.builders import (
    JUNE,
    MAY,
    Growth,
    Shop,
    add_organisation,
    open_shop,
    running,
    seal_life,
    worked_month,
    worked_tariff,
)

WORKED_LEASE = ["6970.83", "2160.00", "787.50", "189.68", "-117.45", "2348.53", "441.47", "-418.25"]
WORKED_REST = ["643.02", "571.88", "117.22", "36.00", "600.00"]


@pytest.fixture
def shop(database: Database) -> Shop:
    return open_shop(database)


def worked(shop: Shop) -> Lease:
    """The worked month: one lease that has booked all of May."""
    lease = shop.lease()
    shop.book(lease, MAY)
    shop.record(lease, FactKind.AVAILABILITY, MAY.start, "92.0")
    shop.record(lease, FactKind.LATE_CANCEL, MAY.start + timedelta(days=12), "4", "booking-7")
    assert not shop.ingest(seal_life(shop, worked_month())).refused
    return lease


def busy(*hours: tuple[int, int]) -> dict[datetime, Growth]:
    """The machine at work from the first to the second hour of May, each."""
    spans = [Period(MAY.start + timedelta(hours=start), MAY.start + timedelta(hours=end)) for start, end in hours]
    return {quarter.start: running() for span in spans for quarter in span.quarter_hours()}


def slot(start: int, end: int) -> Period:
    return Period(MAY.start + timedelta(hours=start), MAY.start + timedelta(hours=end))


def spindle_hours(invoice: Invoice) -> Decimal:
    return sum((line.quantity or Decimal(0) for line in invoice.lines if line.code == "wear"), Decimal(0))


def ledger_sum(shop: Shop) -> int:
    with shop.database.transaction(Role.WORKER) as session:
        return sum(balance.amount.minor for balance in LedgerStore(session).trial_balance())


def of_lease(invoices: Iterable[Invoice], lease: Lease) -> list[Invoice]:
    return [invoice for invoice in invoices if invoice.lease == lease.id]


def test_the_worked_month_through_a_closed_period(shop: Shop) -> None:
    worked(shop)
    closing = close(shop.database, MAY, now=JUNE)
    assert (closing.parked, closing.outside) == ((), ())
    (invoice,) = closing.invoices
    assert [str(line.amount.decimal) for line in invoice.lines] == WORKED_LEASE + WORKED_REST
    lease_lines = [line.amount.decimal for line in invoice.lines if line.category.startswith("lease")]
    assert sum(lease_lines) == Decimal("12362.31")
    assert invoice.net.decimal == Decimal("14330.43")
    assert [str(part.tax.decimal) for part in invoice.vat] == ["1784.96", "36.00"]
    assert invoice.total.decimal == Decimal("16151.39")
    wear = next(line for line in invoice.lines if line.code == "wear")
    assert str(wear.quantity) == "247.2134"
    assert wear.evidence[0].meter == shop.meter.serial
    assert all(line.working for line in invoice.lines)
    assert not invoice.replayed


def test_the_worked_month_issued_is_in_the_books(shop: Shop) -> None:
    worked(shop)
    (draft,) = close(shop.database, MAY, now=JUNE).invoices
    (invoice,) = issue(shop.database, [draft.id], now=JUNE)
    assert (invoice.number, invoice.reference) == ("LS2026000001", "RF26LS2026000001")
    assert (str(invoice.invoice_date), str(invoice.due_date)) == ("2026-06-01", "2026-06-15")
    with shop.database.transaction(Role.APP, party=shop.maker.id) as session:
        books = {balance.account: str(balance.amount.decimal) for balance in LedgerStore(session).trial_balance()}
        assert InvoiceStore(session).get(invoice.id) == invoice
    assert books == {
        "receivable": "16151.39",
        "revenue.energy": "-1332.12",
        "revenue.lease_fixed": "-6970.83",
        "revenue.lease_variable": "-5391.48",
        "revenue.penalty": "-36.00",
        "revenue.service": "-600.00",
        "vat_output": "-1820.96",
    }


def test_closing_again_changes_nothing_at_any_step(shop: Shop) -> None:
    worked(shop)
    first = close(shop.database, MAY, now=JUNE)
    assert len(first.changed) == 1
    again = close(shop.database, MAY, now=JUNE + timedelta(days=1))
    assert (again.changed, again.invoices) == (frozenset(), first.invoices)
    with shop.database.transaction(Role.WORKER) as session:
        approve_invoice(first.invoices[0].id, invoicing=InvoiceStore(session), now=JUNE)
    approved = close(shop.database, MAY, now=JUNE)
    assert (approved.changed, approved.invoices[0].status) == (frozenset(), Status.REVIEW)
    issued = issue(shop.database, [first.invoices[0].id], now=JUNE)
    after = close(shop.database, MAY, now=JUNE + timedelta(days=2))
    assert (after.changed, list(after.invoices)) == (frozenset(), issued)


def test_a_late_fact_changes_the_draft_and_after_issue_becomes_an_adjustment(shop: Shop) -> None:
    lease = worked(shop)
    (draft,) = close(shop.database, MAY, now=JUNE).invoices
    shop.record(lease, FactKind.LATE_CANCEL, MAY.start + timedelta(days=20), "1", "booking-9")
    (changed,) = close(shop.database, MAY, now=JUNE).invoices
    assert changed.id == draft.id
    assert (changed.net - draft.net).decimal == Decimal("9.00")

    issue(shop.database, [draft.id], now=JUNE)
    shop.record(lease, FactKind.AVAILABILITY, MAY.start, "93.5")
    closing = close(shop.database, MAY, now=JUNE)
    first, adjustment = closing.invoices
    assert (first.status, adjustment.status, adjustment.ordinal) == (Status.ISSUED, Status.DRAFT, 1)
    assert [str(line.amount.decimal) for line in adjustment.lines] == ["278.83"]
    issued = issue(shop.database, [adjustment.id], now=JUNE)
    assert issued[0].number == "LS2026000002"
    assert close(shop.database, MAY, now=JUNE).changed == frozenset()
    assert ledger_sum(shop) == 0


def test_two_lessees_pay_for_their_own_bookings_and_use_outside_is_told(shop: Shop) -> None:
    one, other = shop.lease(), shop.lease(add_organisation(shop, "other"))
    shop.book(one, slot(9, 13))
    shop.book(other, slot(13, 17))
    shop.ingest(seal_life(shop, busy((9, 14), (16, 18), (30, 32)), slot(0, 48), replayed=True))
    closing = close(shop.database, MAY, now=JUNE)
    # The other's program ran on for an hour after its slot; nobody had booked the second morning.
    hours = {invoice.buyer.name: spindle_hours(invoice) for invoice in closing.invoices}
    assert hours == {"Sme": Decimal(4), "Other": Decimal(3)}
    (outside,) = closing.outside
    assert outside.totals["spindle_on"] == 2 * 3_600_000
    assert all(invoice.replayed for invoice in closing.invoices)


def test_one_bad_lease_is_parked_and_the_others_are_closed(shop: Shop) -> None:
    huge = replace(worked_tariff(), code="huge", charges=(), elements=(), adders=())
    assert huge.base_fee
    parts = (replace(huge.base_fee.parts[0], amount=Decimal("9" * 15)),) * 100
    with shop.database.transaction(Role.WORKER) as session:
        version = TariffStore(session).add(
            shop.maker.id, replace(huge, base_fee=replace(huge.base_fee, parts=parts)), now=JUNE
        )
    good, bad = shop.lease(), shop.lease(add_organisation(shop, "other"), tariff=version)
    shop.book(good, slot(9, 13))
    shop.ingest(seal_life(shop, busy((9, 13)), slot(0, 24)))
    closing = close(shop.database, MAY, now=JUNE)
    assert [invoice.lease for invoice in closing.invoices] == [good.id]
    (parked,) = closing.parked
    assert parked.lease == bad.id
    assert "NotStorable: bigint out of range" in parked.reason
    with shop.database.transaction(Role.APP, party=shop.maker.id) as session:
        assert InvoiceStore(session).parked(MAY) == [parked]


def test_an_invoice_on_hold_is_not_issued_and_the_hold_survives_a_close(shop: Shop) -> None:
    worked(shop)
    (draft,) = close(shop.database, MAY, now=JUNE).invoices
    with shop.database.transaction(Role.APP, party=shop.maker.id) as session:
        hold_invoice(draft.id, "meter disputed", invoicing=InvoiceStore(session), now=JUNE)
    with pytest.raises(OnHold, match="meter disputed"):
        issue(shop.database, [draft.id], now=JUNE)
    assert close(shop.database, MAY, now=JUNE).invoices[0].held == "meter disputed"
    with shop.database.transaction(Role.APP, party=shop.maker.id) as session:
        release_hold(draft.id, invoicing=InvoiceStore(session), now=JUNE)
    (issued,) = issue(shop.database, [draft.id], now=JUNE)
    with (
        pytest.raises(WrongStatus, match="review is over"),
        shop.database.transaction(Role.APP, party=shop.maker.id) as session,
    ):
        hold_invoice(issued.id, "too late", invoicing=InvoiceStore(session), now=JUNE)


def test_a_quarter_hour_is_the_finest_a_booking_can_be(shop: Shop) -> None:
    lease = shop.lease()
    shop.book(lease, Period(MAY.start, MAY.start + QUARTER_HOUR))
    shop.ingest(seal_life(shop, {MAY.start: running()}, slot(0, 2)))
    (invoice,) = of_lease(close(shop.database, MAY, now=JUNE).invoices, lease)
    assert spindle_hours(invoice) == Decimal("0.25")


def test_what_is_recorded_between_close_and_issue_is_billed_later_and_both_verify(shop: Shop) -> None:
    lease = worked(shop)
    (draft,) = close(shop.database, MAY, now=JUNE).invoices
    shop.record(lease, FactKind.AVAILABILITY, MAY.start, "93.5", now=JUNE + timedelta(hours=1))
    (first,) = issue(shop.database, [draft.id], now=JUNE + timedelta(hours=2))
    later = JUNE + timedelta(days=1)
    adjustment = close(shop.database, MAY, now=later).invoices[1]
    (second,) = issue(shop.database, [adjustment.id], now=later)
    assert (first.total.decimal, second.net.decimal) == (Decimal("16151.39"), Decimal("278.83"))
    platform = ocmf.new_key()
    agents = {str(shop.agent.id): (shop.meter.serial, [(1, shop.agent.public_key_pem)])}
    platforms = platform.public_key()
    keys = registry_from(registry_text(agents, [ocmf.public_to_pem(platforms)]))
    for invoice in (first, second):
        with shop.database.transaction(Role.WORKER) as session:
            bundle = documents.evidence(session, invoice, platform)
        report = check_bundle(bundle, keys=keys)
        assert (report.verdict, report.findings) == (Verdict.VERIFIED, ())
