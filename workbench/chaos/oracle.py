"""The judgement: what the database holds against what the machine did, to the unit.

Between two readings a register must have grown by what the machine did in the time that the readings call known. What
they call unknown must be explained by a loss at the machine's server, and every sealed record must be stored once.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from machine_agents.source_time import to_ms
from metering.interval import Step
from metering.register import billable_twin
from metering.usage import Usage
from workbench.chaos.journal import Journal
from workbench.chaos.truth import RUNNING, TOTALS, Stretch, Truth, known

_MOST_FAULTS = 20


@dataclass(slots=True)
class Verdict:
    """`faults`: what is not as it should be, empty when all is. Times in milliseconds.

    `unplaced`: stretches with several gaps, of which a reading tells only the longest: held to what is possible.
    """

    faults: list[str] = field(default_factory=list)
    readings: int = 0
    records: int = 0
    span_ms: int = 0
    unknown_ms: int = 0
    gaps: int = 0
    unplaced: int = 0

    def expect(self, what: str, found: object, wanted: object) -> None:
        if found != wanted:
            self.fault(f"{what}: {found}, not {wanted}")

    def fault(self, what: str) -> None:
        if len(self.faults) < _MOST_FAULTS:
            self.faults.append(what)


def judge(steps: Sequence[Step], usage: Sequence[Usage], truth: Truth, journal: Journal, verdict: Verdict) -> None:
    """Hold readings and usage against the machine's life; what is wrong goes to `verdict`."""
    verdict.readings = len(steps)
    verdict.expect("sequences", [step.reading.sequence for step in steps], list(range(1, len(steps) + 1)))
    if not steps:
        return
    walk = _Walk(truth, journal, verdict, to_ms(steps[0].reading.device_time))
    verdict.expect("registers of the first reading", set(steps[0].reading.registers.values()), {0})
    walk.look(steps)
    verdict.span_ms = walk.at - walk.begin
    verdict.expect("the last reading's time", walk.at, truth.end)
    walk.compare_usage(usage)


