"""Raw observations beside the spool: what the fold took, no more and no less, and never at metering's cost."""

import errno
import json
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from machine_agents import observation_log
from machine_agents.accrual import Policy
from machine_agents.config import MeterConfig, TelemetryConfig
from machine_agents.credentials import Enrolment
from machine_agents.delivery import Delivery, NotStored
from machine_agents.host import Host
from machine_agents.observation import Observation
from machine_agents.observation_log import ObservationLog
from machine_agents.sealing import TELEMETRY, Meter
from machine_agents.segment_files import SegmentFiles, thin
from machine_agents.source_time import to_ms
from machine_agents.spool import Spool
from machine_agents.status import Status
from metering.ocmf import new_key
from metering.telemetry.segment import Segment, parse, unpack

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SIGNALS = ("heartbeat", "power", "feed", "axis.X.position")
KEY = new_key()
POLICY = Policy(silence_ms=600_000)


class Box:
    """An agent's meter with its spool and log; `again` is what a start after a kill finds."""

    def __init__(self, folder: Path, *, budget: int = 1 << 30, segment_seconds: int = 900) -> None:
        self.folder, self.now = folder, 0.0
        self.status = Status(None, None, clock=lambda: START, monotonic=lambda: self.now)
        self.spool = Spool(folder)
        self.files = SegmentFiles(folder / "telemetry", budget=budget)
        self.log = ObservationLog(
            self.files,
            "SM-1",
            POLICY,
            TelemetryConfig(segment_seconds=segment_seconds),
            self.status,
            kept=self.spool.kept(TELEMETRY),
            monotonic=lambda: self.now,
        )
        identity, config = Enrolment("a", "SM-1", "Mill", "token"), MeterConfig(policy=POLICY, interim_seconds=0)
        self.meter = Meter(
            self.spool,
            KEY,
            identity,
            config,
            host=Host(lambda: START, lambda: self.now, "boot", lambda: False),
            log=self.log,
        )

    def again(self) -> "Box":
        self.spool.close()
        return Box(self.folder)

    def deliver(self, minutes: float, *seen: tuple[str, int | bool | None], fresh: bool = False) -> None:
        at = START + timedelta(minutes=minutes)
        observations = [Observation(signal, value, at) for signal, value in (*seen, ("heartbeat", to_ms(at)))]
        self.meter.deliver(Delivery(observations, at, "state", signals=SIGNALS, fresh=fresh))

    def segments(self) -> list[Segment]:
        self.files.pack()
        packed = sorted((self.folder / "telemetry").glob("*.gz"))
        return [parse(unpack(path.read_bytes())) for path in packed]


def values(segments: Sequence[Segment], signal: str) -> list[object]:
    return [
        value for one in segments for delivery in one.deliveries for _, name, value in delivery.taken if name == signal
    ]


def rows(segments: Sequence[Segment]) -> list[int]:
    return [row for one in segments for each in one.deliveries for row in range(each.row, each.row + len(each.taken))]


