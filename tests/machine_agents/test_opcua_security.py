"""Nothing weaker than before, nobody in between: which endpoint is used, which certificate is trusted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from asyncua import ua
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from machine_agents.config import SourceConfig
from machine_agents.opcua_source.endpoint import SecurityRefused, choose, confirm, sound_tokens
from machine_agents.opcua_source.identity import own_identity, renew_if_expired
from machine_agents.opcua_source.trust import check_server, split_chain

NOW = datetime(2026, 6, 1, tzinfo=UTC)
URI = "urn:the:server"
CONFIG = SourceConfig("opc.tcp://mill.shop:4840", "agent", Path("password"))
POLICY = "http://opcfoundation.org/UA/SecurityPolicy#"
DAYS = timedelta(days=1)
KEYS = [rsa.generate_private_key(public_exponent=65537, key_size=2048) for _ in range(3)]


def token(policy: str | None = None, kind: ua.UserTokenType = ua.UserTokenType.UserName) -> ua.UserTokenPolicy:
    return ua.UserTokenPolicy(PolicyId="t", TokenType=kind, SecurityPolicyUri=policy and POLICY + policy)


def endpoint(
    name: str, mode: int = 3, tokens: list[ua.UserTokenPolicy] | None = None, url: str = "opc.tcp://elsewhere:1"
) -> ua.EndpointDescription:
    return ua.EndpointDescription(
        EndpointUrl=url,
        SecurityMode=ua.MessageSecurityMode(mode),
        SecurityPolicyUri=POLICY + name,
        UserIdentityTokens=[token()] if tokens is None else tokens,
    )


BASIC, STRONG, SHORT = endpoint("Basic256Sha256"), endpoint("Aes256_Sha256_RsaPss"), endpoint("Aes128_Sha256_RsaOaep")


def test_the_strongest_is_chosen_or_the_configured_one(tmp_path: Path) -> None:
    memory = tmp_path / "server.policy"
    assert choose([SHORT, BASIC, STRONG], CONFIG, memory).name == "Aes256_Sha256_RsaPss"
    assert choose([SHORT, BASIC], CONFIG, memory).name == "Basic256Sha256"
    one = replace(CONFIG, security_policy="Aes128_Sha256_RsaOaep")
    assert choose([SHORT, BASIC, STRONG], one, memory).name == "Aes128_Sha256_RsaOaep"
    with pytest.raises(SecurityRefused, match="does not offer Aes128_Sha256_RsaOaep"):
        choose([BASIC, STRONG], one, memory)


@pytest.mark.parametrize(
    "weak",
    [
        endpoint("Basic256Sha256", mode=2),
        endpoint("None", mode=1),
        endpoint("Basic128Rsa15"),
        endpoint("Basic256"),
        endpoint("Basic256Sha256", tokens=[token("Basic128Rsa15")]),
        endpoint("Basic256Sha256", tokens=[token(kind=ua.UserTokenType.Anonymous)]),
        endpoint("Basic256Sha256", url="opc.https://mill.shop"),
    ],
)
def test_nothing_weak_is_used(weak: ua.EndpointDescription, tmp_path: Path) -> None:
    with pytest.raises(SecurityRefused, match="SignAndEncrypt"):
        choose([weak], CONFIG, tmp_path / "server.policy")


def test_a_server_that_offers_less_than_before_is_refused(tmp_path: Path) -> None:
    memory = tmp_path / "server.policy"
    confirm(choose([BASIC, STRONG], CONFIG, memory), [BASIC, STRONG], CONFIG, memory)
    with pytest.raises(SecurityRefused, match="used to offer Aes256_Sha256_RsaPss and now offers no more"):
        choose([BASIC], CONFIG, memory)
    memory.unlink()
    assert choose([BASIC], CONFIG, memory).name == "Basic256Sha256"


def test_endpoints_taken_out_on_the_way_show_over_the_secure_channel(tmp_path: Path) -> None:
    memory = tmp_path / "server.policy"
    choice = choose([BASIC], CONFIG, memory)
    with pytest.raises(SecurityRefused, match="hides its stronger endpoints"):
        confirm(choice, [BASIC, STRONG], CONFIG, memory)
    assert not memory.exists()


def test_a_password_is_never_encrypted_by_a_broken_policy() -> None:
    offered = [token("Basic128Rsa15"), token("None"), token("Basic256"), token("Basic256Sha256"), token()]
    found = [one.SecurityPolicyUri for one in sound_tokens(offered, CONFIG)]
    assert found == [POLICY + "Basic256Sha256", POLICY + "None", None]


def certificate(
    key: int = 0,
    issuer: int = 0,
    *,
    host: str = "mill.shop",
    uri: str = URI,
    ca: bool = False,
    days: tuple[int, int] = (-1, 1),
) -> x509.Certificate:
    """Keys 1 and 2 are authorities'; dates are days from NOW."""
    names: list[x509.GeneralName] = [] if ca else [x509.UniformResourceIdentifier(uri), x509.DNSName(host)]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"key {key}")]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"key {issuer}")]))
        .public_key(KEYS[key].public_key())
        .serial_number(1000 + key)
        .not_valid_before(NOW + days[0] * DAYS)
        .not_valid_after(NOW + days[1] * DAYS)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(KEYS[issuer], hashes.SHA256())


