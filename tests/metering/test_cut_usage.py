"""Stored usage: superseded when it differs, as it was known on any day, and provable from its texts alone."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from app.database import Database, Role
from metering.audit import audit
from metering.cut_usage import cut_usage
from metering.evidence import NoEvidence, evidence_for
from metering.keyring import Keyring
from metering.period import Period
from metering.store import MeteringStore
from metering.usage import quarter_hours
from tests.metering.builders import NOW, START, Box, add_parties, chain_of, enrolled_box, reading, texts

DAY = Period(START.replace(hour=0), START.replace(hour=0) + timedelta(days=1))


@pytest.fixture
def box(database: Database) -> Box:
    add_parties(database)
    return enrolled_box(database)


@contextmanager
def store_of(database: Database) -> Iterator[MeteringStore]:
    with database.transaction(Role.WORKER) as session:
        yield MeteringStore(session)


def revisions(database: Database) -> list[int]:
    with database.transaction(Role.WORKER) as session:
        rows = session.connection().exec_driver_sql("SELECT revision FROM usage ORDER BY starts_at, revision")
        return list(rows.scalars())


def test_an_open_quarter_hour_grows_in_place(database: Database, box: Box) -> None:
    sealed = texts(chain_of(box, [reading(n, minutes=4) for n in range(1, 9)]))
    for text in sealed:
        box.send(database, [text])
    assert revisions(database) == [1, 1]
    with store_of(database) as store:
        assert store.usage(box.agent.meter_id, DAY) == quarter_hours(
            [reading(n, minutes=4) for n in range(1, 9)], meter="SM-1"
        )


def test_cutting_again_changes_nothing(database: Database, box: Box) -> None:
    box.send(database, texts(chain_of(box, [reading(n) for n in range(1, 9)])))
    with store_of(database) as store:
        first = cut_usage(box.agent.meter_id, DAY, store=store, now=NOW)
        assert cut_usage(box.agent.meter_id, DAY, store=store, now=NOW + timedelta(days=1)) == first
    assert revisions(database) == [1] * 7
    assert first == quarter_hours([reading(n) for n in range(1, 9)], meter="SM-1")


def test_what_comes_after_a_cut_supersedes_and_the_past_stays_known(database: Database, box: Box) -> None:
    """A quarter hour was cut while half measured; its other half arrives a day later."""
    sealed = texts(chain_of(box, [reading(n, minutes=10) for n in range(1, 4)]))
    box.send(database, sealed[:2], now=NOW)
    with store_of(database) as store:
        billed = cut_usage(box.agent.meter_id, DAY, store=store, now=NOW)
    box.send(database, sealed[2:], now=NOW + timedelta(days=1))
    assert revisions(database) == [1, 2, 1]
    with store_of(database) as store:
        current = store.usage(box.agent.meter_id, DAY)
        known = store.usage(box.agent.meter_id, DAY, known_at=NOW + timedelta(hours=1))
    assert known == billed
    assert [usage.deltas["cutting"] for usage in billed] == [1000]
    assert [usage.deltas["cutting"] for usage in current] == [1500, 500]


def test_a_period_takes_in_only_its_own_quarter_hours(database: Database, box: Box) -> None:
    box.send(database, texts(chain_of(box, [reading(n) for n in range(1, 9)])))
    period = Period(START + timedelta(minutes=30), START + timedelta(minutes=75))
    with store_of(database) as store:
        usages = cut_usage(box.agent.meter_id, period, store=store, now=NOW)
        assert [usage.evidence for usage in usages] == [(3, 4), (4, 5), (5, 6)]
        assert store.steps(store.meter(box.agent.meter_id), period)[0].reading.sequence == 3


def test_figures_are_proved_by_their_texts_alone(database: Database, box: Box) -> None:
    """From the middle of the meter's life, with two readings a record, against the key from the registry."""
    box.send(database, texts(chain_of(box, [reading(n) for n in range(1, 21)], per_record=2)))
    period = Period(START + timedelta(minutes=150), START + timedelta(minutes=210))
    with store_of(database) as store:
        usages = cut_usage(box.agent.meter_id, period, store=store, now=NOW)
        evidence = evidence_for(box.agent.meter_id, usages, store=store)
    audited = audit(evidence.texts, keys=Keyring.single(box.key.public_key()), earlier=evidence.earlier)
    assert audited.faults == []
    assert [usage for usage in audited.usage if usage.period.start in period] == usages
    assert len(evidence.texts) == 3
    assert 0 < len(evidence.earlier) <= 3


def test_evidence_held_back_is_found(database: Database, box: Box) -> None:
    box.send(database, texts(chain_of(box, [reading(n) for n in range(1, 21)])))
    with store_of(database) as store:
        usages = cut_usage(box.agent.meter_id, DAY, store=store, now=NOW)[10:14]
        evidence = evidence_for(box.agent.meter_id, usages, store=store)
    keys = Keyring.single(box.key.public_key())
    assert audit(evidence.texts, keys=keys, earlier=evidence.earlier).faults == []
    assert "spectrum of S1 grew" in audit(evidence.texts, keys=keys).faults[0].reason
    missing = [text for index, text in enumerate(evidence.texts) if index != 2]
    assert "missing" in audit(missing, keys=keys, earlier=evidence.earlier).faults[0].reason
    changed = [evidence.texts[0].replace('"MM":"MT-1"', '"MM":"MT-2"', 1), *evidence.texts[1:]]
    assert "signature" in audit(changed, keys=keys, earlier=evidence.earlier).faults[0].reason


def test_no_usage_has_no_evidence(database: Database, box: Box) -> None:
    with store_of(database) as store, pytest.raises(NoEvidence):
        evidence_for(box.agent.meter_id, [], store=store)


def test_a_spindle_that_comes_while_somebody_reads_does_not_disturb_him(
    database: Database, box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever reads sees rows and their layout by two statements; an upload may widen it in between."""
    known = [reading(number) for number in range(1, 4)]
    wider = [replace(reading(number), spectrum={("S2", 6154): 500 * number}) for number in range(4, 7)]
    sealed = chain_of(box, [*known, *wider])
    box.send(database, texts(sealed[:3]))
    with store_of(database) as store:
        meter, session = store.meter(box.agent.meter_id), store._session
        statements = {name: getattr(session, name) for name in ("exec", "execute")}
        sent: list[bool] = []

        def between(name: str) -> Any:
            def run(*arguments: Any, **options: Any) -> Any:
                found = statements[name](*arguments, **options)
                if not sent:
                    sent.append(True)
                    box.send(database, texts(sealed[3:]))
                return found

            return run

        for name in statements:
            monkeypatch.setattr(session, name, between(name))
        found = store.usage(meter.id, DAY)
        monkeypatch.undo()
    assert sent
    assert len(found) >= 2
