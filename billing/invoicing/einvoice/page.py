"""What the page of an electronic invoice prints, every figure as text; words are the template's (`einvoice.typ`)."""

from decimal import Decimal
from typing import Any

from billing.invoicing.document import UnknownLanguage
from billing.invoicing.einvoice.amounts import amount_text
from billing.invoicing.einvoice.electronic_invoice import AllowanceCharge, Days, ElectronicInvoice, Line, Party
from billing.invoicing.einvoice.terms_text import terms_text

LANGUAGES = ("en", "de", "fr", "zh")


def page(invoice: ElectronicInvoice, *, language: str = "en") -> dict[str, Any]:
    """The view that the template prints. Raises UnknownLanguage."""
    if language not in LANGUAGES:
        raise UnknownLanguage(f"{language!r} is not one of {', '.join(LANGUAGES)}")

    def amount(value: Decimal) -> str:
        return _grouped(amount_text(value, invoice.currency))

    return {
        "language": language,
        "type": invoice.type,
        "number": invoice.number,
        "currency": invoice.currency,
        "seller": _party(invoice.seller),
        "buyer": _party(invoice.buyer),
        "facts": [[key, value] for key, value in _facts(invoice) if value],
        "notes": list(invoice.notes),
        "lines": [_line(line, amount(line.net)) for line in invoice.lines],
        "adjustments": [
            *(_adjustment(entry, f"-{amount(entry.amount)}") for entry in invoice.allowances),
            *(_adjustment(entry, amount(entry.amount)) for entry in invoice.charges),
        ],
        "vat": [
            {
                "category": part.category,
                "rate": "" if part.rate is None else _percent(part.rate),
                "taxable": amount(part.taxable),
                "tax": amount(part.tax),
                "reason": part.reason or part.reason_code,
            }
            for part in invoice.vat
        ],
        "totals": _totals(invoice, amount(invoice.totals.due)),
        "payment": _payment(invoice),
        "terms": terms_text(invoice, codes=False),
    }


def _party(party: Party) -> dict[str, Any]:
    address = party.address
    place = " ".join(part for part in (address.postcode, address.city) if part)
    return {
        "name": party.name,
        "address": [part for part in (*address.lines, place, address.subdivision, address.country) if part],
        "tax_number": party.vat_id or party.tax_id,
    }


def _facts(invoice: ElectronicInvoice) -> list[tuple[str, str]]:
    return [
        ("date", invoice.issue_date.isoformat()),
        ("due", invoice.due_date.isoformat() if invoice.due_date else ""),
        ("period", _days(invoice.period)),
        ("delivered", invoice.delivery.day.isoformat() if invoice.delivery and invoice.delivery.day else ""),
        ("preceding", ", ".join(each.number for each in invoice.preceding)),
        ("buyer_reference", invoice.buyer_reference),
        ("order", invoice.order_reference),
        ("contract", invoice.contract_reference),
        ("object", invoice.object.value if invoice.object else ""),
    ]


def _days(days: Days | None) -> str:
    return f"{days.first or '…'} – {days.last or '…'}" if days else ""


def _line(line: Line, net: str) -> dict[str, Any]:
    less = [f"{entry.reason or entry.reason_code}: -{entry.amount:f}" for entry in line.allowances]
    more = [f"{entry.reason or entry.reason_code}: +{entry.amount:f}" for entry in line.charges]
    base = "" if line.price_base == 1 else f" / {line.price_base:f}"
    told = [line.description, line.note, _days(line.period), *less, *more]
    return {
        "position": line.id,
        "name": line.name,
        "told": [text for text in told if text],
        "quantity": _grouped(f"{line.quantity:f}"),
        "unit": line.unit,
        "price": f"{_grouped(f'{line.price:f}')}{base}",
        "vat": line.vat.category if line.vat.rate is None else _percent(line.vat.rate),
        "amount": net,
    }


def _adjustment(entry: AllowanceCharge, amount: str) -> dict[str, str]:
    rate = "" if entry.vat is None or entry.vat.rate is None else _percent(entry.vat.rate)
    return {"name": entry.reason or entry.reason_code, "vat": rate, "amount": amount}


def _totals(invoice: ElectronicInvoice, due: str) -> dict[str, str]:
    totals = invoice.totals

    def amount(value: Decimal) -> str:
        return _grouped(amount_text(value, invoice.currency))

    return {
        "net": amount(totals.net),
        "tax": amount(totals.tax),
        "gross": amount(totals.gross),
        "prepaid": amount(totals.prepaid) if totals.prepaid else "",
        "rounding": amount(totals.rounding) if totals.rounding else "",
        "due": due,
    }


def _payment(invoice: ElectronicInvoice) -> dict[str, str]:
    payment = invoice.payment
    if payment is None:
        return {"reference": "", "account": "", "bic": "", "means": ""}
    return {
        "means": payment.text,
        "reference": payment.reference,
        "account": payment.account or payment.card or payment.debited_account,
        "bic": payment.bic,
    }


def _percent(rate: Decimal) -> str:
    return f"{rate.normalize():f} %"


def _grouped(number: str) -> str:
    return f"{Decimal(number):,f}"