def test_a_segment_holds_what_the_fold_took_with_its_watermarks(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.deliver(0, ("power", True), ("axis.X.position", 0), fresh=True)
    box.deliver(1, ("axis.X.position", 500))
    box.deliver(2, ("axis.X.position", 700), fresh=True)
    box.log.close()
    (one,) = box.segments()
    assert rows([one]) == list(range(1, one.next_row))
    assert values([one], "axis.X.position") == [0, 500, None, 700]  # what was lost in between is told
    assert one.until_ms == to_ms(START + timedelta(minutes=2))
    assert one.header.policy["silence_ms"] == POLICY.silence_ms


def test_a_later_segment_opens_with_what_is_in_force(tmp_path: Path) -> None:
    box = Box(tmp_path, segment_seconds=60)
    box.deliver(0, ("power", True), ("axis.X.position", 5), fresh=True)
    box.now = 61
    box.deliver(1, ("feed", 100))
    box.log.close()
    first, second = box.segments()
    opening = second.header.opening
    assert second.header.row == first.next_row
    assert opening.seen["power"] == (to_ms(START) * 1000, (True,))
    assert opening.carry["axis.X.position"] == 5
    assert opening.settled_ms == first.until_ms


def test_a_kill_between_log_and_commit_leaves_each_row_once(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.deliver(0, ("power", True), fresh=True)
    with sqlite3.connect(tmp_path / "spool.sqlite") as other:
        other.execute("create trigger full before insert on kept begin select raise(abort, 'disk full'); end")
    box.log.undo = lambda: None  # type: ignore[method-assign]  # killed before it could
    with pytest.raises(NotStored):
        box.deliver(1, ("feed", 7))
    with sqlite3.connect(tmp_path / "spool.sqlite") as other:
        other.execute("drop trigger full")
    box = box.again()
    box.deliver(1, ("feed", 7))
    box.log.close()
    segments = box.segments()
    assert values(segments, "feed") == [7]
    assert rows(segments) == list(range(1, segments[-1].next_row))
    assert [one.header.number for one in segments] == [1, 2]


def test_a_delivery_that_was_not_stored_is_taken_back(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.deliver(0, ("power", True), fresh=True)
    with sqlite3.connect(tmp_path / "spool.sqlite") as other:
        other.execute("create trigger full before insert on kept begin select raise(abort, 'disk full'); end")
    for _ in range(2):
        with pytest.raises(NotStored):
            box.deliver(1, ("feed", 7))
    with sqlite3.connect(tmp_path / "spool.sqlite") as other:
        other.execute("drop trigger full")
    box.deliver(1, ("feed", 7))
    box.log.close()
    assert values(box.segments(), "feed") == [7]


def test_a_torn_line_is_cut_and_rows_the_disk_lost_are_a_named_gap(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.deliver(0, ("power", True), fresh=True)
    box.deliver(1, ("feed", 7))
    path = next((tmp_path / "telemetry").glob("*.open"))
    path.write_bytes(path.read_bytes()[:-5])
    box = box.again()
    assert box.status.facts["telemetry"]["lost_rows"] == 2
    box.deliver(2, ("feed", 8))
    box.log.close()
    first, second = box.segments()
    assert values([first], "feed") == []
    assert second.header.row == first.next_row + 2


def test_a_failed_write_is_counted_and_metering_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    box = Box(tmp_path)
    box.deliver(0, ("power", True), fresh=True)

    def full(stream: object, line: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(observation_log, "_write", full)
        box.deliver(1, ("feed", 1))
        box.deliver(2, ("feed", 2))
    box.deliver(3, ("feed", 3))
    box.log.close()
    assert box.meter.registers()["power_on"] == 180_000
    told = box.status.facts["telemetry"]
    assert (told["gaps"], told["lost_rows"]) == (1, 4)
    assert "No space left" in told["gap"]
    segments = [one for one in box.segments() if one.deliveries]
    assert values(segments, "feed") == [3]
    assert segments[1].header.row == segments[0].next_row + 4


def test_over_the_budget_the_oldest_is_thinned_but_never_what_was_sent_once(tmp_path: Path) -> None:
    box = Box(tmp_path, segment_seconds=60)
    box.deliver(0, ("power", True), fresh=True)
    for step in range(1, 400):
        box.now = step
        switched = [("power", step % 100 != 50)] if step % 50 == 0 else []
        box.deliver(step / 60, ("axis.X.position", step * 7919 % 1000), *switched)
    box.log.close()
    box.files.pack()
    tried = box.files.oldest()
    assert tried is not None
    whole = box.files.waiting().bytes
    cut = SegmentFiles(tmp_path / "telemetry", budget=whole * 2 // 3)
    assert cut.keep_budget() > 0
    assert not cut.full
    segments = box.segments()
    assert [one.header.thinned for one in segments[:3]] == [False, True, True]
    assert values(segments, "power").count(False) == 4
    assert SegmentFiles(tmp_path / "telemetry", budget=whole).oldest() == tried
    tight = SegmentFiles(tmp_path / "telemetry", budget=100)
    tight.keep_budget()
    assert tight.full


def test_thinning_keeps_states_and_changes_to_and_from_nothing(tmp_path: Path) -> None:
    box = Box(tmp_path)
    box.deliver(0, ("power", True), ("feed", 1), fresh=True)
    for step, feed in enumerate((5, 6, 0, 7, None, 8, 9), start=1):
        box.deliver(step / 60, ("feed", feed), ("power", step % 2 == 0))
    box.log.close()
    (one,) = box.segments()
    thinned = thin(one)
    assert values([thinned], "feed") == [1, 0, 7, None, 8]
    assert values([thinned], "power") == values([one], "power")
    assert parse(json_text(thinned)) == thinned
    assert set(rows([thinned])) < set(rows([one]))


def json_text(segment: Segment) -> bytes:
    from machine_agents.segment_files import text_of

    text = text_of(segment)
    assert all(json.loads(line) for line in text.splitlines())
    return text
