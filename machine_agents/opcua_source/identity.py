"""The agent's own application certificate, made on the first start."""

import socket
from dataclasses import dataclass
from pathlib import Path

from asyncua.crypto.cert_gen import dump_private_key_as_pem, generate_private_key, generate_self_signed_app_certificate
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from machine_agents.credentials import write_secret

_VALID_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Identity:
    """An application certificate (DER) and its key (PEM). `fingerprint` is what a control's operator compares."""

    uri: str
    certificate: bytes
    key: bytes
    fingerprint: str


def own_identity(folder: Path, host: str | None = None) -> Identity:
    """The certificate and key in `folder`; made there when there are none."""
    certificate, key = folder / "agent.der", folder / "agent.pem"
    if not (certificate.exists() and key.exists()):
        _make(certificate, key, host or socket.gethostname())
    der = certificate.read_bytes()
    names = x509.load_der_x509_certificate(der).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    uri = names.get_values_for_type(x509.UniformResourceIdentifier)[0]
    load_pem_private_key(pem := key.read_bytes(), password=None)
    return Identity(uri, der, pem, fingerprint(der))


def fingerprint(der: bytes) -> str:
    """SHA-256 (hex) of a certificate, as controls show it."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(der)
    return digest.finalize().hex()


def _make(certificate: Path, key: Path, host: str) -> None:
    private = generate_private_key()
    uri = f"urn:{host}:spindleshare:machine-agent"
    made = generate_self_signed_app_certificate(
        private,
        "SpindleShare machine agent",
        {"organizationName": "SpindleShare"},
        [x509.UniformResourceIdentifier(uri), x509.DNSName(host)],
        [ExtendedKeyUsageOID.CLIENT_AUTH],
        days=_VALID_DAYS,
    )
    write_secret(key, dump_private_key_as_pem(private))
    write_secret(certificate, made.public_bytes(Encoding.DER))
