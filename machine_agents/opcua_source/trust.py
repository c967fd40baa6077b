"""Whether a server's certificate is to be trusted: pinned on first use, by fingerprint, or by a trust list."""

from collections.abc import Iterable
from datetime import datetime
from ipaddress import ip_address
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    Store,
    VerificationError,
)

from machine_agents.config import SourceConfig
from machine_agents.credentials import write_secret
from machine_agents.opcua_source.endpoint import SecurityRefused
from machine_agents.opcua_source.identity import fingerprint

_MOST_FILES = 1_000
_MOST_CHAIN = 10


def split_chain(blob: bytes) -> list[bytes]:
    """A server's certificate followed by those of its issuers, each DER, as OPC UA sends them; SecurityRefused."""
    parts: list[bytes] = []
    rest = blob or b""
    while rest:
        size = _der_size(rest)
        if size is None or size > len(rest) or len(parts) == _MOST_CHAIN:
            raise SecurityRefused("the server's certificate cannot be read: renew it on the control")
        parts.append(rest[:size])
        rest = rest[size:]
    if not parts:
        raise SecurityRefused("the server has no certificate: make one on the control")
    return parts


def _der_size(blob: bytes) -> int | None:
    """How long the first DER element is; None when it is none."""
    if len(blob) < 2 or blob[0] != 0x30:
        return None
    if blob[1] < 0x80:
        return 2 + blob[1]
    count = blob[1] & 0x7F
    return 2 + count + int.from_bytes(blob[2 : 2 + count], "big") if 0 < count <= 4 else None


def check_server(blob: bytes, application_uri: str, config: SourceConfig, pin: Path, now: datetime) -> str:
    """SecurityRefused when the certificate is not to be trusted; else a warning, or nothing.

    A pinned certificate that has expired since is warned of and used: its key proves who speaks, and a meter that stops
    at midnight loses what it should prove. One that is new to us must be valid.
    """
    chain = split_chain(blob)
    try:
        leaf = x509.load_der_x509_certificate(chain[0])
    except ValueError as error:
        raise SecurityRefused(f"the server's certificate cannot be read ({error}): renew it on the control") from error
    known = _known(chain, leaf, config, pin, now)
    _check_uri(leaf, application_uri)
    trouble = _validity(leaf, now)
    if trouble and not known:
        raise SecurityRefused(trouble)
    if not known and config.trust_folder is None:
        write_secret(pin, chain[0])
    return trouble


def _known(chain: list[bytes], leaf: x509.Certificate, config: SourceConfig, pin: Path, now: datetime) -> bool:
    """Whether exactly this certificate was trusted before; False when it is new and may be trusted."""
    shown = fingerprint(chain[0])
    wanted = config.server_fingerprint.lower().removeprefix("sha256:").replace(":", "").replace(" ", "")
    if wanted:
        if shown != wanted:
            raise SecurityRefused(f"the server's certificate {shown} is not the configured {wanted}")
        return pin.exists()
    if config.trust_folder is not None:
        _check_list(chain, leaf, config.trust_folder, config.endpoint, now)
        return False
    if pin.exists() and (kept := pin.read_bytes()) != chain[0]:
        raise SecurityRefused(
            f"the server's certificate {shown} is not the known {fingerprint(kept)}: "
            f"if it was renewed on the control, delete {pin}"
        )
    return pin.exists()


def _check_uri(leaf: x509.Certificate, application_uri: str) -> None:
    names = _alternative_names(leaf)
    uris = names.get_values_for_type(x509.UniformResourceIdentifier) if names else []
    if application_uri not in uris:
        raise SecurityRefused(
            f"BadCertificateUriInvalid: the server calls itself {application_uri}, its certificate says "
            f"{', '.join(uris) or 'nothing'}: renew the certificate on the control"
        )


def _validity(leaf: x509.Certificate, now: datetime) -> str:
    if now > leaf.not_valid_after_utc:
        when = f"expired on {leaf.not_valid_after_utc:%Y-%m-%d}: renew it on the control"
    elif now < leaf.not_valid_before_utc:
        when = f"begins on {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC: set the clocks of control and agent"
    else:
        return ""
    return f"BadCertificateTimeInvalid: the server's certificate {when}"


