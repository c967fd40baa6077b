"""XRechnung 3.0's own rules (BR-DE-*), as our table by rule id. Not KoSIT's files: nothing here is called validated.

XRechnung takes over Peppol's rules as well, so its flavour checks both tables. Rules about what no invoice of ours can
carry (BR-DE-22, embedded files) are left out; so are those that the writer meets by itself (BR-DE-14, 21).
"""

import re
from collections.abc import Iterator

from billing.invoicing.einvoice import walk
from billing.invoicing.einvoice.electronic_invoice import CORRECTED, Contact, ElectronicInvoice
from billing.invoicing.einvoice.iban import is_iban
from billing.invoicing.einvoice.rule import Broken, RuleBook
from billing.invoicing.einvoice.rules_document import CARDS, TRANSFERS

BOOK = RuleBook("XRechnung 3.0")
_rule = BOOK.rule
_EMAIL = re.compile(r"[^@\s]+@([^@.\s]+\.)+[^@.\s]+")
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]+:.*")
_WITH_VAT = {"S", "Z", "E", "AE", "K", "G", "L", "M"}


@_rule("BR-DE-1", "how it is paid")
def _payment(invoice: ElectronicInvoice) -> Iterator[Broken]:
    if not invoice.payment:
        yield ".payment", "is missing; say how it is paid, such as code 58 (SEPA transfer) and the account"


@_rule("BR-DE-2", "the seller's contact")
def _contact(invoice: ElectronicInvoice) -> Iterator[Broken]:
    if not invoice.seller.contact:
        yield ".seller.contact", "is missing; give name, phone and email"


def _of_contact(rule_id: str, name: str) -> None:
    @_rule(rule_id, f"the seller's contact has its {name}")
    def _broken(invoice: ElectronicInvoice) -> Iterator[Broken]:
        if invoice.seller.contact and not getattr(invoice.seller.contact, name).strip():
            yield f".seller.contact.{name}", "is missing"


def _of_address(rule_id: str, who: str, name: str) -> None:
    @_rule(rule_id, f"the {who}'s address has its {name}")
    def _broken(invoice: ElectronicInvoice) -> Iterator[Broken]:
        for path, address in walk.addresses(invoice):
            if path == f".{who}.address" and not getattr(address, name).strip():
                yield f"{path}.{name}", "is missing"


for _id, _who, _name in (
    ("BR-DE-3", "seller", "city"),
    ("BR-DE-4", "seller", "postcode"),
    ("BR-DE-8", "buyer", "city"),
    ("BR-DE-9", "buyer", "postcode"),
    ("BR-DE-10", "delivery", "city"),
    ("BR-DE-11", "delivery", "postcode"),
):
    _of_address(_id, _who, _name)
for _id, _name in (("BR-DE-5", "name"), ("BR-DE-6", "phone"), ("BR-DE-7", "email")):
    _of_contact(_id, _name)


@_rule("BR-DE-15", "the buyer's reference (Leitweg-ID)")
def _reference(invoice: ElectronicInvoice) -> Iterator[Broken]:
    if not invoice.buyer_reference.strip():
        yield ".buyer_reference", "is missing; ask the buyer for it (a public buyer's Leitweg-ID)"


@_rule("BR-DE-16", "the seller's VAT id or tax number")
def _seller(invoice: ElectronicInvoice) -> Iterator[Broken]:
    used = {vat.category for _, vat in walk.vats(invoice)}
    if used & _WITH_VAT and not (invoice.seller.vat_id or invoice.seller.tax_id):
        yield ".seller.vat_id", "is missing, and so is tax_id; give one of them"


@_rule("BR-DE-19", "the account of a SEPA transfer (58) is an IBAN", warning=True)
def _iban(invoice: ElectronicInvoice) -> Iterator[Broken]:
    payment = invoice.payment
    if payment and payment.code == "58" and payment.account and not is_iban(payment.account):
        yield ".payment.account", f"{payment.account!r} is no IBAN, or a character of it is wrong"


@_rule("BR-DE-20", "the debited account of a SEPA debit (59) is an IBAN", warning=True)
def _debited(invoice: ElectronicInvoice) -> Iterator[Broken]:
    payment = invoice.payment
    if payment and payment.code == "59" and payment.debited_account and not is_iban(payment.debited_account):
        yield ".payment.debited_account", f"{payment.debited_account!r} is no IBAN, or a character of it is wrong"


