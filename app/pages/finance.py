"""The finance page: bank lines to match, matches to undo, a period to close, and whether the books agree."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.datastructures import State, UploadFile
from litestar.params import FromPath, MultipartBody, URLEncodedBody
from litestar.response import Redirect, Template

from app import closing, paying
from app.clock import now
from app.database import Database, Role, Session
from app.pages import shell
from app.pages.finance_view import (
    FinancePage,
    MatchedRow,
    Receivable,
    balance_rows,
    balance_totals,
    bank_line,
    days_of,
    figures,
    matched_row,
)
from app.pages.format import sentence
from app.pages.invoice_view import as_of
from app.security import SignedIn, Viewer, only
from billing.accounting.store import LedgerStore
from billing.invoicing.billing_period import UnreadablePeriod, billing_period, month_before
from billing.invoicing.close_period import Closing
from billing.invoicing.invoice import Status
from billing.invoicing.store import InvoiceStore
from billing.payments.match_transactions import propose_matches
from billing.payments.statement import StatementRefused
from billing.payments.store import PaymentStore
from billing.payments.xml_file import LARGEST_BYTES
from metering.parties.store import PartyStore

_MATCHED_SHOWN = 20
_FORM_ROOM = 64 * 1024


@dataclass(frozen=True, slots=True)
class Match:
    """A person's decision: this bank line pays that invoice."""

    transaction_id: UUID
    invoice_id: UUID


@dataclass(frozen=True, slots=True)
class Days:
    """A period by its first day and the day after its last; moments with an offset are taken as they are."""

    start: str
    end: str


@dataclass(frozen=True, slots=True)
class StatementFile:
    statement: UploadFile


@get("/finance", sync_to_thread=True)
def reconcile(request: Request[Any, Any, State], viewer: SignedIn) -> Template:
    """What is owed, what the bank says, and whether the books agree."""
    only(viewer, "finance")
    return _page(request, viewer)


@post(
    "/finance/statements",
    sync_to_thread=True,
    # The form wraps the file in a few lines; the file itself is measured by its reader.
    request_max_body_size=LARGEST_BYTES + _FORM_ROOM,
)
def statements(
    request: Request[Any, Any, State],
    viewer: SignedIn,
    data: MultipartBody[StatementFile],
) -> Redirect | Template:
    """Import a camt.053 file and match what is unique and exact."""
    only(viewer, "finance")
    content = data.statement.file.read()
    try:
        taken = paying.take_statement(request.app.state.database, viewer.organisation_id, content, now=now())
    except StatementRefused as refused:
        error = f"{sentence(f'nothing was imported: {refused}')} Ask the bank for the camt.053 file again."
        return _page(request, viewer, error=error, status=422)
    new, known = sum(each.new for each in taken.imported), sum(each.total - each.new for each in taken.imported)
    told = (
        f"{_count(new, 'new bank line')}, {len(taken.matched)} matched at once, {len(taken.proposed)} to match by hand."
    )
    return shell.back_to(request, "/finance", f"{told} {known} were there before." if known else told)


@post("/finance/matches", sync_to_thread=True)
def match(
    request: Request[Any, Any, State],
    viewer: SignedIn,
    data: URLEncodedBody[Match],
) -> Redirect:
    """The bank line pays the invoice; it can be undone."""
    only(viewer, "finance")
    done = paying.confirm(
        request.app.state.database,
        viewer.organisation_id,
        data.transaction_id,
        data.invoice_id,
        by=str(viewer.user_id),
        now=now(),
    )
    return shell.back_to(request, "/finance", f"{done.amount} of the bank line now pay invoice {done.number}.")


@post("/finance/matches/{transaction_id:uuid}/undo", sync_to_thread=True)
def undo(request: Request[Any, Any, State], viewer: SignedIn, transaction_id: FromPath[UUID]) -> Redirect:
    """Take a match back: the entry is reversed, the invoice is open again, the bank line waits again."""
    only(viewer, "finance")
    database: Database = request.app.state.database
    undone = paying.undo(database, viewer.organisation_id, transaction_id, by=str(viewer.user_id), now=now())
    told = "The match is undone; its entry is reversed." if undone else "This match was undone before."
    return shell.back_to(request, "/finance", told)


@post("/finance/close", sync_to_thread=True)
def close(
    request: Request[Any, Any, State],
    viewer: SignedIn,
    data: URLEncodedBody[Days],
) -> Redirect | Template:
    """Draft what each lessee owes for the period beyond what is billed."""
    only(viewer, "finance")
    database: Database = request.app.state.database
    try:
        period = billing_period(f"{data.start}/{data.end}", _zone(database, viewer))
    except UnreadablePeriod as error:
        return _page(request, viewer, error=sentence(str(error)), status=422)
    return shell.back_to(
        request, "/finance", _told(closing.close(database, period, now=now(), lessor=viewer.organisation_id))
    )


def _told(done: Closing) -> str:
    drafts = sum(invoice.status is not Status.ISSUED for invoice in done.invoices)
    told = f"{_count(len(done.changed), 'invoice')} drafted or changed; {_count(drafts, 'draft')} to release."
    parked = "".join(f" One lease could not be closed: {sentence(each.reason)}" for each in done.parked)
    outside = " Some use lies outside any booking and is on nobody's invoice." if done.outside else ""
    return told + parked + outside


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def _zone(database: Database, viewer: Viewer) -> str:
    with database.transaction(Role.APP, party=viewer.organisation_id) as session:
        return PartyStore(session).organisation(viewer.organisation_id).zone


def _page(request: Request[Any, Any, State], viewer: Viewer, *, error: str = "", status: int = 200) -> Template:
    database: Database = request.app.state.database
    with database.transaction(Role.APP, party=viewer.organisation_id) as session:
        view = _view(session, viewer.organisation_id)
    return shell.page(request, "finance.html", view, viewer=viewer, here="/finance", error=error, status=status)


def _view(session: Session, owner: UUID) -> FinancePage:
    invoicing, payments = InvoiceStore(session), PaymentStore(session)
    invoices = {each.id: each for each in invoicing.listed() if each.seller.id == owner}
    settled = payments.allocated_to_issued(owner)
    receivables = [Receivable(invoices[each], amount) for each, amount in settled.items() if each in invoices]
    zone = PartyStore(session).organisation(owner).zone
    balances = LedgerStore(session).trial_balance(owner)
    close_from, close_to = days_of(month_before(now(), zone), zone)
    return FinancePage(
        figures=figures(receivables, payments.bank.unmatched(owner), as_of(now(), zone)),
        drafts=sum(each.status in (Status.DRAFT, Status.REVIEW) for each in invoices.values()),
        lines=tuple(bank_line(each) for each in propose_matches(owner, invoicing=invoicing, payments=payments)),
        matched=tuple(_matched(payments, invoicing, owner)),
        close_from=close_from,
        close_to=close_to,
        balance=balance_rows(balances),
        balance_totals=balance_totals(balances),
    )


def _matched(payments: PaymentStore, invoicing: InvoiceStore, owner: UUID) -> list[MatchedRow]:
    rows = []
    for each in payments.settled(lessor=owner, most=_MATCHED_SHOWN):
        transaction = each.payment.transaction
        bank = payments.bank.transaction(transaction)[1] if transaction else None
        rows.append(matched_row(each, invoicing.get(each.allocation.invoice), bank))
    return rows


route_handlers = [reconcile, statements, match, undo, close]
