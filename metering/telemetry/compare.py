"""The roll-up beside the stored usage: where they differ, quarter hour by quarter hour. The tool for disputes."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from metering.period import quarter_start
from metering.telemetry.rollup import COVERED, Key
from metering.telemetry.stretch import Stored, Stretch, stretches
from metering.usage import Usage

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that is not the same: `stored` from sealed readings, `rolled` from raw telemetry; `why` explains it."""

    starts_at: datetime
    code: str
    cell: int | None
    stored: int
    rolled: int
    why: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """`quarters` were compared, up to `until`: what both readings and telemetry reach the end of. None: nothing was."""

    until: datetime | None
    quarters: int
    differences: list[Difference]


def compare(rolled: Mapping[Key, int], usage: Iterable[Usage], segments: Iterable[Stored]) -> Comparison:
    """Every difference in the quarter hours that both sides reach the end of, in order of time."""
    runs = stretches(segments)
    known = {quarter_start(one.period.start): one for one in usage}
    if not runs or not known:
        return Comparison(None, 0, [])
    told = _EPOCH + timedelta(milliseconds=max(run.until_ms for run in runs))
    until = quarter_start(min(told, max(one.period.end for one in known.values())))
    ours = _by_quarter(rolled)
    quarters = [starts_at for starts_at in sorted({*known, *ours}) if starts_at < until]
    return Comparison(until, len(quarters), list(_differences(quarters, known, ours, runs)))


def _differences(
    quarters: Iterable[datetime],
    known: Mapping[datetime, Usage],
    ours: Mapping[datetime, Mapping[tuple[str, int | None], int]],
    runs: Iterable[Stretch],
) -> Iterator[Difference]:
    spans = [(run.from_ms, run.until_ms, run.thinned) for run in runs]
    for starts_at in quarters:
        one, mine = known.get(starts_at), ours.get(starts_at, {})
        theirs = _figures(one) if one else {}
        why = _why(starts_at, one, spans)
        for code, cell in sorted({*theirs, *mine}, key=lambda key: (key[0], key[1] or 0)):
            stored, counted = theirs.get((code, cell), 0), mine.get((code, cell), 0)
            if stored != counted:
                yield Difference(starts_at, code, cell, stored, counted, why)


def _by_quarter(rolled: Mapping[Key, int]) -> dict[datetime, dict[tuple[str, int | None], int]]:
    quarters: dict[datetime, dict[tuple[str, int | None], int]] = {}
    for (_, quarter_ms, code, cell), value in rolled.items():
        quarters.setdefault(_EPOCH + timedelta(milliseconds=quarter_ms), {})[code, cell] = value
    return quarters


def _figures(usage: Usage) -> dict[tuple[str, int | None], int]:
    figures: dict[tuple[str, int | None], int] = {
        (code, None): value for code, value in usage.deltas.items() if value and code.partition(".")[0] in COVERED
    }
    return figures | {(f"spectrum.{name}", cell): value for (name, cell), value in usage.spectrum.items() if value}


def _why(starts_at: datetime, usage: Usage | None, runs: list[tuple[int, int, bool]]) -> str:
    start = (starts_at - _EPOCH) // timedelta(milliseconds=1)
    end = (usage.period.end - _EPOCH) // timedelta(milliseconds=1) if usage else start + 900_000
    within = [run for run in runs if run[0] < end and run[1] > start]
    if usage is None:
        return "no reading"
    if usage.substitute:
        return "substitute: spread over a stretch without readings"
    if any(thinned for _, _, thinned in within):
        return "telemetry was thinned"
    if sum(min(until, end) - max(begin, start) for begin, until, _ in within) < end - start:
        return "telemetry is missing"
    return "unexplained"
