"""Where components and what was told of them become rows and back, and the sums of usage that their wear rests on."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, text
from sqlmodel import Session, col, insert, select

from metering.components.component import Component, Entry, History, What
from metering.components.parameters import Kind, Parameters
from metering.components.sums import KNOWN_NOW, KNOWN_THEN, LACKING, NEWEST, REGISTERS, SPECTRUM, WATCHED
from metering.components.tables import ComponentEntryRow, ComponentRow
from metering.components.use import UnknownLoad, Use
from metering.fitting import Fitting
from metering.layout import Layout
from metering.period import Period
from metering.tables import MeterRow


class ComponentStore:
    """A machine's components and its use, as far as the session's role and party may see them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def lock(self, machine_id: UUID) -> None:
        """Wait for, and keep out, whoever else tells something of this machine's components."""
        key = func.hashtextextended(f"components:{machine_id}", 0)
        self._session.execute(select(func.pg_advisory_xact_lock(key)))

    def add(self, component: Component, *, now: datetime) -> None:
        values = {
            "id": component.id,
            "machine_id": component.machine_id,
            "owner_id": component.owner_id,
            "name": component.name,
            "kind": component.kind.value,
            "recorded_at": now,
        }
        self._session.execute(insert(ComponentRow).values(values))

    def add_entries(self, component: Component, entries: Sequence[Entry]) -> None:
        """Put them on record; they are numbered on from the newest, under the machine's lock."""
        rows = [_row(component, entry) for entry in entries]
        if rows:
            self._session.execute(insert(ComponentEntryRow), rows)

    def histories(self, machine_id: UUID) -> list[History]:
        """The machine's components with all that was told of them, by name."""
        query = select(ComponentRow).where(ComponentRow.machine_id == machine_id)
        components = [_component(row) for row in self._session.exec(query.order_by(ComponentRow.name))]
        told: dict[UUID, list[Entry]] = {component.id: [] for component in components}
        rows = select(ComponentEntryRow).where(col(ComponentEntryRow.component_id).in_(list(told)))
        kinds = {component.id: component.kind for component in components}
        for row in self._session.exec(rows.order_by(col(ComponentEntryRow.number))):
            told[row.component_id].append(_entry(row, kinds[row.component_id]))
        return [History(component, tuple(told[component.id])) for component in components]

    def measured_until(self, meters: Iterable[UUID], *, known_at: datetime | None = None) -> datetime | None:
        """Up to when readings tell the use of these meters."""
        found = self._session.execute(
            text(NEWEST.format(known=_known(known_at))), {"meters": list(meters), "known_at": known_at}
        ).scalar()
        return found if isinstance(found, datetime) else None

    def use(self, meters: Iterable[Fitting], period: Period, *, known_at: datetime | None = None) -> Use:
        """The sums of the quarter hours that begin in `period`, over these meters, each in its time on the machine; as
        known now or at a past moment."""
        whole = Use()
        for meter in meters:
            whole += self._use_of(meter, period, known_at)
        return whole

    def _use_of(self, fitted: Fitting, period: Period, known_at: datetime | None) -> Use:
        bound = {
            "meter": fitted.meter.id,
            "since": fitted.since,
            "until": fitted.until,
            "start": period.start,
            "end": period.end,
            "known_at": known_at,
        }

        def rows(statement: str, **more: object) -> Sequence[Sequence[int | None]]:
            filled = text(statement.format(known=_known(known_at)))
            return [tuple(row) for row in self._session.execute(filled, {**bound, **more})]

        registers, cells = rows(REGISTERS), rows(SPECTRUM)
        ((watched, substitute),) = rows(WATCHED)
        # After the sums: a layout only grows, so the later one fits them.
        layout = self._layout(fitted.meter.id)
        lacking = {part: _lacking(rows(LACKING, **places)) for part, places in _places(layout) if registers}
        return Use(
            {layout.codes[(place or 1) - 1]: grown or 0 for place, grown in registers},
            layout.spectrum([cell or 0 for cell, _ in cells], [ms or 0 for _, ms in cells]),
            lacking,
            watched or 0,
            substitute or 0,
        )

    def _layout(self, meter: UUID) -> Layout:
        query = select(MeterRow.register_codes, MeterRow.spindles).where(MeterRow.id == meter)
        codes, spindles = self._session.exec(query).one()
        return Layout(tuple(codes), tuple(spindles))


def _places(layout: Layout) -> Iterable[tuple[str, dict[str, int]]]:
    """Per spindle where its time, its turns (0: not counted) and its cells (-1: none yet) lie in stored arrays."""
    for place, code in enumerate(layout.codes, start=1):
        name, _, part = code.partition(".")
        if name == "spindle_on" and part:
            turns = f"revolutions.{part}"
            yield (
                part,
                {
                    "on_place": place,
                    "turns_place": layout.codes.index(turns) + 1 if turns in layout.codes else 0,
                    "spindle": layout.spindles.index(part) if part in layout.spindles else -1,
                },
            )


def _lacking(rows: Sequence[Sequence[int | None]]) -> UnknownLoad:
    ((ms, least, most, unturned),) = rows
    return UnknownLoad(ms or 0, least or 0, None if unturned else most or 0)


def _known(known_at: datetime | None) -> str:
    return KNOWN_NOW if known_at is None else KNOWN_THEN


def _component(row: ComponentRow) -> Component:
    return Component(id=row.id, machine_id=row.machine_id, owner_id=row.owner_id, name=row.name, kind=Kind(row.kind))


def _row(component: Component, entry: Entry) -> dict[str, object]:
    return {
        "component_id": component.id,
        "number": entry.number,
        "owner_id": component.owner_id,
        "what": entry.what.value,
        "valid_from": entry.at,
        "parameters": entry.parameters.to_json() if entry.parameters else None,
        "serial": entry.serial,
        "used_share": entry.used_share,
        "withdraws": entry.withdraws,
        "why": entry.why,
        "recorded_by": entry.by,
        "recorded_at": entry.recorded_at,
    }


def _entry(row: ComponentEntryRow, kind: Kind) -> Entry:
    return Entry(
        number=row.number,
        what=What(row.what),
        at=row.valid_from,
        recorded_at=row.recorded_at,
        by=row.recorded_by,
        why=row.why,
        parameters=None if row.parameters is None else Parameters.of(kind, row.parameters),
        serial=row.serial,
        used_share=row.used_share,
        withdraws=row.withdraws,
    )
