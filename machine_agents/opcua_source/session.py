"""A secure session with a server: trusted certificate, no fallback, the old session taken up again where it lives."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from asyncua import Client, ua
from asyncua.client.ua_session import UaSession
from asyncua.crypto.uacrypto import CertProperties
from asyncua.ua.uaerrors import UaError, UaStatusCodeError

from machine_agents.config import SourceConfig
from machine_agents.opcua_source.endpoint import Choice, SecurityRefused, choose, confirm, sound_tokens
from machine_agents.opcua_source.identity import Identity, fingerprint
from machine_agents.opcua_source.login import LOGIN_REFUSALS, Login, LoginRefused
from machine_agents.opcua_source.trust import check_server, split_chain

__all__ = ["Link", "LoginRefused", "SecurityRefused", "connect", "explain"]

SESSION_SECONDS = 3_600
_RENEW_AT = 0.75
# asyncua logs every service and every failure that we handle; ours is the log that people read.
logging.getLogger("asyncua").setLevel(logging.CRITICAL)

_TRUST_US = "trust the agent's certificate on the control"
_USER = "check user and password, whether the control has locked the user, and the user's rights"
_ADVICE = {
    "BadCertificateUntrusted": _TRUST_US,
    "BadSecurityChecksFailed": _TRUST_US,
    "BadCertificateInvalid": _TRUST_US,
    "BadCertificateUriInvalid": "the control does not take the URI in agent.der: delete that file and start again",
    "BadCertificateTimeInvalid": "compare the clocks of control and agent, and when the agent's certificate expires",
    "BadCertificateRevoked": "the control has revoked the agent's certificate: delete agent.der and agent.pem",
    "BadSecurityPolicyRejected": "the control does not take this security policy: compare source.security_policy",
    "BadUserAccessDenied": _USER,
    "BadIdentityTokenRejected": _USER,
    "BadIdentityTokenInvalid": _USER,
    "BadUserSignatureInvalid": "trust the user certificate on the control",
    "BadTooManySessions": "end other clients, or wait until their sessions time out",
}


def explain(error: BaseException, identity: Identity) -> str:
    """What went wrong with a connection, and what to do where that is known."""
    name = type(error).__name__
    if not isinstance(error, UaStatusCodeError):
        return str(error) or name
    advice = _ADVICE.get(name, "")
    certificate = f" (SHA-256 {identity.fingerprint})" if "agent's certificate" in advice else ""
    return f"{name}: {advice}{certificate}" if advice else f"{name}: {error}"


@dataclass(frozen=True, slots=True)
class Link:
    """A live session. `resumed`: the one that an earlier connection used; its subscriptions are still its own.

    `security` is the policy in use, `warning` what is to be put right about the server's certificate.
    """

    client: Client
    session: UaSession
    server: str
    resumed: bool
    token: str
    nonce: str
    security: str = ""
    warning: str = ""


@asynccontextmanager
async def connect(
    config: SourceConfig,
    identity: Identity,
    pin: Path,
    login: Login,
    *,
    now: datetime,
    token: str = "",
    nonce: str = "",
) -> AsyncIterator[Link]:
    """A session with `config.endpoint`; `token` and `nonce` name an earlier one to be taken up again.

    `pin` keeps the server's certificate, and beside it (.policy) how it was secured. On leaving only the socket is
    closed: the session and its subscription stay for the next connection, so that a stop is no different from a break.
    SecurityRefused, LoginRefused; OSError, TimeoutError and asyncua's errors when there is no contact.
    """
    memory = pin.with_suffix(".policy")
    async with asyncio.timeout(3 * config.request_seconds):
        # Discovery is not secure: it can only make us refuse, as the trusted key is used and the offer compared later.
        endpoints = await Client(config.endpoint, timeout=config.request_seconds).connect_and_get_server_endpoints()
        choice = choose(endpoints, config, memory)
        endpoint = choice.endpoint
        warning = check_server(endpoint.ServerCertificate, endpoint.Server.ApplicationUri, config, pin, now)
        link = await _resume(config, identity, choice, login, token, nonce) if token else None
        link = link or await _open(config, identity, choice, login, memory)
    renewing = asyncio.create_task(_renew(link.client))
    try:
        yield replace(link, security=choice.name, warning=warning)
    finally:
        renewing.cancel()
        link.client.disconnect_socket()


async def _client(config: SourceConfig, identity: Identity, choice: Choice) -> Client:
    client = Client(config.endpoint, timeout=config.request_seconds)
    client.application_uri = identity.uri
    client.name = client.description = "SpindleShare machine agent"
    client.session_timeout = SESSION_SECONDS * 1000
    await client.set_security(
        choice.policy,
        CertProperties(identity.certificate, "der"),
        CertProperties(identity.key, "pem"),
        server_certificate=CertProperties(split_chain(choice.endpoint.ServerCertificate)[0], "der"),
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


async def _open(config: SourceConfig, identity: Identity, choice: Choice, login: Login, memory: Path) -> Link:
    """A new session. One that cannot be used is ended at once: servers have few."""
    client = await _client(config, identity, choice)
    try:
        created = await client.create_session()
        try:
            confirm(choice, created.ServerEndpoints or [], config, memory)
            _log_in_by(client, client._policy_ids, config)
            await login.activate(client)
        except BaseException:
            with contextlib.suppress(UaError, OSError, TimeoutError):
                await client.uaclient.session.close_session(True)
            raise
    except LOGIN_REFUSALS as error:
        client.disconnect_socket()
        raise LoginRefused(explain(error, identity)) from error
    except BaseException:
        client.disconnect_socket()
        raise
    return _link(client, choice, resumed=False)


async def _resume(
    config: SourceConfig, identity: Identity, choice: Choice, login: Login, token: str, nonce: str
) -> Link | None:
    """The earlier session on this new connection; None when the server no longer has it or does not let us."""
    client = await _client(config, identity, choice)
    try:
        client.uaclient.session.restore_authentication_token(ua.NodeId.from_string(token))
        # What CreateSession would have told the client; asyncua has no public way to hand it over without a file.
        client._server_nonce = bytes.fromhex(nonce)
        _log_in_by(client, choice.endpoint.UserIdentityTokens, config)
        await login.activate(client)
    except (UaError, OSError, TimeoutError):
        client.disconnect_socket()
        return None
    except BaseException:
        client.disconnect_socket()
        raise
    return _link(client, choice, resumed=True)


def _log_in_by(client: Client, tokens: list[ua.UserTokenPolicy], config: SourceConfig) -> None:
    """Leave asyncua, which takes the first, only ways to log in that do not weaken the secret."""
    client._policy_ids = sound_tokens(tokens or [], config)
    if not client._policy_ids:
        raise SecurityRefused("the server takes the login only weakly encrypted: enable a stronger policy on it")


def _link(client: Client, choice: Choice, *, resumed: bool) -> Link:
    session = client.uaclient.session
    nonce = client._server_nonce or b""
    token = session.authentication_token.to_string()
    server = fingerprint(split_chain(choice.endpoint.ServerCertificate)[0])
    return Link(client, session, server, resumed, token, nonce.hex())


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
