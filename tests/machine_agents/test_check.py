"""`check` against a live machine and service: a line for each thing, what to do, and nothing left behind."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from machine_agents.check_command import report, run_checks
from machine_agents.checks import Check, Verdict
from machine_agents.config import load
from machine_agents.credentials import Enrolment, save_enrolment
from tests.machine_agents.fake_service import TOKEN, fake_service
from tests.machine_agents.plain_server import PASSWORD, PlainServer, plain_server
from tests.machine_agents.test_opcua_source import run

PROFILE = """
name = "mine"
[namespaces]
t = "urn:test:machine"
{extra}
[[signal]]
signal = "heartbeat"
path = "Server/ServerStatus/CurrentTime"
type = "time"
[[signal]]
signal = "power"
path = "t:Machines/{{machine}}/t:Power"
type = "flag"
[[signal]]
signal = "spindle.{{spindle}}.speed"
path = "t:Machines/{{machine}}/t:Spindles/{{spindle}}/t:Speed"
type = "number"
unit = "RPM"
[[signal]]
signal = "energy"
path = "t:Machines/{{machine}}/t:Energy"
type = "number"
unit = "WHR"
"""
CONFIG = """
[agent]
data = "data"
[source]
endpoint = "{endpoint}"
user = "agent"
password_file = "password"
profile = "mine.toml"
tolerance_seconds = {tolerance}
contract_tolerance_seconds = {contract}
[service]
url = "{service}"
code_file = "code"
"""


def checked(
    folder: Path,
    *,
    service: str,
    tolerance: int = 60,
    contract: int = 0,
    password: str = PASSWORD,
    extra: str = "",
    ahead: int = 0,
) -> tuple[dict[str, Check], int]:
    """What `check` says by name (the last of a name), and how many subscriptions the server is left with."""
    (folder / "password").write_text(password)
    (folder / "code").write_text("a code")
    (folder / "mine.toml").write_text(PROFILE.format(extra=extra))
    found: list[Check] = []
    left: list[int] = []

    async def test() -> None:
        async with plain_server(folder / "server") as server:
            text = CONFIG.format(endpoint=server.url, service=service, tolerance=tolerance, contract=contract)
            (folder / "agent.toml").write_text(text)
            clock = lambda: datetime.now(UTC) - timedelta(seconds=ahead)  # noqa: E731
            found.extend(await run_checks(load(folder / "agent.toml"), clock=clock))
            left.append(subscriptions(server))

    run(test())
    return {one.name: one for one in found}, left[0]


def subscriptions(server: PlainServer) -> int:
    return len(server.server.iserver.subscription_service.subscriptions)


def test_a_good_configuration_is_told_with_values_units_and_tolerance(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o700)
    save_enrolment(tmp_path / "data", Enrolment("agent-1", "M-1", "Mill", TOKEN))
    with fake_service() as service:
        found, left = checked(tmp_path, service=service.url)
    assert not [one for one in found.values() if one.verdict == Verdict.FAIL]
    assert found["spindle.S1.speed"].what == "0 (/Machines/Mill/Spindles/S1/Speed, in RPM)"
    assert "not metered" in found["energy"].what
    assert "samples/s" in found["sampling budget"].what
    assert found["outage tolerance"].what.partition(" s of 60 s")[1]
    assert found["machine clock"].verdict == Verdict.OK
    assert found["service"].verdict == Verdict.OK
    assert left == 0
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0
    # A check decides nothing: the certificate of the first contact is kept by the first start.
    assert found["server certificate"].verdict == Verdict.WARN
    assert not (tmp_path / "data" / "pki" / "server.der").exists()


def test_what_is_wrong_fails_by_name_and_says_what_to_do(tmp_path: Path) -> None:
    limits = '[budget]\nsampling_ms = [100, 500]\nsamples_per_second = 20\nsource = "the manual"\n'
    found, left = checked(tmp_path, service="http://127.0.0.1:9", extra=limits, ahead=-3600)
    assert found["sampling budget"].verdict == Verdict.FAIL
    assert "set source.sampling_ms = 500" in found["sampling budget"].what
    assert "the manual" in found["sampling budget"].what_to_do
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0, "the certificate's folder was made for its owner alone"
    assert "outage tolerance" not in found, "nothing is subscribed that the server cannot bear"
    assert found["service"].verdict == Verdict.FAIL
    assert found["machine clock"].verdict == Verdict.WARN
    assert "s behind this host's" in found["machine clock"].what
    assert left == 0


def test_a_wrong_password_is_one_failed_line(tmp_path: Path) -> None:
    found, _ = checked(tmp_path, service="http://127.0.0.1:9", password="wrong")
    assert found["machine"].verdict == Verdict.FAIL
    assert "check user and password" in found["machine"].what


def test_less_tolerance_than_was_asked_for_is_said(tmp_path: Path) -> None:
    found, left = checked(tmp_path, service="http://127.0.0.1:9", tolerance=10_000_000)
    assert found["outage tolerance"].verdict == Verdict.WARN
    assert "a longer outage is a gap" in found["outage tolerance"].what_to_do
    assert left == 0


def test_less_tolerance_than_the_contract_demands_fails(tmp_path: Path) -> None:
    found, left = checked(tmp_path, service="http://127.0.0.1:9", contract=10_000_000)
    assert found["outage tolerance"].verdict == Verdict.FAIL
    assert "the contract demands 10000000 s" in found["outage tolerance"].what
    assert left == 0


@pytest.mark.parametrize("as_json", [False, True])
def test_a_report_is_one_line_a_check(as_json: bool) -> None:
    text = report([Check("a\nb", Verdict.WARN, "w\x1b[31m", "do")], as_json=as_json)
    assert "\x1b" not in text
    assert as_json or text == "warn  a b: w [31m -> do"