class _Walk:
    """From reading to reading, with what has to be known of the ones before."""

    def __init__(self, truth: Truth, journal: Journal, verdict: Verdict, begin: int) -> None:
        self._truth, self._journal, self._verdict = truth, journal, verdict
        self.begin = self.at = begin
        self._base = truth.at(begin).state
        self._seen_to = begin
        self._gap_end = -1
        self._in_sight = True
        self._told: Mapping[str, int] = {}
        self._quarters: dict[int, Counter[str]] = {}

    def look(self, steps: Sequence[Step]) -> None:
        registers: Mapping[str, int] = steps[0].reading.registers
        for step in steps[1:]:
            reading = step.reading
            grown = Counter({code: value - registers.get(code, 0) for code, value in reading.registers.items()})
            gap = (to_ms(reading.gap.start), to_ms(reading.gap.end)) if reading.gap else None
            self._stretch(reading.sequence, to_ms(reading.device_time), grown, dict(reading.registers), gap, step)
            registers = reading.registers

    def _stretch(
        self, number: int, until: int, grown: Counter[str], registers: dict[str, int], gap: Stretch | None, step: Step
    ) -> None:
        within, gaps = (self.at, until), [gap] if gap else []
        unknown = sum(end - start for start, end in gaps)
        forgotten = any(after <= self.at < until for after, until in self._journal.anew)
        if gap and gap[0] == self.at != self._gap_end and not forgotten:
            self._seen_to = self.at  # lost since exactly the reading before, whose moment was still seen
        self._note_gap(number, gaps)
        self._begin_anew(until)
        self._verdict.unknown_ms += grown["unknown"]
        self._quarters.setdefault(_quarter(self.at), Counter()).update(grown)
        pieces = known(within, gaps)
        if grown["unknown"] > unknown > 0:
            self._verdict.unplaced += 1
            self._in_sight = False
            self._bound(number, grown, self._truth.counted(pieces), within)
        else:
            self._verdict.expect(f"reading {number}, unknown", grown["unknown"], unknown)
            self._exactly(number, grown, pieces, step)
            self._totals(number, pieces, until, registers)
        self.at, self._told = until, registers

    def _begin_anew(self, until: int) -> None:
        """Of a file that was replaced only the readings are left: the machine's own counters go on from what they show
        then, and what they did in the gap is not known."""
        for _, at in self._journal.anew:
            if self.at <= at < until:
                state, told = self._truth.at(at).state, self._told
                self._base = replace(
                    self._base,
                    energy=state.energy - told.get("energy", 0),
                    parts=state.parts - told.get("parts", 0),
                )
                self._seen_to = at

    def _note_gap(self, number: int, gaps: Iterable[Stretch]) -> None:
        for gap in gaps:
            self._verdict.gaps += gap[0] != self._gap_end
            self._gap_end = gap[1]
            if not self._journal.explains(gap):
                self._verdict.fault(f"reading {number} calls {gap[0]} to {gap[1]} unknown, but nothing was lost there")

    def _exactly(self, number: int, grown: Mapping[str, int], pieces: Sequence[Stretch], step: Step) -> None:
        counted = self._truth.counted(pieces)
        for code, value in grown.items():
            if (wanted := _wanted(code, counted)) is not None:
                self._verdict.expect(f"reading {number}, {code}", value, wanted)
            elif code not in ("unknown", *TOTALS):
                self._verdict.expect(f"reading {number}, {code}, which the machine never does", value, 0)
        self._verdict.expect(f"reading {number}, spectrum", dict(step.grown), self._truth.spectrum(pieces))

    def _totals(self, number: int, pieces: Sequence[Stretch], until: int, registers: Mapping[str, int]) -> None:
        """The machine's own counters: what they showed last before the reading, less what they showed at the begin."""
        if not pieces and not self._in_sight:
            return  # of a stretch with several gaps it is not known when the counters were last seen
        self._in_sight = True
        for begin, end in pieces:
            last = self._truth.before(end) if end == until else self._truth.at(end)
            self._seen_to = max(self._seen_to, last.at if last.at >= begin else begin)
        state = self._truth.at(self._seen_to).state
        self._verdict.expect(f"reading {number}, energy", registers.get("energy"), state.energy - self._base.energy)
        self._verdict.expect(f"reading {number}, parts", registers.get("parts"), state.parts - self._base.parts)

    def _bound(self, number: int, grown: Mapping[str, int], most: Mapping[str, int], within: Stretch) -> None:
        """Nothing is invented: what is known of a stretch is at most what the machine did outside its longest gap."""
        left = within[1] - within[0] - grown["unknown"]
        for code, value in grown.items():
            wanted = _wanted(code, most)
            limit = None if wanted is None else min(wanted, left) if code in RUNNING else wanted
            if limit is not None and value > limit:
                self._verdict.fault(f"reading {number}, {code}: {value} is more than {limit}")

    def compare_usage(self, usage: Sequence[Usage]) -> None:
        """Each quarter hour's usage is what the readings grew in it, and none is missing or there twice."""
        found = {_quarter(to_ms(one.period.start)): one for one in usage}
        self._verdict.expect("quarter hours of usage", sorted(found), sorted(self._quarters))
        self._verdict.expect("usage stored twice", len(usage) - len(found), 0)
        for quarter, grown in self._quarters.items():
            deltas = found[quarter].deltas if quarter in found else {}
            self._verdict.expect(f"usage of {quarter}", _nonzero(deltas), _nonzero(grown))


def _wanted(code: str, counted: Mapping[str, int]) -> int | None:
    """What a register must have grown; a billable twin counts as its register, since nothing here is exempt."""
    plain = code.removeprefix("billable_")
    if plain != code and billable_twin(plain) != code:
        return None
    return counted.get(plain)


def _nonzero(figures: Mapping[str, int]) -> dict[str, int]:
    return {code: value for code, value in figures.items() if value}


def _quarter(ms: int) -> int:
    return ms // 900_000


def once(sealed: Sequence[str], stored: Sequence[str], verdict: Verdict, *, before: Collection[str] = ()) -> None:
    """Every record that the agent sealed is stored, as it was sealed, and once.

    `before`: what it had sealed when its file was damaged. The file may then be another, that begins later: what was
    stored before is of these, and what neither has is lost, which the readings call unknown.
    """
    verdict.records = len(sealed)
    earlier = stored[: len(stored) - len(sealed)] if before else ()
    verdict.expect("records stored that were never sealed", [one[:80] for one in earlier if one not in before], [])
    whole = [*earlier, *sealed]
    for text, count in _different(whole, stored):
        verdict.fault(f"a sealed record is stored {count} times: {text[:80]}")
    verdict.expect("records in the database in the order that they were sealed", list(stored) == whole, True)


def _different(sealed: Sequence[str], stored: Sequence[str]) -> Iterator[tuple[str, int]]:
    counts = Counter(stored)
    yield from ((text, counts[text]) for text in sealed if counts[text] != 1)
    yield from ((text, counts[text]) for text in counts.keys() - set(sealed))
