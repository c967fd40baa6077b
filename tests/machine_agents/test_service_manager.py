"""The systemd unit and what the agent tells systemd, heard on a real notification socket."""

import configparser
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from machine_agents.service_manager import Notifier
from tests.machine_agents.fake_service import fake_service
from tests.machine_agents.processes import AgentFolder


def test_the_agent_says_that_it_is_ready_alive_and_stopping(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, fake_service() as service:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(30)
        folder = AgentFolder(tmp_path / "agent", "opc.tcp://127.0.0.1:9", service.url).prepare()
        process = subprocess.Popen(
            [sys.executable, "-m", "machine_agents", "run", "--quiet", "--config", str(folder.path / "agent.toml")],
            env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")},
        )
        said = [manager.recv(4096).decode()]
        while not any("machine disconnected" in one for one in said):
            said.append(manager.recv(4096).decode())
        process.terminate()
        while said[-1] != "STOPPING=1":
            said.append(manager.recv(4096).decode())
        assert process.wait(timeout=30) == 0
    assert said[0] == "READY=1"
    assert all(one.startswith("WATCHDOG=1\nSTATUS=machine ") for one in said[1:-1])


def test_without_a_manager_nothing_is_said_and_a_deaf_one_hurts_nobody(tmp_path: Path) -> None:
    Notifier({}).ready()
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).alive("x")


def test_the_unit_names_this_agent_and_starts_it(tmp_path: Path) -> None:
    folder = AgentFolder(tmp_path / "agent", "opc.tcp://127.0.0.1:9", "http://127.0.0.1:9").prepare()
    command = [sys.executable, "-m", "machine_agents", "unit", "--user", "meter", "--config"]
    done = subprocess.run([*command, str(folder.path / "agent.toml")], capture_output=True, text=True, check=True)
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(done.stdout)
    service = unit["Service"]
    assert (service["Type"], service["User"], service["ReadWritePaths"]) == ("notify", "meter", str(folder.data))
    start = service["ExecStart"].split()
    assert start[:4] == [sys.executable, "-m", "machine_agents", "run"]
    assert Path(start[-1]).is_file()
    if checker := shutil.which("systemd-analyze"):
        (tmp_path / "agent.service").write_text(done.stdout.replace("User=meter", "User=root"))
        checked = subprocess.run([checker, "verify", str(tmp_path / "agent.service")], capture_output=True, text=True)
        assert "agent.service" not in checked.stderr, checked.stderr
