"""The spool: numbered, chained, whole after a crash, and the same batch until it is settled."""

import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from machine_agents.delivery import NotStored
from machine_agents.spool import Spool, SpoolBroken, SpoolInUse
from metering.ocmf import Sealed, new_key, parse, seal
from metering.reading import Clocks, Reading, Reason, Record, Status, TimeQuality
from tests.machine_agents.plain_server import START
from tests.peers import needs_compiler
from workbench.chaos import shim
from workbench.chaos.shim import Rule, Shim

KEY = new_key()
CLOCKS = Clocks(START, 1000, "boot")


def sealed(spool: Spool, count: int = 1) -> list[Sealed]:
    """The next `count` records of this spool's chain."""
    tail, made = spool.tail, []
    number, previous = tail.pagination, tail.digest
    for _ in range(count):
        number += 1
        reading = Reading(number, START, TimeQuality.INFORMATIVE, Reason.DURING, Status.GOOD, {"power_on": number})
        made.append(seal(Record("a1", "m1", "M", number, previous, True, (reading,), CLOCKS), KEY))
        previous = made[-1].digest
    return made


def test_records_are_chained_and_survive_reopening(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "data")
    spool.commit({"accrual": "one"}, sealed(spool, 3))
    spool.close()
    again = Spool(tmp_path / "data")
    again.commit({"accrual": "two"}, sealed(again))
    records = [parse(text) for text in again.texts()]
    assert [one.record.pagination for one in records] == [1, 2, 3, 4]
    assert [one.record.previous for one in records[1:]] == [one.digest for one in records[:-1]]
    assert again.kept("accrual") == "two"


