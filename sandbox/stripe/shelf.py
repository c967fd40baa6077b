"""Where the stand-in keeps its objects: one SQLite file in a folder, or memory; one change at a time."""

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Object = dict[str, Any]
"""One Stripe object as JSON; `object` tells its kind, `id` its name."""

_TABLES = """
create table if not exists object (number integer primary key, id text unique, kind text not null, body text not null);
create index if not exists object_kind on object (kind, number);
create table if not exists answer (key text primary key, request text not null, status integer not null,
    body text not null, at real not null);
create table if not exists delivery (number integer primary key, event text not null, endpoint text not null,
    due real not null, attempt integer not null default 0, state text not null default 'waiting', note text);
create table if not exists setting (name text primary key, value text not null);
"""


class Shelf:
    """Objects by id, in the order of their making. Use inside `change`, which is one transaction and one thread."""

    def __init__(self, folder: Path | None = None) -> None:
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        file = str(folder / "stripe.sqlite") if folder else ":memory:"
        self._lock = threading.RLock()
        self.database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
        self.database.executescript(_TABLES)

    @contextmanager
    def change(self) -> Iterator["Shelf"]:
        """One transaction; nothing of it stays when an exception leaves the block."""
        with self._lock:
            self.database.execute("begin immediate")
            try:
                yield self
            except BaseException:
                self.database.execute("rollback")
                raise
            self.database.execute("commit")

    def put(self, thing: Object) -> Object:
        """Keep `thing` under its id, in the place it already has."""
        self.database.execute(
            "insert into object (id, kind, body) values (?, ?, ?) on conflict (id) do update set body = excluded.body",
            (thing["id"], thing["object"], json.dumps(thing)),
        )
        return thing

    def find(self, identifier: str, kind: str | None = None) -> Object | None:
        """The object of that id (and kind), if there is one."""
        row = self.database.execute("select body, kind from object where id = ?", (identifier,)).fetchone()
        if row is None or (kind is not None and row[1] != kind):
            return None
        found: Object = json.loads(row[0])
        return found

    def newest_first(self, kind: str) -> list[Object]:
        """All objects of a kind."""
        rows = self.database.execute("select body from object where kind = ? order by number desc", (kind,))
        return [json.loads(body) for (body,) in rows]

    def setting(self, name: str, default: Any) -> Any:
        """A value kept under `name`."""
        row = self.database.execute("select value from setting where name = ?", (name,)).fetchone()
        return json.loads(row[0]) if row else default

    def set(self, name: str, value: Any) -> None:
        """Keep `value` under `name`."""
        self.database.execute(
            "insert into setting values (?, ?) on conflict (name) do update set value = excluded.value",
            (name, json.dumps(value)),
        )

    def now(self) -> int:
        """The stand-in's time, seconds since 1970: the wall clock plus what its clock was advanced by."""
        return int(time.time()) + int(self.setting("clock_ahead", 0))


def new_id(prefix: str) -> str:
    """A fresh id in Stripe's manner."""
    return f"{prefix}_{secrets.token_hex(12)}"
