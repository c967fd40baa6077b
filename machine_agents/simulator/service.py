"""What asyncua's server lacks around subscriptions: transfer that moves everything, and life beyond a session."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.server.internal_server import InternalServer
from asyncua.server.internal_session import InternalSession
from asyncua.server.subscription_service import SubscriptionService

from machine_agents.simulator.subscription import Subscription

SHORTEST_INTERVAL_MS = 20.0


def _nothing() -> None:
    pass


class Subscriptions(SubscriptionService):
    """All subscriptions of the server. `told` is called when something happened that the player may wait for."""

    def __init__(self, space: Any, server: InternalServer) -> None:
        super().__init__(space, server)
        self.told: Callable[[], None] = _nothing
        self.gone: Callable[[Subscription], None] = lambda subscription: None

    async def create_subscription(
        self, params: Any, callback: Any, session_id: ua.NodeId, request_callback: Any = None
    ) -> Any:
        if len(self.subscriptions) >= self.iserver.max_subscriptions:
            raise ServiceError(ua.StatusCodes.BadTooManySubscriptions)
        result = ua.CreateSubscriptionResult()
        result.RevisedPublishingInterval = max(params.RequestedPublishingInterval, SHORTEST_INTERVAL_MS)
        result.RevisedMaxKeepAliveCount = self._clamp_keep_alive_count(params.RequestedMaxKeepAliveCount)
        lifetime = max(params.RequestedLifetimeCount, 3 * result.RevisedMaxKeepAliveCount)
        result.RevisedLifetimeCount = self._clamp_lifetime_count(lifetime)
        self._sub_id_counter += 1
        result.SubscriptionId = self._sub_id_counter
        subscription = Subscription(
            result,
            self.aspace,
            callback,
            session_id,
            request_callback=request_callback,
            delete_callback=lambda: self._forget(result.SubscriptionId),
            no_acks_limit=self.iserver.max_unacked_messages_per_subscription,
            max_queue_size=self.iserver.max_monitored_item_queue_size,
            publishing_enabled=params.PublishingEnabled,
            most=params.MaxNotificationsPerPublish,
            now=asyncio.get_running_loop().time,
            told=lambda: self.told(),
        )
        await subscription.start()
        self.subscriptions[result.SubscriptionId] = subscription
        return result

    async def delete_subscriptions(self, ids: list[int]) -> Any:
        leaving = [self.subscriptions[one] for one in ids if one in self.subscriptions]
        results = await super().delete_subscriptions(ids)
        for subscription in leaving:
            self.gone(subscription)
        self.told()
        return results

    def republish(self, params: Any) -> Any:
        if params.SubscriptionId not in self.subscriptions:
            raise ServiceError(ua.StatusCodes.BadSubscriptionIdInvalid)
        return super().republish(params)

    async def transfer_subscriptions(self, params: Any, session_id: ua.NodeId, callback: Any) -> Any:
        """asyncua moves only the way out and leaves the subscription asking the dead connection for requests."""
        results = await super().transfer_subscriptions(params, session_id, callback)
        for one in params.SubscriptionIds:
            if subscription := self.subscriptions.get(one):
                subscription.pub_request_callback = callback.__self__.get_publish_request
        return results

    async def replace_abandoned(self, newcomer: Subscription) -> None:
        """Delete what the newcomer's application left behind on connections that are gone."""
        left = [
            number
            for number, one in self.subscriptions.items()
            if one is not newcomer and one.application == newcomer.application and one.processor._closing
        ]
        if left:
            await self.delete_subscriptions(left)

    def _forget(self, number: int) -> None:
        if subscription := self.subscriptions.pop(number, None):
            self.gone(subscription)
            self.told()


class Session(InternalSession):
    """A client's session. It needs a secure channel, and its subscriptions outlive its time-out (Part 4, 5.14.1)."""

    application = ""

    async def create_session(self, params: Any, sockname: Any = None) -> Any:
        self.application = params.ClientDescription.ApplicationUri
        return await super().create_session(params, sockname)

    async def create_subscription(self, params: Any, callback: Any, request_callback: Any = None) -> Any:
        result = await super().create_subscription(params, callback, request_callback)
        subscription = self.subscription_service.subscriptions[result.SubscriptionId]
        subscription.application = self.application
        await self.subscription_service.replace_abandoned(subscription)
        return result

    async def close_session(self, delete_subs: bool = True) -> None:
        timed_out = asyncio.current_task() is self._timeout_task
        await super().close_session(delete_subs and not timed_out)


class Internals(InternalServer):
    """asyncua's inner server with our subscriptions and sessions."""

    time_task: "asyncio.Task[None] | None"

    def __init__(self, user_manager: Any) -> None:
        super().__init__(user_manager)
        self.subscription_service = Subscriptions(self.aspace, self)
        self.isession.subscription_service = self.subscription_service

    def create_session(self, name: str, user: Any = None, external: bool = False) -> Any:
        options = {} if user is None else {"user": user}
        return Session(self, self.aspace, self.subscription_service, name, external=external, **options)

    async def stop(self) -> None:
        """asyncua would wait for its clock's next second."""
        if self.time_task is not None:
            self.time_task.cancel()
            with suppress(asyncio.CancelledError):
                await self.time_task
            self.time_task = None
        await super().stop()
