"""Keys and signatures as OCMF meters of any make have them: the curves of its table 22, keys and signatures in the
spellings that are met. Our own agents sign on one curve alone (see `signing`)."""

import base64
import binascii
import re
from collections.abc import Callable

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from metering.signing import BadKey, BadSignature

PublicKey = ec.EllipticCurvePublicKey
DEFAULT = "ECDSA-secp256r1-SHA256"
_CURVES: dict[str, Callable[[], ec.EllipticCurve]] = {
    "secp192r1": ec.SECP192R1,
    "secp256r1": ec.SECP256R1,
    "secp256k1": ec.SECP256K1,
    "secp384r1": ec.SECP384R1,
    "secp521r1": ec.SECP521R1,
    "brainpool256r1": ec.BrainpoolP256R1,
    "brainpool384r1": ec.BrainpoolP384R1,
}
_ALGORITHM = re.compile(r"ECDSA-([A-Za-z0-9]+)-SHA256")
_MAX_KEY = 10_000


class UnknownAlgorithm(ValueError):
    """A signature of a kind that cannot be checked here; the message names it."""


def curve_of(algorithm: str) -> ec.EllipticCurve:
    """The curve of an SA text such as `ECDSA-brainpool256r1-SHA256`; UnknownAlgorithm for one that is not offered."""
    match = _ALGORITHM.fullmatch(algorithm)
    name = match[1].lower().replace("brainpoolp", "brainpool") if match else ""
    if name not in _CURVES:
        raise UnknownAlgorithm(f"{algorithm[:60]!r} cannot be checked here; what can: {', '.join(_CURVES)}, SHA256")
    return _CURVES[name]()


def public_key(text: str, algorithm: str) -> PublicKey:
    """A public key as PEM, as hex or base64 of its DER, or as the bare point of `algorithm`'s curve.

    BadKey when it is none of these, or of another curve than `algorithm`'s.
    """
    curve = curve_of(algorithm)
    if len(text) > _MAX_KEY:
        raise BadKey("this is too long for a public key")
    try:
        key = _read(text, curve)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise BadKey("this is no public key: expected PEM, DER in hex or base64, or the bare point in hex") from None
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise BadKey("the key is not one of ECDSA")
    if key.curve.name != curve.name:
        raise BadKey(f"the key is on the curve {key.curve.name}, the signature on {curve.name}")
    return key


def _read(text: str, curve: ec.EllipticCurve) -> object:
    if "BEGIN" in text:
        return serialization.load_pem_public_key(text.encode())
    data = decoded(text)
    size = (curve.key_size + 7) // 8
    if len(data) == 2 * size:
        data = b"\x04" + data
    if len(data) in (size + 1, 2 * size + 1) and data[0] in (2, 3, 4):
        return ec.EllipticCurvePublicKey.from_encoded_point(curve, data)
    return serialization.load_der_public_key(data)


def decoded(text: str) -> bytes:
    """Bytes of hex or base64, blanks left aside; ValueError when it is neither."""
    plain = "".join(text.split())
    try:
        return bytes.fromhex(plain)
    except ValueError:
        return base64.b64decode(plain, validate=True)


def decode_signature(text: str, encoding: str) -> bytes:
    """An SD text in its SE encoding (`hex` or `base64`); ValueError when it is not."""
    plain = "".join(text.split())
    if encoding == "hex":
        return bytes.fromhex(plain)
    if encoding == "base64":
        try:
            return base64.b64decode(plain, validate=True)
        except binascii.Error as error:
            raise ValueError(str(error)) from None
    raise ValueError(f"{encoding[:20]!r} is neither hex nor base64")


def check(signature: bytes, data: bytes, key: PublicKey) -> None:
    """Raise BadSignature unless `signature`, in DER or as bare r and s, is `key`'s over `data` by SHA-256."""
    try:
        key.verify(_in_der(signature, key), data, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        raise BadSignature("the signature does not match the text under the given key") from None


def _in_der(signature: bytes, key: PublicKey) -> bytes:
    size = (key.curve.key_size + 7) // 8
    try:
        decode_dss_signature(signature)
    except ValueError:
        if len(signature) != 2 * size:
            raise
        return encode_dss_signature(int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big"))
    return signature


def der(key: PublicKey) -> bytes:
    """SubjectPublicKeyInfo in DER."""
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
