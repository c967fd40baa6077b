"""The agent's configuration: one TOML file, whose commented example is the manual (`agent.example.toml`)."""

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from machine_agents.accrual import Policy
from machine_agents.mtconnect_source.config import MtConnectConfig
from metering.reading import TimeQuality

_LONGEST_REQUEST_SECONDS = 3_600
EXAMPLE = Path(__file__).with_name("agent.example.toml")


SECURITY_POLICIES = ("Aes256_Sha256_RsaPss", "Basic256Sha256", "Aes128_Sha256_RsaOaep")
"""What an OPC UA connection may be secured by, the strongest first: the last two differ in the length of their keys."""


class BadConfig(ValueError):
    """The configuration file is missing, is no TOML, or has an entry that is missing, unknown or of a wrong type."""


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """The machine's OPC UA server and how it is subscribed to. Times in milliseconds, unless named in seconds."""

    endpoint: str
    user: str = ""
    password_file: Path | None = None
    user_certificate: Path | None = None
    user_key: Path | None = None
    profile: str = "cnc"
    machine: str = ""
    channel: str = ""
    security_policy: str = ""
    server_fingerprint: str = ""
    trust_folder: Path | None = None
    publish_ms: int = 100
    sampling_ms: int = 100
    queue: int = 10_000
    tolerance_seconds: int = 3_600
    contract_tolerance_seconds: int = 0
    silence_seconds: int = 30
    request_seconds: int = 10
    retry_max_seconds: int = 5
    login_retry_seconds: int = 300
    history: bool = True
    history_seconds: int = 300


@dataclass(frozen=True, slots=True)
class ServiceConfig:
    """The SpindleShare service that readings are sent to."""

    url: str
    code_file: Path | None = None
    batch: int = 100
    retry_max_seconds: int = 60
    request_seconds: int = 30
    schedule_poll_seconds: int = 300


@dataclass(frozen=True, slots=True)
class MeterConfig:
    """How observations become registers and registers readings."""

    policy: Policy = field(default_factory=Policy)
    clock: TimeQuality = TimeQuality.INFORMATIVE
    clock_limit_seconds: int = 5
    interim_seconds: int = 30


@dataclass(frozen=True, slots=True)
class TelemetryConfig:
    """Whether raw observations are kept for the service, and how many bytes of them at most."""

    keep: bool = True
    budget_mib: int = 512
    segment_seconds: int = 900


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """Everything `run` needs."""

    name: str
    data: Path
    source: SourceConfig | MtConnectConfig
    service: ServiceConfig
    meter: MeterConfig
    local_host: str = "127.0.0.1"
    local_port: int = 0
    keep_mb: int = 512
    telemetry: TelemetryConfig = field(default_factory=TelemetryConfig)