def der(one: x509.Certificate) -> bytes:
    return one.public_bytes(Encoding.DER)


def check(tmp_path: Path, *chain: x509.Certificate, config: SourceConfig = CONFIG, now: datetime = NOW) -> str:
    return check_server(b"".join(map(der, chain)), URI, config, tmp_path / "server.der", now)


def test_the_first_certificate_is_kept_and_every_other_refused(tmp_path: Path) -> None:
    one = certificate()
    assert check(tmp_path, one) == check(tmp_path, one) == ""
    with pytest.raises(SecurityRefused, match="is not the known"):
        check(tmp_path, certificate(key=1, issuer=1))


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"days": (-9, -1)}, "BadCertificateTimeInvalid: the server's certificate expired on 2026-05-31"),
        ({"days": (1, 9)}, "BadCertificateTimeInvalid: the server's certificate begins on 2026-06-02"),
        ({"uri": "urn:another"}, "BadCertificateUriInvalid: the server calls itself urn:the:server"),
    ],
)
def test_a_new_certificate_must_be_valid_and_the_servers_own(
    tmp_path: Path, changes: dict[str, object], why: str
) -> None:
    with pytest.raises(SecurityRefused, match=why):
        check(tmp_path, certificate(**changes))  # type: ignore[arg-type]
    assert not (tmp_path / "server.der").exists()


def test_a_known_certificate_that_expires_is_warned_of_and_the_meter_goes_on(tmp_path: Path) -> None:
    one = certificate()
    assert check(tmp_path, one) == ""
    assert "expired on 2026-06-02" in check(tmp_path, one, now=NOW + 2 * DAYS)


@pytest.mark.parametrize("blob", [b"", b"no certificate", b"\x30\x84\xff\xff\xff\xff", b"\x30\x03abc"])
def test_garbage_is_no_certificate(tmp_path: Path, blob: bytes) -> None:
    with pytest.raises(SecurityRefused, match="on the control"):
        check_server(blob, URI, CONFIG, tmp_path / "server.der", NOW)


def test_a_chain_is_taken_apart() -> None:
    chain = [der(certificate(issuer=1)), der(certificate(key=1, issuer=1, ca=True))]
    assert split_chain(b"".join(chain)) == chain


@pytest.fixture
def trusting(tmp_path: Path) -> tuple[Path, SourceConfig]:
    """An agent that trusts the authority of key 1."""
    folder = tmp_path / "trusted"
    folder.mkdir()
    (folder / "authority.pem").write_bytes(certificate(key=1, issuer=1, ca=True).public_bytes(Encoding.PEM))
    return folder, replace(CONFIG, trust_folder=folder)


