"""Who may in: only a trusted application over a signed and encrypted channel, with the right user and password."""

import asyncio
from pathlib import Path

import pytest
from asyncua import Client, ua
from asyncua.ua import uaerrors as errors

from tests.machine_agents.simulator.bench import PASSWORD, USER, Bench, bench, recording
from tests.machine_agents.simulator.subscriber import secure_client


def test_only_one_endpoint_is_offered(tmp_path: Path) -> None:
    async def go() -> None:
        async with bench(tmp_path, recording(10)) as one:
            endpoints = await Client(one.server.url).connect_and_get_server_endpoints()
            assert [(end.SecurityPolicyUri.rpartition("#")[2], end.SecurityMode.name) for end in endpoints] == [
                ("Basic256Sha256", "SignAndEncrypt")
            ]
            assert [token.TokenType for token in endpoints[0].UserIdentityTokens] == [ua.UserTokenType.UserName]

    asyncio.run(go())


@pytest.mark.parametrize(("user", "password"), [(USER, "wrong"), (USER, ""), ("nobody", PASSWORD), ("admin", PASSWORD)])
def test_wrong_credentials_are_refused(tmp_path: Path, user: str, password: str) -> None:
    async def go() -> None:
        async with bench(tmp_path, recording(10)) as one:
            with pytest.raises(errors.BadUserAccessDenied):
                await one.client(user=user, password=password)
            client = await one.client()
            await client.disconnect()

    asyncio.run(go())


def test_an_anonymous_user_is_refused_even_on_a_secure_channel(tmp_path: Path) -> None:
    async def go() -> None:
        async with bench(tmp_path, recording(10)) as one:
            client = await secure_client(one.server.url, tmp_path / "c", user="", password="")
            client._username = client._password = None
            with pytest.raises(errors.BadIdentityTokenRejected):
                await client.connect()

    asyncio.run(go())


def test_a_channel_without_security_is_good_for_discovery_only(tmp_path: Path) -> None:
    """Not even with the right password, and not with another session's token (asyncua alone would allow both)."""

    async def go() -> None:
        async with bench(tmp_path, recording(10)) as one:
            plain = Client(one.server.url, timeout=5)
            plain.set_user(USER)
            plain.set_password(PASSWORD)
            with pytest.raises(ua.UaError):
                await plain.connect()
            await _session_cannot_be_taken_over(one)

    asyncio.run(go())


async def _session_cannot_be_taken_over(one: Bench) -> None:
    subscriber = await one.subscriber()
    thief = Client(one.server.url, timeout=5)
    await thief.connect_socket()
    await thief.send_hello()
    await thief.open_secure_channel()
    thief.uaclient.session.restore_authentication_token(subscriber.client.uaclient.session.authentication_token)
    request = ua.ReadRequest()
    request.Parameters.NodesToRead = [ua.ReadValueId(NodeId=next(iter(subscriber.nodes.values())), AttributeId=13)]
    for stolen in (ua.CreateSessionRequest(), ua.ActivateSessionRequest(), request):
        stolen.RequestHeader.AuthenticationToken = subscriber.client.uaclient.session.authentication_token
        with pytest.raises(errors.BadSecurityModeInsufficient):
            await thief.uaclient.protocol.send_request(stolen)
    thief.disconnect_socket()
    await subscriber.publish([])  # the owner's subscription still answers the owner


def test_an_unknown_application_is_refused_and_kept_for_the_operator(tmp_path: Path) -> None:
    async def go() -> None:
        async with bench(tmp_path, recording(10), trust_first=False) as one:
            with pytest.raises(errors.BadCertificateUntrusted):
                await one.client()
            refused = list((tmp_path / "pki" / "rejected").glob("*.der"))
            assert len(refused) == 1
            refused[0].rename(tmp_path / "pki" / "trusted" / refused[0].name)
            client = await one.client()
            await client.disconnect()

    asyncio.run(go())


def test_after_the_first_application_no_other_is_trusted(tmp_path: Path) -> None:
    async def go() -> None:
        async with bench(tmp_path, recording(10)) as one:
            await (await one.client()).disconnect()
            with pytest.raises(errors.BadCertificateUntrusted):
                await one.client(uri="urn:test:another")

    asyncio.run(go())


def test_nothing_can_be_written(tmp_path: Path) -> None:
    async def go() -> None:
        async with bench(tmp_path, recording(10)) as one:
            subscriber = await one.subscriber()
            node = subscriber.client.get_node(subscriber.nodes["power"])
            with pytest.raises(errors.BadUserAccessDenied):
                await node.write_value(False)
            assert await node.read_value() is True

    asyncio.run(go())
