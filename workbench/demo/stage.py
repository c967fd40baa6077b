"""Everything the demo needs running: recording, database, card sandbox, service, simulator and agent.

Each is the real component in a process of its own; what they say is in LOG files under the demo's folder.
"""

import json
import os
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from app import migrations
from app.clock import now
from app.database import Database, Role
from app.postgres import Cluster
from billing.capacity.store import LeasingStore
from billing.pricing.store import TariffStore
from machine_agents.accrual import Policy
from machine_agents.model import write_recording
from machine_agents.recording import read_recording
from machine_agents.recording_text import Header
from metering.components.file import read_components
from metering.components.record import Teller, set_component
from metering.components.store import ComponentStore
from metering.enrol import Invitation, invite
from metering.machine import Machine, machine_id
from metering.parties.store import PartyStore
from metering.period import Period, quarter_start
from metering.store import MeteringStore
from workbench.demo import scenario
from workbench.demo.processes import DemoFailed, Processes, free_port

COMPONENTS_FILE = Path(__file__).with_name("components.toml")
METER_SERIAL = "SPS-0001"
OPCUA_USER = "spindleshare"
CARD_KEY = "sk_test_demo"
MODEL_ZONE, FOREIGN_ZONE = "Asia/Shanghai", "America/New_York"
_BYTES_NEEDED = 600 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Plan:
    """What to play and where. `recording` None: the project's own model, `days` long, ending at `ends`."""

    folder: Path
    port: int
    ends: datetime
    recording: Path | None = None
    day: str | None = None
    days: int = 30
    seed: int = 7
    live: bool = True


@dataclass(frozen=True, slots=True)
class Month:
    """The recording that is played: its file, its header, and the whole quarter hours in it."""

    file: Path
    header: Header
    period: Period
    zone: str


@dataclass(frozen=True, slots=True)
class Stage:
    """The running demo: its database, its addresses and its month."""

    plan: Plan
    month: Month
    database: Database
    invitation: Invitation
    processes: Processes
    base: str
    card_base: str

    @property
    def documents(self) -> Path:
        return self.plan.folder / "documents"

    def agent_status(self) -> dict[str, Any]:
        """What the agent says of itself; empty until it has said anything."""
        return _json(self.plan.folder / "agent" / "data" / "status.json")

    def simulator_status(self) -> dict[str, Any]:
        return _json(self.plan.folder / "simulator" / "status.json")

    def start_agent(self) -> None:
        config = self.plan.folder / "agent" / "agent.toml"
        self.processes.start("agent", [sys.executable, "-m", "machine_agents", "run", "--config", str(config)])


@contextmanager
def staged(plan: Plan) -> Iterator[Stage]:
    """Start everything up to the simulator, with an empty database; the agent is started by the caller."""
    processes = Processes(plan.folder / "logs")
    processes.end_leftovers()
    clear(plan.folder)
    _check_room(plan.folder)
    month = _month(plan)
    with Cluster(plan.folder / "postgres").running() as cluster:
        migrations.upgrade(cluster.migrate_url(), cluster.run_url())
        database = Database(cluster.run_url())
        invitation = _lay_out(database, month)
        try:
            card_base = _start_card_sandbox(plan, processes)
            base = _start_service(plan, processes, cluster, card_base)
            endpoint, fingerprint = _start_simulator(plan, processes, month)
            _configure_agent(plan, month, invitation, endpoint, fingerprint, base)
            yield Stage(plan, month, database, invitation, processes, base, card_base)
        finally:
            processes.stop_all()
            database.close()


def clear(folder: Path) -> None:
    """Empty the demo's folder but for its database server, which is emptied by making the database anew."""
    if (folder / "postgres").exists():
        Cluster(folder / "postgres").remove()
    for name in ("agent", "simulator", "documents", "sandbox", "service"):
        shutil.rmtree(folder / name, ignore_errors=True)
    for log in (folder / "logs").glob("*.log"):
        log.unlink()
    folder.mkdir(parents=True, exist_ok=True)


