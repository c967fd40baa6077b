"""Wear hours and lives against independently worked numbers."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering import life
from metering.life import Duty
from metering.spectrum import Cell
from metering.wear import WearModel, WearModelError, of_duty, wear_hours

MODEL = WearModel(n_ref=6000, load_ref=50, a=Fraction(2, 5), p=3)
# speed 1/min, load % of rated, hours
MIX = [
    (6000, 10, Fraction(60)),
    (6000, 50, Fraction(90)),
    (9000, 70, Fraction(40)),
    (3000, 100, Fraction(25, 2)),
    (12000, 30, Fraction(10)),
]


def decimals(*texts: str) -> tuple[Decimal, ...]:
    return tuple(map(Decimal, texts))


@pytest.mark.parametrize(
    ("speed", "load", "rate"),
    [
        (6000, 10, "0.140608"),
        (6000, 50, "1"),
        (9000, 70, "2.859936"),
        (3000, 100, "2.048"),
        (12000, 30, "0.877952"),
    ],
)
def test_wear_hours_per_hour(speed: int, load: int, rate: str) -> None:
    assert MODEL.rate(speed, load) == Fraction(rate)


def test_wear_hours_of_a_month() -> None:
    spectrum = {("S1", Cell(speed, load).key): int(hours * 3_600_000) for speed, load, hours in MIX}
    assert sum(spectrum.values()) == Fraction("212.5") * 3_600_000
    assert wear_hours(spectrum, MODEL) == of_duty(MIX, MODEL) == Fraction("247.21344")


def test_wear_hours_are_told_apart_by_spindle() -> None:
    cell = Cell(6000, 50).key
    spectrum = {("S1", cell): 3_600_000, ("S2", cell): 7_200_000}
    assert [wear_hours(spectrum, MODEL, spindle=name) for name in ("S1", "S2", None)] == [1, 2, 3]


@given(
    st.dictionaries(st.tuples(st.just("S1"), st.integers(0, 102655)), st.integers(0, 10**9), max_size=8),
    st.dictionaries(st.tuples(st.just("S1"), st.integers(0, 102655)), st.integers(0, 10**9), max_size=8),
)
def test_wear_adds_up_over_any_split(one: dict[tuple[str, int], int], other: dict[tuple[str, int], int]) -> None:
    both = {cell: one.get(cell, 0) + other.get(cell, 0) for cell in {**one, **other}}
    assert wear_hours(both, MODEL) == wear_hours(one, MODEL) + wear_hours(other, MODEL)


@pytest.mark.parametrize("faulty", [{"n_ref": 0}, {"load_ref": 0}, {"a": Fraction(3, 2)}, {"p": 0}, {"a": 0.4}])
def test_a_wear_model_checks_itself(faulty: dict[str, int]) -> None:
    with pytest.raises(WearModelError):
        WearModel(**{"n_ref": 6000, "load_ref": 50, "a": Fraction(2, 5), "p": 3, **faulty})  # type: ignore[arg-type]


def test_bearing_life_of_a_catalogue_bearing() -> None:
    """SKF 6309 at 10 kN and 3000/min."""
    c, p, n = decimals("55.3", "10", "3000")
    assert round(life.l10(c, p), 3) == Decimal("169.112")
    assert round(life.l10_hours(c, p, n), 2) == Decimal("939.51")


def test_mean_load_of_a_textbook_cycle() -> None:
    """Mott: 650 lb 30 min, 750 lb 10 min, 250 lb 20 min at 600/min."""
    duty = [Duty(*decimals(load, "600", time)) for load, time in (("650", "30"), ("750", "10"), ("250", "20"))]
    assert round(life.mean_load(duty), 2) == Decimal("597.05")


def test_mean_load_and_miner_agree() -> None:
    rating = Decimal(30)
    duty = [
        Duty(*decimals(load, speed, hours))
        for load, speed, hours in (
            ("1.2", "6000", "60"),
            ("2.0", "6000", "90"),
            ("2.6", "9000", "40"),
            ("3.5", "3000", "12.5"),
            ("1.5", "12000", "10"),
        )
    ]
    assert round(life.miner(duty, rating), 11) == Decimal("0.02951611667")
    assert round(life.mix_life_hours(duty, rating), 4) == Decimal("7199.4566")
    assert round(life.mean_load(duty), 6) == Decimal("2.108221")
    assert round(life.mean_speed(duty), 3) == Decimal("6670.588")
    by_mean = life.l10_hours(rating, life.mean_load(duty), life.mean_speed(duty))
    assert round(by_mean, 6) == round(life.mix_life_hours(duty, rating), 6)


@pytest.mark.parametrize(("damage", "share"), [("0.25", ".9869"), ("0.5", ".9634"), ("1", ".9000"), ("2", ".7423")])
def test_reliability(damage: str, share: str) -> None:
    assert round(life.reliability(Decimal(damage)), 4) == Decimal(share)


def test_remaining_life_on_the_mix_and_at_the_pace_of_late() -> None:
    worn = Fraction("0.35")
    assert life.remaining(worn, worn / 4200) == 7800
    assert round(life.remaining(worn, Fraction("0.12") / 1000), 1) == Fraction("5416.7")
    assert life.remaining(Fraction(2), worn) == 0


def test_ball_screw() -> None:
    """3000 N at 500/min 20 %, 1500 at 1000 50 %, 500 at 3000 30 %; Ca 25 kN, lead 10 mm."""
    duty = [Duty(*decimals(*step)) for step in (("3000", "500", "20"), ("1500", "1000", "50"), ("500", "3000", "30"))]
    force, speed = life.mean_load(duty), life.mean_speed(duty)
    assert (speed, round(force, 2)) == (1500, Decimal("1442.25"))
    turns = life.screw_l10(Decimal(25000), force)
    assert round(turns, 2) == Decimal("5208.33")
    assert round(turns * 1_000_000 / (60 * speed), -1) == 57870
    assert round(life.screw_km(turns, Decimal(10))) == 52083


def test_roller_bearings_have_another_exponent() -> None:
    assert life.l10(Decimal(20), Decimal(10), life.ROLLER) > life.l10(Decimal(20), Decimal(10))


def test_nonsense_is_refused() -> None:
    with pytest.raises(life.LifeError):
        life.l10(Decimal(0), Decimal(1))
    with pytest.raises(life.LifeError):
        life.mean_load([])
