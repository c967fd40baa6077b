"""Posting rules: what an invoice, a payment or a payout looks like in the books."""

from collections.abc import Mapping
from datetime import date
from uuid import UUID

from billing.accounting.account import CASH, CLEARING, FEES, PREPAID, RECEIVABLE, VAT_OUTPUT, account_for_category
from billing.accounting.ledger import JournalEntry, Posting
from billing.money import Money, total

INVOICE_TEXT = "Invoice "


def entry_for_invoice(
    *,
    invoice: UUID,
    number: str,
    owner: UUID,
    lessee: UUID,
    booked_on: date,
    nets: Mapping[str, Money],
    tax: Money,
) -> JournalEntry:
    """The lessee owes nets and tax; revenue is credited per line category, deposits and tax as liabilities.

    `nets` holds the net sum per line category (lease_fixed, lease_variable, service, energy, penalty, deposit).
    """
    owed = total(list(nets.values()), tax.currency) + tax
    postings = [Posting(RECEIVABLE, owed, lessee)]
    for category in sorted(nets):
        against = lessee if category == "deposit" else None
        postings.append(Posting(account_for_category(category), -nets[category], against))
    if tax:
        postings.append(Posting(VAT_OUTPUT, -tax))
    return JournalEntry(owner, "invoice", invoice, booked_on, f"{INVOICE_TEXT}{number}", tuple(postings))


def entry_for_payment(
    *,
    payment: UUID,
    owner: UUID,
    payer: UUID,
    booked_on: date,
    amount: Money,
    allocated: Money,
    by_card: bool,
    fee: Money | None = None,
    text: str,
) -> JournalEntry:
    """Money in: `allocated` of `amount` settles receivables, the rest stays prepaid.

    A card payment goes to clearing, less the provider's `fee`, until it is paid out; a bank transfer goes to cash.
    """
    kept = fee or Money(0, amount.currency)
    postings = [Posting(CLEARING if by_card else CASH, amount - kept)]
    if kept:
        postings.append(Posting(FEES, kept))
    if allocated:
        postings.append(Posting(RECEIVABLE, -allocated, payer))
    if amount - allocated:
        postings.append(Posting(PREPAID, allocated - amount, payer))
    return JournalEntry(owner, "payment", payment, booked_on, text, tuple(postings))


def entry_for_payout(*, payout: UUID, owner: UUID, booked_on: date, amount: Money, text: str) -> JournalEntry:
    """The payment provider pays out: clearing becomes cash at the bank."""
    postings = (Posting(CASH, amount), Posting(CLEARING, -amount))
    return JournalEntry(owner, "payout", payout, booked_on, text, postings)