def _check_room(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < _BYTES_NEEDED:
        raise DemoFailed(
            f"only {free // 1024 // 1024} MiB free under {folder}; the demo needs {_BYTES_NEEDED // 1024 // 1024} MiB"
        )


def _month(plan: Plan) -> Month:
    if plan.recording:
        recording = read_recording(plan.recording)
        recording = recording.day(plan.day) if plan.day else recording
        return _whole_quarters(plan.recording, recording.header, FOREIGN_ZONE)
    file = plan.folder / "simulator" / "recording.txt"
    file.parent.mkdir(parents=True)
    header = write_recording(file, seed=plan.seed, end=plan.ends, days=plan.days)
    return _whole_quarters(file, header, MODEL_ZONE)


def _whole_quarters(file: Path, header: Header, zone: str) -> Month:
    start = quarter_start(header.begin)
    if start < header.begin:
        start += timedelta(minutes=15)
    return Month(file, header, Period(start, quarter_start(header.end)), zone)


def _lay_out(database: Database, month: Month) -> Invitation:
    moment = now()
    machine = Machine(
        id=machine_id(scenario.MAKER.id, "mill-turn-1"),
        owner_id=scenario.MAKER.id,
        name="Mill-turn 1",
        model=month.header.machine,
        zone=month.zone,
    )
    with database.transaction(Role.WORKER) as session:
        stores = scenario.Stores(
            PartyStore(session), MeteringStore(session), TariffStore(session), LeasingStore(session)
        )
        scenario.add_people(stores.parties, now=moment)
        invitation = invite(machine, METER_SERIAL, store=stores.metering, now=moment)
        scenario.lay_out(stores, month.period, machine=machine, meter=invitation.meter, now=moment)
        _tell_components(ComponentStore(session), machine, month.period.start, now=moment)
    return invitation


def _tell_components(store: ComponentStore, machine: Machine, fitted_at: datetime, *, now: datetime) -> None:
    """What of the machine wears, all of it new at the beginning of the month."""
    teller = Teller(machine, scenario.MAKER_LOGIN.name, now)
    for each in read_components(COMPONENTS_FILE.read_bytes()):
        set_component(replace(each, valid_from=fitted_at), teller=teller, store=store)


def _start_card_sandbox(plan: Plan, processes: Processes) -> str:
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    webhook = f"http://127.0.0.1:{plan.port}/api/stripe/events"
    command = [sys.executable, "-m", "sandbox.stripe", "--port", str(port), "--key", CARD_KEY]
    command += ["--secret", _secret(plan.folder), "--webhook", webhook, "--folder", str(plan.folder / "sandbox")]
    processes.start("card sandbox", command)
    processes.wait_for("card sandbox", lambda: _answers(f"{base}/sandbox/health"))
    return base


def _start_service(plan: Plan, processes: Processes, cluster: Cluster, card_base: str) -> str:
    base = f"http://127.0.0.1:{plan.port}"
    environment = {
        "SPINDLESHARE_DATA_FOLDER": str(plan.folder / "service"),
        "SPINDLESHARE_MIGRATE_URL": cluster.migrate_url(),
        "SPINDLESHARE_RUN_URL": cluster.run_url(),
        "SPINDLESHARE_PORT": str(plan.port),
        "SPINDLESHARE_ZONE": MODEL_ZONE,
        "SPINDLESHARE_STRIPE_KEY": CARD_KEY,
        "SPINDLESHARE_STRIPE_BASE": card_base,
        "SPINDLESHARE_STRIPE_CHECKOUT_ORIGIN": card_base,
        "SPINDLESHARE_STRIPE_WEBHOOK_SECRET": _secret(plan.folder),
        # The demo closes its month itself, at the press of a button.
        "SPINDLESHARE_SCHEDULE": "false",
    }
    processes.start("service", [sys.executable, "-m", "app.cli", "serve"], environment)
    processes.wait_for("service", lambda: _answers(f"{base}/api/health"))
    return base


def _start_simulator(plan: Plan, processes: Processes, month: Month) -> tuple[str, str]:
    folder = plan.folder / "simulator"
    folder.mkdir(parents=True, exist_ok=True)
    _private(folder / "password", secrets.token_urlsafe(12))
    status = folder / "status.json"
    endpoint = f"opc.tcp://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "machine_agents", "simulate", str(month.file), "--endpoint", endpoint]
    command += ["--user", OPCUA_USER, "--password-file", str(folder / "password"), "--folder", str(folder / "pki")]
    command += ["--status-file", str(status), "--seed", str(plan.seed)]
    command += ["--live"] if plan.live else []
    command += ["--day", plan.day] if plan.day else []
    processes.start("simulator", command)
    processes.wait_for("simulator", lambda: "fingerprint" in _json(status))
    return endpoint, str(_json(status)["fingerprint"])


def _configure_agent(
    plan: Plan, month: Month, invitation: Invitation, endpoint: str, fingerprint: str, base: str
) -> None:
    folder = plan.folder / "agent"
    folder.mkdir()
    _private(folder / "enrolment-code", invitation.code)
    shutil.copy(plan.folder / "simulator" / "password", folder / "opcua-password")
    (folder / "agent.toml").write_text(
        f"""[agent]
name = "demo-agent"
data = "data"
[source]
endpoint = "{endpoint}"
user = "{OPCUA_USER}"
password_file = "opcua-password"
profile = "simulator"
server_fingerprint = "{fingerprint}"
publish_ms = 100
[service]
url = "{base}"
code_file = "enrolment-code"
[meter]
clock = "synchronised"
silence_ms = {month.header.silence_ms or Policy().silence_ms}
interim_seconds = 10
"""
    )


def _secret(folder: Path) -> str:
    file = folder / "sandbox" / "webhook-secret"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        _private(file, f"whsec_{secrets.token_hex(16)}")
    return file.read_text()


def _private(file: Path, text: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        stream.write(text)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
