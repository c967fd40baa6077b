"""Creditor references: ISO 11649 `RF` references made from invoice numbers, checked by MOD 97-10 (ISO 7064)."""

import re

_BODY = re.compile(r"[0-9A-Z]{1,21}\Z")
_REFERENCE = re.compile(r"RF[0-9]{2}[0-9A-Z]{1,21}\Z")


class BadReference(ValueError):
    """An RF reference is RF, two check digits and 1 to 21 letters A-Z or digits; the check digits must fit."""


def reference_body(invoice_number: str) -> str:
    """The part of an invoice number that can stand in a reference: letters and digits, upper case."""
    return "".join(char for char in invoice_number.upper() if char.isascii() and char.isalnum())


def creditor_reference(invoice_number: str) -> str:
    """The RF reference of an invoice number: LS-2026-05-0017 -> RF28LS2026050017. Raises BadReference."""
    body = reference_body(invoice_number)
    if not _BODY.match(body):
        raise BadReference(f"{invoice_number!r} leaves {len(body)} letters and digits; a reference holds 1 to 21")
    return f"RF{98 - _mod97(body + 'RF00'):02d}{body}"


def is_creditor_reference(text: str) -> bool:
    """Whether `text` (spaces allowed, any case) is an RF reference whose check digits fit."""
    compact = normal_reference(text)
    return bool(_REFERENCE.match(compact)) and _mod97(compact[4:] + compact[:4]) == 1


def body_of(reference: str) -> str:
    """What an RF reference refers to. Raises BadReference when it is none."""
    if not is_creditor_reference(reference):
        raise BadReference(f"{reference!r} is no RF reference, or one of its characters is wrong")
    return normal_reference(reference)[4:]


def printed(reference: str) -> str:
    """The reference in groups of four, as on paper."""
    compact = normal_reference(reference)
    return " ".join(compact[at : at + 4] for at in range(0, len(compact), 4))


def normal_reference(text: str) -> str:
    """Without spaces, upper case: how references are stored and compared."""
    return "".join(text.split()).upper()


def _mod97(text: str) -> int:
    """The remainder by 97 of the number that results when A..Z are read as 10..35."""
    return int("".join(str(int(char, 36)) for char in text)) % 97
