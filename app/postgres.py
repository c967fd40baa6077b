"""The embedded PostgreSQL: the default where no database URL is given, and what the tests run on.

A cluster lives in a folder of its own and listens on 127.0.0.1 only, with passwords. Whoever uses it holds a shared
lock; the last one out stops the server, so that nothing is left running and nobody's server is taken away.
"""

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
from psycopg import sql

from app import postgres_user
from app.postgres_system import (
    PostgresError,
    advice,
    environment,
    free_port,
    is_alive,
    is_postgres,
    programs,
    refuse_taken,
)

DATABASE = "spindleshare"
ADMIN = "spindleshare_admin"
RUN_LOGIN = "spindleshare_run"
_START_SECONDS = 30.0
_STOP_SECONDS = 30.0
_RETRY_SECONDS = 6.0
# After a SIGKILL the old server's children may hold on for a moment; the next start is refused until they are gone.
_PASSING = ("shared memory block", "is being used", "Is another postmaster", "lock file")
_QUICK = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")


class Cluster:
    """One PostgreSQL server in `folder`; `port` 0 means any free one.

    For tests only: `durable=False`, and `programs` of another PostgreSQL than the embedded one.
    """

    def __init__(self, folder: Path, *, port: int = 0, durable: bool = True, programs: Path | None = None) -> None:
        self._folder = folder.resolve()
        self._port = port
        self._durable = durable
        self._given_programs = programs
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self._folder / "data"

    @property
    def _programs(self) -> Path:
        return self._given_programs or programs()

    @property
    def log(self) -> Path:
        return self._folder / "postgres.log"

    def migrate_url(self, database: str = DATABASE) -> str:
        """URL of the administrator, for migrations."""
        return self._url(ADMIN, database)

    def run_url(self, database: str = DATABASE) -> str:
        """URL of the service's login; the first migration makes this login."""
        return self._url(RUN_LOGIN, database)

    @contextlib.contextmanager
    def running(self) -> Iterator["Cluster"]:
        """Started where it is not running, stopped at the end where nobody else uses it."""
        self._make_folder()
        with (self._folder / "use.lock").open("w") as use:
            with self._alone():
                self.start()
                fcntl.flock(use, fcntl.LOCK_SH)
            try:
                yield self
            finally:
                with self._alone():
                    fcntl.flock(use, fcntl.LOCK_UN)
                    with contextlib.suppress(BlockingIOError):
                        fcntl.flock(use, fcntl.LOCK_EX | fcntl.LOCK_NB)
                        self.stop()

    def start(self) -> None:
        """Make the cluster where there is none and start it; one that runs already is taken as it is."""
        self._make_folder()
        if self.is_running() and self._answers():
            return
        as_user = postgres_user.run_as(self._programs, self._folder)
        if not self.data.exists():
            self._initialise(as_user)
        as_user.own(self.data)
        deadline = time.monotonic() + _RETRY_SECONDS
        self._drop_misleading_file()
        while not self._start_once(as_user):
            reason = self._last_words()
            if time.monotonic() > deadline or not any(word in reason for word in _PASSING):
                raise PostgresError(advice(reason, self._folder, self.log))
            time.sleep(0.2)
            if self.is_running() and self._answers():
                break
            self._drop_misleading_file()
        self._make_database()

    def stop(self) -> None:
        """Stop the server, cutting off its clients; one that does not run is left alone."""
        process_id = self._process_id()
        if process_id is None:
            return
        os.kill(process_id, signal.SIGINT)
        if not self._wait_until_gone(_STOP_SECONDS):
            os.kill(process_id, signal.SIGQUIT)
            self._wait_until_gone(_STOP_SECONDS)
        if self._process is not None:
            self._process.wait(_STOP_SECONDS)
            self._process = None

    def remove(self) -> None:
        """Stop the server and delete the cluster with all its data."""
        self.stop()
        if self._folder.exists():
            shutil.rmtree(self._folder)

    def is_running(self) -> bool:
        return self._process_id() is not None and self._status() == "ready"

    # The pid file's lines: process id, data folder, start time, port, socket folder, address, shared memory, status.
    def _pid_line(self, number: int) -> str | None:
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return None
        return lines[number].strip() if len(lines) > number else None

    def _status(self) -> str | None:
        return self._pid_line(7)

    def _process_id(self) -> int | None:
        line = self._pid_line(0)
        return int(line) if line and is_postgres(int(line)) else None

    def _drop_misleading_file(self) -> None:
        """A dead server's number may be another program's by now, or not be free yet: PostgreSQL then sees a server.

        Removing the file is safe: PostgreSQL also looks whether a dead server's children still use its memory.
        """
        line = self._pid_line(0)
        if line and is_alive(int(line)) and not is_postgres(int(line)):
            (self.data / "postmaster.pid").unlink(missing_ok=True)

    def _answers(self) -> bool:
        """Whether it takes a connection: one that is just being killed is still in the list of processes."""
        try:
            psycopg.connect(_plain_url(self.migrate_url("postgres")), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _url(self, user: str, database: str) -> str:
        port = self._pid_line(3)
        if port is None:
            raise PostgresError(f"the embedded PostgreSQL in {self._folder} is not running")
        return f"postgresql+psycopg://{user}:{self._password(user)}@127.0.0.1:{port}/{database}"

    def _password(self, user: str) -> str:
        file = self._folder / f"{user}.secret"
        if not file.exists():
            # Written aside first: a full disk must not leave an empty password behind.
            fresh = file.with_suffix(".new")
            fresh.touch(mode=0o600)
            fresh.write_text(secrets.token_hex(24))
            fresh.rename(file)
        return file.read_text()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        with (self._folder / "start.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _make_folder(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise PostgresError(f"cannot make the folder {self._folder}: {error.strerror}") from error

    def _initialise(self, as_user: postgres_user.RunAs) -> None:
        """Make the cluster beside its place and move it there whole, so that a killed run leaves no half of one."""
        fresh = self._folder / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        as_user.own(fresh)
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", f"--username={ADMIN}"]
        options += [] if self._durable else ["--no-sync"]
        # initdb may run as another user, who cannot read our secret: it gets a copy of its own for the moment.
        with tempfile.NamedTemporaryFile("w", dir=self._folder) as copy:
            copy.write(self._password(ADMIN))
            copy.flush()
            os.chown(copy.name, as_user.owner, as_user.group)
            command = as_user.command(self._programs / "initdb", *options, f"--pwfile={copy.name}", f"--pgdata={fresh}")
            with self.log.open("wb") as log:
                done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment())
        if done.returncode != 0:
            raise PostgresError(advice(self._last_words(), self._folder, self.log))
        fresh.rename(self.data)

    def _start_once(self, as_user: postgres_user.RunAs) -> bool:
        port = self._port or free_port()
        refuse_taken(port)
        settings = [f"port={port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "timezone=UTC"]
        settings += ["log_timezone=UTC", "max_connections=100", "shared_buffers=128MB", "jit=off"]
        settings += [] if self._durable else _QUICK
        arguments = [part for setting in settings for part in ("-c", setting)]
        command = as_user.command(self._programs / "postgres", "-D", str(self.data), *arguments)
        with self.log.open("wb") as log:
            # A session of its own: Ctrl-C in the terminal is for the program, which then stops the server in order.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(),
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                return False
            if self._pid_line(0) == str(self._process.pid) and self._status() == "ready":
                return True
            time.sleep(0.02)
        self._process.kill()
        return False

    def _make_database(self) -> None:
        with psycopg.connect(_plain_url(self.migrate_url("postgres")), autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (DATABASE,)).fetchone()
            if found is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def _wait_until_gone(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while (self.data / "postmaster.pid").exists():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        return True

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""


def _plain_url(url: str) -> str:
    return url.replace("+psycopg", "", 1)
