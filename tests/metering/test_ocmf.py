"""Sealed records: what goes in comes out, and no byte changes unseen."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering import ocmf
from metering.period import Period
from metering.reading import GENESIS, Clocks, Reading, Reason, Record, Status, TimeQuality

KEY = ocmf.new_key()
START = datetime(2018, 7, 24, 13, 22, 4, tzinfo=UTC)
CODES = [
    "power_on",
    "auto_run",
    "cutting",
    "spindle_on",
    "spindle_on.S1",
    "travel.X",
    "travel.Z",
    "energy",
    "parts",
    "counter_beside.auto.gap",
]

moments = st.integers(0, 10**12).map(lambda ms: datetime(1990, 1, 1, tzinfo=UTC) + timedelta(milliseconds=ms))
values = st.integers(0, 2**63 - 1)
names = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=20)
gaps = st.none() | st.tuples(moments, st.integers(1, 10**9)).map(
    lambda pair: Period(pair[0], pair[0] + timedelta(milliseconds=pair[1]))
)
cells = st.dictionaries(st.tuples(st.sampled_from(["S1", "S2"]), st.integers(0, 2**17 - 1)), values, max_size=6)
readings = st.builds(
    Reading,
    sequence=st.just(0),
    device_time=moments,
    time_quality=st.sampled_from(TimeQuality),
    reason=st.sampled_from(Reason),
    status=st.sampled_from(Status),
    registers=st.just({}),
    spectrum=cells,
    gap=gaps,
    session=st.none() | names,
)
clocks = st.builds(
    Clocks,
    wall=moments,
    monotonic_ms=values,
    boot=names,
    source_ahead_ms=st.none() | st.integers(-(2**63) + 1, 2**63 - 1),
    wall_step_ms=st.sampled_from([0, 0, 1500, -3_600_000]),
    source_step_ms=st.sampled_from([0, 0, 7000, -86_400_000]),
)


@st.composite
def records(draw: st.DrawFn) -> Record:
    first = draw(st.integers(1, 2**40))
    drawn = draw(st.lists(readings, min_size=1, max_size=5))
    codes = draw(st.lists(st.sampled_from(CODES), min_size=1, unique=True))
    rows = [draw(st.fixed_dictionaries(dict.fromkeys(codes, values))) for _ in drawn]
    return Record(
        agent=draw(names),
        meter=draw(names),
        machine_model=draw(names),
        pagination=draw(st.integers(1, 2**50)),
        previous=draw(st.binary(min_size=32, max_size=32)).hex(),
        replayed=draw(st.booleans()),
        readings=tuple(
            replace(reading, sequence=first + index, registers=row)
            for index, (reading, row) in enumerate(zip(drawn, rows, strict=True))
        ),
        clocks=draw(clocks),
        recovered=draw(st.lists(st.integers(1, 10**6), max_size=3).map(stretches)),
    )


def stretches(lengths: list[int]) -> tuple[Period, ...]:
    """One after the other, with or without time between them."""
    found, end = [], START
    for length in lengths:
        begin = end + timedelta(milliseconds=length % 3)
        found.append(Period(begin, end := begin + timedelta(milliseconds=length)))
    return tuple(found)


def month_record(pagination: int, registers: int = 18) -> Record:
    """A record as an agent seals it each quarter hour: one reading, a mill-turn's registers, a few changed cells."""
    codes = [*CODES, "unknown", "program_run", "revolutions.S1", "starts", "travel.Y", "travel.B", "travel.C",
             "counter.auto", "counter.cut"]  # fmt: skip
    reading = Reading(
        sequence=pagination,
        device_time=START + timedelta(minutes=15 * pagination),
        time_quality=TimeQuality.SYNCHRONISED,
        reason=Reason.DURING,
        status=Status.GOOD,
        registers=dict.fromkeys(codes[:registers], 1_000_000 * pagination),
        spectrum={("S1", 6000 + key): 1000 * pagination for key in range(6)},
    )
    return Record(
        "agent-1", "SM-0001", "Integrex", pagination, GENESIS, True, (reading,), Clocks(START, 5000, "boot-1")
    )


@given(records())
def test_what_is_sealed_is_read_back(record: Record) -> None:
    sealed = ocmf.seal(record, KEY)
    assert ocmf.parse(sealed.text) == sealed
    assert sealed.record == record
    ocmf.verify(sealed, KEY.public_key())
    assert sealed.text.isascii()
    assert "\n" not in sealed.text
    assert sealed.text.count("|") == 2


@given(records(), st.data())
@settings(max_examples=300)
def test_every_changed_byte_is_caught(record: Record, data: st.DataObject) -> None:
    text = ocmf.seal(record, KEY).text
    place = data.draw(st.integers(0, len(text) - 1))
    other = chr(data.draw(st.integers(0, 127).filter(lambda code: code != ord(text[place]))))
    with pytest.raises((ocmf.OcmfError, ocmf.BadSignature)):
        ocmf.verify(ocmf.parse(text[:place] + other + text[place + 1 :]), KEY.public_key())


