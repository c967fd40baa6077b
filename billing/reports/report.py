"""Make the reports: documents from one side, the ledger from the other, of one moment."""

from datetime import date
from uuid import UUID

from billing.accounting.account import PREPAID, RECEIVABLE, VAT_OUTPUT
from billing.accounting.store import LedgerStore
from billing.reports.ageing import Ageing, ageing
from billing.reports.store import ReportStore
from billing.reports.vat import VatReport, vat_report
from metering.parties.store import PartyStore


class NoDays(ValueError):
    """A report's last day must not lie before its first."""


def report_vat(owner: UUID, first_day: date, last_day: date, *, reports: ReportStore, ledger: LedgerStore) -> VatReport:
    """The VAT that `owner` charged on invoices of these days, both included."""
    if last_day < first_day:
        raise NoDays(f"the last day {last_day} lies before the first, {first_day}")
    booked = [-amount for amount in ledger.movement(VAT_OUTPUT, owner, first_day, last_day)]
    return vat_report(reports.vat(owner, first_day, last_day), booked, first_day=first_day, last_day=last_day)


def report_ageing(owner: UUID, on: date, *, reports: ReportStore, ledger: LedgerStore, parties: PartyStore) -> Ageing:
    """What customers owe `owner` at the end of the day `on` of the owner's calendar."""
    prepaid = ledger.by_counterparty(PREPAID, owner, until=on)
    return ageing(
        reports.receivables(owner, on, parties.organisation(owner).zone),
        on=on,
        booked=ledger.by_counterparty(RECEIVABLE, owner, until=on),
        prepaid={party: [-amount for amount in amounts] for party, amounts in prepaid.items()},
        names={party.id: party.name for party in parties.organisations()},
    )
