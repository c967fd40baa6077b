"""What tests of several rooms build on: a maker's metered machine, a lessee, readings sealed by a real key."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from app.database import Database, Role
from billing.capacity.booking import Booking, booking_id
from billing.capacity.lease import FactKind, Lease, LeaseFact, LeaseKind, Listing, fact_id, lease_id
from billing.capacity.store import LeasingStore
from billing.pricing.store import TariffStore
from billing.pricing.tariff import TariffVersion
from metering import ocmf
from metering.enrol import invite, redeem
from metering.ingest import Receipt, ingest
from metering.machine import Agent, Machine, Meter, machine_id
from metering.parties.party import Organisation, organisation_id
from metering.parties.store import PartyStore
from metering.period import QUARTER_HOUR, Period
from metering.reading import GENESIS, Clocks, Reading, Reason, Record, Status, TimeQuality
from metering.spectrum import Cell
from metering.store import MeteringStore

SHANGHAI = "Asia/Shanghai"
MAY = Period(datetime(2026, 5, 1, tzinfo=ZoneInfo(SHANGHAI)), datetime(2026, 6, 1, tzinfo=ZoneInfo(SHANGHAI)))
BEFORE_MAY = datetime(2026, 4, 20, 8, tzinfo=UTC)
JUNE = datetime(2026, 6, 1, 3, tzinfo=UTC)
QUARTER_MS = 900_000
_TARIFF = Path(__file__).parent.parent / "billing" / "pricing" / "examples" / "tariff.json"
_READINGS_A_RECORD = 96


@dataclass(frozen=True, slots=True)
class Growth:
    """What a meter's registers and load spectrum grow by in one quarter hour."""

    deltas: Mapping[str, int]
    spectrum: Mapping[tuple[str, int], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Shop:
    """A maker's machine with its enrolled agent, let by a tariff; and a lessee that knows it."""

    database: Database
    maker: Organisation
    sme: Organisation
    meter: Meter
    agent: Agent
    key: ocmf.PrivateKey
    listing: Listing

    def ingest(self, texts: Iterable[str], *, now: datetime = JUNE) -> Receipt:
        """Take in sealed texts as the service does."""
        with self.database.transaction(Role.WORKER) as session:
            return ingest(list(texts), agent=self.agent, store=MeteringStore(session), now=now)

    def lease(self, lessee: Organisation | None = None, *, tariff: UUID | None = None) -> Lease:
        """An open-ended lease of the machine since before May."""
        lessee, version = lessee or self.sme, tariff or self.listing.tariff_version_id
        found = Lease(
            id=lease_id(self.listing.machine_id, lessee.id, version, BEFORE_MAY),
            kind=LeaseKind.OPEN_ENDED,
            machine_id=self.listing.machine_id,
            meter_id=self.meter.id,
            meter_serial=self.meter.serial,
            lessor_id=self.maker.id,
            lessee_id=lessee.id,
            tariff_version_id=version,
            currency=self.listing.currency,
            zone=self.listing.zone,
            starts=BEFORE_MAY,
        )
        with self.database.transaction(Role.WORKER) as session:
            LeasingStore(session).add_lease(found, now=BEFORE_MAY)
        return found

    def book(self, lease: Lease, slot: Period) -> Booking:
        """A confirmed booking under the lease."""
        booking = Booking(
            id=booking_id(lease.id, slot),
            lease_id=lease.id,
            machine_id=lease.machine_id,
            lessor_id=lease.lessor_id,
            lessee_id=lease.lessee_id,
            slot=slot,
        )
        with self.database.transaction(Role.WORKER) as session:
            assert LeasingStore(session).add_booking(booking, now=BEFORE_MAY)
            MeteringStore(session).plan_session(self.meter, str(booking.id), lease.lessee_id, slot, now=BEFORE_MAY)
        return booking

    def record(
        self, lease: Lease, kind: FactKind, at: datetime, quantity: str, *evidence: str, now: datetime = JUNE
    ) -> None:
        """Put a fact about the lease on record."""
        fact = LeaseFact(
            id=fact_id(lease.id, kind, at, quantity),
            lease_id=lease.id,
            lessor_id=lease.lessor_id,
            lessee_id=lease.lessee_id,
            kind=kind,
            at=at,
            quantity=Decimal(quantity),
            evidence=evidence,
        )
        with self.database.transaction(Role.WORKER) as session:
            LeasingStore(session).add_fact(fact, now=now)


def organisation(key: str, **known: str) -> Organisation:
    """An organisation in China; `key` gives its id and, unless `name` is given, its name."""
    return Organisation(**{"id": organisation_id(key), "name": key.title(), "country": "CN", "zone": SHANGHAI, **known})


def open_shop(database: Database, *, name: str = "maker", tariff: TariffVersion | None = None) -> Shop:
    """A maker `name` with one machine, listed by `tariff` (the worked month's unless given), and a lessee."""
    maker, sme = organisation(name), organisation("sme")
    machine = Machine(
        id=machine_id(maker.id, "Mill-turn 1"), owner_id=maker.id, name="Mill-turn 1", model="MT 200", zone=SHANGHAI
    )
    key = ocmf.new_key()
    with database.transaction(Role.WORKER) as session:
        for party in (maker, sme):
            PartyStore(session).add_organisation(party, now=BEFORE_MAY)
        metering = MeteringStore(session)
        invitation = invite(machine, f"SN-{name}", store=metering, now=BEFORE_MAY)
        pem = ocmf.public_to_pem(key.public_key())
        redeem(invitation.code, pem, name="agent", version="1", store=metering, now=BEFORE_MAY)
        agent = metering.agent_of(invitation.meter.id)
        assert agent
        version = TariffStore(session).add(maker.id, tariff or worked_tariff(), now=BEFORE_MAY)
        listing = Listing(
            machine_id=machine.id,
            meter_id=invitation.meter.id,
            meter_serial=invitation.meter.serial,
            lessor_id=maker.id,
            title=machine.name,
            zone=SHANGHAI,
            currency="CNY",
            tariff_version_id=version,
        )
        LeasingStore(session).add_listing(listing, now=BEFORE_MAY)
    return Shop(database, maker, sme, invitation.meter, agent, key, listing)


def add_organisation(shop: Shop, key: str) -> Organisation:
    """One more lessee."""
    found = organisation(key)
    with shop.database.transaction(Role.WORKER) as session:
        PartyStore(session).add_organisation(found, now=BEFORE_MAY)
    return found


def worked_tariff() -> TariffVersion:
    """The tariff of the worked month."""
    return TariffVersion.from_json(json.loads(_TARIFF.read_text(encoding="utf-8")))


def seal_life(
    shop: Shop,
    growths: Mapping[datetime, Growth],
    period: Period = MAY,
    *,
    replayed: bool = False,
    sessions: Iterable[Booking] = (),
) -> list[str]:
    """A meter's whole life in sealed texts: a reading at the period's start and at every quarter hour's end.

    `growths` is by the start of the quarter hour; where it says nothing, nothing grew. `sessions` are sealed at their
    begin and end, as an agent does that was told of these bookings.
    """
    edges = {one.slot.start: (Reason.BEGIN, str(one.id)) for one in sessions}
    edges |= {one.slot.end: (Reason.END, str(one.id)) for one in sessions}
    readings = [
        replace(reading, reason=edges[reading.device_time][0], session=edges[reading.device_time][1])
        if reading.device_time in edges
        else reading
        for reading in _readings(growths, period)
    ]
    texts: list[str] = []
    link = GENESIS
    for pagination, first in enumerate(range(0, len(readings), _READINGS_A_RECORD), start=1):
        record = Record(
            agent=str(shop.agent.id),
            meter=shop.meter.serial,
            machine_model="MT 200",
            pagination=pagination,
            previous=link,
            replayed=replayed,
            readings=tuple(readings[first : first + _READINGS_A_RECORD]),
            clocks=Clocks(period.end, 0, "boot"),
        )
        sealed = ocmf.seal(record, shop.key)
        texts.append(sealed.text)
        link = sealed.digest
    return texts


def _readings(growths: Mapping[datetime, Growth], period: Period) -> Iterator[Reading]:
    codes = sorted({code for growth in growths.values() for code in growth.deltas})
    registers = dict.fromkeys(codes, 0)
    spectrum: dict[tuple[str, int], int] = {}
    reading = Reading(1, period.start, TimeQuality.SYNCHRONISED, Reason.BEGIN, Status.GOOD, dict(registers))
    yield reading
    moment = period.start
    while moment < period.end:
        growth = growths.get(moment, Growth({}))
        moment += QUARTER_HOUR
        for code, grown in growth.deltas.items():
            registers[code] += grown
        changed = {cell: spectrum.get(cell, 0) + ms for cell, ms in growth.spectrum.items()}
        spectrum.update(changed)
        reading = replace(
            reading,
            sequence=reading.sequence + 1,
            device_time=moment,
            reason=Reason.DURING,
            registers=dict(registers),
            spectrum=changed,
        )
        yield reading


def worked_month() -> dict[datetime, Growth]:
    """The quarter hours of the worked month: 212.5 spindle hours in their local windows, 247.2134 wear hours, 77.45 km.

    Peak 70.25 h and 612.4 kWh, flat 98.75 h and 841.0 kWh, valley 43.50 h and 355.2 kWh.
    """
    wanted = {"peak": (281, 612_400_000), "flat": (395, 841_000_000), "valley": (174, 355_200_000)}
    energy = {band: _parts(total, count) for band, (count, total) in wanted.items()}
    cells = iter(_cells())
    travel = iter(_parts(77_450_000_000, 850))
    growths: dict[datetime, Growth] = {}
    moment = MAY.start
    while moment < MAY.end:
        band = band_of(moment)
        if energy[band]:
            cell, um = next(cells), next(travel)
            growths[moment] = _running(um, energy[band].pop(), cell)
        moment += QUARTER_HOUR
    assert len(growths) == 850
    return growths


def running(*, um: int = 90_000_000, mwh: int = 2_000_000, cell: Cell = Cell(6000, 50)) -> Growth:  # noqa: B008
    """A quarter hour in which the machine works all the time."""
    return _running(um, mwh, cell)


def _running(um: int, mwh: int, cell: Cell) -> Growth:
    times = dict.fromkeys(("power_on", "program_run", "auto_run", "spindle_on", "spindle_on.S1"), QUARTER_MS)
    return Growth(
        {**times, "travel.X": um // 3, "travel.Z": um - um // 3, "energy": mwh}, {("S1", cell.key): QUARTER_MS}
    )


def band_of(moment: datetime) -> str:
    """The worked tariff's band of a moment, by the machine's clock."""
    hour = moment.astimezone(ZoneInfo(SHANGHAI)).hour
    if 8 <= hour < 11 or 18 <= hour < 21:
        return "peak"
    return "valley" if hour >= 22 or hour < 6 else "flat"


def _cells() -> Iterator[Cell]:
    hours = {(6000, 10): 60, (6000, 50): 90, (9000, 70): 40, (3000, 100): Decimal("12.5"), (12000, 30): 10}
    for (speed, load), count in hours.items():
        for _ in range(int(count * 4)):
            yield Cell(speed, load)


def _parts(total: int, count: int) -> list[int]:
    return [total // count + (index < total % count) for index in range(count)]


def quarter_after(moment: datetime, hours: int) -> Period:
    """From `moment` for so many hours."""
    return Period(moment, moment + timedelta(hours=hours))
