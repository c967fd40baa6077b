"""How the agent says who it is: a user name with its password, or a user certificate with its key."""

from dataclasses import dataclass, field

from asyncua import Client
from asyncua.ua.uaerrors import (
    BadIdentityTokenInvalid,
    BadIdentityTokenRejected,
    BadUserAccessDenied,
    BadUserSignatureInvalid,
)
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key, load_pem_private_key

from machine_agents.config import SourceConfig
from machine_agents.credentials import BadSecret, first_line

LOGIN_REFUSALS = (BadUserAccessDenied, BadIdentityTokenRejected, BadIdentityTokenInvalid, BadUserSignatureInvalid)


class LoginRefused(Exception):
    """The server knows us but not this user, or not this password, or has locked the user."""


@dataclass(frozen=True, slots=True)
class Login:
    """What a session is activated with."""

    user: str = ""
    password: str = field(default="", repr=False)
    certificate: x509.Certificate | None = None
    key: RSAPrivateKey | None = field(default=None, repr=False)

    async def activate(self, client: Client) -> None:
        """Log in to the session that the client has; asyncua's errors."""
        if self.certificate is None:
            await client.activate_session(self.user, self.password)
        else:
            client.user_private_key = self.key
            await client.activate_session(certificate=self.certificate)


def read_login(config: SourceConfig) -> Login:
    """What the configured files hold now; BadSecret."""
    if config.user_certificate is None or config.user_key is None:
        if config.password_file is None:
            raise BadSecret("there is no password: name its file as source.password_file")
        return Login(config.user, first_line(config.password_file, "password of the OPC UA user"))
    try:
        content, key = config.user_certificate.read_bytes(), config.user_key.read_bytes()
        pem = content.startswith(b"-----")
        certificate = x509.load_pem_x509_certificate(content) if pem else x509.load_der_x509_certificate(content)
        load = load_pem_private_key if key.startswith(b"-----") else load_der_private_key
        private = load(key, password=None)
    except (OSError, ValueError, TypeError) as error:
        raise BadSecret(f"cannot use {config.user_certificate} with {config.user_key}: {error}") from error
    if not isinstance(private, RSAPrivateKey) or private.public_key() != certificate.public_key():
        raise BadSecret(f"{config.user_key} is not the RSA key of {config.user_certificate}")
    return Login(certificate=certificate, key=private)
