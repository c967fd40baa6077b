"""Which stored segments follow one another, so that one roll-up may run through them."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from metering.telemetry.segment import Header, Segment

QUARTER_MS = 900_000
POLICY = ("silence_ms", "turning_above_mrpm", "cutting_feed_max_um_s")
"""The names of the policy's numbers that the roll-up asks for."""


class NoPolicy(ValueError):
    """A segment must name the policy that its agent counted by."""


@dataclass(frozen=True, slots=True)
class Stored:
    """What is known of a stored segment without opening it: times in ms, rows [first_row, next_row), its policy."""

    meter: str
    number: int
    first_row: int
    next_row: int
    from_ms: int
    until_ms: int
    life_end_ms: int
    policy: tuple[int, ...]
    thinned: bool = False

    @classmethod
    def of(cls, segment: Segment) -> "Stored":
        """NoPolicy when the header lacks a number that the roll-up needs."""
        header = segment.header
        return cls(
            meter=header.meter,
            number=header.number,
            first_row=header.row,
            next_row=segment.next_row,
            from_ms=header.opening.settled_ms,
            until_ms=segment.until_ms,
            life_end_ms=header.opening.life_end_ms,
            policy=policy_of(header),
            thinned=header.thinned,
        )


@dataclass(frozen=True, slots=True)
class Stretch:
    """Segments `first` to `last` of a meter without a hole in their rows and under one policy."""

    meter: str
    first: int
    last: int
    from_ms: int
    until_ms: int
    life_end_ms: int
    policy: tuple[int, ...]
    thinned: bool

    def boundaries(self) -> Iterator[int]:
        """Its begin, every quarter hour within, its end: in ms."""
        yield self.from_ms
        yield from range((self.from_ms // QUARTER_MS + 1) * QUARTER_MS, self.until_ms, QUARTER_MS)
        if self.until_ms > self.from_ms:
            yield self.until_ms


def policy_of(header: Header) -> tuple[int, ...]:
    try:
        return tuple(header.policy[name] for name in POLICY)
    except KeyError as error:
        raise NoPolicy(f"the segment's policy lacks {error.args[0]}") from None


def stretches(segments: Iterable[Stored], *, max_rows: int = sys.maxsize) -> list[Stretch]:
    """The stretches of each meter, in order; a hole in rows, a missing number or another policy begins a new one.

    So does a segment that would bring one beyond `max_rows`: each begins with what was in force.
    """
    found: list[list[Stored]] = []
    for one in sorted(segments, key=lambda one: (one.meter, one.number)):
        fits = found and one.next_row - found[-1][0].first_row <= max_rows
        if fits and _follows(found[-1][-1], one):
            found[-1].append(one)
        else:
            found.append([one])
    return [_stretch(run) for run in found]


def covering(segments: Sequence[Stored], from_ms: int, until_ms: int) -> list[Stored]:
    """The segments of one meter that say something of [from_ms, until_ms)."""
    return [one for one in segments if one.from_ms < until_ms and one.until_ms > from_ms]


def _follows(before: Stored, one: Stored) -> bool:
    return (before.meter, before.number + 1, before.next_row, before.until_ms, before.policy, before.thinned) == (
        one.meter,
        one.number,
        one.first_row,
        one.from_ms,
        one.policy,
        one.thinned,
    )


def _stretch(run: Sequence[Stored]) -> Stretch:
    first, last = run[0], run[-1]
    return Stretch(
        first.meter,
        first.number,
        last.number,
        first.from_ms,
        last.until_ms,
        first.life_end_ms,
        first.policy,
        first.thinned,
    )