def test_an_authority_stands_for_its_servers_over_an_authority_below(
    tmp_path: Path, trusting: tuple[Path, SourceConfig]
) -> None:
    _, config = trusting
    assert check(tmp_path, certificate(issuer=1), config=config) == ""
    below = certificate(key=2, issuer=1, ca=True)
    assert check(tmp_path, certificate(issuer=2), below, config=config) == ""
    assert not (tmp_path / "server.der").exists()


@pytest.mark.parametrize(
    ("chain", "why"),
    [
        ([certificate(issuer=2)], "BadCertificateChainIncomplete"),
        ([certificate(issuer=1, days=(-9, -1))], "BadCertificateChainIncomplete"),
        (
            [certificate(issuer=2), certificate(key=2, issuer=1, ca=True, days=(-9, -1))],
            "BadCertificateChainIncomplete",
        ),
        ([certificate(issuer=2), certificate(key=2, issuer=1)], "BadCertificateChainIncomplete"),
        (
            [certificate(issuer=1, host="other.shop")],
            "BadCertificateHostNameInvalid: the certificate is for other",
        ),
    ],
)
def test_what_no_authority_stands_for_is_refused(
    tmp_path: Path, trusting: tuple[Path, SourceConfig], chain: list[x509.Certificate], why: str
) -> None:
    with pytest.raises(SecurityRefused, match=why):
        check(tmp_path, *chain, config=trusting[1])


def test_a_certificate_in_the_folder_is_trusted_but_only_for_itself(tmp_path: Path) -> None:
    folder = tmp_path / "trusted"
    folder.mkdir()
    one, config = certificate(), replace(CONFIG, trust_folder=folder)
    (folder / "server.der").write_bytes(der(one))
    assert check(tmp_path, one, config=config) == ""
    with pytest.raises(SecurityRefused, match="BadCertificateUntrusted"):
        check(tmp_path, certificate(key=2, issuer=0), config=config)


def test_a_revoked_certificate_is_refused(tmp_path: Path, trusting: tuple[Path, SourceConfig]) -> None:
    folder, config = trusting
    revoked = x509.RevokedCertificateBuilder().serial_number(1000).revocation_date(NOW - DAYS).build()
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "key 1")]))
        .last_update(NOW - DAYS)
        .next_update(NOW + DAYS)
        .add_revoked_certificate(revoked)
    )
    (folder / "forged.crl").write_bytes(made.sign(KEYS[2], hashes.SHA256()).public_bytes(Encoding.DER))
    assert check(tmp_path, certificate(issuer=1), config=config) == ""
    (folder / "authority.crl").write_bytes(made.sign(KEYS[1], hashes.SHA256()).public_bytes(Encoding.DER))
    with pytest.raises(SecurityRefused, match="BadCertificateRevoked"):
        check(tmp_path, certificate(issuer=1), config=config)


def test_a_control_whose_clock_is_behind_takes_a_certificate_made_now(tmp_path: Path) -> None:
    made = x509.load_der_x509_certificate(own_identity(tmp_path, "box").certificate)
    assert made.not_valid_before_utc <= datetime.now(UTC) - 29 * DAYS
    made.verify_directly_issued_by(made)
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["urn:box:spindleshare:machine-agent"]
    usage = made.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.data_encipherment) == (True, True)


def test_the_agents_certificate_is_renewed_only_when_expired_and_keeps_its_key(tmp_path: Path) -> None:
    first = own_identity(tmp_path, "box")
    assert not renew_if_expired(tmp_path, first.expires - DAYS)
    assert own_identity(tmp_path, "box") == first
    assert renew_if_expired(tmp_path, first.expires + DAYS)
    second = own_identity(tmp_path, "box")
    assert second.key == first.key
    assert second.fingerprint != first.fingerprint
