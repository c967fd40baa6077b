"""The invoice in CII (UN/CEFACT Cross Industry Invoice D16B), by the EN 16931 syntax binding (CEN/TS 16931-3-3)."""

from billing.invoicing.einvoice.cii_lines import line_node
from billing.invoicing.einvoice.cii_parties import address_node, object_node, trade_party
from billing.invoicing.einvoice.cii_settlement import day_node, settlement_node
from billing.invoicing.einvoice.electronic_invoice import Delivery, ElectronicInvoice, Identifier
from billing.invoicing.einvoice.formats import Flavour
from billing.invoicing.einvoice.xml_text import Node, branch, document, leaf

_UN = "urn:un:unece:uncefact:data:standard:"
_NAMESPACES = {
    "rsm": f"{_UN}CrossIndustryInvoice:100",
    "ram": f"{_UN}ReusableAggregateBusinessInformationEntity:100",
    "qdt": f"{_UN}QualifiedDataType:100",
    "udt": f"{_UN}UnqualifiedDataType:100",
}
_SUPPORTING = "916"


def cii(invoice: ElectronicInvoice, flavour: Flavour) -> bytes:
    """The XML file. It writes what it is given: check first."""
    return document(
        branch(
            "rsm:CrossIndustryInvoice",
            _context(flavour),
            _head(invoice),
            branch(
                "rsm:SupplyChainTradeTransaction",
                [line_node(line, invoice.currency) for line in invoice.lines],
                _agreement(invoice),
                _delivery(invoice.delivery),
                settlement_node(invoice),
            ),
        ),
        _NAMESPACES,
    )


def _context(flavour: Flavour) -> Node | None:
    return branch(
        "rsm:ExchangedDocumentContext",
        branch("ram:BusinessProcessSpecifiedDocumentContextParameter", leaf("ram:ID", flavour.process)),
        branch("ram:GuidelineSpecifiedDocumentContextParameter", leaf("ram:ID", flavour.customization)),
    )


def _head(invoice: ElectronicInvoice) -> Node | None:
    return branch(
        "rsm:ExchangedDocument",
        leaf("ram:ID", invoice.number),
        leaf("ram:TypeCode", invoice.type),
        day_node("ram:IssueDateTime", invoice.issue_date),
        [branch("ram:IncludedNote", leaf("ram:Content", note)) for note in invoice.notes],
    )


def _agreement(invoice: ElectronicInvoice) -> Node | None:
    return branch(
        "ram:ApplicableHeaderTradeAgreement",
        leaf("ram:BuyerReference", invoice.buyer_reference),
        trade_party("ram:SellerTradeParty", invoice.seller),
        trade_party("ram:BuyerTradeParty", invoice.buyer),
        branch("ram:SellerOrderReferencedDocument", leaf("ram:IssuerAssignedID", invoice.sales_order_reference)),
        branch("ram:BuyerOrderReferencedDocument", leaf("ram:IssuerAssignedID", invoice.order_reference)),
        branch("ram:ContractReferencedDocument", leaf("ram:IssuerAssignedID", invoice.contract_reference)),
        [
            branch(
                "ram:AdditionalReferencedDocument",
                leaf("ram:IssuerAssignedID", each.id),
                leaf("ram:URIID", each.url),
                leaf("ram:TypeCode", _SUPPORTING),
                leaf("ram:Name", each.description),
            )
            for each in invoice.documents
        ],
        object_node(invoice.object),
        branch(
            "ram:SpecifiedProcuringProject",
            leaf("ram:ID", invoice.project_reference),
            leaf("ram:Name", "Project reference"),
        )
        if invoice.project_reference
        else None,
    )


def _delivery(delivery: Delivery | None) -> Node | None:
    if delivery is None:
        return Node("ram:ApplicableHeaderTradeDelivery")  # the schema demands it, even empty
    day = day_node("ram:OccurrenceDateTime", delivery.day)
    return branch(
        "ram:ApplicableHeaderTradeDelivery",
        branch(
            "ram:ShipToTradeParty",
            _location(delivery.location),
            leaf("ram:Name", delivery.name),
            address_node(delivery.address) if delivery.address else None,
        ),
        branch("ram:ActualDeliverySupplyChainEvent", day),
    ) or Node("ram:ApplicableHeaderTradeDelivery")


def _location(location: Identifier | None) -> Node | None:
    if location is None:
        return None
    if location.scheme:
        return leaf("ram:GlobalID", location.value, schemeID=location.scheme)
    return leaf("ram:ID", location.value)
