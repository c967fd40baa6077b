"""Parties, addresses and referenced objects in CII."""

from billing.invoicing.einvoice.electronic_invoice import Address, Contact, Identifier, Party
from billing.invoicing.einvoice.xml_text import Node, branch, leaf

_OBJECT = "130"


def trade_party(name: str, party: Party) -> Node | None:
    electronic, registration = party.electronic_address, party.registration
    return branch(
        name,
        [leaf("ram:ID", each.value) for each in party.ids if not each.scheme],
        [leaf("ram:GlobalID", each.value, schemeID=each.scheme) for each in party.ids if each.scheme],
        leaf("ram:Name", party.name),
        leaf("ram:Description", party.legal_form),
        branch(
            "ram:SpecifiedLegalOrganization",
            leaf("ram:ID", registration.value, schemeID=registration.scheme) if registration else None,
            leaf("ram:TradingBusinessName", party.trading_name),
        ),
        _contact(party.contact) if party.contact else None,
        address_node(party.address),
        branch("ram:URIUniversalCommunication", leaf("ram:URIID", electronic.value, schemeID=electronic.scheme))
        if electronic
        else None,
        _registration(party.vat_id, "VA"),
        _registration(party.tax_id, "FC"),
    )


def address_node(address: Address) -> Node | None:
    first, second, third = (*address.lines, "", "", "")[:3]
    return branch(
        "ram:PostalTradeAddress",
        leaf("ram:PostcodeCode", address.postcode),
        leaf("ram:LineOne", first),
        leaf("ram:LineTwo", second),
        leaf("ram:LineThree", third),
        leaf("ram:CityName", address.city),
        leaf("ram:CountryID", address.country),
        leaf("ram:CountrySubDivisionName", address.subdivision),
    )


def object_node(told: Identifier | None) -> Node | None:
    """BT-18, BT-128: the object that is invoiced, such as a machine's meter."""
    if told is None:
        return None
    return branch(
        "ram:AdditionalReferencedDocument",
        leaf("ram:IssuerAssignedID", told.value),
        leaf("ram:TypeCode", _OBJECT),
        leaf("ram:ReferenceTypeCode", told.scheme),
    )


def _contact(contact: Contact) -> Node | None:
    return branch(
        "ram:DefinedTradeContact",
        leaf("ram:PersonName", contact.name),
        branch("ram:TelephoneUniversalCommunication", leaf("ram:CompleteNumber", contact.phone)),
        branch("ram:EmailURIUniversalCommunication", leaf("ram:URIID", contact.email)),
    )


def _registration(number: str, scheme: str) -> Node | None:
    return branch("ram:SpecifiedTaxRegistration", leaf("ram:ID", number, schemeID=scheme))
