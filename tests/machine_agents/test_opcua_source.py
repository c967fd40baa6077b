"""The source against a real OPC UA server with security: nothing lost, nothing twice, nothing insecure."""

import asyncio
import contextlib
import io
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asyncua import ua
from asyncua.client.ua_session import UaSession
from asyncua.common.utils import ServiceError
from asyncua.crypto.permission_rules import User, UserRole

from machine_agents.config import SECURITY_POLICIES, SourceConfig
from machine_agents.opcua_source.discovery import NotReached, survey
from machine_agents.opcua_source.identity import own_identity
from machine_agents.opcua_source.login import read_login
from machine_agents.opcua_source.session import SecurityRefused, connect
from machine_agents.opcua_source.source import OpcUaSource
from machine_agents.opcua_source.subscription import Subscription, following, is_before
from machine_agents.status import Status
from tests.machine_agents.plain_server import PROFILE, START, Collector, PlainServer, plain_server, source_config

PATIENCE_SECONDS = 20


def run(test: Awaitable[None]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(90):
            await test

    asyncio.run(limited())


async def until(condition: Callable[[], Any]) -> None:
    """Wait for what has to come."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110 (many conditions, none of them an event)
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(config: SourceConfig, folder: Path, sink: Collector) -> AsyncIterator[Status]:
    """A source at work, ended like a process that is killed: without a word to the server."""
    status = Status(None, io.StringIO(), clock=lambda: datetime.now(UTC), monotonic=time.monotonic)
    source = OpcUaSource(config, PROFILE, sink, status, folder=folder / "pki", monotonic=time.monotonic)
    task = asyncio.create_task(source.run())
    try:
        yield status
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def speeds(sink: Collector) -> list[int]:
    """The speeds that were written by the test, in 1/min."""
    return [value // 1000 for value in sink.values("spindle.S1.speed") if value]


async def until_seen(sink: Collector, speed: int) -> None:
    await until(lambda: speed in speeds(sink))


async def until_begun(sink: Collector, subscriptions: int) -> None:
    await until(lambda: sum(one.fresh for one in sink.deliveries) == subscriptions)


async def write_speeds(server: PlainServer, numbers: range) -> None:
    for number in numbers:
        await server.write("spindle.S1.speed", float(number), number)
        await server.beat(number)


def test_values_arrive_exact_with_their_source_times(tmp_path: Path) -> None:
    async def test() -> None:
        async with plain_server(tmp_path / "server") as server:
            sink = Collector()
            async with running(source_config(server.url, tmp_path), tmp_path, sink) as status:
                await until(lambda: sink.deliveries)
                await server.write("spindle.S1.speed", 1234.5674, 1)
                await server.write("power", True, 2)
                await server.write("spindle.S1.speed", 0.0, 3, ua.StatusCodes.BadSensorFailure)
                await server.write("spindle.S1.speed", float("nan"), 4)
                await server.beat(5)
                await until(lambda: sink.deliveries[-1].heartbeat == START + timedelta(seconds=5))
            assert sink.deliveries[0].fresh
            assert [one.fresh for one in sink.deliveries[1:]] == [False] * (len(sink.deliveries) - 1)
            assert sink.values("spindle.S1.speed")[1:] == [1_234_567, None, None]
            soon = START + timedelta(days=1)
            times = sorted(seen.source_time for seen in sink.observations if seen.source_time < soon)
            assert times == [START + timedelta(seconds=second) for second in (1, 2, 3, 4, 5)]
            assert list(status.facts["source"]["missing"]) == ["energy"]

    run(test())


def test_a_stopped_source_goes_on_where_it_was(tmp_path: Path) -> None:
    async def test() -> None:
        async with plain_server(tmp_path / "server") as server:
            sink = Collector()
            for first in range(1, 60, 20):
                async with running(source_config(server.url, tmp_path), tmp_path, sink):
                    await until(lambda: sink.state.subscription)
                    await write_speeds(server, range(first, first + 10))
                    await until_seen(sink, first + 9)
                await write_speeds(server, range(first + 10, first + 20))
            async with running(source_config(server.url, tmp_path), tmp_path, sink) as status:
                await until(lambda: 60 in speeds(sink))
            assert speeds(sink) == list(range(1, 61))
            assert sum(delivery.fresh for delivery in sink.deliveries) == 1
            assert "gaps" not in status.facts["source"]

    run(test())


def test_what_was_not_stored_is_not_acknowledged_but_comes_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with plain_server(tmp_path / "server") as server:
            keep_sent_messages(server)
            sink = Collector()
            async with running(source_config(server.url, tmp_path), tmp_path, sink) as status:
                await until(lambda: sink.deliveries)
                sink.failures = 2
                await write_speeds(server, range(1, 6))
                await until(lambda: status.facts["source"].get("state") == "stopped")
                assert "disk is full" in status.facts["source"]["why"]
                await until(lambda: 5 in speeds(sink))
            assert speeds(sink) == [1, 2, 3, 4, 5]
            assert sum(delivery.fresh for delivery in sink.deliveries) == 1

    run(test())


def keep_sent_messages(server: PlainServer, kept: bool = True) -> None:
    """asyncua's server forgets a message when it republishes it; the standard lets it wait for the acknowledgement."""
    service = server.server.iserver.subscription_service

    def republish(params: Any) -> Any:
        sent = service.subscriptions[params.SubscriptionId]._not_acknowledged_results
        if not kept or params.RetransmitSequenceNumber not in sent:
            raise ServiceError(ua.StatusCodes.BadMessageNotAvailable)
        return sent[params.RetransmitSequenceNumber].NotificationMessage

    service.republish = republish


def refuse_heartbeat(server: PlainServer, times: int) -> list[list[int]]:
    """The server does not let the heartbeat be monitored, so often; gives the client handles of each attempt."""
    service = server.server.iserver.subscription_service
    create, attempts = service.create_monitored_items, list[list[int]]()

    async def refusing(params: Any, *rest: Any) -> Any:
        attempts.append([item.RequestedParameters.ClientHandle for item in params.ItemsToCreate])
        if len(attempts) <= times:
            params.ItemsToCreate[0].ItemToMonitor.NodeId = ua.NodeId("gone", 1)
        return await create(params, *rest)

    service.create_monitored_items = refusing
    return attempts


def test_a_subscription_without_its_heartbeat_is_not_kept_for_resuming(tmp_path: Path) -> None:
    async def test() -> None:
        async with plain_server(tmp_path / "server") as server:
            attempts, sink = refuse_heartbeat(server, times=1), Collector()
            config = source_config(server.url, tmp_path, silence_seconds=60)
            async with running(config, tmp_path, sink) as status:
                await until(lambda: status.facts["source"].get("state") == "stopped")
                assert sink.state.subscription == 0
                assert not server.server.iserver.subscription_service.subscriptions
                await until_begun(sink, 1)
            assert len(attempts) == 2

    run(test())


@pytest.mark.parametrize("refusals", [0, 1])
def test_a_start_interrupted_before_its_items_were_created_is_completed_or_given_up(
    tmp_path: Path, refusals: int
) -> None:
    async def test() -> None:
        async with plain_server(tmp_path / "server") as server:
            attempts, sink = refuse_heartbeat(server, times=refusals), Collector()
            refuse_once(server, ua.StatusCodes.BadTooManyMonitoredItems)
            config = source_config(server.url, tmp_path, silence_seconds=60)
            async with running(config, tmp_path, sink):
                await until_begun(sink, 1)
                await write_speeds(server, range(1, 3))
                await until_seen(sink, 2)
            assert len(attempts) == refusals + 1
            assert sink.state.ready
            assert sink.state.granted["outage_tolerance_seconds"] > 0

    run(test())


def refuse_once(server: PlainServer, code: int) -> None:
    """The server's next answer to a wish for monitored items is a fault."""
    service = server.server.iserver.subscription_service
    create = service.create_monitored_items

    async def failing(*_: Any) -> Any:
        service.create_monitored_items = create
        raise ServiceError(code)

    service.create_monitored_items = failing


def test_a_lost_subscription_is_made_anew_and_the_gap_is_said(tmp_path: Path) -> None:
    async def test() -> None:
        async with plain_server(tmp_path / "server") as server:
            sink = Collector()
            async with running(source_config(server.url, tmp_path), tmp_path, sink) as status:
                await until(lambda: sink.deliveries)
                await write_speeds(server, range(1, 4))
                await until(lambda: 3 in speeds(sink))
                subscriptions = server.server.iserver.subscription_service
                await subscriptions.delete_subscriptions(list(subscriptions.subscriptions))
                await write_speeds(server, range(4, 7))
                await until(lambda: sum(one.fresh for one in sink.deliveries) == 2)
                await write_speeds(server, range(7, 9))
                await until(lambda: 8 in speeds(sink))
            assert status.facts["source"]["gaps"] == 1
            assert speeds(sink) in ([1, 2, 3, 6, 7, 8], [1, 2, 3, 5, 6, 7, 8], [1, 2, 3, 4, 5, 6, 7, 8])

    run(test())


@pytest.mark.parametrize("kept", [True, False])
def test_an_answer_lost_on_the_way_is_asked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: bool
) -> None:
    publish = Subscription.publish
    dropped: list[int] = []

    async def lossy(subscription: Subscription, acks: Any) -> Any:
        answer = await publish(subscription, acks)
        if speeds(sink) and len(dropped) < 2 and not answer.message.empty:
            dropped.append(answer.message.sequence)
            answer = await publish(subscription, [])
        return answer

    sink = Collector()
    monkeypatch.setattr(Subscription, "publish", lossy)

    async def test() -> None:
        async with plain_server(tmp_path / "server") as server:
            keep_sent_messages(server, kept)
            async with running(source_config(server.url, tmp_path), tmp_path, sink) as status:
                await until(lambda: sink.deliveries)
                for number in range(1, 12):
                    await write_speeds(server, range(number, number + 1))
                    await asyncio.sleep(0.05)
                await until(lambda: 11 in speeds(sink))
            assert len(dropped) == 2
            if kept:
                assert speeds(sink) == list(range(1, 12))
            else:
                assert status.facts["source"]["messages_lost"] == 2
                lost = [delivery.lost for delivery in sink.deliveries if delivery.lost]
                assert set(lost) == {frozenset({"heartbeat", "power", "spindle.S1.speed"})}

    run(test())


