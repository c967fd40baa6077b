"""A real service to measure: a PostgreSQL of its own with its default safety, and `spindleshare serve` as a process."""

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from app import migrations
from app.database import Database, engine
from app.postgres import DATABASE, Cluster
from workbench.demo.processes import Processes, free_port

_SERVE = "from app.cli import main; main()"


@dataclass(frozen=True, slots=True)
class Service:
    """`url` is the service's; `database` is a door to the same database, `migrate_url` its administrator's."""

    url: str
    database: Database
    migrate_url: str


@contextmanager
def running_service() -> Iterator[Service]:
    """A fresh database and a service on it, both gone at the end; nothing of the installation is touched."""
    with running_services(1) as (service,):
        yield service


@contextmanager
def running_services(count: int) -> Iterator[list[Service]]:
    """So many fresh databases on one PostgreSQL, each with a service on it, all gone at the end."""
    with tempfile.TemporaryDirectory(prefix="spindleshare-bench-") as folder, contextlib.ExitStack() as stack:
        cluster = Cluster(Path(folder, "postgres"))
        processes = Processes(Path(folder, "logs"))
        stack.enter_context(cluster.running())
        stack.callback(processes.stop_all)
        services = []
        for number in range(1, count + 1):
            name = DATABASE if number == 1 else f"{DATABASE}_{number}"
            if number > 1:
                _as_administrator(cluster.migrate_url("postgres"), f'CREATE DATABASE "{name}"')
            migrations.upgrade(cluster.migrate_url(name), cluster.run_url(name))
            database = Database(cluster.run_url(name), pool=4)
            stack.callback(database.close)
            url = _start(processes, cluster, Path(folder), name)
            services.append(Service(url, database, cluster.migrate_url(name)))
        yield services


def tidy(service: Service) -> None:
    """What autovacuum does within minutes of so many rows."""
    _as_administrator(service.migrate_url, "VACUUM (ANALYZE)")


def _as_administrator(url: str, statement: str) -> None:
    administrator = engine(url, pool=1)
    with administrator.connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(statement)
    administrator.dispose()


def _start(processes: Processes, cluster: Cluster, folder: Path, name: str) -> str:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "SPINDLESHARE_DATA_FOLDER": str(folder / f"service-{name}"),
        "SPINDLESHARE_RUN_URL": cluster.run_url(name),
        "SPINDLESHARE_MIGRATE_URL": cluster.migrate_url(name),
    }
    service = f"service {name}"
    processes.start(service, [sys.executable, "-c", _SERVE, "serve", "--port", str(port)], environment)
    processes.wait_for(service, lambda: _answers(url))
    return url


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/api/health", timeout=5).is_success
    except httpx.HTTPError:
        return False
