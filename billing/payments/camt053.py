"""Reader of camt.053 bank statements (ISO 20022 BankToCustomerStatement, versions 2 to 14), by local names.

Every version is read by one set of paths: where a later one moved or wrapped a thing, both places are looked at.
"""

import re
from datetime import date

from billing.money import Money, total
from billing.payments.camt_fields import day, money, needed, signed
from billing.payments.reference import normal_reference
from billing.payments.statement import BankTransaction, Entry, Statement, StatementRefused
from billing.payments.xml_file import Node, read

_NAMESPACE = re.compile(r"camt\.053\.001\.(\d{2})\Z")
_VERSIONS = range(2, 15)
_OPENING = ("OPBD", "PRCD")
_CLOSING = ("CLBD",)
_PAGE = "ITBD"
_MOST_ENTRIES = 200_000


def read_camt053(content: bytes) -> list[Statement]:
    """The statements of a file. Raises StatementRefused with line and reason; whether they add up is asked of them."""
    root = read(content)
    version = _version(root)
    statements = [_statement(node) for node in root.all("BkToCstmrStmt/Stmt")]
    if not statements:
        raise StatementRefused(f"camt.053 version {version} without any statement (Stmt)", root.line)
    return statements


def _version(root: Node) -> int:
    match = _NAMESPACE.search(root.namespace)
    if root.name != "Document" or match is None:
        raise StatementRefused(f"no camt.053 document: <{root.name}> of namespace '{root.namespace}'", root.line)
    version = int(match.group(1))
    if version not in _VERSIONS:
        raise StatementRefused(f"camt.053 version {version} is not known; 2 to 14 are", root.line)
    return version


def _statement(node: Node) -> Statement:
    identifier = needed(node, "Id").text
    entries = tuple(_entry(entry) for entry in node.all("Ntry"))
    if len(entries) > _MOST_ENTRIES:
        raise StatementRefused(f"statement {identifier} has more than {_MOST_ENTRIES} entries", node.line)
    opening, opening_on = _balance(node, _OPENING, first=True)
    closing, closing_on = _balance(node, _CLOSING, first=False)
    currency = _currency(node, opening, closing, entries)
    return Statement(
        id=identifier,
        sequence=node.value("ElctrncSeqNb", "LglSeqNb"),
        account=normal_reference(node.value("Acct/Id/IBAN", "Acct/Id/Othr/Id", "Acct/Id/PrtryAcct/Id")),
        currency=currency,
        opening=opening,
        opening_on=opening_on,
        closing=closing,
        closing_on=closing_on,
        entries=entries,
        line=node.line,
    )


def _currency(node: Node, opening: Money | None, closing: Money | None, entries: tuple[Entry, ...]) -> str:
    """The one currency of account, balances and entries."""
    amounts = [amount for amount in (opening, closing, *(entry.amount for entry in entries)) if amount is not None]
    found = {amount.currency for amount in amounts} | {node.value("Acct/Ccy")} - {""}
    if len(found) != 1:
        raise StatementRefused(f"a statement has one currency, this one has {sorted(found) or 'none'}", node.line)
    return found.pop()


def _balance(node: Node, codes: tuple[str, ...], *, first: bool) -> tuple[Money | None, date | None]:
    """The balance of the first code that is there; on pages of a longer statement, the first or last interim one."""
    balances = list(node.all("Bal"))
    for code in (*codes, _PAGE):
        found = [balance for balance in balances if balance.value("Tp/CdOrPrtry/Cd") == code]
        if found and (code != _PAGE or len(found) > 1 or _other_end_is_booked(balances)):
            chosen = found[0 if first else -1]
            return signed(chosen), day(chosen.first("Dt"))
    return None, None


def _other_end_is_booked(balances: list[Node]) -> bool:
    """Whether a single interim balance can only be the other end of the page."""
    return any(balance.value("Tp/CdOrPrtry/Cd") in (*_OPENING, *_CLOSING) for balance in balances)


