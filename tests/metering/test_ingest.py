"""Ingest: everything genuine is stored exactly once, everything else is kept aside with its reason."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlmodel import Session

from app.database import Database, Role
from metering import ocmf
from metering.interval import Step
from metering.period import Period
from metering.reading import Reading, Status, TimeQuality
from metering.store import MeteringStore
from metering.usage import quarter_hours
from tests.metering.batch.builders import runs
from tests.metering.builders import (
    LESSEE,
    MAKER,
    NOW,
    OTHER_MAKER,
    START,
    Box,
    add_parties,
    chain_of,
    enrolled_box,
    reading,
    texts,
    with_registers,
)


@pytest.fixture
def box(database: Database) -> Box:
    add_parties(database)
    return enrolled_box(database)


@contextmanager
def store_of(database: Database) -> Iterator[MeteringStore]:
    with database.transaction(Role.WORKER) as session:
        yield MeteringStore(session)


def stored(database: Database, box: Box) -> list[Step]:
    with store_of(database) as store:
        return store.steps(store.meter(box.agent.meter_id), Period(START, START + timedelta(days=400)))


def refusals(database: Database, box: Box) -> list[tuple[int | None, str]]:
    with store_of(database) as store:
        return [(one.pagination, one.reason) for one in store.refused(box.agent.meter_id)]


def test_what_is_sent_is_stored_to_the_unit(database: Database, box: Box) -> None:
    readings = [reading(n) for n in range(1, 13)]
    readings[5] = replace(
        readings[5],
        gap=Period(START + timedelta(minutes=61), START + timedelta(minutes=70)),
        status=Status.SUBSTITUTE,
        time_quality=TimeQuality.INFORMATIVE,
    )
    sealed = chain_of(box, readings, per_record=4, replayed=True)
    receipt = box.send(database, texts(sealed))
    assert (receipt.stored, receipt.duplicate, receipt.refused, receipt.high_water) == (3, 0, (), 3)
    steps = stored(database, box)
    assert [step.reading for step in steps] == [replace(one, spectrum={}) for one in readings]
    assert all(step.replayed for step in steps)
    grown = {cell: 0 for one in readings for cell in one.spectrum}
    for step in steps:
        grown = {cell: ms + step.grown.get(cell, 0) for cell, ms in grown.items()}
    assert grown == {cell: ms for one in readings for cell, ms in one.spectrum.items()}
    with store_of(database) as store:
        assert store.texts(box.agent.meter_id, 1, 12) == texts(sealed)
        assert store.texts(box.agent.meter_id, 5, 8) == [sealed[1].text]


def test_a_batch_sent_again_changes_nothing(database: Database, box: Box) -> None:
    batch = texts(chain_of(box, [reading(n) for n in range(1, 6)]))
    assert box.send(database, batch).stored == 5
    before = stored(database, box)
    receipt = box.send(database, batch)
    assert (receipt.stored, receipt.duplicate, receipt.refused, receipt.high_water) == (0, 5, (), 5)
    assert stored(database, box) == before


def test_one_batch_sent_by_eight_at_once_is_stored_once(database: Database, box: Box) -> None:
    batch = texts(chain_of(box, [reading(n) for n in range(1, 41)], per_record=4))
    start = threading.Barrier(8)

    def send(_: int) -> tuple[int, int, int]:
        start.wait()
        receipt = box.send(database, batch)
        return receipt.stored, receipt.duplicate, len(receipt.refused)

    with ThreadPoolExecutor(8) as pool:
        receipts = sorted(pool.map(send, range(8)))
    assert receipts == [(0, 10, 0)] * 7 + [(10, 0, 0)]
    assert [step.reading.sequence for step in stored(database, box)] == list(range(1, 41))


def test_overlapping_batches_sent_at_once_leave_no_hole_and_no_double(database: Database, box: Box) -> None:
    sealed = texts(chain_of(box, [reading(n) for n in range(1, 31)]))
    batches = [sealed[:10], sealed[5:20], sealed[15:30], sealed]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda batch: box.send(database, batch), batches))
    box.send(database, sealed)
    assert [step.reading.sequence for step in stored(database, box)] == list(range(1, 31))


def test_within_a_batch_the_order_does_not_matter(database: Database, box: Box) -> None:
    batch = texts(chain_of(box, [reading(n) for n in range(1, 6)]))
    receipt = box.send(database, [batch[index] for index in (3, 0, 4, 2, 1, 2)])
    assert (receipt.stored, receipt.duplicate, receipt.refused) == (5, 1, ())


def test_a_batch_that_came_too_early_is_kept_aside_until_it_fits(database: Database, box: Box) -> None:
    sealed = texts(chain_of(box, [reading(n) for n in range(1, 6)]))
    early = box.send(database, sealed[3:])
    assert early.high_water == 0
    assert [one.reason for one in early.refused] == [
        "records 1 to 3 are missing before it",
        "records 1 to 4 are missing before it",
    ]
    assert len(refusals(database, box)) == 2
    assert box.send(database, sealed[:3]).high_water == 3
    assert box.send(database, sealed[3:]).high_water == 5
    assert refusals(database, box) == []


def test_a_tampered_text_is_kept_aside_and_the_rest_stored(database: Database, box: Box) -> None:
    sealed = texts(chain_of(box, [reading(n) for n in range(1, 4)]))
    forged = sealed[1].replace('"RV":2000', '"RV":9000', 1)
    assert forged != sealed[1]
    for _ in range(2):
        receipt = box.send(database, [sealed[0], forged, "OCMF|nonsense"])
        assert receipt.high_water == 1
        assert {one.pagination for one in receipt.refused} == {2, None}
    assert len(refusals(database, box)) == 2
    assert box.send(database, sealed).high_water == 3


def test_another_text_under_a_stored_number_is_refused(database: Database, box: Box) -> None:
    box.send(database, texts(chain_of(box, [reading(1), reading(2)])))
    other = chain_of(box, [reading(1), with_registers(reading(2), cutting=9999)])
    receipt = box.send(database, texts(other))
    assert (receipt.stored, receipt.duplicate, receipt.high_water) == (0, 1, 2)
    assert [one.reason for one in receipt.refused] == ["another record is stored under this number"]
    assert stored(database, box)[-1].reading.registers["cutting"] == 2000


def test_a_record_of_another_agent_is_refused(database: Database, box: Box) -> None:
    stranger = enrolled_box(database, serial="SM-2")
    own_key = chain_of(replace(stranger, key=box.key), [reading(1)])
    receipt = box.send(database, texts([*chain_of(stranger, [reading(1)]), *own_key]))
    assert receipt.stored == 0
    assert any("signature" in one.reason for one in receipt.refused)
    assert any("is of agent" in one.reason for one in receipt.refused)


def test_a_register_that_falls_is_refused_across_batches(database: Database, box: Box) -> None:
    first = chain_of(box, [reading(1), reading(2)])
    box.send(database, texts(first))
    fallen = chain_of(box, [with_registers(reading(3), cutting=1999)], after=first[-1])
    assert [one.reason for one in box.send(database, texts(fallen)).refused] == ["register cutting fell at reading 3"]
    lower = replace(reading(3), spectrum={("S1", 6154): 499})
    assert box.send(database, texts(chain_of(box, [lower], after=first[-1]))).stored == 1
    again = replace(reading(4), spectrum={("S1", 6154): 498})
    receipt = box.send(database, texts(chain_of(box, [again], after=chain_of(box, [lower], after=first[-1])[-1])))
    assert [one.reason for one in receipt.refused] == ["spectrum cell 6154 of S1 fell"]


def test_registers_that_appear_later_widen_the_layout(database: Database, box: Box) -> None:
    first = chain_of(box, [reading(1), reading(2)])
    box.send(database, texts(first))
    wider = replace(with_registers(reading(3), parts=4), spectrum={("S2", 5): 10})
    box.send(database, texts(chain_of(box, [wider, with_registers(reading(4), parts=6)], after=first[-1])))
    steps = stored(database, box)
    assert [step.reading.registers.get("parts") for step in steps] == [None, None, 4, 6]
    assert steps[2].grown == {("S2", 5): 10}
    with store_of(database) as store:
        usages = store.usage(box.agent.meter_id, Period(START, START + timedelta(hours=1)))
    assert [usage.deltas.get("parts", 0) for usage in usages] == [0, 4, 2]


def test_a_transaction_that_dies_leaves_nothing(database: Database, box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed after the readings were copied and before the commit: the same batch then goes in as if new."""
    batch = texts(chain_of(box, [reading(n) for n in range(1, 6)]))

    class Killed(BaseException):
        pass

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Session, "commit", die)
        patch.setattr("sqlalchemy.orm.session.SessionTransaction.commit", die)
        with pytest.raises(Killed):
            box.send(database, batch)
    assert stored(database, box) == []
    assert box.send(database, batch).stored == 5


