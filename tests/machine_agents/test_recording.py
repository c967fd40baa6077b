"""Recordings: both formats, what is odd in them, parts of them, and errors by line."""

import lzma
from datetime import UTC, datetime
from pathlib import Path

import pytest

from machine_agents.item_mapping import MappingError, load_mapping, mapping_for
from machine_agents.observation import Observation
from machine_agents.recording import read_recording
from machine_agents.recording_text import Header, RecordingError, header_text, line_text

BEGIN, END = datetime(2026, 5, 4, tzinfo=UTC), datetime(2026, 5, 6, tzinfo=UTC)
HEADER = Header("MT-2", "7", True, BEGIN, END, ("execution", "spindle.S1.speed"), silence_ms=30_000)

LOG = """### Mazak01-20180501-20180502.txt
2018-04-16T18:11:49.428042Z|Srpm|UNAVAILABLE
2018-05-01T08:00:00.5Z|execution|ACTIVE
2018-05-01T08:00:01Z|Srpm|1500.25
2018-05-01T08:00:01Z|Stemp|31
2018-05-01T08:00:00.9Z|Fact|7.74192
### Mazak01-20180502-20180503.txt
2018-04-16T18:11:49.428042Z|Srpm|UNAVAILABLE
2018-05-01T08:00:01Z|Srpm|1500.25
2018-05-02T09:00:00Z|execution|OPTIONAL_STOP
2018-05-02T09:00:00Z|Xabs|-0.0015
"""


def written(folder: Path, text: str, name: str = "log.txt") -> Path:
    path = folder / name
    path.write_bytes(lzma.compress(text.encode()) if path.suffix == ".xz" else text.encode())
    return path


def own(*seen: Observation) -> str:
    return header_text(HEADER) + "".join(map(line_text, seen))


@pytest.mark.parametrize("name", ["own.txt", "own.txt.xz"])
def test_the_own_format_gives_back_what_was_written(tmp_path: Path, name: str) -> None:
    seen = [
        Observation("power", True, datetime(2026, 5, 4, 6, 0, 0, 1000, tzinfo=UTC)),
        Observation("execution", "active", datetime(2026, 5, 4, 6, 0, 1, tzinfo=UTC)),
        Observation("spindle.S1.speed", 3_000_000, datetime(2026, 5, 4, 6, 0, 2, tzinfo=UTC)),
        Observation("spindle.S1.speed", None, datetime(2026, 5, 4, 6, 0, 3, tzinfo=UTC)),
    ]
    recording = read_recording(written(tmp_path, own(*seen), name))
    assert recording.header == HEADER
    assert recording.observations == seen
    assert recording.statistics.unavailable == 1


def test_a_log_is_mapped_put_in_order_and_counted(tmp_path: Path) -> None:
    recording = read_recording(written(tmp_path, LOG))
    values = [(seen.signal, seen.value) for seen in recording.observations]
    assert values == [
        ("spindle.S1.speed", None),
        ("execution", "active"),
        ("feed", 1524),
        ("spindle.S1.speed", 1_500_250),
        ("execution", "other"),
        ("axis.X.position", -1),
    ]
    counted = recording.statistics
    assert (counted.lines, counted.stale, counted.duplicates) == (9, 3, 2)
    assert (counted.unmapped, counted.out_of_order, counted.unavailable) == (1, 1, 1)
    assert not recording.header.own
    assert (recording.header.begin, recording.header.end) == (
        datetime(2018, 5, 1, tzinfo=UTC),
        datetime(2018, 5, 3, tzinfo=UTC),
    )


def test_a_day_is_led_by_the_values_in_force(tmp_path: Path) -> None:
    day = read_recording(written(tmp_path, LOG)).day("2018-05-02")
    assert [(seen.signal, seen.value) for seen in day.observations] == [
        ("execution", "active"),
        ("feed", 1524),
        ("spindle.S1.speed", 1_500_250),
        ("execution", "other"),
        ("axis.X.position", -1),
    ]
    assert day.header.begin == datetime(2018, 5, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("### Mazak01-20180501-20180502.txt\n2018-05-01T08:00:00Z|Srpm|fast\n", "data line 1: 'fast' is no number"),
        ("### Mazak01-20180501-20180502.txt\n2018-05-01T08:00:00Z|Srpm\n", "data line 1: .* is not `UTC time"),
        ("### Mazak01-20180501-20180502.txt\nyesterday|Srpm|1\n", "data line 1: 'yesterday' is no UTC time"),
        ("### Mazak01-20180501-20180502.txt\n2018-05-01T08:00:00|Srpm|1\n", "data line 1: .* has no zone"),
        ("2018-05-01T08:00:00Z|Srpm|1\n", "data line 1: a log of items needs an item mapping"),
        ("", "no observation"),
        ("# spindleshare recording 1\n2026-05-04T06:00:00Z|feed|1\n", "the header lacks machine"),
        (header_text(HEADER) + "2026-05-04T06:00:00Z|feed|1.5\n", "data line 1: '1.5' is no integer for feed"),
        (header_text(HEADER) + "2026-05-04T06:00:00Z|torque|1\n", "data line 1: 'torque' is no signal"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(RecordingError, match=complaint):
        read_recording(written(tmp_path, text))


def test_a_torn_archive_is_an_error_and_not_a_short_month(tmp_path: Path) -> None:
    path = written(tmp_path, LOG * 500, "log.txt.xz")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(RecordingError, match="after line"):
        read_recording(path)


def test_another_machines_items_come_by_its_own_mapping(tmp_path: Path) -> None:
    mapping = tmp_path / "hurco.toml"
    mapping.write_text(
        'machine = "VMX24"\nserial = "3"\n[items.Spindle_Speed]\nsignal = "spindle.S1.speed"\nscale = 1000\n'
        '[items.Spindle_Time]\nsignal = "counter.cut"\nscale = "1000"\n'
        '[items.Program_Status]\nsignal = "execution"\nwords = { ACTIVE = "active", "*" = "other" }\n'
    )
    text = "2018-05-01T08:00:00Z|Spindle_Speed|3000\n2018-05-01T08:06:00Z|Spindle_Time|360\n"
    recording = read_recording(written(tmp_path, text), load_mapping(mapping))
    assert [(seen.signal, seen.value) for seen in recording.observations] == [
        ("spindle.S1.speed", 3_000_000),
        ("counter.cut", 360_000),
    ]
    assert recording.header.machine == "VMX24"


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ('signal = "torque"\nscale = "1"', "torque"),
        ('signal = "feed"', "either scale"),
        ('signal = "feed"\nscale = "1/0"', "neither a number nor a fraction"),
    ],
)
def test_a_mapping_says_what_it_lacks(tmp_path: Path, entry: str, complaint: str) -> None:
    path = tmp_path / "m.toml"
    path.write_text(f"[items.A]\n{entry}\n")
    with pytest.raises(MappingError, match=complaint):
        load_mapping(path)


def test_an_unknown_machines_log_asks_for_a_mapping() -> None:
    with pytest.raises(MappingError, match="no bundled item mapping"):
        mapping_for("Hurco03-20180501.txt")
