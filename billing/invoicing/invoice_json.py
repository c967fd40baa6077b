"""The invoice as canonical JSON and back: what evidence carries and the document's template reads."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing.invoicing.invoice import Invoice, Party, Status, Terms
from billing.invoicing.line import InvoiceLine
from billing.money import Money, minor_places
from billing.pricing.measured import EvidenceRange
from metering.period import Period


def to_json(invoice: Invoice) -> str:
    """Sorted keys, no spaces, amounts as text: equal invoices give equal bytes."""
    return json.dumps(as_object(invoice), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def from_json(text: str) -> Invoice:
    """The invoice that `to_json` wrote; sums are computed again, not read."""
    return from_object(json.loads(text))


def as_object(invoice: Invoice) -> dict[str, Any]:
    """Amounts and quantities are decimal text in major units, times ISO 8601 in UTC, rates fractions."""
    return {
        "id": str(invoice.id),
        "lease": str(invoice.lease),
        "number": invoice.number,
        "status": invoice.status.value,
        "ordinal": invoice.ordinal,
        "period": {"from": invoice.period.start.isoformat(), "to": invoice.period.end.isoformat()},
        "seller": party_object(invoice.seller),
        "buyer": party_object(invoice.buyer),
        "invoice_date": _text(invoice.invoice_date),
        "due_date": _text(invoice.due_date),
        "reference": invoice.reference,
        "currency": invoice.currency,
        "lines": [_line(line) for line in invoice.lines],
        "vat": [
            {"category": part.category, "rate": str(part.rate), "net": _major(part.net), "tax": _major(part.tax)}
            for part in invoice.vat
        ],
        "net": _major(invoice.net),
        "tax": _major(invoice.tax),
        "total": _major(invoice.total),
        "terms": terms_object(invoice.terms),
        "replayed": invoice.replayed,
        "held": invoice.held,
        "issued_at": _time(invoice.issued_at),
        "known_at": _time(invoice.known_at),
    }


def from_object(data: dict[str, Any]) -> Invoice:
    """The invoice of an object that `as_object` made."""
    return Invoice(
        lease=UUID(data["lease"]),
        period=Period(datetime.fromisoformat(data["period"]["from"]), datetime.fromisoformat(data["period"]["to"])),
        ordinal=data["ordinal"],
        status=Status(data["status"]),
        seller=party_from(data["seller"]),
        buyer=party_from(data["buyer"]),
        currency=data["currency"],
        lines=tuple(_line_from(line, data["currency"]) for line in data["lines"]),
        terms=terms_from(data["terms"]),
        replayed=data["replayed"],
        number=data["number"],
        reference=data["reference"],
        invoice_date=_date(data["invoice_date"]),
        due_date=_date(data["due_date"]),
        held=data["held"],
        issued_at=_moment(data["issued_at"]),
        known_at=_moment(data["known_at"]),
    )


def party_object(party: Party) -> dict[str, Any]:
    """A seller or buyer as stored with the invoice."""
    return {
        "id": str(party.id),
        "name": party.name,
        "address": list(party.address),
        "country": party.country,
        "tax_number": party.tax_number,
        "email": party.email,
        "bank_account": party.bank_account,
        "zone": party.zone,
    }


def party_from(data: dict[str, Any]) -> Party:
    """The seller or buyer of an object that `party_object` made."""
    return Party(**{**data, "id": UUID(data["id"]), "address": tuple(data["address"])})


def terms_object(terms: Terms) -> dict[str, Any]:
    """The terms as stored with the invoice."""
    return {
        "tariff": terms.tariff,
        "tariff_version": terms.tariff_version,
        "tariff_digest": terms.tariff_digest,
        "rounding": terms.rounding,
        "machine": terms.machine,
        "machine_zone": terms.machine_zone,
        "due_days": terms.due_days,
    }


def terms_from(data: dict[str, Any]) -> Terms:
    """The terms of an object that `terms_object` made."""
    return Terms(**data)


def _line(line: InvoiceLine) -> dict[str, Any]:
    return {
        "code": line.code,
        "description": line.description,
        "category": line.category,
        "quantity": _text(line.quantity),
        "unit": line.unit,
        "price": _text(line.price),
        "precise": line.precise,
        "amount": _major(line.amount),
        "vat_category": line.vat_category,
        "vat_rate": str(line.vat_rate),
        "working": list(line.working),
        "evidence": [{"meter": item.meter, "first": item.first, "last": item.last} for item in line.evidence],
    }


def _line_from(data: dict[str, Any], currency: str) -> InvoiceLine:
    return InvoiceLine(
        code=data["code"],
        description=data["description"],
        category=data["category"],
        quantity=_decimal(data["quantity"]),
        unit=data["unit"],
        price=_decimal(data["price"]),
        precise=data["precise"],
        amount=_money(data["amount"], currency),
        vat_category=data["vat_category"],
        vat_rate=Decimal(data["vat_rate"]),
        working=tuple(data["working"]),
        evidence=tuple(EvidenceRange(item["meter"], item["first"], item["last"]) for item in data["evidence"]),
    )


def _major(amount: Money) -> str:
    return f"{amount.decimal:f}"


def _money(text: str, currency: str) -> Money:
    return Money(int(Decimal(text).scaleb(minor_places(currency))), currency)


def _text(value: object) -> str | None:
    return None if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _date(text: str | None) -> date | None:
    return None if text is None else date.fromisoformat(text)
