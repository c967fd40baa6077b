"""What the finance page shows, built from values: what is owed, bank lines with candidates, the trial balance."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from app.pages.format import Figure, State, amount
from billing.accounting.account import account
from billing.accounting.period_close import Balance
from billing.invoicing.invoice import Invoice
from billing.money import Money, total
from billing.payments.match_transactions import Proposed
from billing.payments.matching import Candidate
from billing.payments.payment import Settled
from billing.payments.settle import AUTOMATIC
from billing.payments.statement import BookedTransaction
from metering.period import Period


@dataclass(frozen=True, slots=True)
class CandidateRow:
    id: UUID
    number: str
    amount: str
    buyer: str
    reasons: tuple[str, ...]
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BankLine:
    id: UUID
    booked: date
    payer: str
    remittance: str
    amount: str
    note: str
    candidates: tuple[CandidateRow, ...]


@dataclass(frozen=True, slots=True)
class MatchedRow:
    """`undo` is the bank line whose match can be taken back; None for a card payment."""

    received: date
    payer: str
    amount: str
    invoice_id: UUID
    number: str
    how: str
    reason: str
    undo: UUID | None


@dataclass(frozen=True, slots=True)
class BalanceRow:
    code: str
    name: str
    meaning: str
    debit: str
    credit: str


@dataclass(frozen=True, slots=True)
class BalanceTotal:
    currency: str
    debit: str
    credit: str
    state: State


@dataclass(frozen=True, slots=True)
class FinancePage:
    figures: tuple[Figure, ...]
    drafts: int
    lines: tuple[BankLine, ...]
    matched: tuple[MatchedRow, ...]
    close_from: str
    close_to: str
    balance: tuple[BalanceRow, ...]
    balance_totals: tuple[BalanceTotal, ...]


@dataclass(frozen=True, slots=True)
class Receivable:
    """An issued invoice and what is settled of it."""

    invoice: Invoice
    settled: Money

    @property
    def open(self) -> Money:
        return self.invoice.total - self.settled


def figures(
    receivables: Sequence[Receivable], unmatched: Sequence[BookedTransaction], today: date
) -> tuple[Figure, ...]:
    """What is open, overdue, received and not yet matched, in each currency that occurs."""
    bank = [each.transaction.amount for each in unmatched]
    currencies = sorted({each.invoice.currency for each in receivables} | {each.currency for each in bank})
    return tuple(
        Figure(label, amount(sum_), sum_.currency)
        for currency in currencies
        for label, sum_ in _sums(
            [each for each in receivables if each.invoice.currency == currency], bank, currency, today
        )
    )


def _sums(
    receivables: Sequence[Receivable], bank: Iterable[Money], currency: str, today: date
) -> Iterable[tuple[str, Money]]:
    late = [each.open for each in receivables if each.invoice.due_date and each.invoice.due_date < today]
    yield "Open", total([each.open for each in receivables], currency)
    yield "Overdue", total(late, currency)
    yield "Received", total([each.settled for each in receivables], currency)
    yield "At the bank, not matched", total([each for each in bank if each.currency == currency], currency)


def bank_line(proposed: Proposed) -> BankLine:
    """A bank line with the invoices that it may pay, the likeliest first."""
    booked, proposal = proposed.booked, proposed.proposal
    transaction = booked.transaction
    return BankLine(
        id=booked.id,
        booked=booked.booked_on,
        payer=transaction.party or "Payer not named",
        remittance=" ".join((*transaction.references, *transaction.remittance)) or "no remittance text",
        amount=str(transaction.amount),
        note=proposal.note,
        candidates=tuple(_candidate(each) for each in proposal.candidates),
    )


def _candidate(candidate: Candidate) -> CandidateRow:
    invoice = candidate.invoice
    return CandidateRow(
        invoice.id, invoice.number, str(invoice.open), invoice.buyer, candidate.reasons, candidate.doubts
    )


def matched_row(settled: Settled, invoice: Invoice, bank: BookedTransaction | None) -> MatchedRow:
    """A payment that settles an invoice, and who decided so."""
    automatic = settled.allocation.decided_by == AUTOMATIC
    return MatchedRow(
        received=settled.payment.received_on,
        payer=(bank and bank.transaction.party) or invoice.buyer.name,
        amount=str(settled.allocation.amount),
        invoice_id=invoice.id,
        number=invoice.number or "",
        how="card" if bank is None else ("bank, automatic" if automatic else "bank, by a person"),
        reason="" if bank is None else settled.allocation.reason,
        undo=bank.id if bank else None,
    )


def balance_rows(balances: Iterable[Balance]) -> tuple[BalanceRow, ...]:
    """The trial balance, by account number."""
    named = sorted(((account(each.account), each.amount) for each in balances), key=lambda pair: pair[0].number)
    return tuple(
        BalanceRow(found.number, _account_name(found.name), found.meaning, *_sides(sum_.decimal, sum_.currency))
        for found, sum_ in named
    )


def balance_totals(balances: Sequence[Balance]) -> tuple[BalanceTotal, ...]:
    """Both sides' sums per currency; books are right when they are equal."""
    totals = []
    for currency in sorted({each.amount.currency for each in balances}):
        sums = [each.amount.decimal for each in balances if each.amount.currency == currency]
        debit = sum((each for each in sums if each > 0), Decimal(0))
        credit = -sum((each for each in sums if each < 0), Decimal(0))
        state = State("balanced", "good") if debit == credit else State("not balanced", "bad")
        totals.append(BalanceTotal(currency, f"{debit:,f}", f"{credit:,f}", state))
    return tuple(totals)


def _sides(value: Decimal, currency: str) -> tuple[str, str]:
    text = f"{abs(value):,f} {currency}"
    return (text, "") if value >= 0 else ("", text)


def _account_name(key: str) -> str:
    """`revenue.lease_fixed` as people write it."""
    words = key.replace(".", ", ").replace("_", " ")
    return f"{words[0].upper()}{words[1:]}".replace("Vat ", "VAT ")


def days_of(period: Period, zone: str) -> tuple[str, str]:
    """First day of `period` and the day after its last, as date fields want them."""
    first, after = (moment.astimezone(ZoneInfo(zone)).date() for moment in (period.start, period.end))
    return first.isoformat(), (after if after > first else first + timedelta(days=1)).isoformat()
