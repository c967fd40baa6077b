"""From an invoice of ours, issued, to the electronic invoice: lines with their working, credits as allowances.

What ours does not hold is left empty, for the format's check to name: a buyer's reference (Leitweg-ID), the seller's
phone, a Peppol address, a reason for an exemption. Those that have it pass it in.
"""

from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from billing.invoicing.einvoice import amounts
from billing.invoicing.einvoice.electronic_invoice import (
    CREDIT_NOTE,
    INVOICE,
    AllowanceCharge,
    Days,
    ElectronicInvoice,
    Identifier,
    InvoiceReference,
    Line,
    Party,
    Payment,
    SupportingDocument,
    Vat,
)
from billing.invoicing.einvoice.fapiao_terms import FapiaoTerms
from billing.invoicing.einvoice.iban import is_iban
from billing.invoicing.einvoice.issued_parties import party_as_printed
from billing.invoicing.invoice import Invoice, Status
from billing.invoicing.line import InvoiceLine
from billing.pricing.fields import TEXT_LIMIT

_UNITS = {"h": "HUR", "min": "MIN", "d": "DAY", "day": "DAY", "month": "MON", "kWh": "KWH", "km": "KMT"}
"""Billed units to UN/ECE Recommendation 20; what has no code (wear hours, revolutions) is counted (C62) and named."""
_COUNTED, _METER = "C62", "MG"
_SEPA, _TRANSFER, _SET_OFF = "58", "30", "97"


class NotEnough(ValueError):
    """The invoice cannot be an electronic one yet; the message names what is lacking."""


def einvoice_of(
    invoice: Invoice,
    *,
    seller: Party | None = None,
    buyer: Party | None = None,
    buyer_reference: str = "",
    preceding: InvoiceReference | None = None,
    exemptions: Mapping[str, str] | None = None,
    evidence_url: str = "",
    fapiao: FapiaoTerms | None = None,
) -> ElectronicInvoice:
    """The electronic invoice of an issued one. Raises NotEnough.

    `seller` and `buyer` tell more than the copy on the invoice; `preceding` is what an adjustment refers to, and
    needed for one that gives money back: that is a credit note with positive amounts. `exemptions` gives the reason
    of a VAT category, as category E needs.
    """
    number, day = _issued(invoice, preceding)
    sign = -1 if invoice.total.minor < 0 else 1
    lines, allowances = _lines(invoice.lines, sign)
    reasons = exemptions or {}
    vat = tuple(
        amounts.vat_part(kind, base, invoice.currency, reasons.get(kind.category, ""))
        for kind, base in amounts.taxable(lines, allowances, ()).items()
    )
    meters = sorted({item.meter for line in invoice.lines for item in line.evidence})
    return ElectronicInvoice(
        number=number,
        type=CREDIT_NOTE if sign < 0 else INVOICE,
        issue_date=day,
        due_date=invoice.due_date,
        currency=invoice.currency,
        seller=seller or party_as_printed(invoice.seller),
        buyer=buyer or party_as_printed(invoice.buyer),
        lines=lines,
        allowances=allowances,
        vat=vat,
        totals=amounts.totals(lines, allowances, (), vat),
        notes=(_note(invoice),),
        buyer_reference=buyer_reference,
        contract_reference=str(invoice.lease),
        object=Identifier(meters[0], _METER) if len(meters) == 1 else None,
        preceding=(preceding,) if preceding else (),
        documents=(SupportingDocument("evidence", "Signed readings and working", evidence_url),)
        if evidence_url
        else (),
        period=_days(invoice),
        payment=_payment(invoice, gives_back=sign < 0),
        fapiao=fapiao,
    )


def _issued(invoice: Invoice, preceding: InvoiceReference | None) -> tuple[str, date]:
    if invoice.status is not Status.ISSUED or invoice.number is None or invoice.invoice_date is None:
        raise NotEnough(f"the invoice is {invoice.status.value}: issue it first, which gives it a number and a date")
    if not invoice.lines:
        raise NotEnough("the invoice has no lines")
    if invoice.total.minor < 0 and preceding is None:
        raise NotEnough("the invoice gives money back: name the invoice that it corrects (preceding)")
    return invoice.number, invoice.invoice_date


def _lines(lines: Iterable[InvoiceLine], sign: int) -> tuple[tuple[Line, ...], tuple[AllowanceCharge, ...]]:
    """Lines that cost something, and those that lower the price as allowances of the document."""
    kept: list[Line] = []
    less: list[AllowanceCharge] = []
    for line in lines:
        amount = sign * line.amount.decimal
        vat = _vat(line)
        if amount < 0:
            less.append(AllowanceCharge(-amount, _told((line.description or line.code, *line.working)), vat=vat))
        else:
            kept.append(_line(str(len(kept) + 1), line, amount, vat))
    return tuple(kept), tuple(less)


def _line(number: str, line: InvoiceLine, amount: Decimal, vat: Vat) -> Line:
    quantity, price = line.quantity, line.price
    told = list(line.working)
    fits = quantity is not None and price is not None and quantity >= 0 and price >= 0
    if fits and quantity is not None and price is not None:
        fits = amounts.rounded(quantity * price, line.amount.currency) == amount
    unit = _UNITS.get(line.unit, _COUNTED)
    if fits and line.unit and unit == _COUNTED and line.unit != "1":
        told.append(f"counted in {line.unit}")
    if not fits or quantity is None or price is None:
        # Rounded with others, a fixed amount, or a correction: the amount itself is the price of one.
        if quantity is not None and price is not None:
            told.append(f"{quantity:f} {line.unit} at {price:f}")
        quantity, price, unit = Decimal(1), amount, _COUNTED
    return Line(
        id=number,
        name=line.description or line.code,
        quantity=quantity,
        unit=unit,
        price=price,
        net=amount,
        vat=vat,
        description=_told(told),
        note=_told(f"{item.meter}: readings {item.first} to {item.last}" for item in line.evidence),
        goods=line.category,
    )


def _vat(line: InvoiceLine) -> Vat:
    return Vat(line.vat_category, None if line.vat_category == "O" else line.vat_rate * 100)


def _told(parts: Iterable[str]) -> str:
    """Joined, and cut where a file would not take it: the whole is on the invoice and in its evidence."""
    text = "; ".join(part for part in parts if part)
    return text if len(text) <= TEXT_LIMIT else text[: TEXT_LIMIT - 1] + "…"


def _note(invoice: Invoice) -> str:
    """One note, since Peppol takes one only."""
    terms = invoice.terms
    played = "These readings come from a recording that was played back, not from a machine at work"
    return _told(
        (
            played if invoice.replayed else "",
            f"Machine {terms.machine}",
            f"Tariff {terms.tariff} version {terms.tariff_version}, SHA-256 {terms.tariff_digest}",
            "Every measured quantity is the difference of two signed meter readings",
        )
    )


def _days(invoice: Invoice) -> Days:
    """The service period by the buyer's clock, first and last day."""
    zone = ZoneInfo(invoice.buyer.zone)
    last = invoice.period.end - timedelta(microseconds=1)
    return Days(invoice.period.start.astimezone(zone).date(), last.astimezone(zone).date())


def _payment(invoice: Invoice, *, gives_back: bool) -> Payment | None:
    account = invoice.seller.bank_account
    if gives_back:
        return Payment(_SET_OFF, text="Set off against what is owed, or paid back")
    if not account:
        return None
    sepa = invoice.currency == "EUR" and is_iban(account)
    return Payment(
        _SEPA if sepa else _TRANSFER,
        reference=invoice.reference or "",
        account=account,
        account_name=invoice.seller.name,
    )
