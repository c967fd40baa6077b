"""Algebra of rating: sums are exact, order and cutting do not matter, and nothing priced is left out in silence."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from billing.money import Money, round_half_up
from billing.pricing.components import Category
from billing.pricing.fees import EventKind
from billing.pricing.fields import InvalidInput
from billing.pricing.measured import Event, EvidenceRange, Measured, Slice
from billing.pricing.price_models import Graduated, Package, PerUnit, Tier, Volume
from billing.pricing.proration import Proration
from billing.pricing.rated import RatedBill, round_lines
from billing.pricing.rating import rate
from billing.pricing.schema import example_text
from billing.pricing.tariff import Rounding, TariffVersion
from metering.period import Period
from metering.spectrum import Cell

ZONE = "Asia/Shanghai"
MONTH = Period(datetime(2026, 2, 28, 16, tzinfo=UTC), datetime(2026, 3, 31, 16, tzinfo=UTC))
TARIFF = TariffVersion.from_json(json.loads(example_text("tariff")))
CELLS = [("S1", Cell(speed, load).key) for speed, load in ((6000, 10), (6000, 50), (9000, 70), (12000, 30))]
QUARTERS = list(MONTH.quarter_hours())


def measured(*slices: Slice, **more: Any) -> Measured:
    return Measured(**{"period": MONTH, "covered": MONTH, "zone": ZONE, "slices": slices, **more})


def amounts(bill: RatedBill) -> dict[str, str]:
    return {line.code: str(line.amount.decimal) for line in bill.lines}


@st.composite
def quarter_hours(draw: st.DrawFn) -> list[Slice]:
    """Some quarter hours of the month with their growth."""
    chosen = draw(st.lists(st.integers(0, len(QUARTERS) - 1), max_size=12, unique=True))
    number = st.integers(0, 900_000)
    return [
        Slice(
            QUARTERS[index],
            {"spindle_on": draw(number), "travel.X": draw(number) * 1000, "energy": draw(number)},
            spectrum={draw(st.sampled_from(CELLS)): draw(number)},
            evidence=(EvidenceRange("M-1", index, index + 1),),
        )
        for index in chosen
    ]


@given(quarter_hours(), st.randoms(use_true_random=False))
def test_the_order_of_slices_does_not_matter(slices: list[Slice], chance: Any) -> None:
    mixed = list(slices)
    chance.shuffle(mixed)
    assert rate(TARIFF, measured(*mixed)) == rate(TARIFF, measured(*slices))


@given(quarter_hours(), st.data())
def test_cutting_slices_does_not_change_the_bill(slices: list[Slice], data: st.DataObject) -> None:
    """Each slice is cut in two somewhere, its growth told apart anyhow: same lines, same cents."""
    pieces = []
    for part in slices:
        minute = data.draw(st.integers(1, 14))
        middle = part.period.start + timedelta(minutes=minute)
        first = {code: data.draw(st.integers(0, grown)) for code, grown in part.registers.items()}
        cells = {cell: data.draw(st.integers(0, ms)) for cell, ms in part.spectrum.items()}
        rest = {code: grown - first[code] for code, grown in part.registers.items()}
        others = {cell: ms - cells[cell] for cell, ms in part.spectrum.items()}
        pieces.append(replace(part, period=Period(part.period.start, middle), registers=first, spectrum=cells))
        pieces.append(replace(part, period=Period(middle, part.period.end), registers=rest, spectrum=others))
    whole, cut = rate(TARIFF, measured(*slices)), rate(TARIFF, measured(*pieces))
    assert [(line.code, line.exact, line.amount) for line in cut.lines] == [
        (line.code, line.exact, line.amount) for line in whole.lines
    ]
    assert cut.total == whole.total


@given(quarter_hours())
def test_adders_do_not_depend_on_their_order(slices: list[Slice]) -> None:
    turned = replace(TARIFF, adders=tuple(reversed(TARIFF.adders)))
    assert sorted(amounts(rate(turned, measured(*slices))).items()) == sorted(
        amounts(rate(TARIFF, measured(*slices))).items()
    )


@given(quarter_hours(), quarter_hours())
def test_two_bills_for_a_split_month_differ_from_one_only_by_the_stated_rounding(
    first: list[Slice], second: list[Slice]
) -> None:
    """Without tiers, minimum or fees: half a fourth place of each quantity and half a cent a line, twice."""
    plain = replace(
        TARIFF, elements=TARIFF.elements[1:], adders=(), minimum=None, base_fee=None, availability_credit=None, fees=()
    )
    whole = rate(plain, measured(*first, *second)).net
    parts = rate(plain, measured(*first)).net + rate(plain, measured(*second)).net
    lines = 3
    assert abs((whole - parts).minor) <= lines * 3


prices = st.decimals(min_value=0, max_value=1000, places=2)
units = st.decimals(min_value=0, max_value=10_000, places=4)


@st.composite
def graduated(draw: st.DrawFn) -> Graduated:
    limits = sorted(draw(st.lists(st.decimals(min_value="0.1", max_value=5000, places=1), max_size=4, unique=True)))
    return Graduated(tuple(Tier(limit, draw(prices), Decimal(0)) for limit in [*limits, None]))


@given(graduated(), units, units)
def test_graduated_is_the_sum_of_its_tiers_and_never_falls(model: Graduated, one: Decimal, more: Decimal) -> None:
    def worth(used: Decimal) -> Fraction:
        return sum((charge.precise for charge in model.charge(used)), Fraction(0))

    lower, by_hand = Decimal(0), Fraction(0)
    for tier in model.tiers:
        upper = one if tier.up_to is None else min(one, tier.up_to)
        by_hand += Fraction(max(upper - lower, Decimal(0))) * Fraction(tier.unit)
        lower = tier.up_to or lower
    assert worth(one) == by_hand
    assert worth(one + more) >= worth(one)
    for charge in model.charge(one):
        assert charge.quantity is not None
        assert charge.price is not None
        assert Fraction(charge.quantity) * Fraction(charge.price) == charge.precise
    assert sum(charge.quantity or 0 for charge in model.charge(one) if charge.price) <= one


@given(units, prices)
def test_one_open_tier_is_a_price_per_unit(used: Decimal, price: Decimal) -> None:
    open_tier = (Tier(None, price, Decimal(0)),)
    expected = sum((charge.precise for charge in PerUnit(price).charge(used)), Fraction(0))
    for model in (Graduated(open_tier), Volume(open_tier)):
        assert sum((charge.precise for charge in model.charge(used)), Fraction(0)) == expected


@given(units, st.decimals(min_value="0.5", max_value=100, places=1), prices)
def test_packages_cover_the_use_and_one_less_would_not(used: Decimal, size: Decimal, price: Decimal) -> None:
    charges = Package(size, price).charge(used)
    if not used:
        assert charges == ()
        return
    count = charges[0].quantity or Decimal(0)
    assert count * size >= used > (count - 1) * size


@settings(max_examples=50)
@given(quarter_hours(), st.sampled_from(list(Rounding)))
def test_what_is_printed_adds_up(slices: list[Slice], rounding: Rounding) -> None:
    found = rate(replace(TARIFF, rounding=rounding), measured(*slices))
    assert sum(line.amount.minor for line in found.lines) == found.net.minor
    assert found.total == found.net + found.vat_total
    for part in found.vat:
        exacts = [line.exact for line in found.lines if line.vat_rate == part.rate]
        if rounding is Rounding.SUM:
            assert part.net == Money.of(sum(exacts, Fraction(0)), "CNY")
            for line in found.lines:
                assert abs(Fraction(line.amount.decimal) - line.exact) < Fraction(1, 100)
        assert part.vat == Money.of(Fraction(part.net.decimal) * Fraction(part.rate), "CNY")


def test_rounding_once_can_differ_from_rounding_each_line() -> None:
    third = [replace(line, exact=Fraction("0.005")) for line in rate(TARIFF, measured()).lines[:1] * 3]
    assert [line.amount.minor for line in round_lines(third, Rounding.LINE, "CNY")] == [1, 1, 1]
    assert sorted(line.amount.minor for line in round_lines(third, Rounding.SUM, "CNY")) == [0, 1, 1]


def test_a_lease_for_a_part_of_the_month_owes_a_part_of_the_fee() -> None:
    half = Period(MONTH.start, MONTH.start + timedelta(days=10))
    expected = {
        Proration.BY_DAY: Fraction("6970.83") * 10 / 31,
        Proration.BY_SECOND: Fraction("6970.83") * 10 / 31,
        Proration.FIXED_30_DAYS: Fraction("6970.83") * 10 / 30,
        Proration.NONE: Fraction("6970.83"),
    }
    for rule, amount in expected.items():
        assert TARIFF.base_fee
        tariff = replace(TARIFF, base_fee=replace(TARIFF.base_fee, proration=rule), minimum=None)
        line = rate(tariff, measured(covered=half)).lines[0]
        assert line.exact == amount
        shown = {
            Proration.BY_DAY: "10 of 31 local days",
            Proration.BY_SECOND: "864000 of 2678400 seconds",
            Proration.FIXED_30_DAYS: "10 of 30 days, a month counted as 30",
            Proration.NONE: "not prorated",
        }
        assert shown[rule] in line.working[-1]


def test_a_lease_that_did_not_run_owes_no_fixed_amount_but_its_events() -> None:
    late = Event(EventKind.LATE_CANCEL, "c-1", MONTH.start, Decimal(4), evidence=("booking-1",))
    bill = rate(TARIFF, measured(covered=None, events=(late,)))
    assert amounts(bill) == {"late-cancel": "36.00"}


def test_the_maximum_is_a_reduction_of_its_own() -> None:
    assert TARIFF.minimum
    capped = replace(TARIFF, minimum=None, maximum=replace(TARIFF.minimum, amount=Decimal(5000)))
    bill = rate(capped, measured())
    assert amounts(bill)["minimum"] == "-1970.83"
    assert bill.net_of(Category.LEASE_FIXED, Category.LEASE_VARIABLE) == Money(500_000, "CNY")


@pytest.mark.parametrize(
    ("actual", "credit"),
    [("95", None), ("94.01", None), ("94.0", "-139.42"), ("92.0", "-418.25"), ("0", "-1394.17"), (None, None)],
)
def test_availability_credit_counts_whole_points_and_has_a_cap(actual: str | None, credit: str | None) -> None:
    reached = None if actual is None else Decimal(actual)
    bill = rate(TARIFF, measured(availability_percent=reached))
    assert amounts(bill).get("availability") == credit
    assert ("availability is not known" in " ".join(bill.notes)) == (actual is None)


def test_what_is_priced_but_not_measured_is_said() -> None:
    bill = rate(TARIFF, measured(Slice(QUARTERS[0], {"spindle_on": 900_000})))
    assert "energy is priced, but the usage does not measure it: nothing billed" in bill.notes
    assert "wear_hours is priced, but the usage does not measure it: nothing billed" in bill.notes
    assert not any(note.startswith("spindle_on is priced") for note in bill.notes)


def test_an_event_without_a_price_is_said() -> None:
    damage = Event(EventKind.DAMAGE, "d-1", MONTH.start, evidence=("photo-1",))
    bill = rate(TARIFF, measured(events=(damage,)))
    assert "damage d-1 has no price in the tariff: nothing billed" in bill.notes
    repaired = rate(TARIFF, measured(events=(replace(damage, price=Decimal("812.40")),)))
    assert amounts(repaired)["damage"] == "812.40"
    line = next(line for line in repaired.lines if line.code == "damage")
    assert "evidence: photo-1" in line.working


def test_a_penalty_without_evidence_is_refused() -> None:
    for kind in (EventKind.LATE_CANCEL, EventKind.NO_SHOW, EventKind.DAMAGE):
        with pytest.raises(InvalidInput, match="only billed with the ids of what proves it"):
            Event(kind, "x", MONTH.start)


def test_lines_name_the_readings_that_they_come_from() -> None:
    slices = [
        Slice(QUARTERS[index], {"spindle_on": 900_000}, evidence=(EvidenceRange("M-1", index, index + 1),))
        for index in (5, 40, 90)
    ]
    line = rate(replace(TARIFF, minimum=None), measured(*slices)).lines[1]
    assert line.code == "tou-peak"
    peak = [index for index in (5, 40, 90) if 8 <= (QUARTERS[index].start.hour + 8) % 24 < 11]
    assert line.evidence == (EvidenceRange("M-1", peak[0], peak[-1] + 1),)


def test_a_slice_across_a_border_is_shared_by_time_and_said() -> None:
    start = datetime(2026, 3, 1, 23, tzinfo=UTC)  # 07:00 in Shanghai; peak begins at 08:00
    part = Slice(Period(start, start + timedelta(hours=4)), {"spindle_on": 4 * 3_600_000})
    bill = rate(TARIFF, measured(part))
    assert {line.code: str(line.quantity) for line in bill.lines if line.code == "tou-peak"} == {"tou-peak": "3.0000"}
    assert "1 slices cross a border" in bill.notes[0]


def test_a_band_that_the_tariff_does_not_have_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"\$\.slices\[0\]\.band: 'pk' is no band of the tariff"):
        rate(TARIFF, measured(Slice(QUARTERS[0], band="pk")))


def test_a_step_is_taken_from_the_exact_quantity() -> None:
    """Ten minutes are one step of ten minutes, although 0.1667 h is more than a sixth of an hour."""
    first = TARIFF.elements[0]
    timed = replace(first.components[0], included=None, step=Fraction(1, 6), price=PerUnit(Decimal(6)))
    tariff = replace(TARIFF, elements=(replace(first, components=(timed,)),), adders=(), minimum=None)
    for ms, quantity in ((600_000, "0.1667"), (600_001, "0.3333"), (1, "0.1667")):
        line = rate(tariff, measured(Slice(QUARTERS[0], {"spindle_on": ms}))).lines[1]
        assert str(line.quantity) == quantity


def test_rating_again_gives_the_same_bill_bit_for_bit() -> None:
    slices = [Slice(QUARTERS[7], {"spindle_on": 123_457, "travel.X": 987_654_321}, spectrum={CELLS[2]: 123_457})]
    once = json.dumps(rate(TARIFF, measured(*slices)).to_json())
    reread = TariffVersion.from_json(json.loads(TARIFF.canonical()))
    assert json.dumps(rate(reread, measured(*slices)).to_json()) == once
    assert reread.digest() == TARIFF.digest()


def test_quantities_are_rounded_half_up_to_four_places_before_money() -> None:
    assert round_half_up(Fraction("247.21344"), 4) == Decimal("247.2134")
    part = Slice(QUARTERS[0], quantities={"travel.X": Decimal("0.00005")})
    line = next(line for line in rate(TARIFF, measured(part)).lines if line.code == "travel")
    assert (str(line.quantity), line.precise, line.amount.minor) == ("0.0001", "0.00057", 0)


def test_use_timed_by_a_doubtful_clock_is_billed_by_duration_but_not_by_time_of_use() -> None:
    adders = {adder.heading.code for adder in TARIFF.adders}
    sure = [Slice(part, {"spindle_on": 900_000, "energy": 1_000_000}) for part in QUARTERS[:400]]
    doubtful = [replace(part, unsynchronised=True) for part in sure]
    right, wrong = rate(TARIFF, measured(*sure)), rate(TARIFF, measured(*doubtful))
    runtime = next(line for line in right.lines if line.unit == "h" and line.code not in adders)
    same = next(line for line in wrong.lines if line.code == runtime.code)
    assert (same.quantity, same.amount) == (runtime.quantity, runtime.amount)
    assert adders & {line.code for line in right.lines}
    assert not adders & {line.code for line in wrong.lines}
    assert "includes use timed by a clock not known to be right, priced without time of use" in same.working
    assert any(note.startswith("energy: 400.0000 kWh timed by such a clock") for note in wrong.notes)


def test_a_part_timed_by_a_doubtful_clock_leaves_the_rest_as_it_was() -> None:
    adders = {adder.heading.code for adder in TARIFF.adders}
    sure = [Slice(part, {"spindle_on": 900_000}) for part in QUARTERS[:200]]
    doubtful = [Slice(part, {"spindle_on": 900_000}, unsynchronised=True) for part in QUARTERS[200:300]]
    alone, mixed = rate(TARIFF, measured(*sure)), rate(TARIFF, measured(*sure, *doubtful))
    told = [(line.code, line.amount) for line in alone.lines if line.code in adders]
    assert told == [(line.code, line.amount) for line in mixed.lines if line.code in adders]
