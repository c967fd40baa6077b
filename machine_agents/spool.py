"""The spool: what the agent must not lose, in one SQLite file.

Registers, subscription and the records sealed from them change in one transaction that is on the disk before it
returns (WAL, synchronous=FULL). Records are numbered and chained here; sent ones stay, as the agent's own evidence.
"""

import fcntl
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from machine_agents.delivery import NotStored
from metering.ocmf import Sealed
from metering.reading import GENESIS

_SCHEMA = """
create table if not exists kept (name text primary key, value text not null) without rowid;
create table if not exists record (
    pagination integer primary key,
    sequence integer not null,
    digest text not null,
    text text not null,
    refused text
);
"""


class SpoolInUse(Exception):
    """Another agent works in this data folder: stop it first, or give this one a folder of its own."""


class SpoolBroken(Exception):
    """The spool's file is damaged: its records do not follow one another. Keep it, and start in an empty folder."""


@dataclass(frozen=True, slots=True)
class Tail:
    """Where the chain ends: the last record's number and digest, the last reading's sequence."""

    pagination: int = 0
    sequence: int = 0
    digest: str = GENESIS


@dataclass(frozen=True, slots=True)
class Spooled:
    """A sealed record as it is kept and sent."""

    pagination: int
    text: str


@dataclass(frozen=True, slots=True)
class Counts:
    """How many records were sealed, how many of them the service has settled, how many it refused."""

    sealed: int
    sent: int
    refused: int


class Spool:
    """One agent's spool. Not for use by two threads at once."""

    def __init__(self, folder: Path) -> None:
        """Open or make the spool in `folder`. SpoolInUse, SpoolBroken, NotStored."""
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _lock(folder / "spool.lock")
            path = folder / "spool.sqlite"
            path.touch(mode=0o600)
            self._db = sqlite3.connect(path, isolation_level=None, timeout=10)
            self._db.execute("pragma journal_mode = wal")
            self._db.execute("pragma synchronous = full")
            self._db.executescript(_SCHEMA)
            self._tail = self._read_tail()
        except sqlite3.DatabaseError as error:
            raise (NotStored if isinstance(error, sqlite3.OperationalError) else SpoolBroken)(
                f"{folder / 'spool.sqlite'}: {error}"
            ) from error
        except OSError as error:
            raise NotStored(f"the data folder {folder} cannot be used: {error.strerror}") from error

    def close(self) -> None:
        self._db.close()
        self._lock.close()

    @property
    def tail(self) -> Tail:
        return self._tail

    def kept(self, name: str) -> str | None:
        """The text kept under `name`."""
        row = self._db.execute("select value from kept where name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def commit(self, kept: Mapping[str, str], sealed: Sequence[Sealed] = ()) -> None:
        """Keep texts and append sealed records, all or nothing, on the disk when it returns; else NotStored."""
        tail = self._tail
        for one in sealed:
            tail = _follow(tail, one)
        with self._transaction():
            self._db.executemany("insert or replace into kept values (?, ?)", kept.items())
            self._db.executemany(
                "insert into record values (?, ?, ?, ?, null)",
                [(one.record.pagination, one.record.readings[-1].sequence, one.digest, one.text) for one in sealed],
            )
        self._tail = tail

    def batch(self, limit: int, max_bytes: int) -> list[Spooled]:
        """The oldest records that are not settled; the same again until `settle` or `rewind`, even after a restart."""
        sent, last = self._sent(), int(self.kept("batch") or 0)
        rows = [Spooled(*row) for row in self._after(sent, last if last > sent else sent + limit)]
        if last > sent or not rows:
            return rows
        size = 0
        for count, one in enumerate(rows):
            size += len(one.text) + 1
            if count and size > max_bytes:
                rows = rows[:count]
                break
        self.commit({"batch": str(rows[-1].pagination)})
        return rows

    def settle(self, last: int, refused: Mapping[int, str]) -> None:
        """The service has decided on every record up to `last`; `refused` ones are set aside with its reason."""
        with self._transaction():
            self._db.executemany(
                "update record set refused = ? where pagination = ?", [(why, number) for number, why in refused.items()]
            )
            self._db.execute("insert or replace into kept values ('sent', ?)", (str(last),))

    def rewind(self, high_water: int) -> None:
        """The service has lost what it had: send again everything after `high_water`."""
        self.commit({"sent": str(high_water), "batch": "0"})

    def shrink_batch(self, last: int) -> None:
        """The service found the batch too large: end it at `last`."""
        self.commit({"batch": str(last)})

    def refused(self) -> dict[int, str]:
        """Records that the service refused, each with its reason."""
        return dict(self._db.execute("select pagination, refused from record where refused is not null order by 1"))

    def counts(self) -> Counts:
        refused = self._db.execute("select count(*) from record where refused is not null").fetchone()[0]
        return Counts(self._tail.pagination, self._sent(), refused)

    def texts(self) -> Iterator[str]:
        """Every sealed text, oldest first."""
        return (row[0] for row in self._db.execute("select text from record order by pagination"))

    def _sent(self) -> int:
        return int(self.kept("sent") or 0)

    def _after(self, sent: int, last: int) -> Iterable[tuple[int, str]]:
        return self._db.execute(
            "select pagination, text from record where pagination > ? and pagination <= ? order by pagination",
            (sent, last),
        )

    def _read_tail(self) -> Tail:
        count, last = self._db.execute("select count(*), coalesce(max(pagination), 0) from record").fetchone()
        if count != last:
            raise SpoolBroken(f"there are {count} records, the last one is numbered {last}")
        row = self._db.execute("select pagination, sequence, digest from record order by 1 desc limit 1").fetchone()
        return Tail(*row) if row else Tail()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        try:
            self._db.execute("begin immediate")
            yield
            self._db.execute("commit")
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("rollback")
            raise NotStored(f"the spool cannot be written: {error}") from error


def _lock(path: Path) -> TextIO:
    handle = path.open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise SpoolInUse(f"another agent is at work in {path.parent}") from None
    return handle


def _follow(tail: Tail, sealed: Sealed) -> Tail:
    record = sealed.record
    if record.pagination != tail.pagination + 1 or record.previous != tail.digest:
        raise SpoolBroken(f"record {record.pagination} does not follow record {tail.pagination}")
    return Tail(record.pagination, record.readings[-1].sequence, sealed.digest)
