"""Factur-X: the invoice as PDF/A-3 for people, with the same invoice in CII inside it. The only user of `facturx`.

The page is laid out by typst from `templates/einvoice.typ`, which anyone may edit; the library `factur-x` embeds the
XML and writes the XMP fields. It stamps the time of the run; that is set back to the invoice's day, so that the same
invoice gives the same bytes.
"""

import re
from datetime import date
from pathlib import Path

import facturx

from billing.invoicing.document_pdf import typeset
from billing.invoicing.einvoice.cii import cii
from billing.invoicing.einvoice.electronic_invoice import ElectronicInvoice
from billing.invoicing.einvoice.formats import FLAVOURS, Format
from billing.invoicing.einvoice.page import page

TEMPLATE = Path(__file__).parent.parent / "templates" / "einvoice.typ"
# The library's PDF writer escapes what is neither letter nor digit as three octal digits.
_PDF_TIME = re.compile(rb"(D(?::|\\072))\d{14}(?=(?:\+|\\053)00)")
_XMP_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")


def factur_x(invoice: ElectronicInvoice, *, language: str = "en", template: Path = TEMPLATE) -> bytes:
    """The PDF. It writes what it is given: check first. Raises DocumentError, UnknownLanguage."""
    return embed(typeset(template, page(invoice, language=language), invoice.issue_date), invoice, language=language)


def embed(pdf: bytes, invoice: ElectronicInvoice, *, language: str = "en") -> bytes:
    """`pdf` (PDF/A-3) with the invoice in CII as `factur-x.xml`, profile EN 16931."""
    made: bytes = facturx.generate_from_binary(
        pdf,
        cii(invoice, FLAVOURS[Format.FACTUR_X]),
        flavor="factur-x",
        level="en16931",
        check_xsd=True,
        check_schematron=False,
        lang=language,
        afrelationship="alternative",
        pdf_metadata={
            "author": invoice.seller.name,
            "keywords": "Invoice, Factur-X",
            "title": f"{invoice.seller.name}: {invoice.number}",
            "subject": f"Factur-X {invoice.number}, {invoice.issue_date}",
        },
        xmp_compression=False,
    )
    return _dated(made, invoice.issue_date)


def _dated(pdf: bytes, day: date) -> bytes:
    """Same lengths, so that no offset moves."""
    midnight = rb"\g<1>" + f"{day:%Y%m%d}000000".encode()
    return _XMP_TIME.sub(f"{day}T00:00:00+00:00".encode(), _PDF_TIME.sub(midnight, pdf))
