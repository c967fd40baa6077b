"""Sealed records in OCMF form: `OCMF|<payload JSON>|<signature JSON>`.

The text is the evidence: it is kept byte for byte as it was sealed and is never written again from its parsed values.
Envelope, pagination and signature follow the Open Charge Metering Format 1.3; what rides in the payload beyond it is
listed in metering/README.md. Texts are plain ASCII without a line break, so a batch is one text a line.
"""

import hashlib
import re
from dataclasses import dataclass

from metering import signing
from metering.ocmf_fields import OcmfError
from metering.ocmf_read import decode
from metering.ocmf_write import encode
from metering.reading import Record
from metering.signing import (
    BadKey,
    BadSignature,
    PrivateKey,
    PublicKey,
    fingerprint,
    new_key,
    private_from_pem,
    private_to_pem,
    public_from_pem,
    public_to_pem,
)

__all__ = [
    "MAX_TEXT_BYTES",
    "BadKey",
    "BadSignature",
    "OcmfError",
    "PrivateKey",
    "PublicKey",
    "Sealed",
    "fingerprint",
    "new_key",
    "parse",
    "private_from_pem",
    "private_to_pem",
    "public_from_pem",
    "public_to_pem",
    "seal",
    "sections",
    "verify",
]

MAX_TEXT_BYTES = 512 * 1024
_HEADER = "OCMF|"
# One spelling only, so that no byte of the section changes unseen (OCMF allows omitted defaults, upper case, spaces).
_SIGNATURE = re.compile(
    r'\{"SA":"ECDSA-secp256r1-SHA256","SE":"hex","SM":"application/x-der","SD":"((?:[0-9a-f]{2}){8,72})"\}'
)


@dataclass(frozen=True, slots=True)
class Sealed:
    """A record with the signed text that says it; `digest` is the SHA-256 (hex) of the text, the next record's link."""

    text: str
    record: Record
    digest: str


def seal(record: Record, key: PrivateKey) -> Sealed:
    """`record` as a signed text. OcmfError when it holds what a text cannot say (see `ocmf_write.encode`)."""
    payload = encode(record)
    signature = signing.sign(payload.encode("ascii"), key).hex()
    text = (
        f'{_HEADER}{payload}|{{"SA":"ECDSA-secp256r1-SHA256","SE":"hex","SM":"application/x-der","SD":"{signature}"}}'
    )
    _check_size(len(text))
    return Sealed(text, record, _digest(text.encode("ascii")))


def parse(text: str) -> Sealed:
    """The record that `text` says; its signature is not looked at (see `verify`).

    OcmfError names what is wrong and where.
    """
    _check_size(len(text))
    if not text.isascii():
        raise OcmfError("there is a character beyond ASCII", "text")
    payload, _ = sections(text)
    return Sealed(text, decode(payload), _digest(text.encode("ascii")))


def verify(sealed: Sealed, key: PublicKey) -> None:
    """Raise BadSignature unless the text was sealed with `key`'s private half; it says nothing of the chain."""
    payload, signature = sections(sealed.text)
    signing.check(signature, payload.encode("ascii"), key)


def sections(text: str) -> tuple[str, bytes]:
    """(payload, signature in DER) of a text; OcmfError where it is not put together so."""
    if not text.startswith(_HEADER):
        raise OcmfError("the text does not begin with 'OCMF|'", "header")
    payload, bar, section = text[len(_HEADER) :].partition("|")
    if not bar:
        raise OcmfError("there is no signature section", "signature")
    match = _SIGNATURE.fullmatch(section)
    if match is None:
        raise OcmfError("not the one accepted form (SA, SE hex, SM, SD in lower-case hex)", "signature")
    return payload, bytes.fromhex(match[1])


def _check_size(size: int) -> None:
    if size > MAX_TEXT_BYTES:
        raise OcmfError(f"{size} bytes are more than {MAX_TEXT_BYTES}", "text")


def _digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()
