"""An OPC UA server with the machine's tree, built once and then forked: building it takes seconds, a start must not."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from machine_agents.simulator.certificates import Certificates
from machine_agents.simulator.companion import add_types, register_namespaces
from machine_agents.simulator.machine import Machine, build_machine
from machine_agents.simulator.server import SecureServer, make_server
from workbench.chaos.truth import State

HOST, USER, PASSWORD = "127.0.0.1", "chaos", "of the fault runs"


@dataclass(slots=True)
class Prepared:
    """A server that was not started yet, its machine, and the folder with its key."""

    server: SecureServer
    machine: Machine
    certificates: Certificates

    def serve_at(self, port: int, folder: Path) -> None:
        """Let it listen on `port`, with the known certificate and the clients trusted in `folder`."""
        if not (folder / "own").exists():
            shutil.copytree(self.certificates.folder, folder)
        self.server.set_endpoint(f"opc.tcp://{HOST}:{port}")
        self.server.iserver.certificate_validator = Certificates(folder, trust_first=True).check
        # Its threads, if it had any, stayed in the process that built it.
        self.server.iserver.aspace._pool = ThreadPoolExecutor()


_built: list[Prepared] = []


async def build(folder: Path) -> None:
    """Build the server of this process and all that it forks; its key comes to be in `folder`."""
    certificates = Certificates(folder)
    server = await make_server(f"opc.tcp://{HOST}:0", certificates=certificates, user=USER, password=PASSWORD)
    names = await register_namespaces(server)
    add_types(server, names)
    machine = build_machine(server, names, name="Mill", signals=State().signals(0), serial="CHAOS-1")
    _built.append(Prepared(server, machine, certificates))


def take() -> Prepared:
    """The server that was built."""
    return _built[0]
