"""The formats that an electronic invoice can be written in, and the rules that each must keep."""

from dataclasses import dataclass
from enum import StrEnum

from billing.invoicing.einvoice import (
    rules_amounts,
    rules_codes,
    rules_document,
    rules_peppol,
    rules_vat,
    rules_xrechnung,
)
from billing.invoicing.einvoice.electronic_invoice import ElectronicInvoice
from billing.invoicing.einvoice.rule import Finding, RuleBook

_EN = "urn:cen.eu:en16931:2017"
_PEPPOL_PROCESS = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
_CORE = (rules_document.BOOK, rules_amounts.BOOK, rules_vat.BOOK, rules_codes.BOOK)


class Format(StrEnum):
    """A format's name, as the command takes it."""

    UBL = "ubl"
    CII = "cii"
    XRECHNUNG = "xrechnung"
    PEPPOL = "peppol"
    FACTUR_X = "factur-x"
    FAPIAO = "fapiao"


@dataclass(frozen=True, slots=True)
class Flavour:
    """`customization` is BT-24, `process` BT-23; `books` what is checked, `german_books` also between
    German parties; `ending` the file's.

    `rate_when_none`: the breakdown says 0 where there is no rate (O), as Germany wants; `coded_discounts`: cash
    discounts are written as XRechnung's #SKONTO# lines.
    """

    title: str
    books: tuple[RuleBook, ...]
    ending: str = ".xml"
    german_books: tuple[RuleBook, ...] = ()
    customization: str = _EN
    process: str = ""
    rate_when_none: bool = False
    coded_discounts: bool = False


FLAVOURS = {
    Format.UBL: Flavour("EN 16931 in UBL 2.1", _CORE),
    Format.CII: Flavour("EN 16931 in CII (UN/CEFACT D16B)", _CORE),
    Format.PEPPOL: Flavour(
        "Peppol BIS Billing 3.0 (UBL 2.1)",
        (*_CORE, rules_peppol.BOOK, rules_peppol.NETWORK),
        german_books=(rules_xrechnung.IN_PEPPOL,),
        customization=f"{_EN}#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0",
        process=_PEPPOL_PROCESS,
        rate_when_none=True,
    ),
    Format.XRECHNUNG: Flavour(
        "XRechnung 3.0 (UBL 2.1)",
        (*_CORE, rules_peppol.BOOK, rules_xrechnung.BOOK),
        customization=f"{_EN}#compliant#urn:xeinkauf.de:kosit:xrechnung_3.0",
        process=_PEPPOL_PROCESS,
        rate_when_none=True,
        coded_discounts=True,
    ),
    Format.FACTUR_X: Flavour("Factur-X 1.0, profile EN 16931 (PDF/A-3 with CII)", _CORE, ".pdf"),
}
"""The European formats; the Chinese one has its own checks (`fapiao.py`)."""


@dataclass(frozen=True, slots=True)
class Group:
    """A rule book as it was checked: how many rules, and what was found."""

    name: str
    rules: int
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if not finding.warning)


def check(invoice: ElectronicInvoice, flavour: Flavour) -> list[Group]:
    """Every rule of the flavour, group by group."""
    german = {invoice.seller.address.country, invoice.buyer.address.country} == {"DE"}
    books = (*flavour.books, *(flavour.german_books if german else ()))
    return [Group(book.name, len(book.rules), tuple(book.findings(invoice))) for book in books]
