"""What EN 16931 demands of a document beyond its sums: prices, days, who the parties are, how it is paid."""

from collections.abc import Iterator

from billing.invoicing.einvoice import walk
from billing.invoicing.einvoice.electronic_invoice import ElectronicInvoice, Line
from billing.invoicing.einvoice.iban import is_iban
from billing.invoicing.einvoice.rule import Broken, RuleBook
from billing.payments.reference import is_creditor_reference

BOOK = RuleBook("EN 16931, document and lines")
_rule = BOOK.rule
TRANSFERS, CARDS, DEBITS = ("30", "58"), ("48", "54", "55"), ("49", "59")


def _lines(invoice: ElectronicInvoice) -> Iterator[tuple[str, Line]]:
    return ((f".lines[{index}]", line) for index, line in enumerate(invoice.lines))


@_rule("BR-02", "number, names and countries say something (BR-06 to 11, BR-25)")
def _blank(invoice: ElectronicInvoice) -> Iterator[Broken]:
    told = [(".number", invoice.number)]
    told += [(f"{path}.name", party.name) for path, party in walk.parties(invoice)]
    told += [(f"{path}.name", line.name) for path, line in _lines(invoice)]
    for path, text in told:
        if not text.strip():
            yield path, "is blank"


@_rule("BR-21", "every line has an id of its own")
def _ids(invoice: ElectronicInvoice) -> Iterator[Broken]:
    seen: set[str] = set()
    for path, line in _lines(invoice):
        if line.id in seen:
            yield f"{path}.id", f"{line.id!r} is there twice"
        seen.add(line.id)


@_rule("BR-27", "a price is not negative")
def _price(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for path, line in _lines(invoice):
        if line.price < 0:
            yield f"{path}.price", f"is {line.price}; write a credit as an allowance of the document"


@_rule("BR-28", "a gross price is not negative")
def _gross_price(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for path, line in _lines(invoice):
        if line.gross_price is not None and line.gross_price < 0:
            yield f"{path}.gross_price", f"is {line.gross_price}; it must not be negative"


def _period(rule_id: str, *, of_lines: bool) -> None:
    @_rule(rule_id, "a period does not end before it begins")
    def _broken(invoice: ElectronicInvoice) -> Iterator[Broken]:
        for path, days in walk.periods(invoice):
            is_wrong = days.first and days.last and days.last < days.first
            if is_wrong and path.startswith(".lines") == of_lines:
                yield f"{path}.last", f"is {days.last}, before the first day {days.first}"


_period("BR-29", of_lines=False)
_period("BR-30", of_lines=True)


def _reasons(rule_id: str, start: str, what: str) -> None:
    @_rule(rule_id, f"{what} has a reason or a reason code")
    def _broken(invoice: ElectronicInvoice) -> Iterator[Broken]:
        for path, entry in (*walk.of_document(invoice), *walk.of_lines(invoice)):
            kind = f"{'line ' if path.startswith('.lines') else ''}{'charge' if '.charges' in path else 'allowance'}"
            if kind == start and not entry.reason and not entry.reason_code:
                yield f"{path}.reason", "is missing, and so is reason_code; write one of them"


_reasons("BR-33", "allowance", "an allowance of the document")
_reasons("BR-38", "charge", "a charge of the document")
_reasons("BR-42", "line allowance", "an allowance of a line")
_reasons("BR-44", "line charge", "a charge of a line")


@_rule("BR-CO-26", "the seller is identified by an id, a registration or a VAT id")
def _seller(invoice: ElectronicInvoice) -> Iterator[Broken]:
    seller = invoice.seller
    if not (seller.ids or seller.registration or seller.vat_id):
        yield ".seller.vat_id", "is missing, and so are ids and registration; give one of them"


@_rule("BR-CO-09", "a VAT id begins with its country's code (EL for Greece)")
def _vat_id(invoice: ElectronicInvoice) -> Iterator[Broken]:
    from billing.invoicing.einvoice.code_lists import codes

    for path, party in walk.parties(invoice):
        if party.vat_id and party.vat_id[:2] not in {*codes("country"), "EL"}:
            yield f"{path}.vat_id", f"{party.vat_id!r} does not begin with a country's code, such as DE or EL"


@_rule("BR-CO-25", "what is due has a due date or payment terms")
def _due(invoice: ElectronicInvoice) -> Iterator[Broken]:
    told = invoice.due_date or invoice.payment_terms or invoice.cash_discounts
    if invoice.totals.due > 0 and not told:
        yield ".due_date", "is missing, and so are payment_terms; give one of them"


@_rule("BR-50", "a credit transfer (30, 58) names the account")
def _account(invoice: ElectronicInvoice) -> Iterator[Broken]:
    if invoice.payment and invoice.payment.code in TRANSFERS and not invoice.payment.account:
        yield ".payment.account", "is missing; a transfer needs the account (BR-61)"


@_rule("BR-51", "of a card's number only the last 4 to 6 digits are shown, and the first 6 at most")
def _card(invoice: ElectronicInvoice) -> Iterator[Broken]:
    card = invoice.payment.card if invoice.payment else ""
    if sum(letter.isdigit() for letter in card) > 10:
        yield ".payment.card", "shows more than ten digits; write its last 4 to 6 digits only"


@_rule("PAY-01", "an account of a SEPA transfer (58) is an IBAN whose check digits fit")
def _iban(invoice: ElectronicInvoice) -> Iterator[Broken]:
    payment = invoice.payment
    if payment and payment.code == "58" and payment.account and not is_iban(payment.account):
        yield ".payment.account", f"{payment.account!r} is no IBAN, or a character of it is wrong"


@_rule("PAY-02", "a payment reference that begins like an RF reference is one (ISO 11649)")
def _reference(invoice: ElectronicInvoice) -> Iterator[Broken]:
    reference = invoice.payment.reference if invoice.payment else ""
    if reference.upper().startswith("RF") and reference[2:4].isdigit() and not is_creditor_reference(reference):
        yield ".payment.reference", f"{reference!r} is no RF reference, or a character of it is wrong"


@_rule("BR-53", "a VAT accounting currency comes with the tax in it")
def _vat_currency(invoice: ElectronicInvoice) -> Iterator[Broken]:
    if bool(invoice.vat_currency) != (invoice.tax_in_vat_currency is not None):
        yield ".tax_in_vat_currency", "comes together with vat_currency or not at all"


@_rule("BR-62", "electronic addresses have a scheme (BR-63 for the buyer)")
def _electronic(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for path, party in walk.parties(invoice):
        if party.electronic_address and not party.electronic_address.scheme:
            yield f"{path}.electronic_address.scheme", "is missing; such as 0088 for a GLN, EM for an e-mail address"


@_rule("BR-64", "a standard item id has a scheme (BR-65 for a classification)")
def _item(invoice: ElectronicInvoice) -> Iterator[Broken]:
    for path, line in _lines(invoice):
        if line.standard_item and not line.standard_item.scheme:
            yield f"{path}.standard_item.scheme", "is missing; such as 0160 for a GTIN"
        for index, found in enumerate(line.classifications):
            if not found.scheme:
                yield f"{path}.classifications[{index}].scheme", "is missing; such as STI for UNSPSC"
