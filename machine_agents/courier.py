"""The courier: enrols the agent once, then brings the spool's records to the service, oldest first.

A batch is the same on every retry, so that nothing is lost or doubled whatever happens to a request or its answer.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx

from machine_agents.config import ServiceConfig
from machine_agents.credentials import BadSecret, Enrolment, first_line, save_enrolment
from machine_agents.cut_planner import CutPlanner, poll
from machine_agents.delivery import NotStored, StoreBroken
from machine_agents.rotation import announced, pending
from machine_agents.spool import Spool, Spooled
from machine_agents.status import Status
from metering.ocmf import PrivateKey, public_to_pem

_FIRST_PAUSE_SECONDS = 0.5
_MAX_BATCH_BYTES = 1024 * 1024
_REFUSALS = "Spindleshare-Refused"
_ASKED_AT_ONCE = 100


class Refused(Exception):
    """The service understood and said no; asking again changes nothing until somebody acts."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the service did with a batch. `high_water`: it holds every record up to this number. `settled` are earlier
    refusals that wait for nobody any more: their owner accepted the gap, or the record was stored after all."""

    high_water: int
    refused: dict[int, str]
    settled: tuple[int, ...] = ()

    @classmethod
    def of(cls, answer: dict[str, Any], batch: list[Spooled]) -> "Receipt":
        """From the service's answer; KeyError, TypeError or ValueError when it is none."""
        sent = {one.pagination for one in batch}
        high_water = int(answer["high_water"])
        # A text that the service cannot read has no number there: it is the one that its mark stopped at.
        refused = {int(one["pagination"] or high_water + 1): str(one["reason"]) for one in answer["refused"]}
        settled = tuple(int(number) for number in answer.get("settled") or ())
        return cls(high_water, {number: why for number, why in refused.items() if number in sent}, settled)


