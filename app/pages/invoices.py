"""Invoices: the list, one invoice with its working down to readings, its document and evidence, release and payment."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.response import Redirect, Template

from app import documents
from app.clock import now
from app.closing import issue
from app.database import Database, Role, Session
from app.pages.invoice_view import Row, as_of, invoice_page, row
from app.paying import checkout_url
from app.security import NotAllowed, Viewer
from billing.invoicing.invoice import Invoice, Status
from billing.invoicing.store import InvoiceStore
from billing.money import Money
from billing.payments.store import PaymentStore
from metering.store import MeteringStore


@dataclass(frozen=True, slots=True)
class InvoicesPage:
    party_heading: str
    rows: tuple[Row, ...]


@get("/invoices", sync_to_thread=True)
def listing(request: Request[Any, Any, State], viewer: Viewer) -> Template:
    """Every invoice of the viewer's organisation."""
    database: Database = request.app.state.database
    with database.transaction(Role.APP, party=viewer.organisation_id) as session:
        page = InvoicesPage("Maker" if viewer.role == "sme" else "Lessee", rows(session, viewer))
    return Template("invoices.html", context={"page": page, "viewer": viewer, "here": "/invoices"})


def rows(session: Session, viewer: Viewer, *statuses: Status) -> tuple[Row, ...]:
    """The viewer's invoices as list rows; a lessee sees them once they are issued."""
    wanted = (Status.ISSUED,) if viewer.role == "sme" else statuses
    found = InvoiceStore(session).listed(*wanted)
    settled = PaymentStore(session).allocated_by_invoice([invoice.id for invoice in found])
    return tuple(
        row(
            invoice,
            Money(settled.get(invoice.id, 0), invoice.currency),
            viewer=viewer,
            today=as_of(now(), invoice.seller.zone),
        )
        for invoice in found
    )


@get("/invoices/{invoice_id:uuid}", sync_to_thread=True)
def invoice(request: Request[Any, Any, State], viewer: Viewer, invoice_id: UUID) -> Template:
    """One invoice: lines, working, usage by day, links to readings."""
    database: Database = request.app.state.database
    found = visible(database, viewer, invoice_id)
    with database.transaction(Role.WORKER) as session:
        store = MeteringStore(session)
        page = invoice_page(
            found,
            PaymentStore(session).allocated(found.id, found.currency),
            viewer=viewer,
            meters={meter.serial: meter.id for meter in store.meters()},
            usage=documents.lease_usage(session, found)[1],
            today=as_of(now(), found.seller.zone),
        )
    return Template("invoice.html", context={"page": page, "viewer": viewer, "here": "/invoices"})


def visible(database: Database, viewer: Viewer, invoice_id: UUID) -> Invoice:
    """The invoice as far as row-level security and its status let the viewer see it."""
    with database.transaction(Role.APP, party=viewer.organisation_id) as session:
        found = InvoiceStore(session).get(invoice_id)
    if viewer.role == "sme" and found.status is not Status.ISSUED:
        raise NotAllowed
    return found


@get("/invoices/{invoice_id:uuid}/document.pdf", sync_to_thread=True)
def document(request: Request[Any, Any, State], viewer: Viewer, invoice_id: UUID) -> Response[bytes]:
    """The invoice as PDF."""
    database: Database = request.app.state.database
    found = visible(database, viewer, invoice_id)
    with database.transaction(Role.WORKER) as session:
        content = documents.pdf(session, found)
    return _file(content, "application/pdf", f"{found.number or 'draft'}.pdf")


@get("/invoices/{invoice_id:uuid}/evidence.zip", sync_to_thread=True)
def evidence(request: Request[Any, Any, State], viewer: Viewer, invoice_id: UUID) -> Response[bytes]:
    """Everything that `spindleshare verify` needs to recompute the invoice offline."""
    database: Database = request.app.state.database
    found = visible(database, viewer, invoice_id)
    with database.transaction(Role.WORKER) as session:
        content = documents.evidence(session, found, request.app.state.platform_key)
    return _file(content, "application/zip", f"{found.number or 'draft'}-evidence.zip")


@post("/invoices/{invoice_id:uuid}/release", sync_to_thread=True)
def release(request: Request[Any, Any, State], viewer: Viewer, invoice_id: UUID) -> Redirect:
    """Number the draft, freeze it and post it to the ledger; a second press changes nothing."""
    database: Database = request.app.state.database
    found = visible(database, viewer, invoice_id)
    if viewer.role == "sme" or found.seller.id != viewer.organisation_id:
        raise NotAllowed
    issue(database, [invoice_id], now=now())
    return Redirect(f"/invoices/{invoice_id}", status_code=303)


@post("/invoices/{invoice_id:uuid}/pay", sync_to_thread=True)
def pay(request: Request[Any, Any, State], viewer: Viewer, invoice_id: UUID) -> Redirect:
    """Lead the lessee to the card checkout of the invoice's open amount."""
    database: Database = request.app.state.database
    found = visible(database, viewer, invoice_id)
    if found.buyer.id != viewer.organisation_id:
        raise NotAllowed
    state = request.app.state
    payer, base_url = viewer.organisation_id, state.settings.base_url
    url = checkout_url(database, state.gateway, invoice_id, payer=payer, base_url=base_url, now=now())
    return Redirect(url, status_code=303)


def _file(content: bytes, media_type: str, name: str) -> Response[bytes]:
    disposition = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, media_type=media_type, headers=disposition)


route_handlers: Iterable[Any] = [listing, invoice, document, evidence, release, pay]