def test_a_heartbeat_refused_once_leaves_no_silent_subscription_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create = UaSession.create_monitored_items
    refused: list[int] = []

    async def grudging(session: UaSession, parameters: Any) -> Any:
        answer = await create(session, parameters)
        if not refused:
            refused.append(parameters.SubscriptionId)
            for item in answer:
                item.StatusCode = ua.StatusCode(ua.StatusCodes.BadMonitoredItemFilterUnsupported)
        return answer

    monkeypatch.setattr(UaSession, "create_monitored_items", grudging)

    async def test() -> None:
        sink = Collector()
        async with plain_server(tmp_path / "server") as server:
            async with running(source_config(server.url, tmp_path), tmp_path, sink):
                await until(lambda: sink.state.subscription and sink.state.ready)
                await write_speeds(server, range(1, 4))
                await until_seen(sink, 3)
            assert sink.state.subscription != refused[0]
            assert speeds(sink) == [1, 2, 3]

    run(test())


def test_the_server_may_be_absent_and_may_come_back_with_other_indexes(tmp_path: Path) -> None:
    async def test() -> None:
        sink = Collector()
        port = free_port()
        config = source_config(f"opc.tcp://127.0.0.1:{port}", tmp_path)
        async with running(config, tmp_path, sink) as status:
            await until(lambda: status.facts["source"].get("state") == "disconnected")
            for spare in (0, 3):
                async with plain_server(tmp_path / "server", port=port, spare_namespaces=spare) as server:
                    await until_begun(sink, 2 if spare else 1)
                    await write_speeds(server, range(spare + 1, spare + 3))
                    await until_seen(sink, spare + 2)
        assert speeds(sink) == [1, 2, 4, 5]

    run(test())


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def test_a_server_without_encryption_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        policies = (ua.SecurityPolicyType.NoSecurity, ua.SecurityPolicyType.Basic256Sha256_Sign)
        async with plain_server(tmp_path / "server", policies=policies) as server:
            sink = Collector()
            async with running(source_config(server.url, tmp_path), tmp_path, sink) as status:
                await until(lambda: status.facts["source"].get("state") == "refused")
            assert "Basic256Sha256/Sign" in status.facts["source"]["why"]
            assert sink.state.token == ""

    run(test())


