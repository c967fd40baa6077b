"""The agent's key: ECDSA on P-256 with SHA-256, the curve that OCMF records are signed with by default."""

from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey

# Deterministic (RFC 6979): no weak random number can leak the key, and the same payload is always the same text.
_SIGN = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)
_VERIFY = ec.ECDSA(hashes.SHA256())


class BadKey(ValueError):
    """A key must be PEM text of an ECDSA key on the curve P-256 (secp256r1)."""


class BadSignature(ValueError):
    """The signature does not belong to this text and this key: the text was changed, or another key sealed it."""


def new_key() -> PrivateKey:
    """A fresh private key."""
    return ec.generate_private_key(ec.SECP256R1())


def sign(data: bytes, key: PrivateKey) -> bytes:
    """DER signature of `data`."""
    return key.sign(data, _SIGN)


def check(signature: bytes, data: bytes, key: PublicKey) -> None:
    """Raise BadSignature unless `signature` (DER) is `key`'s over `data`."""
    try:
        key.verify(signature, data, _VERIFY)
    except InvalidSignature:
        raise BadSignature("the signature does not match the text under the given key") from None


def private_to_pem(key: PrivateKey) -> str:
    """PKCS#8 PEM, not encrypted: keep the file readable by its owner only."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")


def public_to_pem(key: PublicKey) -> str:
    """SubjectPublicKeyInfo PEM."""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode("ascii")


def private_from_pem(pem: str) -> PrivateKey:
    """The private key in `pem`; BadKey when it is none of ours."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise BadKey("this is no unencrypted PEM private key") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadKey("the key is not on the curve P-256 (secp256r1)")
    return key


@lru_cache(maxsize=1024)
def public_from_pem(pem: str) -> PublicKey:
    """The public key in `pem`; BadKey when it is none of ours."""
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, TypeError) as error:
        raise BadKey("this is no PEM public key") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise BadKey("the key is not on the curve P-256 (secp256r1)")
    return key


def fingerprint(key: PublicKey) -> str:
    """SHA-256 (hex) of the public key's DER: what people compare."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    return digest.finalize().hex()