def test_a_record_out_of_the_chain_is_refused_and_nothing_of_the_commit_stays(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    first, second = sealed(spool, 2)
    with pytest.raises(SpoolBroken, match="record 2 does not follow record 0"):
        spool.commit({"accrual": "ahead"}, [second])
    assert (spool.kept("accrual"), spool.tail.pagination) == (None, 0)
    spool.commit({}, [first])


def test_only_one_agent_works_in_a_folder(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    with pytest.raises(SpoolInUse, match="another agent"):
        Spool(tmp_path)
    spool.close()
    Spool(tmp_path)


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "data")
    spool.commit({"subscription": "a session's token"})
    modes = {path.name: path.stat().st_mode & 0o077 for path in [tmp_path / "data", *(tmp_path / "data").iterdir()]}
    assert modes.pop("spool.lock") is not None
    assert not any(modes.values()), modes


def test_a_batch_is_the_same_until_it_is_settled_also_after_a_restart(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.commit({}, sealed(spool, 3))
    batch = spool.batch(10, 10**6)
    spool.commit({}, sealed(spool, 2))
    assert spool.batch(10, 10**6) == batch
    spool.close()
    again = Spool(tmp_path)
    assert again.batch(10, 10**6) == batch
    again.settle(3, {2: "signature"})
    assert [one.pagination for one in again.batch(10, 10**6)] == [4, 5]
    assert again.refused() == {2: "signature"}


def test_a_batch_has_limits_but_always_one_record(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.commit({}, sealed(spool, 5))
    size = len(next(spool.texts()))
    assert len(spool.batch(10, 3 * size + size // 2)) == 3
    spool.settle(3, {})
    assert len(spool.batch(10, 1)) == 1
    spool.settle(4, {})
    assert len(spool.batch(1, 10**6)) == 1


def test_a_service_that_fell_back_gets_the_rest_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.commit({}, sealed(spool, 5))
    spool.settle(5, {})
    spool.rewind(2)
    assert [one.pagination for one in spool.batch(10, 10**6)] == [3, 4, 5]


def test_a_missing_record_is_noticed(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.commit({}, sealed(spool, 3))
    spool.close()
    with sqlite3.connect(tmp_path / "spool.sqlite") as db:
        db.execute("delete from record where pagination = 2")
    with pytest.raises(SpoolBroken, match="of records 1 to 3 only 2 are there"):
        Spool(tmp_path)


def test_a_file_that_is_no_spool_is_named(tmp_path: Path) -> None:
    (tmp_path / "spool.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(SpoolBroken, match=r"spool\.sqlite"):
        Spool(tmp_path)


def contents(spool: Spool) -> tuple[object, ...]:
    kept = [spool.kept(name) for name in ("accrual", "source", "sent", "batch")]
    return spool.tail, kept, list(spool.texts()), spool.refused(), spool.counts()


def test_whichever_bit_a_disk_turns_it_is_noticed_or_nothing_is_another(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "sound")
    for number in range(6):
        spool.commit({"accrual": f'{{"registers": {{"power_on": {1_000_000 + number}}}}}' * 20}, sealed(spool))
        spool.commit({"source": f"subscription {number}"})
    spool.settle(3, {2: "signature"})
    spool.batch(2, 10**6)
    sound = contents(spool)
    spool.close()
    file = (tmp_path / "sound" / "spool.sqlite").read_bytes()
    registers, outcomes = file.index(b'{"registers"'), Counter[str]()
    for place in (*range(registers, registers + 600, 30), *range(7, len(file), len(file) // 120)):
        (tmp_path / "data").mkdir(exist_ok=True)
        turned = bytearray(file)
        turned[place] ^= 1 << (place % 8)
        (tmp_path / "data" / "spool.sqlite").write_bytes(turned)
        try:
            spool = Spool(tmp_path / "data")
        except (SpoolBroken, NotStored) as named:
            outcomes[type(named).__name__] += 1
        else:
            assert contents(spool) == sound, f"the bit at {place}"
            spool.close()
        shutil.rmtree(tmp_path / "data")
    assert outcomes["SpoolBroken"] >= 20


def test_a_spool_of_before_its_texts_had_digests_is_taken_as_it_is(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "spool.sqlite")) as db:
        db.execute("create table kept (name text primary key, value text not null) without rowid")
        db.execute("insert into kept values ('accrual', 'of before')")
        db.commit()
    for _ in range(2):
        spool = Spool(tmp_path)
        assert spool.kept("accrual") == "of before"
        spool.close()
    with closing(sqlite3.connect(tmp_path / "spool.sqlite")) as db:
        db.execute("update kept set value = 'of another'")
        db.commit()
    with pytest.raises(SpoolBroken, match="accrual is not what was stored"):
        Spool(tmp_path)


def test_a_commit_that_fails_changes_nothing(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.commit({"accrual": "before"}, sealed(spool))
    with sqlite3.connect(tmp_path / "spool.sqlite") as other:
        other.execute("create trigger full before insert on record begin select raise(abort, 'disk full'); end")
    with pytest.raises(NotStored, match="disk full"):
        spool.commit({"accrual": "after"}, sealed(spool))
    assert (spool.kept("accrual"), spool.tail.pagination) == ("before", 1)


_WRITER = """
import sys
from pathlib import Path
from machine_agents.spool import Spool
from tests.machine_agents.test_spool import sealed
spool = Spool(Path(sys.argv[1]))
while True:
    made = sealed(spool, 2)
    spool.commit({"accrual": str(made[-1].record.pagination)}, made)
    print(made[-1].record.pagination, flush=True)
"""


@pytest.mark.parametrize("commits", [1, 7, 40])
def test_kill_leaves_whole_commits_and_loses_none_that_returned(tmp_path: Path, commits: int) -> None:
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout is not None
    said = [int(writer.stdout.readline()) for _ in range(commits)]
    writer.kill()
    said += [int(line) for line in writer.stdout.read().split()]
    writer.wait()
    spool = Spool(tmp_path)
    assert spool.tail.pagination >= said[-1]
    assert spool.tail.pagination % 2 == 0
    assert spool.kept("accrual") == str(spool.tail.pagination)


_PATIENT = """
import sys
from pathlib import Path
from machine_agents.delivery import NotStored
from machine_agents.spool import Spool
spool = Spool(Path(sys.argv[1]))
for number in range(4):
    try:
        spool.commit({"accrual": str(number)})
        print("stored", number, flush=True)
    except NotStored as error:
        print(error, flush=True)
"""


@needs_compiler
@pytest.mark.parametrize("name", ["spool.sqlite-wal", "spool.sqlite-shm"])
def test_a_disk_that_is_full_while_the_spool_is_opened_is_written_to_when_there_is_room(
    tmp_path: Path, name: str
) -> None:
    library = shim.build(tmp_path)

    def run(rule: Rule) -> str:
        environment = {**os.environ, "LD_PRELOAD": str(library), **Shim(library, tmp_path, "agent").environment([rule])}
        command = [sys.executable, "-c", _PATIENT, str(tmp_path / "data")]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False).stdout

    run(Rule("kill", "fdatasync", "spool.sqlite-wal", 6, "after"))
    assert (tmp_path / "data" / "spool.sqlite-wal").stat().st_size > 0
    first, *others = run(Rule("enospc", "create", name, 1, "before", 1)).splitlines()
    assert "readonly" in first
    assert others == ["stored 1", "stored 2", "stored 3"]
