"""The agent's own application certificate, made on the first start."""

import socket
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from asyncua.crypto.cert_gen import dump_private_key_as_pem, generate_private_key, generate_self_signed_app_certificate
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from machine_agents.credentials import write_secret

_VALID_DAYS = 3650
_BACKDATED = timedelta(days=30)
"""A control whose clock is behind the agent's would refuse a certificate that is not valid yet, until it catches up."""


@dataclass(frozen=True, slots=True)
class Identity:
    """An application certificate (DER) and its key (PEM). `fingerprint` is what a control's operator compares."""

    uri: str
    certificate: bytes
    key: bytes
    fingerprint: str
    expires: datetime


def renew_if_expired(folder: Path, now: datetime) -> bool:
    """Put a new certificate of the same key in the place of one that has expired, which no server takes any more.

    Before that it is only warned of: a control trusts a certificate, not its key, so that a new one has to be trusted
    by hand, at a moment that people choose (delete agent.der and start again).
    """
    path = folder / "agent.der"
    if not path.exists() or x509.load_der_x509_certificate(path.read_bytes()).not_valid_after_utc > now:
        return False
    path.unlink()
    return True


def own_identity(folder: Path, host: str | None = None) -> Identity:
    """The certificate and key in `folder`; made there when there are none."""
    certificate, key = folder / "agent.der", folder / "agent.pem"
    if not (certificate.exists() and key.exists()):
        _make(certificate, key, host or socket.gethostname())
    der = certificate.read_bytes()
    loaded = x509.load_der_x509_certificate(der)
    names = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uri = names.get_values_for_type(x509.UniformResourceIdentifier)[0]
    load_pem_private_key(pem := key.read_bytes(), password=None)
    return Identity(uri, der, pem, fingerprint(der), loaded.not_valid_after_utc)


def fingerprint(der: bytes) -> str:
    """SHA-256 (hex) of a certificate, as controls show it."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    return digest.finalize().hex()


def _make(certificate: Path, key: Path, host: str) -> None:
    private = _key(key)
    uri = f"urn:{host}:spindleshare:machine-agent"
    made = generate_self_signed_app_certificate(
        private,
        "SpindleShare machine agent",
        {"organizationName": "SpindleShare"},
        [x509.UniformResourceIdentifier(uri), x509.DNSName(host)],
        [ExtendedKeyUsageOID.CLIENT_AUTH],
        days=_VALID_DAYS,
    )
    write_secret(certificate, _backdated(made, private).public_bytes(Encoding.DER))


def _backdated(made: x509.Certificate, key: RSAPrivateKey) -> x509.Certificate:
    """The same certificate, valid since a while before it was made."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(made.subject)
        .issuer_name(made.issuer)
        .public_key(key.public_key())
        .serial_number(made.serial_number)
        .not_valid_before(made.not_valid_before_utc - _BACKDATED)
        .not_valid_after(made.not_valid_after_utc)
    )
    for extension in made.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    return builder.sign(key, hashes.SHA256())


def _key(path: Path) -> RSAPrivateKey:
    """The key in `path`, which a renewed certificate keeps; made there when there is none."""
    if path.exists():
        known = load_pem_private_key(path.read_bytes(), password=None)
        if isinstance(known, RSAPrivateKey):
            return known
    made: RSAPrivateKey = generate_private_key()
    write_secret(path, dump_private_key_as_pem(made))
    return made
