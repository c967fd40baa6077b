"""A tariff checks itself: every wrong field is named by its path, with what to write instead, all at once."""

import copy
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from billing.pricing.fields import InvalidInput
from billing.pricing.measured_json import measured_from_json, measured_to_json
from billing.pricing.rating import rate
from billing.pricing.schema import NAMES, example_text, schema
from billing.pricing.tariff import TariffVersion

PARSERS = {"tariff": TariffVersion.from_json, "usage": measured_from_json}


def example(name: str = "tariff") -> Any:
    return json.loads(example_text(name))


def at(data: Any, path: tuple[Any, ...], value: Any) -> Any:
    """`data` with `value` at `path`; None takes the field out."""
    changed = copy.deepcopy(data)
    place = changed
    for step in path[:-1]:
        place = place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return changed


def told(data: Any, parse: Any = TariffVersion.from_json) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        parse(data)
    return {problem.path: problem.message for problem in caught.value.problems}


COMPONENT = ("elements", 0, "components", 0)
CELL = ("slices", 1, "spectrum", 0)
TIERS = (*COMPONENT, "price", "tiers")


@pytest.mark.parametrize(
    ("path", "value", "where", "message"),
    [
        (("currency",), "yuan", ".currency", "three letters"),
        (("version",), 0, ".version", "whole number from 1"),
        (("version",), True, ".version", "whole number"),
        (("code",), "Has Blanks", ".code", "lower-case letters"),
        (("format",), "other/1", ".format", "not known here"),
        (("rounding",), "up", ".rounding", "line, sum"),
        (("surprise",), "x", ".surprise", "is not a field here"),
        (("title",), "\x1b[2J", ".title", "control characters"),
        (("title",), "\ud800", ".title", "control characters"),
        (("vat", "\x1b"), {"percent": "1"}, ".vat", "no plain text"),
        ((*COMPONENT, "dimension"), "travel. X", ".elements[0].components[0].dimension", "is not known"),
        ((*COMPONENT, "dimension"), "wear_hours.*", ".elements[0].components[0].dimension", "is not known"),
        (("vat", "leasing", "percent"), 13, ".vat.leasing.percent", 'in quotes, "13"'),
        (("vat", "leasing", "percent"), "13,0", ".vat.leasing.percent", "plain decimal"),
        (("vat", "leasing", "category"), "E", ".vat.leasing.percent", "must be 0"),
        (("base_fee", "vat"), "nothing", ".base_fee.vat", "is not in $.vat"),
        (("base_fee", "parts"), [], ".base_fee.parts", "1 to"),
        (("base_fee", "parts", 0, "amount"), "1e3", ".base_fee.parts[0].amount", "plain decimal"),
        (("base_fee", "proration"), "weekly", ".base_fee.proration", "by_day, by_second"),
        ((*COMPONENT, "dimension"), "spindel_on", ".elements[0].components[0].dimension", "is not known"),
        ((*COMPONENT, "code"), "wear", ".elements[0].components[0].code", "more than once"),
        ((*COMPONENT, "step"), "0", ".elements[0].components[0].step", "above 0"),
        ((*COMPONENT, "step"), "1/0", ".elements[0].components[0].step", "a ratio"),
        ((*TIERS, 0, "up_to"), None, ".elements[0].components[0].price.tiers[0].up_to", "only the last tier"),
        ((*TIERS, 1, "up_to"), "200", ".elements[0].components[0].price.tiers", "without up_to"),
        ((*COMPONENT, "price", "model"), "magic", ".elements[0].components[0].price.model", "flat, graduated"),
        (("elements", 1, "when", "bands", 0), "noon", ".elements[1].when.bands[0]", "is no band"),
        (("adders", 0, "band"), "noon", ".adders[0].band", "is no band"),
        (("bands", 0, "windows", 0, "from"), "8:00", ".bands[0].windows[0].from", "local time"),
        (("bands", 0, "windows", 0, "to"), "08:00", ".bands[0].windows[0].to", "must differ"),
        (("bands", 0, "windows", 0, "days"), ["monday"], ".bands[0].windows[0].days[0]", "a weekday"),
        (("bands", 2, "windows"), [{"from": "10:00", "to": "12:00"}], ".bands[2].windows", "it is the rest"),
        (("bands", 0, "windows"), [], ".bands[0].windows", "only the last band"),
        (("wear",), None, ".wear", "wear hours are priced"),
        (("wear", "preload_floor"), "1.1", ".wear", "from 0 to 1"),
        (("charges", 0, "on"), "no_show", ".charges", "more than once"),
        (("availability_credit", "guaranteed_percent"), "101", ".availability_credit.guaranteed_percent", "0 to 100"),
        (("base_fee",), None, ".availability_credit", "share of the base fee"),
        (("minimum", "covers"), ["everything"], ".minimum.covers[0]", "lease_fixed"),
        (("minimum",), [], ".minimum", "write an object"),
    ],
)
def test_a_wrong_field_is_named(path: tuple[Any, ...], value: Any, where: str, message: str) -> None:
    problems = told(at(example(), path, value))
    assert where in problems, problems
    assert message in problems[where]


