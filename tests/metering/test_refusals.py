"""Refused records: the chain goes on behind a gap that its owner accepts, not a record wider; alarms come once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from app import refusals as on_database
from app.database import Database, Role
from metering import ocmf
from metering.audit import audit
from metering.chain import Passed
from metering.evidence import evidence_for
from metering.ingest import Receipt
from metering.keyring import Keyring
from metering.known import Mark
from metering.ocmf import Sealed
from metering.period import Period
from metering.refusals.foresee import Foreseen, foresee
from metering.refusals.refusal import Alarm, KeptAside, Settled
from metering.refusals.settle import CannotSettle
from metering.refusals.store import RefusalStore
from metering.rotate_key import revoke_agent
from metering.store import MeteringStore
from metering.store_known import KnownUsageStore
from metering.usage import Usage
from tests.metering.builders import LESSEE, MAKER, NOW, START, Box, add_parties, chain_of, enrolled_box, reading, texts

DAY = Period(START, START + timedelta(days=1))
STRANGER = ocmf.new_key()


@pytest.fixture
def box(database: Database) -> Box:
    add_parties(database)
    return enrolled_box(database)


class Ledge:
    """The agent's chain of ten records, of which some were sealed by a key that nobody knows."""

    def __init__(self, database: Database, box: Box, *bad: int) -> None:
        self.database, self.box = database, box
        self.sealed: list[Sealed] = []
        for number in range(1, 11):
            signer = replace(box, key=STRANGER) if number in bad else box
            after = self.sealed[-1] if self.sealed else None
            self.sealed += chain_of(signer, [reading(number)], after=after)

    def send(self, *numbers: int) -> Receipt:
        return self.box.send(self.database, texts(self.sealed[number - 1] for number in numbers))

    def kept(self) -> list[KeptAside]:
        with self.database.transaction(Role.WORKER) as session:
            return RefusalStore(session).kept_aside(self.box.agent.meter_id, most=100)

    def accept(self, number: int) -> on_database.Accepted:
        (one,) = [each for each in self.kept() if each.pagination == number]
        agent = self.box.agent
        return on_database.settle_one(self.database, agent, one.id, why="lost box", by="Maker", now=NOW)

    def sequences(self) -> list[int]:
        with self.database.transaction(Role.WORKER) as session:
            store = MeteringStore(session)
            return [step.reading.sequence for step in store.steps(store.meter(self.box.agent.meter_id), DAY)]

    def alarms(self, party: object = None) -> list[Alarm]:
        role = Role.APP if party else Role.WORKER
        with self.database.transaction(role, party=party) as session:  # type: ignore[arg-type]
            return RefusalStore(session).alarms()

    def settled(self) -> list[Settled]:
        with self.database.transaction(Role.WORKER) as session:
            return RefusalStore(session).settled(self.box.agent.meter_id)


def test_one_refused_record_blocks_until_its_gap_is_accepted(database: Database, box: Box) -> None:
    """What waited behind it is stored at once and to the unit, and the next upload follows."""
    chain = Ledge(database, box, 4)
    assert chain.send(*range(1, 9)).high_water == 3
    assert [one.pagination for one in chain.kept()] == [4, 5, 6, 7, 8]
    done = chain.accept(4)
    assert (done.gap, done.stored) == (Passed(3, 4, chain.sealed[3].digest), 4)
    assert chain.kept() == []
    assert chain.sequences() == [1, 2, 3, 5, 6, 7, 8]
    receipt = chain.send(9, 10)
    assert (receipt.stored, receipt.refused, receipt.high_water) == (2, (), 10)
    with database.transaction(Role.WORKER) as session:
        rows = KnownUsageStore(session).known(box.agent.meter_id, DAY)
    assert sum(row.usage.deltas["cutting"] for row in rows) == 9_000
    # Reading 4 lies between the hours that rest on readings 3 and 5.
    assert [row.usage.evidence for row in rows if Mark.GAP in row.marks()] == [(3, 5), (3, 5)]
    (kept,) = chain.settled()
    assert (kept.why, kept.by, kept.recorded_at, kept.digest) == ("lost box", "Maker", NOW, chain.sealed[3].digest)


