"""Bank statements: a camt.053 file in, what it brought and settled out."""

from typing import Any

import msgspec
from litestar import Request, post
from litestar.datastructures import State
from litestar.params import RawBody

from app import clock, paying
from app.problems import Problem
from app.security import SignedIn, only
from billing.payments.import_statement import ImportedStatement
from billing.payments.match_transactions import Matched, Proposed
from billing.payments.xml_file import LARGEST_BYTES

_TYPES = ("application/xml", "text/xml")


class Imported(msgspec.Struct):
    """A statement: `new` of its `total` transactions were not known before."""

    statement: str
    account: str
    closing: str
    currency: str
    total: int
    new: int


class Settled(msgspec.Struct):
    """A transaction that settled an invoice without a person."""

    transaction: str
    invoice: str
    number: str
    amount: str


class Waiting(msgspec.Struct):
    """A transaction that waits for a person, with the numbers of the invoices it may pay."""

    transaction: str
    amount: str
    note: str
    candidates: list[str]


class StatementTaken(msgspec.Struct):
    """What an upload did. The same file again brings nothing new."""

    imported: list[Imported]
    matched: list[Settled]
    waiting: list[Waiting]


@post("/api/bank/statements", status_code=200, sync_to_thread=True, request_max_body_size=LARGEST_BYTES)
def upload(request: Request[Any, Any, State], viewer: SignedIn, body: RawBody) -> StatementTaken:
    """Import a camt.053 file (the request's body) for the viewer's organisation, and match what is unique and exact."""
    only(viewer, "finance", "maker")
    _refuse_other_types(request)
    taken = paying.take_statement(request.app.state.database, viewer.organisation_id, bytes(body), now=clock.now())
    return StatementTaken(
        imported=[_imported(each) for each in taken.imported],
        matched=[_settled(each) for each in taken.matched],
        waiting=[_waiting(each) for each in taken.proposed],
    )


def _refuse_other_types(request: Request[Any, Any, State]) -> None:
    """A form of another site can send a signed-in browser here, but never with this content type."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() not in _TYPES:
        what_to_do = "Send the file as application/xml."
        raise Problem(415, "Not sent as XML", "A statement is the request's body, as XML.", what_to_do)


def _imported(each: ImportedStatement) -> Imported:
    closing = each.closing
    return Imported(each.number, each.account, str(closing.decimal), closing.currency, each.total, each.new)


def _settled(each: Matched) -> Settled:
    return Settled(str(each.transaction), str(each.invoice), each.number, str(each.amount.decimal))


def _waiting(each: Proposed) -> Waiting:
    numbers = [candidate.invoice.number for candidate in each.proposal.candidates]
    amount = str(each.booked.transaction.amount.decimal)
    return Waiting(str(each.booked.id), amount, each.proposal.note, numbers)


route_handlers = [upload]
