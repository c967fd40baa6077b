"""Lines, allowances and charges in INVOICE.json."""

from decimal import Decimal

from billing.invoicing.einvoice.amounts import allowance_amount, line_net
from billing.invoicing.einvoice.electronic_invoice import AllowanceCharge, Attribute, Line, Vat
from billing.invoicing.einvoice.party_file import days_from_json, identifier_from_json
from billing.pricing.fields import Fields

CATEGORIES = ("S", "Z", "E", "AE", "K", "G", "O", "L", "M")
"""UNTDID 5305 as EN 16931 has it, without B (Italian split payment)."""
_TEXTS = ("description", "note", "order_line", "accounting_reference", "seller_item", "buyer_item", "origin_country")


def line_from_json(value: object, currency: str) -> Line:
    """A line; without `net` it is worked out. An empty `id` is its position, filled in by the document."""
    fields = Fields(value, "a line with name, quantity, unit, price and vat")
    quantity, price = fields.decimal("quantity"), fields.decimal("price")
    price_base = fields.decimal("price_base", "1")
    if price_base <= 0 and fields.has("price_base"):
        fields.wrong("price_base", "must be above zero; it is how many units the price is for")
    allowances = fields.many("allowances", lambda entry: allowance_charge_from_json(entry, currency))
    charges = fields.many("charges", lambda entry: allowance_charge_from_json(entry, currency))
    stated = fields.maybe_decimal("net")
    found = Line(
        id=fields.text("id", ""),
        name=fields.text("name"),
        quantity=quantity,
        unit=fields.text("unit"),
        price=price,
        net=line_net(quantity, price, price_base, currency, allowances, charges) if stated is None else stated,
        vat=fields.one("vat", vat_from_json),
        **{name: fields.text(name, "") for name in _TEXTS},
        price_base=price_base,
        gross_price=fields.maybe_decimal("gross_price"),
        period=fields.maybe("period", days_from_json),
        object=fields.maybe("object", identifier_from_json),
        standard_item=fields.maybe("standard_item", identifier_from_json),
        classifications=fields.many("classifications", identifier_from_json),
        attributes=fields.many("attributes", _attribute),
        allowances=allowances,
        charges=charges,
        goods=fields.text("goods", ""),
    )
    fields.done()
    return found


def allowance_charge_from_json(value: object, currency: str, *, document: bool = False) -> AllowanceCharge:
    """An allowance or charge; without `amount` it is `percent` of `base`. Only those of the document have `vat`."""
    fields = Fields(value, "an allowance or charge with amount and reason")
    base, percent = fields.maybe_decimal("base"), fields.maybe_decimal("percent")
    amount = fields.maybe_decimal("amount")
    if amount is None and (base is None or percent is None):
        fields.wrong("amount", "is missing; write it, or base and percent")
    if amount is None:
        amount = allowance_amount(base or Decimal(0), percent or Decimal(0), currency)
    found = AllowanceCharge(
        amount=amount,
        reason=fields.text("reason", ""),
        reason_code=fields.text("reason_code", ""),
        base=base,
        percent=percent,
        vat=fields.one("vat", vat_from_json) if document else None,
    )
    fields.done()
    return found


def vat_from_json(value: object) -> Vat:
    fields = Fields(value, 'a VAT category {"category": "S", "rate": "19.00"}')
    found = vat_of(fields)
    fields.done()
    return found


def vat_of(fields: Fields) -> Vat:
    """The category and rate among `fields`; a rate left out is 0, or none at all outside the scope of VAT.

    Rates that are equal are one value, however they are spelt: 19 and 19.00 are one part of the breakdown.
    """
    category, rate = fields.text("category", choices=CATEGORIES), fields.maybe_decimal("rate")
    if rate is None and category in ("S", "L", "M"):
        fields.wrong("rate", 'is missing; write the rate in percent, such as "19.00"')
    return Vat(category, rate if rate is not None or category == "O" else Decimal(0))


def _attribute(value: object) -> Attribute:
    fields = Fields(value, 'an attribute {"name": ..., "value": ...}')
    found = Attribute(fields.text("name"), fields.text("value"))
    fields.done()
    return found
