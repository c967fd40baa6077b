"""Keeps a connection to the machine: connects, runs the engine, and after any failure waits and begins again."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

from machine_agents.budget import OverBudget, check_budget
from machine_agents.config import SourceConfig
from machine_agents.credentials import first_line
from machine_agents.delivery import NotStored, Sink, StoreBroken
from machine_agents.opcua_source.engine import Engine, Silent
from machine_agents.opcua_source.identity import own_identity
from machine_agents.opcua_source.nodes import Resolution, resolve
from machine_agents.opcua_source.session import Link, SecurityRefused, connect, explain
from machine_agents.opcua_source.state import SubscriptionState
from machine_agents.opcua_source.subscription import NoHeartbeat
from machine_agents.profile import Profile
from machine_agents.status import Status

_FIRST_PAUSE_SECONDS = 0.5


class OpcUaSource:
    """The machine, seen through its OPC UA server. An absent server is normal: machines are switched off."""

    def __init__(
        self,
        config: SourceConfig,
        profile: Profile,
        sink: Sink,
        status: Status,
        *,
        folder: Path,
        monotonic: Callable[[], float],
    ) -> None:
        """`folder` holds the agent's certificate and the server's, once known. BadSecret when there is no password."""
        self._config, self._profile, self._sink, self._status = config, profile, sink, status
        self._pin, self._monotonic = folder / "server.der", monotonic
        self._password = first_line(config.password_file, "password of the OPC UA user")
        self._identity = own_identity(folder)
        self._silences = 0
        self._pause = _FIRST_PAUSE_SECONDS
        status.note("source", endpoint=config.endpoint, agent_certificate=self._identity.fingerprint)

    async def run(self) -> None:
        """Deliver what the machine says, for ever; cancel to stop."""
        while True:
            try:
                await self._once()
            except (asyncio.CancelledError, StoreBroken):
                raise
            except Silent as silent:
                self._silences += 1
                self._failed("silent", silent)
            except SecurityRefused as refused:
                self._pause = self._config.retry_max_seconds
                self._failed("refused", refused)
            except (NotStored, NoHeartbeat, OverBudget) as trouble:
                self._failed("stopped", trouble)
            except Exception as error:
                # Whatever a server or the network may do ends here: this connection is over, the next is made anew.
                self._failed("disconnected", error)
            self._status.write(at_once=True)
            await asyncio.sleep(self._pause * random.uniform(0.8, 1.2))
            self._pause = min(2 * self._pause, self._config.retry_max_seconds)

    async def _once(self) -> None:
        known = SubscriptionState.of_text(self._sink.remembered())
        async with connect(
            self._config, self._identity, self._pin, self._password, token=known.token, nonce=known.nonce
        ) as link:
            resolution = await self._resolve(link)
            engine = Engine(
                link,
                self._config,
                self._profile,
                resolution,
                self._sink,
                self._status,
                monotonic=self._monotonic,
            )
            try:
                # Silent again after a resume: the subscription itself is at fault.
                await engine.run(anew=self._silences > 1)
            finally:
                if engine.delivered:
                    self._pause = _FIRST_PAUSE_SECONDS
                if engine.alive:
                    self._silences = 0

    async def _resolve(self, link: Link) -> Resolution:
        async with asyncio.timeout(6 * self._config.request_seconds):
            resolution = await resolve(link.session, self._profile, self._config.machine, self._config.channel)
        check_budget(self._profile, self._config, len(resolution.found))
        if not resolution.has_heartbeat:
            why = resolution.missing.get("heartbeat", "it is not in the profile")
            raise NoHeartbeat(f"nothing can be metered without the heartbeat: {why}")
        self._status.note(
            "source", state="connected", why=None, server_certificate=link.server, missing=resolution.missing
        )
        self._status.say("connected", endpoint=self._config.endpoint, missing=resolution.missing)
        return resolution

    def _failed(self, state: str, error: BaseException) -> None:
        why = explain(error, self._identity)
        self._status.note("source", state=state, why=why)
        self._status.say(f"source {state}", why=why, retry_seconds=round(self._pause, 1))
