"""Close a billing period: draft what each lease owes beyond what is already billed."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from billing.capacity.attribution import Attribution
from billing.capacity.lease import Lease, LeasedMachine, Listing
from billing.capacity.machine_use import MachineUse, divided, each_once, of_lease
from billing.capacity.measure import measure
from billing.capacity.store import LeasingStore
from billing.invoicing.draft import draft
from billing.invoicing.invoice import Invoice
from billing.invoicing.owed import owed
from billing.invoicing.store import InvoiceStore, Parked
from billing.pricing.rating import rate
from billing.pricing.store import TariffStore
from metering.cut_usage import cut_place_usage
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
    for machines, leases in work.groups():
        work.close_group(machines, leases)
    invoices = tuple(invoice for invoice in invoicing.of_period(period) if lessor in (None, invoice.seller.id))
    return Closing(period, invoices, frozenset(work.changed), tuple(work.parked), tuple(work.outside))


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
    listings: dict[UUID, Listing] = field(default_factory=dict)
    machines: dict[UUID, list[LeasedMachine]] = field(default_factory=dict)
    changed: set[UUID] = field(default_factory=set)
    parked: list[Parked] = field(default_factory=list)
    outside: list[Outside] = field(default_factory=list)

    def groups(self) -> list[tuple[list[UUID], list[Lease]]]:
        """Machines with a lease in the period or a listing, and their leases, always in the same order.

        Machines are in one group when a lease was swapped from one to the other: it needs the use of both.
        """
        self.listings = {each.machine_id: each for each in self.leasing.listings()}
        mine = [each.machine_id for each in self.listings.values() if self.lessor in (None, each.lessor_id)]
        leases = [each for each in self.leasing.leases_in(self.period) if self.lessor in (None, each.lessor_id)]
        self.machines = self.leasing.machines_of_all(leases)
        moved = [[place.machine_id for place in places] for places in self.machines.values()]
        grouped: dict[UUID, list[Lease]] = {}
        for lease in sorted(leases, key=lambda each: each.id):
            grouped.setdefault(lease.machine_id, []).append(lease)
        return [
            (group, [lease for machine in group for lease in grouped.get(machine, ())])
            for group in connected([*([machine] for machine in mine), *moved])
        ]

    def close_group(self, machines: Sequence[UUID], leases: Sequence[Lease]) -> None:
        """Lock the leases, then read, so that what is read is newest; then close each."""
        for lease in leases:
            self.invoicing.lock(lease.id, self.period)
        try:
            with self.invoicing.attempt():
                uses = {machine: self._use(machine, leases) for machine in machines}
        except _REASONS as error:
            for lease in leases:
                self._park(lease, error)
            return
        parted = divided(booking for use in uses.values() for booking in use.bookings)
        for machine, use in uses.items():
            if outside := use.attribution(parted).outside:
                self.outside.append(Outside(machine, outside))
        for lease in leases:
            try:
                with self.invoicing.attempt():
                    self._close_lease(lease, uses)
            except _REASONS as error:
                self._park(lease, error)

    def _use(self, machine: UUID, leases: Sequence[Lease]) -> MachineUse:
        listing = self.listings.get(machine)
        here = (place for lease in leases for place in self.machines[lease.id] if place.machine_id == machine)
        meter = listing.meter_id if listing else next(here).meter_id
        usage = cut_place_usage(meter, self.period, store=self.metering, now=self.now)
        return MachineUse(machine, usage, self.leasing.bookings_of_machine(machine, self.period))

    def _close_lease(self, lease: Lease, uses: Mapping[UUID, MachineUse]) -> None:
        if other := self.invoicing.overlapping(lease.id, self.period):
            raise BilledAlready(f"billed for {other.start.isoformat()} to {other.end.isoformat()}, which overlaps")
        change = owed(self._wanted(lease, uses), self.invoicing.billed(lease.id, self.period))
        if change:
            self.invoicing.save(change, now=self.now)
            self.changed.add(change.id)
        self.invoicing.unpark(lease.id, self.period)

    def _wanted(self, lease: Lease, uses: Mapping[UUID, MachineUse]) -> Invoice:
        """The whole bill, rated from scratch."""
        machines = self.machines[lease.id]
        mine = [uses[place.machine_id] for place in each_once(machines)]
        facts = self.leasing.facts_of(lease.id, self.period)
        measured = measure(lease, self.period, uses=mine, facts=facts)
        return draft(
            rate(self.tariffs.version(lease.tariff_version_id), measured),
            lease,
            seller=self.parties.organisation(lease.lessor_id),
            buyer=self.parties.organisation(lease.lessee_id),
            machine=self._titles(machines),
            replayed=any(row.replayed for row in of_lease(lease.id, mine)),
            known_at=self.now,
        )

    def _titles(self, machines: Sequence[LeasedMachine]) -> str:
        """What the bill calls the machine: of several those that were there in the period, and from when on."""
        ends = [*(each.since for each in machines[1:]), None]
        here = [
            place
            for place, end in zip(machines, ends, strict=True)
            if place.since < self.period.end and (end is None or end > self.period.start)
        ]
        first, *swapped = [(self._title(place), place) for place in here]
        later = (f"{title} (from {place.since:%Y-%m-%d}: {place.reason})" for title, place in swapped)
        return ", ".join([first[0], *later])

    def _title(self, place: LeasedMachine) -> str:
        listing = self.listings.get(place.machine_id)
        return listing.title if listing else place.meter_serial

    def _park(self, lease: Lease, error: Exception) -> None:
        parked = Parked(lease.id, lease.lessor_id, f"{type(error).__name__}: {error}")
        self.invoicing.park(parked, self.period, now=self.now)
        self.parked.append(parked)


def connected(sets: Iterable[Sequence[UUID]]) -> list[list[UUID]]:
    """The sets joined where they share a member, each sorted, in the order of their first members."""
    group_of: dict[UUID, frozenset[UUID]] = {}
    for each in sets:
        joined = frozenset(each).union(*(group_of[member] for member in each if member in group_of))
        group_of |= dict.fromkeys(joined, joined)
    return sorted(sorted(group) for group in set(group_of.values()))
