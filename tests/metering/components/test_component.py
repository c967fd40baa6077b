"""Histories: which piece and which parameters count when, now and as it was known on a past day."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering.components.component import Component, Entry, History, What
from metering.components.fields import ComponentRefused
from metering.components.measure import component_wear, worn_by, worn_over
from metering.components.models import CannotSay, Worn
from metering.components.parameters import Kind, Parameters
from metering.components.told import told
from metering.components.use import Use, use_of
from metering.period import QUARTER_HOUR, Period
from metering.usage import Usage
from tests.metering.components.builders import START, of, quarter

TOLD = datetime(2026, 3, 1, tzinfo=UTC)
COMPONENT = Component(id=UUID(int=1), machine_id=UUID(int=2), owner_id=UUID(int=3), name="changer", kind=Kind.COUNTED)
HUNDRED, FIFTY = of(Kind.COUNTED, capacity=100), of(Kind.COUNTED, capacity=50)
ROWS = [quarter(index, tool_changes=1) for index in range(40)]


def quarters(count: int) -> datetime:
    return START + count * QUARTER_HOUR


def history(*told_of: tuple[What, int, dict[str, object]]) -> History:
    """Entries told a day apart: what, for which quarter hour, and the rest of it."""
    entries = [
        Entry(
            number=number,
            what=what,
            at=quarters(at),
            recorded_at=TOLD + timedelta(days=number),
            by="maker",
            **rest,  # type: ignore[arg-type]
        )
        for number, (what, at, rest) in enumerate(told_of, start=1)
    ]
    return History(COMPONENT, tuple(entries))


def fitted(at: int, **rest: object) -> tuple[What, int, dict[str, object]]:
    return What.FITTED, at, rest


def parameters(at: int, values: Parameters) -> tuple[What, int, dict[str, object]]:
    return What.PARAMETERS, at, {"parameters": values}


def withdrawn(number: int) -> tuple[What, int, dict[str, object]]:
    return What.WITHDRAWN, 0, {"withdraws": number}


def use(stretch: Period) -> Use:
    return use_of(row for row in ROWS if row.period.start in stretch)


def share(known: History, first: int = 0, last: int = 40) -> Fraction:
    found = worn_over(known, Period(quarters(first), quarters(last)), use)
    assert isinstance(found, Worn)
    return found.share


def test_each_stretch_counts_by_the_parameters_that_held_in_it() -> None:
    known = history(parameters(0, HUNDRED), fitted(0), parameters(30, FIFTY))
    assert share(known) == Fraction(30, 100) + Fraction(10, 50)
    assert share(known, 25, 35) == Fraction(5, 100) + Fraction(5, 50)


def test_a_correction_of_the_past_changes_the_past_and_what_was_known_stays_known() -> None:
    known = history(parameters(0, HUNDRED), fitted(0), parameters(0, FIFTY))
    assert share(known) == Fraction(40, 50)
    assert share(known.known(TOLD + timedelta(days=2))) == Fraction(40, 100)
    taken_back = history(parameters(0, HUNDRED), fitted(0), parameters(0, FIFTY), withdrawn(3))
    assert share(taken_back) == Fraction(40, 100)
    assert known.known(TOLD).lives() == []


def test_the_first_description_holds_for_what_lies_before_it_too() -> None:
    assert share(history(parameters(20, HUNDRED), fitted(0))) == Fraction(40, 100)


def test_a_new_piece_starts_at_zero_and_the_old_ones_life_stays() -> None:
    known = history(parameters(0, HUNDRED), fitted(0, serial="A", used_share=Decimal("0.5")), fitted(30, serial="B"))
    found = component_wear(known, Period(quarters(35), quarters(40)), use)
    assert found.present is not None
    assert (found.present.life.serial, found.present.life.number) == ("B", 2)
    assert isinstance(found.present.whole, Worn)
    assert found.present.whole.share == Fraction(10, 100)
    (before,) = found.earlier
    assert isinstance(before.whole, Worn)
    assert isinstance(before.since_fitted, Worn)
    assert (before.life.serial, before.since_fitted.share, before.whole.share) == (
        "A",
        Fraction(3, 10),
        Fraction(8, 10),
    )
    assert isinstance(found.in_period, Worn)
    assert found.in_period.share == Fraction(5, 100)
    assert found.left is not None
    assert found.left.on_mix == 90


def test_what_was_used_before_does_not_make_the_pace() -> None:
    """Half used when fitted, 40 of 100 since: 10 changes are left at one a change, not fewer."""
    known = history(parameters(0, HUNDRED), fitted(0, used_share=Decimal("0.5")))
    found = component_wear(known, Period(quarters(0), quarters(40)), use)
    assert found.left is not None
    assert (found.left.on_mix, found.left.earliest, found.left.latest) == (10, 10, 10)


def test_time_that_nobody_watched_is_told() -> None:
    known = history(parameters(0, HUNDRED), fitted(-4))
    found = component_wear(known, Period(quarters(0), quarters(44)), use)
    assert found.unwatched_ms == 8 * 900_000
    assert found.use.watched_ms == 40 * 900_000
    later = component_wear(known, Period(quarters(-20), quarters(-10)), use)
    assert (later.present, later.left, later.earlier) == (None, None, ())


def test_a_period_that_is_not_measured_cannot_be_said() -> None:
    other = history(parameters(0, of(Kind.COUNTED, register="starts.S1")), fitted(0))
    found = component_wear(other, Period(quarters(0), quarters(40)), use)
    assert found.in_period == CannotSay("the meter does not count starts.S1")
    assert found.left is None


@given(
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from([HUNDRED, FIFTY])), min_size=1, max_size=4),
    st.lists(st.integers(0, 40), min_size=1, max_size=3),
    st.lists(st.integers(0, 3), min_size=40, max_size=40),
)
def test_who_wore_it_sums_to_what_was_worn(
    versions: list[tuple[int, Parameters]], fits: list[int], owners: list[int]
) -> None:
    known = history(*(parameters(*version) for version in versions), *(fitted(at) for at in fits))
    period = Period(quarters(0), quarters(40))
    groups: dict[int, list[Usage]] = {}
    for row, owner in zip(ROWS, owners, strict=True):
        groups.setdefault(owner, []).append(row)
    parts = worn_by(known, period, groups)
    whole = Worn()
    for part in parts.values():
        assert isinstance(part, Worn)
        whole += part
    assert whole == worn_over(known, period, use)
    middle = owners[0] * 10 or 5
    assert share(known) == share(known, 0, middle) + share(known, middle, 40)


def test_a_description_is_taken_or_refused_with_every_wrong_field() -> None:
    given = {
        "name": " tool changer ",
        "kind": "counted",
        "valid_from": "2026-03-01T00:00:00Z",
        "fitted_at": TOLD,
        "used_share": "0.25",
        "parameters": {"register": "tool_changes", "capacity": 100},
    }
    taken = told(given)
    assert (taken.name, taken.parameters, taken.valid_from) == ("tool changer", HUNDRED, TOLD)
    assert taken.fitting is not None
    assert taken.fitting.used_share == Decimal("0.25")
    wrong = {
        **given,
        "name": "",
        "valid_from": "2026-03-01",
        "used_share": "2",
        "colour": 1,
        "parameters": {"capacity": 0},
    }
    with pytest.raises(ComponentRefused) as caught:
        told(wrong)
    named = {problem.field for problem in caught.value.problems}
    assert named == {"name", "valid_from", "used_share", "colour", "register", "capacity"}
    for broken, field in (
        ({**given, "fitted_at": ""}, "used_share"),
        ({**given, "parameters": 1}, "parameters"),
        ([], ""),
    ):
        with pytest.raises(ComponentRefused) as caught:
            told(broken)
        assert [problem.field for problem in caught.value.problems] == [field]
