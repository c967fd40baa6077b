"""The spool: what the agent must not lose, in one SQLite file.

Registers, subscription and the records sealed from them change in one transaction that is on the disk before it
returns (WAL, synchronous=FULL). Records are numbered and chained here; sent ones stay, as the agent's own evidence.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine_agents.spool_file import SpoolBroken, SpoolInUse, connect, failures_told_apart, is_read_only, keep, lock
from metering.ocmf import Sealed
from metering.reading import GENESIS

__all__ = ["Counts", "Spool", "SpoolBroken", "SpoolInUse", "Spooled", "Tail"]

_KEPT_AT_LEAST = 1000
"""Settled records that are never pruned: a service restored from a backup of the last days gets them again."""
_PRUNED_AT_ONCE = 200


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
        self._folder = folder
        self._opened: sqlite3.Connection | None = None
        self._lock = lock(folder)
        try:
            self._tail = self._read_tail()
        except BaseException:
            self._lock.close()
            raise

    def close(self) -> None:
        self._let_go()
        self._lock.close()

    @property
    def tail(self) -> Tail:
        return self._tail

    def kept(self, name: str) -> str | None:
        """The text kept under `name`."""
        rows = self._rows("select value from kept where name = ?", name)
        return str(rows[0][0]) if rows else None

    def commit(self, kept: Mapping[str, str], sealed: Sequence[Sealed] = ()) -> None:
        """Keep texts and append sealed records, all or nothing, on the disk when it returns; else NotStored."""
        tail = self._tail
        for one in sealed:
            tail = _follow(tail, one)
        with self._transaction():
            keep(self._db, kept)
            self._db.executemany(
                "insert into record values (?, ?, ?, ?, null)",
                [(one.record.pagination, one.record.readings[-1].sequence, one.digest, one.text) for one in sealed],
            )
        self._tail = tail

    def begin_after(self, base: Tail) -> None:
        """Let the chain of this new spool follow `base`, which the service has. SpoolBroken when it has records."""
        if self._tail != Tail():
            raise SpoolBroken("a spool that has records cannot begin after others")
        self.commit({"base": json.dumps([base.pagination, base.sequence, base.digest]), "sent": str(base.pagination)})
        self._tail = base

    def digest_of(self, pagination: int) -> str | None:
        """The digest of a record that is kept here; None when it is not."""
        rows = self._rows("select digest from record where pagination = ?", pagination)
        return rows[0][0] if rows else None

    def batch(self, limit: int, max_bytes: int) -> list[Spooled]:
        """The oldest records that are not settled; the same again until `settle` or `rewind`, even after a restart."""
        sent, last = self._sent(), int(self.kept("batch") or 0)
        end = last if last > sent else sent + limit
        found = self._rows(
            "select pagination, text from record where pagination > ? and pagination <= ? order by pagination",
            sent,
            end,
        )
        rows = [Spooled(*row) for row in found]
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

    def settle(self, last: int, refused: Mapping[int, str], *, accepted: Iterable[int] = ()) -> None:
        """The service has decided on every record up to `last`; `refused` ones are set aside with its reason, and of
        those set aside before, the `accepted` ones count as refused no more."""
        with self._transaction():
            self._db.executemany(
                "update record set refused = null where pagination = ?", [(number,) for number in accepted]
            )
            self._db.executemany(
                "update record set refused = ? where pagination = ?", [(why, number) for number, why in refused.items()]
            )
            keep(self._db, {"sent": str(last)})

    def rewind(self, high_water: int) -> None:
        """The service has lost what it had: send again everything after `high_water`."""
        self.commit({"sent": str(high_water), "batch": "0"})

    def shrink_batch(self, last: int) -> None:
        """The service found the batch too large: end it at `last`."""
        self.commit({"batch": str(last)})

    def refused(self) -> dict[int, str]:
        """Records that the service refused, each with its reason."""
        return dict(self._rows("select pagination, refused from record where refused is not null order by 1"))

    def counts(self) -> Counts:
        refused = self._rows("select count(*) from record where refused is not null")[0][0]
        return Counts(self._tail.pagination, self._sent(), refused)

    def texts(self) -> Iterator[str]:
        """Every sealed text that is kept, oldest first."""
        with failures_told_apart("reading"):
            yield from (row[0] for row in self._db.execute("select text from record order by pagination"))

    def oldest_unsent(self) -> str | None:
        """The text of the oldest record that the service has not decided on."""
        rows = self._rows("select text from record where pagination > ? order by pagination limit 1", self._sent())
        return rows[0][0] if rows else None

    def size_bytes(self) -> int:
        """What the spool's data takes on the disk, free pages aside."""
        count, free, size = (
            self._rows(f"pragma {name}")[0][0] for name in ("page_count", "freelist_count", "page_size")
        )
        return int((count - free) * size)

    def prune(self, keep_bytes: int) -> int:
        """Forget the oldest settled records while the data takes more than `keep_bytes`; how many, a step at a time.

        The newest settled ones stay, and so do refused ones and all that the service has not decided on.
        """
        if self.size_bytes() <= keep_bytes:
            return 0
        with self._transaction():
            done = self._db.execute(
                "delete from record where pagination in (select pagination from record "
                "where pagination <= ? and refused is null order by pagination limit ?)",
                (self._sent() - _KEPT_AT_LEAST, _PRUNED_AT_ONCE),
            )
        return done.rowcount

    def _sent(self) -> int:
        return int(self.kept("sent") or 0)

    def _read_tail(self) -> Tail:
        """The chain's end. All records from the first unsettled one on must be there."""
        rows = self._rows("select pagination, sequence, digest from record order by 1 desc limit 1")
        tail = Tail(*rows[0]) if rows else Tail(*json.loads(self.kept("base") or "[0, 0, null]"))
        tail = tail if tail.digest else Tail()
        if not (isinstance(tail.pagination, int) and isinstance(tail.sequence, int)):
            raise SpoolBroken("its newest record has no number")
        sent = self._sent()
        unsettled = self._rows("select count(*) from record where pagination > ?", sent)[0][0]
        if unsettled != max(0, tail.pagination - sent):
            raise SpoolBroken(f"of records {sent + 1} to {tail.pagination} only {unsettled} are there")
        return tail

    def _rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with failures_told_apart("reading"):
            return self._db.execute(statement, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with failures_told_apart("writing"):
            try:
                self._db.execute("begin immediate")
                yield
                self._db.execute("commit")
            except BaseException as error:
                if self._db.in_transaction:
                    self._db.execute("rollback")
                if is_read_only(error):
                    self._let_go()
                raise

    @property
    def _db(self) -> sqlite3.Connection:
        """The open file; opened anew where it was let go."""
        if self._opened is None:
            self._opened = connect(self._folder)
        return self._opened

    def _let_go(self) -> None:
        """Let the next use open the file anew. Where at first it, or a file beside it, could only be opened for
        reading, SQLite leaves it so for as long as any connection of this process is open: a disk that was full or
        read-only for a moment would never be written to again."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None


def _follow(tail: Tail, sealed: Sealed) -> Tail:
    record = sealed.record
    if record.pagination != tail.pagination + 1 or record.previous != tail.digest:
        raise SpoolBroken(f"record {record.pagination} does not follow record {tail.pagination}")
    return Tail(record.pagination, record.readings[-1].sequence, sealed.digest)
