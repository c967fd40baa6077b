"""How far a source's history may stand for what was missed: the spans of its signals, and which depend on each other.

A register may count over a missed stretch only while every signal that counts towards it is known. Where a signal's
absence could raise a register (a machine that may have been warming up, a spindle that may have turned), the signals
that it would raise it by are left out as well; where absence only lowers it, nothing is to be done.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from fnmatch import fnmatch

from machine_agents.observation import REPLAYED

_NEVER = datetime.max.replace(tzinfo=UTC)
_EXEMPTING = ("warm_up", "dry_run", "operation_mode")
_MOTION = ("spindle.*.speed", "spindle.*.rotating", "spindle.*.as_axis")
_NEEDS = {
    "power": _EXEMPTING,
    "item_state": _EXEMPTING,
    "execution": (*_EXEMPTING, "power", *_MOTION),
    "spindle.*.speed": (*_EXEMPTING, "spindle.{}.as_axis"),
    "spindle.*.rotating": (*_EXEMPTING, "spindle.{}.as_axis", "spindle.{}.speed"),
    "counter.power_on": ("power",),
    "counter.auto": ("execution", "mode"),
    "counter.cut": ("execution", "feed", *_MOTION),
}
"""By signal: those that it needs beside it, as far as the machine gives them. `{}` is its own part."""


@dataclass(frozen=True, slots=True)
class Span:
    """What history tells of a signal's missed stretch: from `begin` to `end`; None: no break on that side."""

    begin: datetime | None = None
    end: datetime | None = None

    @property
    def empty(self) -> bool:
        return self.begin is not None and self.end is not None and self.begin >= self.end

    def within(self, other: "Span") -> "Span":
        """What both hold."""
        begins = [one for one in (self.begin, other.begin) if one is not None]
        ends = [one for one in (self.end, other.end) if one is not None]
        return Span(max(begins, default=None), min(ends, default=None))


NOTHING = Span(_NEVER, _NEVER)


def usable(spans: Mapping[str, Span], missed: Collection[str], signals: Collection[str]) -> dict[str, Span]:
    """Of the `missed` signals those that may be put in, and how far: `spans` is what history has of each.

    `signals` are all that the source gives; those that were not missed are known throughout.
    """
    known = {signal: Span() for signal in signals if signal not in missed}
    left = {signal: span for signal, span in spans.items() if not span.empty}
    changed = True
    while changed:
        changed = False
        for signal, span in list(left.items()):
            needed = [left.get(one) or known.get(one) for one in needs(signal, signals)]
            for other in needed:
                span = NOTHING if other is None else span.within(other)
            if span.empty:
                del left[signal]
                changed = True
            elif span != left[signal]:
                left[signal], changed = span, True
    return left


def needs(signal: str, signals: Collection[str]) -> Iterator[str]:
    """Those of `signals` that must be known wherever `signal` counts."""
    if signal != REPLAYED and REPLAYED in signals:
        yield REPLAYED
    head, _, rest = signal.partition(".")
    part, _, what = rest.rpartition(".")
    for wanted in _NEEDS.get(f"{head}.*.{what}" if part else signal, ()):
        pattern = wanted.format(part)
        yield from (one for one in signals if one != signal and fnmatch(one, pattern))
