"""Components on a real database: what is told, by whom, idempotently; and sums that equal the definition."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from sqlalchemy.exc import ProgrammingError

from app.database import Database, Role, Session
from metering.components.fields import ComponentRefused
from metering.components.measure import ComponentWear, measure_wear
from metering.components.models import Worn
from metering.components.record import Recorded, Teller, fit, set_component, withdraw
from metering.components.store import ComponentStore
from metering.components.told import Fitting as Piece
from metering.components.told import Told, told
from metering.components.use import UnknownLoad, Use, use_of
from metering.fitting import Fitting
from metering.machine import meter_id
from metering.period import Period
from metering.reading import Reading
from metering.replace_meter import replace_meter
from metering.spectrum import Cell
from metering.store import MeteringStore
from tests.metering.builders import LESSEE, MAKER, NOW, START, Box, add_parties, chain_of, enrolled_box, reading, texts
from tests.metering.components.builders import BEARINGS, COUNTED

DAY = Period(START, START + timedelta(days=1))
METER = meter_id("SM-1")


@pytest.fixture
def box(database: Database) -> Box:
    add_parties(database)
    return enrolled_box(database)


def described(kind: str = "spindle_bearings", **changed: object) -> Told:
    parameters = BEARINGS if kind == "spindle_bearings" else COUNTED
    return told({"name": "part", "kind": kind, "valid_from": START, "parameters": parameters, **changed})


@contextmanager
def telling(database: Database, box: Box, *, now: datetime = NOW) -> Iterator[tuple[Teller, ComponentStore]]:
    """As the machine's owner, under row-level security."""
    with database.transaction(Role.APP, party=MAKER) as session:
        metering = MeteringStore(session)
        machine = metering.machine(metering.meter(box.agent.meter_id).machine_id)
        yield Teller(machine, "maker", now), ComponentStore(session)


def tell(database: Database, box: Box, said: Told, *, now: datetime = NOW) -> Recorded:
    with telling(database, box, now=now) as (teller, store):
        return set_component(said, teller=teller, store=store)


def measured(database: Database, box: Box, *, known_at: datetime | None = None) -> ComponentWear:
    with database.transaction(Role.APP, party=MAKER) as session:
        machine, store = MeteringStore(session).meter(METER).machine_id, ComponentStore(session)
        (found,) = measure_wear(machine, DAY, meters=place(session), store=store, known_at=known_at)
    return found


def place(session: Session) -> list[Fitting]:
    """The meter with those that replaced it."""
    return MeteringStore(session).fittings(METER)


def share(found: ComponentWear) -> Fraction:
    assert found.present is not None
    assert isinstance(found.present.whole, Worn)
    return found.present.whole.share


def test_what_is_told_comes_back_and_again_is_no_news(database: Database, box: Box) -> None:
    first = tell(database, box, described())
    assert [entry.what for entry in first.new] == ["parameters", "fitted"]
    assert tell(database, box, described()).new == ()
    later = described(valid_from=START + timedelta(days=1))
    assert tell(database, box, later).new == (), "the same parameters hold there already"
    with telling(database, box) as (teller, store):
        assert store.histories(teller.machine.id) == [first.history]


def test_a_change_says_why_and_a_kind_does_not_change(database: Database, box: Box) -> None:
    tell(database, box, described())
    changed = {**BEARINGS, "rating_n": 40_000}
    with pytest.raises(ComponentRefused, match="why"):
        tell(database, box, described(parameters=changed))
    assert len(tell(database, box, described(parameters=changed, why="data sheet read again")).new) == 1
    with pytest.raises(ComponentRefused, match="another name"):
        tell(database, box, described("counted", why="it is one"))


def test_pieces_are_fitted_in_the_past_once_and_taken_back_with_a_reason(database: Database, box: Box) -> None:
    component = tell(database, box, described()).history.component.id
    piece = Piece(START + timedelta(hours=2), "B-2", Decimal(0))
    with telling(database, box) as (teller, store):
        with pytest.raises(ComponentRefused, match="future"):
            fit(component, Piece(NOW + timedelta(days=1), "", Decimal(0)), "planned", teller=teller, store=store)
        with pytest.raises(ComponentRefused, match="why"):
            fit(component, piece, " ", teller=teller, store=store)
        (entry,) = fit(component, piece, "noisy", teller=teller, store=store).new
        assert fit(component, piece, "noisy", teller=teller, store=store).new == ()
        with pytest.raises(ComponentRefused, match="no entry 9"):
            withdraw(component, 9, "wrong", teller=teller, store=store)
        (back,) = withdraw(component, entry.number, "it was another machine", teller=teller, store=store).new
        assert withdraw(component, entry.number, "it was another machine", teller=teller, store=store).new == ()
        with pytest.raises(ComponentRefused, match="last of its kind"):
            withdraw(component, 1, "wrong", teller=teller, store=store)
        (history,) = store.histories(teller.machine.id)
    assert back.withdraws == entry.number
    assert [life.serial for life in history.lives()] == [""]