def load(path: Path) -> AgentConfig:
    """The configuration in `path`; relative paths in it start at the file's folder. BadConfig says what to change."""
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadConfig(f"cannot read {path}: {error.strerror}; give the agent's TOML file with --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadConfig(f"{path} is no TOML: {error}") from error
    try:
        return _agent(raw, path.absolute().parent)
    except BadConfig as error:
        raise BadConfig(f"{path}: {error}") from error


def _agent(raw: Mapping[str, Any], base: Path) -> AgentConfig:
    _only(raw, {"agent", "source", "service", "meter", "telemetry"}, "")
    for table in ("agent", "source", "service"):
        if not isinstance(raw.get(table), dict):
            raise BadConfig(f"there is no [{table}] table; compare with the example {EXAMPLE.name}")
    agent, meter = raw["agent"], raw.get("meter", {})
    _only(agent, {"name", "data", "local_host", "local_port", "keep_mb"}, "agent.")
    return AgentConfig(
        name=_get(agent, "agent.name", str, "machine-agent"),
        data=base / _get(agent, "agent.data", str),
        source=_source(raw["source"], base),
        service=_service(raw["service"], base),
        meter=_meter(meter),
        local_host=_get(agent, "agent.local_host", str, "127.0.0.1"),
        local_port=_number(agent, "agent.local_port", 0),
        keep_mb=_number(agent, "agent.keep_mb", 512),
        telemetry=_telemetry(raw.get("telemetry", {})),
    )


def _source(raw: Mapping[str, Any], base: Path) -> SourceConfig | MtConnectConfig:
    """By the kind of source; each knows its own entries."""
    kind = _get(raw, "source.kind", str, "opcua")
    if kind not in _KINDS:
        raise BadConfig(f"source.kind {kind!r} is not known; there is {', '.join(sorted(_KINDS))}")
    return _KINDS[kind]({name: value for name, value in raw.items() if name != "kind"}, base)


def _opcua(raw: Mapping[str, Any], base: Path) -> SourceConfig:
    numbers = {"publish_ms", "sampling_ms", "queue"} | {
        f"{name}_seconds"
        for name in ("tolerance", "contract_tolerance", "silence", "request", "retry_max", "login_retry", "history")
    }
    texts = {"profile", "machine", "channel", "server_fingerprint", "security_policy", "user"}
    paths = {"password_file", "user_certificate", "user_key", "trust_folder"}
    _only(raw, {"endpoint", "history"} | numbers | texts | paths, "source.")
    endpoint = _get(raw, "source.endpoint", str)
    if not endpoint.startswith("opc.tcp://"):
        raise BadConfig(f"source.endpoint {endpoint!r} must begin with opc.tcp://, such as opc.tcp://10.0.0.5:4840")
    given: dict[str, Any] = {name: _number(raw, f"source.{name}") for name in numbers & raw.keys()}
    given |= {name: _get(raw, f"source.{name}", str) for name in texts & raw.keys()}
    given |= {name: base / text for name in paths & raw.keys() if (text := _get(raw, f"source.{name}", str))}
    if "profile" in given and given["profile"].endswith(".toml"):
        given["profile"] = str(base / given["profile"])
    source = SourceConfig(endpoint=endpoint, history=_flag(raw, "source.history", default=True), **given)
    _check_login(source)
    return source


def _check_login(source: SourceConfig) -> None:
    """Exactly one way to log in, whole."""
    if source.security_policy not in ("", *SECURITY_POLICIES):
        raise BadConfig(
            f"source.security_policy must be one of {', '.join(SECURITY_POLICIES)}, or empty: the strongest"
        )
    if (source.user_certificate is None) != (source.user_key is None):
        raise BadConfig("source.user_certificate and source.user_key belong together: give both, or a user name")
    if source.user_certificate is not None and source.user:
        raise BadConfig("give either source.user with its password or source.user_certificate, not both")
    if source.user_certificate is None and not source.user:
        raise BadConfig("source.user is missing (or source.user_certificate with source.user_key)")
    if source.user and source.password_file is None:
        raise BadConfig("source.password_file is missing")


def _mtconnect(raw: Mapping[str, Any], base: Path) -> MtConnectConfig:
    numbers = {"interval_ms", "heartbeat_ms", "settle_ms", "count", "request_seconds", "retry_max_seconds"}
    _only(raw, {"endpoint", "machine", "mapping", "available_is_life"} | numbers, "source.")
    endpoint = _get(raw, "source.endpoint", str)
    if not endpoint.startswith(("http://", "https://")):
        raise BadConfig(
            f"source.endpoint {endpoint!r} must begin with http:// or https://, such as http://10.0.0.5:5000"
        )
    mapping = _get(raw, "source.mapping", str, "")
    return MtConnectConfig(
        endpoint=endpoint.rstrip("/"),
        machine=_get(raw, "source.machine", str, ""),
        mapping=base / mapping if mapping else None,
        available_is_life=_flag(raw, "source.available_is_life"),
        **{name: _number(raw, f"source.{name}") for name in numbers & raw.keys()},
    )


_KINDS: Mapping[str, Callable[[Mapping[str, Any], Path], SourceConfig | MtConnectConfig]] = {
    "opcua": _opcua,
    "mtconnect": _mtconnect,
}


def _service(raw: Mapping[str, Any], base: Path) -> ServiceConfig:
    numbers = {"batch", "retry_max_seconds", "request_seconds", "schedule_poll_seconds"}
    _only(raw, {"url", "code_file"} | numbers, "service.")
    url = _get(raw, "service.url", str)
    if not url.startswith(("http://", "https://")):
        raise BadConfig(f"service.url {url!r} must begin with https:// (or http:// on this machine)")
    code = _get(raw, "service.code_file", str, "")
    given = {name: _number(raw, f"service.{name}") for name in numbers & raw.keys()}
    if given.get("schedule_poll_seconds") == 0:
        raise BadConfig("service.schedule_poll_seconds must be at least 1: how often to ask for the cut schedule")
    if not 1 <= given.get("request_seconds", 30) <= _LONGEST_REQUEST_SECONDS:
        raise BadConfig(
            f"service.request_seconds must be 1 to {_LONGEST_REQUEST_SECONDS}: how long an answer is waited for"
        )
    return ServiceConfig(url=url.rstrip("/"), code_file=base / code if code else None, **given)


def _meter(raw: Mapping[str, Any]) -> MeterConfig:
    policy = {field.name for field in fields(Policy)} - {"counters"}
    _only(raw, policy | {"clock", "clock_limit_seconds", "interim_seconds"}, "meter.")
    clock = _get(raw, "meter.clock", str, "informative")
    if clock not in (known := {quality.name.lower(): quality for quality in TimeQuality}):
        raise BadConfig(f"meter.clock {clock!r} must be one of {', '.join(sorted(known))}")
    given: dict[str, Any] = {name: _number(raw, f"meter.{name}") for name in policy & raw.keys()}
    return MeterConfig(
        policy=Policy(**given),
        clock=known[clock],
        clock_limit_seconds=_number(raw, "meter.clock_limit_seconds", 5),
        interim_seconds=_number(raw, "meter.interim_seconds", 30),
    )


def _telemetry(raw: Mapping[str, Any]) -> TelemetryConfig:
    _only(raw, {"keep", "budget_mib", "segment_seconds"}, "telemetry.")
    keep = raw.get("keep", True)
    if not isinstance(keep, bool):
        raise BadConfig(f"telemetry.keep must be true or false, not {keep!r}")
    return TelemetryConfig(
        keep=keep,
        budget_mib=_number(raw, "telemetry.budget_mib", 512),
        segment_seconds=_number(raw, "telemetry.segment_seconds", 900),
    )


def _only(table: Mapping[str, Any], known: set[str], prefix: str) -> None:
    if unknown := sorted(table.keys() - known):
        raise BadConfig(f"{prefix}{unknown[0]} is not known; there are {', '.join(sorted(known))}")


def _get(table: Mapping[str, Any], name: str, kind: type[str], default: str | None = None) -> str:
    value = table.get(name.rpartition(".")[2], default)
    if value is None:
        raise BadConfig(f"{name} is missing")
    if not isinstance(value, kind):
        raise BadConfig(f"{name} must be text, not {value!r}")
    return value


def _flag(table: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    value = table.get(name.rpartition(".")[2], default)
    if not isinstance(value, bool):
        raise BadConfig(f"{name} must be true or false, not {value!r}")
    return value


def _number(table: Mapping[str, Any], name: str, default: int | None = None) -> int:
    value = table.get(name.rpartition(".")[2], default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadConfig(f"{name} must be a whole number, not {value!r}")
    return value
