"""Every error's way to a person: which status it has, what happened and what to do. No traceback leaves the service.

An exception's docstring or message says what was wrong; this table alone knows HTTP statuses. Under /api the answer is
problem+json (RFC 9457), elsewhere a page.
"""

import logging
from dataclasses import dataclass
from typing import Any

from litestar import Request, Response
from litestar.exceptions import HTTPException, PermissionDeniedException, ValidationException
from litestar.response import Redirect, Template
from litestar.types import ExceptionHandlersMap

from app.paying import NoCardPayments
from app.security import NotAllowed, NotSignedIn, maybe_viewer
from app.wear import UnreadableMoment
from billing.accounting.journal import TooLong
from billing.accounting.store import BookedDifferently, PeriodClosed
from billing.capacity.booking import OffTheGrid
from billing.capacity.cancel_booking import CannotCancel
from billing.capacity.store import UnknownLease
from billing.invoicing.billing_period import UnreadablePeriod
from billing.invoicing.bundle import NotIssued
from billing.invoicing.close_period import BilledAlready
from billing.invoicing.invoice import WrongStatus
from billing.invoicing.issue_invoice import OnHold
from billing.invoicing.store import NotStorable, UnknownInvoice
from billing.money import CurrencyMismatch
from billing.payments.bank_store import UnknownTransaction
from billing.payments.match_transactions import CannotMatch
from billing.payments.settle import NothingOpen
from billing.payments.start_checkout import PaymentUnderWay
from billing.payments.statement import StatementRefused
from billing.payments.stripe_gateway import BadSignature, StripeRefused, StripeUnavailable
from billing.pricing.store import UnknownTariff
from metering.completeness.balance import NotOnQuarterHours
from metering.completeness.declaration import NotDeclared
from metering.components.fields import ComponentRefused
from metering.evidence import NoEvidence
from metering.parties.store import UnknownParty
from metering.period import PeriodError
from metering.refusals.settle import CannotSettle
from metering.store import UnknownMeter

log = logging.getLogger(__name__)

# What a room's exception is to a person: status, title, what to do. The message is the exception's own.
KNOWN: dict[type[Exception], tuple[int, str, str]] = {
    UnknownInvoice: (404, "No such invoice", "Choose one from the list of invoices."),
    UnknownLease: (404, "No such lease", "Choose one of your own leases, or a machine that can be booked."),
    UnknownMeter: (404, "No such meter", "Follow a link from a machine or an invoice of yours."),
    UnknownParty: (404, "No such organisation", "Check the address."),
    UnknownTariff: (404, "No such tariff", "Ask the machine's lessor for the tariff in force."),
    NoEvidence: (404, "No evidence", "Ask the machine's lessor whether its agent still sends readings."),
    NotOnQuarterHours: (400, "Not on a quarter hour", "Choose times such as 09:00 or 09:15."),
    NotDeclared: (409, "Not declared", "Go back to the machine's month and look at what is declared."),
    ComponentRefused: (422, "Not recorded", "Put right what is named, then send it again."),
    UnreadableMoment: (400, "Not a time", "Write a day such as 2026-05-01, or a moment such as 2026-05-01T08:00."),
    CannotSettle: (409, "Not settled", "Load the agent's page anew and look at what is refused now."),
    PeriodError: (400, "Not a stretch of time", "Give an end that lies after the start."),
    CannotCancel: (409, "Not cancelled", "Load the booking's page anew."),
    OffTheGrid: (400, "Not on a quarter hour", "Choose times such as 09:00 or 09:15."),
    UnreadablePeriod: (400, "Not a period", "Give two days, the second after the first."),
    OnHold: (409, "On hold", "Settle the reason, release the hold, then release the invoice."),
    WrongStatus: (409, "Not possible now", "Look at the invoice's state."),
    NotIssued: (409, "Not issued yet", "Release the invoice first: evidence is made of what is frozen."),
    BilledAlready: (409, "Billed already", "Close a period that follows the last one billed."),
    BookedDifferently: (409, "Booked differently before", "Reverse the earlier entry first."),
    NotStorable: (422, "Beyond what can be kept", "Check the amounts."),
    CurrencyMismatch: (422, "Two currencies", "Choose an invoice in the currency of the payment."),
    TooLong: (422, "Too long for a workbook", "Choose fewer days, or CSV."),
    UnknownTransaction: (404, "No such bank line", "Choose one from the list of bank lines."),
    NothingOpen: (409, "Nothing to pay", "The invoice needs no payment; look at how it was settled."),
    PaymentUnderWay: (409, "Payment under way", "Load the invoice's page again in a moment."),
    CannotMatch: (409, "Cannot match", "Choose another invoice, or undo the earlier match."),
    PeriodClosed: (409, "Books closed", "Book on a later day, or reopen the period."),
    StatementRefused: (422, "Statement refused", "Nothing was imported. Ask the bank for the file again."),
    BadSignature: (400, "Signature does not hold", "Check SPINDLESHARE_STRIPE_WEBHOOK_SECRET."),
    StripeUnavailable: (503, "Card payment is not available now", "Try again in a moment."),
    StripeRefused: (502, "The card provider refuses", "Check SPINDLESHARE_STRIPE_KEY and the provider's log."),
    NoCardPayments: (503, "No card payments", "Pay by bank transfer, or ask the operator to set up card payments."),
}


