"""A process that has everything imported and forks: a program starts in 50 ms instead of one or two seconds.

Run as `python -m workbench.chaos.nursery FOLDER`; one JSON object a line in: what to run; out: its process id. A child
is the same program as from the command line (`python -m MODULE ...`), in a session of its own; its parent is the one
that made the nursery.
"""

import asyncio
import contextlib
import ctypes
import gc
import importlib
import json
import os
import random
import runpy
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from workbench.chaos import prepared

IMPORTS = (
    "machine_agents.agent",
    "app.main",
    "app.server",
    "app.cli.serve",
)
_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER
_CERTIFICATE_AGE_MS = 10 * 86_400_000


class Child:
    """A forked program, to be waited for like one of subprocess."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._status: int | None = None

    def poll(self) -> int | None:
        """Its status (negative: the signal that ended it), None while it runs."""
        if self._status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._status = os.waitstatus_to_exitcode(status)
        return self._status

    def wait(self, seconds: float) -> int:
        """Its status; TimeoutError when it runs on."""
        deadline = time.monotonic() + seconds
        while (status := self.poll()) is None:
            if time.monotonic() > deadline:
                raise TimeoutError(f"process {self.pid} did not end within {seconds:.0f} s")
            time.sleep(0.005)
        return status

    def signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def kill(self) -> int:
        self.signal(signal.SIGKILL)
        return self.wait(30)


class Nursery:
    """Starts programs. The process that makes one becomes the parent of all that is started."""

    def __init__(self, library: Path, folder: Path) -> None:
        """`library`: the fault shim, preloaded into every program; without rules it does nothing. `folder`: keys."""
        if ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "this system cannot adopt processes (prctl)")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "workbench.chaos.nursery", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            # The machine's certificate is of some days ago, so that agents whose clock is behind find it valid too.
            env={**os.environ, "LD_PRELOAD": str(library), "CHAOS_CLOCK_MS": str(-_CERTIFICATE_AGE_MS)},
            start_new_session=True,
        )
        self._turn = threading.Lock()

    def start(self, module: str, arguments: Sequence[str], *, environment: Mapping[str, str], log: Path) -> Child:
        """Run `python -m module arguments...`; what it says is appended to `log`."""
        order = {"module": module, "arguments": list(arguments), "environment": dict(environment), "log": str(log)}
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._turn:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return Child(int(self._process.stdout.readline()))

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


def _serve(folder: Path) -> None:
    for name in IMPORTS:
        importlib.import_module(name)
    asyncio.run(prepared.build(folder))
    gc.collect()
    gc.freeze()  # so that a child's collector does not copy the pages that all share
    for line in sys.stdin:
        print(_fork(json.loads(line)), flush=True)


def _fork(order: dict[str, Any]) -> int:
    """Fork twice, so that the program's parent is not we but the one that asked."""
    read, write = os.pipe()
    between = os.fork()
    if between == 0:
        pid = os.fork()
        if pid == 0:
            _become(order)
        os.write(write, str(pid).encode())
        os._exit(0)
    os.waitpid(between, 0)
    pid = int(os.read(read, 20))
    os.close(read)
    os.close(write)
    return pid


def _become(order: dict[str, Any]) -> NoReturn:
    os.setsid()
    log = os.open(order["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    null = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((null, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.closerange(3, 256)
    os.environ.update(order["environment"])
    ctypes.CDLL(None).chaos_arm()
    random.seed()
    sys.argv = [order["module"], *order["arguments"]]
    status = 1
    try:
        runpy.run_module(order["module"], run_name="__main__", alter_sys=True)
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    _serve(Path(sys.argv[1]))
