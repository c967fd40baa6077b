"""The invoice in UBL 2.1 (OASIS), as Invoice or CreditNote, by the EN 16931 syntax binding (CEN/TS 16931-3-2)."""

from decimal import Decimal

from billing.invoicing.einvoice.amounts import amount_text, number_text
from billing.invoicing.einvoice.electronic_invoice import ElectronicInvoice, VatPart
from billing.invoicing.einvoice.formats import Flavour
from billing.invoicing.einvoice.terms_text import terms_text
from billing.invoicing.einvoice.ubl_lines import allowances_and_charges, line_node, tax_scheme
from billing.invoicing.einvoice.ubl_parties import buyer_node, delivery_node, payment_node, period_node, seller_node
from billing.invoicing.einvoice.xml_text import Node, branch, document, leaf

_UBL = "urn:oasis:names:specification:ubl:schema:xsd:"
_OBJECT, _PROJECT = "130", "50"


def ubl(invoice: ElectronicInvoice, flavour: Flavour) -> bytes:
    """The XML file. It writes what it is given: check first."""
    kind = "CreditNote" if invoice.is_credit_note else "Invoice"
    namespaces = {
        "": f"{_UBL}{kind}-2",
        "cac": f"{_UBL}CommonAggregateComponents-2",
        "cbc": f"{_UBL}CommonBasicComponents-2",
    }
    return document(
        branch(
            kind,
            _head(invoice, flavour),
            _references(invoice),
            seller_node(invoice),
            buyer_node(invoice),
            delivery_node(invoice.delivery),
            payment_node(invoice),
            branch("cac:PaymentTerms", leaf("cbc:Note", terms_text(invoice, codes=flavour.coded_discounts))),
            allowances_and_charges(invoice.allowances, invoice.charges, invoice.currency),
            _tax_totals(invoice, flavour),
            _totals(invoice),
            [line_node(line, invoice) for line in invoice.lines],
        ),
        namespaces,
    )


def _head(invoice: ElectronicInvoice, flavour: Flavour) -> list[Node | None]:
    credit = invoice.is_credit_note
    point = leaf("cbc:TaxPointDate", invoice.tax_point_date)
    notes = [leaf("cbc:Note", note) for note in invoice.notes]
    # The two documents have the same elements in two orders.
    by_kind = (
        [point, leaf("cbc:CreditNoteTypeCode", invoice.type), *notes]
        if credit
        else [leaf("cbc:DueDate", invoice.due_date), leaf("cbc:InvoiceTypeCode", invoice.type), *notes, point]
    )
    return [
        leaf("cbc:CustomizationID", flavour.customization),
        leaf("cbc:ProfileID", flavour.process),
        leaf("cbc:ID", invoice.number),
        leaf("cbc:IssueDate", invoice.issue_date),
        *by_kind,
        leaf("cbc:DocumentCurrencyCode", invoice.currency),
        leaf("cbc:TaxCurrencyCode", invoice.vat_currency),
        leaf("cbc:AccountingCost", invoice.accounting_reference),
        leaf("cbc:BuyerReference", invoice.buyer_reference),
        period_node(invoice.period),
    ]


def _references(invoice: ElectronicInvoice) -> list[Node | None]:
    # UBL demands an order's id where a sales order is named; EN 16931 writes NA where there is none.
    order = invoice.order_reference or ("NA" if invoice.sales_order_reference else "")
    project = invoice.project_reference
    return [
        branch("cac:OrderReference", leaf("cbc:ID", order), leaf("cbc:SalesOrderID", invoice.sales_order_reference)),
        *(
            branch(
                "cac:BillingReference",
                branch(
                    "cac:InvoiceDocumentReference", leaf("cbc:ID", each.number), leaf("cbc:IssueDate", each.issue_date)
                ),
            )
            for each in invoice.preceding
        ),
        branch("cac:ContractDocumentReference", leaf("cbc:ID", invoice.contract_reference)),
        *(
            branch(
                "cac:AdditionalDocumentReference",
                leaf("cbc:ID", each.id),
                leaf("cbc:DocumentDescription", each.description),
                branch("cac:Attachment", branch("cac:ExternalReference", leaf("cbc:URI", each.url))),
            )
            for each in invoice.documents
        ),
        _typed(_OBJECT, invoice.object.value, invoice.object.scheme) if invoice.object else None,
        _typed(_PROJECT, project) if project and invoice.is_credit_note else None,
        None if invoice.is_credit_note else branch("cac:ProjectReference", leaf("cbc:ID", project)),
    ]


def _typed(code: str, value: str, scheme: str = "") -> Node | None:
    return branch(
        "cac:AdditionalDocumentReference", leaf("cbc:ID", value, schemeID=scheme), leaf("cbc:DocumentTypeCode", code)
    )


def _tax_totals(invoice: ElectronicInvoice, flavour: Flavour) -> list[Node | None]:
    subtotals = [_subtotal(part, invoice.currency, flavour) for part in invoice.vat]
    return [
        branch("cac:TaxTotal", _amount("cbc:TaxAmount", invoice.totals.tax, invoice.currency), subtotals),
        branch("cac:TaxTotal", _amount("cbc:TaxAmount", invoice.tax_in_vat_currency, invoice.vat_currency)),
    ]


def _subtotal(part: VatPart, currency: str, flavour: Flavour) -> Node | None:
    rate = Decimal(0) if part.rate is None and flavour.rate_when_none else part.rate
    return branch(
        "cac:TaxSubtotal",
        _amount("cbc:TaxableAmount", part.taxable, currency),
        _amount("cbc:TaxAmount", part.tax, currency),
        branch(
            "cac:TaxCategory",
            leaf("cbc:ID", part.category),
            None if rate is None else leaf("cbc:Percent", number_text(rate)),
            leaf("cbc:TaxExemptionReasonCode", part.reason_code),
            leaf("cbc:TaxExemptionReason", part.reason),
            tax_scheme(),
        ),
    )


def _totals(invoice: ElectronicInvoice) -> Node | None:
    totals, currency = invoice.totals, invoice.currency
    return branch(
        "cac:LegalMonetaryTotal",
        _amount("cbc:LineExtensionAmount", totals.lines, currency),
        _amount("cbc:TaxExclusiveAmount", totals.net, currency),
        _amount("cbc:TaxInclusiveAmount", totals.gross, currency),
        _amount("cbc:AllowanceTotalAmount", totals.allowances, currency) if totals.allowances else None,
        _amount("cbc:ChargeTotalAmount", totals.charges, currency) if totals.charges else None,
        _amount("cbc:PrepaidAmount", totals.prepaid, currency) if totals.prepaid else None,
        _amount("cbc:PayableRoundingAmount", totals.rounding, currency) if totals.rounding else None,
        _amount("cbc:PayableAmount", totals.due, currency),
    )


def _amount(name: str, amount: Decimal | None, currency: str) -> Node | None:
    return None if amount is None else leaf(name, amount_text(amount, currency), currencyID=currency)
