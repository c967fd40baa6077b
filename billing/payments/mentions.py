"""Invoice numbers and references in the free text of a bank line, as people and banks mangle it.

Spaces, dashes and line ends are no part of a number: "LS 2026-05-0017" and "LS202605|0017" both name LS2026050017. A
number inside a longer run of digits is another number and names nothing.
"""

from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from billing.payments.reference import is_creditor_reference, reference_body

_SHORTEST_NUMBER = 5
_PREFIX = 4  # RF and two check digits

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Mention:
    """That a text names an invoice: how, and what makes it doubtful."""

    reason: str
    doubts: tuple[str, ...] = ()


class Directory(Generic[Key]):
    """Numbers and references to look for; the time to search a text does not grow with how many there are."""

    def __init__(self, entries: Iterable[tuple[str, str, Key]]) -> None:
        self._keys: dict[str, list[Key]] = {}
        for number, reference, key in entries:
            body = reference_body(number)
            if len(body) >= _SHORTEST_NUMBER:
                self._keys.setdefault(body, []).append(key)
            own = reference[_PREFIX:]
            if is_creditor_reference(reference) and own != body:
                self._keys.setdefault(own, []).append(key)
        self._lengths = sorted({len(body) for body in self._keys}, reverse=True)

    def named(self, text: str) -> list[tuple[Key, Mention]]:
        """Whom the text names, each once, in the order of the text; a longer number hides a shorter inside it."""
        squeezed, places = _squeeze(text)
        found: dict[Key, Mention] = {}
        at = 0
        while at < len(squeezed):
            length = self._length_at(squeezed, at, places, text)
            for key in self._keys.get(squeezed[at : at + length], []) if length else []:
                mention = _mention(squeezed, at, length)
                if key not in found or (found[key].doubts and not mention.doubts):
                    found[key] = mention
            at += length or 1
        return list(found.items())

    def _length_at(self, squeezed: str, at: int, places: list[int], text: str) -> int:
        for length in self._lengths:
            if squeezed[at : at + length] in self._keys and _whole(squeezed, at, length, places, text):
                return length
        return 0


def similar_names(one: str, other: str) -> bool:
    """Whether two names are the same but for case, signs and legal form."""
    mine, theirs = _words(one), _words(other)
    return bool(mine) and mine == theirs


_LEGAL_FORMS = frozenset({"gmbh", "ag", "kg", "co", "mbh", "ltd", "inc", "se", "ug", "ohg", "sarl", "sa", "bv", "srl"})


def _words(name: str) -> frozenset[str]:
    plain = "".join(char if char.isalnum() else " " for char in name.casefold())
    return frozenset(plain.split()) - _LEGAL_FORMS


def _squeeze(text: str) -> tuple[str, list[int]]:
    """The letters and digits of a text, upper case, with the place of each in the text."""
    pairs = [(char.upper(), place) for place, char in enumerate(text) if char.isascii() and char.isalnum()]
    return "".join(char for char, _ in pairs), [place for _, place in pairs]


def _whole(squeezed: str, at: int, length: int, places: list[int], text: str) -> bool:
    """Whether no digit adjoins the number in the text itself, which would make it another number."""
    before, after = places[at] - 1, places[at + length - 1] + 1
    digit_before = squeezed[at].isdigit() and before >= 0 and text[before].isdigit()
    digit_after = squeezed[at + length - 1].isdigit() and after < len(text) and text[after].isdigit()
    return not (digit_before or digit_after)


def _mention(squeezed: str, at: int, length: int) -> Mention:
    number = squeezed[at : at + length]
    prefix = squeezed[max(0, at - _PREFIX) : at]
    if len(prefix) == _PREFIX and prefix.startswith("RF") and prefix[2:].isdigit():
        if is_creditor_reference(prefix + number):
            return Mention(f"reference {prefix}{number}")
        return Mention(f"number {number}", (f"reference {prefix}{number} has wrong check digits",))
    return Mention(f"number {number}")
