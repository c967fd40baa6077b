"""The document's view of an invoice: everything as the text that is printed, for the template to lay out.

The template (`templates/invoice.typ`) gets one JSON object: `language`, `kind` (invoice, adjustment), `status`,
`replayed`, `number`, `seller`, `buyer`, `facts` (key, text), `lines`, `vat`, `net`, `tax`, `total`, `currency`,
`payment`, `terms`, `evidence` (the readings, where all lines rest on the same), `meter` (where there is only one) and
`meters` (see `meter_page.py`).
Words are the template's own, in its languages.
"""

from collections.abc import Sequence
from datetime import time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from billing.invoicing.invoice import Invoice, Party
from billing.invoicing.line import InvoiceLine
from billing.invoicing.meter_page import MeterPage, meter_object
from billing.money import Money
from billing.payments.reference import printed
from billing.pricing.measured import EvidenceRange
from metering.period import Period

LANGUAGES = ("en", "zh")


class UnknownLanguage(ValueError):
    """The document is written in English (en) or Chinese (zh)."""


def document(invoice: Invoice, meters: Sequence[MeterPage] = (), *, language: str = "en") -> dict[str, Any]:
    """The view that the template prints. Raises UnknownLanguage."""
    if language not in LANGUAGES:
        raise UnknownLanguage(f"{language!r} is not one of {', '.join(LANGUAGES)}")
    zone = ZoneInfo(invoice.buyer.zone)
    common, meter = _common_evidence(invoice), _only_meter(invoice)
    return {
        "language": language,
        "kind": "adjustment" if invoice.ordinal else "invoice",
        "status": invoice.status.value,
        "replayed": invoice.replayed,
        "number": invoice.number or "",
        "seller": _party(invoice.seller),
        "buyer": _party(invoice.buyer),
        "facts": _facts(invoice, meters, zone),
        "currency": invoice.currency,
        "lines": [
            _line(position, line, () if common else line.evidence, meter)
            for position, line in enumerate(invoice.lines, start=1)
        ],
        "evidence": common,
        "meter": "" if common else meter,
        "vat": [
            {
                "category": part.category,
                "rate": _percent(part.rate),
                "net": _amount(part.net),
                "tax": _amount(part.tax),
            }
            for part in invoice.vat
        ],
        "net": _amount(invoice.net),
        "tax": _amount(invoice.tax),
        "total": _amount(invoice.total),
        "payment": _payment(invoice),
        "terms": {
            "tariff": f"{invoice.terms.tariff} v{invoice.terms.tariff_version}",
            "digest": invoice.terms.tariff_digest[:16],
            "rounding": invoice.terms.rounding,
        },
        "meters": [meter_object(page, ZoneInfo(invoice.terms.machine_zone)) for page in meters],
        "machine_zone": invoice.terms.machine_zone,
    }


def _facts(invoice: Invoice, meters: Sequence[MeterPage], zone: ZoneInfo) -> list[list[str]]:
    dates = [(key, day.isoformat()) for key, day in (("date", invoice.invoice_date), ("due", invoice.due_date)) if day]
    facts = [
        *dates,
        ("period", period_text(invoice.period, zone)),
        ("machine", invoice.terms.machine),
        ("meters", ", ".join(page.meter for page in meters) if len(meters) > 1 else ""),
    ]
    return [[key, value] for key, value in facts if value]


def period_text(period: Period, zone: ZoneInfo) -> str:
    """The period by the clock of `zone`: days when it is made of whole ones (last day included), else times."""
    start, end = period.start.astimezone(zone), period.end.astimezone(zone)
    if start.time() == end.time() == time():
        return f"{start.date()} – {end.date() - timedelta(days=1)}"
    return f"{start:%Y-%m-%d %H:%M} – {end:%Y-%m-%d %H:%M}"


def _party(party: Party) -> dict[str, Any]:
    return {
        "name": party.name,
        "address": list(party.address),
        "country": party.country,
        "tax_number": party.tax_number,
        "email": party.email,
    }


def _common_evidence(invoice: Invoice) -> str:
    """The readings that all measured lines rest on, when they are the same; naming them once is enough then."""
    named = {line.evidence for line in invoice.lines if line.evidence}
    return ", ".join(_readings(item, "") for item in named.pop()) if len(named) == 1 else ""


def _only_meter(invoice: Invoice) -> str:
    """The meter that all readings are of, so that the lines need not name it; nothing when there are several."""
    meters = {item.meter for line in invoice.lines for item in line.evidence}
    return meters.pop() if len(meters) == 1 else ""


def _readings(item: EvidenceRange, meter: str) -> str:
    numbers = f"#{item.first} – #{item.last}"
    return numbers if item.meter == meter else f"{item.meter} {numbers}"


def _line(position: int, line: InvoiceLine, evidence: Sequence[EvidenceRange], meter: str) -> dict[str, Any]:
    return {
        "position": str(position),
        "description": line.description,
        "category": line.category,
        "working": list(line.working),
        "evidence": [_readings(item, meter) for item in evidence],
        "quantity": "" if line.quantity is None else f"{line.quantity:,f}",
        "unit": line.unit,
        "price": "" if line.price is None else f"{line.price:,f}",
        "vat": _percent(line.vat_rate),
        "amount": _amount(line.amount),
    }


def _payment(invoice: Invoice) -> dict[str, str]:
    return {
        "reference": printed(invoice.reference) if invoice.reference else "",
        "account": invoice.seller.bank_account,
        "due": invoice.due_date.isoformat() if invoice.due_date else "",
    }


def _percent(rate: Decimal) -> str:
    return f"{(rate * 100).normalize():f} %"


def _amount(amount: Money) -> str:
    return f"{amount.decimal:,f}"
