"""VAT by category: EN 16931's BR-S-*, BR-Z-*, BR-E-*, BR-AE-*, BR-IC-*, BR-G-*, BR-O-*, BR-AF-*, BR-AG-* in a table."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from billing.invoicing.einvoice import amounts, walk
from billing.invoicing.einvoice.electronic_invoice import ElectronicInvoice
from billing.invoicing.einvoice.rule import Broken, Rule, RuleBook

BOOK = RuleBook("EN 16931, VAT by category")


@dataclass(frozen=True, slots=True)
class Category:
    """`seller` and `buyer` name what must identify them; `rate` what a rate may be; `reason` whether one is needed."""

    prefix: str
    word: str
    rate: str
    reason: bool
    seller: tuple[str, ...] = ("vat_id", "tax_id")
    buyer: tuple[str, ...] = ()


CATEGORIES = {
    "S": Category("S", "standard rate", "above 0", reason=False),
    "Z": Category("Z", "zero rate", "0", reason=False),
    "E": Category("E", "exempt", "0", reason=True),
    "AE": Category("AE", "reverse charge", "0", reason=True, buyer=("vat_id", "registration")),
    "K": Category("IC", "intra-community supply", "0", reason=True, seller=("vat_id",), buyer=("vat_id",)),
    "G": Category("G", "export", "0", reason=True, seller=("vat_id",)),
    "O": Category("O", "not subject to VAT", "none", reason=True, seller=()),
    "L": Category("AF", "IGIC", "0 or more", reason=False),
    "M": Category("AG", "IPSI", "0 or more", reason=False),
}
# Rule numbers of a line, an allowance and a charge.
_OF = {".lines": 0, ".allowances": 1, ".charges": 2}


def _number(path: str) -> int:
    return next(number for start, number in _OF.items() if path.startswith(start))


def _fits(rate: Decimal | None, allowed: str) -> bool:
    if allowed == "none":
        return rate is None
    if rate is None:
        return False
    return rate == 0 if allowed == "0" else rate > 0 if allowed == "above 0" else rate >= 0


def _part_there(code: str, known: Category) -> Rule:
    def broken(invoice: ElectronicInvoice) -> Iterator[Broken]:
        used = any(vat.category == code for _, vat in walk.vats(invoice))
        parts = [index for index, part in enumerate(invoice.vat) if part.category == code]
        if used and not parts:
            yield ".vat", f"has no part of category {code} ({known.word}), which lines use"
        if not used and parts:
            yield f".vat[{parts[0]}]", f"is of category {code}, which nothing on the invoice uses"
        if len(parts) > 1 and known.rate in ("0", "none"):
            yield f".vat[{parts[1]}]", f"is a second part of category {code}; there is one at most"

    return Rule(f"BR-{known.prefix}-01", f"{known.word} ({code}): the breakdown has its part", broken)


def _identified(code: str, known: Category, of: int) -> Rule:
    def broken(invoice: ElectronicInvoice) -> Iterator[Broken]:
        if not any(vat.category == code and _number(path) == of for path, vat in walk.vats(invoice)):
            return
        for path, party, names in ((".seller", invoice.seller, known.seller), (".buyer", invoice.buyer, known.buyer)):
            if names and not any(getattr(party, name) for name in names):
                yield f"{path}.{names[0]}", f"is missing; {known.word} ({code}) needs {' or '.join(names)}"
            if code == "O" and party.vat_id:
                yield f"{path}.vat_id", "must not be there on an invoice that is not subject to VAT (O)"

    return Rule(f"BR-{known.prefix}-{of + 2:02d}", f"{known.word} ({code}): the parties are identified", broken)


def _rated(code: str, known: Category, of: int) -> Rule:
    def broken(invoice: ElectronicInvoice) -> Iterator[Broken]:
        for path, vat in walk.vats(invoice):
            if vat.category == code and _number(path) == of and not _fits(vat.rate, known.rate):
                yield f"{path}.rate", f"is {vat.rate}; the rate of {code} ({known.word}) is {known.rate}"

    return Rule(f"BR-{known.prefix}-{of + 5:02d}", f"{known.word} ({code}): the rate is {known.rate}", broken)


def _summed(code: str, known: Category) -> Rule:
    def broken(invoice: ElectronicInvoice) -> Iterator[Broken]:
        sums = {
            vat: amount
            for vat, amount in amounts.taxable(invoice.lines, invoice.allowances, invoice.charges).items()
            if vat.category == code
        }
        left = dict(sums)
        for index, part in enumerate(invoice.vat):
            if part.category != code:
                continue
            fitting = next((vat for vat in left if vat.rate == part.rate), None)
            found = left.pop(fitting) if fitting else Decimal(0)
            if part.taxable != found:
                told = f"is {part.taxable}, but what is of {code} {part.rate or 0} % adds up to {found}"
                yield f".vat[{index}].taxable", told
        for vat, amount in left.items():
            if amount:
                yield ".vat", f"has no part for {code} {vat.rate or 0} %, of which there is {amount}"

    return Rule(f"BR-{known.prefix}-08", f"{known.word} ({code}): taxable = nets - allowances + charges", broken)


def _taxed(code: str, known: Category) -> Rule:
    def broken(invoice: ElectronicInvoice) -> Iterator[Broken]:
        for index, part in enumerate(invoice.vat):
            if part.category != code:
                continue
            # That the tax is taxable x rate is BR-CO-17, told once.
            if not _fits(part.rate, known.rate):
                yield f".vat[{index}].rate", f"is {part.rate}; the rate of {code} ({known.word}) is {known.rate}"

    return Rule(f"BR-{known.prefix}-09", f"{known.word} ({code}): the part's rate is {known.rate}", broken)


def _reasoned(code: str, known: Category) -> Rule:
    def broken(invoice: ElectronicInvoice) -> Iterator[Broken]:
        for index, part in enumerate(invoice.vat):
            told = bool(part.reason or part.reason_code)
            if part.category != code or told == known.reason:
                continue
            word = "is missing; say why no VAT is charged, or give reason_code" if known.reason else "must not be there"
            yield f".vat[{index}].reason", f"{word} ({code}, {known.word})"

    demands = "a reason why there is no VAT" if known.reason else "no reason for an exemption"
    return Rule(f"BR-{known.prefix}-10", f"{known.word} ({code}): {demands}", broken)


for _code, _known in CATEGORIES.items():
    BOOK.add(_part_there(_code, _known))
    for _of in _OF.values():
        BOOK.add(_identified(_code, _known, _of))
    for _of in _OF.values():
        BOOK.add(_rated(_code, _known, _of))
    for _make in (_summed, _taxed, _reasoned):
        BOOK.add(_make(_code, _known))


@BOOK.rule("BR-IC-11", "intra-community supply (K): the day of delivery or the period is given")
def _delivered(invoice: ElectronicInvoice) -> Iterator[Broken]:
    told = (invoice.delivery and invoice.delivery.day) or invoice.period
    if not told and any(part.category == "K" for part in invoice.vat):
        yield ".delivery.day", "is missing, and so is period; an intra-community supply needs one of them"


@BOOK.rule("BR-IC-12", "intra-community supply (K): the country delivered to is given")
def _delivered_to(invoice: ElectronicInvoice) -> Iterator[Broken]:
    told = invoice.delivery and invoice.delivery.address
    if not told and any(part.category == "K" for part in invoice.vat):
        yield ".delivery.address", "is missing; an intra-community supply needs the country delivered to"


@BOOK.rule("BR-O-11", "not subject to VAT (O): no other category on the same invoice (BR-O-12 to 14)")
def _alone(invoice: ElectronicInvoice) -> Iterator[Broken]:
    categories = {vat.category for _, vat in walk.vats(invoice)} | {part.category for part in invoice.vat}
    if "O" in categories and len(categories) > 1:
        yield ".vat", f"mixes O with {', '.join(sorted(categories - {'O'}))}; write two invoices"
