"""What `check` looks at beside the machine: secrets, data folder, disk, service and clock. Nothing is changed."""

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path

import httpx

from machine_agents.config import AgentConfig, ServiceConfig
from machine_agents.credentials import BadSecret, enrolment, first_line
from machine_agents.health import LOW_DISK_BYTES

MOST_OFFSET_SECONDS = 5
_REQUEST_SECONDS = 10


class Verdict(StrEnum):
    """How a check came out."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the report; `what_to_do` is empty when there is nothing to do."""

    name: str
    verdict: Verdict
    what: str
    what_to_do: str = ""


def local_checks(config: AgentConfig) -> list[Check]:
    """The data folder, its disk, and the secrets' files."""
    return [_folder(config.data), _disk(config.data), *_enrolled(config)]


def _folder(data: Path) -> Check:
    place = data if data.exists() else data.parent
    if not os.access(place, os.W_OK):
        return Check("data folder", Verdict.FAIL, f"{place} is not writable", "give it to the agent's user")
    if data.exists() and data.stat().st_mode & 0o077:
        mode = f"{data.stat().st_mode & 0o777:o}"
        return Check("data folder", Verdict.WARN, f"{data} can be read by others (mode {mode})", f"chmod 700 {data}")
    said = str(data) if data.exists() else f"{data} will be made at the first start"
    return Check("data folder", Verdict.OK, said)


def _disk(data: Path) -> Check:
    place = next(one for one in (data, *data.absolute().parents) if one.exists())
    free = shutil.disk_usage(place).free
    said = f"{free // 2**20} MiB free"
    if free < LOW_DISK_BYTES:
        return Check("disk", Verdict.FAIL, said, "free some: a full disk stops metering")
    if free < 10 * LOW_DISK_BYTES:
        return Check("disk", Verdict.WARN, said, "a month of readings and telemetry takes some 100 MiB: keep more free")
    return Check("disk", Verdict.OK, said)


def _enrolled(config: AgentConfig) -> list[Check]:
    try:
        if enrolment(config.data) is not None:
            return [Check("enrolment", Verdict.OK, "the agent is enrolled")]
    except (OSError, ValueError, KeyError) as error:
        return [Check("enrolment", Verdict.FAIL, f"cannot be read: {error}", "restore it, or enrol the agent anew")]
    code = config.service.code_file
    if code is None:
        return [
            Check("enrolment", Verdict.FAIL, "not enrolled, and no service.code_file", "ask the operator for a code")
        ]
    try:
        first_line(code, "enrolment code")
    except BadSecret as error:
        return [Check("enrolment", Verdict.FAIL, str(error), "ask the operator for a code")]
    return [Check("enrolment", Verdict.OK, "not enrolled yet; there is a code for the first start")]


async def service_checks(config: ServiceConfig, data: Path, *, clock: Callable[[], datetime]) -> list[Check]:
    """Whether the service is there, takes the agent's token, and has the same time."""
    try:
        known = enrolment(data)
    except (OSError, ValueError, KeyError):
        known = None
    headers = {"Authorization": f"Bearer {known.token}"} if known else {}
    try:
        async with httpx.AsyncClient(base_url=config.url, timeout=_REQUEST_SECONDS) as client:
            answer = await client.get("/api/agents/chain", headers=headers)
    except httpx.HTTPError as error:
        why = str(error) or type(error).__name__
        what_to_do = "check service.url, the network and its proxy; readings wait on the disk meanwhile"
        return [Check("service", Verdict.FAIL, f"{config.url}: {why}", what_to_do)]
    return [
        Check("service", Verdict.OK, f"{config.url} answers"),
        *_token(answer, known is not None),
        *_time(answer, clock()),
    ]


def _token(answer: httpx.Response, enrolled: bool) -> list[Check]:
    if not enrolled:
        return []
    if answer.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return [Check("token", Verdict.FAIL, "the service does not know the agent's token", "enrol the agent anew")]
    if answer.is_success:
        return [Check("token", Verdict.OK, "the service knows the agent")]
    return [Check("token", Verdict.WARN, f"the service answers {answer.status_code}", "ask its operator")]


def _time(answer: httpx.Response, now: datetime) -> list[Check]:
    try:
        told = parsedate_to_datetime(answer.headers["date"])
    except (KeyError, ValueError):
        return []
    return [offset("host clock", "the service's", (now - told.astimezone(UTC)).total_seconds())]


def offset(name: str, other: str, seconds: float) -> Check:
    """A clock against another one."""
    said = f"{abs(seconds):.1f} s {'ahead of' if seconds > 0 else 'behind'} {other}"
    if abs(seconds) > MOST_OFFSET_SECONDS:
        return Check(name, Verdict.WARN, said, "set it by NTP; until then meter.clock may be at most informative")
    return Check(name, Verdict.OK, said)
