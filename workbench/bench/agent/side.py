"""One client as a process of its own: `python -m workbench.bench.agent.side NAME URL FOLDER ITEMS`.

It answers every line on standard input with its processor time, its memory, and how far it has come. The names:
`handler`, asyncua's subscription with a handler that does nothing; `session`, a bare publish loop on asyncua's session
level; `ours`, the whole agent, from the configuration that FOLDER holds.
"""

import asyncio
import json
import logging
import resource
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from asyncua import Client, Node, ua
from asyncua.common.subscription import DataChangeNotif
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256

from machine_agents import agent
from machine_agents.config import load
from machine_agents.opcua_source.identity import own_identity
from workbench.bench.faults.machine import PASSWORD, USER

KINDS = ("Position", "Speed", "Position", "Load")
SPACE = "urn:spindleshare:bench:load"
PERIOD_MS = 100
_QUEUE = 1000


def names(items: int) -> list[str]:
    """The nodes' names, as `machine.cjs` gives them."""
    counts = dict.fromkeys(KINDS, 0)
    found = []
    for number in range(items):
        kind = KINDS[number % len(KINDS)] if number < 96 else "Load"
        counts[kind] += 1
        found.append(f"{kind}{counts[kind]}")
    return found


class Counter:
    """asyncua's observer of a client: counts notifications, of which it is told once a publish response."""

    def __init__(self) -> None:
        self.received = 0

    def observe_request(self, request: Any) -> AbstractContextManager[None]:
        return nullcontext()

    def on_request(self, *_: object) -> None: ...

    def on_state_change(self, *_: object) -> None: ...

    def on_subscription_event(self, *_: object) -> None: ...

    def on_notification(self, subscription_id: int | None, event_count: int) -> None:
        self.received += event_count


class Nothing:
    """An empty handler."""

    def datachange_notification(self, node: Node, val: Any, data: DataChangeNotif) -> None:
        pass


async def _client(url: str, folder: Path, counter: Counter) -> Client:
    identity = own_identity(folder)
    client = Client(url, timeout=30)
    client.uaclient.observer = counter
    client.application_uri = identity.uri
    client.set_user(USER)
    client.set_password(PASSWORD)
    await client.set_security(
        SecurityPolicyBasic256Sha256,
        certificate=str(folder / "agent.der"),
        private_key=str(folder / "agent.pem"),
        mode=ua.MessageSecurityMode.SignAndEncrypt,
    )
    await client.connect()
    return client


async def handler(url: str, folder: Path, items: int, counter: Counter) -> None:
    """asyncua as its documentation shows it."""
    client = await _client(url, folder, counter)
    index = await client.get_namespace_index(SPACE)
    nodes = [client.get_node(f"ns={index};s={name}") for name in ("Clock", *names(items))]
    subscription = await client.create_subscription(PERIOD_MS, Nothing())
    await subscription.subscribe_data_change(nodes, queuesize=_QUEUE, sampling_interval=0)


async def session(url: str, folder: Path, items: int, counter: Counter) -> None:
    """The least that asyncua can do with a notification: decode it, and acknowledge it."""
    client = await _client(url, folder, counter)
    index = await client.get_namespace_index(SPACE)

    def count(result: ua.PublishResult) -> None:
        for data in result.NotificationMessage.NotificationData or []:
            counter.received += len(getattr(data, "MonitoredItems", ()))

    level = client.uaclient.session
    wanted = ua.CreateSubscriptionParameters(
        RequestedPublishingInterval=PERIOD_MS, RequestedLifetimeCount=3000, RequestedMaxKeepAliveCount=20
    )
    made = await level.create_subscription(wanted, count)
    items_wanted = ua.CreateMonitoredItemsParameters()
    items_wanted.SubscriptionId = made.SubscriptionId
    items_wanted.TimestampsToReturn = ua.TimestampsToReturn.Source
    for handle, name in enumerate(("Clock", *names(items))):
        one = ua.MonitoredItemCreateRequest()
        one.ItemToMonitor.NodeId = ua.NodeId(name, index)
        one.ItemToMonitor.AttributeId = ua.AttributeIds.Value
        one.MonitoringMode = ua.MonitoringMode.Reporting
        one.RequestedParameters.ClientHandle = handle
        one.RequestedParameters.SamplingInterval = 0.0
        one.RequestedParameters.QueueSize = _QUEUE
        items_wanted.ItemsToCreate.append(one)
    for created in await level.create_monitored_items(items_wanted):
        created.StatusCode.check()


async def ours(url: str, folder: Path, items: int, counter: Counter) -> None:
    """The agent as `python -m machine_agents run` starts it."""
    config = load(folder / "agent.toml")
    await agent.run(config, log=None, clock=lambda: datetime.now(UTC), monotonic=time.monotonic)


SIDES: dict[str, Callable[[str, Path, int, Counter], Awaitable[None]]] = {
    "handler": handler,
    "session": session,
    "ours": ours,
}


def _answer(progress: Callable[[], int]) -> None:
    """Answer every line, from a thread, so that a client that is at work need not know."""
    for _ in sys.stdin:
        used = resource.getrusage(resource.RUSAGE_SELF)
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        answer = {
            "cpu_seconds": used.ru_utime + used.ru_stime,
            "memory_bytes": pages * resource.getpagesize(),
            "progress": progress(),
        }
        print(json.dumps(answer), flush=True)


def heartbeat_ms(folder: Path) -> int:
    """How far the agent's registers count, by its own status; 0 before the first heartbeat."""
    with suppress(OSError, ValueError, KeyError):
        status = json.loads((folder / "data" / "status.json").read_text(encoding="utf-8"))
        return round(datetime.fromisoformat(status["meter"]["heartbeat"]).timestamp() * 1000)
    return 0


async def main(name: str, url: str, folder: Path, items: int) -> None:
    """Run the client for as long as it is left alone."""
    logging.disable(logging.CRITICAL)
    counter = Counter()
    progress = partial(heartbeat_ms, folder) if name == "ours" else lambda: counter.received
    threading.Thread(target=_answer, args=(progress,), daemon=True).start()
    await SIDES[name](url, folder, items, counter)
    if name != "ours":
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])))