def test_every_flipped_bit_of_one_record_is_caught() -> None:
    """The small domain in full: each byte of a text, each of its seven bits."""
    text = ocmf.seal(month_record(1, registers=2), KEY).text
    for place in range(len(text)):
        for bit in range(7):
            changed = text[:place] + chr(ord(text[place]) ^ (1 << bit)) + text[place + 1 :]
            with pytest.raises((ocmf.OcmfError, ocmf.BadSignature)):
                ocmf.verify(ocmf.parse(changed), KEY.public_key())


@given(st.text(max_size=200) | st.text('OCMF|{}[]",:0123456789eRDTMVIU .+-', max_size=200).map("OCMF|".__add__))
def test_nonsense_is_refused_by_name(text: str) -> None:
    with pytest.raises(ocmf.OcmfError) as caught:
        ocmf.parse(text)
    assert caught.value.where


def test_another_key_does_not_verify() -> None:
    with pytest.raises(ocmf.BadSignature):
        ocmf.verify(ocmf.seal(month_record(1), KEY), ocmf.new_key().public_key())


def test_the_same_record_is_always_the_same_text() -> None:
    assert ocmf.seal(month_record(1), KEY).text == ocmf.seal(month_record(1), KEY).text


def test_it_reads_like_the_published_format() -> None:
    """Field names, time form, pagination and omitted equal fields as OCMF 1.3 has them; extensions under X."""
    first = month_record(1, registers=2)
    second, third = (
        replace(
            first.readings[0],
            sequence=sequence,
            reason=reason,
            spectrum={},
            gap=Period(START, START.replace(hour=20)) if sequence == 2 else None,
            session=None if sequence == 2 else "booking-7",
        )
        for sequence, reason in ((2, Reason.DURING), (3, Reason.END))
    )
    clocks = Clocks(START, 5000, "boot-1", 12, 0, -3_600_000)
    text = ocmf.seal(replace(first, readings=(*first.readings, second, third), clocks=clocks), KEY).text
    header, payload, signature = text.split("|")
    assert header == "OCMF"
    assert json.loads(payload) == {
        "FV": "1.3", "GI": "SpindleShare machine agent", "GS": "agent-1", "PG": "T1", "MM": "Integrex", "MS": "SM-0001",
        "IS": False, "IT": "NONE",
        "RD": [
            {"TM": "2018-07-24T13:37:04,000+0000 S", "TX": "C", "RI": "power_on", "RU": "ms", "ST": "G", "RV": 1000000},
            {"TM": "2018-07-24T13:37:04,000+0000 S", "RV": 1000000},
            {"TM": "2018-07-24T13:37:04,000+0000 S", "TX": "E", "RI": "power_on", "RU": "ms", "ST": "G", "RV": 1000000},
        ],
        "XP": GENESIS, "XR": True, "XS": 1,
        "XT": ["2018-07-24T13:22:04,000+0000", 5000, "boot-1", 12], "XK": [0, -3600000],
        "XC": ["power_on", "auto_run"], "XV": [[1000000, 1000000]] * 3,
        "XL": [{"S1": [6000, 1000, 6001, 1000, 6002, 1000, 6003, 1000, 6004, 1000, 6005, 1000]}, {}, {}],
        "XG": [[1, "2018-07-24T13:22:04,000+0000", "2018-07-24T20:22:04,000+0000"]],
        "XI": [[2, "booking-7"]],
    }  # fmt: skip
    assert json.loads(signature).keys() == {"SA", "SE", "SM", "SD"}


def test_energy_leads_in_the_public_spelling_with_every_decimal() -> None:
    record = month_record(1, registers=8)
    text = ocmf.seal(record, KEY).text
    assert '"RI":"01-00:01.08.00*FF","RU":"kWh","ST":"G","RV":1.000000}' in text
    for other in ("1.0", "1.00000", "1.000001", "1000000", '"1.000000"', "1.000000e0"):
        with pytest.raises(ocmf.OcmfError, match=r"RD\[0\]: RV is"):
            ocmf.parse(text.replace('"RV":1.000000', f'"RV":{other}'))


