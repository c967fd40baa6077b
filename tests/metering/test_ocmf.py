"""Sealed records: what goes in comes out, and no byte changes unseen."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metering import ocmf
from metering.ocmf_entries import scan
from metering.ocmf_fields import OcmfError
from metering.ocmf_read import decode, decode_json
from metering.ocmf_write import encode
from metering.period import Period
from metering.reading import GENESIS, Reading, Reason, Record, Status, TimeQuality

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
    registers=st.dictionaries(st.sampled_from(CODES), values, min_size=1),
    spectrum=cells,
    gap=gaps,
)


@st.composite
def records(draw: st.DrawFn) -> Record:
    first = draw(st.integers(1, 2**40))
    drawn = draw(st.lists(readings, min_size=1, max_size=5))
    return Record(
        agent=draw(names),
        meter=draw(names),
        machine_model=draw(names),
        pagination=draw(st.integers(1, 2**50)),
        previous=draw(st.binary(min_size=32, max_size=32)).hex(),
        replayed=draw(st.booleans()),
        readings=tuple(replace(reading, sequence=first + index) for index, reading in enumerate(drawn)),
    )


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
    return Record("agent-1", "SM-0001", "Integrex", pagination, GENESIS, True, (reading,))


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
    second = replace(
        first.readings[0], sequence=2, reason=Reason.END, spectrum={}, gap=Period(START, START.replace(hour=20))
    )
    text = ocmf.seal(replace(first, readings=(*first.readings, second)), KEY).text
    header, payload, signature = text.split("|")
    assert header == "OCMF"
    assert json.loads(payload) == {
        "FV": "1.3", "GI": "SpindleShare machine agent", "GS": "agent-1", "PG": "T1", "MM": "Integrex", "MS": "SM-0001",
        "IS": False, "IT": "NONE", "XP": GENESIS, "XR": True, "XS": 1,
        "XG": [[1, "2018-07-24T13:22:04,000+0000", "2018-07-24T20:22:04,000+0000"]],
        "XC": [{"S1": [6000, 1000, 6001, 1000, 6002, 1000, 6003, 1000, 6004, 1000, 6005, 1000]}, {}],
        "RD": [
            {"TM": "2018-07-24T13:37:04,000+0000 S", "TX": "C", "ST": "G", "RV": 1000000, "RI": "power_on", "RU": "ms"},
            {"RV": 1000000, "RI": "auto_run", "RU": "ms"},
            {"TM": "2018-07-24T13:37:04,000+0000 S", "TX": "E", "RV": 1000000, "RI": "power_on", "RU": "ms"},
            {"RV": 1000000, "RI": "auto_run", "RU": "ms"},
        ],
    }  # fmt: skip
    assert json.loads(signature).keys() == {"SA", "SE", "SM", "SD"}


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ('"RV":1000000,"RI":"auto_run"', '"RV":1000000.0,"RI":"auto_run"', "payload"),
        ('"RV":1000000,"RI":"auto_run"', '"RV":1e6,"RI":"auto_run"', "payload"),
        ('"RV":1000000,"RI":"auto_run"', '"RV":true,"RI":"auto_run"', "RD[1].RV"),
        ('"RV":1000000,"RI":"auto_run"', '"RV":-1,"RI":"auto_run"', "RD[1].RV"),
        ('"RV":1000000,"RI":"auto_run"', '"RV":9223372036854775808,"RI":"auto_run"', "RD[1].RV"),
        ('"RI":"auto_run"', '"RI":"power_on"', "RD[1].RI"),
        ('"RI":"auto_run"', '"RI":"mood"', "RD[1].RI"),
        ('"RI":"auto_run","RU":"ms"', '"RI":"auto_run","RU":"h"', "RD[1].RU"),
        ('"PG":"T1"', '"PG":"T01"', "PG"),
        ('"PG":"T1"', '"PG":"F1"', "PG"),
        ('"FV":"1.3"', '"FV":"1.4"', "FV"),
        ("13:37:04,000+0000 S", "25:37:04,000+0000 S", "TM of reading 0"),
        ("13:37:04,000+0000 S", "13:37:04,000+0000 Q", "TM of reading 0"),
        ('"XS":1', '"XS":0', "XS"),
        ('"XR":true', '"XR":1', "XR"),
        ('"XS":1', '"XS":1,"XZ":1', "payload"),
    ],
)
def test_a_fault_is_named_with_its_place(old: str, new: str, where: str) -> None:
    text = ocmf.seal(month_record(1, registers=2), KEY).text
    assert old in text
    with pytest.raises(ocmf.OcmfError) as caught:
        ocmf.parse(text.replace(old, new, 1))
    assert caught.value.where == where


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
    """3 000 records: under 4.5 MB of text, parsed and verified in seconds (a bound wide enough for a busy machine)."""
    texts = [ocmf.seal(month_record(number), KEY).text for number in range(1, 3001)]
    assert sum(map(len, texts)) < 4_500_000
    began = time.perf_counter()
    for text in texts:
        ocmf.verify(ocmf.parse(text), KEY.public_key())
    assert time.perf_counter() - began < 5


DAMAGE = ['"RD":[', '"TM"', '"TX":"C",', '"ST":"G",', "},{", '"RV":', '"RI":"power_on"', '"RU":"ms"', "1", "0", "9"]
DAMAGE += [",", "]}", " ", '"', "\\", "[", '"XC":[{"RD":[1,2]}],', '"XG":[],', "E", "-", "."]
CHANGES = st.sampled_from(DAMAGE)


@given(records(), st.lists(st.tuples(CHANGES, CHANGES, st.integers(0, 9)), max_size=3))
@settings(max_examples=500)
def test_the_short_cut_reads_what_json_reads(record: Record, changes: list[tuple[str, str, int]]) -> None:
    """For our own texts and for damaged ones: where the pattern matches, JSON says the same."""
    payload = encode(record)
    assert scan(payload) is not None or len({tuple(r.registers) for r in record.readings}) > 1
    for old, new, which in changes:
        places = [match.start() for match in re.finditer(re.escape(old), payload)]
        if places:
            place = places[which % len(places)]
            payload = payload[:place] + new + payload[place + len(old) :]
    assert told(decode, payload) == told(decode_json, payload)


def told(read: Callable[[str], Record], payload: str) -> Record | str:
    try:
        return read(payload)
    except OcmfError:
        return "refused"
