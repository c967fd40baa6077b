"""Wear of components against published and independently worked numbers, and the algebra that bills and books need."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering import life
from metering.components.models import CannotSay, Worn, equivalent_load, rated, screw_share_per_mrev, wear
from metering.components.parameters import Kind, Parameters
from metering.components.remaining import remaining
from metering.components.use import UnknownLoad, Use, use_of
from metering.components.worth import per_unit, worth_of
from metering.life import Duty
from metering.usage import Usage
from metering.wear import WearModel, wear_hours
from tests.metering.components.builders import HOUR_MS, MIX, mix, of, quarter


def worn(parameters: Parameters, *rows: Usage) -> Worn:
    found = wear(parameters, use_of(rows))
    assert isinstance(found, Worn), found
    return found


def test_bearings_on_the_mix_use_what_miner_says() -> None:
    """C 30 kN, P 1.2/2.0/2.6/3.5/1.5 kN over 212.5 h: D = 0.02951611667, life on the mix 7199.4566 h."""
    found = worn(of(Kind.SPINDLE_BEARINGS), *mix())
    assert round(found.share, 11) == Fraction("0.02951611667")
    assert found.used == Fraction("212.5")
    assert round(found.used / found.share, 4) == Fraction("7199.4566")
    forces = ("1.2", "2.0", "2.6", "3.5", "1.5")
    duty = [Duty(Decimal(p), Decimal(n), Decimal(h)) for p, (n, _, h) in zip(forces, MIX, strict=True)]
    assert round(found.share, 24) == round(Fraction(life.miner(duty, Decimal(30))), 24)


def test_a_catalogue_bearing_lives_as_long_as_its_catalogue_says() -> None:
    """SKF 6309, C 55.3 kN, P 10 kN at 3000/min: 939.51 h."""
    parameters = of(Kind.SPINDLE_BEARINGS, rating_n=55_300, loads=[[0, 10_000]])
    found = worn(parameters, quarter(0, {(3000, 40): HOUR_MS}))
    assert round(1 / found.share, 2) == Fraction("939.51")


@pytest.mark.parametrize(("load", "mrev"), [("1450", "57.3"), ("1590", "43.46")])
def test_a_textbooks_bearing(load: str, mrev: str) -> None:
    """Jindal, Machine Design, example 18-2: C 5590 N, P = 1450 N, and 1590 N where the outer ring turns."""
    exact = 1 / life.share_per_mrev(Fraction(5590), Fraction(load))
    assert round(exact, len(mrev.partition(".")[2])) == Fraction(mrev)


@pytest.mark.parametrize(
    ("speed", "speed_factor", "hours", "life_factor"),
    [
        (3000, "0.223", 10_000, "2.71"),
        (6000, "0.177", 6_000, "2.29"),
        (1000, "0.322", 12_000, "2.88"),
        (900, "0.333", 500, "1"),
    ],
)
def test_makers_tables_of_speed_and_life_factors(speed: int, speed_factor: str, hours: int, life_factor: str) -> None:
    """Catalogues of ball bearings tabulate C/P = fh/fn to three figures: the life is the table's within 2 %."""
    rating = Decimal(life_factor) / Decimal(speed_factor)
    assert float(life.l10_hours(rating, Decimal(1), Decimal(speed))) == pytest.approx(hours, rel=0.02)


@pytest.mark.parametrize(
    ("reliability", "factor"), [("0.9", "1.00"), ("0.95", "0.62"), ("0.96", "0.53"), ("0.97", "0.44"), ("0.98", "0.33"),
    ("0.99", "0.21")],
)  # fmt: skip
def test_the_reliability_factor_of_iso_281(reliability: str, factor: str) -> None:
    """ISO 281:1990, table of a1, as every catalogue prints it."""
    assert round(life.share_at(Fraction(reliability)), 2) == Decimal(factor)


def test_half_a_population_lives_about_five_times_the_rated_life_at_lundbergs_slope() -> None:
    """ "The median is about five times L10" (ISO 281's comment) is the slope 10/9; at 1.5 it is 3.5 times."""
    assert round(life.share_at(Fraction(1, 2), Decimal(10) / 9), 2) == Decimal("5.45")
    assert round(life.share_at(Fraction(1, 2)), 2) == Decimal("3.51")