# Not frozen: Python itself sets an exception's traceback when it passes a `with`.
@dataclass(eq=False)
class Problem(Exception):
    """An answer that is an error: `status`, a short `title`, what was wrong, and what to do about it."""

    status: int
    title: str
    detail: str
    what_to_do: str = ""

    def __str__(self) -> str:
        return f"{self.title}: {self.detail}"


def respond(request: Request[Any, Any, Any], problem: Problem) -> Response[Any]:
    """`problem` as JSON under /api, else as a page."""
    if request.url.path.startswith("/api/"):
        body = {
            "type": "about:blank",
            "title": problem.title,
            "status": problem.status,
            "detail": problem.detail,
            "what_to_do": problem.what_to_do,
        }
        return Response(body, status_code=problem.status, media_type="application/problem+json")
    context = {
        "title": problem.title,
        "detail": problem.detail,
        "what_to_do": problem.what_to_do,
        "viewer": maybe_viewer(request),
    }
    return Template("problem.html", context=context, status_code=problem.status)


def exception_handlers() -> ExceptionHandlersMap:
    """Handlers for Litestar: every exception becomes a problem."""
    return {
        Problem: respond,
        NotSignedIn: _not_signed_in,
        NotAllowed: _not_allowed,
        HTTPException: _http,
        Exception: _unexpected,
        **dict.fromkeys(KNOWN, _known),
    }


def _known(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    status, title, what_to_do = next(KNOWN[kind] for kind in type(error).__mro__ if kind in KNOWN)
    return respond(request, Problem(status, title, str(error) or str(type(error).__doc__), what_to_do))


def _not_signed_in(request: Request[Any, Any, Any], _: Exception) -> Response[Any]:
    if request.url.path.startswith("/api/"):
        return respond(request, Problem(401, "Not signed in", "This needs a signed-in user.", "Sign in first."))
    return Redirect("/sign-in", status_code=303)


def _not_allowed(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    return respond(request, Problem(403, "Not yours to see", str(error) or str(type(error).__doc__)))


def _http(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    detail, what_to_do = error.detail, "Check the address and what was sent."
    if isinstance(error, PermissionDeniedException) and "CSRF" in detail:
        detail, what_to_do = (
            "The form was too old or came from another site.",
            "Go back, load the page anew, try again.",
        )
    elif isinstance(error, ValidationException) and error.extra:
        detail = f"{detail} {error.extra}"
    return respond(request, Problem(error.status_code, detail.split(":")[0][:80], detail, what_to_do))


def _unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    log.exception("unexpected error at %s %s", request.method, request.url.path, exc_info=error)
    what_to_do = "Nothing was changed. Try again; if it happens again, the service's log says more."
    return respond(request, Problem(500, "Something went wrong", "The service could not do this.", what_to_do))
