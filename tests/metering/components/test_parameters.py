"""Parameters are taken exactly or refused with every wrong field named."""

import json
from decimal import Decimal

import pytest

from metering.components.fields import ComponentRefused, shown
from metering.components.parameters import FIELDS, Kind, Parameters, kind_named
from tests.metering.components.builders import GIVEN, of


def refused(kind: Kind, **changed: object) -> dict[str, str]:
    with pytest.raises(ComponentRefused) as caught:
        of(kind, **changed)
    return {problem.field: problem.message for problem in caught.value.problems}


@pytest.mark.parametrize("kind", Kind)
def test_they_come_back_from_json_and_from_a_form(kind: Kind) -> None:
    taken = of(kind)
    assert Parameters.of(kind, json.loads(json.dumps(taken.to_json()))) == taken
    assert Parameters.of(kind, {name: shown(value) for name, value in taken.values.items()}) == taken
    assert set(GIVEN[kind]) <= {field.name for field in FIELDS[kind]}


def test_numbers_written_otherwise_are_the_same() -> None:
    assert of(Kind.BALL_SCREW, lead_mm="10.00") == of(Kind.BALL_SCREW, lead_mm=Decimal(10))


def test_every_wrong_field_is_named_at_once_with_what_to_do() -> None:
    told = refused(Kind.SPINDLE_BEARINGS, rating_n="much", rolling="needle", spindle="S 1", colour="red", loads="")
    assert set(told) == {"rating_n", "rolling", "spindle", "colour", "loads"}
    assert "write a plain number" in told["rating_n"]
    assert "ball, roller" in told["rolling"]
    assert "take it out" in told["colour"]
    assert "is missing" in told["loads"]


@pytest.mark.parametrize(
    ("kind", "field", "said", "reason"),
    [
        (Kind.SPINDLE_BEARINGS, "loads", [[50, 1000], [10, 2000]], "must rise"),
        (Kind.SPINDLE_BEARINGS, "loads", [[0, 2000], [50, 1000]], "never wears less"),
        (Kind.SPINDLE_BEARINGS, "loads", [[0, 0]], "zero throughout"),
        (Kind.SPINDLE_BEARINGS, "loads", [[0, 31_000]], "check the units"),
        (Kind.SPINDLE_BEARINGS, "loads", "0 800; 100", "row 2 does not hold 2 numbers"),
        (Kind.SPINDLE_BEARINGS, "loads", "0 800; 100 4,5", "row 2 does not hold 2 numbers"),
        (Kind.SPINDLE_BEARINGS, "rating_n", 0, "more than 0"),
        (Kind.SPINDLE_BEARINGS, "rating_n", 30_000.5, "no number|out of"),
        (Kind.SPINDLE_BEARINGS, "rating_n", "1e5", "no number"),
        (Kind.SPINDLE_BEARINGS, "rating_n", "-5", "no number"),
        (Kind.SPINDLE_BEARINGS, "rating_n", True, "no number"),
        (Kind.SPINDLE_BEARINGS, "weibull_slope", "0.1", "at least 0.5"),
        (Kind.BALL_SCREW, "duty", [[100, 0, 20]], "never turns"),
        (Kind.BALL_SCREW, "duty", [[0, 100, 20]], "no force"),
        (Kind.BALL_SCREW, "duty", [[26_000, 100, 20]], "check the units"),
        (Kind.BALL_SCREW, "load_factor", "0.5", "at least 1"),
        (Kind.WEAR_HOURS, "preload_floor", "1.5", "at most 1"),
        (Kind.WEAR_HOURS, "exponent", "2.5", "whole"),
        (Kind.COUNTED, "register", "tool_change", "no register"),
        (Kind.COUNTED, "cost", 5, ""),
    ],
)
def test_nonsense_is_refused(kind: Kind, field: str, said: object, reason: str) -> None:
    told = refused(kind, **{field: said})
    if field == "cost":
        assert set(told) == {"currency", "residual"}
    else:
        assert any(part in told[field] for part in reason.split("|")), told


def test_a_parts_worth_is_whole_or_left_out() -> None:
    assert of(Kind.COUNTED, currency="EUR", cost="10", residual="1").number("residual") == 1
    assert "above the cost" in refused(Kind.COUNTED, currency="EUR", cost="10", residual="11")["residual"]
    assert "capital letters" in refused(Kind.COUNTED, currency="euro", cost="10", residual="1")["currency"]


def test_an_unknown_kind_is_told_the_known_ones() -> None:
    assert kind_named("ball_screw") is Kind.BALL_SCREW
    with pytest.raises(ComponentRefused, match="spindle_bearings, ball_screw"):
        kind_named("gearbox")
