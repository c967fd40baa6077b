"""Close a billing period: draft what each lease owes beyond what is already billed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from billing.capacity.attribution import Attribution, attribute
from billing.capacity.booking import Booking
from billing.capacity.lease import Lease
from billing.capacity.measure import measure
from billing.capacity.store import LeasingStore
from billing.invoicing.draft import draft
from billing.invoicing.invoice import Invoice
from billing.invoicing.owed import owed
from billing.invoicing.store import InvoiceStore, Parked
from billing.pricing.rating import rate
from billing.pricing.store import TariffStore
from metering.cut_usage import cut_usage
from metering.parties.store import PartyStore
from metering.period import Period
from metering.store import MeteringStore
from metering.usage import Usage

# What a wrong tariff, a missing party or an amount without bounds raises. Anything else is a fault and stops the run.
_REASONS = (ValueError, LookupError, ArithmeticError)


class BilledAlready(ValueError):
    """The lease is billed for another period that overlaps this one: close periods that follow one another."""


@dataclass(frozen=True, slots=True)
class Outside:
    """Use of a machine in the period that no booking answers for."""

    machine: UUID
    usage: tuple[Usage, ...]

    @property
    def totals(self) -> Mapping[str, int]:
        """Growth per register in its smallest unit."""
        return Attribution((), self.usage, ()).outside_totals()


@dataclass(frozen=True, slots=True)
class Closing:
    """What closing a period gave.

    `invoices` are all invoices of the period that are not void, new and old; `changed` the ids of those drafted or
    replaced now (none on a rerun); `parked` the leases that could not be closed; `outside` use that nobody booked.
    """

    period: Period
    invoices: tuple[Invoice, ...]
    changed: frozenset[UUID]
    parked: tuple[Parked, ...]
    outside: tuple[Outside, ...]


def close_period(
    period: Period,
    *,
    metering: MeteringStore,
    leasing: LeasingStore,
    tariffs: TariffStore,
    parties: PartyStore,
    invoicing: InvoiceStore,
    now: datetime,
    lessor: UUID | None = None,
) -> Closing:
    """Draft, per lease that runs in `period`, what it owes beyond what is billed; a rerun changes nothing.

    With `lessor` only that party's leases are closed: nobody closes another's period.

    A lease that cannot be closed is parked with its reason; the others are closed. Two workers that close the same
    leases at once follow one another. Needs the worker's role: it settles the period's usage.
    """
    work = _Work(period, metering, leasing, tariffs, parties, invoicing, now, lessor)
    for machine, leases in work.machines():
        work.close_machine(machine, leases)
    invoices = tuple(invoice for invoice in invoicing.of_period(period) if lessor in (None, invoice.seller.id))
    return Closing(period, invoices, frozenset(work.changed), tuple(work.parked), tuple(work.outside))


@dataclass(frozen=True, slots=True)
class _Use:
    """A machine's use in the period, and whom it belongs to."""

    machine: str
    usage: Sequence[Usage]
    bookings: Sequence[Booking]
    attribution: Attribution


@dataclass(slots=True)
class _Work:
    """One run of `close_period`: what it works with, and what it has found so far."""

    period: Period
    metering: MeteringStore
    leasing: LeasingStore
    tariffs: TariffStore
    parties: PartyStore
    invoicing: InvoiceStore
    now: datetime
    lessor: UUID | None
    changed: set[UUID] = field(default_factory=set)
    parked: list[Parked] = field(default_factory=list)
    outside: list[Outside] = field(default_factory=list)

    def machines(self) -> list[tuple[UUID, list[Lease]]]:
        """The machines with a lease in the period or a listing, and their leases: always in the same order."""
        listings = [each for each in self.leasing.listings() if self.lessor in (None, each.lessor_id)]
        leases: dict[UUID, list[Lease]] = {listing.machine_id: [] for listing in listings}
        for lease in sorted(self.leasing.leases_in(self.period), key=lambda lease: lease.id):
            if self.lessor in (None, lease.lessor_id):
                leases.setdefault(lease.machine_id, []).append(lease)
        return sorted(leases.items(), key=lambda entry: entry[0])

    def close_machine(self, machine: UUID, leases: Sequence[Lease]) -> None:
        """Lock the machine's leases, then read, so that what is read is newest; then close each."""
        for lease in leases:
            self.invoicing.lock(lease.id, self.period)
        try:
            with self.invoicing.attempt():
                use = self._use(machine, leases)
        except _REASONS as error:
            for lease in leases:
                self._park(lease, error)
            return
        if use.attribution.outside:
            self.outside.append(Outside(machine, use.attribution.outside))
        for lease in leases:
            try:
                with self.invoicing.attempt():
                    self._close_lease(lease, use)
            except _REASONS as error:
                self._park(lease, error)

    def _use(self, machine: UUID, leases: Sequence[Lease]) -> _Use:
        listing = next((listing for listing in self.leasing.listings() if listing.machine_id == machine), None)
        meter, title = (listing.meter_id, listing.title) if listing else (leases[0].meter_id, leases[0].meter_serial)
        usage = cut_usage(meter, self.period, store=self.metering, now=self.now)
        bookings = self.leasing.bookings_of_machine(machine, self.period)
        return _Use(title, usage, bookings, attribute(usage, bookings))

    def _close_lease(self, lease: Lease, use: _Use) -> None:
        if other := self.invoicing.overlapping(lease.id, self.period):
            raise BilledAlready(f"billed for {other.start.isoformat()} to {other.end.isoformat()}, which overlaps")
        change = owed(self._wanted(lease, use), self.invoicing.billed(lease.id, self.period))
        if change:
            self.invoicing.save(change, now=self.now)
            self.changed.add(change.id)
        self.invoicing.unpark(lease.id, self.period)

    def _wanted(self, lease: Lease, use: _Use) -> Invoice:
        """The whole bill, rated from scratch."""
        facts = self.leasing.facts_of(lease.id, self.period)
        measured = measure(lease, self.period, usage=use.usage, bookings=use.bookings, facts=facts)
        return draft(
            rate(self.tariffs.version(lease.tariff_version_id), measured),
            lease,
            seller=self.parties.organisation(lease.lessor_id),
            buyer=self.parties.organisation(lease.lessee_id),
            machine=use.machine,
            replayed=any(row.replayed for row in use.attribution.of_lease(lease.id)),
            known_at=self.now,
        )

    def _park(self, lease: Lease, error: Exception) -> None:
        parked = Parked(lease.id, lease.lessor_id, f"{type(error).__name__}: {error}")
        self.invoicing.park(parked, self.period, now=self.now)
        self.parked.append(parked)