def _entry(node: Node) -> Entry:
    amount = signed(node)
    status = node.value("Sts/Cd", "Sts/Prtry", "Sts")
    booked = status == "BOOK"
    booked_on = day(node.first("BookgDt"))
    value_on = day(node.first("ValDt"))
    if booked_on is None and value_on is None and booked:
        raise StatementRefused("a booked entry has neither booking nor value date", node.line)
    transactions, note = _transactions(node, amount)
    return Entry(
        amount=amount,
        booked=booked,
        booked_on=booked_on or value_on,
        value_on=value_on or booked_on,
        reference=node.value("AcctSvcrRef", "NtryRef"),
        code=_code(node),
        transactions=transactions,
        note=note,
        line=node.line,
    )


def _transactions(entry: Node, amount: Money) -> tuple[tuple[BankTransaction, ...], str]:
    """The entry's details as transactions when they add up to it, else the entry as one, with a note."""
    details = list(entry.all("NtryDtls/TxDtls"))
    more = tuple(node.text for node in entry.all("AddtlNtryInf") if node.text)
    if len(details) <= 1:
        return (_transaction(details[0] if details else None, entry, amount, more),), ""
    amounts = [_detail_amount(detail, amount) for detail in details]
    known = [each for each in amounts if each is not None]
    if len(known) == len(details) and total(known, amount.currency) == amount:
        split = zip(details, known, strict=True)
        return tuple(_transaction(detail, entry, part, ()) for detail, part in split), ""
    missing = len(details) - len(known)
    reason = f"{missing} without an amount" if missing else f"they add up to {total(known, amount.currency)}"
    whole = _merged([_transaction(detail, entry, amount, ()) for detail in details], amount, more)
    return (whole,), f"batch of {len(details)} not split: {reason}"


def _transaction(detail: Node | None, entry: Node, amount: Money, more: tuple[str, ...]) -> BankTransaction:
    if detail is None:
        return BankTransaction(amount, remittance=more, returned=_reversal(entry))
    side = "Dbtr" if amount.minor > 0 else "Cdtr"
    parties = f"RltdPties/{side}"
    free = [node.text for node in detail.all("RmtInf/Ustrd")]
    free += [node.text for node in detail.all("RmtInf/Strd/AddtlRmtInf")]
    free += [node.text for node in detail.all("RmtInf/Strd/RfrdDocInf/Nb")]
    free += [node.text for node in detail.all("AddtlTxInf")]
    references = (normal_reference(node.text) for node in detail.all("RmtInf/Strd/CdtrRefInf/Ref"))
    return BankTransaction(
        amount=amount,
        references=tuple(reference for reference in references if reference),
        remittance=(*(text for text in free if text), *more),
        party=detail.value(f"{parties}/Pty/Nm", f"{parties}/Nm", f"{parties}/Agt/FinInstnId/Nm"),
        party_account=normal_reference(detail.value(f"{parties}Acct/Id/IBAN", f"{parties}Acct/Id/Othr/Id")),
        end_to_end_id=detail.value("Refs/EndToEndId"),
        returned=detail.value("RtrInf/Rsn/Cd", "RtrInf/Rsn/Prtry", "RtrInf/AddtlInf") or _reversal(entry),
    )


def _merged(parts: list[BankTransaction], amount: Money, more: tuple[str, ...]) -> BankTransaction:
    return BankTransaction(
        amount=amount,
        references=tuple(reference for part in parts for reference in part.references),
        remittance=(*(text for part in parts for text in part.remittance), *more),
        returned=next((part.returned for part in parts if part.returned), ""),
    )


def _reversal(entry: Node) -> str:
    return "reversal" if entry.value("RvslInd") in ("true", "1") else ""


def _detail_amount(detail: Node, entry: Money) -> Money | None:
    """A detail's amount in the entry's currency, signed by its own mark or else by the entry's."""
    for node in (detail.first("Amt"), detail.first("AmtDtls/TxAmt/Amt"), detail.first("AmtDtls/InstdAmt/Amt")):
        if node is not None and node.attribute("Ccy") == entry.currency:
            mark = detail.value("CdtDbtInd") or ("CRDT" if entry.minor >= 0 else "DBIT")
            return money(node, mark)
    return None


def _code(entry: Node) -> str:
    """The bank transaction code: domain.family.sub-family, or the bank's own."""
    domain = entry.first("BkTxCd/Domn")
    if domain is None:
        return entry.value("BkTxCd/Prtry/Cd")
    return ".".join(filter(None, (domain.value("Cd"), domain.value("Fmly/Cd"), domain.value("Fmly/SubFmlyCd"))))
