"""Payment, VAT, allowances and totals in CII."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from billing.invoicing.einvoice.amounts import amount_text, number_text
from billing.invoicing.einvoice.electronic_invoice import AllowanceCharge, Days, ElectronicInvoice, Vat, VatPart
from billing.invoicing.einvoice.iban import compact, looks_like_iban
from billing.invoicing.einvoice.terms_text import terms_text
from billing.invoicing.einvoice.xml_text import Node, branch, leaf

_DAY = "102"
"""UNTDID 2379: YYYYMMDD."""


def settlement_node(invoice: ElectronicInvoice) -> Node | None:
    payment = invoice.payment
    return branch(
        "ram:ApplicableHeaderTradeSettlement",
        leaf("ram:CreditorReferenceID", payment.creditor_id if payment else ""),
        leaf("ram:PaymentReference", payment.reference if payment else ""),
        leaf("ram:TaxCurrencyCode", invoice.vat_currency),
        leaf("ram:InvoiceCurrencyCode", invoice.currency),
        _means(invoice),
        [_tax(part, invoice) for part in invoice.vat],
        period_node(invoice.period),
        allowances_and_charges(invoice.allowances, invoice.charges, invoice.currency),
        branch(
            "ram:SpecifiedTradePaymentTerms",
            leaf("ram:Description", terms_text(invoice, codes=False)),
            day_node("ram:DueDateDateTime", invoice.due_date),
            leaf("ram:DirectDebitMandateID", payment.mandate if payment else ""),
        ),
        _totals(invoice),
        [
            branch(
                "ram:InvoiceReferencedDocument",
                leaf("ram:IssuerAssignedID", each.number),
                _day("ram:FormattedIssueDateTime", "qdt:DateTimeString", each.issue_date),
            )
            for each in invoice.preceding
        ],
        branch("ram:ReceivableSpecifiedTradeAccountingAccount", leaf("ram:ID", invoice.accounting_reference)),
    )


def day_node(name: str, day: date | None) -> Node | None:
    return _day(name, "udt:DateTimeString", day)


def period_node(days: Days | None) -> Node | None:
    if days is None:
        return None
    return branch(
        "ram:BillingSpecifiedPeriod", day_node("ram:StartDateTime", days.first), day_node("ram:EndDateTime", days.last)
    )


def category_node(name: str, vat: Vat) -> Node | None:
    return branch(
        name,
        leaf("ram:TypeCode", "VAT"),
        leaf("ram:CategoryCode", vat.category),
        None if vat.rate is None else leaf("ram:RateApplicablePercent", number_text(vat.rate)),
    )


def allowances_and_charges(
    allowances: Iterable[AllowanceCharge], charges: Iterable[AllowanceCharge], currency: str
) -> list[Node | None]:
    return [
        *(_allowance_charge(entry, "false", currency) for entry in allowances),
        *(_allowance_charge(entry, "true", currency) for entry in charges),
    ]


def _allowance_charge(entry: AllowanceCharge, is_charge: str, currency: str) -> Node | None:
    return branch(
        "ram:SpecifiedTradeAllowanceCharge",
        branch("ram:ChargeIndicator", leaf("udt:Indicator", is_charge)),
        None if entry.percent is None else leaf("ram:CalculationPercent", number_text(entry.percent)),
        None if entry.base is None else leaf("ram:BasisAmount", amount_text(entry.base, currency)),
        leaf("ram:ActualAmount", amount_text(entry.amount, currency)),
        leaf("ram:ReasonCode", entry.reason_code),
        leaf("ram:Reason", entry.reason),
        category_node("ram:CategoryTradeTax", entry.vat) if entry.vat else None,
    )


def _day(name: str, inner: str, day: date | None) -> Node | None:
    return None if day is None else branch(name, leaf(inner, f"{day:%Y%m%d}", format=_DAY))


def _means(invoice: ElectronicInvoice) -> Node | None:
    payment = invoice.payment
    if payment is None:
        return None
    is_iban = looks_like_iban(payment.account)
    return branch(
        "ram:SpecifiedTradeSettlementPaymentMeans",
        leaf("ram:TypeCode", payment.code),
        leaf("ram:Information", payment.text),
        branch(
            "ram:ApplicableTradeSettlementFinancialCard",
            leaf("ram:ID", payment.card),
            leaf("ram:CardholderName", payment.card_holder),
        )
        if payment.card
        else None,
        branch("ram:PayerPartyDebtorFinancialAccount", leaf("ram:IBANID", compact(payment.debited_account))),
        branch(
            "ram:PayeePartyCreditorFinancialAccount",
            leaf("ram:IBANID", compact(payment.account)) if is_iban else None,
            leaf("ram:AccountName", payment.account_name),
            None if is_iban else leaf("ram:ProprietaryID", payment.account),
        )
        if payment.account
        else None,
        branch("ram:PayeeSpecifiedCreditorFinancialInstitution", leaf("ram:BICID", payment.bic)),
    )


def _tax(part: VatPart, invoice: ElectronicInvoice) -> Node | None:
    return branch(
        "ram:ApplicableTradeTax",
        leaf("ram:CalculatedAmount", amount_text(part.tax, invoice.currency)),
        leaf("ram:TypeCode", "VAT"),
        leaf("ram:ExemptionReason", part.reason),
        leaf("ram:BasisAmount", amount_text(part.taxable, invoice.currency)),
        leaf("ram:CategoryCode", part.category),
        leaf("ram:ExemptionReasonCode", part.reason_code),
        _day("ram:TaxPointDate", "udt:DateString", invoice.tax_point_date),
        None if part.rate is None else leaf("ram:RateApplicablePercent", number_text(part.rate)),
    )


def _totals(invoice: ElectronicInvoice) -> Node | None:
    totals, currency = invoice.totals, invoice.currency

    def amount(name: str, value: Decimal, *, of: str = "") -> Node | None:
        return leaf(f"ram:{name}", amount_text(value, currency), currencyID=of)

    other = invoice.tax_in_vat_currency
    return branch(
        "ram:SpecifiedTradeSettlementHeaderMonetarySummation",
        amount("LineTotalAmount", totals.lines),
        amount("ChargeTotalAmount", totals.charges) if totals.charges else None,
        amount("AllowanceTotalAmount", totals.allowances) if totals.allowances else None,
        amount("TaxBasisTotalAmount", totals.net),
        amount("TaxTotalAmount", totals.tax, of=currency),
        None
        if other is None
        else leaf("ram:TaxTotalAmount", amount_text(other, invoice.vat_currency), currencyID=invoice.vat_currency),
        amount("RoundingAmount", totals.rounding) if totals.rounding else None,
        amount("GrandTotalAmount", totals.gross),
        amount("TotalPrepaidAmount", totals.prepaid) if totals.prepaid else None,
        amount("DuePayableAmount", totals.due),
    )
