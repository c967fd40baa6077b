"""A journal as JSON, for scripts: amounts are decimals in quotes, a debit is positive."""

import json
from collections.abc import Iterable
from typing import Any

from billing.accounting.account import account
from billing.accounting.journal import Journal, document_number, plain_amount
from billing.accounting.ledger import JournalEntry
from billing.accounting.period_close import Balance


def as_json(journal: Journal) -> str:
    """The text of the file."""
    return json.dumps(to_json(journal), ensure_ascii=False, indent=1) + "\n"


def to_json(journal: Journal) -> dict[str, Any]:
    """Owner, days, balances before and after, and every entry with its postings."""
    return {
        "format": "spindleshare-journal/1",
        "owner": {"id": str(journal.owner), "name": journal.name},
        "first_day": journal.first_day.isoformat(),
        "last_day": journal.last_day.isoformat(),
        "opening": _balances(journal.opening),
        "entries": [_entry(journal, entry) for entry in journal.entries],
        "closing": _balances(journal.closing),
    }


def _entry(journal: Journal, entry: JournalEntry) -> dict[str, Any]:
    return {
        "id": str(entry.id),
        "document": document_number(entry),
        "source": entry.source,
        "source_id": str(entry.source_id),
        "booked_on": entry.booked_on.isoformat(),
        "text": entry.text,
        "postings": [
            {
                "account": posting.account,
                "number": account(posting.account).number,
                "amount": plain_amount(posting.amount),
                "currency": posting.amount.currency,
                "counterparty": journal.counterparty(posting) or None,
                "counterparty_id": str(posting.counterparty) if posting.counterparty else None,
            }
            for posting in entry.postings
        ],
    }


def _balances(balances: Iterable[Balance]) -> list[dict[str, str]]:
    return [
        {
            "account": each.account,
            "number": account(each.account).number,
            "amount": plain_amount(each.amount),
            "currency": each.amount.currency,
        }
        for each in balances
    ]