def test_roller_bearings_wear_by_ten_thirds() -> None:
    """(C/P) = 8 gives 8^(10/3) = 1024 million revolutions."""
    share = life.share_per_mrev(Fraction(8), Fraction(1), life.ROLLER)
    assert abs(1 / share - 1024) < Fraction(1, 10**35)
    parameters = of(Kind.SPINDLE_BEARINGS, rolling="roller", rating_n=8000, loads=[[0, 1000]])
    found = worn(parameters, quarter(0, {(1000, 20): HOUR_MS}))
    assert abs(found.share - Fraction(60_000, 1024 * 10**6)) < Fraction(1, 10**38)


def test_a_life_factor_stretches_life() -> None:
    plain, longer = (worn(of(Kind.SPINDLE_BEARINGS, life_factor=factor), *mix()) for factor in ("1", "2.5"))
    assert plain.share == longer.share * Fraction("2.5")


def test_bearing_load_lies_straight_between_the_points_and_goes_on_beyond() -> None:
    parameters = of(Kind.SPINDLE_BEARINGS, loads=[[10, 1000], [50, 2000], [100, 4000]])
    loads = {0: 1000, 10: 1000, 30: 1500, 50: 2000, 75: 3000, 100: 4000, 150: 6000}
    assert {load: equivalent_load(parameters, Fraction(load)) for load in loads} == loads


def test_ball_screw() -> None:
    """Ca 25 kN, lead 10 mm, three steps: 5208.33 Mrev, 52 083 km; 1 km of it is 1/52 083."""
    parameters = of(Kind.BALL_SCREW)
    assert round(1 / screw_share_per_mrev(parameters), 2) == Fraction("5208.33")
    km = rated(parameters)
    assert km is not None
    assert round(km) == 52_083
    found = worn(parameters, quarter(0, travel__X=1_000_000_000))
    assert (found.used, found.share) == (1, 1 / km)
    shocks = of(Kind.BALL_SCREW, load_factor="1.5")
    assert screw_share_per_mrev(shocks) == screw_share_per_mrev(parameters) * Fraction(27, 8)


def test_wear_hours_are_the_contracts() -> None:
    """247.21344 WH of 12 000; and the very function that a tariff's wear is priced by."""
    found = worn(of(Kind.WEAR_HOURS), *mix())
    assert found.share * 12_000 == Fraction("247.21344")
    model = WearModel(n_ref=6000, load_ref=50, a=Fraction(2, 5))
    assert found.share * 12_000 == wear_hours(use_of(mix()).spectrum, model, spindle="S1")


def test_a_counted_part() -> None:
    found = worn(of(Kind.COUNTED), quarter(0, tool_changes=2500))
    assert (found.used, found.share) == (2500, Fraction(1, 400))
    axes = of(Kind.COUNTED, register="travel.Z", capacity=15_000)
    assert worn(axes, quarter(0, travel__Z=3_000_000_000)).share == Fraction(3, 15_000)


@pytest.mark.parametrize(
    ("kind", "changed", "register"),
    [
        (Kind.SPINDLE_BEARINGS, {"spindle": "S9"}, "spindle_on.S9"),
        (Kind.WEAR_HOURS, {"spindle": "S9"}, "spindle_on.S9"),
        (Kind.BALL_SCREW, {"axis": "B"}, "travel.B"),
        (Kind.COUNTED, {"register": "starts.S1"}, "starts.S1"),
    ],
)
def test_what_the_meter_does_not_count_is_not_made_up(kind: Kind, changed: dict[str, object], register: str) -> None:
    found = wear(of(kind, **changed), use_of([quarter(0, {(6000, 50): 1000})]))
    assert found == CannotSay(f"the meter does not count {register}")
    assert wear(of(kind, **changed), Use()) == Worn()