def test_nobody_changes_what_was_told_and_others_do_not_see_it(database: Database, box: Box) -> None:
    history = tell(database, box, described()).history
    for statement in (
        "UPDATE component_entry SET why = 'x'",
        "DELETE FROM component_entry",
        "UPDATE component SET kind = 'x'",
    ):
        for role in (Role.APP, Role.WORKER):
            with pytest.raises(ProgrammingError), database.transaction(role, party=MAKER) as session:
                session.connection().exec_driver_sql(statement)
    with database.transaction(Role.APP, party=LESSEE) as session:
        assert ComponentStore(session).histories(history.component.machine_id) == []


def test_a_correction_changes_the_past_and_what_was_known_then_is_derived_again(database: Database, box: Box) -> None:
    box.send(database, texts(chain_of(box, [reading(number) for number in range(1, 9)], per_record=4)))
    tell(database, box, described())
    before = measured(database, box)
    later = NOW + timedelta(days=3)
    tell(database, box, described(parameters={**BEARINGS, "life_factor": "0.5"}, why="dirty oil"), now=later)
    after = measured(database, box)
    assert share(after) == 2 * share(before) > 0
    assert share(measured(database, box, known_at=later - timedelta(days=1))) == share(before)


def test_the_databases_sums_are_the_definitions(database: Database, box: Box) -> None:
    """Two spindles, of which one turned without load and one without speed; quarter hours with and without doubt."""

    def grown(one: Reading, **more: int) -> Reading:
        registers = {
            **one.registers,
            **more,
            "spindle_on.S1": 500_000 * one.sequence,
            "revolutions.S1": 5_000_000 * one.sequence,
            "unknown": 100 * one.sequence,
        }
        length = 500_000 if one.sequence < 9 else 9_000 * one.sequence
        cells = {("S1", Cell(250 * (one.sequence % 4), 10 * one.sequence).key): length}
        return Reading(one.sequence, one.device_time, one.time_quality, one.reason, one.status, registers, cells)

    first = [grown(reading(number, minutes=10)) for number in range(1, 13)]
    rest = [grown(reading(number, minutes=10), **{"spindle_on.S2": 5000 * number}) for number in range(13, 25)]
    sealed = chain_of(box, first, per_record=6)
    box.send(database, texts(sealed))
    box.send(database, texts(chain_of(box, rest, per_record=6, after=sealed[-1])))
    late = NOW + timedelta(days=2)
    for period in (DAY, Period(START + timedelta(minutes=37), START + timedelta(hours=2))):
        with database.transaction(Role.APP, party=MAKER) as session:
            for known_at in (None, late, NOW - timedelta(days=30)):
                rows = MeteringStore(session).usage(METER, period, known_at=known_at)
                assert lean(ComponentStore(session).use(place(session), period, known_at=known_at)) == lean(
                    use_of(rows)
                )
    with database.transaction(Role.APP, party=MAKER) as session:
        store = ComponentStore(session)
        whole = store.use(place(session), DAY)
        assert store.measured_until([METER]) == rest[-1].device_time
        assert store.measured_until([]) is None
    assert whole.unknown_load["S2"].most is None
    assert 0 < whole.unknown_load["S1"].ms < whole.deltas["spindle_on.S1"] / 2
    assert 0 < whole.unknown_load["S1"].least < (whole.unknown_load["S1"].most or 0)
    assert whole.unproven_ms == 100 * 23


def test_a_replaced_meter_counts_for_its_time_on_the_machine(database: Database, box: Box) -> None:
    """The box went on in a drawer: what it counted after it was taken off is no use of the machine."""
    box.send(database, texts(chain_of(box, [reading(number) for number in range(1, 13)], per_record=6)))
    at = START + timedelta(minutes=67)
    with database.transaction(Role.APP, party=MAKER) as session:
        before = ComponentStore(session).use(place(session), DAY)
    with database.transaction(Role.WORKER) as session:
        metering = MeteringStore(session)
        replace_meter(metering.meter(METER), "SM-9", at=at, reason="new controller", store=metering, now=NOW)
    with database.transaction(Role.APP, party=MAKER) as session:
        after = ComponentStore(session).use(place(session), DAY)
        counted = use_of(MeteringStore(session).place_usage(METER, DAY))
    assert lean(after) == lean(counted)
    assert 0 < after.deltas["spindle_on.S1"] < before.deltas["spindle_on.S1"]
    assert after.watched_ms == 5 * 900_000


def lean(use: Use) -> Use:
    """Without what is nothing: a spindle that never lacked a load, a register that did not grow."""
    return Use(
        {code: grown for code, grown in use.deltas.items() if grown},
        use.spectrum,
        {name: lacking for name, lacking in use.unknown_load.items() if lacking != UnknownLoad()},
        use.watched_ms,
        use.substitute_ms,
    )


def test_a_machine_of_nobody_has_no_components(database: Database, box: Box) -> None:
    assert box.agent.meter_id == METER
    with telling(database, box) as (teller, store):
        assert store.histories(teller.machine.id) == []
        assert store.use([], Period(datetime(2020, 1, 1, tzinfo=UTC), START)) == Use()
        assert measure_wear(teller.machine.id, DAY, meters=[], store=store) == []
