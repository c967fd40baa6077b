"""Annuities, lease liabilities and depreciation as other software and textbooks have them (finance.json).

The cases give exact values; ours are rounded once to the minor unit. Where a case shows more than two decimals its
amounts are read as a finer unit, which the methods do not mind: they know only whole units.
"""

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from billing.assets.annuity import Terms, Timing, instalments, payment, present_value
from billing.assets.methods import Declining, Ending, StraightLine, Stretch, UnitsOfProduction
from billing.money import round_half_up

CASES: list[dict[str, Any]] = json.loads(Path(__file__).parents[2].joinpath("oracles", "finance.json").read_text())[
    "cases"
]


def of_kind(kind: str) -> list[Any]:
    return [pytest.param(case, id=case["id"]) for case in CASES if case["kind"] == kind]


def test_every_kind_of_case_is_followed() -> None:
    followed = {
        "annuity",
        "lease_liability_pv",
        "depreciation_linear_monthly",
        "depreciation_units_of_production",
        "depreciation_declining_balance",
    }
    assert {case["kind"] for case in CASES} == followed


@pytest.mark.parametrize("case", of_kind("annuity"))
def test_annuity(case: dict[str, Any]) -> None:
    scale = 10**6
    terms = Terms(
        int(case["present_value"]) * scale,
        int(case["residual"]) * scale,
        Fraction(case["annual_rate"]) / 12,
        case["periods"],
        Timing(case["payment_timing"]),
    )
    exact = payment(terms) / scale
    assert f"{round_half_up(exact, 8):f}" == case["expected_payment"]
    assert f"{round_half_up(exact, 2):f}" == case["expected_payment_2dp"]
    found = {row.number: row for row in instalments(terms)}
    for row in case["rows"]:
        ours = found[row["period"]]
        # The source keeps every digit to the end; a schedule in millionths drifts by at most one of them a period.
        for name in ("interest", "principal", "closing"):
            if name in row and name != "principal":
                assert abs(Fraction(getattr(ours, name), scale) - Fraction(row[name])) <= Fraction(
                    case["periods"], scale
                )
    assert found[case["periods"]].closing == terms.residual


@pytest.mark.parametrize("case", of_kind("lease_liability_pv"))
def test_lease_liability(case: dict[str, Any]) -> None:
    payments = [Fraction(one) for one in case["payments"]]
    worth = present_value(payments, Fraction(case["period_rate"]), Timing(case["payment_timing"]))
    assert f"{round_half_up(worth, 8):f}" == case["expected_initial_liability"]
    each = worth / len(payments)
    assert f"{round_half_up(each, 8):f}" == case["straight_line_rou_depreciation_per_period"]


@pytest.mark.parametrize("case", of_kind("depreciation_linear_monthly"))
def test_straight_line(case: dict[str, Any]) -> None:
    cost, residual = int(case["cost"]) * 100, int(case["residual"]) * 100
    charges = list(Stretch(StraightLine(case["periods"]), cost, residual, 0, Fraction(0)).charges())
    assert len(charges) == case["periods"]
    assert sum(charges) == cost - residual
    each = Fraction(case.get("expected_each") or case["expected_each_exact"]) * 100
    assert all(abs(charge - each) < 1 for charge in charges)
    for count, name in ((1, "expected_after_1"), (12, "expected_after_12"), (case["periods"], "expected_final")):
        if name in case:
            assert cost - sum(charges[:count]) == Fraction(case[name]) * 100


@pytest.mark.parametrize("case", of_kind("depreciation_units_of_production"))
def test_units_of_production(case: dict[str, Any]) -> None:
    method = UnitsOfProduction(int(case["total_units_hours"]), "h")  # type: ignore[arg-type]
    stretch = Stretch(method, int(case["cost"]) * 100, int(case["residual"]) * 100, 0, Fraction(0))
    assert stretch.rate == Fraction(case["rate_per_hour"]) * 100
    before, charged = Fraction(0), 0
    for hours, expected in zip(case["usage_hours"], case["expected"], strict=True):
        charge = stretch.charge_for(Fraction(hours), before, charged)
        assert charge == Fraction(expected) * 100
        before, charged = before + Fraction(hours), charged + charge
    assert stretch.charge_for(Fraction(1), before, charged) == 0


@pytest.mark.parametrize("case", of_kind("depreciation_declining_balance"))
def test_declining_balance(case: dict[str, Any]) -> None:
    scale = 10**8
    method = Declining(case["years"], Fraction(case["rate"]), Ending.LEAVE)
    charges = list(Stretch(method, int(case["cost"]) * scale, 0, 0, Fraction(0)).charges())
    years = [sum(charges[12 * year : 12 * year + 12]) for year in range(case["years"])]
    assert [f"{round_half_up(Fraction(year, scale), 4):f}" for year in years] == case["expected"]
    assert f"{round_half_up(int(case['cost']) - Fraction(sum(charges), scale), 4):f}" == case["closing"]