def test_unknown_load_widens_the_band_and_is_in_no_figure() -> None:
    """A quarter hour at 6000/min of which 300 s have no load: between no load and rated load for just those turns."""
    row = quarter(0, {(6000, 50): 600_000}, on=900_000, revolutions=90_000_000)
    found = worn(of(Kind.SPINDLE_BEARINGS), row)
    known = worn(of(Kind.SPINDLE_BEARINGS), quarter(0, {(6000, 50): 600_000}))
    idle = worn(of(Kind.SPINDLE_BEARINGS), quarter(0, {(6000, 0): 300_000}))
    full = worn(of(Kind.SPINDLE_BEARINGS), quarter(0, {(6000, 100): 300_000}))
    assert found.share == known.share
    assert (found.used, found.unknown) == (Fraction(1, 4), Fraction(1, 12))
    # A known cell's speed is known to half a class (125/min), so the other turns are known as well as that.
    doubt = Fraction(125 * 600_000, 6000 * 300_000)
    assert found.least == known.share + idle.share * (1 - doubt)
    assert found.most == known.share + full.share * (1 + doubt)


def test_without_any_speed_not_even_the_most_can_be_said() -> None:
    row = Usage("M-1", quarter(0).period, {"spindle_on.S1": 900_000})
    found = worn(of(Kind.SPINDLE_BEARINGS), row)
    assert (found.share, found.least, found.most, found.unknown) == (0, 0, None, Fraction(1, 4))
    left = remaining(of(Kind.SPINDLE_BEARINGS), found, found, found)
    assert (left.on_mix, left.lately, left.earliest, left.latest) == (None, None, None, None)


def test_remaining_life_on_both_paces_with_its_band() -> None:
    """D 0.35 after 4200 h: 7800 h on the life mix; at 0.12 per 1000 h lately: 5416.7 h; the median is 3.51 lives."""
    so_far = Worn(Fraction("0.35"), Fraction("0.35"), Fraction("0.35"), Fraction(4200))
    lately = Worn(Fraction("0.12"), Fraction("0.12"), Fraction("0.12"), Fraction(1000))
    left = remaining(of(Kind.SPINDLE_BEARINGS), so_far, so_far, lately)
    assert left.on_mix == 7800
    assert left.lately is not None
    assert round(left.lately, 1) == Fraction("5416.7")
    assert left.earliest == left.lately
    assert left.latest is not None
    assert round(left.latest) == round((Fraction("3.5112") - Fraction("0.35")) * 12_000, -1) + 2
    assert left.survive is not None
    assert round(left.survive, 4) == round(life.reliability(Decimal("0.35")), 4)


def test_a_band_reaches_from_every_doubt_against_to_every_doubt_for() -> None:
    doubtful = Worn(Fraction("0.30"), Fraction("0.32"), Fraction("0.60"), Fraction(4000), Fraction(1000))
    left = remaining(of(Kind.COUNTED), doubtful, doubtful, doubtful)
    assert left.earliest == 4000
    # No scatter of lives is known of a counted part: the late end is its capacity, not a median.
    assert left.on_mix == left.latest == 6800
    assert left.survive is None
    over = Worn(Fraction(2), Fraction(2), Fraction(2), Fraction(4000))
    assert remaining(of(Kind.SPINDLE_BEARINGS), over, over, over).on_mix == 0


def test_what_a_component_carries() -> None:
    """Spindle (120 000 - 6 000)/12 000 = 9.50/WH; axes (90 000 - 4 500)/15 000 = 5.70/km; after 5 000 WH 72 500, and
    with a capacity of 10 000 WH 13.30/WH from then on."""
    spindle = worth_of(of(Kind.WEAR_HOURS, currency="CNY", cost=120_000, residual=6_000))
    assert spindle is not None
    assert per_unit(spindle.cost, spindle.residual, Fraction(12_000)) == Fraction("9.50")
    assert per_unit(Fraction(90_000), Fraction(4_500), Fraction(15_000)) == Fraction("5.70")
    assert spindle.left(Fraction(5_000, 12_000)) == 72_500
    assert per_unit(spindle.left(Fraction(5_000, 12_000)), spindle.residual, Fraction(5_000)) == Fraction("13.30")
    assert spindle.left(Fraction(3)) == 6_000
    assert worth_of(of(Kind.WEAR_HOURS)) is None


