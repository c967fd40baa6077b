"""Completeness on PostgreSQL: two meters, gaps, late readings, corrections and overruns; the sums hold to the unit."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from app import cli
from app.completeness import MachineBalance, of_machine
from app.database import Database, Role
from app.replacing import put_meter
from billing.capacity.lease_use import machine_uses
from billing.capacity.machine_use import of_lease
from billing.capacity.store import LeasingStore
from metering import ocmf
from metering.completeness.balance import Kind
from metering.completeness.declaration import DeclaredKind, NotDeclared, declare
from metering.completeness.store import CompletenessStore
from metering.cut_usage import cut_usage
from metering.enrol import invite, redeem
from metering.ingest import ingest
from metering.machine import Agent
from metering.period import QUARTER_HOUR, Period
from metering.reading import GENESIS, Clocks, Reading, Reason, Record, Status, TimeQuality
from metering.store import MeteringStore
from tests.app.site import Site
from tests.builders import JUNE, MAY, QUARTER_MS, Shop, open_shop
from tests.conftest import Postgres

_HOUR = timedelta(hours=1)


class Sealer:
    """A meter's agent that seals readings as a test tells them, one a record."""

    def __init__(self, agent: Agent, key: ocmf.PrivateKey) -> None:
        self._agent, self._key = agent, key
        self._count, self._link = 0, GENESIS
        self._registers: dict[str, int] = {}

    def seal(self, moments: Iterable[object], **grown: int) -> Iterator[str]:
        """A reading at each of `moments`, each of which grew by `grown`."""
        for moment in moments:
            self._count += 1
            for code, value in grown.items():
                self._registers[code] = self._registers.get(code, 0) + value
            one = Reading(
                self._count,
                moment,  # type: ignore[arg-type]
                TimeQuality.SYNCHRONISED,
                Reason.DURING if self._count > 1 else Reason.BEGIN,
                Status.GOOD,
                dict(self._registers),
            )
            clocks = Clocks(MAY.end, 0, "boot")
            serial, link = self._agent.meter_serial, self._link
            record = Record(str(self._agent.id), serial, "MT 200", self._count, link, False, [one], clocks)
            sealed = ocmf.seal(record, self._key)
            self._link = sealed.digest
            yield sealed.text


def quarters(hour: float, count: int) -> list[object]:
    """The ends of `count` quarter hours, the first of which begins `hour` hours into May."""
    return [MAY.start + hour * _HOUR + (n + 1) * QUARTER_HOUR for n in range(count)]


def second_meter(shop: Shop) -> tuple[Agent, ocmf.PrivateKey]:
    key = ocmf.new_key()
    with shop.database.transaction(Role.WORKER) as session:
        store = MeteringStore(session)
        invitation = invite(store.machine(shop.listing.machine_id), "SN-second", store=store, now=JUNE)
        redeem(invitation.code, ocmf.public_to_pem(key.public_key()), name="b", version="1", store=store, now=JUNE)
        agent = store.agent_of(invitation.meter.id)
    assert agent
    return agent, key


def found(shop: Shop, period: Period = MAY) -> MachineBalance:
    with shop.database.transaction(Role.WORKER, as_of_one_moment=True) as session:
        return of_machine(session, MeteringStore(session).machine(shop.listing.machine_id), period)


def holds(balances: MachineBalance) -> None:
    for one in balances.meters:
        for line in one.balance.lines():
            assert line.adrift == 0, (one.meter.serial, line)
            assert line.opening + line.booked + line.explained + line.unexplained == line.closing


def test_the_sums_hold_through_a_months_troubles(database: Database) -> None:
    """A gap over the month's start, one inside, an overrun, a late tail after the cut, a second meter."""
    shop = open_shop(database)
    lease = shop.lease()
    booking = shop.book(lease, Period(MAY.start + 10 * _HOUR, MAY.start + 12 * _HOUR))
    sealer = Sealer(shop.agent, shop.key)
    run = {"power_on": QUARTER_MS, "program_run": QUARTER_MS, "spindle_on": QUARTER_MS - 1}
    texts = [
        *sealer.seal([MAY.start - 100 * timedelta(minutes=1)], power_on=0),
        *sealer.seal([MAY.start + 35 * timedelta(minutes=1)], power_on=1_000_001, spindle_on=7),
        *sealer.seal(quarters(1, 36), power_on=QUARTER_MS),
        *sealer.seal(quarters(10, 10), **run),
        *sealer.seal(quarters(12.5, 30), power_on=QUARTER_MS),
        *sealer.seal(quarters(20, 4), **run),
        *sealer.seal(quarters(21, 1), power_on=QUARTER_MS),
        *sealer.seal([MAY.start + 30 * _HOUR], unknown=10 * 3_600_000, spindle_on=5_000_003),
    ]
    late = list(sealer.seal([MAY.end + timedelta(minutes=20)], power_on=123_457, spindle_on=89))
    shop.ingest(texts)
    holds(found(shop))
    with database.transaction(Role.WORKER) as session:
        cut_usage(shop.meter.id, MAY, store=MeteringStore(session), now=JUNE)
    shop.ingest(late, now=JUNE + timedelta(days=1))
    other, key = second_meter(shop)
    with database.transaction(Role.WORKER) as session:
        ingest(list(Sealer(other, key).seal(quarters(5, 8), energy=1_000)), agent=other, store=MeteringStore(session),
               now=JUNE)  # fmt: skip
    balances = found(shop)
    holds(balances)
    first, second = sorted(balances.meters, key=lambda one: one.meter.serial == "SN-second")
    assert first.balance.opening
    assert first.balance.opening.between
    spindle = first.balance.line("spindle_on")
    # Two booked hours and the half hour that the program ran on.
    assert spindle.booked == 10 * (QUARTER_MS - 1)
    (share,) = [each for each in first.balance.shares if each.kind is Kind.BOOKING]
    assert first.bookings[share.key].billed.end == booking.slot.end + 2 * QUARTER_HOUR
    assert spindle.unexplained == 4 * (QUARTER_MS - 1)
    assert spindle.explained > 5_000_000
    energy = second.balance.line("energy")
    # The first reading is the meter's opening, whatever it says.
    assert (energy.opening, energy.closing) == (1_000, 8_000)
    june = found(shop, Period(MAY.end, MAY.end + timedelta(days=1)))
    holds(june)
    for may, after in zip(balances.meters, june.meters, strict=True):
        for line in after.balance.lines():
            assert line.opening == may.balance.line(line.code).closing


