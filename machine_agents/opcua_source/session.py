"""A secure session with a server: pinned certificate, no fallback, the old session taken up again where it lives."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from asyncua import Client, ua
from asyncua.client.ua_session import UaSession
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.crypto.uacrypto import CertProperties
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from machine_agents.config import SourceConfig
from machine_agents.credentials import write_secret
from machine_agents.opcua_source.identity import Identity, fingerprint

SESSION_SECONDS = 3_600
_RENEW_AT = 0.75
# asyncua logs every service and every failure that we handle; ours is the log that people read.
logging.getLogger("asyncua").setLevel(logging.CRITICAL)


class SecurityRefused(Exception):
    """The server does not offer what we insist on, or is not the one we know: nothing was told to it."""


_ADVICE = {
    "BadCertificateUntrusted": "trust the agent's certificate on the control",
    "BadSecurityChecksFailed": "trust the agent's certificate on the control",
    "BadUserAccessDenied": "check user and password, and the user's rights on the control",
    "BadIdentityTokenRejected": "check user and password, and the user's rights on the control",
    "BadIdentityTokenInvalid": "check user and password, and the user's rights on the control",
    "BadTooManySessions": "end other clients, or wait until their sessions time out",
}


def explain(error: BaseException, identity: Identity) -> str:
    """What went wrong with a connection, and what to do where that is known."""
    name = type(error).__name__
    if not isinstance(error, UaStatusCodeError):
        return str(error) or name
    advice = _ADVICE.get(name, "")
    certificate = f" (SHA-256 {identity.fingerprint})" if "certificate" in advice else ""
    return f"{name}: {advice}{certificate}" if advice else f"{name}: {error}"


@dataclass(frozen=True, slots=True)
class Link:
    """A live session. `resumed`: the one that an earlier connection used; its subscriptions are still its own."""

    client: Client
    session: UaSession
    server: str
    resumed: bool
    token: str
    nonce: str


@asynccontextmanager
async def connect(
    config: SourceConfig, identity: Identity, pin: Path, password: str, *, token: str = "", nonce: str = ""
) -> AsyncIterator[Link]:
    """A session with `config.endpoint`; `token` and `nonce` name an earlier one to be taken up again.

    On leaving only the socket is closed: the session and its subscription stay for the next connection, so that a stop
    is no different from a break. SecurityRefused; OSError, TimeoutError and asyncua's errors when there is no contact.
    """
    async with asyncio.timeout(3 * config.request_seconds):
        endpoint = await _endpoint(config, pin)
        link = await _resume(config, identity, endpoint, password, token, nonce) if token else None
        link = link or await _open(config, identity, endpoint, password)
    renewing = asyncio.create_task(_renew(link.client))
    try:
        yield link
    finally:
        renewing.cancel()
        link.client.disconnect_socket()


async def _endpoint(config: SourceConfig, pin: Path) -> ua.EndpointDescription:
    """The endpoint to use. Discovery itself is not secure: it can only make us refuse, as the pinned key is used."""
    client = Client(config.endpoint, timeout=config.request_seconds)
    endpoints = await client.connect_and_get_server_endpoints()
    wanted = [
        one
        for one in endpoints
        if one.SecurityMode == ua.MessageSecurityMode.SignAndEncrypt
        and one.SecurityPolicyUri == SecurityPolicyBasic256Sha256.URI
        and any(token.TokenType == ua.UserTokenType.UserName for token in one.UserIdentityTokens)
    ]
    if not wanted:
        offered = sorted({f"{_policy(one)}/{one.SecurityMode.name}" for one in endpoints})
        raise SecurityRefused(
            "the server does not offer Basic256Sha256 with SignAndEncrypt and a user name, only "
            f"{', '.join(offered) or 'nothing'}: enable it on the control"
        )
    _check_pin(wanted[0].ServerCertificate, config.server_fingerprint, pin)
    return wanted[0]


def _policy(endpoint: ua.EndpointDescription) -> str:
    return str(endpoint.SecurityPolicyUri).rpartition("#")[2]


def _check_pin(certificate: bytes, configured: str, pin: Path) -> None:
    """Keep the first certificate; refuse every other one."""
    shown = fingerprint(certificate)
    wanted = configured.lower().removeprefix("sha256:").replace(":", "").replace(" ", "")
    if wanted and shown != wanted:
        raise SecurityRefused(f"the server's certificate {shown} is not the configured {wanted}")
    if not pin.exists():
        write_secret(pin, certificate)
    elif (known := pin.read_bytes()) != certificate:
        raise SecurityRefused(
            f"the server's certificate {shown} is not the known {fingerprint(known)}: "
            f"if it was renewed on the control, delete {pin}"
        )


async def _client(config: SourceConfig, identity: Identity, endpoint: ua.EndpointDescription) -> Client:
    client = Client(config.endpoint, timeout=config.request_seconds)
    client.application_uri = identity.uri
    client.name = client.description = "SpindleShare machine agent"
    client.session_timeout = SESSION_SECONDS * 1000
    await client.set_security(
        SecurityPolicyBasic256Sha256,
        CertProperties(identity.certificate, "der"),
        CertProperties(identity.key, "pem"),
        server_certificate=CertProperties(endpoint.ServerCertificate, "der"),
        mode=ua.MessageSecurityMode.SignAndEncrypt,
    )
    await client.connect_socket()
    try:
        await client.send_hello()
        await client.open_secure_channel()
    except BaseException:
        client.disconnect_socket()
        raise
    return client


async def _open(config: SourceConfig, identity: Identity, endpoint: ua.EndpointDescription, password: str) -> Link:
    """A new session."""
    client = await _client(config, identity, endpoint)
    try:
        await client.create_session()
        await client.activate_session(config.user, password)
    except BaseException:
        client.disconnect_socket()
        raise
    return _link(client, endpoint, resumed=False)


async def _resume(
    config: SourceConfig, identity: Identity, endpoint: ua.EndpointDescription, password: str, token: str, nonce: str
) -> Link | None:
    """The earlier session on this new connection; None when the server no longer has it or does not let us."""
    client = await _client(config, identity, endpoint)
    try:
        client.uaclient.session.restore_authentication_token(ua.NodeId.from_string(token))
        # What CreateSession would have told the client; asyncua has no public way to hand it over without a file.
        client._server_nonce = bytes.fromhex(nonce)
        client._policy_ids = endpoint.UserIdentityTokens
        await client.activate_session(config.user, password)
    except (UaError, OSError, TimeoutError):
        client.disconnect_socket()
        return None
    except BaseException:
        client.disconnect_socket()
        raise
    return _link(client, endpoint, resumed=True)


def _link(client: Client, endpoint: ua.EndpointDescription, *, resumed: bool) -> Link:
    session = client.uaclient.session
    nonce = client._server_nonce or b""
    token = session.authentication_token.to_string()
    return Link(client, session, fingerprint(endpoint.ServerCertificate), resumed, token, nonce.hex())


async def _renew(client: Client) -> None:
    """Renew the secure channel's keys before they expire; a failure shows as the loss of the connection."""
    while True:
        await asyncio.sleep(_RENEW_AT * client.secure_channel_timeout / 1000)
        try:
            await client.open_secure_channel(renew=True)
            client.uaclient.revolve_security_token()
        except Exception:
            client.disconnect_socket()
            return
