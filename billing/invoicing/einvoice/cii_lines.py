"""Lines in CII."""

from billing.invoicing.einvoice.amounts import amount_text, number_text
from billing.invoicing.einvoice.cii_parties import object_node
from billing.invoicing.einvoice.cii_settlement import allowances_and_charges, category_node, period_node
from billing.invoicing.einvoice.electronic_invoice import Line
from billing.invoicing.einvoice.xml_text import Node, branch, leaf


def line_node(line: Line, currency: str) -> Node | None:
    return branch(
        "ram:IncludedSupplyChainTradeLineItem",
        branch(
            "ram:AssociatedDocumentLineDocument",
            leaf("ram:LineID", line.id),
            branch("ram:IncludedNote", leaf("ram:Content", line.note)),
        ),
        _product(line),
        branch(
            "ram:SpecifiedLineTradeAgreement",
            branch("ram:BuyerOrderReferencedDocument", leaf("ram:LineID", line.order_line)),
            _gross_price(line),
            branch("ram:NetPriceProductTradePrice", leaf("ram:ChargeAmount", number_text(line.price)), _base(line)),
        ),
        branch(
            "ram:SpecifiedLineTradeDelivery",
            leaf("ram:BilledQuantity", number_text(line.quantity), unitCode=line.unit),
        ),
        branch(
            "ram:SpecifiedLineTradeSettlement",
            category_node("ram:ApplicableTradeTax", line.vat),
            period_node(line.period),
            allowances_and_charges(line.allowances, line.charges, currency),
            branch(
                "ram:SpecifiedTradeSettlementLineMonetarySummation",
                leaf("ram:LineTotalAmount", amount_text(line.net, currency)),
            ),
            object_node(line.object),
            branch("ram:ReceivableSpecifiedTradeAccountingAccount", leaf("ram:ID", line.accounting_reference)),
        ),
    )


def _product(line: Line) -> Node | None:
    standard = line.standard_item
    return branch(
        "ram:SpecifiedTradeProduct",
        leaf("ram:GlobalID", standard.value, schemeID=standard.scheme) if standard else None,
        leaf("ram:SellerAssignedID", line.seller_item),
        leaf("ram:BuyerAssignedID", line.buyer_item),
        leaf("ram:Name", line.name),
        leaf("ram:Description", line.description),
        [
            branch(
                "ram:ApplicableProductCharacteristic", leaf("ram:Description", each.name), leaf("ram:Value", each.value)
            )
            for each in line.attributes
        ],
        [
            branch("ram:DesignatedProductClassification", leaf("ram:ClassCode", each.value, listID=each.scheme))
            for each in line.classifications
        ],
        branch("ram:OriginTradeCountry", leaf("ram:ID", line.origin_country)),
    )


def _gross_price(line: Line) -> Node | None:
    if line.gross_price is None:
        return None
    return branch(
        "ram:GrossPriceProductTradePrice",
        leaf("ram:ChargeAmount", number_text(line.gross_price)),
        _base(line),
        branch(
            "ram:AppliedTradeAllowanceCharge",
            branch("ram:ChargeIndicator", leaf("udt:Indicator", "false")),
            leaf("ram:ActualAmount", number_text(line.gross_price - line.price)),
        ),
    )


def _base(line: Line) -> Node | None:
    if line.price_base == 1:
        return None
    return leaf("ram:BasisQuantity", number_text(line.price_base), unitCode=line.unit)
