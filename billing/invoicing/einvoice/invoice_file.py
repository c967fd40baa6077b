"""INVOICE.json: an electronic invoice as a file. Sums left out are worked out; those that are there are checked."""

from collections.abc import Sequence
from dataclasses import fields as fields_of
from dataclasses import is_dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from billing.invoicing.einvoice import amounts
from billing.invoicing.einvoice.electronic_invoice import (
    TYPES,
    ElectronicInvoice,
    InvoiceReference,
    Line,
    SupportingDocument,
    Totals,
    Vat,
    VatPart,
)
from billing.invoicing.einvoice.fapiao_file import fapiao_from_json
from billing.invoicing.einvoice.line_file import allowance_charge_from_json, line_from_json, vat_of
from billing.invoicing.einvoice.party_file import (
    days_from_json,
    delivery_from_json,
    discount_from_json,
    identifier_from_json,
    party_from_json,
    payment_from_json,
    required_day,
)
from billing.pricing.entries import text_entry
from billing.pricing.fields import Fields

FORMAT = "spindleshare-einvoice/1"
MOST_LINES = 10_000
_SUMS = ("lines", "allowances", "charges", "net", "tax", "gross", "due")


def invoice_from_json(value: object) -> ElectronicInvoice:
    """The invoice in `value` (parsed JSON); `InvalidInput` names every wrong field."""
    fields = Fields(value, "an electronic invoice")
    fields.text("format", choices=(FORMAT,))
    given = _document(fields)
    currency = given["currency"]
    lines = fields.many("lines", lambda entry: line_from_json(entry, currency), least=1)
    allowances = fields.many("allowances", lambda entry: allowance_charge_from_json(entry, currency, document=True))
    charges = fields.many("charges", lambda entry: allowance_charge_from_json(entry, currency, document=True))
    told = fields.many("vat", _told_part)
    stated = fields.maybe("totals", _told_totals) or {}
    if len(lines) > MOST_LINES:
        fields.wrong("lines", f"are {len(lines)}; an invoice has at most {MOST_LINES}")
    fields.done()
    lines = tuple(_numbered(line, position) for position, line in enumerate(lines, start=1))
    sums = amounts.taxable(lines, allowances, charges)
    vat = _vat_parts(told, sums, currency)
    worked_out = amounts.totals(
        lines, allowances, charges, vat, stated.pop("prepaid", Decimal(0)), stated.pop("rounding", Decimal(0))
    )
    return ElectronicInvoice(
        **given,
        lines=lines,
        allowances=allowances,
        charges=charges,
        vat=vat,
        totals=_with(worked_out, stated),
    )


def invoice_to_json(invoice: ElectronicInvoice) -> dict[str, Any]:
    """The invoice as JSON data, every sum stated; `invoice_from_json` gives the same value back."""
    return {"format": FORMAT, **_plain(invoice)}


def _document(fields: Fields) -> dict[str, Any]:
    return {
        "number": fields.text("number"),
        "type": fields.text("type", "380", choices=TYPES),
        "issue_date": required_day(fields, "issue_date"),
        "currency": fields.text("currency"),
        "seller": fields.one("seller", party_from_json),
        "buyer": fields.one("buyer", party_from_json),
        "due_date": fields.day("due_date"),
        "tax_point_date": fields.day("tax_point_date"),
        "vat_currency": fields.text("vat_currency", ""),
        "tax_in_vat_currency": fields.maybe_decimal("tax_in_vat_currency"),
        "notes": fields.many("notes", text_entry),
        **{name: fields.text(name, "") for name in _REFERENCES},
        "object": fields.maybe("object", identifier_from_json),
        "preceding": fields.many("preceding", _preceding),
        "documents": fields.many("documents", _supporting),
        "period": fields.maybe("period", days_from_json),
        "delivery": fields.maybe("delivery", delivery_from_json),
        "payment": fields.maybe("payment", payment_from_json),
        "payment_terms": fields.text("payment_terms", ""),
        "cash_discounts": fields.many("cash_discounts", discount_from_json),
        "fapiao": fields.maybe("fapiao", fapiao_from_json),
    }


_REFERENCES = (
    "buyer_reference",
    "order_reference",
    "sales_order_reference",
    "contract_reference",
    "project_reference",
    "accounting_reference",
)


def _preceding(value: object) -> InvoiceReference:
    fields = Fields(value, 'an earlier invoice {"number": ..., "issue_date": ...}')
    found = InvoiceReference(fields.text("number"), fields.day("issue_date"))
    fields.done()
    return found


def _supporting(value: object) -> SupportingDocument:
    fields = Fields(value, 'a document {"id": ..., "description": ..., "url": ...}')
    found = SupportingDocument(fields.text("id"), fields.text("description", ""), fields.text("url", ""))
    fields.done()
    return found


def _told_part(value: object) -> tuple[Vat, Decimal | None, Decimal | None, str, str]:
    """A category as the file tells it: what it leaves out is worked out."""
    fields = Fields(value, 'a VAT category {"category": ..., "rate": ..., "reason": ...}')
    vat = vat_of(fields)
    base, tax = fields.maybe_decimal("taxable"), fields.maybe_decimal("tax")
    reason, code = fields.text("reason", ""), fields.text("reason_code", "")
    fields.done()
    return vat, base, tax, reason, code


def _vat_parts(
    told: Sequence[tuple[Vat, Decimal | None, Decimal | None, str, str]], sums: dict[Vat, Decimal], currency: str
) -> tuple[VatPart, ...]:
    """The parts as told; where no amount is told at all, those of the lines that are not told as well."""
    parts = []
    for vat, base, tax, reason, code in told:
        part = amounts.vat_part(vat, sums.get(vat, Decimal(0)) if base is None else base, currency, reason, code)
        parts.append(
            part if tax is None else VatPart(vat.category, vat.rate, part.taxable, tax, part.reason, part.reason_code)
        )
    if all(base is None and tax is None for _, base, tax, _, _ in told):
        named = {vat for vat, *_ in told}
        parts += [amounts.vat_part(vat, base, currency) for vat, base in sums.items() if vat not in named]
    return tuple(parts)


def _told_totals(value: object) -> dict[str, Decimal]:
    fields = Fields(value, "totals")
    found = {name: fields.maybe_decimal(name) for name in (*_SUMS, "prepaid", "rounding")}
    fields.done()
    return {name: amount for name, amount in found.items() if amount is not None}


def _with(worked_out: Totals, stated: dict[str, Decimal]) -> Totals:
    return Totals(
        **{field.name: stated.get(field.name, getattr(worked_out, field.name)) for field in fields_of(Totals)}
    )


def _numbered(line: Line, position: int) -> Line:
    from dataclasses import replace

    return line if line.id else replace(line, id=str(position))


def _plain(value: object) -> Any:
    """Dataclasses as objects without their empty fields; decimals as text."""
    if is_dataclass(value) and not isinstance(value, type):
        found = {field.name: getattr(value, field.name) for field in fields_of(value)}
        return {name: _plain(entry) for name, entry in found.items() if entry not in (None, "", ())}
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, Decimal):
        return f"{value:f}"
    return value.isoformat() if isinstance(value, date) else value
