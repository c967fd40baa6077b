"""The quick way of an upload against its definition: the same values, and never more than the definition takes."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from metering import ocmf, signing
from metering.batch.block import Batch, moment_of
from metering.batch.end import End
from metering.batch.follow import follow
from metering.batch.numbers import Unusual, matrix, times
from metering.batch.read import read
from metering.batch.taken import Taken, of_records
from metering.chain import Chain, Fault
from metering.columns import copy_rows
from metering.interval import Step, thinned
from metering.keyring import Keyring
from metering.layout import KEY_BITS, Layout
from metering.ocmf import Sealed
from metering.ocmf_fields import MAX_VALUE, read_time
from metering.reading import Reading, Reason, Status, TimeQuality
from tests.metering.batch.builders import AGENT, KEY, end_at, runs, sealed_run

KEYS = Keyring.single(KEY.public_key())
SIZES = st.lists(st.integers(1, 5), max_size=6)


def readings_of(batch: Batch) -> list[Reading]:
    """A batch's readings, spelled out."""
    block, told = batch.block, batch.cells
    spectra: dict[int, dict[tuple[str, int], int]] = {}
    for place, which, key, ms in zip(told.places, told.which, told.keys, told.ms, strict=True):
        spectra.setdefault(int(place), {})[told.spindles[which], int(key)] = int(ms)
    sequences = [head.first + index for head in batch.heads for index in range(head.count)]
    return [
        Reading(
            sequence=sequence,
            device_time=moment_of(int(block.times[place])),
            time_quality=TimeQuality(chr(block.qualities[place])),
            reason=Reason(chr(block.reasons[place])),
            status=Status(chr(block.statuses[place])),
            registers=dict(zip(block.codes, block.values[place].tolist(), strict=True)),
            spectrum=spectra.get(place, {}),
            gap=block.gaps.get(place),
            session=block.sessions.get(place),
        )
        for place, sequence in enumerate(sequences)
    ]


def assert_says(batch: Batch, sealed: Sequence[Sealed]) -> None:
    """The batch says what the reference reader says."""
    for head, one in zip(batch.heads, sealed, strict=True):
        record = one.record
        assert (head.text, head.digest, head.count) == (one.text, one.digest, len(record.readings))
        assert (head.agent, head.meter, head.pagination) == (record.agent, record.meter, record.pagination)
        assert (head.previous, head.replayed, head.first) == (
            record.previous,
            record.replayed,
            record.readings[0].sequence,
        )
    assert readings_of(batch) == [reading for one in sealed for reading in one.record.readings]


@given(readings=runs(), sizes=SIZES, order=st.randoms(use_true_random=False))
def test_what_our_agents_seal_is_read_at_once_and_as_the_reference_reads_it(
    readings: list[Reading], sizes: list[int], order: Any
) -> None:
    sealed = sealed_run(readings, sizes)
    texts = [one.text for one in sealed]
    order.shuffle(texts)
    batch = read(texts, KEYS)
    assert batch is not None
    assert_says(batch, [ocmf.parse(one.text) for one in sealed])


def signed(payload: str) -> str:
    """Any payload as a text whose signature is right, so that the payload alone is judged."""
    signature = signing.sign(payload.encode("ascii"), KEY).hex()
    return f'OCMF|{payload}|{{"SA":"ECDSA-secp256r1-SHA256","SE":"hex","SM":"application/x-der","SD":"{signature}"}}'


ODD: list[Any] = [
    None, True, False, 0, -1, 1.0, 1e3, 2**63 - 1, 2**63, 10**30, "", "x", "T0", "T01", "C", [], [[]], {}, [1], [0, 0],
    {"S1": [1, 2]}, {"S1": [1]}, {"S1": [2, 1, 1, 1]}, {"S 1": [1, 1]}, {"S1": [131_072, 1]}, {"S1": [1, -1]}, "\u00e9",
    "2026-02-30T10:00:00,000+0000 S", "2026-03-02T08:00:00,000+0100 S", "2026-03-02T08:00:00,000+0000 X", "a\u0000b",
    "0000-03-02T08:00:00,000+0000 S", "2026-03-02T24:00:00,000+0000 S", "2026-03-02T08:00:00.000+0000 S", "\ud800",
]  # fmt: skip