class Courier:
    """Talks with the service. `pause` is how it waits (asyncio.sleep)."""

    def __init__(
        self,
        config: ServiceConfig,
        folder: Path,
        key: PrivateKey,
        name: str,
        status: Status,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._config, self._folder, self._key, self._name, self._status = config, folder, key, name, status
        self._pause = pause
        self._wait = _FIRST_PAUSE_SECONDS
        self.planner: CutPlanner | None = None
        self._client = httpx.AsyncClient(base_url=config.url, timeout=config.request_seconds)

    async def close(self) -> None:
        await self._client.aclose()

    async def enrol(self) -> Enrolment:
        """Enrol with the one-time code, for as long as it takes; the same key again gets the same answer."""
        while True:
            try:
                return await self._enrol_once()
            except (Refused, BadSecret) as refused:
                self._wait = self._config.retry_max_seconds
                await self._failed("not enrolled", str(refused))
            except (httpx.HTTPError, NotStored) as error:
                await self._failed("not enrolled", _why(error))

    async def run(self, spool: Spool, token: str) -> None:
        """Send for ever; cancel to stop. StoreBroken when the service knows of this agent what the spool does not."""
        compared = False
        while True:
            try:
                compared = compared or await self._compare(spool, token)
                await self._announce_key(token)
                await self._ask_for_schedule(token)
                if not await self.send_batch(spool, token):
                    await self._pause(0.25)
                continue
            except Refused as refused:
                self._wait = self._config.retry_max_seconds
                await self._failed("refused", str(refused))
            except (httpx.HTTPError, NotStored) as error:
                await self._failed("not reached", _why(error))
            except (KeyError, TypeError, ValueError) as error:
                await self._failed("not understood", repr(error))

    async def _compare(self, spool: Spool, token: str) -> bool:
        """Hold the chain's end at the service against the spool: one restored from a backup must not seal again."""
        answer = await self._client.get("/api/agents/chain", headers={"Authorization": f"Bearer {token}"})
        if answer.status_code == httpx.codes.NOT_FOUND:
            return True
        end = _answer(answer)
        number, digest = int(end["pagination"]), spool.digest_of(int(end["pagination"]))
        if number > spool.tail.pagination or (digest or end["digest"]) != end["digest"]:
            raise StoreBroken(
                f"the service has records up to {number} that this spool does not: it was restored from a backup; "
                "`python -m machine_agents recover` goes on from there"
            )
        return True

    async def _announce_key(self, token: str) -> None:
        """Tell the service of a new key before any record of it is sent."""
        rotation = pending(self._folder)
        if rotation is None:
            return
        answer = await self._client.post(
            "/api/agents/key", json=asdict(rotation), headers={"Authorization": f"Bearer {token}"}
        )
        _answer(answer)
        announced(self._folder)
        self._status.say("new key taken", first_record=rotation.first_record)

    async def _ask_for_schedule(self, token: str) -> None:
        """Ask for the cut schedule when no receipt has spoken of it for a while; a no to that stops nothing else."""
        planner = self.planner
        if planner is None or not planner.is_due():
            return
        response = await poll(planner, self._client, token)
        if response.status_code == httpx.codes.NOT_FOUND:
            planner.absent()
            return
        try:
            answer = _answer(response)
            planner.pin(answer)
            planner.take(answer)
            self._wait = _FIRST_PAUSE_SECONDS
        except Refused as refused:
            planner.refused(str(refused))
        except (TypeError, ValueError) as error:
            planner.refused(f"the service's answer cannot be read: {error!r}")

    async def send_batch(self, spool: Spool, token: str) -> bool:
        """Send the oldest batch and note the receipt; False when there is nothing to send."""
        batch = spool.batch(self._config.batch, _MAX_BATCH_BYTES)
        if not batch:
            return False
        answer = await self._client.post(
            "/api/readings",
            content="\n".join(one.text for one in batch),
            headers={
                "Authorization": f"Bearer {token}",
                "Content-Type": "text/plain; charset=utf-8",
                **(self.planner.header() if self.planner else {}),
                **_refusals(spool),
            },
        )
        if answer.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE and len(batch) > 1:
            spool.shrink_batch(batch[len(batch) // 2 - 1].pagination)
            return True
        try:
            told = _answer(answer)
            receipt = Receipt.of(told, batch)
        except (KeyError, TypeError, ValueError) as error:
            raise httpx.DecodingError(f"the receipt cannot be read: {error!r}") from error
        self._settle(spool, batch, receipt)
        if self.planner is not None:
            self.planner.take(told)
        return True

    def _settle(self, spool: Spool, batch: list[Spooled], receipt: Receipt) -> None:
        """Note what became of the batch. A service that fell back (restored from a backup) gets the rest again."""
        last = batch[-1].pagination
        refused = {*receipt.refused, *spool.refused()}
        if receipt.high_water < min([last, *(number - 1 for number in refused)]):
            known = self._status.facts.get("service", {}).get("fell_back_to")
            self._status.note("service", fell_back_to=receipt.high_water)
            self._status.say("service fell back", high_water=receipt.high_water)
            spool.rewind(receipt.high_water)
            if known == receipt.high_water:
                raise Refused(f"the service does not keep record {receipt.high_water + 1}, and gives no reason")
            return
        spool.settle(last, receipt.refused, accepted=receipt.settled)
        self._wait = _FIRST_PAUSE_SECONDS
        self._status.note("service", state="reached", why=None, fell_back_to=None, high_water=receipt.high_water)
        if receipt.refused:
            self._status.say("records refused", refused=receipt.refused)
        if receipt.settled:
            self._status.say("refused records settled", settled=list(receipt.settled))
        if receipt.refused or receipt.settled:
            self._status.note("service", refused=spool.refused() or None)

    async def _enrol_once(self) -> Enrolment:
        if self._config.code_file is None:
            raise Refused("the agent is not enrolled: give service.code_file, a file with a code from the operator")
        body = {
            "code": first_line(self._config.code_file, "enrolment code"),
            "public_key_pem": public_to_pem(self._key.public_key()),
            "agent": self._name,
            "version": version("spindleshare"),
        }
        answer = await self._client.post("/api/agents/enrol", json=body)
        try:
            enrolment = Enrolment.of(_answer(answer))
        except (KeyError, TypeError, ValueError) as error:
            raise httpx.DecodingError(f"the enrolment cannot be read: {error!r}") from error
        save_enrolment(self._folder, enrolment)
        self._wait = _FIRST_PAUSE_SECONDS
        self._status.say("enrolled", agent=enrolment.agent_id, meter=enrolment.meter_serial)
        return enrolment

    async def _failed(self, state: str, why: str) -> None:
        self._status.note("service", state=state, why=why)
        self._status.say(f"service {state}", why=why, retry_seconds=round(self._wait, 1))
        self._status.write(at_once=True)
        await self._pause(self._wait * random.uniform(0.8, 1.2))
        self._wait = min(2 * self._wait, self._config.retry_max_seconds)


def _refusals(spool: Spool) -> dict[str, str]:
    """What asks the service which refused records are settled: their numbers, the oldest ones."""
    known = list(spool.refused())[:_ASKED_AT_ONCE]
    return {_REFUSALS: ",".join(map(str, known))} if known else {}


def _answer(response: httpx.Response) -> dict[str, Any]:
    """The JSON object of a good answer. Refused for what a retry cannot change; else an httpx error."""
    if response.is_success:
        answer = response.json()
        if not isinstance(answer, dict):
            raise TypeError("no JSON object")
        return answer
    status = response.status_code
    why = f"{status}: {_problem(response)}"
    if status < 500 and status not in (httpx.codes.REQUEST_TIMEOUT, httpx.codes.TOO_MANY_REQUESTS):
        raise Refused(why)
    raise httpx.HTTPStatusError(why, request=response.request, response=response)


def _problem(response: httpx.Response) -> str:
    """The problem's own words, when the answer holds them."""
    try:
        problem = response.json()
        words = [problem.get("title"), problem.get("detail"), problem.get("what_to_do")]
    except (ValueError, AttributeError):
        return response.text[:200]
    return "; ".join(str(word) for word in words if word)


def _why(error: Exception) -> str:
    return str(error) or type(error).__name__
