"""International bank account numbers (ISO 13616): form and check digits."""

import re

_IBAN = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}\Z")


def compact(account: str) -> str:
    """Without spaces, upper case: how it is written into documents."""
    return "".join(account.split()).upper()


def looks_like_iban(account: str) -> bool:
    return bool(_IBAN.match(compact(account)))


def is_iban(account: str) -> bool:
    """Whether the check digits fit: MOD 97-10 over the number with its head moved to the end is 1."""
    found = compact(account)
    if not _IBAN.match(found):
        return False
    return int("".join(str(int(letter, 36)) for letter in found[4:] + found[:4])) % 97 == 1
