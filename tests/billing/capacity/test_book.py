"""Booking on a real database: no two at once, each party sees its own, the same again is the same."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from app.database import Database, Role
from billing.capacity.book import Booked, Refused, book
from billing.capacity.booking import BookingStatus, OffTheGrid
from billing.capacity.cancel_booking import cancel_booking
from billing.capacity.lease import FactKind
from billing.capacity.store import LeasingStore, UnknownLease
from billing.pricing.store import TariffChanged, TariffStore, UnknownTariff
from metering.period import Period
from metering.store import MeteringStore
from tests.builders import BEFORE_MAY, JUNE, MAY, Shop, add_organisation, open_shop, worked_tariff


@pytest.fixture
def shop(database: Database) -> Shop:
    return open_shop(database)


def slot(day: int, hour: int, hours: int = 4) -> Period:
    start = MAY.start + timedelta(days=day - 1, hours=hour)
    return Period(start, start + timedelta(hours=hours))


def booked(shop: Shop, wanted: Period, lessee: UUID | None = None) -> Booked | Refused:
    with shop.database.transaction(Role.WORKER) as session:
        return book(
            shop.listing,
            lessee or shop.sme.id,
            wanted,
            leasing=LeasingStore(session),
            metering=MeteringStore(session),
            now=BEFORE_MAY,
        )


def test_a_booking_makes_its_lease_and_the_same_again_is_the_same(shop: Shop) -> None:
    first = booked(shop, slot(4, 8))
    assert isinstance(first, Booked)
    assert (first.lease.starts, first.lease.ends) == (slot(4, 8).start, slot(4, 8).end)
    assert first.lease.tariff_version_id == shop.listing.tariff_version_id
    assert booked(shop, slot(4, 8)) == first
    with shop.database.transaction(Role.WORKER) as session:
        assert LeasingStore(session).leases() == [first.lease]
        assert LeasingStore(session).bookings_of_machine(shop.listing.machine_id, MAY) == [first.booking]


def test_slots_may_meet_but_not_overlap(shop: Shop) -> None:
    other = add_organisation(shop, "other").id
    assert isinstance(booked(shop, slot(4, 8)), Booked)
    assert isinstance(booked(shop, slot(4, 12), other), Booked)
    refused = booked(shop, slot(4, 10), other)
    assert isinstance(refused, Refused)
    assert "taken" in refused.reason
    with shop.database.transaction(Role.WORKER) as session:
        assert len(LeasingStore(session).leases()) == 2
        assert LeasingStore(session).busy(shop.listing.machine_id, MAY) == [slot(4, 8), slot(4, 12)]


def test_many_at_once_give_one(shop: Shop) -> None:
    lessees = [add_organisation(shop, f"lessee-{number}").id for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda lessee: booked(shop, slot(5, 8), lessee), lessees))
    assert sum(isinstance(result, Booked) for result in results) == 1
    with shop.database.transaction(Role.WORKER) as session:
        assert len(LeasingStore(session).bookings_of_machine(shop.listing.machine_id, MAY)) == 1
        assert len(LeasingStore(session).leases()) == 1


def test_the_database_itself_refuses_an_overlap_and_a_closed_range(shop: Shop) -> None:
    first = booked(shop, slot(4, 8))
    assert isinstance(first, Booked)
    for bounds, constraint in (("[)", "booking_no_overlap"), ("[]", "booking_half_open")):
        statement = text(
            "INSERT INTO booking SELECT gen_random_uuid(), lease_id, machine_id, lessor_id, lessee_id, "
            "tstzrange(lower(slot), upper(slot), :bounds), status, recorded_at, cancelled_at FROM booking"
        )
        with pytest.raises(Exception, match=constraint), shop.database.transaction(Role.WORKER) as session:
            session.execute(statement, {"bounds": bounds})


def test_what_cannot_be_booked(shop: Shop) -> None:
    assert isinstance(booked(shop, slot(4, 8), shop.maker.id), Refused)
    closed = replace(shop, listing=replace(shop.listing, is_open=False))
    assert isinstance(booked(closed, slot(4, 8)), Refused)
    off = Period(slot(4, 8).start + timedelta(minutes=10), slot(4, 8).end)
    with pytest.raises(OffTheGrid, match="quarter hour"):
        booked(shop, off)


def test_a_cancelled_slot_is_free_again_and_late_hours_go_on_record(shop: Shop) -> None:
    first = booked(shop, slot(4, 8))
    assert isinstance(first, Booked)
    with shop.database.transaction(Role.WORKER) as session:
        leasing, metering = LeasingStore(session), MeteringStore(session)
        gone = cancel_booking(
            first.booking.id, late_hours=Decimal(4), leasing=leasing, metering=metering, now=BEFORE_MAY
        )
        assert gone.status is BookingStatus.CANCELLED
        again = cancel_booking(first.booking.id, late_hours=Decimal(4), leasing=leasing, metering=metering, now=JUNE)
        assert again == gone
        facts = leasing.facts_of(first.lease.id, MAY)
    assert [(fact.kind, fact.quantity, fact.evidence) for fact in facts] == [
        (FactKind.LATE_CANCEL, Decimal(4), (str(first.booking.id),))
    ]
    again = booked(shop, slot(4, 8))
    assert isinstance(again, Booked)
    assert again.booking.id != first.booking.id
    assert again.lease == first.lease
    other = add_organisation(shop, "other").id
    assert isinstance(booked(shop, slot(4, 8), other), Refused)


def test_each_party_sees_its_own_leases_and_nobody_elses(shop: Shop) -> None:
    other = add_organisation(shop, "other").id
    mine, theirs = booked(shop, slot(4, 8)), booked(shop, slot(5, 8), other)
    assert isinstance(mine, Booked)
    assert isinstance(theirs, Booked)
    seen = {}
    for party in (shop.maker.id, shop.sme.id, other):
        with shop.database.transaction(Role.APP, party=party) as session:
            leasing = LeasingStore(session)
            seen[party] = {lease.id for lease in leasing.leases()}
            machine = shop.listing.machine_id
            assert {entry.lease_id for entry in leasing.bookings_of_machine(machine, MAY)} == seen[party]
    assert seen == {
        shop.maker.id: {mine.lease.id, theirs.lease.id},
        shop.sme.id: {mine.lease.id},
        other: {theirs.lease.id},
    }
    with shop.database.transaction(Role.APP, party=other) as session, pytest.raises(UnknownLease):
        LeasingStore(session).lease(mine.lease.id)


def test_an_open_listing_and_its_prices_are_for_everybody_a_closed_one_for_its_parties(shop: Shop) -> None:
    other = add_organisation(shop, "other").id
    with shop.database.transaction(Role.APP, party=other) as session:
        assert LeasingStore(session).listings() == [shop.listing]
        assert TariffStore(session).version(shop.listing.tariff_version_id) == worked_tariff()
    assert isinstance(booked(shop, slot(4, 8)), Booked)
    with shop.database.transaction(Role.APP, party=shop.maker.id) as session:
        LeasingStore(session).add_listing(replace(shop.listing, is_open=False), now=JUNE)
    with shop.database.transaction(Role.APP, party=other) as session:
        assert LeasingStore(session).listings() == []
        with pytest.raises(UnknownTariff):
            TariffStore(session).version(shop.listing.tariff_version_id)
    with shop.database.transaction(Role.APP, party=shop.sme.id) as session:
        assert TariffStore(session).version(shop.listing.tariff_version_id) == worked_tariff()


def test_a_stored_tariff_version_never_changes(shop: Shop) -> None:
    dearer = replace(worked_tariff(), title="dearer")
    with shop.database.transaction(Role.WORKER) as session:
        tariffs = TariffStore(session)
        assert tariffs.add(shop.maker.id, worked_tariff(), now=JUNE) == shop.listing.tariff_version_id
        with pytest.raises(TariffChanged, match="raise its version"):
            tariffs.add(shop.maker.id, dearer, now=JUNE)
        tariffs.add(shop.maker.id, replace(dearer, version=2), now=JUNE)
        assert [stored.tariff.version for stored in tariffs.owned_by(shop.maker.id)] == [1, 2]
    for statement in (
        "UPDATE tariff_version SET title = 'x'",
        "DELETE FROM tariff_version",
        "UPDATE lease_fact SET quantity = 0",
    ):
        with (
            pytest.raises(ProgrammingError, match="permission denied"),
            shop.database.transaction(Role.WORKER) as session,
        ):
            session.execute(text(statement))


def test_a_lessee_cannot_put_facts_on_record(shop: Shop) -> None:
    lease = shop.lease()
    copy = text(
        "INSERT INTO lease_fact"
        " (id, lease_id, lessor_id, lessee_id, kind, at, quantity, description, evidence, recorded_at) "
        "SELECT gen_random_uuid(), id, lessor_id, lessee_id, 'availability', starts, 50, '', '[]', starts FROM lease"
    )
    with shop.database.transaction(Role.APP, party=shop.maker.id) as session:
        session.execute(copy)
    with (
        pytest.raises(ProgrammingError, match="row-level security"),
        shop.database.transaction(Role.APP, party=shop.sme.id) as session,
    ):
        session.execute(copy)
    with shop.database.transaction(Role.APP, party=shop.sme.id) as session:
        assert len(LeasingStore(session).facts_of(lease.id, Period(BEFORE_MAY, JUNE))) == 1