def test_what_an_acceptance_would_do_is_told_before(database: Database, box: Box) -> None:
    chain = Ledge(database, box, 4)
    chain.send(*range(1, 9))

    def foreseen(number: int) -> Foreseen:
        (one,) = [each for each in chain.kept() if each.pagination == number]
        with database.transaction(Role.WORKER) as session:
            return foresee(box.agent, one.id, refusals=RefusalStore(session), metering=MeteringStore(session))

    told = foreseen(4)
    assert told.gap == Passed(3, 4, chain.sealed[3].digest)
    assert told.before
    assert told.behind
    assert (told.before.sequence, told.behind.sequence, told.waiting) == (3, 5, 4)
    assert told.grown["cutting"] == told.behind.registers["cutting"] - told.before.registers["cutting"]
    with pytest.raises(CannotSettle, match="record 5 waits behind record 4"):
        foreseen(5)
    chain.accept(4)
    with database.transaction(Role.WORKER) as session:
        usage = MeteringStore(session).usage(box.agent.meter_id, DAY)
    over = sum(row.deltas["cutting"] for row in usage if row.evidence == (3, 5))
    assert over == told.grown["cutting"]


@pytest.mark.parametrize("first", [True, False])
def test_of_two_texts_that_claim_one_number_the_true_one_opens_the_way(
    database: Database, box: Box, first: bool
) -> None:
    """Somebody forged a record 4 beside the agent's own, which was refused as well: no decision shuts the other out."""
    chain = Ledge(database, box, 4)
    forged = texts([ocmf.seal(replace(chain.sealed[3].record, previous="ab" * 32), STRANGER)])
    chain.send(1, 2, 3, 4, 5, 6)
    box.send(database, forged)
    true, other = sorted(
        (one for one in chain.kept() if one.pagination == 4), key=lambda one: one.digest != chain.sealed[3].digest
    )
    order = (true, other) if first else (other, true)
    for one in order:
        on_database.settle_one(database, box.agent, one.id, why="looked at", by="Maker", now=NOW)
    assert chain.kept() == []
    assert chain.sequences() == [1, 2, 3, 5, 6]
    assert chain.send(7).high_water == 7
    with database.transaction(Role.WORKER) as session:
        usages = MeteringStore(session).usage(box.agent.meter_id, DAY)
        evidence = evidence_for(box.agent.meter_id, usages, store=MeteringStore(session))
    assert _audit(box, evidence.texts, usages, evidence.passed) == ([], True)


def test_an_agent_is_told_which_of_its_refusals_wait_no_more(database: Database, box: Box) -> None:
    """Passed by the chain and settled or stored: yes. Beyond the chain's end, or not settled: no."""
    chain = Ledge(database, box, 4, 8)
    chain.send(*range(1, 10))

    def settled(header: str | None) -> list[int] | None:
        with database.transaction(Role.WORKER) as session:
            return on_database.settled_numbers(session, box.agent, header)

    assert settled("4,5,6") == []
    chain.accept(4)
    assert settled("4,5,6,8,9,77") == [4, 5, 6]
    for header in (None, "", "4;5", "x", "4,", "9" * 19, ",".join(["1"] * 101)):
        assert settled(header) is None
    box.send(database, texts(chain_of(replace(box, key=STRANGER), [reading(2)], after=chain.sealed[0])))
    assert settled("2,4") == [4]


def test_a_gap_is_not_a_record_wider_than_what_was_refused(database: Database, box: Box) -> None:
    """Record 5 must be linked to the refused record 4; a chain that left out another one does not go on."""
    chain = Ledge(database, box, 4)
    chain.send(1, 2, 3, 4)
    chain.accept(4)
    forked = chain_of(box, [reading(5)], after=replace(chain.sealed[3], digest="ab" * 32))
    refused = box.send(database, texts(forked)).refused
    assert [one.reason for one in refused] == ["its link is not the digest of the record before"]
    assert [one.reason for one in chain.send(6).refused] == ["records 4 to 5 are missing before it"]
    assert chain.send(5).high_water == 6 - 1


