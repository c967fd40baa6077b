"""One subscription on a server: asked for with our own parameters, taken up again, and what the server granted."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from asyncua import ua
from asyncua.common.utils import Buffer
from asyncua.ua.ua_binary import struct_from_binary
from asyncua.ua.uaerrors import BadMessageNotAvailable, BadNoSubscription, BadSubscriptionIdInvalid, UaStatusCodeError

from machine_agents.config import SourceConfig
from machine_agents.observation import HEARTBEAT
from machine_agents.opcua_source.nodes import Found
from machine_agents.opcua_source.notification import Message, Published, read_publish, read_republish
from machine_agents.opcua_source.session import Link
from machine_agents.opcua_source.state import SubscriptionState

KEEP_ALIVE_SECONDS = 2
_LAST_SEQUENCE = 2**32 - 1


class Vanished(Exception):
    """The server no longer has our subscription: what it kept for us is lost."""


class ToleranceRefused(Exception):
    """The server keeps values for a shorter outage than the contract demands to be bridged."""


class NoHeartbeat(Exception):
    """The server gives no proof of life: without it nothing can be metered."""


def following(sequence: int) -> int:
    """The sequence number after `sequence`: 1 follows the last, 0 is never used (Part 4, 5.14.1)."""
    return 1 if sequence >= _LAST_SEQUENCE else sequence + 1


def is_before(sequence: int, other: int) -> bool:
    """Whether `sequence` came before `other`, over the roll-over too."""
    return 0 < (other - sequence) % 2**32 < 2**31


class Subscription:
    """The services around a subscription. Every call has the connection's time limit."""

    def __init__(self, link: Link, config: SourceConfig) -> None:
        self._link, self._config = link, config

    async def create(
        self,
        found: Sequence[Found],
        base: SubscriptionState,
        remember: Callable[[SubscriptionState], None],
        *,
        timestamp_trigger: bool,
    ) -> SubscriptionState:
        """A new subscription that begins to send. Its id is stored before anything can flow, so that a kill at any
        moment leaves either nothing on the server or something that the next start finds."""
        answer = await self._create()
        state = replace(base, subscription=answer.SubscriptionId, last_sequence=0, ready=False, fresh=True)
        state = replace(state, signals=tuple(one.signal for one in found), granted=_promised(answer))
        remember(state)
        state = await self.add_items(state, found, remember, timestamp_trigger=timestamp_trigger)
        await self.publishing(state.subscription)
        return state

    async def add_items(
        self,
        state: SubscriptionState,
        found: Sequence[Found],
        remember: Callable[[SubscriptionState], None],
        *,
        timestamp_trigger: bool,
    ) -> SubscriptionState:
        """Complete a subscription of which no item exists yet. Without a heartbeat it is given up: taken up again, it
        would only be silent."""
        items = await self._create_items(state.subscription, found, timestamp_trigger=timestamp_trigger)
        refused = _refused(found, items)
        if HEARTBEAT in refused:
            await self.delete(state.subscription)
            remember(replace(state, subscription=0))
            raise NoHeartbeat(f"the server does not let us monitor the heartbeat: {refused[HEARTBEAT]}")
        granted = _granted(state.granted, [item for item in items if item.StatusCode.is_good()]) | {"missing": refused}
        await self._check_tolerance(state, granted["outage_tolerance_seconds"], remember)
        signals = tuple("" if signal in refused else signal for signal in state.signals)
        state = replace(state, ready=True, signals=signals, granted=granted)
        remember(state)
        return state

    async def _check_tolerance(
        self, state: SubscriptionState, tolerance: float, remember: Callable[[SubscriptionState], None]
    ) -> None:
        """Give the subscription up when it cannot bridge what the contract demands."""
        if tolerance < self._config.contract_tolerance_seconds:
            await self.delete(state.subscription)
            remember(replace(state, subscription=0))
            raise ToleranceRefused(
                f"the server keeps values for an outage of {tolerance:g} s, the contract demands "
                f"{self._config.contract_tolerance_seconds} s: raise the queue on the control, or source.sampling_ms"
            )

    async def publishing(self, subscription: int) -> None:
        """Let it send; it may already."""
        parameters = ua.SetPublishingModeParameters()
        parameters.PublishingEnabled = True
        parameters.SubscriptionIds = [subscription]
        (await self._link.session.set_publishing_mode(parameters))[0].check()

    async def transfer(self, subscription: int) -> None:
        """Take it over from an earlier session. Vanished when the server has or gives it no more."""
        parameters = ua.TransferSubscriptionsParameters()
        parameters.SubscriptionIds = [subscription]
        parameters.SendInitialValues = False
        try:
            code = (await self._link.session.transfer_subscriptions(parameters))[0].StatusCode
        except UaStatusCodeError as error:
            raise Vanished(f"transfer refused: {type(error).__name__}") from error
        # BadNothingToDo: it is ours already.
        if not code.is_good() and code.value != ua.StatusCodes.BadNothingToDo:
            raise Vanished(f"transfer refused: {code.name}")

    async def publish(self, acks: list[ua.SubscriptionAcknowledgement]) -> Published:
        """Ask for the next message, for as long as it takes; `acks` are acknowledged."""
        request = ua.PublishRequest()
        request.Parameters.SubscriptionAcknowledgements = acks
        return read_publish(await self._send(request, 0))

    async def republish(self, subscription: int, sequence: int) -> Message | None:
        """A message sent earlier, or None when the server has it no more (or never sent it)."""
        request = ua.RepublishRequest()
        request.Parameters.SubscriptionId = subscription
        request.Parameters.RetransmitSequenceNumber = sequence
        try:
            message = read_republish(await self._send(request))
        except (BadSubscriptionIdInvalid, BadNoSubscription) as error:
            raise Vanished(f"republish refused: {type(error).__name__}") from error
        except BadMessageNotAvailable:
            return None
        except (UaStatusCodeError, OSError, TimeoutError):
            raise
        except Exception:
            # It cannot be decoded, now or ever: it is lost, and must not stop what comes after it.
            return None
        return message if message.sequence == sequence and not message.empty else None

    async def delete(self, subscription: int) -> None:
        """Leave nothing behind on the server, as far as it lets us."""
        try:
            await self._link.session.delete_subscriptions([subscription])
        except UaStatusCodeError:
            return

    async def _create(self) -> ua.CreateSubscriptionResult:
        """Asked for on the transport: asyncua's own service would begin to acknowledge on its own."""
        config = self._config
        request = ua.CreateSubscriptionRequest()
        parameters = request.Parameters
        parameters.RequestedPublishingInterval = float(config.publish_ms)
        parameters.RequestedMaxKeepAliveCount = max(1, KEEP_ALIVE_SECONDS * 1000 // max(config.publish_ms, 1))
        parameters.RequestedLifetimeCount = max(
            3 * parameters.RequestedMaxKeepAliveCount, config.tolerance_seconds * 1000 // max(config.publish_ms, 1)
        )
        parameters.MaxNotificationsPerPublish = 0
        parameters.PublishingEnabled = False
        response = struct_from_binary(ua.CreateSubscriptionResponse, await self._send(request))
        response.ResponseHeader.ServiceResult.check()
        granted: ua.CreateSubscriptionResult = response.Parameters
        return granted

    async def _send(self, request: Any, limit_seconds: float | None = None) -> Buffer:
        """The body of the answer. `limit_seconds`: None is the connection's, 0 none."""
        protocol = self._link.client.uaclient.protocol
        if protocol is None:
            raise ConnectionError("the connection is closed")
        return await protocol.send_request(request, limit_seconds)

    async def _create_items(
        self, subscription: int, found: Sequence[Found], *, timestamp_trigger: bool
    ) -> list[ua.MonitoredItemCreateResult]:
        parameters = ua.CreateMonitoredItemsParameters()
        parameters.SubscriptionId = subscription
        parameters.TimestampsToReturn = ua.TimestampsToReturn.Source
        parameters.ItemsToCreate = [
            self._item(handle, one.node, timestamp_trigger=timestamp_trigger) for handle, one in enumerate(found)
        ]
        items: list[ua.MonitoredItemCreateResult] = await self._link.session.create_monitored_items(parameters)
        return items

    def _item(self, handle: int, node: ua.NodeId, *, timestamp_trigger: bool) -> ua.MonitoredItemCreateRequest:
        item = ua.MonitoredItemCreateRequest()
        item.ItemToMonitor.NodeId = node
        item.ItemToMonitor.AttributeId = ua.AttributeIds.Value
        item.MonitoringMode = ua.MonitoringMode.Reporting
        wanted = item.RequestedParameters
        wanted.ClientHandle = handle
        wanted.SamplingInterval = float(self._config.sampling_ms)
        wanted.QueueSize = self._config.queue
        wanted.DiscardOldest = True
        if timestamp_trigger:
            trigger = ua.DataChangeFilter()
            trigger.Trigger = ua.DataChangeTrigger.StatusValueTimestamp
            wanted.Filter = trigger
        return item


def _refused(found: Sequence[Found], items: Sequence[ua.MonitoredItemCreateResult]) -> dict[str, str]:
    """The signals that the server does not let us monitor, and what it says of each."""
    pairs = zip(found, items, strict=True)
    return {one.signal: f"{one.path}: {item.StatusCode.name}" for one, item in pairs if not item.StatusCode.is_good()}


def _promised(answer: ua.CreateSubscriptionResult) -> dict[str, Any]:
    """What the server made of our wishes for the subscription itself."""
    lifetime = answer.RevisedPublishingInterval * answer.RevisedLifetimeCount / 1000
    return {"publish_ms": answer.RevisedPublishingInterval, "lifetime_seconds": lifetime}


def _granted(promised: dict[str, Any], items: Sequence[ua.MonitoredItemCreateResult]) -> dict[str, Any]:
    """The same with its items. The server keeps values for an agent that is away for `outage_tolerance_seconds`."""
    sampling = max(item.RevisedSamplingInterval for item in items)
    queue = min(item.RevisedQueueSize for item in items)
    lifetime = promised["lifetime_seconds"]
    tolerance = min(queue * sampling / 1000, lifetime) if sampling > 0 else lifetime
    return promised | {"sampling_ms": sampling, "queue": queue, "outage_tolerance_seconds": tolerance}
