"""A bare OPC UA subscriber on asyncua's session level: acknowledges when it wants to, remembers everything it got."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from asyncua import Client, ua
from asyncua.crypto.cert_gen import setup_self_signed_certificate
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from asyncua.ua.ua_binary import struct_from_binary
from cryptography.x509.oid import ExtendedKeyUsageOID

APPLICATION = "urn:test:subscriber"


async def client_certificate(folder: Path, uri: str = APPLICATION) -> tuple[Path, Path]:
    """Certificate and key of a client application, made in `folder` when missing."""
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240
    certificate, key = folder / "client.der", folder / "client.pem"
    await setup_self_signed_certificate(key, certificate, uri, "localhost", [ExtendedKeyUsageOID.CLIENT_AUTH], {})
    return certificate, key


async def secure_client(url: str, folder: Path, *, user: str, password: str, uri: str = APPLICATION) -> Client:
    certificate, key = await client_certificate(folder, uri)
    client = Client(url, timeout=10)
    client.application_uri = uri
    client.session_timeout = 60_000
    client.set_user(user)
    client.set_password(password)
    await client.set_security(
        SecurityPolicyBasic256Sha256, str(certificate), str(key), mode=ua.MessageSecurityMode.SignAndEncrypt
    )
    return client


@dataclass
class Got:
    """One value received: which node, what, when; `status` as a number."""

    path: str
    value: Any
    at: datetime
    status: int


@dataclass
class Subscriber:
    """Subscribes `nodes` (path -> node id). `publish` requests are sent one after another by `receive`."""

    client: Client
    nodes: dict[str, ua.NodeId]
    queue: int = 10_000
    trigger: ua.DataChangeTrigger = ua.DataChangeTrigger.StatusValueTimestamp
    subscription: int = 0
    got: list[Got] = field(default_factory=list)
    seen: set[int] = field(default_factory=set)
    revised_queue: int = 0

    async def send(self, request: Any, kind: Any) -> Any:
        answer = struct_from_binary(kind, await self.client.uaclient.protocol.send_request(request))
        answer.ResponseHeader.ServiceResult.check()
        return answer

    async def subscribe(self, *, interval: float = 50.0, lifetime: int = 1_000, keep_alive: int = 20) -> None:
        request = ua.CreateSubscriptionRequest()
        request.Parameters.RequestedPublishingInterval = interval
        request.Parameters.RequestedMaxKeepAliveCount = keep_alive
        request.Parameters.RequestedLifetimeCount = lifetime
        request.Parameters.PublishingEnabled = True
        answer = await self.send(request, ua.CreateSubscriptionResponse)
        self.subscription = answer.Parameters.SubscriptionId
        items = ua.CreateMonitoredItemsParameters()
        items.SubscriptionId = self.subscription
        items.TimestampsToReturn = ua.TimestampsToReturn.Source
        items.ItemsToCreate = [self._item(handle, node) for handle, node in enumerate(self.nodes.values())]
        results = await self.client.uaclient.session.create_monitored_items(items)
        for result in results:
            result.StatusCode.check()
        self.revised_queue = min(result.RevisedQueueSize for result in results)

    def _item(self, handle: int, node: ua.NodeId) -> ua.MonitoredItemCreateRequest:
        item = ua.MonitoredItemCreateRequest()
        item.ItemToMonitor.NodeId = node
        item.ItemToMonitor.AttributeId = ua.AttributeIds.Value
        item.MonitoringMode = ua.MonitoringMode.Reporting
        item.RequestedParameters.ClientHandle = handle
        item.RequestedParameters.QueueSize = self.queue
        item.RequestedParameters.Filter = ua.DataChangeFilter(Trigger=self.trigger)
        return item

    async def publish(self, acks: Iterable[int]) -> int:
        """One publish request with `acks`; takes what comes and returns its sequence number (0: keep-alive)."""
        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements = [
            ua.SubscriptionAcknowledgement(SubscriptionId=self.subscription, SequenceNumber=ack) for ack in acks
        ]
        answer = await self.send(request, ua.PublishResponse)
        return self.take(answer.Parameters.NotificationMessage)

    def take(self, message: ua.NotificationMessage) -> int:
        if not message.NotificationData or message.SequenceNumber in self.seen:
            return 0 if not message.NotificationData else message.SequenceNumber
        self.seen.add(message.SequenceNumber)
        paths = list(self.nodes)
        for data in message.NotificationData:
            for one in data.MonitoredItems:
                value = one.Value.Value.Value if one.Value.Value is not None else None
                at, status = one.Value.SourceTimestamp, one.Value.StatusCode.value
                self.got.append(Got(paths[one.ClientHandle], value, at, status))
        return int(message.SequenceNumber)

    async def run(self, acks: Iterable[int] = (), *, ahead: int = 2, delay: float = 0.0) -> None:
        """Receive and acknowledge for ever, `acks` first; `ahead` requests open, `delay` seconds of work a message."""

        async def pump(acks: list[int]) -> None:
            while True:
                sequence = await self.publish(acks)
                if delay:
                    await asyncio.sleep(delay)
                acks = [sequence] if sequence else []

        await asyncio.gather(*(pump(list(acks) if number == 0 else []) for number in range(ahead)))

    async def transfer(self, subscription: int) -> list[int]:
        """Take over a subscription of an earlier session; the sequence numbers that it still holds."""
        parameters = ua.TransferSubscriptionsParameters(SubscriptionIds=[subscription], SendInitialValues=False)
        result = (await self.client.uaclient.session.transfer_subscriptions(parameters))[0]
        result.StatusCode.check()
        self.subscription = subscription
        return list(result.AvailableSequenceNumbers)


def die(client: Client) -> None:
    """As SIGKILL would: the socket closes and nothing more is said."""
    with suppress(Exception):
        client.uaclient.protocol.transport.abort()
