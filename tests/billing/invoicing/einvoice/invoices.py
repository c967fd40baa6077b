"""Made-up invoices of every kind: categories, allowances, charges, credit notes, currencies of 0, 2 and 3 decimals."""

import json
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from app.cli.json_file import packaged
from billing.invoicing.einvoice.electronic_invoice import ElectronicInvoice
from billing.invoicing.einvoice.invoice_file import invoice_from_json

JSON = dict[str, Any]
EXAMPLES = ("invoice", "credit-note", "fapiao", "red-fapiao", "goods")
_UNITS = ("HUR", "KWH", "KMT", "C62", "MON", "MIN", "DAY", "H87", "E48", "LS")
_REASONS = {"E": "Exempt: educational services", "AE": "", "K": "", "G": "", "O": ""}


def example_text(name: str) -> str:
    return packaged("billing.invoicing.einvoice", "examples", name)


def example(name: str = "invoice") -> JSON:
    found: JSON = json.loads(example_text(name))
    return found


def changed(name: str = "invoice", **parts: Any) -> JSON:
    """An example with some of its fields replaced; None takes one out."""
    found = {**example(name), **parts}
    return {key: value for key, value in found.items() if value is not None}


def at(document: JSON, path: str, value: Any) -> JSON:
    """A copy of `document` with `value` at a dotted path; numbers are list positions, None takes the field out."""
    copy = deepcopy(document)
    *way, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    found: Any = copy
    for step in way:
        found = found[step]
    if value is None:
        del found[last]
    elif isinstance(found, list) and last == len(found):
        found.append(value)
    else:
        found[last] = value
    return copy


def parsed(document: JSON) -> ElectronicInvoice:
    return invoice_from_json(document)


def decimals(least: int, most: int, places: int) -> st.SearchStrategy[str]:
    scale = 10**places
    return st.integers(least * scale, most * scale).map(
        lambda number: f"{number // scale}.{number % scale:0{places}d}" if places else str(number)
    )


@st.composite
def vats(draw: st.DrawFn, *, alone: bool) -> JSON:
    if alone:
        return {"category": "O"}
    category = draw(st.sampled_from(("S", "S", "S", "Z", "E", "AE", "K", "G", "L", "M")))
    if category in "SLM":
        return {"category": category, "rate": draw(st.sampled_from(("19.00", "7", "20.0", "5.5", "25", "10.25")))}
    return {"category": category, "rate": "0"}


@st.composite
def adjustments(draw: st.DrawFn, places: int, kind: str, vat: JSON | None) -> JSON:
    code = draw(st.sampled_from(("", "95", "100") if kind == "allowance" else ("", "FC", "ABK")))
    found: JSON = {"reason": draw(st.sampled_from(("Verfügbarkeit", "R&D <pilot>", "谷段")))}
    if code:
        found["reason_code"] = code
    # A percentage of yen is seldom whole, and Peppol refuses it rounded.
    if places and draw(st.booleans()):
        found |= {"base": draw(decimals(1, 900, places)), "percent": draw(decimals(0, 20, 2))}
    else:
        found["amount"] = draw(decimals(0, 90, places))
    return found | ({"vat": vat} if vat else {})


@st.composite
def lines(draw: st.DrawFn, places: int, *, alone: bool) -> JSON:
    found: JSON = {
        "name": draw(st.sampled_from(("Spindle hours", "Ä & Ö <Maß>", "主轴小时", "\"Axis\" 'travel'"))),
        "quantity": draw(decimals(1, 500, 4 if places else 0)),
        "unit": draw(st.sampled_from(_UNITS)),
        "price": draw(decimals(1, 90, draw(st.sampled_from((2, 4, 6))) if places else 0)),
        "vat": draw(vats(alone=alone)),
        "allowances": draw(st.lists(adjustments(places, "allowance", None), max_size=1)),
        "charges": draw(st.lists(adjustments(places, "charge", None), max_size=1)),
    }
    if places and draw(st.booleans()):
        found |= {"price_base": draw(st.sampled_from(("10", "100", "3"))), "note": "per block"}
    if draw(st.booleans()):
        found |= {
            "period": {"first": "2026-05-02", "last": "2026-05-30"},
            "object": {"value": "SPN-1", "scheme": "MG"},
        }
    if draw(st.booleans()):
        found |= {
            "description": "measured",
            "gross_price": "95.00",
            "seller_item": "S-1",
            "buyer_item": "B-1",
            "standard_item": {"value": "04012345678901", "scheme": "0160"},
            "classifications": [{"value": "23151500", "scheme": "STI"}],
            "origin_country": "DE",
            "attributes": [{"name": "axis", "value": "X"}],
            "order_line": "1",
            "accounting_reference": "4711",
        }
    return found


@st.composite
def documents(draw: st.DrawFn) -> JSON:
    """An invoice or credit note that passes for a Peppol one between German parties, in all that it may hold."""
    alone = draw(st.integers(0, 9)) == 0
    currency = draw(st.sampled_from(("EUR", "EUR", "CNY", "JPY", "KWD", "HUF")))
    places = 0 if currency == "JPY" else 2
    kind = draw(st.sampled_from(("380", "380", "381", "384", "326")))
    found = changed(type=kind, currency=currency, allowances=None, payment_terms=None)
    found["lines"] = draw(st.lists(lines(places, alone=alone), min_size=1, max_size=4))
    used = [line["vat"] for line in found["lines"]]
    for name in ("allowance", "charge"):
        vat = draw(st.sampled_from(used))
        found[f"{name}s"] = draw(st.lists(adjustments(places, name, vat), max_size=2))
    found["vat"] = [
        {**vat, "reason": _REASONS[vat["category"]] or f"Because {vat['category']}"}
        for vat in {entry["category"]: entry for entry in used}.values()
        if vat["category"] in _REASONS and (vat["category"] == "E" or draw(st.booleans()))
    ]
    if alone:
        for party in ("seller", "buyer"):
            found[party] = {key: value for key, value in found[party].items() if key != "vat_id"}
        found["seller"]["tax_id"] = "123/456/78901"
    if any(vat["category"] == "K" for vat in used) or draw(st.booleans()):
        found["delivery"] = {"day": "2026-05-31", "address": {**found["buyer"]["address"], "subdivision": "BW"}}
    if draw(st.booleans()):
        found["totals"] = {
            "prepaid": draw(decimals(0, 50, places)),
            "rounding": draw(st.sampled_from(("0", "-1", "1"))),
        }
    if draw(st.booleans()):
        found |= {"vat_currency": "USD", "tax_in_vat_currency": "0.00"}
    if draw(st.booleans()):
        found |= {
            "preceding": [{"number": "LS1", "issue_date": "2026-05-01"}, {"number": "LS2"}],
            "order_reference": "PO-1",
            "sales_order_reference": "SO-1",
            "project_reference": "P-1",
            "accounting_reference": "K-1",
            "tax_point_date": "2026-05-31",
            "payment_terms": "Net",
            "cash_discounts": [{"days": 7, "percent": "2.00"}, {"days": 14, "percent": "1", "base": "100.00"}],
        }
    if draw(st.booleans()):
        found["payment"] = {
            "code": "59",
            "mandate": "M-1",
            "creditor_id": "DE98ZZZ09999999999",
            "debited_account": "DE89370400440532013000",
        }
    return found
