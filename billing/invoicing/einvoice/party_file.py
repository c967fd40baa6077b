"""Parties, places, days and payment in INVOICE.json."""

from datetime import date

from billing.invoicing.einvoice.electronic_invoice import (
    Address,
    CashDiscount,
    Contact,
    Days,
    Delivery,
    Identifier,
    Party,
    Payment,
)
from billing.pricing.entries import text_entry
from billing.pricing.fields import Fields

_MOST_ADDRESS_LINES = 3
_PAYMENT = (
    "text",
    "reference",
    "account",
    "account_name",
    "bic",
    "card",
    "card_holder",
    "mandate",
    "creditor_id",
    "debited_account",
)


def required_day(fields: Fields, name: str) -> date:
    """The day under `name`, which must be there; a placeholder until `done` raises."""
    day = fields.day(name)
    if day is None and not fields.has(name):
        fields.wrong(name, 'is missing; write a date such as "2026-03-01"')
    return day or date(1970, 1, 1)


def party_from_json(value: object) -> Party:
    fields = Fields(value, "a party with name and address")
    found = Party(
        name=fields.text("name"),
        address=fields.one("address", address_from_json),
        trading_name=fields.text("trading_name", ""),
        ids=fields.many("ids", identifier_from_json),
        registration=fields.maybe("registration", identifier_from_json),
        vat_id=fields.text("vat_id", ""),
        tax_id=fields.text("tax_id", ""),
        legal_form=fields.text("legal_form", ""),
        electronic_address=fields.maybe("electronic_address", identifier_from_json),
        contact=fields.maybe("contact", _contact),
    )
    fields.done()
    return found


def address_from_json(value: object) -> Address:
    fields = Fields(value, "an address with its country")
    found = Address(
        country=fields.text("country"),
        lines=fields.many("lines", text_entry),
        city=fields.text("city", ""),
        postcode=fields.text("postcode", ""),
        subdivision=fields.text("subdivision", ""),
    )
    if len(found.lines) > _MOST_ADDRESS_LINES or not all(found.lines):
        fields.wrong("lines", f"must be at most {_MOST_ADDRESS_LINES}, none of them empty")
    fields.done()
    return found


def identifier_from_json(value: object) -> Identifier:
    fields = Fields(value, 'an identifier {"value": ..., "scheme": ...}')
    found = Identifier(fields.text("value"), fields.text("scheme", ""))
    fields.done()
    return found


def days_from_json(value: object) -> Days:
    fields = Fields(value, 'days {"first": ..., "last": ...}, both included')
    found = Days(fields.day("first"), fields.day("last"))
    if not fields.has("first") and not fields.has("last"):
        fields.wrong("first", "is missing, and so is last; give at least one of them")
    fields.done()
    return found


def delivery_from_json(value: object) -> Delivery:
    fields = Fields(value, "a delivery with day, name, location or address")
    found = Delivery(
        day=fields.day("day"),
        name=fields.text("name", ""),
        location=fields.maybe("location", identifier_from_json),
        address=fields.maybe("address", address_from_json),
    )
    fields.done()
    return found


def payment_from_json(value: object) -> Payment:
    fields = Fields(value, "how it is paid, with the code of UNTDID 4461")
    found = Payment(fields.text("code"), **{name: fields.text(name, "") for name in _PAYMENT})
    fields.done()
    return found


def discount_from_json(value: object) -> CashDiscount:
    fields = Fields(value, 'a cash discount {"days": 14, "percent": "2.00"}')
    found = CashDiscount(fields.integer("days"), fields.decimal("percent", least="0"), fields.maybe_decimal("base"))
    fields.done()
    return found


def _contact(value: object) -> Contact:
    fields = Fields(value, "a contact with name, phone and email")
    found = Contact(fields.text("name", ""), fields.text("phone", ""), fields.text("email", ""))
    fields.done()
    return found
