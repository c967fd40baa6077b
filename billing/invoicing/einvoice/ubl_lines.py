"""Lines, allowances and charges in UBL 2.1."""

from collections.abc import Iterable
from decimal import Decimal

from billing.invoicing.einvoice.amounts import amount_text, number_text
from billing.invoicing.einvoice.electronic_invoice import AllowanceCharge, ElectronicInvoice, Line, Vat
from billing.invoicing.einvoice.ubl_parties import period_node
from billing.invoicing.einvoice.xml_text import Node, branch, leaf

_OBJECT = "130"


def tax_scheme() -> Node | None:
    return branch("cac:TaxScheme", leaf("cbc:ID", "VAT"))


def allowances_and_charges(
    allowances: Iterable[AllowanceCharge], charges: Iterable[AllowanceCharge], currency: str
) -> list[Node | None]:
    return [
        *(_allowance_charge(entry, "false", currency) for entry in allowances),
        *(_allowance_charge(entry, "true", currency) for entry in charges),
    ]


def line_node(line: Line, invoice: ElectronicInvoice) -> Node | None:
    kind, quantity = ("CreditNote", "Credited") if invoice.is_credit_note else ("Invoice", "Invoiced")
    currency = invoice.currency
    return branch(
        f"cac:{kind}Line",
        leaf("cbc:ID", line.id),
        leaf("cbc:Note", line.note),
        leaf(f"cbc:{quantity}Quantity", number_text(line.quantity), unitCode=line.unit),
        leaf("cbc:LineExtensionAmount", amount_text(line.net, currency), currencyID=currency),
        leaf("cbc:AccountingCost", line.accounting_reference),
        period_node(line.period),
        branch("cac:OrderLineReference", leaf("cbc:LineID", line.order_line)),
        branch(
            "cac:DocumentReference",
            leaf("cbc:ID", line.object.value, schemeID=line.object.scheme),
            leaf("cbc:DocumentTypeCode", _OBJECT),
        )
        if line.object
        else None,
        allowances_and_charges(line.allowances, line.charges, currency),
        _item(line),
        _price(line, currency),
    )


def _item(line: Line) -> Node | None:
    standard = line.standard_item
    return branch(
        "cac:Item",
        leaf("cbc:Description", line.description),
        leaf("cbc:Name", line.name),
        branch("cac:BuyersItemIdentification", leaf("cbc:ID", line.buyer_item)),
        branch("cac:SellersItemIdentification", leaf("cbc:ID", line.seller_item)),
        branch("cac:StandardItemIdentification", leaf("cbc:ID", standard.value, schemeID=standard.scheme))
        if standard
        else None,
        branch("cac:OriginCountry", leaf("cbc:IdentificationCode", line.origin_country)),
        *(
            branch("cac:CommodityClassification", leaf("cbc:ItemClassificationCode", each.value, listID=each.scheme))
            for each in line.classifications
        ),
        _category("cac:ClassifiedTaxCategory", line.vat),
        *(
            branch("cac:AdditionalItemProperty", leaf("cbc:Name", each.name), leaf("cbc:Value", each.value))
            for each in line.attributes
        ),
    )


def _price(line: Line, currency: str) -> Node | None:
    discount: Node | None = None
    if line.gross_price is not None:
        discount = branch(
            "cac:AllowanceCharge",
            leaf("cbc:ChargeIndicator", "false"),
            leaf("cbc:Amount", number_text(line.gross_price - line.price), currencyID=currency),
            leaf("cbc:BaseAmount", number_text(line.gross_price), currencyID=currency),
        )
    return branch(
        "cac:Price",
        leaf("cbc:PriceAmount", number_text(line.price), currencyID=currency),
        leaf("cbc:BaseQuantity", number_text(line.price_base), unitCode=line.unit) if line.price_base != 1 else None,
        discount,
    )


def _allowance_charge(entry: AllowanceCharge, is_charge: str, currency: str) -> Node | None:
    return branch(
        "cac:AllowanceCharge",
        leaf("cbc:ChargeIndicator", is_charge),
        leaf("cbc:AllowanceChargeReasonCode", entry.reason_code),
        leaf("cbc:AllowanceChargeReason", entry.reason),
        None if entry.percent is None else leaf("cbc:MultiplierFactorNumeric", number_text(entry.percent)),
        _amount("cbc:Amount", entry.amount, currency),
        _amount("cbc:BaseAmount", entry.base, currency),
        _category("cac:TaxCategory", entry.vat) if entry.vat else None,
    )


def _category(name: str, vat: Vat) -> Node | None:
    rate = None if vat.rate is None else leaf("cbc:Percent", number_text(vat.rate))
    return branch(name, leaf("cbc:ID", vat.category), rate, tax_scheme())


def _amount(name: str, amount: Decimal | None, currency: str) -> Node | None:
    return None if amount is None else leaf(name, amount_text(amount, currency), currencyID=currency)
