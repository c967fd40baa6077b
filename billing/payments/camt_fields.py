"""The small parts that camt messages are made of: amounts with their sign, days, elements that must be there."""

import re
from datetime import date
from decimal import Decimal

from billing.money import Money, minor_places
from billing.payments.statement import StatementRefused
from billing.payments.xml_file import Node

_AMOUNT = re.compile(r"(\d{1,15}(\.\d{0,5})?|\.\d{1,5})\Z")
_CURRENCY = re.compile(r"[A-Z]{3}\Z")


def signed(node: Node) -> Money:
    """The amount of an entry or balance, negative for a debit. Raises StatementRefused."""
    return money(needed(node, "Amt"), needed(node, "CdtDbtInd").text)


def money(node: Node, mark: str) -> Money:
    """The amount in an `Amt` element, negative when `mark` says debit. Raises StatementRefused."""
    if not _AMOUNT.match(node.text):
        raise StatementRefused(f"'{node.text}' is no amount", node.line)
    if mark not in ("CRDT", "DBIT"):
        raise StatementRefused(f"'{mark}' says neither credit (CRDT) nor debit (DBIT)", node.line)
    currency = node.attribute("Ccy")
    if not _CURRENCY.match(currency):
        raise StatementRefused(f"an amount has the currency '{currency}'", node.line)
    amount = Decimal(node.text)
    if amount != round(amount, minor_places(currency)):
        raise StatementRefused(f"{node.text} {currency} has parts of the smallest unit", node.line)
    made = Money.of(amount, currency)
    return made if mark == "CRDT" else -made


def day(node: Node | None) -> date | None:
    """The day of a date or time, as the bank wrote it: its day is the booking day. Raises StatementRefused."""
    if node is None:
        return None
    text = node.value("Dt", "DtTm") or node.text
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise StatementRefused(f"'{text}' is no date", node.line) from None


def needed(node: Node, name: str) -> Node:
    """The element `name` with a text. Raises StatementRefused when there is none."""
    found = node.first(name)
    if found is None or not found.text:
        raise StatementRefused(f"<{node.name}> without <{name}>", node.line)
    return found