@st.composite
def spoilt(draw: st.DrawFn) -> str:
    """A signed text that is wrong somewhere, or at least spelled in another way."""
    text = sealed_run(draw(runs(most=4)), [])[0].text
    payload = ocmf.sections(text)[0]
    if draw(st.booleans()):
        body = json.loads(payload)
        holder: Any = body
        while True:
            key = draw(st.sampled_from(sorted(holder) if isinstance(holder, dict) else range(len(holder))))
            if not (isinstance(holder[key], dict | list) and holder[key] and draw(st.integers(0, 4))):
                break
            holder = holder[key]
        how = draw(st.integers(0, 3))
        if how == 0:
            del holder[key]
        elif how == 1 and isinstance(holder, list):
            holder.append(holder[key])
        elif how == 2 and isinstance(holder, dict):
            holder[draw(st.sampled_from(["XG", "XH", "XI", "XK", "XL", "ZZ", "TX", "RI"]))] = draw(st.sampled_from(ODD))
        else:
            holder[key] = draw(st.sampled_from(ODD))
        return signed(json.dumps(body, separators=(",", ":")).replace("|", "\\u007c"))
    at = draw(st.integers(0, len(payload) - 1))
    piece = draw(
        st.sampled_from(["", " ", "0", "1", "-", ".0", "e1", ",", "[", "]", "{", "}", '"', "\\u0041", "null", "\t"])
    )
    return signed(payload[:at] + piece + payload[at + draw(st.integers(0, 2)) :])


@given(text=spoilt())
@settings(max_examples=400)
def test_nothing_is_taken_that_the_reference_refuses_nor_read_as_something_else(text: str) -> None:
    batch = read([text], KEYS)
    event("read" if batch else "left to the reference")
    if batch is not None:
        assert_says(batch, [ocmf.parse(text)])


@pytest.mark.parametrize(
    ("plain", "other"),
    [
        ('"XV":[[', '"XV":[[0'),
        ('"XV":[[', '"XV":[[ '),
        ('"XR":false', '"XR":false,"XR":true'),
        ('"ST":"G"', '"ST":"G","ST":"T"'),
        ('"RV":', '"RV": '),
        ('"GS"', '"\\u0047S"'),
        ('"IS":false', '"IS":0'),
        ('"TX":"B"', '"TX":null'),
        ('"XS":1', '"XS":1.0'),
    ],
)
def test_another_spelling_is_left_to_the_reference(plain: str, other: str) -> None:
    payload = ocmf.sections(sealed_run([one_reading()], [])[0].text)[0]
    assert read([signed(payload)], KEYS) is not None
    assert plain in payload
    assert read([signed(payload.replace(plain, other, 1))], KEYS) is None


def one_reading() -> Reading:
    return Reading(
        sequence=1,
        device_time=moment_of(1_772_438_400_000),
        time_quality=TimeQuality.SYNCHRONISED,
        reason=Reason.BEGIN,
        status=Status.GOOD,
        registers={"cutting": 7, "travel.X": 0},
    )


def test_a_forged_text_or_one_of_another_key_spoils_the_whole_batch() -> None:
    sealed = sealed_run([one_reading()], [])
    assert read([sealed[0].text], Keyring.single(ocmf.new_key().public_key())) is None
    assert read([sealed[0].text.replace('"XV":[[7', '"XV":[[8').replace('"RV":7', '"RV":8')], KEYS) is None
    assert read([sealed[0].text, "OCMF|nonsense"], KEYS) is None
    assert read([sealed[0].text + "\u00e9"], KEYS) is None
    assert read([], KEYS) is None


def one_by_one(sealed: Sequence[Sealed], end: End) -> tuple[Taken | None, int]:
    """By the definition: what the chain takes, and how many it refuses."""
    chain, accepted, refused = end.chain(), [], 0
    for one in (ocmf.parse(sent.text) for sent in sealed):
        grown = chain.append(one)
        if isinstance(grown, Fault):
            refused += 1
        else:
            accepted.append((one, grown))
    return (of_records(accepted, chain=chain, layout=end.layout) if accepted else None), refused


def assert_same(one: Taken, other: Taken) -> None:
    assert (one.heads, one.first, one.layout, one.spectrum) == (other.heads, other.first, other.layout, other.spectrum)
    for name in ("times", "values"):
        np.testing.assert_array_equal(getattr(one.block, name), getattr(other.block, name))
    for name in ("qualities", "reasons", "statuses", "codes", "gaps", "sessions"):
        assert getattr(one.block, name) == getattr(other.block, name)
    for name in ("places", "cells", "ms"):
        np.testing.assert_array_equal(getattr(one.growth, name), getattr(other.growth, name))
    ids = {"meter_id": AGENT.meter_id, "owner_id": AGENT.owner_id}
    assert copy_rows(one, **ids) == copy_rows(other, **ids)


