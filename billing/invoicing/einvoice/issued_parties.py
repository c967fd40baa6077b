"""Parties of our own records as those of an electronic invoice."""

from billing.invoicing import invoice
from billing.invoicing.einvoice.electronic_invoice import Address, Contact, Identifier, Party
from metering.parties.party import Organisation

_EMAIL = "EM"
_PREFIX = {"GR": "EL"}


def party_of(organisation: Organisation, *, contact: str = "", phone: str = "") -> Party:
    """An organisation as it stands now, town and post code apart; `contact` and `phone` are not on its record."""
    address = Address(
        organisation.country,
        (organisation.street,) if organisation.street else (),
        organisation.city,
        organisation.postcode,
    )
    return _party(organisation.name, address, organisation.vat_id, organisation.email, contact, phone)


def party_as_printed(party: invoice.Party) -> Party:
    """The copy on an invoice: its address is what was printed, so the town is a line of it."""
    return _party(party.name, Address(party.country, party.address), party.tax_number, party.email)


def _party(name: str, address: Address, number: str, email: str, contact: str = "", phone: str = "") -> Party:
    is_vat = number.startswith(_PREFIX.get(address.country, address.country)) and number[:2].isalpha()
    return Party(
        name,
        address,
        vat_id=number if is_vat else "",
        tax_id="" if is_vat else number,
        electronic_address=Identifier(email, _EMAIL) if email else None,
        contact=Contact(contact, phone, email) if contact or phone or email else None,
    )