def test_another_certificate_than_the_known_one_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        sink, port = Collector(), free_port()
        config = source_config(f"opc.tcp://127.0.0.1:{port}", tmp_path)
        async with running(config, tmp_path, sink) as status:
            async with plain_server(tmp_path / "server", port=port):
                await until(lambda: sink.deliveries)
            count = len(sink.deliveries)
            async with plain_server(tmp_path / "impostor", port=port):
                # At once, while the impostor is there: once it is gone, the next try has another reason.
                await until(lambda: status.facts["source"].get("state") == "refused")
                why = status.facts["source"]["why"]
            known = own_identity(tmp_path / "server").fingerprint
            assert f"is not the known {known}" in why
            assert len(sink.deliveries) == count

    run(test())


@pytest.mark.parametrize("right", [True, False])
def test_a_configured_fingerprint_is_checked_on_first_contact(tmp_path: Path, right: bool) -> None:
    async def test() -> None:
        async with plain_server(tmp_path / "server") as server:
            shown = own_identity(tmp_path / "server").fingerprint.upper()
            pin = "SHA256:" + (shown if right else "0" * 64)
            config = source_config(server.url, tmp_path, server_fingerprint=pin)
            identity = own_identity(tmp_path / "pki")
            with contextlib.nullcontext() if right else pytest.raises(SecurityRefused, match="not the configured 0000"):
                async with connect(config, identity, tmp_path / "pin", read_login(config), now=datetime.now(UTC)):
                    pass
            assert (tmp_path / "pin").exists() is right

    run(test())