@given(
    readings=runs(most=20),
    cuts=st.lists(st.integers(0, 24), max_size=6),
    repeats=st.lists(st.integers(0, 5), max_size=3),
)
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_batching_with_repeats_gives_the_same_usage(
    database: Database, readings: list[Reading], cuts: list[int], repeats: list[int]
) -> None:
    """However the records arrive, usage is what the pure function says of all readings at once.

    Some batches repeat what is stored and are judged record by record, most are taken whole.
    """
    add_parties(database)
    serial = f"SM-{ocmf.fingerprint(ocmf.new_key().public_key())[:12]}"
    one = enrolled_box(database, serial=serial)
    sealed = texts(chain_of(one, readings))
    bounds = [0, *sorted(min(cut, len(sealed)) for cut in cuts), len(sealed)]
    batches = [sealed[a:b] for a, b in pairwise(bounds)]
    for index, batch in enumerate(batches):
        one.send(database, batch)
        if index in repeats:
            one.send(database, batch)
    with store_of(database) as store:
        kept = store.usage(one.agent.meter_id, Period(START, START + timedelta(days=1)))
    assert kept == quarter_hours(readings, meter=serial)


def seen(database: Database, party: object, box: Box) -> tuple[int, int, int, int]:
    """(machines, readings, usage rows, records) that a party sees."""
    with database.transaction(Role.APP, party=party) as session:  # type: ignore[arg-type]
        connection = session.connection()
        counts = [
            connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one()  # noqa: S608
            for table in ("machine", "reading", "usage", "record")
        ]
    return counts[0], counts[1], counts[2], counts[3]