SPEEDS, LOADS = st.integers(0, 400).map(lambda n: n * 250), st.integers(0, 60).map(lambda n: n * 5)
CELLS = st.dictionaries(st.tuples(SPEEDS, LOADS), st.integers(1, 900_000), max_size=4)
QUARTERS = st.lists(st.tuples(CELLS, st.integers(0, 900_000), st.integers(0, 10**8)), max_size=6)
KINDS = st.sampled_from(
    [of(Kind.SPINDLE_BEARINGS), of(Kind.SPINDLE_BEARINGS, rolling="roller"), of(Kind.WEAR_HOURS), of(Kind.BALL_SCREW),
     of(Kind.COUNTED, register="travel.X")]
)  # fmt: skip


def drawn(quarters: list[tuple[dict[tuple[int, int], int], int, int]]) -> list[Usage]:
    return [
        quarter(index, cells, on=sum(cells.values()) + more, travel__X=um, revolutions=10**8)
        for index, (cells, more, um) in enumerate(quarters)
    ]


@settings(deadline=None)
@given(KINDS, QUARTERS, st.integers(0, 6))
def test_splitting_a_stretch_changes_nothing(parameters: Parameters, quarters: list, at: int) -> None:  # type: ignore[type-arg]
    rows = drawn(quarters)
    assert worn(parameters, *rows) == worn(parameters, *rows[:at]) + worn(parameters, *rows[at:])
    assert use_of(rows) == use_of(rows[:at]) + use_of(rows[at:])


@settings(deadline=None)
@given(KINDS, SPEEDS, LOADS, LOADS, st.integers(1, 900_000))
def test_more_load_never_wears_less(parameters: Parameters, speed: int, one: int, other: int, ms: int) -> None:
    low, high = (worn(parameters, quarter(0, {(speed, load): ms}, travel__X=5)) for load in sorted((one, other)))
    assert 0 <= low.share <= high.share


@settings(deadline=None)
@given(KINDS, QUARTERS, st.integers(2, 9))
def test_so_many_times_the_use_wears_so_many_times_as_much(parameters: Parameters, quarters: list, times: int) -> None:  # type: ignore[type-arg]
    once, often = worn(parameters, *drawn(quarters)), worn(parameters, *drawn(quarters) * times)
    assert (often.share, often.used, often.least) == (once.share * times, once.used * times, once.least * times)


@settings(deadline=None)
@given(KINDS, QUARTERS)
def test_what_was_measured_lies_at_the_low_end_of_its_band(parameters: Parameters, quarters: list) -> None:  # type: ignore[type-arg]
    found = worn(parameters, *drawn(quarters))
    assert found.most is not None
    assert 0 <= found.share <= found.least <= found.most
    assert found.unknown or found.share == found.least == found.most


@given(st.dictionaries(st.tuples(SPEEDS, LOADS), st.integers(1, 200_000), min_size=1, max_size=4), st.data())
def test_the_turns_of_unknown_load_hold_the_truth(cells: dict[tuple[int, int], int], data: st.DataObject) -> None:
    """True speeds within half a class of their cells', some turns beside them: the bounds hold those turns."""
    lengths = data.draw(st.lists(st.tuples(st.integers(1, 100_000), st.integers(0, 20_000)), min_size=1, max_size=3))
    beside = sum(ms * speed for ms, speed in lengths)
    turns = beside + sum(ms * max(speed + data.draw(st.integers(-125, 125)), 0) for (speed, _), ms in cells.items())
    row = quarter(0, cells, on=sum(cells.values()) + sum(ms for ms, _ in lengths), revolutions=turns // 60)
    found = use_of([row]).unknown_load["S1"]
    assert found.most is not None
    assert found.least - 60 <= beside <= found.most + 60


def test_unknown_loads_add_up_and_no_speed_stays_unsaid() -> None:
    assert UnknownLoad(5, 1, 2) + UnknownLoad(7, 3, 4) == UnknownLoad(12, 4, 6)
    assert UnknownLoad(5, 1, 2) + UnknownLoad(7, 0, None) == UnknownLoad(12, 1, None)
