"""The chain: nothing left out, added, doubled, swapped, wound back or sealed by somebody else."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metering import chain, ocmf
from metering.chain import Chain
from metering.ocmf import Sealed
from metering.period import Period
from metering.reading import GENESIS, Clocks, Reading, Reason, Record, Status, TimeQuality

KEY = ocmf.new_key()
PUBLIC = KEY.public_key()
START = datetime(2026, 3, 2, 8, tzinfo=UTC)
CLOCKS = Clocks(START, 1000, "boot")


def reading(sequence: int) -> Reading:
    return Reading(
        sequence=sequence,
        device_time=START + timedelta(minutes=15 * sequence),
        time_quality=TimeQuality.SYNCHRONISED,
        reason=Reason.BEGIN if sequence == 1 else Reason.DURING,
        status=Status.GOOD,
        registers={"cutting": 100 * sequence, "travel.X": 5 * sequence},
        spectrum={("S1", 6154): 10 * sequence},
    )


def seal_all(records: list[Record]) -> list[Sealed]:
    """Sealed with true links, whatever the records' own."""
    sealed: list[Sealed] = []
    for record in records:
        previous = sealed[-1].digest if sealed else GENESIS
        sealed.append(ocmf.seal(replace(record, previous=previous), KEY))
    return sealed


def records(count: int = 5) -> list[Record]:
    """`count` records of two readings each."""
    return [
        Record("agent-1", "SM-1", "MT-1", n, GENESIS, False, (reading(2 * n - 1), reading(2 * n)), CLOCKS)
        for n in range(1, count + 1)
    ]


def faults(sealed: list[Sealed]) -> list[str]:
    return [f"{fault.pagination}: {fault.reason}" for fault in chain.verify(sealed, PUBLIC)]


def test_a_whole_chain_has_no_fault() -> None:
    assert faults(seal_all(records())) == []


@given(st.permutations(range(5)))
def test_any_other_order_is_found(order: list[int]) -> None:
    sealed = seal_all(records())
    assert (faults([sealed[index] for index in order]) == []) == (order == [0, 1, 2, 3, 4])


def test_a_missing_record_is_one_fault() -> None:
    sealed = seal_all(records())
    assert faults(sealed[:2] + sealed[3:]) == ["4: records 3 to 3 are missing before it"]


def test_a_doubled_record_is_found() -> None:
    sealed = seal_all(records())
    assert faults(sealed[:2] + sealed[1:]) == ["2: record 2 was already there"]


def test_a_run_from_the_middle_follows_what_came_before() -> None:
    sealed = seal_all(records())
    assert chain.verify(sealed[3:], PUBLIC, follows=chain.after(sealed[2])) == []
    assert chain.verify(sealed[3:], PUBLIC) != []


def test_another_key_is_found_at_every_record() -> None:
    sealed = seal_all(records(2))
    assert len(chain.verify(sealed, ocmf.new_key().public_key())) == 2


def change_reading(number: int, **change: object) -> Callable[[list[Record]], None]:
    def apply(all_records: list[Record]) -> None:
        record = all_records[1]
        readings = list(record.readings)
        readings[number] = replace(readings[number], **change)  # type: ignore[arg-type]
        all_records[1] = replace(record, readings=tuple(readings))

    return apply


def change_readings(**change: object) -> Callable[[list[Record]], None]:
    def apply(all_records: list[Record]) -> None:
        record = all_records[1]
        changed = tuple(replace(one, **change) for one in record.readings)  # type: ignore[arg-type]
        all_records[1] = replace(record, readings=changed)

    return apply


def change_record(number: int, **change: object) -> Callable[[list[Record]], None]:
    def apply(all_records: list[Record]) -> None:
        all_records[number] = replace(all_records[number], **change)  # type: ignore[arg-type]

    return apply


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (change_reading(0, registers={"cutting": 199, "travel.X": 15}), "2: register cutting fell at reading 3"),
        (change_readings(registers={"cutting": 400}), "2: register travel.X fell at reading 3"),
        (change_reading(0, spectrum={("S1", 6154): 19}), "2: spectrum cell 6154 of S1 fell"),
        (change_reading(1, spectrum={("S1", 6154): 29}), "2: spectrum cell 6154 of S1 fell"),
        (change_reading(0, device_time=START), "2: reading 3 lies before its predecessor in time"),
        (
            change_reading(0, gap=Period(START, START + timedelta(minutes=31))),
            "2: reading 3 tells a gap that is not between it and its predecessor",
        ),
        (change_record(1, agent="agent-2"), "2: the record is of agent 'agent-2', not 'agent-1'"),
        (change_record(1, meter="SM-2"), "2: the record is of meter 'SM-2', not 'SM-1'"),
        (change_record(1, readings=(reading(4), reading(5))), "2: reading 4 stands where 3 follows"),
    ],
)
def test_each_fault_is_named(change: Callable[[list[Record]], None], reason: str) -> None:
    changed = records(2)
    change(changed)
    assert faults(seal_all(changed)) == [reason]


def test_a_forged_link_is_found() -> None:
    sealed = seal_all(records(1))
    second = ocmf.seal(replace(records(2)[1], previous="ab" * 32), KEY)
    assert faults([*sealed, second]) == ["2: its link is not the digest of the record before"]


def test_a_meter_begins_with_begin() -> None:
    first = records(1)[0]
    start = replace(first.readings[0], reason=Reason.DURING)
    sealed = seal_all([replace(first, readings=(start, first.readings[1]))])
    assert faults(sealed) == ["1: the first reading of a meter must be marked B (begin)"]


def test_a_refused_record_leaves_the_chain_as_it_was() -> None:
    sealed = seal_all(records(2))
    state = Chain("agent-1", "SM-1")
    assert state.append(sealed[0]) == [{("S1", 6154): 10}, {("S1", 6154): 10}]
    fallen = replace(records(2)[1], previous=sealed[0].digest)
    changed = replace(fallen.readings[1], registers={})
    bad = replace(sealed[1], record=replace(fallen, readings=(fallen.readings[0], changed)))
    before = replace(state, spectrum=dict(state.spectrum))
    assert not isinstance(state.append(bad), list)
    assert state == before
    assert state.append(sealed[1]) == [{("S1", 6154): 10}, {("S1", 6154): 10}]
