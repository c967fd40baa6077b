"""A damaged spool, a full disk, a backup put back: a clear state, never a wrong number, and a way on."""

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from machine_agents import credentials
from machine_agents.config import AgentConfig, MeterConfig, ServiceConfig, SourceConfig
from machine_agents.credentials import Enrolment, save_enrolment
from machine_agents.delivery import Delivery, NotStored
from machine_agents.host import Host
from machine_agents.observation import HEARTBEAT, Observation
from machine_agents.recovery import NotRecovered, recover_spool
from machine_agents.sealing import Meter
from machine_agents.source_time import from_ms, to_ms
from machine_agents.spool import Spool, SpoolBroken
from metering.chain import verify
from metering.ocmf import parse
from tests.machine_agents.fake_service import TOKEN, FakeService, fake_service
from tests.machine_agents.plain_server import START
from tests.machine_agents.test_spool import sealed

NOW = datetime(2026, 3, 5, tzinfo=UTC)
_SIGNALS = ("heartbeat", "power", "spindle.S1.speed", "spindle.S1.load")
_QUARTER = 900_000


def config(folder: Path, service: FakeService) -> AgentConfig:
    source = SourceConfig("opc.tcp://127.0.0.1:9", "u", folder / "password")
    return AgentConfig("test", folder / "data", source, ServiceConfig(service.url), MeterConfig())


def meter(folder: Path, spool: Spool) -> Meter:
    return Meter(spool, credentials.signing_key(folder), IDENTITY, MeterConfig(), host=HOST)


HOST = Host(lambda: START, lambda: 0.0, "boot", lambda: False)
IDENTITY = Enrolment("agent-1", "M-1", "Mill", TOKEN)


def work(meter: Meter, first: int, quarters: int) -> None:
    """The spindle turns at some load for `quarters` quarter hours from quarter `first` on."""
    for number in range(first, first + quarters):
        at = to_ms(START) + number * _QUARTER
        seen = [
            Observation(signal, value, from_ms(at + offset))
            for offset in range(0, _QUARTER, 20_000)
            for signal, value in (("power", True), ("spindle.S1.speed", 3_000_000), ("spindle.S1.load", 300 + number))
        ]
        beat = from_ms(at + _QUARTER)
        seen.append(Observation(HEARTBEAT, at + (0 if number == first else _QUARTER), beat))
        meter.deliver(Delivery(seen, beat, "", _SIGNALS, fresh=number == first))


def enrolled(folder: Path) -> Path:
    save_enrolment(folder, IDENTITY)
    return folder


def served(service: FakeService, folder: Path, up_to: int) -> None:
    with closing(Spool(folder)) as spool:
        texts = list(spool.texts())
        service.stored = dict(enumerate(texts[:up_to], start=1))
        spool.settle(up_to, {})


def test_after_damage_the_chain_goes_on_and_the_time_between_is_a_gap(tmp_path: Path) -> None:
    data = enrolled(tmp_path / "data")
    with fake_service() as service:
        with closing(Spool(data)) as spool:
            work(meter(data, spool), 0, 8)
        served(service, data, 5)
        damage_record(data, 8)
        with pytest.raises(SpoolBroken, match="record 8 is not the one that was sealed"):
            Spool(data)
        found = recover_spool(config(tmp_path, service), now=NOW)
        assert (found.high_water, found.rescued) == (5, 2)
        with closing(Spool(data)) as spool:
            again = meter(data, spool)
            before = again.registers()
            work(again, 12, 3)
            after = again.registers()
            texts = [*service.stored.values(), *spool.texts()]
        at_once = recover_spool(config(tmp_path, service), now=NOW)
    assert (at_once.set_aside != found.set_aside, at_once.rescued) == (True, len(texts) - 5)
    records = [parse(text) for text in texts]
    assert verify(records, credentials.signing_key(data).public_key()) == []
    assert [one.record.pagination for one in records] == list(range(1, len(records) + 1))
    assert after["spindle_on.S1"] - before["spindle_on.S1"] == 3 * _QUARTER
    assert after["unknown"] - before["unknown"] >= 4 * _QUARTER
    assert (found.set_aside / "spool.sqlite").exists()


def damage_record(folder: Path, number: int) -> None:
    with closing(sqlite3.connect(folder / "spool.sqlite")) as db:
        db.execute("update record set text = replace(text, 'Mill', 'Mull') where pagination = ?", (number,))
        db.commit()


