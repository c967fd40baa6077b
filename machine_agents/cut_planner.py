"""Keeps the meter's cut plan up to date: schedules come in receipts, or by polling when no receipt came for a while.

A schedule is followed only when the key that was pinned at enrolment signed it; any other has no effect and is shown.
The plan that was followed last holds until another takes its place, however long the service is away.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx

from machine_agents.credentials import Enrolment, save_enrolment
from machine_agents.sealing import Meter
from machine_agents.status import Status
from metering.ocmf import fingerprint, public_from_pem
from metering.schedule_plan import Admitted

HEADER = "Spindleshare-Schedule"
_SECTION = "schedule"


class CutPlanner:
    """Follows the service's schedules for one meter. `monotonic` is a clock that is never set, in seconds."""

    def __init__(
        self,
        meter: Meter,
        identity: Enrolment,
        folder: Path,
        status: Status,
        *,
        poll_seconds: int,
        monotonic: Callable[[], float],
    ) -> None:
        self._meter, self._identity, self._folder, self._status = meter, identity, folder, status
        self._poll_seconds, self._monotonic = poll_seconds, monotonic
        self._heard = float("-inf")
        self._refused: str | None = None

    def header(self) -> dict[str, str]:
        """What tells the service which schedule is known here."""
        return {HEADER: str(self._meter.plan.number)}

    def is_due(self) -> bool:
        """Whether the service has said nothing of schedules for so long that it has to be asked."""
        return self._monotonic() - self._heard >= self._poll_seconds

    def take(self, answer: Mapping[str, Any]) -> None:
        """What the service answered to a request with `header`: a newer schedule, or none because there is none."""
        self._heard = self._monotonic()
        text = answer.get("schedule")
        if isinstance(text, str):
            self._follow(text)
        else:
            self._refused = None
            self._status.note(_SECTION, refused=None, confirmed=self._status.now().isoformat())

    def refused(self, why: str) -> None:
        """The service gives no schedule to this agent; it is asked again after a while."""
        self._heard = self._monotonic()
        self._refuse(why)

    def absent(self) -> None:
        """The service is of before schedules: sessions are its own to cut. It is asked again after a while."""
        self._heard = self._monotonic()

    def pin(self, answer: Mapping[str, Any]) -> None:
        """Keep the key that signs schedules, where enrolment did not bring it: once, then no other is believed."""
        pem = answer.get("schedule_key_pem")
        if self._identity.schedule_key_pem or not isinstance(pem, str):
            return
        key = public_from_pem(pem)
        self._identity = replace(self._identity, schedule_key_pem=pem)
        save_enrolment(self._folder, self._identity)
        self._status.say("schedule key pinned", fingerprint=fingerprint(key))

    def _follow(self, text: str) -> None:
        pem = self._identity.schedule_key_pem
        if not pem:
            self._refuse("there is no key to check it by yet: the service gives it when it is polled")
            return
        outcome = self._meter.follow(text, public_from_pem(pem))
        if not isinstance(outcome, Admitted):
            self._refuse(f"{outcome.why.value}: {outcome.detail}")
            return
        self._refused = None
        plan = outcome.plan
        self._status.note(_SECTION, refused=None, confirmed=self._status.now().isoformat())
        self._status.say("schedule followed", number=plan.number, cuts=len(plan.cuts))
        if outcome.missed:
            self._status.count(_SECTION, "missed", len(outcome.missed))
            sessions = sorted({cut.session for cut in outcome.missed if cut.session})
            self._status.say("cuts missed", level="warning", cuts=len(outcome.missed), sessions=sessions)

    def _refuse(self, why: str) -> None:
        """Said once, not with every receipt that brings the same again."""
        self._status.note(_SECTION, refused=why)
        if why != self._refused:
            self._refused = why
            self._status.count(_SECTION, "refusals")
            self._status.say("schedule refused", level="warning", why=why)


async def poll(planner: CutPlanner, client: httpx.AsyncClient, token: str) -> httpx.Response:
    """Ask for the schedule; httpx' errors mean that the service is not there."""
    return await client.get("/api/agents/schedule", headers={"Authorization": f"Bearer {token}", **planner.header()})
