"""What a maker changes by its pages: a meter, a lease's machine; and a booking that its lessee or lessor cancels."""

import re
from datetime import datetime, timedelta
from decimal import Decimal
from html import unescape
from zoneinfo import ZoneInfo

from app.clock import now
from app.database import Role
from billing.capacity.booking import Booking, BookingStatus
from billing.capacity.lease import FactKind, LeasedMachine
from billing.capacity.store import LeasingStore
from metering.enrol import invite
from metering.machine import Machine, machine_id
from metering.period import QUARTER_HOUR, Period, quarter_start
from metering.store import MeteringStore
from tests.app.site import Person, Site
from tests.app.test_agent_pages import AGREED, error_of
from tests.builders import SHANGHAI

LOCAL = "%Y-%m-%dT%H:%M"


def local(moment: datetime) -> str:
    return moment.astimezone(ZoneInfo(SHANGHAI)).strftime(LOCAL)


def bookings(site: Site) -> list[Booking]:
    with site.database.transaction(Role.WORKER) as session:
        found = LeasingStore(session).bookings_of_lease(site.lease.id)
    return sorted(found, key=lambda booking: booking.slot)


def second_machine(site: Site) -> str:
    """Another machine of the maker's, listed under the same tariff; what the form calls it."""
    shop = site.shop
    other = Machine(
        id=machine_id(shop.maker.id, "Mill-turn 2"), owner_id=shop.maker.id, name="Mill-turn 2", model="MT 200",
        zone=SHANGHAI,
    )  # fmt: skip
    with site.database.transaction(Role.WORKER) as session:
        meter = invite(other, "SN-second", store=MeteringStore(session), now=now()).meter
        changed = {"machine_id": other.id, "meter_id": meter.id, "meter_serial": meter.serial, "title": other.name}
        listing = type(shop.listing)(**{name: changed.get(name, getattr(shop.listing, name)) for name in FIELDS})
        LeasingStore(session).add_listing(listing, now=now())
    return "Mill-turn 2, meter SN-second"


FIELDS = (
    "machine_id", "meter_id", "meter_serial", "lessor_id", "title", "zone", "currency", "tariff_version_id", "is_open",
)  # fmt: skip


def test_a_maker_replaces_a_meter(site: Site) -> None:
    place, at = f"/meters/{site.shop.meter.id}/replace", quarter_start(now()) - timedelta(minutes=7)
    good = {"serial": "SN-new", "at": local(at), "why": "box broken", **AGREED}
    with site.person("maker") as maker:
        assert f'href="{place}"' in maker.get("/maker").text
        assert "once and for good" in maker.get(place).text
        for field, value, told in (
            ("serial", "", "give the new meter"),
            ("at", "soon", "choose a day"),
            ("at", local(now() + timedelta(days=2)), "still to come"),
            ("why", "", "say why"),
            ("why", "x" * 201, "say why"),
            ("agreed", "", "tick the box"),
        ):
            answer = maker.submit(f"{place}/confirm", {**good, field: value})
            assert answer.status_code == 422, (field, value)
            assert told in error_of(answer.text, field), (field, value)
            assert field == "serial" or 'value="SN-new"' in answer.text
        assert maker.submit(f"{place}/confirm", good).status_code == 303
        page = maker.get("/maker").text
        code = re.search(r"code_file: (\S+) \(valid", page)
        assert code
        assert "this meter was replaced" in page
        assert code[1] not in maker.get("/maker").text
        again = maker.submit(f"{place}/confirm", {**good, "serial": "SN-third"})
        assert again.status_code == 422
        assert "name SN-new" in unescape(again.text)
    with site.database.transaction(Role.WORKER) as session:
        fittings = MeteringStore(session).fittings(site.shop.meter.id)
        assert LeasingStore(session).listing(site.lease.machine_id).meter_serial == "SN-new"
    assert [(each.meter.serial, each.since) for each in fittings] == [("SN-maker", None), ("SN-new", at)]
    outsiders(site, place, f"{place}/confirm", good)