def test_a_booking_that_ran_on_over_a_change_of_meters_answers_for_both(database: Database) -> None:
    """Booked until 12:00, the program ran until 13:15; the meter was changed at 12:20, within a quarter hour. All of
    it is the booking's, as on its bill: nothing is unexplained. What the new meter had counted before is no growth."""
    shop = open_shop(database)
    lease = shop.lease()
    shop.book(lease, Period(MAY.start + 10 * _HOUR, MAY.start + 12 * _HOUR))
    run = {"power_on": QUARTER_MS, "program_run": QUARTER_MS, "spindle_on": QUARTER_MS - 1}
    changed = MAY.start + 12 * _HOUR + timedelta(minutes=20)
    sealer = Sealer(shop.agent, shop.key)
    shop.ingest([*sealer.seal([MAY.start], power_on=7), *sealer.seal([MAY.start + 10 * _HOUR], power_on=11),
                 *sealer.seal(quarters(10, 9), **run), *sealer.seal([changed], program_run=300_000, spindle_on=1_234),
                 *sealer.seal(quarters(12.25, 1)), *sealer.seal(quarters(20, 3), **run)])  # fmt: skip
    key = ocmf.new_key()
    with database.transaction(Role.WORKER) as session:
        code = put_meter(session, shop.meter.serial, "SN-new", at=changed, reason="box", now=JUNE).invitation.code
        metering = MeteringStore(session)
        redeem(code, ocmf.public_to_pem(key.public_key()), name="b", version="1", store=metering, now=JUNE)
        agent = metering.agent_of(metering.meter_by_serial("SN-new").id)
        assert agent
        new = Sealer(agent, key)
        texts = [*new.seal([changed], spindle_on=999, power_on=3), *new.seal(quarters(12.25, 1), spindle_on=55,
                 program_run=600_000), *new.seal(quarters(12.5, 3), **run), *new.seal(quarters(13.25, 8))]  # fmt: skip
        assert not ingest(texts, agent=agent, store=metering, now=JUNE).refused
    balances = found(shop)
    holds(balances)
    assert [one.meter.serial for one in balances.meters] == ["SN-maker", "SN-new"]
    assert balances.meters[0].balance.period.end == MAY.start + 12.5 * _HOUR
    (first,), (second,) = (list(one.bookings.values()) for one in balances.meters)
    assert first.here.end == second.billed.start + 2.5 * _HOUR
    assert (second.here.start, second.parted) == (MAY.start + 12.25 * _HOUR, True)
    spindle = balances.line("spindle_on")
    assert (spindle.booked, spindle.unexplained) == (12 * (QUARTER_MS - 1) + 1_234 + 55, 0)
    assert spindle.opening + spindle.booked == spindle.closing
    with database.transaction(Role.WORKER) as session:
        leasing, metering = LeasingStore(session), MeteringStore(session)
        billed = of_lease(lease.id, machine_uses(lease, MAY, leasing=leasing, metering=metering))
    assert sum(row.deltas.get("spindle_on", 0) for row in billed) == spindle.booked
    assert {row.meter for row in billed} == {"SN-maker", "SN-new"}


def test_a_reader_sees_readings_and_usage_of_one_moment(database: Database) -> None:
    """An upload that commits between the two questions must not show as a difference."""
    shop = open_shop(database)
    sealer = Sealer(shop.agent, shop.key)
    shop.ingest(list(sealer.seal(quarters(0, 4), spindle_on=1_000)))
    with database.transaction(Role.WORKER, as_of_one_moment=True) as session:
        machine = MeteringStore(session).machine(shop.listing.machine_id)
        shop.ingest(list(sealer.seal(quarters(1, 4), spindle_on=1_000)))
        balances = of_machine(session, machine, MAY)
    holds(balances)
    assert balances.meters[0].balance.line("spindle_on").closing == 4_000


