"""What every seed of a run shares, and a seed's own: database, folders, ports and configuration."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from app import migrations
from app.database import Database, Role, engine
from app.postgres import DATABASE, Cluster
from metering.enrol import Invitation, invite
from metering.machine import Machine, Meter, machine_id
from metering.parties.party import Organisation, organisation_id
from metering.parties.store import PartyStore
from metering.store import MeteringStore
from workbench.chaos import shim
from workbench.chaos.nursery import Nursery
from workbench.chaos.prepared import PASSWORD, USER
from workbench.demo.processes import free_port

METER = "CHAOS-1"
_PROFILE = Path(__file__).with_name("machine.toml")
_CONFIG = """
[agent]
name = "chaos"
data = "data"
[source]
endpoint = "{endpoint}"
user = "{user}"
password_file = "password"
profile = "{profile}"
publish_ms = 20
sampling_ms = 0
queue = {queue}
silence_seconds = 5
request_seconds = 2
retry_max_seconds = 1
[service]
url = "{service}"
code_file = "code"
retry_max_seconds = 1
[meter]
# The machine's time runs thousands of times faster than ours, and a tick of it is more than a minute.
silence_ms = 600000
interim_seconds = 0
[telemetry]
segment_seconds = 1
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """One database server, one nursery, and the shim; `folder` is where seeds have theirs."""

    folder: Path
    cluster: Cluster
    nursery: Nursery
    library: Path


@contextmanager
def staged(folder: Path | None = None) -> Iterator[Stage]:
    """Everything that seeds share, gone at the end but for what lies in `folder`. NoCompiler."""
    with tempfile.TemporaryDirectory(prefix="spindleshare-chaos-") as own:
        library = shim.build(Path(own))
        # No fault of a run reaches the database server's own disk, so that it need not wait for it.
        cluster = Cluster(Path(own, "postgres"), port=free_port(), durable=False)
        nursery = Nursery(library, Path(own, "pki"))
        try:
            with cluster.running():
                migrations.upgrade(cluster.migrate_url(), cluster.run_url())
                yield Stage(folder or Path(own, "seeds"), cluster, nursery, library)
        finally:
            nursery.close()


@dataclass(frozen=True, slots=True)
class Home:
    """A seed's own place: its folder, its database by name and open, and the meter that its agent is to be."""

    folder: Path
    name: str
    database: Database
    run_url: str
    invitation: Invitation

    @property
    def meter(self) -> Meter:
        return self.invitation.meter

    def configure_agent(self, *, endpoint: str, service: str, queue: int) -> Path:
        """The agent's folder with configuration and secrets; its configuration file."""
        folder = self.folder / "agent"
        folder.mkdir()
        (folder / "password").write_text(PASSWORD)
        (folder / "code").write_text(self.invitation.code)
        given = {"endpoint": endpoint, "service": service, "queue": queue, "user": USER, "profile": _PROFILE}
        (folder / "agent.toml").write_text(_CONFIG.format(**given))
        return folder / "agent.toml"


@contextmanager
def home(stage: Stage, seed: int) -> Iterator[Home]:
    """A fresh folder and database with one machine that waits for its agent; the database is dropped at the end."""
    folder, name = stage.folder / f"seed-{seed}", f"seed_{seed}"
    shutil.rmtree(folder, ignore_errors=True)  # kept by an earlier run
    folder.mkdir(parents=True)
    _execute(stage, f'CREATE DATABASE "{name}" TEMPLATE "{DATABASE}"')
    # A server that is killed has what it has said to be stored: the system, which keeps it, is not.
    _execute(stage, f'ALTER DATABASE "{name}" SET synchronous_commit = on')
    run_url = stage.cluster.run_url(name)
    database = Database(run_url, pool=2)
    try:
        yield Home(folder, name, database, run_url, _invite(database))
    finally:
        database.close()
        _execute(stage, f'DROP DATABASE "{name}" WITH (FORCE)')


def _execute(stage: Stage, statement: str) -> None:
    with engine(stage.cluster.migrate_url("postgres"), pool=1).connect() as connection:
        connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(statement))


def _invite(database: Database) -> Invitation:
    owner, now = organisation_id("chaos"), datetime.now(UTC)
    machine = Machine(id=machine_id(owner, "Mill"), owner_id=owner, name="Mill", model="chaos", zone="UTC")
    with database.transaction(Role.WORKER) as session:
        PartyStore(session).add_organisation(Organisation(id=owner, name="chaos"), now=now)
        return invite(machine, METER, store=MeteringStore(session), now=now)
