"""The spool's file: opened, examined, and every failure of SQLite told apart.

What passes by itself (disk full, read-only, an I/O error) is NotStored; a damaged file is SpoolBroken, because going on
from it could seal a wrong number.
"""

import fcntl
import hashlib
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from machine_agents.delivery import NotStored, StoreBroken

_SCHEMA = """
create table if not exists kept (name text primary key, value text not null, digest text) without rowid;
create table if not exists record (
    pagination integer primary key,
    sequence integer not null,
    digest text not null,
    text text not null,
    refused text
);
create index if not exists record_refused on record (pagination) where refused is not null;
"""
_WHAT_TO_DO = "keep it; `python -m machine_agents recover` goes on from what is whole and what the service has"
_EXAMINED = 1000
"""Newest records whose texts are checked against their digests at the start; every page is checked in any case."""
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
_HEAD_BYTES, _VERSIONS, _WAL_VERSIONS = 100, slice(18, 20), b"\2\2"
"""SQLite's file head, and in it the formats for writing and reading: both 2 with a write-ahead log."""
_KEEP = "insert or replace into kept values (?, ?, ?)"


class SpoolInUse(Exception):
    """Another agent works in this data folder: stop it first, or give this one a folder of its own."""


class SpoolBroken(StoreBroken):
    """The spool's file is damaged, or its records do not follow one another."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the spool is damaged: {what}: {_WHAT_TO_DO}")


def connect(folder: Path) -> sqlite3.Connection:
    """The spool's database in `folder`, made where there is none, examined where there is one."""
    path = folder / "spool.sqlite"
    with failures_told_apart(str(path)):
        path.touch(mode=0o600)
        connection = sqlite3.connect(path, isolation_level=None, timeout=10)
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.executescript(_SCHEMA)
        _add_digests(connection)
        _examine(connection)
    return connection


def keep(connection: sqlite3.Connection, kept: Mapping[str, str]) -> None:
    """Store texts by name, each with its digest: SQLite would not notice a bit that a disk has turned in one."""
    connection.executemany(_KEEP, ((name, value, _digest(name, value)) for name, value in kept.items()))


def _digest(name: str, value: str) -> str:
    return hashlib.sha256(f"{name}\0{value}".encode()).hexdigest()


def _add_digests(connection: sqlite3.Connection) -> None:
    """A file of an agent from before there were any: what it keeps is taken as it is, this once."""
    if any(column[1] == "digest" for column in connection.execute("pragma table_info(kept)")):
        return
    rows = connection.execute("select name, value from kept").fetchall()
    connection.execute("begin immediate")
    connection.execute("alter table kept add column digest text")
    keep(connection, dict(rows))
    connection.execute("commit")


def lock(folder: Path) -> TextIO:
    """Keep every other agent out of `folder` until the handle is closed. SpoolInUse, NotStored."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = (folder / "spool.lock").open("w")
    except OSError as error:
        raise NotStored(f"the data folder {folder} cannot be used: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        handle.close()
        raise SpoolInUse(f"another agent is at work in {folder}") from None
    return handle


@contextmanager
def failures_told_apart(place: str) -> Iterator[None]:
    """NotStored for what may pass by itself, SpoolBroken for a damaged file; `place` names it."""
    try:
        yield
    except sqlite3.Error as error:
        # Without a code: a text that is none any more. SQLITE_ERROR: tables that are not the ones that were made.
        if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _DAMAGED:
            raise SpoolBroken(f"{place}: {error!s:.200}") from error
        raise NotStored(f"the spool cannot be used, {place}: {error}") from error
    except UnicodeDecodeError as error:  # SQLite's own words hold what is no text
        raise SpoolBroken(f"{place}: a name in it is no text") from error
    except OSError as error:
        raise NotStored(f"the spool cannot be used, {place}: {error.strerror}") from error


def is_read_only(error: BaseException) -> bool:
    """Whether SQLite says that it may not write to the file."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_READONLY


def _examine_head(connection: sqlite3.Connection) -> None:
    """A file that says in its head that it is of a newer format is only read, as if the disk were read-only."""
    path = Path(connection.execute("pragma database_list").fetchone()[2])
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if head and head[_VERSIONS] != _WAL_VERSIONS:
        raise SpoolBroken("its head says that it is of another format")


def _examine(connection: sqlite3.Connection) -> None:
    """Raise unless all pages are sound, what is kept is what was stored, and the newest records what was sealed."""
    _examine_head(connection)
    first_fault = connection.execute("pragma quick_check(1)").fetchone()[0]
    if first_fault != "ok":
        raise SpoolBroken(str(first_fault))
    for name, value, digest in connection.execute("select name, value, digest from kept"):
        if _digest(str(name), str(value)) != digest:
            raise SpoolBroken(f"what it keeps of {name!s:.40} is not what was stored")
    newest = connection.execute(
        "select pagination, digest, text from record order by pagination desc limit ?", (_EXAMINED,)
    )
    for pagination, digest, text in newest:
        if hashlib.sha256(text.encode()).hexdigest() != digest:
            raise SpoolBroken(f"record {pagination} is not the one that was sealed")
