"""The simulator's certificate and the client certificates that it trusts, as files in one folder.

    own/key.pem own/certificate.der     made at the first start
    trusted/*.der                       client application certificates that may connect
    rejected/*.der                      those that tried and may not: move one to trusted/ to let it in

That is how the controls of machine tools keep them too.
"""

import hashlib
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asyncua import ua
from asyncua.common.utils import ServiceError
from asyncua.crypto.cert_gen import generate_private_key, generate_self_signed_app_certificate
from asyncua.crypto.validator import CertificateValidator
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

APPLICATION = "urn:spindleshare:simulator"
_DAYS = 3650


@dataclass(frozen=True, slots=True)
class Certificates:
    """The folder. `trust_first`: while nobody is trusted, the first client that comes is, from then on."""

    folder: Path
    trust_first: bool = False

    @property
    def key(self) -> Path:
        return self.folder / "own" / "key.pem"

    @property
    def certificate(self) -> Path:
        return self.folder / "own" / "certificate.der"

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the server's certificate (DER), hex: what an agent pins."""
        return hashlib.sha256(self.certificate.read_bytes()).hexdigest()

    def prepare(self, host: str) -> None:
        """Make folders, and key and certificate for `host` where they are missing."""
        for name in ("own", "trusted", "rejected"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        if self.key.exists() and self.certificate.exists():
            return
        key = generate_private_key()
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(APPLICATION), _host_name(host)]
        made = generate_self_signed_app_certificate(
            key, "SpindleShare simulator", {}, names, [ExtendedKeyUsageOID.SERVER_AUTH], days=_DAYS
        )
        self.key.touch(mode=0o600)
        self.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.certificate.write_bytes(made.public_bytes(Encoding.DER))

    async def check(self, certificate: x509.Certificate, application: Any) -> None:
        """Let only trusted certificates in; those refused are kept in rejected/. asyncua's validator protocol."""
        await CertificateValidator().validate(certificate, application)
        der = certificate.public_bytes(Encoding.DER)
        trusted = [path.read_bytes() for path in self.folder.glob("trusted/*.der")]
        if der in trusted:
            return
        file = f"{hashlib.sha256(der).hexdigest()[:16]}.der"
        if self.trust_first and not trusted:
            (self.folder / "trusted" / file).write_bytes(der)
            return
        (self.folder / "rejected" / file).write_bytes(der)
        raise ServiceError(ua.StatusCodes.BadCertificateUntrusted)


def _host_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
