"""Typed settings from the environment, prefix SPINDLESHARE_. See `spindleshare doctor` for their values in force."""

from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "SPINDLESHARE_"


class InvalidSettings(Exception):
    """A setting in the environment is wrong; the message names it."""


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ValueError, LookupError, OSError) as error:
        raise ValueError("give an IANA zone such as Europe/Berlin") from error
    return name


def _postgres_url(url: str) -> str:
    if not url:
        return url
    scheme, found, rest = url.partition("://")
    if not found or scheme not in {"postgresql", "postgres", "postgresql+psycopg"}:
        raise ValueError("give a URL such as postgresql://user:password@host/database")
    return f"postgresql+psycopg://{rest}"


Port = Annotated[int, Field(ge=0, le=65535)]
Zone = Annotated[str, AfterValidator(_known_zone)]
PostgresUrl = Annotated[str, AfterValidator(_postgres_url)]


class Settings(BaseSettings):
    """Everything that an installation may choose. Ports: 0 means any free one."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    data_folder: Path = Path(".spindleshare")
    # Both empty: the embedded PostgreSQL in the data folder.
    migrate_url: PostgresUrl = ""
    run_url: PostgresUrl = ""
    database_port: Port = 0
    database_pool: int = Field(default=10, ge=1, le=500)
    host: str = "127.0.0.1"
    port: Port = 8000
    # How users reach the service, for links that leave it (card checkout, documents); empty: http://host:port.
    public_url: str = ""
    session_secret_file: Path | None = None
    # PEM, P-256: signs evidence bundles. Made on first use; every service process needs the same one.
    platform_key_file: Path | None = None
    zone: Zone = "Europe/Berlin"
    stripe_key: SecretStr = SecretStr("")
    # Empty: Stripe itself. The demo and the tests point it at the local stand-in.
    stripe_base: str = ""
    stripe_webhook_secret: SecretStr = SecretStr("")
    # Where a user's browser is sent to pay; named in the page's form-action rule.
    stripe_checkout_origin: str = "https://checkout.stripe.com"
    # Raw telemetry older than so many days is deleted; what was billed needs only the sealed readings.
    telemetry_keep_days: int = Field(default=400, ge=1, le=36_500)
    # Jobs (period close, ...) run in the service's process; switch off where another process runs them.
    schedule: bool = True

    @model_validator(mode="after")
    def _both_urls_or_none(self) -> "Settings":
        if self.run_url and not self.migrate_url:
            return self
        if self.migrate_url and not self.run_url:
            raise ValueError("SPINDLESHARE_MIGRATE_URL needs SPINDLESHARE_RUN_URL beside it")
        return self

    @property
    def embedded(self) -> bool:
        """Whether the database is the embedded one."""
        return not self.run_url

    @property
    def database_folder(self) -> Path:
        return self.data_folder / "postgres"

    @property
    def telemetry_folder(self) -> Path:
        return self.data_folder / "telemetry"

    @property
    def documents_folder(self) -> Path:
        return self.data_folder / "documents"

    @property
    def secret_file(self) -> Path:
        return self.session_secret_file or self.data_folder / "session.secret"

    @property
    def key_file(self) -> Path:
        return self.platform_key_file or self.data_folder / "platform-key.pem"

    @property
    def base_url(self) -> str:
        return self.public_url.rstrip("/") or f"http://{self.host}:{self.port}"


def load() -> Settings:
    """Settings of this process; `InvalidSettings` with one line per wrong one."""
    try:
        return Settings()
    except ValidationError as error:
        raise InvalidSettings("; ".join(_line(item["loc"], item["msg"]) for item in error.errors())) from error


def _line(location: tuple[int | str, ...], message: str) -> str:
    text = message.removeprefix("Value error, ")
    return f"{PREFIX}{str(location[0]).upper()}: {text}" if location else text