def test_a_maker_swaps_a_leases_machine(site: Site) -> None:
    place, choice = f"/leases/{site.lease.id}", second_machine(site)
    upcoming = bookings(site)[-1]
    at = upcoming.slot.start
    good = {"machine": choice, "at": local(at), "why": "spindle repair", **AGREED}
    with site.person("maker") as maker:
        assert f'href="{place}"' in maker.get("/maker").text
        assert f'href="{place}/swap"' in maker.get(place).text
        assert choice in maker.get(f"{place}/swap").text
        for field, value, told in (
            ("machine", "Mill-turn 9", "choose one"),
            ("at", local(at + timedelta(minutes=7)), "quarter hour"),
            ("at", "", "choose a day"),
            ("at", "1999-01-01T00:00", "since"),
            ("why", " ", "say why"),
        ):
            answer = maker.submit(f"{place}/swap/confirm", {**good, field: value})
            assert answer.status_code == 422, (field, value)
            assert told in error_of(answer.text, field), (field, value)
        assert maker.submit(f"{place}/swap/confirm", good).status_code == 303
        page = maker.get(place).text
        assert "spindle repair" in page
        assert "Mill-turn 2" in page
    with site.database.transaction(Role.WORKER) as session:
        leasing = LeasingStore(session)
        places = leasing.machines_of(leasing.lease(site.lease.id))
    assert isinstance(places[-1], LeasedMachine)
    assert (places[-1].meter_serial, places[-1].since) == ("SN-second", at)
    moved = [one for one in bookings(site) if one.slot == upcoming.slot and one.status is BookingStatus.CONFIRMED]
    assert [one.machine_id for one in moved] == [places[-1].machine_id]
    outsiders(site, f"{place}/swap", f"{place}/swap/confirm", good)


def test_a_booking_is_cancelled_by_its_lessee_or_its_lessor(site: Site) -> None:
    past, upcoming = bookings(site)[0], bookings(site)[-1]
    tomorrow = Period(*(quarter_start(now()) + QUARTER_HOUR * count for count in (100, 108)))
    ahead = site.shop.book(site.lease, tomorrow)
    with site.person("sme") as lessee:
        assert f'href="/bookings/{ahead.id}"' in lessee.get("/sme").text
        assert "has begun" in lessee.get(f"/bookings/{past.id}").text
        assert lessee.get(f"/bookings/{past.id}/cancel").status_code == 409
        assert lessee.submit(f"/bookings/{past.id}/cancel/confirm", AGREED).status_code == 409
        assert lessee.submit(f"/bookings/{upcoming.id}/cancel/confirm", AGREED).status_code == 409
        asked = lessee.get(f"/bookings/{ahead.id}/cancel").text
        assert "9.00 CNY per h" in asked
        assert "late_hours" not in asked
        assert lessee.submit(f"/bookings/{ahead.id}/cancel/confirm").status_code == 422
        sent = {"late_hours": "1", **AGREED}
        assert lessee.submit(f"/bookings/{ahead.id}/cancel/confirm", sent).status_code == 303
        page = lessee.get(f"/bookings/{ahead.id}").text
        assert "The booking is cancelled" in page
        assert "cancelled already" in page
    assert late_hours(site, tomorrow) == []
    charged(site, Period(tomorrow.end, tomorrow.end + 8 * QUARTER_HOUR))
    for name, status in (("other", 404), ("outsider-maker", 404), ("finance", 403)):
        with site.person(name) as person:
            assert person.get(f"/bookings/{ahead.id}").status_code == status
            assert person.submit(f"/bookings/{ahead.id}/cancel/confirm", AGREED).status_code == status


def charged(site: Site, slot: Period) -> None:
    """A lessor cancels and puts late hours on record."""
    later = site.shop.book(site.lease, slot)
    with site.person("maker") as maker:
        for wrong in ("3", "-1", "x", "NaN", "0.001"):
            answer = maker.submit(f"/bookings/{later.id}/cancel/confirm", {"late_hours": wrong, **AGREED})
            assert answer.status_code == 422, wrong
            assert "from 0 to 2" in error_of(answer.text, "late_hours")
        sent = {"late_hours": "1.5", **AGREED}
        assert maker.submit(f"/bookings/{later.id}/cancel/confirm", sent).status_code == 303
    assert late_hours(site, slot) == [Decimal("1.5")]


def late_hours(site: Site, slot: Period) -> list[Decimal]:
    with site.database.transaction(Role.WORKER) as session:
        facts = LeasingStore(session).facts_of(site.lease.id, slot)
    return [fact.quantity for fact in facts if fact.kind is FactKind.LATE_CANCEL]


def outsiders(site: Site, form: str, action: str, fields: dict[str, str]) -> None:
    """Nobody but the owner's maker gets to the form or does it."""
    people: tuple[tuple[str, int], ...] = (("outsider-maker", 404), ("sme", 403), ("finance", 403))
    for name, status in people:
        with site.person(name) as person:
            assert isinstance(person, Person)
            assert person.get(form).status_code == status
            assert person.submit(action, fields).status_code == status
