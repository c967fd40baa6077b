"""asyncua's own client as its documentation has it: auto_reconnect and a high-level subscription with a handler.

python -m workbench.bench.faults.asyncua_peer URL FOLDER QUEUE; each value is one JSON line on standard output.
"""

import asyncio
import json
import logging
import sys
from pathlib import Path
from typing import Any

from asyncua import Client, Node, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

from machine_agents.opcua_source.identity import own_identity
from workbench.bench.faults.machine import PASSWORD, SIGNALS, USER


class Printer:
    """The subscription's handler. Numbers arrive in order; the name is the node's."""

    def __init__(self, names: dict[ua.NodeId, str]) -> None:
        self._names = names

    def datachange_notification(self, node: Node, value: Any, _data: Any) -> None:
        print(json.dumps([self._names[node.nodeid], int(value)]), flush=True)


async def _nodes(client: Client) -> dict[ua.NodeId, str]:
    uris = await client.get_namespace_array()
    machinery = uris.index("http://opcfoundation.org/UA/Machinery/")
    cnc, own = uris.index("http://opcfoundation.org/UA/CNC"), uris.index("urn:spindleshare:bench:mill")
    path = [f"{machinery}:Machines", f"{own}:Mill", f"{cnc}:CncInterface", f"{cnc}:CncSpindleList", f"{own}:S1"]
    spindle = await client.nodes.objects.get_child(path)
    return {(await spindle.get_child(f"{cnc}:{name}")).nodeid: name for name in SIGNALS}


async def main(url: str, folder: Path, queue: int) -> None:
    logging.disable(logging.CRITICAL)
    identity = own_identity(folder)
    client = Client(url, timeout=4, auto_reconnect=True)
    client.application_uri = identity.uri
    client.set_user(USER)
    client.set_password(PASSWORD)
    await client.set_security(SecurityPolicyBasic256Sha256, str(folder / "agent.der"), str(folder / "agent.pem"))
    async with client:
        names = await _nodes(client)
        wishes = ua.CreateSubscriptionParameters()
        wishes.RequestedPublishingInterval, wishes.RequestedMaxKeepAliveCount = 100.0, 20
        wishes.RequestedLifetimeCount, wishes.PublishingEnabled = 36_000, True
        subscription = await client.create_subscription(wishes, Printer(names))
        await subscription.subscribe_data_change(
            [client.get_node(one) for one in names], queuesize=queue, sampling_interval=0.0
        )
        print(json.dumps({"ready": True}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
