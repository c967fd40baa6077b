"""Who leases what in the demo: one maker, its finance team, and two small firms that share a machine's month."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from billing.capacity.book import book
from billing.capacity.lease import Lease, LeaseKind, Listing, lease_id
from billing.capacity.store import LeasingStore
from billing.pricing.store import TariffStore
from billing.pricing.tariff import TariffVersion
from metering.machine import Machine, Meter
from metering.parties.party import Organisation, UserAccount, UserRole, organisation_id, user_id
from metering.parties.password import hash_password
from metering.parties.store import PartyStore
from metering.period import Period, quarter_start
from metering.store import MeteringStore

TARIFF_FILE = Path(__file__).with_name("tariff.json")
PASSWORD = "spindle-demo"  # noqa: S105 - printed by the demo, for a database that lives on this machine only

MAKER = Organisation(
    id=organisation_id("linjiang"),
    name="Linjiang Machine Tool Co., Ltd. 临江机床",
    street="88 Jinqiao Road",
    postcode="201206",
    city="Shanghai",
    country="CN",
    vat_id="91310115MA1K4DEMO1",
    email="leasing@linjiang.example",
    iban="6222021001000088888",
    zone="Asia/Shanghai",
)
FIRST = Organisation(
    id=organisation_id("qingpu-valves"),
    name="Qingpu Valve Works 青浦阀门",
    street="12 Huqingping Road",
    postcode="201700",
    city="Shanghai",
    country="CN",
    vat_id="91310118MA1K4DEMO2",
    email="office@qingpu-valves.example",
    zone="Asia/Shanghai",
)
SECOND = Organisation(
    id=organisation_id("songjiang-hydraulics"),
    name="Songjiang Hydraulics 松江液压",
    street="301 Rongle Road",
    postcode="201600",
    city="Shanghai",
    country="CN",
    vat_id="91310117MA1K4DEMO3",
    email="office@songjiang-hydraulics.example",
    zone="Asia/Shanghai",
)


@dataclass(frozen=True, slots=True)
class Login:
    """A user of the demo, with the name of the page that is theirs."""

    organisation: Organisation
    email: str
    name: str
    role: UserRole


MAKER_LOGIN = Login(MAKER, "maker@linjiang.example", "Chen Hao", UserRole.MAKER)
FINANCE_LOGIN = Login(MAKER, "finance@linjiang.example", "Xu Lan", UserRole.FINANCE)
FIRST_LOGIN = Login(FIRST, "sme@qingpu-valves.example", "Wang Min", UserRole.SME)
SECOND_LOGIN = Login(SECOND, "sme@songjiang-hydraulics.example", "Zhao Lei", UserRole.SME)
LOGINS = (MAKER_LOGIN, FIRST_LOGIN, SECOND_LOGIN, FINANCE_LOGIN)


@dataclass(frozen=True, slots=True)
class Slots:
    """The month's bookings: two that adjoin, whole local days, and one of the second firm that goes on after it.

    The first day and the last are left free, so that use outside any booking shows.
    """

    month: Period
    first: Period
    second: Period
    live: Period


def slots(month: Period, zone: str) -> Slots:
    """Bookings for `month` at whole local days of `zone`; a recording of a day is shared from noon to evening."""
    clock = ZoneInfo(zone)
    if month.length < timedelta(days=4):
        marks = [quarter_start(month.start + month.length * part / 24) for part in (12, 14, 18)]
    else:
        start, end = month.start.astimezone(clock), month.end.astimezone(clock)
        days = (end.date() - start.date()).days
        marks = [_midnight(start, offset, clock) for offset in (1, days // 2, days - 1)]
    live = Period(quarter_start(month.end), quarter_start(month.end) + timedelta(hours=12))
    return Slots(month, Period(marks[0], marks[1]), Period(marks[1], marks[2]), live)


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores of one transaction that the scenario writes through."""

    parties: PartyStore
    metering: MeteringStore
    tariffs: TariffStore
    leasing: LeasingStore


def lay_out(stores: Stores, month: Period, *, machine: Machine, meter: Meter, now: datetime) -> None:
    """Store the tariff, the listing, both leases and their bookings on a machine that is known already."""
    plan = slots(month, machine.zone)
    tariff = TariffVersion.from_json(json.loads(TARIFF_FILE.read_text()))
    version = stores.tariffs.add(MAKER.id, tariff, now=now)
    listing = Listing(
        machine_id=machine.id,
        meter_id=meter.id,
        meter_serial=meter.serial,
        lessor_id=MAKER.id,
        title=f"{machine.name}, two spindles",
        zone=machine.zone,
        currency=tariff.currency,
        tariff_version_id=version,
    )
    stores.leasing.add_listing(listing, now=now)
    for lessee, slot, ends in ((FIRST, plan.first, plan.first.end), (SECOND, plan.second, None)):
        lease = _lease(listing, lessee.id, slot.start, ends)
        stores.leasing.add_lease(lease, now=now)
        for wanted in [slot] if ends else [slot, plan.live]:
            book(listing, lessee.id, wanted, lease=lease, leasing=stores.leasing, metering=stores.metering, now=now)


def add_people(parties: PartyStore, *, now: datetime) -> None:
    """The organisations and everybody who signs in."""
    for organisation in (MAKER, FIRST, SECOND):
        parties.add_organisation(organisation, now=now)
    hashed = hash_password(PASSWORD)
    for login in LOGINS:
        user = UserAccount(
            id=user_id(login.email),
            organisation_id=login.organisation.id,
            email=login.email,
            name=login.name,
            role=login.role,
            password_hash=hashed,
        )
        parties.add_user(user, now=now)
    for lessee in (FIRST, SECOND):
        parties.introduce(MAKER.id, lessee.id)


def _lease(listing: Listing, lessee: UUID, starts: datetime, ends: datetime | None) -> Lease:
    return Lease(
        id=lease_id(listing.machine_id, lessee, starts),
        kind=LeaseKind.OPEN_ENDED if ends is None else LeaseKind.BOOKING,
        machine_id=listing.machine_id,
        meter_id=listing.meter_id,
        meter_serial=listing.meter_serial,
        lessor_id=listing.lessor_id,
        lessee_id=lessee,
        tariff_version_id=listing.tariff_version_id,
        currency=listing.currency,
        zone=listing.zone,
        starts=starts,
        ends=ends,
    )


def _midnight(start: datetime, days: int, clock: ZoneInfo) -> datetime:
    return datetime.combine(start.date() + timedelta(days=days), datetime.min.time(), tzinfo=clock)