def _kinds(invoice: ElectronicInvoice) -> tuple[str, bool, bool, bool]:
    """The code, and whether a transfer, a card, a debit is told."""
    payment = invoice.payment
    if payment is None:
        return "", False, False, False
    return payment.code, bool(payment.account), bool(payment.card), bool(payment.mandate)


@_rule("BR-DE-23", "a transfer (30, 58) has its account (23-a), no card and no mandate (23-b)")
def _transfer(invoice: ElectronicInvoice) -> Iterator[Broken]:
    code, transfer, card, debit = _kinds(invoice)
    if code in TRANSFERS and (card or debit or not transfer):
        yield ".payment", f"has code {code}: give account, and neither card nor mandate"


@_rule("BR-DE-24", "a card payment (48, 54, 55) has its card (24-a), no account and no mandate (24-b)")
def _card(invoice: ElectronicInvoice) -> Iterator[Broken]:
    code, transfer, card, debit = _kinds(invoice)
    if code in CARDS and (transfer or debit or not card):
        yield ".payment", f"has code {code}: give card, and neither account nor mandate"


@_rule("BR-DE-25", "a direct debit (59) has its mandate (25-a), no account and no card (25-b)")
def _debit(invoice: ElectronicInvoice) -> Iterator[Broken]:
    code, transfer, card, debit = _kinds(invoice)
    if code == "59" and (transfer or card or not debit):
        yield ".payment", "has code 59: give mandate, and neither account nor card"


@_rule("BR-DE-26", "a corrected invoice (384) names the one that it corrects", warning=True)
def _corrected(invoice: ElectronicInvoice) -> Iterator[Broken]:
    if invoice.type == CORRECTED and not invoice.preceding:
        yield ".preceding", "is missing; name the invoice that this one corrects"


@_rule("BR-DE-27", "the seller's phone number has three digits at least", warning=True)
def _phone(invoice: ElectronicInvoice) -> Iterator[Broken]:
    phone = (invoice.seller.contact or Contact()).phone
    if phone and sum(letter.isdigit() for letter in phone) < 3:
        yield ".seller.contact.phone", f"{phone!r} is no phone number"


@_rule("BR-DE-28", "the seller's e-mail address is one", warning=True)
def _email(invoice: ElectronicInvoice) -> Iterator[Broken]:
    email = (invoice.seller.contact or Contact()).email
    if email and not _EMAIL.fullmatch(email.strip()):
        yield ".seller.contact.email", f"{email!r} is no e-mail address"


@_rule("BR-DE-30", "a direct debit names the creditor's identifier")
def _creditor(invoice: ElectronicInvoice) -> Iterator[Broken]:
    if invoice.payment and invoice.payment.mandate and not invoice.payment.creditor_id:
        yield ".payment.creditor_id", "is missing; a direct debit needs the creditor's identifier"


@_rule("BR-DE-31", "a direct debit names the debited account")
def _debtor(invoice: ElectronicInvoice) -> Iterator[Broken]:
    if invoice.payment and invoice.payment.mandate and not invoice.payment.debited_account:
        yield ".payment.debited_account", "is missing; a direct debit needs the account that it is taken from"


@_rule("BR-DE-TMP-32", "the day of delivery or the period of service", warning=True)
def _delivered(invoice: ElectronicInvoice) -> Iterator[Broken]:
    told = invoice.period or (invoice.delivery and invoice.delivery.day)
    if not told and not all(line.period for line in invoice.lines):
        yield ".period", "is missing, and so is delivery.day; say when it was delivered or used"


@_rule("BR-TMP-2", "a supporting document's address is absolute", warning=True)
def _address(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for index, document in enumerate(invoice.documents):
        if document.url and not _URL.match(document.url):
            yield f".documents[{index}].url", f"{document.url!r} is no absolute address"


@_rule("BR-DE-18", "a cash discount has at most two decimals, as its coded line has")
def _discount(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for index, discount in enumerate(invoice.cash_discounts):
        for name, number in (("percent", discount.percent), ("base", discount.base)):
            if number is not None and (number * 100) % 1:
                yield f".cash_discounts[{index}].{name}", f"is {number}; at most two decimals can be written"


def _of_peppol(rule_id: str) -> str:
    number = rule_id.removeprefix("BR-DE-")
    return f"DE-R-{int(number):03d}" if number.isdigit() else ""


IN_PEPPOL = BOOK.renamed("Peppol, between German parties", _of_peppol)
"""Peppol takes Germany's rules over as DE-R-*, for a German seller and a German buyer."""
