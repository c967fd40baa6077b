"""The invoice: a frozen value from its first draft on; every step makes a new value."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID, uuid5

from billing.invoicing.line import InvoiceLine, VatSum, vat_breakdown
from billing.money import Money, total
from metering.period import Period

_INVOICES = UUID("0c7a2c55-7c57-5c3e-8a43-6f0b3f6d1a02")


class Status(StrEnum):
    """How far the document is; whether it is paid is told apart."""

    DRAFT = "draft"
    REVIEW = "review"
    ISSUED = "issued"
    VOID = "void"


class PaymentState(StrEnum):
    """How far an issued invoice is paid."""

    OPEN = "open"
    PARTLY_PAID = "partly_paid"
    PAID = "paid"


class WrongStatus(ValueError):
    """The invoice's status does not allow this step."""


@dataclass(frozen=True, slots=True)
class Party:
    """A seller or buyer as it stood at drafting: `address` in lines as printed, `zone` an IANA name."""

    id: UUID
    name: str
    address: tuple[str, ...] = ()
    country: str = ""
    tax_number: str = ""
    email: str = ""
    bank_account: str = ""
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Terms:
    """What the amounts rest on: the tariff's code, version and digest, the rounding policy, the machine's clock."""

    tariff: str
    tariff_version: int
    tariff_digest: str
    rounding: str
    machine: str
    machine_zone: str
    due_days: int = 14


@dataclass(frozen=True, slots=True)
class Invoice:
    """What a lessee owes for a lease in a service period.

    `ordinal` is 0 for the invoice and counts the adjustments after it. `number`, `invoice_date`, `due_date` and
    `reference` (ISO 11649) and `issued_at` are None until it is issued. `replayed`: at least one reading came from a
    recording played back. `held` says why it must not be issued yet. `known_at`: the lines rest on what was on record
    at that moment; what came later is billed later.
    """

    lease: UUID
    period: Period
    ordinal: int
    status: Status
    seller: Party
    buyer: Party
    currency: str
    lines: tuple[InvoiceLine, ...]
    terms: Terms
    replayed: bool = False
    number: str | None = None
    reference: str | None = None
    invoice_date: date | None = None
    due_date: date | None = None
    held: str | None = None
    issued_at: datetime | None = None
    known_at: datetime | None = None

    @property
    def id(self) -> UUID:
        return invoice_id(self.lease, self.period, self.ordinal)

    @property
    def net(self) -> Money:
        return total([line.amount for line in self.lines], self.currency)

    @property
    def vat(self) -> tuple[VatSum, ...]:
        return vat_breakdown(self.lines, self.currency)

    @property
    def tax(self) -> Money:
        return total([part.tax for part in self.vat], self.currency)

    @property
    def total(self) -> Money:
        return self.net + self.tax

    def nets_by_category(self) -> dict[str, Money]:
        """The net sum per line category, as the ledger books it."""
        nets: dict[str, Money] = {}
        for line in self.lines:
            nets[line.category] = nets.get(line.category, Money(0, self.currency)) + line.amount
        return nets


def invoice_id(lease: UUID, period: Period, ordinal: int = 0) -> UUID:
    """The id of the `ordinal`-th invoice for `lease` and `period`."""
    return uuid5(_INVOICES, f"{lease}/{period.start.isoformat()}/{period.end.isoformat()}/{ordinal}")


def same_content(one: Invoice, other: Invoice) -> bool:
    """Whether two drafts say the same, whatever step each is at and whenever each was worked out."""
    return replace(one, status=other.status, held=other.held, known_at=other.known_at) == other


def payment_state(owed: Money, allocated: Money) -> PaymentState:
    """How far `owed` is settled by what was allocated to it.

    An amount owed to the buyer (negative) is paid when as much was paid out. Money beyond `owed` is never allocated.
    """
    if abs(allocated.minor) >= abs(owed.minor):
        return PaymentState.PAID
    return PaymentState.PARTLY_PAID if allocated else PaymentState.OPEN
