"""The demo's processes: started with a log each, waited for until they answer, and ended together."""

import contextlib
import fcntl
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

READY_SECONDS = 60
_GRACE_SECONDS = 10
_PORT_SECONDS = 3


class DemoFailed(Exception):
    """Something the demo needs did not happen; the message says what and what to do."""


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold `folder` for this process; the system lets go of it however the process ends. Raises DemoFailed."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "demo.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise DemoFailed(
                f"another demo is running in {folder}: end it with Ctrl-C first, or use a clone of its own for a second"
            ) from error
        yield


class Processes:
    """A set of child processes under one folder of logs and process ids.

    Each runs in a session of its own, so that a Ctrl-C reaches the demo alone and it ends them in order. The ids on
    disk let the next demo end what a killed one left behind.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def end_leftovers(self) -> None:
        """End what an earlier, killed demo left running, and wait until it is gone with its ports."""
        ended = []
        for file in self.folder.glob("*.pid"):
            with contextlib.suppress(ValueError, ProcessLookupError, PermissionError):
                pid, name = file.read_text().split(maxsplit=1)
                if name.strip() in _command_of(int(pid)):
                    os.killpg(int(pid), signal.SIGKILL)
                    ended.append(int(pid))
            file.unlink(missing_ok=True)
        deadline = time.monotonic() + _GRACE_SECONDS
        # A killed process that nobody collects stays listed, but without a command line.
        while any(map(_command_of, ended)) and time.monotonic() < deadline:
            time.sleep(0.02)

    def start(self, name: str, command: list[str], environment: Mapping[str, str] | None = None) -> None:
        """Start `command` as `name`; its output goes to NAME.log."""
        with self.log(name).open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        self._running[name] = process
        marker = command[2] if command[1:2] == ["-m"] else command[0]
        (self.folder / f"{name}.pid").write_text(f"{process.pid} {marker}\n")

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def check(self, names: Iterable[str] | None = None) -> None:
        """Raise when one of the processes (all unless named) has ended by itself."""
        for name in names or self._running:
            code = self._running[name].poll()
            if code is not None:
                raise DemoFailed(
                    f"the {name} ended with status {code}: {last_line(self.log(name))}; see {self.log(name)}"
                )

    def wait_for(self, name: str, ready: Callable[[], bool], seconds: float = READY_SECONDS) -> None:
        """Wait until `ready()` holds, as long as the process lives."""
        deadline = time.monotonic() + seconds
        while not ready():
            self.check([name])
            if time.monotonic() > deadline:
                raise DemoFailed(f"the {name} did not get ready within {seconds:.0f} s; see {self.log(name)}")
            time.sleep(0.05)

    def kill(self, name: str) -> None:
        """SIGKILL, as a power cut would."""
        self._running[name].kill()
        self._running.pop(name).wait()

    def stop(self, name: str) -> int:
        """End one process politely, then firmly; returns its status."""
        process = self._running.pop(name)
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        (self.folder / f"{name}.pid").unlink(missing_ok=True)
        return process.returncode

    def stop_all(self) -> None:
        """End every process, the last started first."""
        for name in reversed(list(self._running)):
            self.stop(name)


def _command_of(pid: int) -> str:
    """The command line of a process, empty when there is none (ids are used again after a restart)."""
    listing = Path("/proc")
    if (listing / "self").exists():
        try:
            return (listing / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            return ""
    # macOS has no /proc, but always a ps; a bare Debian may lack ps.
    answer = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return answer.stdout


def last_line(file: Path) -> str:
    """The last line of a log that says anything."""
    lines = [line for line in file.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it said nothing"


def free_port() -> int:
    """A port of this machine that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def port_gets_free(port: int) -> bool:
    """Whether the port is free, at once or in a moment: a service that was just killed may still be closing it."""
    deadline = time.monotonic() + _PORT_SECONDS
    while not _port_is_free(port):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _port_is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