def test_a_wrong_password_is_said(tmp_path: Path) -> None:
    async def test() -> None:
        async with plain_server(tmp_path / "server") as server:
            config = source_config(server.url, tmp_path)
            (tmp_path / "password").write_text("wrong")
            async with running(config, tmp_path, Collector()) as status:
                await until(lambda: "check user and password" in status.facts["source"].get("why", ""))

    run(test())


class CountedUsers:
    """Lets in who knows the secret, or has the known certificate; counts the attempts."""

    def __init__(self, secret: str, certificate: bytes = b"") -> None:
        self.secret, self.certificate, self.attempts = secret, certificate, 0

    def get_user(self, iserver: Any, username: Any = None, password: Any = None, certificate: Any = None) -> Any:
        self.attempts += 1
        known = password == self.secret if username else certificate == self.certificate
        return User(role=UserRole.User) if known else None


def test_a_refused_password_is_not_tried_again_until_it_is_changed(tmp_path: Path) -> None:
    async def test() -> None:
        users, sink = CountedUsers("another"), Collector()
        async with plain_server(tmp_path / "server", users=users) as server:
            config = source_config(server.url, tmp_path, login_retry_seconds=600)
            async with running(config, tmp_path, sink) as status:
                await until(lambda: status.facts["source"].get("state") == "refused")
                await asyncio.sleep(1.5)  # as long as a hammering source would take for several attempts
                assert users.attempts == 1
                assert "has locked the user" in status.facts["source"]["why"]
                (tmp_path / "password").write_text("another")
                await until(lambda: sink.deliveries)
            assert users.attempts == 2

    run(test())


