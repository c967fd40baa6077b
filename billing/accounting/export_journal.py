"""Take an owner's journal out of the ledger, and write it as another program reads it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from billing.accounting import journal_json, journal_plain_text, journal_rows
from billing.accounting.journal import Format, Journal
from billing.accounting.store import LedgerStore
from metering.parties.store import PartyStore

_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class Exported:
    """A file to hand out."""

    name: str
    media_type: str
    content: bytes


class NoDays(ValueError):
    """A journal's last day must not lie before its first."""


def journal_of(owner: UUID, first_day: date, last_day: date, *, ledger: LedgerStore, parties: PartyStore) -> Journal:
    """The journal of `owner`, both days included; the stores must see one moment (a snapshot), or it may not add up."""
    if last_day < first_day:
        raise NoDays(f"the last day {last_day} lies before the first, {first_day}")
    return Journal(
        owner=owner,
        name=parties.organisation(owner).name,
        first_day=first_day,
        last_day=last_day,
        opening=tuple(ledger.trial_balance(owner, until=first_day - timedelta(days=1))),
        entries=tuple(ledger.entries(owner, first_day, last_day)),
        closing=tuple(ledger.trial_balance(owner, until=last_day)),
        names={party.id: party.name for party in parties.organisations()},
    )


def export(journal: Journal, form: Format) -> Exported:
    """The file of `journal` in one of the formats."""
    ending, media_type, write = _WRITERS[form]
    # ASCII, since it also stands in a header of HTTP.
    owner = re.sub(r"[^a-z0-9]+", "-", journal.name.lower()).strip("-") or journal.owner.hex[:8]
    name = f"journal-{owner}-{journal.first_day}-{journal.last_day}.{ending}"
    return Exported(name, media_type, write(journal))


def _text(write: Callable[[Journal], str], mark: str = "") -> Callable[[Journal], bytes]:
    return lambda journal: (mark + write(journal)).encode()


def _workbook(journal: Journal) -> bytes:
    # The library takes half a second to load; the other formats do without.
    from billing.accounting.journal_workbook import workbook

    return workbook(journal)


# Spreadsheets and German importers take a file for UTF-8 only where it begins with the mark.
_WRITERS: dict[Format, tuple[str, str, Callable[[Journal], bytes]]] = {
    Format.HLEDGER: ("journal", "text/plain", _text(journal_plain_text.hledger)),
    Format.LEDGER: ("ledger", "text/plain", _text(journal_plain_text.ledger)),
    Format.BEANCOUNT: ("beancount", "text/plain", _text(journal_plain_text.beancount)),
    Format.CSV: ("csv", "text/csv", _text(journal_rows.comma_separated, _BYTE_ORDER_MARK)),
    Format.XLSX: ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", _workbook),
    Format.DATEV: ("datev.csv", "text/csv", _text(journal_rows.datev, _BYTE_ORDER_MARK)),
    Format.SAP: ("sap.csv", "text/csv", _text(journal_rows.sap, _BYTE_ORDER_MARK)),
    Format.JSON: ("json", "application/json", _text(journal_json.as_json)),
}
