"""A server's history without a server: what the HistoryRead service says, whole or wrong in a chosen way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from asyncua import ua
from asyncua.ua.uaerrors import BadHistoryOperationUnsupported

START = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
Row = tuple[datetime, Any]


@dataclass
class HistorySession:
    """Answers as a session does. `rows` by node in order of time; a value None is of bad quality.

    `present`: what a read of the nodes themselves gives. `page`: values an answer at most. `points`: whether more is
    told by continuation points or an answer merely ends. `backward`: whether the way back in time is known. `refused`:
    nodes whose history is refused; `without`: such as have none. `failing`: how many requests are
    answered before the connection breaks (None: all).
    """

    rows: Mapping[ua.NodeId, Sequence[Row]]
    present: Mapping[ua.NodeId, Row]
    page: int = 7
    points: bool = True
    backward: bool = True
    refused: frozenset[ua.NodeId] = frozenset()
    without: frozenset[ua.NodeId] = frozenset()
    failing: int | None = None
    open_points: dict[bytes, list[Row]] = field(default_factory=dict)
    asked: int = 0

    async def read_attributes(self, nodes: Sequence[ua.NodeId], attribute: ua.AttributeIds) -> list[ua.DataValue]:
        assert attribute == ua.AttributeIds.Value
        return [_value(self.present[node]) for node in nodes]

    async def history_read(self, parameters: ua.HistoryReadParameters) -> list[ua.HistoryReadResult]:
        self.asked += 1
        if self.failing is not None and self.asked > self.failing:
            raise ConnectionError("the line is cut")
        (asked,) = parameters.NodesToRead
        if asked.NodeId in self.refused:
            raise BadHistoryOperationUnsupported()
        if parameters.ReleaseContinuationPoints:
            self.open_points.pop(asked.ContinuationPoint, None)
            return [ua.HistoryReadResult()]
        details = parameters.HistoryReadDetails
        rows = (
            self.open_points.pop(asked.ContinuationPoint)
            if asked.ContinuationPoint
            else self._rows(asked.NodeId, details.StartTime, details.EndTime)
        )
        size = min(self.page, details.NumValuesPerNode or self.page)
        result = ua.HistoryReadResult(HistoryData=ua.HistoryData(DataValues=[_value(row) for row in rows[:size]]))
        if rows[size:] and self.points:
            result.ContinuationPoint = str(self.asked).encode()
            self.open_points[result.ContinuationPoint] = rows[size:]
        return [result]

    def _rows(self, node: ua.NodeId, start: datetime, end: datetime) -> list[Row]:
        rows, low, high = self.rows.get(node, ()), min(start, end), max(start, end)
        found = [row for row in rows if low <= row[0] <= high]
        return found[::-1] if start > end and self.backward else found


def _value(row: Row) -> ua.DataValue:
    at, value = row
    code = ua.StatusCodes.Good if value is not None else ua.StatusCodes.BadSensorFailure
    return ua.DataValue(ua.Variant(value), ua.StatusCode(code), SourceTimestamp=at.astimezone(UTC))
