"""Invoices: the list, one invoice with its working down to readings, its document and evidence, release and payment."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template

from app import documents
from app.clock import now
from app.closing import issue
from app.database import Database, Role, Session
from app.pages import shell
from app.pages.invoice_view import Row, as_of, invoice_page, row
from app.paying import checkout_url
from app.security import NotAllowed, SignedIn, Viewer
from billing.invoicing.invoice import Invoice, Status
from billing.invoicing.store import InvoiceStore, UnknownInvoice
from billing.payments.store import PaymentStore


@dataclass(frozen=True, slots=True)
class InvoicesPage:
    party_heading: str
    rows: tuple[Row, ...]


@get("/invoices", sync_to_thread=True)
def listing(request: Request[Any, Any, State], viewer: SignedIn) -> Template:
    """Every invoice of the viewer's organisation."""
    database: Database = request.app.state.database
    with database.transaction(Role.APP, party=viewer.organisation_id) as session:
        view = InvoicesPage("Maker" if viewer.role == "sme" else "Lessee", rows(session, viewer))
    return shell.page(request, "invoices.html", view, viewer=viewer, here="/invoices")


def rows(session: Session, viewer: Viewer, *statuses: Status) -> tuple[Row, ...]:
    """The viewer's invoices in one of `statuses` (all without) as list rows; a buyer sees them once they are issued."""
    found = [invoice for invoice in InvoiceStore(session).listed(*statuses) if _may_see(viewer, invoice)]
    settled = PaymentStore(session).allocated([invoice.id for invoice in found])
    return tuple(
        row(invoice, settled[invoice.id], viewer=viewer, today=as_of(now(), invoice.seller.zone)) for invoice in found
    )


@get("/invoices/{invoice_id:uuid}", sync_to_thread=True)
def invoice(
    request: Request[Any, Any, State], viewer: SignedIn, invoice_id: FromPath[UUID], paid: FromQuery[str] = ""
) -> Template:
    """One invoice: lines, working, usage by day, links to readings. Who comes back from the card page has `paid`."""
    database: Database = request.app.state.database
    found = visible(database, viewer, invoice_id)
    with database.transaction(Role.WORKER) as session:
        metered, usage = documents.lease_usage(session, found)
        view = invoice_page(
            found,
            PaymentStore(session).allocated([found.id])[found.id],
            viewer=viewer,
            metered=metered,
            usage=usage,
            by_card=request.app.state.gateway is not None,
            today=as_of(now(), found.seller.zone),
        )
    waits = "Thank you. The card provider is telling us of your payment: load this page again in a moment."
    notice = waits if paid and view.can_pay else ""
    return shell.page(request, "invoice.html", view, viewer=viewer, here="/invoices", notice=notice)


def visible(database: Database, viewer: Viewer, invoice_id: UUID) -> Invoice:
    """The invoice as far as row-level security and its status let the viewer see it."""
    with database.transaction(Role.APP, party=viewer.organisation_id) as session:
        found = InvoiceStore(session).get(invoice_id)
    if not _may_see(viewer, found):
        raise UnknownInvoice(f"there is no invoice {invoice_id} here")
    return found


def _may_see(viewer: Viewer, invoice: Invoice) -> bool:
    return invoice.status is Status.ISSUED or invoice.seller.id == viewer.organisation_id


@get("/invoices/{invoice_id:uuid}/document.pdf", sync_to_thread=True)
def document(request: Request[Any, Any, State], viewer: SignedIn, invoice_id: FromPath[UUID]) -> Response[bytes]:
    """The invoice as PDF."""
    database: Database = request.app.state.database
    found = visible(database, viewer, invoice_id)
    with database.transaction(Role.WORKER) as session:
        content = documents.pdf(session, found)
    return _file(content, "application/pdf", f"{found.number or 'draft'}.pdf")


@get("/invoices/{invoice_id:uuid}/evidence.zip", sync_to_thread=True)
def evidence(request: Request[Any, Any, State], viewer: SignedIn, invoice_id: FromPath[UUID]) -> Response[bytes]:
    """Everything that `spindleshare verify` needs to recompute the invoice offline."""
    database: Database = request.app.state.database
    found = visible(database, viewer, invoice_id)
    with database.transaction(Role.WORKER) as session:
        content = documents.evidence(session, found, request.app.state.platform_key)
    return _file(content, "application/zip", f"{found.number or 'draft'}-evidence.zip")


@post("/invoices/{invoice_id:uuid}/release", sync_to_thread=True)
def release(request: Request[Any, Any, State], viewer: SignedIn, invoice_id: FromPath[UUID]) -> Redirect:
    """Number the draft, freeze it and post it to the ledger; a second press changes nothing."""
    database: Database = request.app.state.database
    found = visible(database, viewer, invoice_id)
    if viewer.role == "sme" or found.seller.id != viewer.organisation_id:
        raise NotAllowed
    (issued,) = issue(database, [invoice_id], now=now())
    told = f"Invoice {issued.number} is issued: {issued.buyer.name} sees it and can pay it now."
    return shell.back_to(request, f"/invoices/{invoice_id}", told)


@post("/invoices/{invoice_id:uuid}/pay", sync_to_thread=True)
def pay(request: Request[Any, Any, State], viewer: SignedIn, invoice_id: FromPath[UUID]) -> Redirect:
    """Lead the lessee to the card checkout of the invoice's open amount."""
    database: Database = request.app.state.database
    found = visible(database, viewer, invoice_id)
    if found.buyer.id != viewer.organisation_id:
        raise NotAllowed
    state = request.app.state
    payer, base_url = viewer.organisation_id, state.settings.base_url
    url = checkout_url(database, state.gateway, invoice_id, payer=payer, base_url=base_url, now=now())
    return shell.back_to(request, url)


def _file(content: bytes, media_type: str, name: str) -> Response[bytes]:
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=disposition)


route_handlers = [listing, invoice, document, evidence, release, pay]
