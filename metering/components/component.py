"""A machine's component and everything that was ever said about it: parameters, fittings, and what was taken back.

The history only grows. An entry says what holds from a moment on (`at`) and when that was told (`recorded_at`), so both
what holds now and what was known on a past day can be asked. For one moment the entry told last counts.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from itertools import pairwise
from uuid import UUID, uuid5

from metering.components.parameters import Kind, Parameters
from metering.period import Period

_NAMESPACE = UUID("5d0f3c86-6a0f-5c55-9b0e-1c3e0a6f7d21")


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A part of a machine that wears: its place in the machine, whatever piece is fitted there."""

    id: UUID
    machine_id: UUID
    owner_id: UUID
    name: str
    kind: Kind


class What(StrEnum):
    """What an entry tells."""

    PARAMETERS = "parameters"
    FITTED = "fitted"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing that was told of a component; `number` counts them from 1.

    PARAMETERS: `parameters` hold from `at` on. FITTED: at `at` another piece was fitted, of which `used_share` of its
    life was used before. WITHDRAWN: entry `withdraws` counts no more.
    """

    number: int
    what: What
    at: datetime
    recorded_at: datetime
    by: str
    why: str = ""
    parameters: Parameters | None = None
    serial: str = ""
    used_share: Decimal = Decimal(0)
    withdraws: int | None = None


@dataclass(frozen=True, slots=True)
class Life:
    """One piece's time in the machine: from when it was fitted until the next was, or still."""

    number: int
    start: datetime
    end: datetime | None
    serial: str
    used_share: Decimal
    entry: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch in which one piece was fitted and one version of parameters (entry `version`) held."""

    life: Life
    period: Period
    parameters: Parameters
    version: int


@dataclass(frozen=True, slots=True)
class History:
    """A component with its entries in the order in which they were told."""

    component: Component
    entries: tuple[Entry, ...] = ()

    def known(self, at: datetime | None) -> "History":
        """The history as it was known at a past moment; None: as it is known now."""
        if at is None:
            return self
        return replace(self, entries=tuple(entry for entry in self.entries if entry.recorded_at <= at))

    def versions(self) -> list[Entry]:
        """The parameters that count, by the moment from which they hold."""
        return self._standing(What.PARAMETERS)

    def in_force(self, at: datetime) -> Entry | None:
        """The entry whose parameters hold at a moment; before the first one the first: it describes the part."""
        found = self.versions()
        return next((entry for entry in reversed(found) if entry.at <= at), found[0] if found else None)

    def lives(self) -> list[Life]:
        """The pieces that were fitted one after the other."""
        fitted = self._standing(What.FITTED)
        ends = [*(entry.at for entry in fitted[1:]), None]
        return [
            Life(number, entry.at, end, entry.serial, entry.used_share, entry.number)
            for number, (entry, end) in enumerate(zip(fitted, ends, strict=False), start=1)
        ]

    def pieces(self, period: Period) -> list[Piece]:
        """`period` cut where another piece was fitted or other parameters began to hold."""
        cuts = sorted({entry.at for entry in self.versions()})
        return [piece for life in self.lives() for piece in self._of_life(life, period, cuts)]

    def _of_life(self, life: Life, period: Period, cuts: Sequence[datetime]) -> Iterable[Piece]:
        start, end = max(life.start, period.start), min(life.end or period.end, period.end)
        edges = [start, *(cut for cut in cuts if start < cut < end), end]
        for one, other in pairwise(edges):
            if one < other and (version := self.in_force(one)) and version.parameters:
                yield Piece(life, Period(one, other), version.parameters, version.number)

    def _standing(self, what: What) -> list[Entry]:
        withdrawn = {entry.withdraws for entry in self.entries if entry.what is What.WITHDRAWN}
        told = {entry.at: entry for entry in self.entries if entry.what is what and entry.number not in withdrawn}
        return [told[at] for at in sorted(told)]


def component_id(machine_id: UUID, name: str) -> UUID:
    """Id of the machine's component of this name."""
    return uuid5(_NAMESPACE, f"component:{machine_id}:{name}")
