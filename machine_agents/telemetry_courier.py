"""Brings segments of telemetry to the service, oldest first, one at a time, and only when every record is sent."""

import asyncio
import base64
import hashlib
import random
from collections.abc import Awaitable, Callable

import httpx

from machine_agents.config import ServiceConfig
from machine_agents.segment_files import SegmentFiles
from machine_agents.spool import Spool
from machine_agents.status import Status

_REQUEST_SECONDS = 60
_IDLE_SECONDS = 1.0
_FIRST_PAUSE_SECONDS = 2.0
_SET_ASIDE = (httpx.codes.CONFLICT, httpx.codes.REQUEST_ENTITY_TOO_LARGE, httpx.codes.UNPROCESSABLE_ENTITY)


class TelemetryCourier:
    """Packs and sends until it is cancelled. A segment is the same on every retry, and deleted by its receipt."""

    def __init__(
        self,
        config: ServiceConfig,
        files: SegmentFiles,
        token: str,
        status: Status,
        *,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._config, self._files, self._token, self._status, self._pause = config, files, token, status, pause
        self._client = httpx.AsyncClient(base_url=config.url, timeout=_REQUEST_SECONDS)
        self._wait = _FIRST_PAUSE_SECONDS

    async def run(self, spool: Spool) -> None:
        """Send for ever; cancel to stop."""
        async with self._client:
            while True:
                try:
                    await asyncio.to_thread(self._files.pack)
                    counts = spool.counts()
                    if counts.sent < counts.sealed or not await self.send_one():
                        self._note()
                        await self._pause(_IDLE_SECONDS)
                except (httpx.HTTPError, OSError, ValueError) as error:
                    await self._failed(str(error) or type(error).__name__)

    async def send_one(self) -> bool:
        """Send the oldest segment and forget it when the service has it; False when there is none."""
        found = self._files.oldest()
        if found is None:
            return False
        number, packed = found
        digest = hashlib.sha256(packed).digest()
        answer = await self._client.post(
            "/api/telemetry",
            content=packed,
            headers={
                "Authorization": f"Bearer {self._token}",
                "Content-Type": "application/gzip",
                "Content-Digest": f"sha-256=:{base64.b64encode(digest).decode()}:",
            },
        )
        if answer.status_code in _SET_ASIDE:
            self._files.set_aside(number)
            self._status.say("telemetry segment refused", segment=number, why=answer.text[:300])
        elif answer.is_success and _receipt(answer) == (number, digest.hex()):
            self._files.delivered(number)
        else:
            raise httpx.DecodingError(f"{answer.status_code}: segment {number} is not confirmed: {answer.text[:200]}")
        self._wait = _FIRST_PAUSE_SECONDS
        self._note(why=None)
        return True

    def _note(self, **facts: str | None) -> None:
        waiting = self._files.waiting()
        about = {"waiting": waiting.segments, "bytes": waiting.bytes, "refused": waiting.refused or None}
        self._status.note("telemetry", **about, full=self._files.full or None, **facts)

    async def _failed(self, why: str) -> None:
        self._note(why=why)
        self._status.say("telemetry not sent", why=why, retry_seconds=round(self._wait, 1))
        await self._pause(self._wait * random.uniform(0.8, 1.2))
        self._wait = min(2 * self._wait, max(self._config.retry_max_seconds, _FIRST_PAUSE_SECONDS))


def _receipt(answer: httpx.Response) -> tuple[object, object]:
    plain = answer.json()
    if not isinstance(plain, dict):
        raise ValueError("the receipt is no JSON object")
    return plain.get("number"), plain.get("digest")
