"""Check an invoice for a format, and write it: what the command and the service call."""

import json

from billing.invoicing.einvoice.cii import cii
from billing.invoicing.einvoice.electronic_invoice import ElectronicInvoice
from billing.invoicing.einvoice.fapiao import fapiao_of
from billing.invoicing.einvoice.fapiao_export import fapiao_csv, fapiao_json
from billing.invoicing.einvoice.fapiao_rules import check_fapiao
from billing.invoicing.einvoice.formats import FLAVOURS, Format, Group, check
from billing.invoicing.einvoice.ubl import ubl


class NotWritten(ValueError):
    """The invoice breaks rules of the format: correct what the check names first."""


def check_for(invoice: ElectronicInvoice, wanted: Format) -> list[Group]:
    """Every rule that the format has, group by group."""
    return check_fapiao(invoice) if wanted is Format.FAPIAO else check(invoice, FLAVOURS[wanted])


def write_einvoice(invoice: ElectronicInvoice, wanted: Format, *, language: str = "en", as_csv: bool = False) -> bytes:
    """The document's bytes, the same for the same invoice. Raises NotWritten for one that does not pass.

    `language` is of the Factur-X page (en, de, fr, zh); `as_csv` writes the Chinese e-invoice as a table.
    """
    errors = [finding for group in check_for(invoice, wanted) for finding in group.errors]
    if errors:
        raise NotWritten("; ".join(str(finding) for finding in errors))
    if wanted is Format.FAPIAO:
        fapiao = fapiao_of(invoice)
        if as_csv:
            return fapiao_csv(fapiao)
        return (json.dumps(fapiao_json(fapiao), ensure_ascii=False, indent=2) + "\n").encode()
    if wanted is Format.FACTUR_X:
        # The typesetter and the library are heavy, and only this format needs them.
        from billing.invoicing.einvoice.factur_x import factur_x

        return factur_x(invoice, language=language)
    flavour = FLAVOURS[wanted]
    return cii(invoice, flavour) if wanted is Format.CII else ubl(invoice, flavour)
