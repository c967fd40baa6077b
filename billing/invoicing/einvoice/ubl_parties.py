"""Parties, delivery, period and payment in UBL 2.1."""

from billing.invoicing.einvoice.electronic_invoice import Address, Days, Delivery, ElectronicInvoice, Party
from billing.invoicing.einvoice.iban import compact, looks_like_iban
from billing.invoicing.einvoice.xml_text import Node, branch, leaf

_NOT_DEFINED = "1"


def seller_node(invoice: ElectronicInvoice) -> Node | None:
    creditor = invoice.payment.creditor_id if invoice.payment else ""
    return branch("cac:AccountingSupplierParty", _party(invoice.seller, creditor))


def buyer_node(invoice: ElectronicInvoice) -> Node | None:
    return branch("cac:AccountingCustomerParty", _party(invoice.buyer))


def period_node(days: Days | None) -> Node | None:
    if days is None:
        return None
    return branch("cac:InvoicePeriod", leaf("cbc:StartDate", days.first), leaf("cbc:EndDate", days.last))


def delivery_node(delivery: Delivery | None) -> Node | None:
    if delivery is None:
        return None
    location, address = delivery.location, delivery.address
    return branch(
        "cac:Delivery",
        leaf("cbc:ActualDeliveryDate", delivery.day),
        branch(
            "cac:DeliveryLocation",
            leaf("cbc:ID", location.value, schemeID=location.scheme) if location else None,
            _address("cac:Address", address) if address else None,
        ),
        branch("cac:DeliveryParty", branch("cac:PartyName", leaf("cbc:Name", delivery.name))),
    )


def payment_node(invoice: ElectronicInvoice) -> Node | None:
    """BG-16. A credit note has no due date of its own in UBL: it stands here, if need be without a means."""
    payment = invoice.payment
    due = leaf("cbc:PaymentDueDate", invoice.due_date) if invoice.is_credit_note else None
    if payment is None:
        return branch("cac:PaymentMeans", leaf("cbc:PaymentMeansCode", _NOT_DEFINED), due) if due else None
    account = compact(payment.account) if looks_like_iban(payment.account) else payment.account
    debited = payment.debited_account
    return branch(
        "cac:PaymentMeans",
        leaf("cbc:PaymentMeansCode", payment.code, name=payment.text),
        due,
        leaf("cbc:PaymentID", payment.reference),
        branch(
            "cac:CardAccount",
            leaf("cbc:PrimaryAccountNumberID", payment.card),
            leaf("cbc:NetworkID", "NA"),  # UBL demands it; EN 16931 has no term for it
            leaf("cbc:HolderName", payment.card_holder),
        )
        if payment.card
        else None,
        branch(
            "cac:PayeeFinancialAccount",
            leaf("cbc:ID", account),
            leaf("cbc:Name", payment.account_name),
            branch("cac:FinancialInstitutionBranch", leaf("cbc:ID", payment.bic)),
        )
        if account
        else None,
        branch(
            "cac:PaymentMandate",
            leaf("cbc:ID", payment.mandate),
            branch("cac:PayerFinancialAccount", leaf("cbc:ID", compact(debited) if debited else "")),
        ),
    )


def _party(party: Party, creditor: str = "") -> Node | None:
    electronic, registration = party.electronic_address, party.registration
    return branch(
        "cac:Party",
        leaf("cbc:EndpointID", electronic.value, schemeID=electronic.scheme) if electronic else None,
        *(branch("cac:PartyIdentification", leaf("cbc:ID", each.value, schemeID=each.scheme)) for each in party.ids),
        branch("cac:PartyIdentification", leaf("cbc:ID", creditor, schemeID="SEPA")),
        branch("cac:PartyName", leaf("cbc:Name", party.trading_name)),
        _address("cac:PostalAddress", party.address),
        _tax_scheme(party.vat_id, "VAT"),
        _tax_scheme(party.tax_id, "FC"),
        branch(
            "cac:PartyLegalEntity",
            leaf("cbc:RegistrationName", party.name),
            leaf("cbc:CompanyID", registration.value, schemeID=registration.scheme) if registration else None,
            leaf("cbc:CompanyLegalForm", party.legal_form),
        ),
        branch(
            "cac:Contact",
            leaf("cbc:Name", party.contact.name),
            leaf("cbc:Telephone", party.contact.phone),
            leaf("cbc:ElectronicMail", party.contact.email),
        )
        if party.contact
        else None,
    )


def _tax_scheme(number: str, scheme: str) -> Node | None:
    if not number:
        return None
    return branch("cac:PartyTaxScheme", leaf("cbc:CompanyID", number), branch("cac:TaxScheme", leaf("cbc:ID", scheme)))


def _address(name: str, address: Address) -> Node | None:
    first, second, third = (*address.lines, "", "", "")[:3]
    return branch(
        name,
        leaf("cbc:StreetName", first),
        leaf("cbc:AdditionalStreetName", second),
        leaf("cbc:CityName", address.city),
        leaf("cbc:PostalZone", address.postcode),
        leaf("cbc:CountrySubentity", address.subdivision),
        branch("cac:AddressLine", leaf("cbc:Line", third)),
        branch("cac:Country", leaf("cbc:IdentificationCode", address.country)),
    )
