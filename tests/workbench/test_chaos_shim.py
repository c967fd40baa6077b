"""The fault shim, on real processes: a fault happens at the n-th call that its rule names, and at no other."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from tests.peers import needs_compiler
from workbench.chaos import shim
from workbench.chaos.shim import NoCompiler, Rule, Shim

pytestmark = needs_compiler

WRITER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("pragma journal_mode = wal")
db.execute("pragma synchronous = full")
db.execute("create table if not exists entry (n)")
for n in range(10):
    try:
        db.execute("insert into entry values (?)", (n,))
        print(n, flush=True)
    except sqlite3.OperationalError as error:
        print(error, flush=True)
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shim.build(tmp_path_factory.mktemp("shim"))


def run(
    library: Path, folder: Path, rules: list[Rule], script: str = WRITER, clock_ms: int = 0
) -> tuple["subprocess.CompletedProcess[str]", Shim]:
    one = Shim(library, folder, "writer", clock_ms=clock_ms)
    environment = {**os.environ, "LD_PRELOAD": str(library), **one.environment(rules)}
    command = [sys.executable, "-c", script, str(folder / "t.sqlite")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60), one


def entries(folder: Path) -> list[int]:
    with sqlite3.connect(folder / "t.sqlite") as db:
        return [row[0] for row in db.execute("select n from entry order by n")]


def test_a_transactions_end_is_told_from_what_is_sent_before_it(library: Path, tmp_path: Path) -> None:
    script = """
import socket
one, other = socket.socketpair()
for text in (b"SELECT 1", b"COMMIT", b"SELECT 2"):
    one.send(text)
    print(other.recv(99).decode(), flush=True)
"""
    done, one = run(library, tmp_path, [Rule("kill", "commit", "*", 1, "after")], script)
    assert (done.returncode, done.stdout.split("\n")[:-1]) == (-signal.SIGKILL, ["SELECT 1"])
    assert [(hit.call, hit.site) for hit in one.hits()] == [("commit", "socket")]


def test_without_rules_nothing_happens(library: Path, tmp_path: Path) -> None:
    done, one = run(library, tmp_path, [])
    assert done.returncode == 0
    assert (entries(tmp_path), one.hits()) == (list(range(10)), [])


# The first two make the log and the table.
@pytest.mark.parametrize("nth", [3, 6])
def test_a_kill_after_a_commits_fsync_leaves_that_commit_and_no_other(library: Path, tmp_path: Path, nth: int) -> None:
    rule = Rule("kill", "fdatasync", "t.sqlite-wal", nth, "after")
    done, one = run(library, tmp_path, [rule])
    assert done.returncode == -signal.SIGKILL
    assert one.hits() == [rule]
    said = [int(line) for line in done.stdout.split()]
    # The commit at whose fsync it died is on the disk, but was not told to anybody.
    assert entries(tmp_path) == [*said, len(said)]
    assert len(said) < 10


@pytest.mark.parametrize(
    ("action", "words"), [("enospc", "full"), ("eio", "disk I/O error"), ("erofs", "disk I/O error")]
)
def test_an_error_lasts_for_as_many_calls_as_the_rule_says(
    library: Path, tmp_path: Path, action: str, words: str
) -> None:
    done, one = run(library, tmp_path, [Rule(action, "pwrite", "t.sqlite-wal", 12, "before", 2)])
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    failed = [line for line in lines if words in line]
    assert 1 <= len(failed) <= 2
    assert lines[-1] == "9"
    assert entries(tmp_path) == [int(line) for line in lines if line.isdigit()]
    assert [(hit.action, hit.call, hit.site) for hit in one.hits()] == [(action, "pwrite", "t.sqlite-wal")]


def test_a_clock_step_is_seen_by_the_wall_clock_alone(library: Path, tmp_path: Path) -> None:
    script = """
import sys, time
wall, steady = time.time(), time.monotonic()
open(sys.argv[1], "w").close()
print(round(time.time() - wall), round(time.monotonic() - steady))
"""
    done, _ = run(library, tmp_path, [Rule("clock", "create", "t.sqlite", 1, "after", -3_600_000)], script)
    assert done.stdout.split() == ["-3600", "0"]


def test_a_clock_may_be_off_from_the_start(library: Path, tmp_path: Path) -> None:
    script = "import time; print(time.time())"
    ahead, _ = run(library, tmp_path, [], script, clock_ms=7_200_500)
    right, _ = run(library, tmp_path, [], script)
    assert float(ahead.stdout) - float(right.stdout) == pytest.approx(7200.5, abs=30)


def test_without_a_compiler_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoCompiler, match="install gcc"):
        shim.build(tmp_path)


def test_a_rule_is_read_as_it_was_written() -> None:
    rule = Rule("delay", "send", "http", 3, "after", 250)
    assert Rule.of(rule.line()) == rule