def test_pages_overwritten_with_rubbish_are_found_at_the_start_and_recovered_from(tmp_path: Path) -> None:
    data = enrolled(tmp_path / "data")
    with fake_service() as service:
        with closing(Spool(data)) as spool:
            work(meter(data, spool), 0, 30)
        served(service, data, 10)
        path = data / "spool.sqlite"
        with path.open("r+b") as file:
            file.seek(path.stat().st_size // 2)
            file.write(os.urandom(8192))
        with pytest.raises(SpoolBroken, match="recover"):
            Spool(data)
        found = recover_spool(config(tmp_path, service), now=NOW)
        assert found.high_water == 10
        with closing(Spool(data)) as spool:
            work(meter(data, spool), 40, 1)
            records = [parse(text) for text in [*service.stored.values(), *spool.texts()]]
    assert verify(records, credentials.signing_key(data).public_key()) == []


def test_a_backup_put_back_is_noticed_before_anything_is_sealed_twice(tmp_path: Path) -> None:
    data = enrolled(tmp_path / "data")
    with fake_service() as service:
        with closing(Spool(data)) as spool:
            work(meter(data, spool), 0, 4)
        shutil.copytree(data, tmp_path / "backup")
        with closing(Spool(data)) as spool:
            work(meter(data, spool), 4, 4)
        served(service, data, 8)
        shutil.rmtree(data)
        (tmp_path / "backup").rename(data)
        toml = tmp_path / "agent.toml"
        (tmp_path / "password").write_text("x")
        toml.write_text(
            '[agent]\ndata = "data"\n[source]\nendpoint = "opc.tcp://127.0.0.1:9"\nuser = "u"\n'
            f'password_file = "password"\n[service]\nurl = "{service.url}"\n'
        )
        run = agent("run", "--config", toml)
        assert (run.returncode, "restored from a backup" in run.stderr) == (4, True)
        assert "Traceback" not in run.stderr
        done = agent("recover", "--config", toml)
        assert done.returncode == 0, done.stderr
        assert "every record up to 8; 0 more" in done.stdout
        with closing(Spool(data)) as spool:
            assert spool.tail.pagination == 8
        shown = agent("status", "--config", toml)
    assert (shown.returncode, "restored from a backup" in shown.stdout) == (1, True), shown.stdout


def agent(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "machine_agents", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_without_a_service_nothing_is_moved(tmp_path: Path) -> None:
    data = enrolled(tmp_path / "data")
    with closing(Spool(data)) as spool:
        work(meter(data, spool), 0, 2)
    away = FakeService(url="http://127.0.0.1:9")
    with pytest.raises(NotRecovered, match="does not say where the chain ends"):
        recover_spool(config(tmp_path, away), now=NOW)
    with closing(Spool(data)) as spool:
        assert spool.tail.sequence == 3


_FILL = """
import resource, sys
from pathlib import Path
from machine_agents.spool import Spool
from machine_agents.delivery import NotStored
from tests.machine_agents.test_spool import sealed
spool = Spool(Path(sys.argv[1]))
spool.commit({"accrual": "before"}, sealed(spool, 20))
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, resource.RLIM_INFINITY))
try:
    while True:
        tail = spool.tail
        spool.commit({"accrual": f"{tail.pagination}"}, sealed(spool, 20))
except NotStored as error:
    print(error)
assert spool.tail == tail, (spool.tail, tail)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
spool.commit({"accrual": "after"}, sealed(spool, 20))
print(spool.tail.pagination - tail.pagination)
"""


def test_a_disk_that_fills_up_loses_nothing_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    """The system itself refuses to let the files grow, as a full disk does."""
    done = subprocess.run(
        [sys.executable, "-c", _FILL, str(tmp_path / "data")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "the spool cannot be used" in done.stdout
    assert done.stdout.splitlines()[-1] == "20"
    with closing(Spool(tmp_path / "data")) as spool:
        assert spool.kept("accrual") == "after"
        assert [parse(text).record.pagination for text in spool.texts()] == list(range(1, spool.tail.pagination + 1))


def test_a_folder_that_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    made = tmp_path / "data"
    made.write_text("a file where the folder should be")
    with pytest.raises(NotStored, match="cannot be used"):
        Spool(made)


def test_old_settled_records_are_pruned_and_everything_else_stays(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with closing(Spool(data)) as spool:
        for _ in range(15):
            spool.commit({}, sealed(spool, 100))
        spool.settle(1_400, {7: "signature"})
        full = spool.size_bytes()
        assert spool.prune(keep_bytes=full) == 0
        while spool.prune(keep_bytes=full // 4):
            pass
        tail = spool.tail
    with closing(Spool(data)) as spool:
        kept = [parse(text).record.pagination for text in spool.texts()]
        assert kept == [7, *range(401, tail.pagination + 1)]
        assert (spool.tail, spool.size_bytes() < full) == (tail, True)
        spool.commit({}, sealed(spool))
        assert spool.tail.pagination == tail.pagination + 1
