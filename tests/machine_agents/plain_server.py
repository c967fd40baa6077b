"""A small OPC UA server of asyncua's own, and an agent's configuration for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from asyncua import Server, ua
from asyncua.crypto.permission_rules import User, UserRole

from machine_agents import profile
from machine_agents.config import SourceConfig
from machine_agents.delivery import Delivery, Known, Moment, NotStored
from machine_agents.observation import Observation
from machine_agents.opcua_source.identity import own_identity
from machine_agents.opcua_source.state import SubscriptionState

SPACE = "urn:test:machine"
START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
PROFILE_TEXT = f"""
name = "plain"
trigger = "timestamp"
[namespaces]
t = "{SPACE}"
[[signal]]
signal = "heartbeat"
path = "t:Machines/{{machine}}/t:Clock"
type = "time"
[[signal]]
signal = "power"
path = "t:Machines/{{machine}}/t:Power"
type = "flag"
[[signal]]
signal = "spindle.{{spindle}}.speed"
path = "t:Machines/{{machine}}/t:Spindles/{{spindle}}/t:Speed"
type = "number"
unit = "RPM"
scale = "1000"
[[signal]]
signal = "energy"
path = "t:Machines/{{machine}}/t:Energy"
type = "number"
unit = "WHR"
scale = "1000"
"""
PROFILE = profile.parse(PROFILE_TEXT, "plain")
USER, PASSWORD = "agent", "a secret of the test"


class Users:
    def get_user(self, iserver: Any, username: Any = None, password: Any = None, certificate: Any = None) -> Any:
        return User(role=UserRole.User) if (username, password) == (USER, PASSWORD) else None


@dataclass
class PlainServer:
    """The server and its nodes by signal. Times are minutes and seconds after START."""

    server: Server
    nodes: dict[str, Any]

    @property
    def url(self) -> str:
        port = self.server.bserver._server.sockets[0].getsockname()[1]
        return f"opc.tcp://127.0.0.1:{port}"

    async def write(self, signal: str, value: Any, seconds: float, status: int = ua.StatusCodes.Good) -> None:
        at = START + timedelta(seconds=seconds)
        given = ua.DataValue(ua.Variant(value), ua.StatusCode(status), SourceTimestamp=at)
        node = self.nodes[signal].nodeid
        await self.server.iserver.aspace.write_attribute_value(node, ua.AttributeIds.Value, given)

    async def beat(self, seconds: float) -> None:
        await self.write("heartbeat", START + timedelta(seconds=seconds), seconds)


@asynccontextmanager
async def plain_server(
    folder: Path,
    *,
    port: int = 0,
    policies: tuple[ua.SecurityPolicyType, ...] = (ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt,),
    unit: str = "RPM",
    spare_namespaces: int = 0,
    users: Any = None,
) -> AsyncIterator[PlainServer]:
    """A server with its certificate in `folder`, one machine `Mill` with one spindle, and no energy meter."""
    identity = own_identity(folder, "localhost")
    server = Server(user_manager=users or Users())
    await server.init()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}")
    server.set_security_policy(list(policies))
    server.set_identity_tokens([ua.UserNameIdentityToken, ua.X509IdentityToken])
    await server.load_certificate(folder / "agent.der")
    await server.load_private_key(folder / "agent.pem")
    await server.set_application_uri(identity.uri)
    for number in range(spare_namespaces):
        await server.register_namespace(f"urn:test:other:{number}")
    space = await server.register_namespace(SPACE)
    nodes = await _machine(server, space, unit)
    async with server:
        yield PlainServer(server, nodes)


async def _machine(server: Server, space: int, unit: str) -> dict[str, Any]:
    machine = await (await server.nodes.objects.add_folder(space, "Machines")).add_object(space, "Mill")
    spindle = await (await machine.add_object(space, "Spindles")).add_object(space, "S1")
    speed = await spindle.add_variable(space, "Speed", 0.0)
    about = ua.EUInformation(UnitId=int.from_bytes(unit.encode(), "big"), DisplayName=ua.LocalizedText(unit))
    await speed.add_property(0, "EngineeringUnits", about)
    return {
        "heartbeat": await machine.add_variable(space, "Clock", START),
        "power": await machine.add_variable(space, "Power", False),
        "spindle.S1.speed": speed,
    }


def source_config(url: str, folder: Path, **changes: Any) -> SourceConfig:
    """An agent's configuration for that server, with the password in `folder`."""
    password = folder / "password"
    password.write_text(PASSWORD + "\n")
    given: dict[str, Any] = {"publish_ms": 20, "retry_max_seconds": 1, "request_seconds": 3} | changes
    return SourceConfig(endpoint=url, user=USER, password_file=password, **given)


@dataclass
class Collector:
    """A sink in memory that can be told to fail."""

    text: str = ""
    deliveries: list[Delivery] = field(default_factory=list)
    failures: int = 0

    def deliver(self, delivery: Delivery) -> None:
        if self.failures:
            self.failures -= 1
            raise NotStored("the disk is full")
        self.text = delivery.state
        self.deliveries.append(delivery)

    def remember(self, state: str) -> None:
        self.text = state

    def remembered(self) -> str:
        return self.text

    def known(self) -> Known | None:
        last: dict[str, Moment] = {}
        for seen in self.observations:
            if seen.signal not in last or seen.source_time >= last[seen.signal][0]:
                last[seen.signal] = (seen.source_time, (seen.value,))
        return Known(max(at for at, _ in last.values()), last) if last else None

    @property
    def state(self) -> SubscriptionState:
        """What the source asked to keep."""
        return SubscriptionState.of_text(self.text)

    @property
    def observations(self) -> list[Observation]:
        return [seen for delivery in self.deliveries for seen in delivery.observations]

    def values(self, signal: str) -> list[Any]:
        return [seen.value for seen in self.observations if seen.signal == signal]
