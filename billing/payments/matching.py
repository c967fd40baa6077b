"""Which invoice a bank transaction pays: found by what it says, decided only when nothing speaks against it.

Automatic only when exactly one open invoice is named (by a valid RF reference or its number) and the amount and
currency are exactly what is open on it. Everything else is proposed to a person, with the reasons for each candidate.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from billing.money import Money
from billing.payments.mentions import Directory, Mention, similar_names
from billing.payments.reference import body_of, is_creditor_reference, reference_body
from billing.payments.statement import BankTransaction

_MOST_CANDIDATES = 5
_NAMED, _CANDIDATE_BY_AMOUNT = 100, 20
_EXACT_AMOUNT, _SAME_NAME = 50, 10


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    """An issued invoice on which `open` is still to be paid; `buyer` is the payer's name as we know it."""

    id: UUID
    number: str
    reference: str
    open: Money
    buyer: str = ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An invoice that the transaction may pay: `reasons` speak for it, `doubts` against deciding alone."""

    invoice: OpenInvoice
    reasons: tuple[str, ...]
    doubts: tuple[str, ...]
    rank: int


@dataclass(frozen=True, slots=True)
class Proposal:
    """What to do with a transaction: `automatic` is the invoice it surely pays, else a person chooses among candidates.

    `note` says why nothing fits, or what should be looked at.
    """

    automatic: OpenInvoice | None
    candidates: tuple[Candidate, ...]
    note: str = ""


class OpenInvoices:
    """The open invoices, found by reference, number and amount at a cost that does not grow with their number."""

    def __init__(self, invoices: Iterable[OpenInvoice]) -> None:
        self._by_id = {invoice.id: invoice for invoice in invoices}
        self._directory = Directory((each.number, each.reference, each.id) for each in self._by_id.values())
        self._by_amount: dict[Money, list[UUID]] = {}
        for invoice in self._by_id.values():
            self._by_amount.setdefault(invoice.open, []).append(invoice.id)

    def named(self, text: str) -> list[tuple[OpenInvoice, Mention]]:
        """The open invoices that a text names."""
        found = [(self._by_id.get(identifier), mention) for identifier, mention in self._directory.named(text)]
        return [(invoice, mention) for invoice, mention in found if invoice is not None]

    def with_open(self, amount: Money) -> list[OpenInvoice]:
        """Those with exactly `amount` open."""
        return [self._by_id[each] for each in self._by_amount.get(amount, []) if each in self._by_id]

    def settle(self, invoice: OpenInvoice) -> None:
        """It is paid by an earlier transaction: no later one may claim it."""
        self._by_id.pop(invoice.id, None)


def propose(transaction: BankTransaction, invoices: OpenInvoices) -> Proposal:
    """What `transaction` pays among `invoices`."""
    if transaction.amount.minor <= 0:
        return Proposal(None, (), "money going out pays no invoice of ours")
    named = [_named(transaction, invoice, mention) for invoice, mention in invoices.named(transaction.text)]
    if transaction.returned:
        return Proposal(None, _ranked(named), f"a payment that came back ({transaction.returned})")
    if len(named) == 1 and not named[0].doubts:
        return Proposal(named[0].invoice, (named[0],))
    if named:
        several = f"names {len(named)} open invoices" if len(named) > 1 else ""
        return Proposal(None, _ranked(named), several or "; ".join(named[0].doubts))
    guessed = [_guessed(transaction, invoice) for invoice in invoices.with_open(transaction.amount)]
    return Proposal(None, _ranked(guessed), "names no open invoice")


def propose_all(transactions: Sequence[BankTransaction], invoices: OpenInvoices) -> list[Proposal]:
    """A proposal for each transaction in turn; an invoice taken automatically is open to none after it."""
    proposals = []
    for transaction in transactions:
        proposal = propose(transaction, invoices)
        if proposal.automatic:
            invoices.settle(proposal.automatic)
        proposals.append(proposal)
    return proposals


def _named(transaction: BankTransaction, invoice: OpenInvoice, mention: Mention) -> Candidate:
    reasons, doubts = [mention.reason], [*mention.doubts, *_other_references(transaction, invoice)]
    rank = _NAMED - 20 * len(doubts)
    if transaction.amount == invoice.open:
        reasons.append(f"amount is what is open: {invoice.open}")
        rank += _EXACT_AMOUNT
    elif transaction.amount.currency != invoice.open.currency:
        doubts.append(f"paid in {transaction.amount.currency}, invoiced in {invoice.open.currency}")
    else:
        gap = transaction.amount - invoice.open
        doubts.append(f"{gap} more than is open" if gap.minor > 0 else f"{-gap} less than is open")
    return _with_name(transaction, invoice, reasons, doubts, rank)


def _other_references(transaction: BankTransaction, invoice: OpenInvoice) -> list[str]:
    """A valid structured reference that is not this invoice's speaks against what the free text says."""
    own = (invoice.reference, reference_body(invoice.number))
    return [
        f"the structured reference is {reference}"
        for reference in transaction.references
        if is_creditor_reference(reference) and not (reference == own[0] or body_of(reference) == own[1])
    ]


def _guessed(transaction: BankTransaction, invoice: OpenInvoice) -> Candidate:
    reasons = [f"amount is what is open: {invoice.open}"]
    return _with_name(transaction, invoice, reasons, ["the invoice is not named"], _CANDIDATE_BY_AMOUNT)


def _with_name(
    transaction: BankTransaction, invoice: OpenInvoice, reasons: list[str], doubts: list[str], rank: int
) -> Candidate:
    if similar_names(transaction.party, invoice.buyer):
        reasons.append(f"payer {transaction.party} is the buyer")
        rank += _SAME_NAME
    return Candidate(invoice, tuple(reasons), tuple(doubts), rank)


def _ranked(candidates: list[Candidate]) -> tuple[Candidate, ...]:
    ordered = sorted(candidates, key=lambda each: (-each.rank, each.invoice.number))
    return tuple(ordered[:_MOST_CANDIDATES])
