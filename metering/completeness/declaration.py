"""Declarations: the owner says what its machine was used for outside bookings. Appended, withdrawn, never changed."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID, uuid5

from metering.machine import Machine
from metering.period import Period, quarter_start

_NAMESPACE = UUID("5b1c6a3e-8d0f-5e42-9a77-60c2f1de8b35")
_LONGEST_NOTE = 500


class NotDeclared(ValueError):
    """A declaration needs a stretch on quarter hours not declared before, and a note of at most 500 characters."""


class DeclaredKind(StrEnum):
    """What the owner used the machine for."""

    OWN_USE = "own_use"
    MAINTENANCE = "maintenance"
    TRIAL = "trial"

    @property
    def label(self) -> str:
        return {"own_use": "own use", "maintenance": "maintenance, by hand", "trial": "trial run"}[self.value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declaration:
    """The owner's word for a machine's use in `period`; `by` is who said so, `recorded_at` when."""

    id: UUID
    machine_id: UUID
    owner_id: UUID
    period: Period
    kind: DeclaredKind
    note: str
    by: str
    recorded_at: datetime


class DeclarationStore(Protocol):
    """What the verbs need of a store."""

    def lock_machine(self, machine_id: UUID) -> None: ...
    def declarations(self, machine_id: UUID, period: Period) -> list[Declaration]: ...
    def add_declaration(self, declaration: Declaration) -> None: ...
    def withdraw(self, declaration_id: UUID, owner_id: UUID, *, by: str, now: datetime) -> bool: ...


def declare(
    machine: Machine, period: Period, kind: DeclaredKind, note: str, *, by: str, store: DeclarationStore, now: datetime
) -> Declaration:
    """Say that `period` of `machine` was the owner's `kind` of use; the same again changes nothing. NotDeclared."""
    if any(quarter_start(moment) != moment for moment in (period.start, period.end)):
        raise NotDeclared("a declaration starts and ends on quarter hours: choose times such as 09:00 or 09:15")
    if len(note) > _LONGEST_NOTE:
        raise NotDeclared(f"the note is longer than {_LONGEST_NOTE} characters: say it in fewer")
    store.lock_machine(machine.id)
    for known in store.declarations(machine.id, period):
        if (known.period, known.kind, known.note) == (period, kind, note):
            return known
        raise NotDeclared(
            f"{known.period.start:%Y-%m-%d %H:%M} to {known.period.end:%H:%M} UTC is declared as {known.kind.label} "
            "already: withdraw that first"
        )
    declared = Declaration(
        id=declaration_id(machine.id, period, now),
        machine_id=machine.id,
        owner_id=machine.owner_id,
        period=period,
        kind=kind,
        note=note,
        by=by,
        recorded_at=now,
    )
    store.add_declaration(declared)
    return declared


def declaration_id(machine: UUID, period: Period, now: datetime) -> UUID:
    """The id of what was declared of this stretch at that moment; one withdrawn may be declared anew later."""
    return uuid5(_NAMESPACE, f"{machine}/{period.start.isoformat()}/{period.end.isoformat()}/{now.isoformat()}")