@pytest.mark.parametrize("security", SECURITY_POLICIES)
def test_a_user_certificate_logs_in_under_every_policy(tmp_path: Path, security: str) -> None:
    async def test() -> None:
        user, sink = own_identity(tmp_path / "user"), Collector()
        policies = tuple(ua.SecurityPolicyType[f"{name.replace('_', '')}_SignAndEncrypt"] for name in SECURITY_POLICIES)
        users = CountedUsers("", user.certificate)
        async with plain_server(tmp_path / "server", policies=policies, users=users) as server:
            config = replace(
                source_config(server.url, tmp_path, security_policy=security),
                user="",
                password_file=None,
                user_certificate=tmp_path / "user" / "agent.der",
                user_key=tmp_path / "user" / "agent.pem",
            )
            async with running(config, tmp_path, sink) as status:
                await until(lambda: sink.deliveries)
            assert status.facts["source"]["security"] == security

    run(test())


def test_a_server_that_keeps_less_than_the_contract_demands_is_refused(tmp_path: Path) -> None:
    async def test() -> None:
        async with plain_server(tmp_path / "server") as server:
            sink = Collector()
            config = source_config(server.url, tmp_path, contract_tolerance_seconds=10**9)
            async with running(config, tmp_path, sink) as status:
                await until(lambda: status.facts["source"].get("state") == "refused")
                assert "the contract demands 1000000000 s" in status.facts["source"]["why"]
                assert not server.server.iserver.subscription_service.subscriptions
            assert sink.deliveries == []
            async with running(replace(config, contract_tolerance_seconds=1), tmp_path, sink) as status:
                await until(lambda: sink.deliveries)

    run(test())


def test_a_node_in_another_unit_is_not_metered_and_named(tmp_path: Path) -> None:
    async def test() -> None:
        async with plain_server(tmp_path / "server", unit="MMT") as server:
            sink = Collector()
            async with running(source_config(server.url, tmp_path), tmp_path, sink) as status:
                await until(lambda: sink.deliveries)
            assert "the profile expects a rotation (RPM)" in status.facts["source"]["missing"]["spindle.S1.speed"]
            assert sink.values("power") == [False]

    run(test())


def test_silence_is_noticed_although_the_connection_lives(tmp_path: Path) -> None:
    async def test() -> None:
        async with plain_server(tmp_path / "server") as server:
            sink = Collector()
            config = source_config(server.url, tmp_path, silence_seconds=1)
            async with running(config, tmp_path, sink) as status:
                await until(lambda: sink.deliveries)
                await until(lambda: status.facts["source"].get("state") == "silent")
                await server.beat(100)
                await until(lambda: sink.deliveries[-1].heartbeat == START + timedelta(seconds=100))

    run(test())


def test_discovery_says_what_can_be_metered(tmp_path: Path) -> None:
    async def test() -> None:
        async with plain_server(tmp_path / "server") as server:
            found = await survey(
                source_config(server.url, tmp_path), [PROFILE], tmp_path / "pki", now=datetime.now(UTC)
            )
        (proposal,) = found.proposals
        assert proposal.usable
        assert {one.signal for one in proposal.offered} == {"heartbeat", "power", "spindle.S1.speed"}
        assert "energy" in proposal.not_metered
        assert "spindle hours, starts" in proposal.metered

    run(test())


def test_discovery_of_nothing_is_one_error(tmp_path: Path) -> None:
    config = source_config(f"opc.tcp://127.0.0.1:{free_port()}", tmp_path)
    with pytest.raises(NotReached, match=r"opc\.tcp://127"):
        run(survey(config, [PROFILE], tmp_path / "pki", now=datetime.now(UTC)))  # type: ignore[arg-type]


def test_sequence_numbers_roll_over_to_one() -> None:
    assert following(2**32 - 1) == 1
    assert is_before(2**32 - 1, 1)
    assert is_before(5, 6)
    assert not is_before(6, 6)
    assert not is_before(1, 2**32 - 1)