STRETCH = '["2018-07-24T13:22:04,000+0000","2018-07-24T13:23:04,000+0000"]'


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('"RV":1000000', '"RV":1000000.0', "RD[0]"),
        ('"RV":1000000', '"RV":1e6', "RD[0]"),
        ('"RV":1000000', '"RV":999999', "RD[0]"),
        ('"RI":"power_on"', '"RI":"auto_run"', "RD[0]"),
        ('"RI":"power_on","RU":"ms"', '"RI":"power_on","RU":"h"', "RD[0]"),
        ('"RI":"power_on",', "", "RD[0]"),
        ('"TX":"C"', '"TX":"Q"', "TX of reading 0"),
        ('"TX":"C",', "", "TX of reading 0"),
        (",1000000]]", ",1000000.0]]", "XV[0]"),
        (",1000000]]", ",1e6]]", "XV[0]"),
        (",1000000]]", ",true]]", "XV[0]"),
        (",1000000]]", ",-1]]", "XV[0]"),
        (",1000000]]", ",9223372036854775808]]", "XV[0]"),
        (",1000000]]", ",1000000,1]]", "XV"),
        (",1000000]]", ",1000000],[1000000,1000000]]", "XV"),
        ('"auto_run"]', '"power_on"]', "XC[1]"),
        ('"auto_run"]', '"mood"]', "XC[1]"),
        ('"auto_run"]', "1]", "XC"),
        ('"PG":"T1"', '"PG":"T01"', "PG"),
        ('"PG":"T1"', '"PG":"F1"', "PG"),
        ('"FV":"1.3"', '"FV":"1.4"', "FV"),
        ("13:37:04,000+0000 S", "25:37:04,000+0000 S", "TM of reading 0"),
        ("13:37:04,000+0000 S", "13:37:04,000+0000 Q", "TM of reading 0"),
        ('"XS":1', '"XS":0', "XS"),
        ('"XR":true', '"XR":1', "XR"),
        ('"XS":1', '"XS":1,"XZ":1', "payload"),
        ('"boot-1",null]', '"boot-1"]', "XT"),
        ('"boot-1",null]', '"boot-1",0.5]', "XT"),
        ('"XS":1', '"XS":1,"XK":[0,0]', "XK"),
        ('"XS":1', '"XS":1,"XI":[[1,"a"]]', "XI"),
        ('"XS":1', '"XS":1,"XG":[[0,0,0],[0,0,0]]', "XG"),
        ('"XS":1', '"XS":1,"XH":[]', "XH"),
        ('"XS":1', '"XS":1,"XH":[["2018-07-24T13:22:04,000+0000"]]', "XH"),
        ('"XS":1', f'"XS":1,"XH":[{STRETCH},{STRETCH}]', "XH"),
    ],
)
def test_a_fault_is_named_with_its_place(old: str, new: str, where: str) -> None:
    text = ocmf.seal(month_record(1, registers=2), KEY).text
    assert old in text
    with pytest.raises(ocmf.OcmfError) as caught:
        ocmf.parse(text.replace(old, new, 1))
    assert caught.value.where == where


def test_a_record_holds_the_same_registers_in_all_readings() -> None:
    record = month_record(1, registers=2)
    second = replace(record.readings[0], sequence=2, registers={"power_on": 1})
    with pytest.raises(ocmf.OcmfError, match="does not hold the registers"):
        ocmf.seal(replace(record, readings=(record.readings[0], second)), KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"registers": {}},
        {"registers": {"power_on": -1}},
        {"registers": {"power_on": 2**63}},
        {"registers": {"mood": 1}},
        {"device_time": START.replace(microsecond=1)},
        {"device_time": START.replace(tzinfo=None)},
        {"spectrum": {("S 1", 1): 1}},
        {"spectrum": {("S1", 2**17): 1}},
        {"sequence": 0},
    ],
)
def test_what_a_text_cannot_say_is_not_sealed(change: dict[str, object]) -> None:
    record = month_record(1)
    with pytest.raises(ocmf.OcmfError):
        ocmf.seal(replace(record, readings=(replace(record.readings[0], **change),)), KEY)  # type: ignore[arg-type]


def test_keys_travel_as_pem() -> None:
    public = KEY.public_key()
    assert ocmf.fingerprint(ocmf.public_from_pem(ocmf.public_to_pem(public))) == ocmf.fingerprint(public)
    again = ocmf.private_from_pem(ocmf.private_to_pem(KEY)).public_key()
    assert ocmf.fingerprint(again) == ocmf.fingerprint(public)
    with pytest.raises(ocmf.BadKey):
        ocmf.public_from_pem(ocmf.private_to_pem(KEY))
    with pytest.raises(ocmf.BadKey):
        ocmf.private_from_pem("hello")


def test_a_month_is_small_and_quick_to_check() -> None:
    """3 000 records: under 4.5 MB of text, parsed and verified in seconds of processor time."""
    texts = [ocmf.seal(month_record(number), KEY).text for number in range(1, 3001)]
    assert sum(map(len, texts)) < 4_500_000
    began = time.process_time()
    for text in texts:
        ocmf.verify(ocmf.parse(text), KEY.public_key())
    assert time.process_time() - began < 5