def test_each_party_sees_its_own(database: Database, box: Box) -> None:
    """The owner all; a lessee what was measured in its time; another maker nothing."""
    box.send(database, texts(chain_of(box, [reading(n) for n in range(1, 11)])))
    assert seen(database, MAKER, box) == (1, 10, 9, 10)
    assert seen(database, OTHER_MAKER, box) == (0, 0, 0, 0)
    assert seen(database, LESSEE, box) == (0, 0, 0, 0)
    slot = Period(START + timedelta(minutes=30), START + timedelta(minutes=60))
    with store_of(database) as store:
        meter = store.meter(box.agent.meter_id)
        store.grant_access(meter, LESSEE, slot, reason="lease 1", now=NOW)
    assert seen(database, LESSEE, box) == (1, 2, 2, 0)
    assert seen(database, OTHER_MAKER, box) == (0, 0, 0, 0)
    with store_of(database) as store:
        store.grant_access(meter, LESSEE, (slot.start, None), reason="lease 1", now=NOW)
    assert seen(database, LESSEE, box) == (1, 8, 7, 0)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO reading_stored SELECT * FROM reading",
        "SELECT * FROM reading_stored",
        "UPDATE reading SET status = 'G'",
        "DELETE FROM reading",
        "UPDATE usage SET substitute = false",
        "UPDATE record SET text = ''",
        "INSERT INTO meter_access SELECT gen_random_uuid(), meter_id, owner_id, owner_id, 'empty', now() FROM usage",
    ],
)
def test_a_party_writes_no_measurement(database: Database, box: Box, statement: str) -> None:
    box.send(database, texts(chain_of(box, [reading(1), reading(2)])))
    with pytest.raises(Exception, match="permission denied"), database.transaction(Role.APP, party=MAKER) as session:
        session.connection().exec_driver_sql(statement)


@pytest.mark.parametrize(
    "statement", ["UPDATE record SET text = ''", "UPDATE reading SET status = 'G'", "DELETE FROM record"]
)
def test_not_even_the_worker_changes_evidence(database: Database, box: Box, statement: str) -> None:
    with pytest.raises(Exception, match="permission denied"), database.transaction(Role.WORKER) as session:
        session.connection().exec_driver_sql(statement)
