"""Usage by local day, summed in the database: a month of a lease or of a fleet in one statement."""

# ruff: noqa: S608 (only positions of registers are put together here)

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from operator import itemgetter
from uuid import UUID

from sqlmodel import Session

from metering.period import Period
from metering.quick import LAYOUTS, run


@dataclass(frozen=True, slots=True)
class Day:
    """What a meter's registers grew by on a local day, in their smallest units, and what is to be said of it.

    `is_open`: one of its quarter hours is still growing. The other marks are those of `Usage`, true where any quarter
    hour has them.
    """

    deltas: Mapping[str, int]
    substitute: bool
    unsynchronised: bool
    replayed: bool
    is_open: bool


class DailyUsageStore:
    """Current usage by day, as far as the session's role and party may see it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def days(self, spans: Mapping[UUID, Period], zone: str) -> dict[UUID, dict[date, Day]]:
        """Per meter, each with a period of its own, the days in `zone` on which there is usage, in order.

        Quarter hours count that begin in the period. A zone's midnight lies on a quarter hour, so none is cut.
        """
        if not spans:
            return {}
        meters = list(spans)
        starts, ends = [span.start for span in spans.values()], [span.end for span in spans.values()]
        layouts = {meter: tuple(codes) for meter, codes in run(self._session, LAYOUTS, [meters])}
        width = max((len(codes) for codes in layouts.values()), default=0)
        rows = run(self._session, _statement(width), [zone, meters, starts, ends])
        found: dict[UUID, dict[date, Day]] = {meter: {} for meter in meters}
        # In order here: the database would sort every quarter hour for it.
        for meter, day, substitute, unsynchronised, replayed, is_open, *sums in sorted(rows, key=itemgetter(1)):
            grown = {code: value or 0 for code, value in zip(layouts[meter], sums, strict=False)}
            found[meter][day] = Day(grown, substitute, unsynchronised, replayed, is_open)
        return found


@lru_cache(maxsize=256)
def _statement(width: int) -> str:
    """Sums of so many registers. An older, shorter array lacks registers that came later: nothing of them grew."""
    sums = "".join(f", sum(deltas[{place}])::bigint" for place in range(1, width + 1))
    return (
        "SELECT usage.meter_id, (starts_at AT TIME ZONE %s)::date AS day, bool_or(substitute), "
        f"bool_or(unsynchronised), bool_or(replayed), bool_or(is_open){sums} "
        "FROM unnest(%b::uuid[], %b::timestamptz[], %b::timestamptz[]) AS span (meter_id, starts, ends) "
        "JOIN usage ON usage.meter_id = span.meter_id AND starts_at >= starts AND starts_at < ends "
        "AND superseded_at IS NULL GROUP BY usage.meter_id, day"
    )
