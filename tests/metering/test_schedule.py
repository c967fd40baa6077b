"""Cut schedules: one spelling under one signature, and a plan that makes every cut known in time exactly once."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from metering import signing
from metering.schedule import (
    MAX_CUTS,
    MAX_TEXT_BYTES,
    CutKind,
    CutSchedule,
    ScheduledCut,
    ScheduleError,
    from_ms,
    ordered,
    parse,
    seal,
    to_ms,
    verify,
)
from metering.schedule_plan import Admitted, Plan, Refusal, Refused, admit

START = datetime(2026, 5, 4, 6, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@cache
def key() -> signing.PrivateKey:
    return signing.new_key()


def cut(minute: int, kind: CutKind = CutKind.BEGIN, session: str | None = "s1") -> ScheduledCut:
    return ScheduledCut(START + minute * MINUTE, kind, session)


def schedule(
    number: int = 1, *, issued: int = 0, length: int = 600, cuts: tuple[ScheduledCut, ...] = ()
) -> CutSchedule:
    return CutSchedule("M-1", number, START + issued * MINUTE, START + (issued + length) * MINUTE, cuts)


def text(number: int = 1, *, issued: int = 0, cuts: tuple[ScheduledCut, ...] = ()) -> str:
    return seal(schedule(number, issued=issued, cuts=cuts), key()).text


def forged(change: dict[str, object]) -> str:
    """A text with a payload of our own choice under a good signature: what only the reader's checks can refuse."""
    payload = json.loads(text(cuts=(cut(5),)).split("|")[1]) | change
    head = "CUTS|" + json.dumps(payload, separators=(",", ":"))
    return f"{head}|{signing.sign(head.encode(), key()).hex()}"


def taken(plan: Plan, sealed: str, *, folded_to: datetime | None = None) -> Admitted:
    result = admit(plan, sealed, meter="M-1", key=key().public_key(), folded_to=folded_to)
    assert isinstance(result, Admitted), result
    return result


def refusal(plan: Plan, sealed: str, *, meter: str = "M-1", folded_to: datetime | None = None) -> Refusal:
    result = admit(plan, sealed, meter=meter, key=key().public_key(), folded_to=folded_to)
    assert isinstance(result, Refused), result
    assert result.detail
    return result.why


moments = st.integers(0, 2**42).map(from_ms)
some_cuts = st.lists(
    st.tuples(st.integers(0, 599), st.sampled_from([CutKind.BEGIN, CutKind.END]), st.sampled_from("abc")), max_size=12
).map(lambda entries: ordered(cut(minute, kind, session) for minute, kind, session in entries))


@given(some_cuts, st.integers(1, 10**12), st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1))
def test_a_sealed_schedule_reads_as_it_was_written(cuts: tuple[ScheduledCut, ...], number: int, meter: str) -> None:
    value = CutSchedule(meter[:120], number, START, START + 600 * MINUTE, cuts)
    sealed = seal(value, key())
    assert parse(sealed.text) == sealed
    verify(parse(sealed.text), key().public_key())


def test_another_program_can_check_the_signature() -> None:
    head, _, signature = text(cuts=(cut(5),)).rpartition("|")
    key().public_key().verify(bytes.fromhex(signature), head.encode("ascii"), ec.ECDSA(hashes.SHA256()))


@given(st.data())
def test_any_changed_character_is_found(data: st.DataObject) -> None:
    sealed = text(cuts=(cut(5), cut(9, CutKind.END)))
    place = data.draw(st.integers(0, len(sealed) - 1))
    other = data.draw(st.characters(min_codepoint=0, max_codepoint=300).filter(lambda found: found != sealed[place]))
    why = refusal(Plan(), sealed[:place] + other + sealed[place + 1 :])
    assert why in (Refusal.UNREADABLE, Refusal.BAD_SIGNATURE)


@given(st.text(max_size=300))
def test_no_text_breaks_the_reader(found: str) -> None:
    for attempt in (found, f"CUTS|{found}|{'00' * 8}"):
        assert refusal(Plan(), attempt) in (Refusal.UNREADABLE, Refusal.BAD_SIGNATURE)


@pytest.mark.parametrize(
    "change",
    [
        {"FV": 2},
        {"FV": True},
        {"NR": 0},
        {"NR": 1.0},
        {"MS": ""},
        {"MS": 5},
        {"IA": -1},
        {"VU": 10**30},
        {"CT": {}},
        {"CT": [[1, "B", "s"]]},
        {"CT": [[to_ms(START) + 60_000, "B"]]},
        {"CT": [[to_ms(START) + 60_000, "T", "s"]]},
        {"CT": [[to_ms(START) + 60_000, "X", "s"]]},
        {"CT": [[to_ms(START) + 60_000, "B", "a b"]]},
        {"CT": [[to_ms(START) + 60_000, "B", "s"], [to_ms(START) + 60_000, "B", "s"]]},
        {"CT": [[to_ms(START) + 120_000, "B", "s"], [to_ms(START) + 60_000, "E", "s"]]},
        {"CT": [[to_ms(START), "T"]] * (MAX_CUTS + 1)},
        {"more": 1},
    ],
)
def test_what_is_signed_but_no_schedule_is_refused(change: dict[str, object]) -> None:
    assert refusal(Plan(), forged(change)) is Refusal.UNREADABLE


