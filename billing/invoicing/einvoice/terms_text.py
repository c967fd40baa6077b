"""Payment terms with cash discounts: a sentence, or XRechnung's coded lines (BR-DE-18)."""

from billing.invoicing.einvoice.amounts import amount_text
from billing.invoicing.einvoice.electronic_invoice import CashDiscount, ElectronicInvoice
from billing.money import round_half_up


def terms_text(invoice: ElectronicInvoice, *, codes: bool) -> str:
    """BT-20: the terms, then each discount; with `codes` as `#SKONTO#TAGE=14#PROZENT=2.00#` and a line break."""
    if codes and invoice.cash_discounts:
        lines = [invoice.payment_terms] if invoice.payment_terms else []
        return "\n".join([*lines, *(_coded(each) for each in invoice.cash_discounts), ""])
    told = [_told(each, invoice.currency) for each in invoice.cash_discounts]
    return "; ".join([*([invoice.payment_terms] if invoice.payment_terms else []), *told])


def _coded(discount: CashDiscount) -> str:
    base = "" if discount.base is None else f"#BASISBETRAG={round_half_up(discount.base, 2):f}"
    return f"#SKONTO#TAGE={discount.days}#PROZENT={round_half_up(discount.percent, 2):f}{base}#"


def _told(discount: CashDiscount, currency: str) -> str:
    base = "" if discount.base is None else f" on {amount_text(discount.base, currency)} {currency}"
    return f"{discount.percent:f} % discount{base} when paid within {discount.days} days"
