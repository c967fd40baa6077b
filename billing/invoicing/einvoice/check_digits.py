"""Check digits of the identifiers that electronic addresses are made of."""


def is_gln(value: str) -> bool:
    """A GS1 Global Location Number (scheme 0088): weights 3, 1 from the right, sum divisible by ten."""
    if not value.isascii() or not value.isdigit():
        return False
    weighted = (int(digit) * (3 if at % 2 else 1) for at, digit in enumerate(reversed(value)))
    return sum(weighted) % 10 == 0


def is_norwegian(value: str) -> bool:
    """A Norwegian organisation number (0192): nine digits, MOD 11."""
    if len(value) != 9 or not value.isascii() or not value.isdigit():
        return False
    weighted = sum(int(digit) * weight for digit, weight in zip(value, (3, 2, 7, 6, 5, 4, 3, 2), strict=False))
    return (11 - weighted % 11) % 11 == int(value[-1])


def is_danish(value: str) -> bool:
    """A Danish CVR number (0184): eight digits, DK before them or not."""
    digits = value.removeprefix("DK")
    return len(digits) == 8 and digits.isascii() and digits.isdigit()


def is_belgian(value: str) -> bool:
    """A Belgian enterprise number (0208): ten digits, the last two 97 - the first eight modulo 97."""
    if len(value) != 10 or not value.isascii() or not value.isdigit():
        return False
    return int(value[8:]) == 97 - int(value[:8]) % 97


def is_swedish(value: str) -> bool:
    """A Swedish organisation number (0007): ten digits, Luhn."""
    if len(value) != 10 or not value.isascii() or not value.isdigit():
        return False
    doubled = (int(digit) * (2 - at % 2) for at, digit in enumerate(value))
    return sum(each // 10 + each % 10 for each in doubled) % 10 == 0


BY_SCHEME = {
    "0088": ("PEPPOL-COMMON-R040", is_gln),
    "0192": ("PEPPOL-COMMON-R041", is_norwegian),
    "0184": ("PEPPOL-COMMON-R042", is_danish),
    "0208": ("PEPPOL-COMMON-R043", is_belgian),
    "0007": ("PEPPOL-COMMON-R049", is_swedish),
}
"""Scheme to Peppol's rule and the check."""
