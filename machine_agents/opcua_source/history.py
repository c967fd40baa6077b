"""The server's own history of a node, read raw (Part 11, 6.5.3): in pages, with nothing taken on trust."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from typing import TypeAlias

from asyncua import ua
from asyncua.client.ua_session import UaSession
from asyncua.ua.uaerrors import (
    BadCommunicationError,
    BadConnectionClosed,
    BadSecureChannelClosed,
    BadSecureChannelIdInvalid,
    BadSessionClosed,
    BadSessionIdInvalid,
    BadSessionNotActivated,
    BadTimeout,
    UaStatusCodeError,
)

from machine_agents.profile import Convert

_PAGE = 2_000
_MOST_IDLE_PAGES = 10
_HISTORY_READ = 1 << 2  # AccessLevelType (Part 3, 8.57)
_UNCERTAIN = 0x40000000
_LONG_AGO = timedelta(days=3_650)
_STEP, _TICK = timedelta(milliseconds=1), timedelta(microseconds=1)
_CONNECTION = (
    *(BadCommunicationError, BadConnectionClosed, BadSecureChannelClosed, BadSecureChannelIdInvalid),
    *(BadSessionClosed, BadSessionIdInvalid, BadSessionNotActivated, BadTimeout),
)
"""What says nothing of history: the connection or its session is over, and the next one may tell."""
Told: TypeAlias = tuple[datetime, int | str | bool | None]
"""A value's source time, and what it is for its signal; None when it is bad or uncertain."""


class Refused(Exception):
    """The server does not tell a node's history; the message is its reason."""


class TooMuch(Exception):
    """There are more values than were asked for."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What history told of a node. `broken`: why it cannot be believed after the last of `values`, if so."""

    values: list[Told]
    broken: str = ""


@dataclass(frozen=True, slots=True)
class _Page:
    values: list[ua.DataValue]
    more: bytes | None


class NodeHistory:
    """One node's history as its signal. Past the connection's time limit for a request it is over."""

    def __init__(self, session: UaSession, node: ua.NodeId, convert: Convert, *, seconds: float) -> None:
        self._session, self._node, self._convert, self._seconds = session, node, convert, seconds

    async def newest(self, until: datetime, *, since: datetime | None = None) -> Told | None:
        """The last value up to `until` (to its millisecond), not before `since`."""
        start = until + _STEP
        page = await self._read(start, since or start - _LONG_AGO, 1)
        await self._release(page)
        told = [self._told(one) for one in page.values]
        # A server that does not know the way back in time gives the first one instead: it claims less, never more.
        return next((one for one in told if one is not None and one[0] < start), None)

    async def oldest(self, since: datetime, until: datetime) -> Told | None:
        """The first value after `since`, not after `until`."""
        page = await self._read(since, until + _STEP, 2)
        await self._release(page)
        told = [self._told(one) for one in page.values]
        return next((one for one in told if one is not None and one[0] >= since), None)

    async def between(self, since: datetime, until: datetime, most: int) -> Stretch:
        """Every value from `since` to `until`, both included, in order. TooMuch when there are more than `most`."""
        found: list[Told] = []
        more: bytes | None = None
        start, idle = since, 0
        while True:
            try:
                page = await self._read(start, until, _PAGE, more)
            except Refused as refused:
                return Stretch(found, str(refused))
            before = len(found)
            if broken := self._add(found, page.values, since, until):
                await self._release(page)
                return Stretch(found, broken)
            if len(found) > most:
                await self._release(page)
                raise TooMuch(f"more than {most} values")
            new = len(found) > before
            if not page.more and not new:
                return Stretch(found)
            idle = 0 if new else idle + 1
            if idle > _MOST_IDLE_PAGES:
                await self._release(page)
                return Stretch(found, "the server goes on without telling anything new")
            # An answer without a continuation point may have been cut all the same: ask on until nothing new comes.
            more = page.more
            if not more:
                start = found[-1][0] if len(page.values) >= _PAGE else found[-1][0] + _TICK
                if start > until:
                    return Stretch(found)

    def _add(self, found: list[Told], values: Sequence[ua.DataValue], since: datetime, until: datetime) -> str:
        for given in values:
            told = self._told(given)
            if told is None:
                if given.StatusCode.value in (ua.StatusCodes.BadBoundNotFound, ua.StatusCodes.BadNoData):
                    continue
                return "a value without a source time"
            if not since <= told[0] <= until:
                continue
            if found and told[0] < found[-1][0]:
                # What it told of later than this is in doubt as well.
                found[:] = [one for one in found if one[0] <= told[0]]
                return "its values are not in order"
            if not _is_there(found, told):
                found.append(told)
        return ""

    def _told(self, given: ua.DataValue) -> Told | None:
        return as_told(given, self._convert)

    async def _read(self, start: datetime, end: datetime, most: int, more: bytes | None = None) -> _Page:
        details = ua.ReadRawModifiedDetails(
            IsReadModified=False, StartTime=start, EndTime=end, NumValuesPerNode=ua.UInt32(most), ReturnBounds=False
        )
        results = await self._ask(details, more, release=False)
        if len(results) != 1:
            raise Refused(f"{len(results)} answers to one question")
        result = results[0]
        if result.StatusCode is not None and result.StatusCode.is_bad():
            if result.StatusCode.value == ua.StatusCodes.BadNoData:
                return _Page([], None)
            raise Refused(str(result.StatusCode.name))
        data = result.HistoryData
        values = list(data.DataValues or []) if isinstance(data, ua.HistoryData) else []
        return _Page(values, result.ContinuationPoint or None)

    async def _release(self, page: _Page) -> None:
        """Leave nothing behind on the server: it has few continuation points."""
        if page.more:
            with_nothing = ua.ReadRawModifiedDetails()
            try:
                await self._ask(with_nothing, page.more, release=True)
            except Refused:
                return

    async def _ask(
        self, details: ua.ReadRawModifiedDetails, more: bytes | None, *, release: bool
    ) -> list[ua.HistoryReadResult]:
        parameters = ua.HistoryReadParameters()
        parameters.HistoryReadDetails = details
        parameters.TimestampsToReturn = ua.TimestampsToReturn.Source
        parameters.ReleaseContinuationPoints = release
        parameters.NodesToRead = [ua.HistoryReadValueId(NodeId=self._node, ContinuationPoint=more)]
        try:
            async with asyncio.timeout(self._seconds):
                return list(await self._session.history_read(parameters) or [])
        except _CONNECTION:
            raise
        except UaStatusCodeError as error:
            raise Refused(type(error).__name__) from error


def as_told(given: ua.DataValue, convert: Convert) -> Told | None:
    """What a value says; None when it has no source time."""
    at = given.SourceTimestamp
    if at is None:
        return None
    good = given.StatusCode is None or given.StatusCode.value < _UNCERTAIN
    value = given.Value.Value if good and given.Value is not None else None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)), None if value is None else convert(value)


def _is_there(found: Sequence[Told], told: Told) -> bool:
    """Whether the newest moment of `found` has this value already: it came at the end of the page before."""
    return told in takewhile(lambda one: one[0] == told[0], reversed(found))


def is_readable(level: ua.DataValue) -> bool:
    """Whether a node has a history that this user may read, by its UserAccessLevel."""
    value = level.Value.Value if level.Value is not None else None
    return isinstance(value, int) and value & _HISTORY_READ > 0