def test_the_owner_declares_and_withdraws(database: Database) -> None:
    shop = open_shop(database)
    shop.ingest(list(Sealer(shop.agent, shop.key).seal(quarters(0, 4), spindle_on=1_000)))
    stretch = Period(MAY.start + QUARTER_HOUR, MAY.start + 3 * QUARTER_HOUR)
    with database.transaction(Role.APP, party=shop.maker.id) as session:
        machine, store = MeteringStore(session).machine(shop.listing.machine_id), CompletenessStore(session)
        said = declare(machine, stretch, DeclaredKind.OWN_USE, "demo for a guest", by="Maker", store=store, now=JUNE)
        again = declare(
            machine, stretch, DeclaredKind.OWN_USE, "demo for a guest", by="Maker", store=store, now=MAY.end
        )
        assert again == said
        with pytest.raises(NotDeclared, match="already"):
            declare(machine, Period(stretch.start, MAY.end), DeclaredKind.TRIAL, "", by="M", store=store, now=JUNE)
    line = found(shop).meters[0].balance.line("spindle_on")
    assert (line.explained, line.unexplained) == (2_000, 1_000)
    with database.transaction(Role.APP, party=shop.sme.id) as session:
        assert CompletenessStore(session).declarations(machine.id, MAY) == []
        assert not CompletenessStore(session).withdraw(said.id, shop.sme.id, by="x", now=JUNE)
    with database.transaction(Role.APP, party=shop.maker.id) as session:
        assert CompletenessStore(session).withdraw(said.id, shop.maker.id, by="Maker", now=JUNE)
    assert found(shop).meters[0].balance.line("spindle_on").unexplained == 3_000
    for role in (Role.APP, Role.WORKER):
        with (
            pytest.raises(Exception, match="permission denied"),
            database.transaction(role, party=shop.maker.id) as session,
        ):
            session.connection().exec_driver_sql("UPDATE use_declaration SET kind = 'trial'")


def test_the_command_tells_and_answers_by_its_code(
    database: Database, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = open_shop(database)
    shop.ingest(list(Sealer(shop.agent, shop.key).seal(quarters(0, 4), spindle_on=1_800_000)))
    with database.transaction(Role.WORKER) as session:
        name = str(session.execute(text("SELECT current_database()")).scalar_one())
    monkeypatch.setenv("SPINDLESHARE_RUN_URL", postgres.run_url(name))

    def command(*arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            cli.main(["completeness", *arguments])
        return int(str(ended.value.code or 0)), capsys.readouterr().out

    code, out = command("--month", "2026-05", "--json")
    (told,) = json.loads(out)
    assert code == 1
    register = told["registers"]["spindle_on"]
    assert register["opening"] + register["unexplained"] == register["closing"] == 7_200_000
    assert told["shares"][0]["readings"] == [1, 4]
    code, out = command("--month", "2026-05", "--meter", shop.meter.serial)
    assert code == 1
    assert "1.5000" in out
    assert command("--month", "2026-04")[0] == 0


def test_the_pages_lead_from_the_fleet_to_the_readings(site: Site) -> None:
    """Two hours of the site's use were booked by nobody; declared, they are explained."""
    month = f"{site.draft.period.start.astimezone():%Y-%m}"
    machine = site.lease.machine_id
    with site.person("maker") as maker:
        page = maker.get("/completeness").text
        assert f"/completeness/{machine}?month=" in page
        page = maker.get(f"/completeness/{machine}?month={month}").text
        form = re.search(r'name="start" value="([^"]+)"><input type="hidden" name="end" value="([^"]+)"', page)
        assert form, page
        first = re.search(r'href="(/meters/[^"]+/readings/\d+)"', page)
        assert first
        assert maker.get(first[1]).status_code == 200
        fields = {"start": form[1], "end": form[2], "kind": "own_use", "note": "test cut", "month": month}
        answer = maker.submit(f"/completeness/{machine}/declare", fields)
        assert answer.status_code == 303
        after = maker.get(answer.headers["location"]).text
        assert "test cut" in after
        assert f'value="{form[1]}"' not in after
        withdraw = re.search(r'action="(/completeness/[^"]+/withdraw)"', after)
        assert withdraw
        maker.submit(withdraw[1], {"month": month})
        assert f'value="{form[1]}"' in maker.get(f"/completeness/{machine}?month={month}").text
        assert maker.submit(f"/completeness/{machine}/declare", {**fields, "kind": "party"}).status_code == 400
        for wrong in ("2026", "9999-99", "0001-01"):
            assert maker.get(f"/completeness?month={wrong}").status_code == 400
        assert maker.get("/completeness?register=happiness").status_code == 400
    with site.person("finance") as finance:
        assert finance.get(f"/completeness/{machine}?month={month}").status_code == 200
        assert finance.submit(f"/completeness/{machine}/declare", fields).status_code == 403
    with site.person("sme") as sme:
        assert sme.get("/completeness").status_code == 403
    with site.person("outsider-maker") as stranger:
        assert stranger.get(f"/completeness/{machine}").status_code == 404
