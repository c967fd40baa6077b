"""Replay: a recording through the same accrual as a machine at work, without any network, and what came of it.

Nothing is estimated: registers are what an agent beside that machine would have sealed, silence is a gap, and the
control's own counters say how far to trust it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from itertools import groupby, pairwise
from operator import attrgetter
from pathlib import Path
from typing import Any

from machine_agents.accrual import AccrualState, Policy, fold
from machine_agents.counter_policy import is_counter
from machine_agents.counting import CounterEvent
from machine_agents.crosscheck import Comparison, cross_check
from machine_agents.log_mapping import Chosen, choose
from machine_agents.observation import Observation
from machine_agents.recording import Recording, Statistics, read_recording
from machine_agents.source_time import from_ms, to_ms
from metering.period import Period
from metering.register import billed_unit, in_billed_unit

_LEAST_SILENCE_MS, _MOST_SILENCE_MS = 5_000, 600_000
_COUNTING = ("counter.", "energy", "parts")
_at = attrgetter("source_time")


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a recording says. `registers` in their smallest units; `gaps` in order of time; `resets`: how often each
    cumulative source stepped back; `dropped`: observations that changed nothing, by reason; `events`: what each did
    other than grow, and what it counted for; `shown`: its first and last value."""

    machine: str
    serial: str
    credit: str
    period: Period
    mapping: str
    warnings: tuple[str, ...]
    silence_ms: int
    silence_from: str
    lines: Statistics
    registers: Mapping[str, int]
    gaps: Sequence[Period]
    resets: Mapping[str, int]
    dropped: Mapping[str, int]
    comparisons: Sequence[Comparison]
    events: Sequence[CounterEvent] = ()
    shown: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @property
    def gap_ms(self) -> int:
        return sum(gap.length // timedelta(milliseconds=1) for gap in self.gaps)

    def to_json(self) -> dict[str, Any]:
        """The same as JSON data: registers as integers, and in the unit that people are billed in as decimal text."""
        return {
            "machine": self.machine,
            "serial": self.serial,
            "credit": self.credit,
            "from": self.period.start.isoformat(),
            "to": self.period.end.isoformat(),
            "mapping": self.mapping,
            "warnings": list(self.warnings),
            "silence_ms": self.silence_ms,
            "silence_from": self.silence_from,
            "lines": asdict(self.lines),
            "registers": dict(sorted(self.registers.items())),
            "billed": {code: [shown(code, value), billed_unit(code)] for code, value in sorted(self.registers.items())},
            "gaps": {
                "count": len(self.gaps),
                "total_ms": self.gap_ms,
                "periods": [[gap.start.isoformat(), gap.end.isoformat()] for gap in self.gaps],
            },
            "resets": dict(self.resets),
            "dropped": dict(self.dropped),
            "counter_events": [asdict(one) | {"at": one.at.isoformat()} for one in self.events],
            "counters_shown": {
                signal: {"first": first, "last": last, "counted": self.registers.get(signal, 0)}
                for signal, (first, last) in self.shown.items()
            },
            "counters": [
                asdict(one) | {"difference_ms": one.difference, "unexplained_ms": one.unexplained}
                for one in self.comparisons
            ],
        }


def shown(code: str, value: int) -> str:
    """A register's value in its billed unit, to four places, exactly rounded halves up."""
    exact = in_billed_unit(code, value) * 10_000
    whole = (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)
    return f"{whole // 10_000}.{whole % 10_000:04}"


def replay(
    paths: Sequence[Path], *, profile: Path | None = None, silence_ms: int | None = None, day: str = ""
) -> Replayed:
    """Read and fold a recording. RecordingError or MappingError say what is wrong with it."""
    chosen = choose(paths[0], profile)
    recording = read_recording(paths[0], chosen.mapping, more=paths[1:], lenient=True)
    if day:
        recording = recording.day(day)
    limit, source = _silence(recording, silence_ms)
    return _folded(recording, chosen, limit, source)


def _folded(recording: Recording, chosen: Chosen, silence_ms: int, silence_from: str) -> Replayed:
    header, policy = recording.header, Policy(silence_ms=silence_ms, counters=chosen.counters)
    state = AccrualState.begin(header.begin, header.signals)
    gaps, events = _Gaps(), list[CounterEvent]()
    for moment, group in groupby(recording.observations, key=_at):
        # Group by group, so that each stretch without proof of life is seen; the cuts do not depend on the grouping.
        fold(state, group, max(moment, header.begin), policy)
        events += state.events
        gaps.grew_to(state.registers["unknown"], state.settled)
    end = _end(recording)
    fold(state, [], end, policy)
    events += state.events
    gaps.grew_to(state.registers["unknown"], state.settled)
    return Replayed(
        machine=header.machine,
        serial=header.serial,
        credit=header.credit,
        period=Period(header.begin, end),
        mapping=chosen.origin,
        warnings=chosen.warnings,
        silence_ms=silence_ms,
        silence_from=silence_from,
        lines=recording.statistics,
        registers=dict(state.registers),
        gaps=gaps.periods(),
        resets=_resets(recording.observations),
        dropped=dict(state.dropped),
        comparisons=cross_check(state.registers).comparisons,
        events=events,
        shown=_shown(recording.observations),
    )


def _end(recording: Recording) -> datetime:
    """The recording's end; of a bare log, which says none, the last line's time: nothing is known to hold beyond it."""
    header, last = recording.header, recording.observations[-1].source_time
    bare = header.begin < last < header.end <= last + timedelta(milliseconds=1)
    return last if bare else header.end


class _Gaps:
    """Stretches without proof of life, from how the register `unknown` grows."""

    def __init__(self) -> None:
        self._known = 0
        self._stretches: list[tuple[int, int]] = []

    def grew_to(self, unknown: int, now: int) -> None:
        """`unknown` has this value at `now`: what it grew by lies directly before."""
        grown, self._known = unknown - self._known, unknown
        if not grown:
            return
        start = now - grown
        if self._stretches and self._stretches[-1][1] == start:
            start = self._stretches.pop()[0]
        self._stretches.append((start, now))

    def periods(self) -> list[Period]:
        return [Period(from_ms(start), from_ms(end)) for start, end in self._stretches]


def _silence(recording: Recording, given: int | None) -> tuple[int, str]:
    """The limit of silence, and where it is from."""
    if given is not None:
        return given, "given"
    if recording.header.silence_ms:
        return recording.header.silence_ms, "known for this machine"
    pauses = sorted(_pauses(recording.observations))
    if not pauses:
        return _LEAST_SILENCE_MS, "too few values to tell: the least that is sensible"
    usual = pauses[min(len(pauses) - 1, len(pauses) * 999 // 1000)]
    limit = min(max(2 * usual, _LEAST_SILENCE_MS), _MOST_SILENCE_MS)
    return -(-limit // 1000) * 1000, f"twice the pause that 99.9 % of {len(pauses)} pauses between values do not exceed"


def _pauses(observations: Sequence[Observation]) -> list[int]:
    """Milliseconds between one moment with a value and the next; what lies beside an UNAVAILABLE is no pause."""
    moments: list[tuple[datetime, bool]] = [
        (moment, any(seen.value is not None for seen in group)) for moment, group in groupby(observations, key=_at)
    ]
    return [to_ms(after) - to_ms(before) for (before, one), (after, other) in pairwise(moments) if one and other]


def _shown(observations: Sequence[Observation]) -> dict[str, tuple[int, int]]:
    """The first and the last value of each counter."""
    shown: dict[str, tuple[int, int]] = {}
    for seen in observations:
        if is_counter(seen.signal) and isinstance(seen.value, int):
            shown[seen.signal] = (shown.get(seen.signal, (seen.value, 0))[0], seen.value)
    return shown


def _resets(observations: Sequence[Observation]) -> dict[str, int]:
    """How often each cumulative source stepped back."""
    last: dict[str, int] = {}
    found: dict[str, int] = {}
    for seen in observations:
        if isinstance(seen.value, int) and seen.signal.startswith(_COUNTING):
            if seen.value < last.get(seen.signal, seen.value):
                found[seen.signal] = found.get(seen.signal, 0) + 1
            last[seen.signal] = seen.value
    return found