def test_a_huge_text_is_refused_before_it_is_read() -> None:
    assert refusal(Plan(), "CUTS|" + "[" * MAX_TEXT_BYTES + "|" + "00" * 8) is Refusal.UNREADABLE
    assert refusal(Plan(), "CUTS|" + "[" * 100_000 + "|" + "00" * 8) is Refusal.UNREADABLE


def test_what_is_not_for_us_or_not_new_is_refused_by_name() -> None:
    plan = taken(Plan(), text(3, cuts=(cut(5),))).plan
    assert refusal(plan, text(3)) is Refusal.OLDER
    assert refusal(plan, text(2)) is Refusal.OLDER
    assert refusal(plan, text(4), meter="M-2") is Refusal.OTHER_METER
    assert refusal(plan, text(4), folded_to=START + 600 * MINUTE) is Refusal.OUTDATED
    stranger = seal(schedule(4), signing.new_key()).text
    assert refusal(plan, stranger) is Refusal.BAD_SIGNATURE
    with pytest.raises(signing.BadSignature):
        verify(parse(stranger), key().public_key())


def test_a_schedule_cannot_ask_for_a_cut_before_it_was_issued_or_after_its_end() -> None:
    for minute in (9, 610):
        with pytest.raises(ScheduleError, match="lies in the past, or after"):
            schedule(issued=10, cuts=(cut(minute),))


def test_at_one_moment_what_ends_comes_before_what_begins() -> None:
    begin, end = cut(5, CutKind.BEGIN, "a"), cut(5, CutKind.END, "z")
    change = cut(5, CutKind.TARIFF_CHANGE, None)
    assert ordered([begin, change, end]) == (end, change, begin)


def test_a_newer_schedule_replaces_only_what_lies_after_its_issue() -> None:
    plan = taken(Plan(), text(1, cuts=(cut(5), cut(20)))).plan
    # The meter is behind the clock: it has folded up to minute 2 when a schedule of minute 10 comes.
    newer = taken(plan, text(2, issued=10, cuts=(cut(30),)), folded_to=START + 2 * MINUTE)
    assert newer.plan.cuts == (cut(5), cut(30))
    assert newer.missed == ()


def test_a_cut_that_has_passed_is_told_as_missed_once() -> None:
    late = taken(Plan(), text(1, cuts=(cut(5), cut(20))), folded_to=START + 5 * MINUTE)
    assert late.missed == (cut(5),)
    assert late.plan.after(START + 5 * MINUTE) == [cut(20)]
    again = taken(late.plan, text(2, cuts=(cut(5), cut(20))), folded_to=START + 6 * MINUTE)
    assert again.missed == ()


@given(some_cuts)
def test_a_plan_survives_a_restart(cuts: tuple[ScheduledCut, ...]) -> None:
    plan = Plan(7, cuts)
    assert Plan.from_json(plan.to_json()) == plan


@given(some_cuts, st.lists(st.integers(0, 600), min_size=1, max_size=12), st.lists(st.booleans(), min_size=12))
def test_every_cut_is_made_or_told_as_missed_exactly_once(
    cuts: tuple[ScheduledCut, ...], pace: list[int], restarts: list[bool]
) -> None:
    """A service that issues anew while an agent folds at its own pace, restarted at any of the steps."""
    plan, made, missed = Plan(), list[ScheduledCut](), list[ScheduledCut]()
    folded_to, issued, told = START, 0, set[ScheduledCut]()
    for number, (reached, restart) in enumerate(zip(sorted(pace), restarts, strict=False), start=1):
        issued = max(issued, min(reached, 599))
        ahead = tuple(one for one in cuts if one.at >= START + issued * MINUTE)
        told.update(ahead)
        sealed = seal(schedule(number, issued=issued, cuts=ahead), key()).text
        result = admit(plan, sealed, meter="M-1", key=key().public_key(), folded_to=folded_to)
        assert isinstance(result, Admitted)
        plan, missed = result.plan, [*missed, *result.missed]
        plan = Plan.from_json(plan.to_json()) if restart else plan
        now = START + reached * MINUTE
        made += [one for one in plan.after(folded_to) if one.at <= now]
        folded_to = max(folded_to, now)
    # A cut that no schedule has said yet, because all were issued after it, nobody could know of.
    dealt_with = [*made, *missed]
    assert len(dealt_with) == len(set(dealt_with))
    assert set(dealt_with) == {one for one in told if one.at <= folded_to}
