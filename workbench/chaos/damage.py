"""What a disk, or a backup put back, may do to the agent's spool while no agent runs."""

import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

_FILE, _WAL = "spool.sqlite", "spool.sqlite-wal"
_PAGE = 4096


def damage(folder: Path, what: str, chance: random.Random) -> bool:
    """Do one of `KINDS` to the spool in `folder`, at a place by `chance`; whether there was anything to do it to."""
    if not (folder / _FILE).exists():
        return False
    if what != "older state":
        with closing(sqlite3.connect(folder / _FILE)) as spool:  # so that the file holds all, and not the log beside it
            spool.execute("pragma wal_checkpoint(truncate)")
    return _KINDS[what](folder, chance)


def texts(folder: Path) -> list[str]:
    """The sealed texts of the spool in `folder`, which is left as it is; a program that reads it would tidy it up."""
    with tempfile.TemporaryDirectory() as copy:
        for name in (_FILE, _WAL):
            if (folder / name).exists():
                shutil.copy(folder / name, copy)
        with closing(sqlite3.connect(Path(copy, _FILE))) as spool:
            if not spool.execute("select 1 from sqlite_master where name = 'record'").fetchone():
                return []
            return [str(row[0]) for row in spool.execute("select text from record order by pagination")]


def _turned_bit(folder: Path, chance: random.Random) -> bool:
    data = bytearray((folder / _FILE).read_bytes())
    place = chance.randrange(len(data)) if data else 0
    data[place : place + 1] = bytes(byte ^ 1 << chance.randrange(8) for byte in data[place : place + 1])
    (folder / _FILE).write_bytes(data)
    return bool(data)


def _wrong_page(folder: Path, chance: random.Random) -> bool:
    data = bytearray((folder / _FILE).read_bytes())
    begin = chance.randrange(max(1, len(data) // _PAGE)) * _PAGE
    data[begin : begin + _PAGE] = chance.randbytes(len(data[begin : begin + _PAGE]))
    (folder / _FILE).write_bytes(data)
    return bool(data)


def _cut_short(folder: Path, chance: random.Random) -> bool:
    size = (folder / _FILE).stat().st_size
    with (folder / _FILE).open("r+b") as file:
        file.truncate(chance.randrange(size) if size else 0)
    return size > 0


def _older_state(folder: Path, chance: random.Random) -> bool:
    """The newest commits are not there any more, as where a disk forgets them, or a backup is put back."""
    wal = folder / _WAL
    size = wal.stat().st_size if wal.exists() else 0
    if size:
        with wal.open("r+b") as file:
            file.truncate(chance.randrange(size))
    return size > 0


_KINDS: dict[str, Callable[[Path, random.Random], bool]] = {
    "turned bit": _turned_bit,
    "wrong page": _wrong_page,
    "cut short": _cut_short,
    "older state": _older_state,
}
KINDS = tuple(_KINDS)
