"""The books page: VAT of some days, receivables by age on a day, and the journal as a file for another program."""

from datetime import date, timedelta
from typing import Any

from litestar import Request, Response, get
from litestar.datastructures import State
from litestar.params import FromQuery
from litestar.response import Template

from app.clock import now
from app.database import Database, Role
from app.pages import shell
from app.pages.books_view import books_page
from app.pages.finance_view import days_of
from app.security import SignedIn, only
from billing.accounting.export_journal import export, journal_of
from billing.accounting.journal import Format
from billing.accounting.store import LedgerStore
from billing.invoicing.billing_period import UnreadablePeriod, billing_period, month_before
from billing.invoicing.numbering import local_date
from billing.reports.report import report_ageing, report_vat
from billing.reports.store import ReportStore
from metering.parties.store import PartyStore


@get("/finance/books", sync_to_thread=True)
def books(
    request: Request[Any, Any, State],
    viewer: SignedIn,
    start: FromQuery[str] = "",
    end: FromQuery[str] = "",
    on: FromQuery[str] = "",
) -> Template:
    """`start` to `end` are days, the second not included: last month unless given. `on` is a day, or today."""
    only(viewer, "finance")
    database: Database = request.app.state.database
    owner = viewer.organisation_id
    with database.transaction(Role.APP, party=owner, as_of_one_moment=True) as session:
        reports, ledger, parties = ReportStore(session), LedgerStore(session), PartyStore(session)
        zone = parties.organisation(owner).zone
        if not (start or end):
            start, end = days_of(month_before(now(), zone), zone)
        first, last = _days(start, end)
        day = _day(on) if on else local_date(now(), zone)
        view = books_page(
            report_vat(owner, first, last, reports=reports, ledger=ledger),
            report_ageing(owner, day, reports=reports, ledger=ledger, parties=parties),
        )
    return shell.page(request, "books.html", view, viewer=viewer, here="/finance")


@get("/finance/journal", sync_to_thread=True)
def journal(
    request: Request[Any, Any, State],
    viewer: SignedIn,
    form: FromQuery[str],
    start: FromQuery[str],
    end: FromQuery[str],
) -> Response[bytes]:
    """The journal of these days, the second not included, as a file."""
    only(viewer, "finance")
    database: Database = request.app.state.database
    owner, (first, last) = viewer.organisation_id, _days(start, end)
    if form not in list(Format):
        raise UnreadablePeriod(f"{form!r} is no format of a journal: {', '.join(Format)}")
    with database.transaction(Role.APP, party=owner, as_of_one_moment=True) as session:
        found = journal_of(owner, first, last, ledger=LedgerStore(session), parties=PartyStore(session))
    file = export(found, Format(form))
    headers = {"Content-Disposition": f'attachment; filename="{file.name}"', "Cache-Control": "no-store"}
    return Response(file.content, media_type=file.media_type, headers=headers)


def _days(start: str, end: str) -> tuple[date, date]:
    """First and last day of what a form says as two days, the second not included."""
    found = billing_period(f"{start}/{end}", "UTC")
    return found.start.date(), (found.end - timedelta(microseconds=1)).date()


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UnreadablePeriod(f"{text!r} is no day: write one such as 2026-06-30") from error


route_handlers = [books, journal]