def test_several_are_named_at_once() -> None:
    data = at(at(example(), ("adders", 1, "amount"), -2.7), ("fees", 0, "parts", 0, "amount"), 600)
    assert set(told(data)) == {".adders[1].amount", ".fees[0].parts[0].amount"}


@pytest.mark.parametrize("nonsense", [None, 1, "x", [], {}, {"format": []}, {"elements": {}}, float("nan")])
def test_nonsense_is_refused_politely(nonsense: Any) -> None:
    for parse in PARSERS.values():
        assert told(nonsense, parse)


@pytest.mark.parametrize(
    ("path", "value", "where", "message"),
    [
        (("zone",), "Mars/Olympus", ".zone", "is no time zone"),
        (("period", "to"), "2026-02-01T00:00:00+08:00", ".period.to", "must lie after"),
        (("period", "to"), "2026-04-01T00:00:00", ".period.to", "with its offset"),
        (("period", "to"), "9999-12-31T23:59:59-12:00", ".period.to", "with its offset"),
        (("period", "from"), "0001-01-01T00:00:00+12:00", ".period.from", "with its offset"),
        (("availability_percent",), "101", ".availability_percent", "0 to 100"),
        (("slices", 0, "to"), "2026-04-02T00:00:00+08:00", ".slices[0]", "outside the period"),
        (("slices", 0, "quantities", "spindle_on"), "-1", ".slices[0].quantities.spindle_on", "not be negative"),
        (("slices", 0, "quantities", "spindle_on"), 70.25, ".slices[0].quantities.spindle_on", "in quotes"),
        (("slices", 0, "registers"), {"spindle_on": 1}, ".slices[0].quantities.spindle_on", "told twice"),
        (("slices", 0, "registers"), {"nothing": 1}, ".slices[0].registers.nothing", "is no register"),
        (("slices", 0, "registers"), {"parts": 1.5}, ".slices[0].registers.parts", "whole number"),
        (
            ("slices", 1, "spectrum", 0, "speed_per_min"),
            6100,
            ".slices[1].spectrum[0].speed_per_min",
            "multiple of 250",
        ),
        ((*CELL, "hours"), "0.0000001", ".slices[1].spectrum[0].hours", "finer than"),
        (("events", 0, "evidence"), [], ".events[0].evidence", "only billed with"),
        (("covered",), {"from": "2025-01-01T00:00:00Z", "to": "2025-02-01T00:00:00Z"}, ".covered", "does not touch"),
    ],
)
def test_a_wrong_field_of_a_usage_file_is_named(path: tuple[Any, ...], value: Any, where: str, message: str) -> None:
    problems = told(at(example("usage"), path, value), measured_from_json)
    assert where in problems, problems
    assert message in problems[where]


def test_values_come_back_from_their_json() -> None:
    tariff, measured = TariffVersion.from_json(example()), measured_from_json(example("usage"))
    assert TariffVersion.from_json(tariff.to_json()) == tariff
    assert TariffVersion.from_json(json.loads(tariff.canonical())).canonical() == tariff.canonical()
    assert measured_from_json(json.loads(json.dumps(measured_to_json(measured)))) == measured
    assert rate(tariff, measured).total.minor == 1_615_139


def test_a_shuffled_file_has_the_same_digest() -> None:
    turned = dict(reversed(example().items()))
    assert TariffVersion.from_json(turned).digest() == TariffVersion.from_json(example()).digest()


@pytest.mark.parametrize("name", NAMES)
def test_the_schemas_are_schemas_and_the_examples_fit_them(name: str) -> None:
    Draft202012Validator.check_schema(schema(name))
    assert list(Draft202012Validator(schema(name)).iter_errors(example(name))) == []


def paths(data: Any, before: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in `data`."""
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    return [place for key, value in items for place in [(*before, key), *paths(value, (*before, key))]]


def taken(parse: Any, value: Any) -> Any:
    """The value, None where it is refused; anything but a polite refusal fails the test."""
    try:
        return parse(value)
    except InvalidInput:
        return None


BROKEN = st.sampled_from([None, 0, -1, 1.5, True, "", "x", "-3", "1e5", "08:00", [], {}, [0], {"a": 1}])


@settings(max_examples=300)
@given(st.sampled_from(NAMES), st.data())
def test_what_the_schema_refuses_the_value_refuses(name: str, data: st.DataObject) -> None:
    """The schema says no more than the value's own checks do, so that an editor never complains about a good file."""
    whole = example(name)
    changed = at(whole, data.draw(st.sampled_from(paths(whole))), data.draw(BROKEN))
    refused = [error.message for error in Draft202012Validator(schema(name)).iter_errors(changed)]
    assert not refused or taken(PARSERS[name], changed) is None, refused


@settings(max_examples=200)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["format", "code", "vat", "elements", "bands", "slices", "period"]), inner
            )
        ),
    )
)
def test_no_json_makes_it_stumble(value: Any) -> None:
    for parse in PARSERS.values():
        with pytest.raises(InvalidInput):
            parse(value)
