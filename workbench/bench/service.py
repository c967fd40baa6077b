"""A real service to measure: a PostgreSQL of its own with its default safety, and `spindleshare serve` as a process."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from app import migrations
from app.database import Database
from app.postgres import Cluster
from workbench.demo.processes import Processes, free_port

_SERVE = "from app.cli import main; main()"


@dataclass(frozen=True, slots=True)
class Service:
    """`url` is the service's; `database` is a door to the same database."""

    url: str
    database: Database


@contextmanager
def running_service() -> Iterator[Service]:
    """A fresh database and a service on it, both gone at the end; nothing of the installation is touched."""
    with tempfile.TemporaryDirectory(prefix="spindleshare-bench-") as folder:
        cluster = Cluster(Path(folder, "postgres"))
        processes = Processes(Path(folder, "logs"))
        with cluster.running():
            migrations.upgrade(cluster.migrate_url(), cluster.run_url())
            database = Database(cluster.run_url(), pool=4)
            try:
                yield Service(_start(processes, cluster, Path(folder)), database)
            finally:
                database.close()
                processes.stop_all()


def _start(processes: Processes, cluster: Cluster, folder: Path) -> str:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "SPINDLESHARE_DATA_FOLDER": str(folder / "service"),
        "SPINDLESHARE_RUN_URL": cluster.run_url(),
        "SPINDLESHARE_MIGRATE_URL": cluster.migrate_url(),
    }
    processes.start("service", [sys.executable, "-c", _SERVE, "serve", "--port", str(port)], environment)
    processes.wait_for("service", lambda: _answers(url))
    return url


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/health", timeout=5).is_success
    except httpx.HTTPError:
        return False
