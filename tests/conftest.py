"""What many tests need: a real PostgreSQL, and a fresh migrated database for each test that asks for one."""

import itertools
import os
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings
from sqlalchemy import make_url, text

from app import migrations
from app.database import Database, engine
from app.postgres import RUN_LOGIN, Cluster
from tests.peers import MISSING

_numbers = itertools.count(1)
# How long an example takes says more of the machine's other work than of ours; pytest-timeout ends what hangs.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@dataclass(frozen=True)
class Postgres:
    """A server to test on, and a database on it that is migrated and copied, never used itself."""

    admin_url: str
    run_login: str
    run_password: str
    template: str

    def migrate_url(self, name: str) -> str:
        return make_url(self.admin_url).set(database=name).render_as_string(hide_password=False)

    def run_url(self, name: str) -> str:
        url = make_url(self.admin_url).set(database=name, username=self.run_login, password=self.run_password)
        return url.render_as_string(hide_password=False)

    def execute(self, statement: str) -> None:
        with engine(self.admin_url, pool=1).connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(statement))

    def create(self, *, template: str = "template1") -> str:
        """A new database, a copy of `template`; its name."""
        name = f"test_{uuid.uuid4().hex[:8]}_{next(_numbers)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return name

    def drop(self, name: str) -> None:
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@dataclass(frozen=True)
class EmptyDatabase:
    """A database without any table, to migrate."""

    migrate_url: str
    run_url: str


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server of SPINDLESHARE_TEST_MIGRATE_URL, or one for this session alone.

    The latter runs the embedded programs, or those in the folder SPINDLESHARE_TEST_POSTGRES (`.../15/bin`).
    """
    given = os.environ.get("SPINDLESHARE_TEST_MIGRATE_URL")
    if given:
        yield from _with_template(given.replace("postgresql://", "postgresql+psycopg://", 1), "tested")
        return
    with tempfile.TemporaryDirectory(prefix="spindleshare-test-") as folder:
        other = os.environ.get("SPINDLESHARE_TEST_POSTGRES")
        cluster = Cluster(Path(folder, "postgres"), durable=False, programs=Path(other) if other else None)
        try:
            with cluster.running():
                run = make_url(cluster.run_url())
                yield from _with_template(cluster.migrate_url("postgres"), str(run.password))
        finally:
            cluster.remove()


def _with_template(admin_url: str, password: str) -> Iterator[Postgres]:
    server = Postgres(admin_url, RUN_LOGIN, password, "")
    template = server.create()
    try:
        migrations.upgrade(server.migrate_url(template), server.run_url(template))
        # A test that strays into it would keep every other from copying it.
        server.execute(f'ALTER DATABASE "{template}" ALLOW_CONNECTIONS false')
        yield Postgres(admin_url, RUN_LOGIN, password, template)
    finally:
        server.drop(template)


@pytest.fixture
def empty_database(postgres: Postgres) -> Iterator[EmptyDatabase]:
    """A database without tables."""
    name = postgres.create()
    yield EmptyDatabase(postgres.migrate_url(name), postgres.run_url(name))
    postgres.drop(name)


@pytest.fixture
def database(postgres: Postgres) -> Iterator[Database]:
    """A migrated database of this test's own, through the door that the service uses."""
    name = postgres.create(template=postgres.template)
    opened = Database(postgres.run_url(name), pool=10)
    yield opened
    opened.close()
    postgres.drop(name)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say aloud what was not tested because something is missing on this machine."""
    missing = _skipped_for_a_missing_peer(terminalreporter)
    if missing:
        terminalreporter.section("NOT TESTED", sep="!", red=True, bold=True)
        for reason in sorted(set(missing)):
            terminalreporter.line(f"{missing.count(reason)} tests skipped, {reason}", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Where everything can be had (CI), a test that could not run is a failure."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") == "true" and reporter and _skipped_for_a_missing_peer(reporter):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Slow tests last: what fails fast is seen first."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is not None)


def _skipped_for_a_missing_peer(reporter: pytest.TerminalReporter) -> list[str]:
    reports = reporter.stats.get("skipped", [])
    reasons = [str(report.longrepr[2]).removeprefix("Skipped: ") for report in reports]
    return [reason for reason in reasons if reason.startswith(MISSING)]
