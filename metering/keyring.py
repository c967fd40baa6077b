"""The keys of one agent over its life: which of them had to sign a record, by the record's number.

A key is valid from a record's number on until the next key takes over, and not by time: a clock can be set back, a
chain cannot.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

from metering import signing
from metering.signing import PrivateKey, PublicKey

_Key = TypeVar("_Key")
_PURPOSE = "spindleshare key rotation 1"


class BadKeyring(ValueError):
    """An agent's keys begin at record 1, and each later one at a higher number."""


@dataclass(frozen=True, slots=True)
class KeySpan:
    """A key and the number of the first record that it signs."""

    first: int
    key: PublicKey


@dataclass(frozen=True, slots=True)
class Keyring:
    """All keys of an agent, in the order of the records that they sign."""

    spans: tuple[KeySpan, ...]

    def __post_init__(self) -> None:
        firsts = [span.first for span in self.spans]
        if not firsts or firsts[0] != 1 or any(one >= other for one, other in pairwise(firsts)):
            raise BadKeyring(f"keys that begin at records {firsts} are no agent's keys")

    @classmethod
    def single(cls, key: PublicKey) -> "Keyring":
        """The keys of an agent that never changed its own."""
        return cls((KeySpan(1, key),))

    @classmethod
    def of_pems(cls, pems: Iterable[tuple[int, str]]) -> "Keyring":
        """From (first record, PEM text) in the order in which they were taken. BadKeyring, BadKey."""
        return cls(tuple(KeySpan(first, signing.public_from_pem(pem)) for first, pem in in_force(pems)))

    def of(self, pagination: int) -> PublicKey:
        """The key that had to sign this record."""
        return next(span.key for span in reversed(self.spans) if span.first <= max(pagination, 1))


def in_force(taken: Iterable[tuple[int, _Key]]) -> list[tuple[int, _Key]]:
    """Keys in the order in which they were taken, without those that a later one overrides.

    A box made anew goes on where the chain stands, whatever record the lost one had announced a key for.
    """
    kept: list[tuple[int, _Key]] = []
    for first, key in taken:
        while kept and kept[-1][0] >= first:
            kept.pop()
        kept.append((first, key))
    return kept


def handover(agent: str, meter: str, first: int, new: PublicKey) -> bytes:
    """What both keys sign when `new` takes over from record `first` on."""
    return "\n".join((_PURPOSE, agent, meter, str(first), signing.fingerprint(new))).encode("utf-8")


def prove(key: PrivateKey, said: bytes) -> str:
    """A key's signature over what it has to say, as hex text."""
    return signing.sign(said, key).hex()


def is_proven(proof: str, said: bytes, key: PublicKey) -> bool:
    """Whether `key` signed it."""
    try:
        signing.check(bytes.fromhex(proof), said, key)
    except (ValueError, signing.BadSignature):
        return False
    return True
