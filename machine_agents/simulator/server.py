"""The server: one secure endpoint, and our inner server behind it."""

import hmac
import logging
from typing import Any
from urllib.parse import urlparse

from asyncua import Server, ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole
from asyncua.server.binary_server_asyncio import BinaryServer, OPCUAProtocol
from asyncua.server.uaprocessor import UaProcessor

from machine_agents.simulator.certificates import APPLICATION, Certificates
from machine_agents.simulator.service import Internals, Subscriptions

_DISCOVERY = {
    ua.NodeId(kind)
    for kind in (
        ua.ObjectIds.GetEndpointsRequest_Encoding_DefaultBinary,
        ua.ObjectIds.FindServersRequest_Encoding_DefaultBinary,
        ua.ObjectIds.CloseSecureChannelRequest_Encoding_DefaultBinary,
    )
}
_LONGEST_QUEUE = 10_000


class OneUser:
    """Lets in one user with a password, nobody else."""

    def __init__(self, user: str, password: str) -> None:
        self._user = user
        self._password = password

    def get_user(self, iserver: Any, username: Any = None, password: Any = None, certificate: Any = None) -> Any:
        user_fits = hmac.compare_digest(str(username or "").encode(), self._user.encode())
        password_fits = hmac.compare_digest(str(password or "").encode(), self._password.encode())
        return User(role=UserRole.User, name=self._user) if user_fits and password_fits else None


class _Processor(UaProcessor):
    """asyncua lets a client without security open a session or take up another's: only discovery is open here."""

    async def _process_message(self, typeid: Any, requesthdr: Any, seqhdr: Any, body: Any) -> Any:
        if self._connection.security_policy.Mode != ua.MessageSecurityMode.SignAndEncrypt and typeid not in _DISCOVERY:
            raise ServiceError(ua.StatusCodes.BadSecurityModeInsufficient)
        return await super()._process_message(typeid, requesthdr, seqhdr, body)


class _Protocol(OPCUAProtocol):
    processor: UaProcessor | None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if self.processor is not None:
            self.processor = _Processor(self.iserver, self.transport, self.limits)
            self.processor.set_policies(self.policies)


class _Sockets(BinaryServer):
    def _make_protocol(self) -> OPCUAProtocol:
        return _Protocol(self.iserver, self._policies, self.clients, self.closing_tasks, self.limits)


class SecureServer(Server):
    """An asyncua server with our sockets. Port 0 in the endpoint takes a free one: see `url`."""

    async def start(self) -> None:
        await self._setup_server_nodes()
        await self.iserver.start()
        host, port = self._get_bind_socket_info()
        self.bserver = _Sockets(self.iserver, host, port, self.limits)
        self.bserver.set_policies(self._policies)
        try:
            await self.bserver.start()
        except BaseException:
            await self.iserver.stop()
            raise

    @property
    def url(self) -> str:
        """Where it listens."""
        host = str(self.endpoint.hostname)
        return str(self.endpoint._replace(netloc=f"{host}:{self.bserver.port}").geturl())

    @property
    def subscriptions(self) -> Subscriptions:
        service: Subscriptions = self.iserver.subscription_service
        return service


async def make_server(endpoint: str, *, certificates: Certificates, user: str, password: str) -> SecureServer:
    """A server, not yet started, that offers Basic256Sha256 with SignAndEncrypt and user with password only."""
    # asyncua logs every request and every refusal; what matters is in the status of the requests.
    logging.getLogger("asyncua").setLevel(logging.CRITICAL)
    certificates.prepare(urlparse(endpoint).hostname or "localhost")
    internals = Internals(OneUser(user, password))
    internals.max_monitored_item_queue_size = _LONGEST_QUEUE
    internals.allow_remote_admin = False
    server = SecureServer(internals)
    await server.init()
    server.set_endpoint(endpoint)
    server.name = "SpindleShare simulator"
    server.application_type = ua.ApplicationType.Server
    await server.set_application_uri(APPLICATION)
    server.set_security_policy([ua.SecurityPolicyType.Basic256Sha256_SignAndEncrypt])
    server.set_identity_tokens([ua.UserNameIdentityToken])
    await server.load_certificate(certificates.certificate)
    await server.load_private_key(certificates.key)
    internals.certificate_validator = certificates.check
    return server
