"""Any machine's log through the meter: silence is never billed, rubbish is counted, and the same log says the same."""

import gzip
import json
import lzma
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from machine_agents.replay import replay
from tests.machine_agents.test_mtconnect_items import MILL, document

START = datetime(2017, 3, 1, 8, tzinfo=UTC)
HOUR = 3_600_000
# As in the mill's document, by the items' ids; one name that the document does not have.
RUN = [(0, "avail", "AVAILABLE"), (0, "ex", "ACTIVE"), (0, "mo", "AUTOMATIC"), (0, "ss", "3000"), (0, "sl", "40")]


def line(seconds: float, item: str, value: object) -> str:
    return f"{(START + timedelta(seconds=seconds)).isoformat().replace('+00:00', 'Z')}|{item}|{value}\n"


def log(folder: Path, lines: list[str], name: str = "mill.txt") -> Path:
    """The log with the machine's Devices document beside it."""
    folder.mkdir(exist_ok=True)
    (folder / "Devices.xml").write_bytes(document(MILL))
    path = folder / name
    opened = {".xz": lzma.open, ".gz": gzip.open}.get(path.suffix, open)
    with opened(path, "wt") as file:
        file.writelines(lines)
    return path


def busy(seconds: int, *, every: int = 2) -> list[str]:
    """A spindle that turns, with an axis to show that the line is up."""
    lines = [line(*one) for one in RUN]
    return lines + [line(second, "xm", second % 97) for second in range(0, seconds, every)]


def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "machine_agents", "replay", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("name", ["mill.txt", "mill.txt.xz", "mill.txt.gz"])
def test_a_log_is_understood_by_the_document_beside_it(tmp_path: Path, name: str) -> None:
    found = replay([log(tmp_path, busy(3_601), name)])
    assert found.mapping == "Devices.xml, device Mill"
    assert found.registers["spindle_on.S1"] == found.registers["program_run"] == found.registers["auto_run"] == HOUR
    assert found.registers["revolutions.S1"] == 3000 * 60 * 1000
    assert found.gaps == []


def test_a_spindle_frozen_for_47_days_is_not_billed(tmp_path: Path) -> None:
    """The line is down, the last values stand: integrating them says 1 128 hours more."""
    days = 47 * 86_400
    lines = [*busy(3_601), *[line(days + one[0], *one[1:]) for one in RUN], line(days + 1, "xm", 5)]
    found = replay([log(tmp_path, lines)])
    naive = days * 1000
    assert naive > 1_127 * HOUR
    assert HOUR <= found.registers["spindle_on"] <= HOUR + 2 * found.silence_ms
    assert found.registers["unknown"] + found.registers["power_on"] == naive + 1000
    assert len(found.gaps) == 1


@pytest.mark.parametrize("silence", ["2.5", "5", "60"])
def test_the_limit_of_silence_is_the_grace_and_nothing_more(tmp_path: Path, silence: str) -> None:
    lines = [*busy(601, every=1), line(4_000, "xm", 1), line(4_001, "xm", 2)]
    done = run(log(tmp_path, lines), "--silence", silence, "--json")
    found = json.loads(done.stdout)
    grace = int(float(silence) * 1000)
    assert found["registers"]["spindle_on"] == 600_000 + grace + 1000
    assert found["gaps"]["total_ms"] == 3_400_000 - grace


def test_unavailable_ends_a_value_at_once(tmp_path: Path) -> None:
    lines = [*busy(601), line(600, "ss", "UNAVAILABLE")]
    lines += [line(second, "xm", 1 + second % 5) for second in range(602, 900, 2)]
    found = replay([log(tmp_path, lines)])
    assert found.registers["spindle_on"] == 600_000
    assert found.registers["program_run"] == 898_000


def test_order_repetition_and_cutting_in_files_change_nothing(tmp_path: Path) -> None:
    lines = busy(1_801)
    plain = replay([log(tmp_path / "a", lines)])
    mixed = [*lines[100:300], *lines[:100], *lines[300:]]
    shuffled = replay([log(tmp_path / "b", mixed)])
    halves = replay([log(tmp_path / "c", lines[:400], "1.txt"), log(tmp_path / "c", lines[400:], "2.txt")])
    assert plain.registers == shuffled.registers == halves.registers
    assert (plain.lines.out_of_order, shuffled.lines.out_of_order > 0) == (0, True)


