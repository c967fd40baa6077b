"""The Chinese part of INVOICE.json, and GOODS.json: the seller's goods codes as configuration."""

from billing.invoicing.einvoice.fapiao_terms import KINDS, RED_REASONS, FapiaoTerms, Goods, Red
from billing.pricing.fields import Fields


def fapiao_from_json(value: object) -> FapiaoTerms:
    """Kind, goods codes, issuer, and for a credit note what it reverses."""
    fields = Fields(value, "the terms of a Chinese e-invoice with kind and goods")
    found = FapiaoTerms(
        kind=fields.text("kind", choices=KINDS),
        goods=fields.many("goods", _goods),
        red=fields.maybe("red", _red),
        issuer=fields.text("issuer", ""),
    )
    fields.done()
    return found


def goods_from_json(value: object) -> tuple[Goods, ...]:
    """The goods codes of a seller: {"goods": [...]}."""
    fields = Fields(value, 'goods codes {"goods": [{"key": ..., "code": ..., "short_name": ...}]}')
    found = fields.many("goods", _goods, least=1)
    fields.done()
    return found


def _goods(value: object) -> Goods:
    fields = Fields(value, "a goods code with code, short_name and key")
    # An empty code is told by the check of the e-invoice, which says what to ask the tax office for.
    found = Goods(fields.text("code", ""), fields.text("short_name", ""), fields.text("key", ""))
    fields.done()
    return found


def _red(value: object) -> Red:
    fields = Fields(value, "what a red e-invoice reverses")
    found = Red(
        original_number=fields.text("original_number", ""),
        confirmation_number=fields.text("confirmation_number", ""),
        reason=fields.text("reason", choices=RED_REASONS),
    )
    fields.done()
    return found
