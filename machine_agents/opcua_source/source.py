"""Keeps a connection to the machine: connects, runs the engine, and after any failure waits and begins again."""

import asyncio
import contextlib
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from machine_agents.budget import OverBudget, check_budget
from machine_agents.config import SourceConfig
from machine_agents.credentials import BadSecret
from machine_agents.delivery import NotStored, Sink, StoreBroken
from machine_agents.opcua_source.engine import Engine, Silent
from machine_agents.opcua_source.identity import own_identity, renew_if_expired
from machine_agents.opcua_source.login import LoginRefused, read_login
from machine_agents.opcua_source.nodes import Resolution, resolve
from machine_agents.opcua_source.session import Link, SecurityRefused, connect, explain
from machine_agents.opcua_source.state import SubscriptionState
from machine_agents.opcua_source.subscription import NoHeartbeat, ToleranceRefused
from machine_agents.profile import Profile
from machine_agents.status import Status

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_LOGIN_PAUSE_SECONDS = 3_600
_LOOK_AT_LOGIN_SECONDS = 1.0
_HISTORY_FAILURES = 3
_WARN_BEFORE = timedelta(days=60)


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
        self._login = read_login(config)
        renewed = renew_if_expired(folder, status.now())
        self._identity = own_identity(folder)
        self._silences = 0
        self._history_failures = 0
        self._login_refusals = 0
        self._pause: float = _FIRST_PAUSE_SECONDS
        self._show_identity(renewed=renewed)

    def _show_identity(self, *, renewed: bool) -> None:
        """The fingerprint that has to be trusted on the control, and a warning before the certificate expires."""
        one, shown = self._identity, self._identity.fingerprint
        facts = {"agent_certificate": shown, "agent_certificate_expires": one.expires}
        self._status.note("source", endpoint=self._config.endpoint, **facts)
        if renewed:
            self._status.say("agent certificate renewed: trust the new one on the control", agent_certificate=shown)
        elif one.expires - self._status.now() < _WARN_BEFORE:
            why = f"the agent's certificate expires on {one.expires:%Y-%m-%d}: delete agent.der and trust the new one"
            self._status.note("source", certificate_warning=why)
            self._status.say("agent certificate expires", why=why, agent_certificate=shown)

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
            except LoginRefused as refused:
                await self._wait_for_login(refused)
                continue
            except (SecurityRefused, ToleranceRefused) as refused:
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

    async def _wait_for_login(self, refused: LoginRefused) -> None:
        """Try the same again only seldom, so that the control does not lock the user; what is new at once."""
        first = self._config.login_retry_seconds
        pause = min(first * 2**self._login_refusals, max(first, _LONGEST_LOGIN_PAUSE_SECONDS))
        self._login_refusals += 1
        self._pause = pause
        self._failed("refused", refused)
        self._status.write(at_once=True)
        end = self._monotonic() + pause
        while (left := end - self._monotonic()) > 0:
            await asyncio.sleep(min(left, _LOOK_AT_LOGIN_SECONDS))
            with contextlib.suppress(BadSecret):
                if (new := read_login(self._config)) != self._login:
                    self._login, self._login_refusals = new, 0
                    break
        self._pause = _FIRST_PAUSE_SECONDS

    async def _once(self) -> None:
        known = SubscriptionState.of_text(self._sink.remembered())
        # A refused login is tried once a time: not for the old session and then again for a new one.
        token = "" if self._login_refusals else known.token
        now, where = self._status.now(), self._pin
        async with connect(
            self._config, self._identity, where, self._login, now=now, token=token, nonce=known.nonce
        ) as link:
            self._login_refusals = 0
            resolution = await self._resolve(link)
            engine = Engine(
                link,
                self._config,
                self._profile,
                resolution,
                self._sink,
                self._status,
                # A server that breaks whenever it is asked for history is still metered.
                history=self._config.history and self._history_failures < _HISTORY_FAILURES,
                monotonic=self._monotonic,
            )
            try:
                # Silent again after a resume: the subscription itself is at fault.
                await engine.run(anew=self._silences > 1)
            finally:
                if engine.reading_history:
                    self._history_failures += 1
                elif engine.delivered:
                    self._history_failures = 0
                if engine.delivered:
                    self._pause = _FIRST_PAUSE_SECONDS
                if engine.alive:
                    self._silences = 0

    async def _resolve(self, link: Link) -> Resolution:
        async with asyncio.timeout(6 * self._config.request_seconds):
            resolution = await resolve(link.session, self._profile, self._config.machine, self._config.channel)
        check_budget(self._profile, self._config, [one.signal for one in resolution.found])
        if not resolution.has_heartbeat:
            why = resolution.missing.get("heartbeat", "it is not in the profile")
            raise NoHeartbeat(f"nothing can be metered without the heartbeat: {why}")
        self._status.note(
            "source",
            state="connected",
            why=None,
            server_certificate=link.server,
            server_warning=link.warning or None,
            security=link.security,
            missing=resolution.missing,
        )
        self._status.say(
            "connected", endpoint=self._config.endpoint, security=link.security, missing=resolution.missing
        )
        return resolution

    def _failed(self, state: str, error: BaseException) -> None:
        why = explain(error, self._identity)
        self._status.note("source", state=state, why=why)
        self._status.say(f"source {state}", why=why, retry_seconds=round(self._pause, 1))