def test_rubbish_is_counted_and_the_rest_is_metered(tmp_path: Path) -> None:
    rubbish = [
        "no line at all\n",
        "yesterday|ss|100\n",
        line(10, "sl", "NaN"),
        line(20, "sl", "heavy"),
        line(30, "nobody", "knows"),
        line(40, "cond", "Normal||||"),
        "2017-03-01T08:00:50|sl|30\n",
        "2017-03-01T08:00:50.123456789Z|sl|31\n",
        "\n",
    ]
    lines = busy(3_601)
    clean = replay([log(tmp_path / "a", lines)])
    dirty = replay([log(tmp_path / "b", [*lines[:30], *rubbish, *lines[30:]])])
    assert dirty.registers["spindle_on"] == clean.registers["spindle_on"]
    assert (dirty.lines.malformed, dirty.lines.unreadable, dirty.lines.unmapped) == (2, 2, 2)


def test_a_counter_that_steps_back_is_a_reset_and_bills_nothing(tmp_path: Path) -> None:
    counts = [(0, 5_000), (100, 5_090), (200, 10), (300, 95)]
    lines = [*busy(601), *(line(second, "cut", value) for second, value in counts)]
    found = replay([log(tmp_path, sorted(lines))])
    assert found.resets == {"counter.cut": 1}
    assert found.registers["counter.cut"] == (90 + 85) * 1000
    (comparison,) = found.comparisons
    assert comparison.difference == sum(comparison.causes.values())


def test_bare_names_are_understood_with_a_warning(tmp_path: Path) -> None:
    lines = [line(*one) for one in [(0, "M1:power", "ON"), (0, "M1:execution", "ACTIVE"), (0, "M1:Srpm", "1200")]]
    lines += [line(second, "M1:Xabs", second) for second in range(0, 601, 2)]
    path = tmp_path / "bare.log"
    path.write_text("".join(lines))
    found = replay([path])
    assert found.registers["spindle_on.S1"] == found.registers["program_run"] == 600_000
    assert found.registers["travel.X"] == 600_000
    assert "guessed" in found.warnings[0]


def test_a_mapping_file_replaces_everything_else(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(
        'machine = "Mill"\nsilence_ms = 7000\n[items.ss]\nsignal = "spindle.S9.speed"\nscale = "500"\n'
    )
    found = replay([log(tmp_path, [*busy(601), line(601, "ss", 0)])], profile=tmp_path / "mine.toml")
    assert found.silence_ms == 7000
    assert found.registers["revolutions.S9"] == 1500 * 7000 * 1000 // 60_000


def test_what_cannot_be_replayed_is_one_line_and_status_3(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "strange.txt").write_text(line(0, "q", 1))
    (tmp_path / "broken.xz").write_bytes(b"\xfd7zXZ\x00rubbish")
    good = log(tmp_path / "good", busy(10))
    for arguments in (
        [tmp_path / "none.txt"],
        [tmp_path / "empty.txt"],
        [tmp_path / "strange.txt"],
        [tmp_path / "broken.xz"],
        [good, "--silence", "soon"],
        [good, "--profile", tmp_path / "none.toml"],
        [good, "--profile", tmp_path / "strange.txt"],
        [good, "--day", "tomorrow"],
    ):
        done = run(*arguments)
        assert (done.returncode, done.stderr.count("\n")) == (3, 1), (arguments, done.stderr)


def test_people_read_registers_gaps_and_lines(tmp_path: Path) -> None:
    done = run(log(tmp_path, [*busy(601), line(5_000, "xm", 1)]))
    assert done.returncode == 0
    for text in ("Mill U-1", "spindle_on.S1", "gaps: 1", "0 out of order", "stepped back: none"):
        assert text in done.stdout


def test_the_data_is_the_same_twice(tmp_path: Path) -> None:
    path = log(tmp_path, busy(901))
    one, other = (json.loads(run(path, "--json").stdout) for _ in range(2))
    assert one == other
    assert {"registers", "billed", "gaps", "resets", "lines", "counters", "silence_ms"} <= one.keys()
