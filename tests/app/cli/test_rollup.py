"""The dispute's tool: what the agent's meter sealed and what it kept raw, brought in both ways and compared."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

import app.telemetry
from app.cli import application
from app.database import Database, Role
from app.settings import Settings
from machine_agents.accrual import Policy
from machine_agents.config import MeterConfig, TelemetryConfig
from machine_agents.credentials import Enrolment
from machine_agents.delivery import Delivery
from machine_agents.host import Host
from machine_agents.model import SIGNALS, SILENCE_MS, recorded
from machine_agents.observation import HEARTBEAT, Observation
from machine_agents.observation_log import ObservationLog
from machine_agents.sealing import Meter
from machine_agents.segment_files import SegmentFiles
from machine_agents.source_time import to_ms
from machine_agents.spool import Spool
from machine_agents.status import Status
from metering.ingest import ingest
from metering.store import MeteringStore
from metering.telemetry import parquet
from metering.telemetry.receive import State, receive
from metering.telemetry.shelf import Shelf
from metering.telemetry.store import TelemetryStore
from tests.metering.builders import NOW, Box, add_parties, enrolled_box

END = datetime(2026, 3, 3, 12, 7, tzinfo=UTC)
BEGIN = END - timedelta(hours=20)


@pytest.fixture
def box(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Box:
    """A service with a day of the model's shop: sealed records ingested, raw segments received."""

    @contextmanager
    def opened(_: Settings) -> Iterator[Database]:
        yield database

    monkeypatch.setattr(app.telemetry, "opened", opened)
    monkeypatch.setenv("SPINDLESHARE_DATA_FOLDER", str(tmp_path / "service"))
    add_parties(database)
    one = enrolled_box(database)
    spool, files = metered(tmp_path / "agent", one)
    with database.transaction(Role.WORKER) as session:
        machines, store = MeteringStore(session), TelemetryStore(session)
        ingest(list(spool.texts()), agent=one.agent, store=machines, now=NOW)
        while (found := files.oldest()) is not None:
            shelf = Shelf(tmp_path / "service" / "telemetry")
            receipt = receive(found[1], agent=one.agent, machines=machines, store=store, shelf=shelf, now=NOW)
            assert receipt.state is State.STORED
            files.delivered(found[0])
    spool.close()
    return one


def metered(folder: Path, box: Box) -> tuple[Spool, SegmentFiles]:
    """What the agent's own meter makes of the model, a delivery every minute, and a break of its subscription."""
    clock = iter(range(10**6))
    spool, files = Spool(folder), SegmentFiles(folder / "telemetry", budget=1 << 30)
    policy, status = Policy(silence_ms=SILENCE_MS), Status(None, None, clock=lambda: NOW, monotonic=lambda: 0.0)
    log = ObservationLog(
        files,
        box.agent.meter_serial,
        policy,
        TelemetryConfig(segment_seconds=400),
        status,
        kept=None,
        monotonic=lambda: float(next(clock)),
    )
    identity = Enrolment(str(box.agent.id), box.agent.meter_serial, box.agent.machine_model, "token")
    config = MeterConfig(policy=policy, interim_seconds=0)
    host = Host(lambda: NOW, lambda: 0.0, "boot", lambda: False)
    meter = Meter(spool, box.key, identity, config, host=host, log=log)
    signals = (*SIGNALS, HEARTBEAT)
    found = list(recorded(seed=5, begin=BEGIN, end=END))
    position = 0
    for minute in range(20 * 60 + 1):
        now = BEGIN + timedelta(minutes=minute)
        part = []
        while position < len(found) and found[position].source_time <= now:
            part.append(found[position])
            position += 1
        part.append(Observation(HEARTBEAT, to_ms(now), now))
        meter.deliver(Delivery(part, now, "", signals=signals, fresh=minute in (0, 700)))
    log.close()
    files.pack()
    return spool, files


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(application(arguments), list(arguments))
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.stdout


def test_sealed_usage_and_raw_telemetry_are_equal_to_the_unit(box: Box) -> None:
    status, text = run("rollup", "SM-1", "--period", "2026-03-02/2026-03-04", "--json")
    told = json.loads(text)
    assert told["differences"] == []
    assert (status, told["quarters"], told["until"]) == (0, 80, "2026-03-03 12:00:00+00:00")
    assert told["sums"]["spindle_on"] > 3_600_000
    assert told["sums"]["travel.X"] > 0
    assert told["sums"]["unknown"] > 0
    status, text = run("rollup", "SM-1", "--period", "2026-03-02/2026-03-04")
    assert (status, "Equal to the stored usage" in text) == (0, True)


def test_a_difference_is_listed_with_what_explains_it(box: Box, tmp_path: Path) -> None:
    (day,) = (tmp_path / "service" / "telemetry").glob("machine=*/day=2026-03-03")
    for path in day.iterdir():
        table = parquet.read([path])
        rows = [index for index, signal in enumerate(table.column("signal").to_pylist()) if signal != "axis.X.position"]
        parquet.write(table.take(rows), path)
    status, text = run("rollup", "SM-1", "--period", "2026-03-02/2026-03-04", "--json")
    differences = json.loads(text)["differences"]
    assert status == 1
    assert {(one["code"], one["why"]) for one in differences} >= {("travel.X", "unexplained")}
    assert all(one["starts_at"] >= "2026-03-03" for one in differences)
    assert all(one["rolled"] < one["stored"] for one in differences if one["code"] == "travel.X")


def test_what_there_is_is_listed_and_copied(box: Box, tmp_path: Path) -> None:
    status, text = run("telemetry", "ls", "--json")
    (known,) = json.loads(text)
    assert (status, known["meter"], known["missing"], known["lost_rows"]) == (0, "SM-1", 0, 0)
    assert known["stored"] >= 3
    out = tmp_path / "copy"
    status, _ = run("telemetry", "export", "SM-1", str(out), "--period", "2026-03-03/2026-03-04")
    manifest = json.loads((out / "segments.json").read_text())
    copied = parquet.read(out.rglob("*.parquet"))
    assert status == 0
    assert manifest["missing"] == []
    assert set(copied.column("segment").to_pylist()) == {one["number"] for one in manifest["segments"]}


def test_an_unknown_engine_is_named(box: Box) -> None:
    with pytest.raises(app.telemetry.NoEngine, match="spork"):
        run("rollup", "SM-1", "--period", "2026-03", "--engine", "spork")
