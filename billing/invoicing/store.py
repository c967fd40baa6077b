"""Where invoices become rows and back."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, delete, func, insert, literal, text
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.exc import DataError, IntegrityError
from sqlmodel import Session, col, select

from billing.invoicing.invoice import Invoice, Status
from billing.invoicing.rows import invoice_row, invoice_value, line_rows
from billing.invoicing.tables import InvoiceCounterRow, InvoiceLineRow, InvoiceRow, ParkedCloseRow
from billing.money import Money
from metering.period import Period


class UnknownInvoice(LookupError):
    """There is no such invoice, or it is not visible to this party."""


class NotStorable(ValueError):
    """The database refuses the values: an amount beyond its limits, or something that breaks its rules."""


@dataclass(frozen=True, slots=True)
class Parked:
    """A lease whose period could not be closed, and why; the others were."""

    lease: UUID
    lessor: UUID
    reason: str


@dataclass(frozen=True, slots=True)
class Resting:
    """An invoice's line that was worked out from a certain reading."""

    invoice: UUID
    number: str | None
    seller: UUID
    status: Status
    position: int
    description: str
    amount: Money


class InvoiceStore:
    """Invoices within one transaction."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @contextmanager
    def attempt(self) -> Iterator[None]:
        """A savepoint: when the block fails, what it wrote is taken back and the transaction goes on.

        What the database refuses comes out as NotStorable.
        """
        try:
            with self._session.begin_nested():
                yield
        except (DataError, IntegrityError) as error:
            raise NotStorable(str(error.orig).strip().splitlines()[0]) from error

    def lock(self, lease: UUID, period: Period) -> None:
        """Let no other transaction bill `lease` for `period` until this one ends; a second one waits here."""
        key = f"invoice/{lease}/{period.start.isoformat()}/{period.end.isoformat()}"
        self._session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(literal(key), literal(0)))))

    def billed(self, lease: UUID, period: Period) -> list[Invoice]:
        """Every invoice there is for `lease` and `period`, void ones too, by ordinal."""
        query = select(InvoiceRow).where(
            InvoiceRow.lease_id == lease,
            InvoiceRow.period_start == period.start,
            InvoiceRow.period_end == period.end,
        )
        return self._values(self._session.exec(query.order_by(col(InvoiceRow.ordinal))))

    def last_period(self, lease: UUID) -> Period | None:
        """The latest period that the lease is billed for, drafts too."""
        query = select(InvoiceRow.period_start, InvoiceRow.period_end).where(
            InvoiceRow.lease_id == lease, InvoiceRow.status != Status.VOID
        )
        found = self._session.exec(query.order_by(col(InvoiceRow.period_end).desc()).limit(1)).first()
        return Period(*found) if found else None

    def overlapping(self, lease: UUID, period: Period) -> Period | None:
        """Another period than `period` that overlaps it and that the lease is billed for already."""
        query = select(InvoiceRow.period_start, InvoiceRow.period_end).where(
            InvoiceRow.lease_id == lease,
            InvoiceRow.status != Status.VOID,
            InvoiceRow.period_start < period.end,
            InvoiceRow.period_end > period.start,
        )
        found = (Period(*row) for row in self._session.exec(query))
        return next((other for other in found if other != period), None)

    def get(self, invoice_id: UUID) -> Invoice:
        """The invoice. Raises UnknownInvoice."""
        return self._one(invoice_id, lock=False)

    def lock_invoice(self, invoice_id: UUID) -> Invoice:
        """The invoice, kept from every other transaction until this one ends. Raises UnknownInvoice."""
        return self._one(invoice_id, lock=True)

    def by_number(self, lessor: UUID, number: str) -> Invoice | None:
        """The invoice that `lessor` issued under `number`."""
        query = select(InvoiceRow).where(InvoiceRow.lessor_id == lessor, InvoiceRow.number == number)
        return next(iter(self._values(self._session.exec(query))), None)

    def by_reference(self, reference: str) -> list[Invoice]:
        """The issued invoices with this payment reference (one per owner at most)."""
        query = select(InvoiceRow).where(InvoiceRow.reference == reference, InvoiceRow.status == Status.ISSUED)
        return self._values(self._session.exec(query.order_by(col(InvoiceRow.id))))

    def open_invoices(self) -> list[Invoice]:
        """Every issued invoice by number; which of them are paid is known by allocations, see `payment_state`."""
        query = select(InvoiceRow).where(InvoiceRow.status == Status.ISSUED)
        return self._values(self._session.exec(query.order_by(col(InvoiceRow.lessor_id), col(InvoiceRow.number))))

    def of_period(self, period: Period) -> list[Invoice]:
        """Every invoice of the service period that is not void, by lease and ordinal."""
        query = select(InvoiceRow).where(
            InvoiceRow.period_start == period.start,
            InvoiceRow.period_end == period.end,
            InvoiceRow.status != Status.VOID,
        )
        return self._values(self._session.exec(query.order_by(col(InvoiceRow.lease_id), col(InvoiceRow.ordinal))))

    def listed(self, *statuses: Status) -> list[Invoice]:
        """The invoices visible to this party in one of `statuses` (all without), latest service period first."""
        query = select(InvoiceRow)
        if statuses:
            query = query.where(col(InvoiceRow.status).in_([status.value for status in statuses]))
        order = (col(InvoiceRow.period_start).desc(), col(InvoiceRow.number).nulls_first(), col(InvoiceRow.id))
        return self._values(self._session.exec(query.order_by(*order)))

    def resting_on(self, meter: str, sequence: int, around: Period) -> list[Resting]:
        """The lines, of invoices that are not void, whose evidence holds reading `sequence` of `meter` (its serial).

        `around` is the reading's time: only invoices whose service period touches it are looked at.
        """
        part = func.jsonb_array_elements(InvoiceLineRow.evidence).table_valued("value").alias("part")
        first, last = (part.c.value.op("->>")(place).cast(BigInteger) for place in (1, 2))
        holds = select(literal(1)).select_from(part)
        holds = holds.where(part.c.value.op("->>")(0) == meter, first <= sequence, last >= sequence)
        query = (
            select(InvoiceLineRow, InvoiceRow)
            .join(InvoiceRow, col(InvoiceRow.id) == col(InvoiceLineRow.invoice_id))
            .where(
                InvoiceRow.status != Status.VOID,
                InvoiceRow.period_start <= around.end,
                InvoiceRow.period_end >= around.start,
                holds.exists(),
            )
            .order_by(col(InvoiceRow.period_start), col(InvoiceRow.id), col(InvoiceLineRow.position))
        )
        return [
            Resting(
                head.id,
                head.number,
                head.lessor_id,
                Status(head.status),
                line.position,
                line.description,
                Money(line.amount_minor, head.currency),
            )
            for line, head in self._session.exec(query)
        ]

    def save(self, invoice: Invoice, *, now: datetime) -> None:
        """Write a draft, or a step of it; its lines are replaced. The database refuses to change an issued one."""
        row = invoice_row(invoice, now=now)
        changed = {name: value for name, value in row.items() if name != "id"}
        self._session.execute(
            pg_insert(InvoiceRow).values(row).on_conflict_do_update(index_elements=["id"], set_=changed)
        )
        self._session.execute(delete(InvoiceLineRow).where(col(InvoiceLineRow.invoice_id) == invoice.id))
        if invoice.lines:
            self._session.execute(insert(InvoiceLineRow), line_rows(invoice))

    def save_step(self, invoice: Invoice, *, now: datetime) -> None:
        """Write everything but the lines, which stay as drafted: approval, hold, issue."""
        row = {name: value for name, value in invoice_row(invoice, now=now).items() if name != "id"}
        statement = InvoiceRow.__table__.update().where(col(InvoiceRow.id) == invoice.id).values(row)  # type: ignore[attr-defined]
        self._session.execute(statement)

    def next_count(self, owner: UUID, series: str, year: int) -> int:
        """The next number in a series; the counter stays locked until this transaction ends, so none is skipped."""
        counter = pg_insert(InvoiceCounterRow).values(owner_id=owner, series=series, year=year, last=1)
        counter = counter.on_conflict_do_update(
            index_elements=["owner_id", "series", "year"], set_={"last": text("invoice_counter.last + 1")}
        )
        return int(self._session.execute(counter.returning(col(InvoiceCounterRow.last))).scalar_one())

    def park(self, parked: Parked, period: Period, *, now: datetime) -> None:
        """Remember that the lease could not be closed, until it can."""
        values = {
            "lease_id": parked.lease,
            "period_start": period.start,
            "period_end": period.end,
            "lessor_id": parked.lessor,
            "reason": parked.reason,
            "recorded_at": now,
        }
        changed = {"reason": parked.reason, "recorded_at": now}
        key = ["lease_id", "period_start", "period_end"]
        self._session.execute(
            pg_insert(ParkedCloseRow).values(values).on_conflict_do_update(index_elements=key, set_=changed)
        )

    def unpark(self, lease: UUID, period: Period) -> None:
        """The lease was closed after all."""
        self._session.execute(
            delete(ParkedCloseRow).where(
                col(ParkedCloseRow.lease_id) == lease,
                col(ParkedCloseRow.period_start) == period.start,
                col(ParkedCloseRow.period_end) == period.end,
            )
        )

    def parked(self, period: Period) -> list[Parked]:
        """The leases whose close of `period` failed last time."""
        query = select(ParkedCloseRow).where(
            ParkedCloseRow.period_start == period.start, ParkedCloseRow.period_end == period.end
        )
        rows = self._session.exec(query.order_by(col(ParkedCloseRow.lease_id)))
        return [Parked(row.lease_id, row.lessor_id, row.reason) for row in rows]

    def _one(self, invoice_id: UUID, *, lock: bool) -> Invoice:
        query = select(InvoiceRow).where(InvoiceRow.id == invoice_id)
        found = self._values(self._session.exec(query.with_for_update() if lock else query))
        if not found:
            raise UnknownInvoice(f"there is no invoice {invoice_id} here")
        return found[0]

    def _values(self, rows: Iterable[InvoiceRow]) -> list[Invoice]:
        heads = list(rows)
        for head in heads:
            self._session.expunge(head)
        query = select(InvoiceLineRow).where(col(InvoiceLineRow.invoice_id).in_([head.id for head in heads]))
        lines: dict[UUID, list[InvoiceLineRow]] = {head.id: [] for head in heads}
        for line in self._session.exec(query.order_by(col(InvoiceLineRow.position))):
            lines[line.invoice_id].append(line)
        return [invoice_value(head, lines[head.id]) for head in heads]
