"""What a run of seeds has to say: a line for each, and a summary that a stranger can read."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields

from workbench.chaos.run import Outcome

_NUMBER = re.compile(r"\d+")


def point(program: str, call: str, site: str, when: str) -> str:
    """A kill point: where in which program. Numbers in names of files are one place."""
    return f"{program}: {when} {call} {_NUMBER.sub('#', site)}"


@dataclass(slots=True)
class Summary:
    """Counts over many seeds. `points`: kill points and how often each was hit; `moments`: those with their number in
    the program's life; `kinds`: faults that happened, by kind."""

    seeds: int = 0
    failed: dict[int, list[str]] = field(default_factory=dict)
    seconds: float = 0.0
    kinds: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    moments: set[str] = field(default_factory=set)
    starts: Counter[str] = field(default_factory=Counter)
    readings: int = 0
    records: int = 0
    span_ms: int = 0
    unknown_ms: int = 0
    gaps: int = 0
    unplaced: int = 0

    def add(self, outcome: Outcome) -> None:
        verdict = outcome.verdict
        self.seeds += 1
        self.seconds += outcome.seconds
        if not outcome.passed:
            self.failed[outcome.plan.seed] = verdict.faults
        self.kinds.update(faults(outcome))
        self.starts.update(outcome.starts)
        for program, hits in outcome.hits.items():
            for hit in hits:
                if hit.action == "kill":
                    name = point(program, hit.call, hit.site, hit.when)
                    self.points[name] += 1
                    self.moments.add(f"{name} {hit.nth}")
        for name in ("readings", "records", "span_ms", "unknown_ms", "gaps", "unplaced"):
            setattr(self, name, getattr(self, name) + getattr(verdict, name))

    def as_json(self) -> dict[str, object]:
        plain = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**plain, "moments": len(self.moments), "passed": self.seeds - len(self.failed)}


def faults(outcome: Outcome) -> Counter[str]:
    """The faults of one run that happened, by kind."""
    kinds = Counter(outcome.done)
    for program, hits in outcome.hits.items():
        kinds.update(_KINDS[hit.action].format(program) for hit in hits)
    kinds["queue overflow"] = int(outcome.overflows > 0)
    return +kinds


_KINDS = {
    "kill": "kill {} at a call",
    "enospc": "disk full, {}",
    "eio": "disk error, {}",
    "erofs": "disk read-only, {}",
    "delay": "slow disk, {}",
    "clock": "clock of the {} set",
}


def line(outcome: Outcome) -> str:
    """One seed in one line."""
    verdict, plan = outcome.verdict, outcome.plan
    what = sum(faults(outcome).values())
    seen = f"{_hours(verdict.span_ms - verdict.unknown_ms)} of {_hours(verdict.span_ms)} h known"
    if outcome.passed:
        figures = f"{verdict.readings} readings in {verdict.records} records, {seen}, {verdict.gaps} gaps"
        return f"seed {plan.seed:>4}  ok    {outcome.seconds:5.1f} s  {what:>2} faults  {figures}"
    more = f" (and {len(verdict.faults) - 1} more)" if len(verdict.faults) > 1 else ""
    return f"seed {plan.seed:>4}  FAIL  {outcome.seconds:5.1f} s  {what:>2} faults  {verdict.faults[0]}{more}"


def closing(summary: Summary) -> Iterable[str]:
    """The summary in words, and for each failed seed how to see it again."""
    passed = summary.seeds - len(summary.failed)
    yield ""
    yield f"{passed} of {summary.seeds} seeds passed in {summary.seconds / 60:.1f} min"
    held = "" if summary.failed else ": registers equal the machine's truth to the unit, each stored once"
    yield f"  {summary.readings} readings in {summary.records} records{held}"
    known = summary.span_ms - summary.unknown_ms
    lost = f"{summary.gaps} gaps, each with a loss at the machine's server"
    yield f"  machine time {_hours(summary.span_ms)} h, of it known {_hours(known)} h; {lost}"
    yield f"  {summary.unplaced} stretches with several gaps, held to what is possible"
    yield f"  programs started: {', '.join(f'{name} {count}' for name, count in summary.starts.items())}"
    yield (
        f"  kills at system calls: {sum(summary.points.values())}, at {len(summary.points)} distinct points, "
        f"{len(summary.moments)} distinct moments (point and number of the call)"
    )
    yield from _table("faults that happened", summary.kinds.most_common())
    yield from _table("kill points", summary.points.most_common())
    for seed, found in summary.failed.items():
        yield f"seed {seed} failed; again, keeping its folder: spindleshare chaos --seed {seed} --keep"
        yield from (f"    {one}" for one in found)


def _table(heading: str, rows: Sequence[tuple[str, int]]) -> Iterable[str]:
    if rows:
        yield f"  {heading}:"
        yield from (f"    {count:>5}  {name}" for name, count in rows)


def _hours(ms: int) -> str:
    return f"{ms / 3_600_000:.2f}"
