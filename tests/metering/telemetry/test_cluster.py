"""The same expression on servers that speak Spark Connect, as processes of their own; one of two is killed."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from metering.telemetry.cluster import ClusterLost, share_out
from metering.telemetry.embedded import Embedded
from metering.telemetry.rollup import Batch, Row, roll_up
from metering.telemetry.spark import Spark
from tests.metering.telemetry.builders import registers
from tests.metering.telemetry.test_rollup import batches, model, summed

_EMBEDDED = Embedded(memory_mib=512)
_START_SECONDS = 60


@dataclass
class Server:
    """A Spark Connect server in a process of its own."""

    process: "subprocess.Popen[bytes]"
    port: int

    @property
    def url(self) -> str:
        return f"sc://127.0.0.1:{self.port}"


def _free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


def _answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


@contextlib.contextmanager
def servers(count: int) -> Iterator[list[Server]]:
    sail = Path(sys.executable).with_name("sail")
    started = []
    try:
        for _ in range(count):
            port = _free_port()
            process = subprocess.Popen(
                [sail, "spark", "server", "--port", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            started.append(Server(process, port))
        deadline = time.monotonic() + _START_SECONDS
        for one in started:
            while not _answers(one.port):
                assert one.process.poll() is None, "the server ended"
                assert time.monotonic() < deadline, "the server does not answer"
                time.sleep(0.05)
        yield started
    finally:
        for one in started:
            one.process.kill()
            one.process.wait()


@pytest.fixture(scope="module")
def two() -> Iterator[list[Server]]:
    with servers(2) as started:
        yield started


@dataclass
class Killed:
    """An engine whose server is killed while it works on its second batch."""

    server: Server
    engine: Spark
    dying: threading.Event
    batches: int = 0

    def close(self) -> None:
        self.engine.close()

    def run(self, batch: Batch) -> list[Row]:
        self.batches += 1
        if self.batches < 2:
            return self.engine.run(batch)
        self.dying.set()
        # Stopped first, so that the query is surely under way when the server dies.
        os.kill(self.server.process.pid, signal.SIGSTOP)
        killer = threading.Timer(0.5, self.server.process.kill)
        killer.start()
        try:
            return self.engine.run(batch)
        finally:
            killer.join()


@dataclass
class Patient:
    """An engine that leaves the rest of the work until the other one is dying: it would else take it all."""

    engine: Spark
    dying: threading.Event

    def close(self) -> None:
        self.engine.close()

    def run(self, batch: Batch) -> list[Row]:
        assert self.dying.wait(_START_SECONDS), "the other worker never came to its second batch"
        return self.engine.run(batch)


def connecting(server: Server) -> tuple[str, Callable[[], Spark]]:
    return server.url, lambda: Spark(server.url)


def test_the_same_text_gives_the_same_on_both_engines(tmp_path: Path, two: list[Server]) -> None:
    one = model(days=1)
    work = batches(tmp_path, one)
    with Spark(two[0].url) as engine:
        found = roll_up(work, engine)
    assert found == roll_up(work, _EMBEDDED)
    assert summed(found) == registers(one.state)


@pytest.mark.slow
def test_days_are_shared_out_and_a_worker_killed_in_the_middle_changes_nothing(tmp_path: Path) -> None:
    one = model(days=2.5)
    whole = roll_up(batches(tmp_path, one), _EMBEDDED)
    by_day = batches(tmp_path, one, by_day=True)
    assert len(by_day) >= 3
    dying = threading.Event()
    with servers(2) as (doomed, steady):
        workers = [
            (doomed.url, lambda: Killed(doomed, Spark(doomed.url), dying)),
            (steady.url, lambda: Patient(Spark(steady.url), dying)),
        ]
        outcome = share_out(by_day, workers)
        assert doomed.process.wait(10) == -signal.SIGKILL
    assert outcome.grown == whole
    assert summed(outcome.grown) == registers(one.state)
    assert list(outcome.lost) == [doomed.url]
    assert outcome.done[doomed.url] == 1
    assert sum(outcome.done.values()) == len(by_day)


def test_without_any_worker_the_reason_is_told(tmp_path: Path) -> None:
    work = batches(tmp_path, model(days=1))
    nobody = Server(None, _free_port())  # type: ignore[arg-type]
    with pytest.raises(ClusterLost, match="no worker is left"):
        share_out(work, [connecting(nobody)])


def test_a_client_that_ends_its_thread_is_named(tmp_path: Path) -> None:
    """As pyspark does where it misses its parts: it must not look like work that is still in hand."""

    def ended() -> Spark:
        raise SystemExit("no such client")

    with pytest.raises(ClusterLost, match="sc://nobody: no such client"):
        share_out(batches(tmp_path, model(days=1)), [("sc://nobody", ended)])


def test_what_fails_everywhere_ends_the_run(tmp_path: Path, two: list[Server]) -> None:
    (work,) = batches(tmp_path, model(days=1))
    broken = Batch((tmp_path / "nothing.parquet",), work.stretches, work.from_ms, work.until_ms)
    with pytest.raises(ClusterLost, match="no worker is left"):
        share_out([broken], [connecting(one) for one in two])
