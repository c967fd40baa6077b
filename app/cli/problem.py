"""What a failed command says: one line, and an exit code."""

import errno
import os
import tempfile
import time
import traceback
from pathlib import Path

PROBLEM = 3
FAULT = 70
_OURS = {"app", "billing", "metering", "machine_agents", "sandbox", "workbench"}
_SYSTEM = {
    errno.ENOSPC: "no space left on the disk: free some, or set SPINDLESHARE_DATA_FOLDER to another disk",
    errno.EDQUOT: "your share of the disk is used up: free some, or set SPINDLESHARE_DATA_FOLDER to another disk",
    errno.EADDRINUSE: "a port is in use: end the other program, or choose another port (SPINDLESHARE_PORT)",
    errno.EMFILE: "too many open files: raise the limit (ulimit -n 4096)",
}
DEBUG = "SPINDLESHARE_DEBUG"


def explain(error: Exception) -> tuple[str, int]:
    """The line for `error` and the exit code: a problem of the caller's (3), or a fault of ours (70).

    An exception that one of our rooms defines carries its message for the user; so does the system's.
    """
    if _is_ours(type(error).__module__):
        return _one_line(error), PROBLEM
    if isinstance(error, OSError):
        return _SYSTEM.get(error.errno or 0) or _of_file(error), PROBLEM
    if isinstance(error, ModuleNotFoundError) and _is_ours(error.name or ""):
        return f"{error.name} is missing from this installation: get the whole project again", PROBLEM
    if isinstance(error, ModuleNotFoundError):
        return f"{error.name} is not installed: run `make setup`", PROBLEM
    if "No space left on device" in str(error) or "could not extend file" in str(error):
        return _SYSTEM[errno.ENOSPC], PROBLEM
    return _fault(error), FAULT


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in _OURS


def _of_file(error: OSError) -> str:
    return f"{error.filename}: {error.strerror}" if error.filename else _one_line(error)


def _one_line(error: Exception) -> str:
    # An error raised by its class alone says what its docstring says.
    text = str(error) or (type(error).__doc__ or type(error).__name__)
    return " ".join(text.split())


def _fault(error: Exception) -> str:
    if os.environ.get(DEBUG):
        traceback.print_exception(error)
    kept = Path(tempfile.gettempdir(), f"spindleshare-fault-{time.time_ns()}.txt")
    try:
        kept.write_text("".join(traceback.format_exception(error)))
    except OSError:
        return f"a fault of ours: {type(error).__name__}: {_one_line(error)} ({DEBUG}=1 shows where)"
    return f"a fault of ours: {type(error).__name__}: {_one_line(error)}; please report it with {kept}"