def test_the_record_that_was_lacking_may_still_come(database: Database, box: Box) -> None:
    """The gap was accepted, then the true record 4 arrived: the chain is whole, and there is no gap."""
    chain = Ledge(database, box)
    forged = texts(chain_of(replace(box, key=STRANGER), [reading(4)], after=chain.sealed[2]))
    chain.send(1, 2, 3)
    assert [one.pagination for one in box.send(database, forged).refused] == [4]
    chain.accept(4)
    assert chain.send(4, 5, 6).high_water == 6
    with database.transaction(Role.WORKER) as session:
        assert MeteringStore(session).gaps(box.agent.meter_id) == []
        assert RefusalStore(session).holes(box.agent.meter_id) == []


def test_two_refused_records_are_two_decisions(database: Database, box: Box) -> None:
    chain = Ledge(database, box, 4, 5)
    chain.send(*range(1, 8))
    with pytest.raises(CannotSettle, match="record 5 waits behind record 4"):
        chain.accept(5)
    assert chain.accept(4).stored == 0
    assert chain.accept(5) == on_database.Accepted(Passed(3, 5, chain.sealed[4].digest), 2)
    assert chain.sequences() == [1, 2, 3, 6, 7]
    with database.transaction(Role.WORKER) as session:
        (gap,) = MeteringStore(session).gaps(box.agent.meter_id)
        assert RefusalStore(session).holes(box.agent.meter_id) == [(3, 6)]
    assert (gap.after, gap.last) == (3, 5)
    assert "accepted by Maker on 2026-04-01 12:00 UTC: lost box" in gap.told


def test_a_meters_first_record_may_be_the_refused_one(database: Database, box: Box) -> None:
    chain = Ledge(database, box, 1)
    chain.send(1, 2, 3)
    assert chain.accept(1).stored == 2
    assert chain.sequences() == [2, 3]


def test_a_register_that_falls_is_refused_behind_a_gap_too(database: Database, box: Box) -> None:
    chain = Ledge(database, box, 4)
    low = replace(reading(5), registers={"cutting": 1, "spindle_on.S1": 1, "travel.X": 1}, spectrum={})
    fallen = texts(chain_of(box, [low], after=chain.sealed[3]))
    chain.send(1, 2, 3, 4)
    box.send(database, fallen)
    assert chain.accept(4).stored == 0
    assert [one.reason for one in box.send(database, fallen).refused] == ["register cutting fell at reading 5"]
    assert [one.pagination for one in chain.kept()] == [5]


def test_a_record_of_another_number_is_noted_without_a_gap(database: Database, box: Box) -> None:
    """A forged record 2 beside the true one blocks nothing; settled, it is nobody's task any more, and kept."""
    chain = Ledge(database, box)
    chain.send(1, 2, 3)
    box.send(database, texts(chain_of(replace(box, key=STRANGER), [reading(2)], after=chain.sealed[0])))
    assert chain.accept(2) == on_database.Accepted(None, 0)
    assert chain.kept() == []
    assert chain.send(4).stored == 1
    with database.transaction(Role.WORKER) as session:
        count = session.connection().exec_driver_sql("SELECT count(*) FROM refused_record").scalar_one()
    assert count == 1


def test_settling_needs_a_reason_and_happens_once(database: Database, box: Box) -> None:
    chain = Ledge(database, box, 2)
    chain.send(1, 2, 3)
    one = chain.kept()[0]
    for why in ("", " ", "x" * 501):
        with pytest.raises(CannotSettle, match="say why"):
            on_database.settle_one(database, box.agent, one.id, why=why, by="Maker", now=NOW)
    chain.accept(2)
    with pytest.raises(CannotSettle, match="settled meanwhile"):
        on_database.settle_one(database, box.agent, one.id, why="again", by="Maker", now=NOW)
    other = enrolled_box(database, serial="SM-2")
    chain.send(9)
    with pytest.raises(CannotSettle):
        on_database.settle_one(database, other.agent, chain.kept()[0].id, why="not mine", by="Maker", now=NOW)


