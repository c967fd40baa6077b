"""Verbs: say something of a component. Nothing is changed or deleted; the same again changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from metering.components.component import Component, Entry, History, What, component_id
from metering.components.fields import refusal
from metering.components.store import ComponentStore
from metering.components.told import LONGEST_WHY, Fitting, Told, plain_text
from metering.machine import Machine

MOST_COMPONENTS, MOST_ENTRIES = 100, 1000


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of it: the component's history now, and the entries that are new (none: it was known already)."""

    history: History
    new: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Teller:
    """Who says something of a machine's components, and when it is put on record."""

    machine: Machine
    by: str
    now: datetime


def set_component(said: Told, *, teller: Teller, store: ComponentStore) -> Recorded:
    """Add the component, or a version of its parameters, or a fitted piece, as far as `said` is news.

    Parameters for a moment that has some already correct them. Raises ComponentRefused.
    """
    machine = teller.machine
    store.lock(machine.id)
    known = store.histories(machine.id)
    wanted = component_id(machine.id, said.name)
    history = next((each for each in known if each.component.id == wanted), None)
    if history is None:
        if len(known) >= MOST_COMPONENTS:
            raise refusal("name", f"the machine has {MOST_COMPONENTS} components already; describe fewer, larger parts")
        component = Component(
            id=wanted, machine_id=machine.id, owner_id=machine.owner_id, name=said.name, kind=said.kind
        )
        store.add(component, now=teller.now)
        first = said.fitting or Fitting(said.valid_from, "", Decimal(0))
        return _grow(History(component), _news(History(component), said, first), teller, store)
    if history.component.kind is not said.kind:
        raise refusal(
            "kind", f"{said.name} is a part of kind {history.component.kind}; give the other part another name"
        )
    news = _news(history, said, said.fitting)
    if news and not said.why:
        raise refusal("why", "is missing; say why this is changed, it stays in the history")
    return _grow(history, news, teller, store)


def fit(component: UUID, piece: Fitting, why: str, *, teller: Teller, store: ComponentStore) -> Recorded:
    """Another piece was fitted: it starts at its own `used_share`; the life of the one before ends there, and stays."""
    reason = plain_text("why", why, LONGEST_WHY, needed=True)
    history = _locked(component, teller, store)
    news = [] if _is_fitted(history, piece) else [_fitting(piece, reason)]
    return _grow(history, news, teller, store)


def withdraw(component: UUID, number: int, why: str, *, teller: Teller, store: ComponentStore) -> Recorded:
    """Take entry `number` back: from now on it does not count; what was known before stays known as of then."""
    reason = plain_text("why", why, LONGEST_WHY, needed=True)
    history = _locked(component, teller, store)
    found = next((entry for entry in history.entries if entry.number == number), None)
    if found is None or found.what is What.WITHDRAWN:
        raise refusal(
            "entry", f"{history.component.name} has no entry {number} that could be taken back; list them first"
        )
    if any(entry.withdraws == number for entry in history.entries):
        return Recorded(history, ())
    left = replace(history, entries=tuple(entry for entry in history.entries if entry.number != number))
    if not left.versions() or not left.lives():
        raise refusal("entry", "is the last of its kind; record the right one first, then take this one back")
    return _grow(history, [{"what": What.WITHDRAWN, "at": found.at, "why": reason, "withdraws": number}], teller, store)


def _news(history: History, said: Told, piece: Fitting | None) -> list[dict[str, Any]]:
    """What of `said` does not hold already, as fields of entries."""
    news: list[dict[str, Any]] = []
    holds = history.in_force(said.valid_from)
    if holds is None or holds.at > said.valid_from or holds.parameters != said.parameters:
        news.append({"what": What.PARAMETERS, "at": said.valid_from, "why": said.why, "parameters": said.parameters})
    if piece and not _is_fitted(history, piece):
        news.append(_fitting(piece, said.why))
    return news


def _is_fitted(history: History, piece: Fitting) -> bool:
    return any(
        (life.start, life.serial, life.used_share) == (piece.at, piece.serial, piece.used_share)
        for life in history.lives()
    )


def _fitting(piece: Fitting, why: str) -> dict[str, Any]:
    return {"what": What.FITTED, "at": piece.at, "why": why, "serial": piece.serial, "used_share": piece.used_share}


def _locked(component: UUID, teller: Teller, store: ComponentStore) -> History:
    store.lock(teller.machine.id)
    found = [each for each in store.histories(teller.machine.id) if each.component.id == component]
    if not found:
        raise refusal("component", f"{teller.machine.name} has no such component; list them first")
    return found[0]


def _grow(history: History, news: Sequence[dict[str, Any]], teller: Teller, store: ComponentStore) -> Recorded:
    if any(new["what"] is What.FITTED and new["at"] > teller.now for new in news):
        raise refusal("fitted_at", "lies in the future; record a piece when it is fitted")
    if len(history.entries) + len(news) > MOST_ENTRIES:
        raise refusal("", f"the component has {MOST_ENTRIES} entries; add a new component for what follows")
    start = len(history.entries) + 1
    entries = tuple(
        Entry(number=number, recorded_at=teller.now, by=teller.by, **new)
        for number, new in enumerate(news, start=start)
    )
    store.add_entries(history.component, entries)
    return Recorded(replace(history, entries=(*history.entries, *entries)), entries)