def _check_list(chain: list[bytes], leaf: x509.Certificate, folder: Path, endpoint: str, now: datetime) -> None:
    """Trusted when it lies in the folder itself, or when an authority there issued it for this very host."""
    trusted = _certificates(folder)
    if leaf in trusted:
        return
    authorities = [one for one in trusted if _is_authority(one)]
    shown = fingerprint(chain[0])
    if not authorities:
        raise SecurityRefused(f"BadCertificateUntrusted: put the server's certificate (SHA-256 {shown}) into {folder}")
    issuers = [x509.load_der_x509_certificate(der) for der in chain[1:]]
    authority = ExtensionPolicy.permit_all().require_present(x509.BasicConstraints, Criticality.AGNOSTIC, _may_issue)
    builder = PolicyBuilder().store(Store(authorities)).time(now)
    builder = builder.extension_policies(ca_policy=authority, ee_policy=ExtensionPolicy.permit_all())
    try:
        way = builder.build_client_verifier().verify(leaf, issuers).chain
    except VerificationError as error:
        raise SecurityRefused(
            f"BadCertificateChainIncomplete: no authority in {folder} stands for the server's certificate "
            f"(SHA-256 {shown}): {error}"
        ) from error
    _check_revoked(way, folder)
    _check_host(leaf, endpoint)


def _check_revoked(way: list[x509.Certificate], folder: Path) -> None:
    """By the lists (*.crl) in the folder that the issuer signed; without a list nothing is revoked."""
    for path in sorted(folder.glob("*.crl"))[:_MOST_FILES]:
        content = path.read_bytes()
        load = x509.load_pem_x509_crl if content.startswith(b"-----") else x509.load_der_x509_crl
        try:
            revoked = load(content)
        except ValueError as error:
            raise SecurityRefused(f"{path} is no revocation list: {error}") from error
        for one, issuer in pairwise(way):
            key = issuer.public_key()
            if revoked.issuer != issuer.subject or not revoked.is_signature_valid(key):  # type: ignore[arg-type]
                continue
            if revoked.get_revoked_certificate_by_serial_number(one.serial_number) is not None:
                raise SecurityRefused(f"BadCertificateRevoked: {path.name} revokes the certificate: renew it")


def _check_host(leaf: x509.Certificate, endpoint: str) -> None:
    """An authority vouches for many servers: this one must be issued for the host that is asked for."""
    host = urlsplit(endpoint).hostname or ""
    names = _alternative_names(leaf)
    hosts = [name.lower() for name in names.get_values_for_type(x509.DNSName)] if names else []
    addresses = names.get_values_for_type(x509.IPAddress) if names else []
    try:
        fits = ip_address(host) in addresses
    except ValueError:
        fits = host.lower() in hosts
    if not fits:
        issued = ", ".join([*hosts, *map(str, addresses)]) or "no host"
        raise SecurityRefused(
            f"BadCertificateHostNameInvalid: the certificate is for {issued}, the endpoint says {host}: "
            "name the endpoint as the certificate does, or renew the certificate"
        )


def _certificates(folder: Path) -> list[x509.Certificate]:
    paths = [path for path in sorted(folder.glob("*")) if path.suffix.lower() in (".der", ".pem", ".crt", ".cer")]
    return [one for path in paths[:_MOST_FILES] for one in _load(path)]


def _load(path: Path) -> Iterable[x509.Certificate]:
    try:
        content = path.read_bytes()
        if b"-----BEGIN CERTIFICATE" in content:
            return x509.load_pem_x509_certificates(content)
        return [x509.load_der_x509_certificate(content)]
    except (OSError, ValueError) as error:
        raise SecurityRefused(f"{path} is no certificate (DER or PEM): {error}") from error


def _is_authority(one: x509.Certificate) -> bool:
    """A certificate of an application is trusted for itself alone, whatever it says of issuing others."""
    names = _alternative_names(one)
    if names and names.get_values_for_type(x509.UniformResourceIdentifier):
        return False
    try:
        return bool(one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except (x509.ExtensionNotFound, ValueError):
        return False


def _may_issue(_policy: Policy, _one: x509.Certificate, constraints: x509.BasicConstraints) -> None:
    if not constraints.ca:
        raise ValueError("an issuer's certificate must say that it is an authority (basicConstraints ca)")


def _alternative_names(one: x509.Certificate) -> x509.SubjectAlternativeName | None:
    try:
        return one.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return None
