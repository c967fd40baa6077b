"""How worn each of a machine's components is: its pieces' lives, a period, and what is left, from sums of usage."""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from functools import cache
from typing import TypeAlias, TypeVar
from uuid import UUID

from metering.components.component import Entry, History, Life
from metering.components.models import CannotSay, Worn, wear
from metering.components.remaining import Remaining, remaining
from metering.components.store import ComponentStore
from metering.components.use import Use, use_of
from metering.fitting import Fitting
from metering.period import Period, milliseconds, quarter_start
from metering.usage import Usage

RECENT = timedelta(days=90)
"""The stretch whose pace counts as lately [house]."""

_MS_PER_DAY = 86_400_000
Found: TypeAlias = Worn | CannotSay
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class LifeWear:
    """One piece's life: what it took since it was fitted, and with what it had used before."""

    life: Life
    since_fitted: Found
    whole: Found


@dataclass(frozen=True, slots=True)
class ComponentWear:
    """A component at a moment: the piece that is in it, those before, and what is left.

    `in_period` is what the asked period took, of whatever piece; `recent` the last 90 days of the present piece, or as
    long as it is in, of which readings cover `recent_days`. `version` is the entry whose parameters
    hold. `use` is the present life's, `unwatched_ms` the part
    of that life that no reading covers. `left` is None where nothing can be said.
    """

    history: History
    version: Entry | None
    present: LifeWear | None
    earlier: tuple[LifeWear, ...]
    in_period: Found
    recent: Found
    recent_days: Fraction
    left: Remaining | None
    use: Use
    unwatched_ms: int


def measure_wear(
    machine_id: UUID,
    period: Period,
    *,
    meters: Sequence[Fitting],
    store: ComponentStore,
    known_at: datetime | None = None,
) -> list[ComponentWear]:
    """The wear of the machine's components at the end of `period` and in it, by all meters that it had.

    `known_at`: by parameters and usage as they were known at that moment.
    """

    @cache
    def use(stretch: Period) -> Use:
        return store.use(meters, stretch, known_at=known_at)

    histories = (history.known(known_at) for history in store.histories(machine_id))
    return [component_wear(history, period, use) for history in histories if history.entries]


def component_wear(history: History, period: Period, use: Callable[[Period], Use]) -> ComponentWear:
    """One component's wear; `use` gives the machine's use in a stretch."""
    until = period.end
    lives = [_life_wear(history, life, until, use) for life in history.lives() if life.start < until]
    present = lives[-1] if lives else None
    version = history.in_force(until)
    stretch = _stretch(present.life, until) if present else None
    lately = Period(max(until - RECENT, stretch.start), until) if stretch else None
    recent = worn_over(history, lately, use) if lately else Worn()
    whole_use = use(stretch) if stretch else Use()
    return ComponentWear(
        history=history,
        version=version,
        present=present,
        earlier=tuple(lives[:-1]),
        in_period=worn_over(history, period, use),
        recent=recent,
        recent_days=Fraction(use(lately).watched_ms, _MS_PER_DAY) if lately else Fraction(0),
        left=_left(version, present, recent),
        use=whole_use,
        unwatched_ms=max(milliseconds(stretch.length) - whole_use.watched_ms, 0) if stretch else 0,
    )


def worn_over(history: History, period: Period, use: Callable[[Period], Use]) -> Found:
    """What `period` took, each stretch by the parameters that held in it. A quarter hour counts where it begins."""
    return _sum(wear(piece.parameters, use(piece.period)) for piece in history.pieces(period))


def worn_by(history: History, period: Period, groups: Mapping[Key, Iterable[Usage]]) -> dict[Key, Found]:
    """What each group of `period`'s quarter hours took, as the leases that they belong to. Sums to `worn_over`."""
    pieces = history.pieces(period)

    def of(rows: Iterable[Usage]) -> Found:
        parts: list[list[Usage]] = [[] for _ in pieces]
        for row in rows:
            begins = quarter_start(row.period.start)
            for piece, part in zip(pieces, parts, strict=True):
                if begins in piece.period:
                    part.append(row)
        return _sum(wear(piece.parameters, use_of(part)) for piece, part in zip(pieces, parts, strict=True))

    return {key: of(rows) for key, rows in groups.items()}


def _life_wear(history: History, life: Life, until: datetime, use: Callable[[Period], Use]) -> LifeWear:
    found = worn_over(history, _stretch(life, until), use)
    if isinstance(found, CannotSay):
        return LifeWear(life, found, found)
    used = Fraction(life.used_share)
    return LifeWear(life, found, found + Worn(used, used, used))


def _stretch(life: Life, until: datetime) -> Period:
    return Period(life.start, min(life.end or until, until))


def _left(version: Entry | None, present: LifeWear | None, recent: Found) -> Remaining | None:
    if version is None or version.parameters is None or present is None:
        return None
    if (
        isinstance(present.whole, CannotSay)
        or isinstance(present.since_fitted, CannotSay)
        or isinstance(recent, CannotSay)
    ):
        return None
    return remaining(version.parameters, present.whole, present.since_fitted, recent)


def _sum(parts: Iterable[Found]) -> Found:
    whole = Worn()
    for part in parts:
        if isinstance(part, CannotSay):
            return part
        whole += part
    return whole