def test_after_a_revocation_everything_is_noted_at_once(database: Database, box: Box) -> None:
    chain = Ledge(database, box)
    chain.send(1, 2)
    with database.transaction(Role.WORKER) as session:
        revoke_agent("SM-1", "stolen", store=MeteringStore(session), now=NOW)
    chain.send(3, 4, 5)
    assert on_database.settle_all(database, box.agent, why="the stolen box", by="Maker", now=NOW) == 3
    assert chain.kept() == []
    with database.transaction(Role.WORKER) as session:
        assert MeteringStore(session).passed(box.agent.id, 2) == []


def test_an_alarm_is_raised_once_and_cleared_when_settled(database: Database, box: Box) -> None:
    chain = Ledge(database, box, 3, 6)
    chain.send(1, 2)
    assert on_database.tend_refusals(database, now=NOW) == []
    chain.send(3, 4)
    assert [count for _, count in on_database.tend_refusals(database, now=NOW)] == [2]
    chain.send(5)
    assert on_database.tend_refusals(database, now=NOW + timedelta(minutes=10)) == []
    assert chain.alarms(MAKER) == [Alarm(box.agent.meter_id, "SM-1", NOW, 3)]
    assert chain.alarms(LESSEE) == []
    chain.accept(3)
    assert chain.alarms() == []
    chain.send(6, 7)
    assert [count for _, count in on_database.tend_refusals(database, now=NOW + timedelta(days=1))] == [2]


def test_what_came_while_a_gap_was_filled_is_taken_up_by_the_job(database: Database, box: Box) -> None:
    """Settled, but the process died before what waited was stored: the next run of the job goes on."""
    chain = Ledge(database, box, 3)
    chain.send(*range(1, 8))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(on_database, "take_up_all", lambda *_, **__: 0)
        chain.accept(3)
    assert chain.sequences() == [1, 2]
    assert on_database.tend_refusals(database, now=NOW) == []
    assert chain.sequences() == [1, 2, 4, 5, 6, 7]


def _audit(box: Box, found: Sequence[str], usages: list[Usage], passed: Sequence[Passed]) -> tuple[list[str], bool]:
    audited = audit(found, keys=Keyring.single(box.key.public_key()), passed=passed)
    return [fault.reason for fault in audited.faults], audited.usage == usages


def test_an_auditor_accepts_the_gap_only_when_told_of_it(database: Database, box: Box) -> None:
    chain = Ledge(database, box, 4)
    chain.send(*range(1, 11))
    chain.accept(4)
    with database.transaction(Role.WORKER) as session:
        usages = MeteringStore(session).usage(box.agent.meter_id, DAY)
        evidence = evidence_for(box.agent.meter_id, usages, store=MeteringStore(session))
    gaps = evidence.passed
    assert _audit(box, evidence.texts, usages, gaps) == ([], True)
    assert _audit(box, evidence.texts, usages, ())[0] == ["records 4 to 4 are missing before it"]
    wrong = [replace(gaps[0], digest="cd" * 32)]
    assert _audit(box, evidence.texts, usages, wrong)[0] == ["its link is not the digest of the record before"]
    less = [text for text in evidence.texts if text != chain.sealed[7].text]
    assert _audit(box, less, usages, gaps)[0] == ["records 8 to 8 are missing before it"]


def test_who_may_read_and_write(database: Database, box: Box) -> None:
    chain = Ledge(database, box, 2)
    chain.send(1, 2)
    chain.accept(2)
    for role, statement in (
        (Role.WORKER, "UPDATE settled_refusal SET why = 'x'"),
        (Role.APP, "INSERT INTO settled_refusal SELECT * FROM settled_refusal"),
        (Role.APP, "UPDATE refusal_alarm SET cleared_at = now()"),
    ):
        with pytest.raises(Exception, match="permission denied"), database.transaction(role, party=MAKER) as session:
            session.connection().exec_driver_sql(statement)
    with database.transaction(Role.APP, party=LESSEE) as session:
        assert RefusalStore(session).settled(box.agent.meter_id) == []
    with database.transaction(Role.APP, party=MAKER) as session:
        assert len(RefusalStore(session).settled(box.agent.meter_id)) == 1
