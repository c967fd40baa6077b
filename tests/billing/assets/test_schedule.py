"""Schedules of whole assets: the worked figures, changes on the way, and what must hold for any asset."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.assets.asset_json import asset_from_json
from billing.assets.month import Month
from billing.assets.report import rates, recoveries, rows, to_json, totals
from billing.assets.schedule import ImpossibleEvent, Schedule, schedule
from billing.pricing.fields import InvalidInput


def component(method: dict[str, Any], cost: str = "100000", residual: str = "0", **more: Any) -> dict[str, Any]:
    return {"code": "all", "cost": cost, "residual": residual, "method": method, **more}


def scheduled(*components: dict[str, Any], **more: Any) -> Schedule:
    file = {"asset": "m", "currency": "CNY", "first_month": "2026-01", "components": list(components), **more}
    return schedule(asset_from_json(file).asset)


def yearly(found: Schedule) -> list[str]:
    return [str(row.charge.decimal) for row in rows(found, yearly=True)]


def test_by_the_hours_that_were_used() -> None:
    hours = {"2026": "66000", "2027": "60000", "2028": "38000", "2029": "22000", "2030": "8000", "2031": "6000"}
    found = scheduled(component({"kind": "units_of_production", "capacity": "200000"}, "250000", "10000", use=hours))
    assert yearly(found) == ["79200.00", "72000.00", "45600.00", "26400.00", "9600.00", "7200.00"]
    assert rates(found) == [{"component": "all", "from": "2026-01", "rate": "1.2"}]


def test_double_declining_with_a_straight_end() -> None:
    method = {"kind": "declining", "years": 10, "factor": "2", "ending": "straight_line"}
    assert yearly(scheduled(component(method, "800000", "40000"))) == [
        "160000.00",
        "128000.00",
        "102400.00",
        "81920.00",
        "65536.00",
        "52428.80",
        "41943.04",
        "33554.43",
        "47108.86",
        "47108.87",
    ]


def test_straight_line_by_year() -> None:
    found = scheduled(component({"kind": "straight_line", "months": 120}, "800000", "40000"))
    assert yearly(found) == ["76000.00"] * 10


def test_sum_of_years() -> None:
    assert yearly(scheduled(component({"kind": "sum_of_years", "years": 3}, "7000", "1000"))) == [
        "3000.00",
        "2000.00",
        "1000.00",
    ]


def test_declining_switches_where_equal_shares_are_more() -> None:
    # 40 %: 40, 24, 14.4, then 10.8 each beats 8.64.
    found = scheduled(component({"kind": "declining", "years": 5, "factor": "2"}, "100", "0"))
    assert yearly(found) == ["40.00", "24.00", "14.40", "10.80", "10.80"]


def test_a_cut_capacity_acts_on_what_is_left() -> None:
    method = {"kind": "units_of_production", "capacity": "12000", "unit": "WH"}
    spindle = component(method, "120000", "6000", use={"2026-01": "5000", "2026-02": "100"}, price_per_unit="9.50")
    cut = {"kind": "estimate", "component": "all", "month": "2026-02", "method": {**method, "capacity": "10000"}}
    found = scheduled(spindle, events=[cut])
    assert [str(charge.closing.decimal) for charge in found.charges] == ["72500.00", "71170.00"]
    assert [rate["rate"] for rate in rates(found)] == ["9.5", "13.3"]
    (recovery,) = recoveries(found)
    # The contract's price does not move with the estimate.
    assert (str(recovery.recovered.decimal), str(recovery.difference.decimal)) == ("48450.00", "-380.00")


def test_an_impairment_lowers_what_is_charged_from_then_on() -> None:
    loss = {"kind": "impairment", "component": "all", "month": "2026-04", "amount": "450.00"}
    found = scheduled(component({"kind": "straight_line", "months": 12}, "1200"), events=[loss])
    assert [str(charge.charge.decimal) for charge in found.charges] == ["100.00"] * 3 + ["50.00"] * 9
    assert str(totals(found)["impaired"].decimal) == "450.00"
    assert found.charges[3].opening.minor - found.charges[3].impairment.minor - found.charges[3].charge.minor == (
        found.charges[3].closing.minor
    )


def test_a_whole_asset_sold_shows_its_gain() -> None:
    time = {"code": "a", "cost": "1200", "residual": "0", "method": {"kind": "straight_line", "months": 12}}
    use = {"code": "b", "cost": "500", "residual": "0", "method": {"kind": "units_of_production", "capacity": "10"}}
    sold = {"kind": "disposal", "month": "2026-07", "proceeds": "1000.00"}
    found = scheduled(time, {**use, "use": {"2026-02": "2"}}, events=[sold])
    (sale,) = found.sales
    assert (str(sale.carrying.decimal), str(sale.gain.decimal)) == ("1000.00", "0.00")
    assert max(charge.month for charge in found.charges) == Month.of("2026-06")
    assert totals(found)["net_book_value"].minor == 0


def test_a_part_sold_before_is_not_sold_again() -> None:
    parts = [component({"kind": "straight_line", "months": 12}, "1200") | {"code": code} for code in "ab"]
    events = [
        {"kind": "disposal", "component": "a", "month": "2026-04", "proceeds": "0"},
        {"kind": "disposal", "month": "2026-07", "proceeds": "600.00"},
    ]
    found = scheduled(*parts, events=events)
    assert [str(sale.carrying.decimal) for sale in found.sales] == ["900.00", "600.00"]
    assert totals(found)["net_book_value"].minor == 0


def test_a_life_cut_to_what_is_over_takes_the_rest_at_once() -> None:
    cut = {"kind": "estimate", "component": "all", "month": "2026-07", "method": {"kind": "straight_line", "months": 6}}
    found = scheduled(component({"kind": "straight_line", "months": 12}, "1200"), events=[cut])
    assert [str(charge.charge.decimal) for charge in found.charges] == ["100.00"] * 6 + ["600.00"]


@pytest.mark.parametrize(
    ("event", "said"),
    [
        ({"kind": "impairment", "component": "all", "month": "2026-03", "amount": "1000.01"}, "is more than the"),
        ({"kind": "impairment", "component": "all", "month": "2025-12", "amount": "1"}, "before 2026-01"),
    ],
)
def test_what_cannot_have_happened_is_refused(event: dict[str, Any], said: str) -> None:
    with pytest.raises(ImpossibleEvent, match=said):
        scheduled(component({"kind": "straight_line", "months": 12}, "1200"), events=[event])


def test_use_after_the_sale_is_refused() -> None:
    sold = {"kind": "disposal", "month": "2026-03", "proceeds": "0"}
    used = component({"kind": "units_of_production", "capacity": "10"}, use={"2026-03": "1"})
    with pytest.raises(ImpossibleEvent, match="used outside"):
        scheduled(used, events=[sold])


def test_every_wrong_field_is_named_at_once() -> None:
    wrong = {
        "asset": "m",
        "currency": "yuan",
        "first_month": "2026-13",
        "components": [
            component({"kind": "declining", "years": 5}, "1.005", "2"),
            component({"kind": "straight_line", "months": 12}, use={"2026-01": "1"}),
        ],
    }
    with pytest.raises(InvalidInput) as caught:
        asset_from_json(wrong)
    paths = {problem.path for problem in caught.value.problems}
    assert {".currency", ".first_month", ".components[0].cost", ".components[0].method.rate"} <= paths
    assert ".components[1].use" in paths


def test_an_event_names_a_component_that_is_there() -> None:
    loss = {"kind": "impairment", "component": "spindle", "month": "2026-01", "amount": "1"}
    with pytest.raises(InvalidInput, match="'spindle' is not known here; write one of all"):
        scheduled(component({"kind": "straight_line", "months": 12}), events=[loss])


METHODS = st.one_of(
    st.builds(lambda months: {"kind": "straight_line", "months": months}, st.integers(1, 150)),
    st.builds(lambda years: {"kind": "sum_of_years", "years": years}, st.integers(1, 15)),
    st.builds(
        lambda years, ending: {"kind": "declining", "years": years, "factor": "1", "ending": ending, "last_years": 1},
        st.integers(1, 15),
        st.sampled_from(["switch", "straight_line"]),
    ),
    st.builds(lambda years: {"kind": "declining", "years": years, "rate": "0.3"}, st.integers(1, 15)),
)


@given(METHODS, st.integers(0, 10**9), st.integers(0, 10**9), st.lists(st.integers(1, 160), max_size=3), METHODS)
def test_it_always_ends_at_the_residual(
    method: dict[str, Any], one: int, other: int, impaired: list[int], later: dict[str, Any]
) -> None:
    residual, cost = sorted((one, other))
    events: list[dict[str, Any]] = [
        {"kind": "impairment", "component": "all", "month": str(Month.of("2026-01") + at), "amount": "0.01"}
        for at in impaired
    ]
    events.append({"kind": "estimate", "component": "all", "month": "2027-08", "method": later})
    cost, residual = cost + len(impaired), residual + len(impaired)
    amounts = [f"{amount // 100}.{amount % 100:02}" for amount in (cost, residual)]
    found = scheduled(component(method, *amounts), events=events)
    closing = found.charges[-1].closing.minor
    assert all(charge.charge.minor >= 0 for charge in found.charges)
    assert all(one.closing == other.opening for one, other in zip(found.charges, found.charges[1:], strict=False))
    assert residual - len(impaired) <= closing <= residual
    assert closing == cost - sum(charge.charge.minor + charge.impairment.minor for charge in found.charges)


@given(st.lists(st.decimals(0, 500, places=4), min_size=1, max_size=24), st.integers(1, 3000))
def test_use_never_takes_more_than_there_is(used: list[Any], capacity: int) -> None:
    use = {str(Month.of("2026-01") + at): f"{units:f}" for at, units in enumerate(used)}
    method = {"kind": "units_of_production", "capacity": str(capacity)}
    found = scheduled(component(method, "1000.00", "100.00", use=use))
    charged = sum(charge.charge.minor for charge in found.charges)
    exact = min(sum(used) / capacity, 1) * 90000
    assert abs(charged - exact) <= len(used) / 2
    if sum(used) >= capacity:
        assert charged == 90000


def test_months_and_years_say_the_same() -> None:
    found = scheduled(component({"kind": "declining", "years": 7, "rate": "0.3"}, "1234.56", "78.90"))
    months, years = to_json(found, yearly=False), to_json(found, yearly=True)
    assert months["totals"] == years["totals"]
    assert len(months["rows"]) == 12 * len(years["rows"])