@given(
    readings=st.booleans().flatmap(lambda falls: runs(falls=falls)),
    sizes=SIZES,
    stored=st.integers(0, 6),
    repeat=st.integers(0, 9),
    spin=st.booleans(),
)
@settings(max_examples=200)
def test_a_whole_batch_is_judged_as_its_records_are_one_by_one(
    readings: list[Reading], sizes: list[int], stored: int, repeat: int, spin: bool
) -> None:
    """Whatever is stored already, falls, is missing or doubled: taken whole exactly when no record is refused."""
    sealed = sealed_run(readings, sizes)
    before = sealed[:stored]
    chain = Chain(str(AGENT.id), AGENT.meter_serial)
    for one in before:
        if isinstance(chain.append(one), Fault):
            return
    # A layout that other agents' readings have made: not in the order of this one's.
    layout = Layout(("parts",), ("S2",) if spin else ()).with_readings(
        reading for one in before for reading in one.record.readings
    )
    end = end_at(before, layout, chain.spectrum)
    rest = sealed[stored:]
    if repeat == 0 and rest:
        rest = [*rest, rest[-1]]
    elif repeat == 1:
        rest = rest[1:]
    elif repeat == 2:
        rest = sealed
    batch = read([one.text for one in rest], KEYS)
    if batch is None:
        assert not rest
        return
    expected, refused = one_by_one(sorted(rest, key=lambda one: one.record.pagination), end)
    taken = follow(batch, end)
    event(f"refused {min(refused, 1)}")
    assert (taken is not None) == (refused == 0)
    if taken is not None:
        assert expected is not None
        assert_same(taken, expected)


@given(readings=runs(most=25), sizes=SIZES)
def test_usage_rests_on_the_readings_that_the_definition_picks(readings: list[Reading], sizes: list[int]) -> None:
    sealed = sealed_run(readings, sizes)
    taken, _ = one_by_one(sealed, end_at([], Layout(), {}))
    assert taken is not None
    chain, walk = Chain(str(AGENT.id), AGENT.meter_serial), []
    for one in sealed:
        grown = chain.append(one)
        assert isinstance(grown, list)
        walk += [
            Step(reading, cells, one.record.replayed) for reading, cells in zip(one.record.readings, grown, strict=True)
        ]
    picked, expected = taken.steps(), thinned(walk)
    assert [(step.grown, step.replayed) for step in picked] == [(step.grown, step.replayed) for step in expected]
    assert [step.reading.sequence for step in picked] == [step.reading.sequence for step in expected]
    registers = [{code: step.reading.registers.get(code, 0) for code in taken.layout.codes} for step in expected]
    assert [step.reading.registers for step in picked] == registers


@given(st.lists(st.lists(st.integers(0, MAX_VALUE - 1), min_size=3, max_size=3), min_size=1, max_size=4))
def test_a_matrix_is_read_to_the_unit(rows: list[list[int]]) -> None:
    text = ",".join(json.dumps(row, separators=(",", ":")) for row in rows).encode()
    assert matrix(text, len(rows), 3).tolist() == rows
    for height, width in ((len(rows) + 1, 3), (len(rows), 2)):
        with pytest.raises(Unusual):
            matrix(text, height, width)


@pytest.mark.parametrize(
    "text", ["[01]", "[]", "[1,]", "[,1]", "[1.0]", "[-1]", "[1e2]", "[ 1]", "[1],[2]", f"[{2**63 - 1}]"]
)
def test_a_matrix_of_anything_else_is_not_read(text: str) -> None:
    for height, width in ((1, 1), (1, 2)):
        with pytest.raises(Unusual):
            matrix(text.encode(), height, width)


@given(st.datetimes(), st.sampled_from("UISR"))
def test_times_are_read_as_the_reference_reads_them(moment: Any, quality: str) -> None:
    text = f"{moment:%Y-%m-%dT%H:%M:%S},{moment.microsecond // 1000:03d}+0000".rjust(28, "0")
    moments, qualities = times([f"{text} {quality}"] * 2)
    assert [moment_of(int(one)) for one in moments] == [read_time(text, "TM")] * 2
    assert qualities == quality.encode() * 2


def test_a_cell_keeps_its_key_beside_its_spindle() -> None:
    assert (1 << KEY_BITS) - 1 == 131_071
