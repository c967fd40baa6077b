"""`python -m machine_agents`: help that reads well, one line for what is wrong, an exit status that says which."""

import subprocess
import sys
from pathlib import Path

import pytest

from machine_agents.config import EXAMPLE, BadConfig, load
from machine_agents.profile import BadProfile, names, parse
from machine_agents.profile import load as load_profile
from machine_agents.spool import Spool

CONFIG = """
[agent]
data = "data"
[source]
endpoint = "opc.tcp://127.0.0.1:9"
user = "u"
password_file = "password"
[service]
url = "http://127.0.0.1:9"
"""


def command(*arguments: object) -> "subprocess.CompletedProcess[str]":
    words = [sys.executable, "-m", "machine_agents", *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize("verb", ["run", "discover", "simulate"])
def test_every_command_has_help(verb: str) -> None:
    done = command(verb, "--help")
    assert done.returncode == 0
    assert "Exit status" in done.stdout


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("[agent]", "[agents]"), "agents is not known"),
        (('data = "data"', ""), "agent.data is missing"),
        (("opc.tcp://", "http://"), "must begin with opc.tcp://"),
        (('user = "u"', 'user = "u"\nkind = "modbus"'), "source.kind 'modbus' is not known; there is mtconnect, opcua"),
        (('user = "u"', "user = 3"), "source.user must be text"),
        (('user = "u"', 'user = "u"\nqueue = -1'), "source.queue must be a whole number"),
        (('user = "u"', 'user = "u"\nquue = 1'), "source.quue is not known"),
        (("[service]", "[meter]\nclock = 'roughly'\n[service]"), "meter.clock 'roughly' must be one of"),
        (("[service]", "[service]\nrequest_seconds = 0"), "service.request_seconds must be 1 to 3600"),
        (("[service]", "[service"), "is no TOML"),
    ],
)
def test_a_wrong_configuration_says_what_to_change(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(CONFIG.replace(*change))
    with pytest.raises(BadConfig, match=message):
        load(path)


def test_the_example_is_a_configuration_and_names_every_choice() -> None:
    example = load(EXAMPLE)
    for part in (example.source, example.service, example.meter, example.meter.policy):
        for name in part.__dataclass_fields__:
            # Counters have their policies in the profile, which says what they are.
            assert name in ("policy", "counters") or f"\n{name} = " in EXAMPLE.read_text(), name


def test_a_missing_configuration_is_one_line_and_status_3(tmp_path: Path) -> None:
    done = command("run", "--config", tmp_path / "none.toml")
    assert done.returncode == 3
    assert done.stderr.count("\n") == 1
    assert "give the agent's TOML file with --config" in done.stderr


def test_a_folder_in_use_is_status_4(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text(CONFIG)
    spool = Spool(tmp_path / "data")
    done = command("run", "--config", path)
    spool.close()
    assert (done.returncode, done.stderr.count("\n")) == (4, 1)
    assert "another agent is at work" in done.stderr


def test_a_server_that_is_not_there_is_status_5(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("x")
    done = command(
        "discover", "--endpoint", "opc.tcp://127.0.0.1:9", "--user", "u",
        "--password-file", tmp_path / "password", "--data", tmp_path / "data",
    )  # fmt: skip
    assert done.returncode == 5
    assert "opc.tcp://127.0.0.1:9" in done.stderr
    assert done.stderr.count("\n") == 1


def test_every_profile_that_comes_along_can_be_read() -> None:
    assert names()
    for name in names():
        profile = load_profile(name)
        assert profile.description
        assert {entry.signal for entry in profile.entries} >= {"heartbeat", "power", "mode", "execution"}


ENERGY = '[[signal]]\nsignal = "energy"\npath = "A"\ntype = "number"'
INDEXED = 'index = "required"\n[namespaces]\nv = "V"\n'
HEARTBEAT = '[[signal]]\nsignal = "heartbeat"\npath = "Server/CurrentTime"\ntype = "time"\n'


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("", "no entry gives the signal heartbeat"),
        (HEARTBEAT + '[[signal]]\nsignal = "powr"\npath = "A"\ntype = "flag"', "'powr' is no signal"),
        (HEARTBEAT + '[[signal]]\nsignal = "power"\npath = "x:A"\ntype = "flag"', "not among .namespaces."),
        (HEARTBEAT + '[[signal]]\nsignal = "power"\npath = "A"\ntype = "boolean"', "type must be one of"),
        (
            HEARTBEAT + ENERGY + '\nunit = "WHR"\nscale = 0.1',
            "so that it is exact",
        ),
        (HEARTBEAT + ENERGY + '\nunit = "WHR"\nscale = "x"', "x"),
        (HEARTBEAT + ENERGY, "name the unit"),
        (
            HEARTBEAT + ENERGY + '\nunit = "KWT"',
            "is a power, the signal is",
        ),
        (HEARTBEAT + '[[signal]]\nsignal = "mode"\npath = "A"\ntype = "word"', "a word needs words"),
        (HEARTBEAT + '[[signal]]\nsignal = "spindle.{s}.speed"\npath = "A"\ntype = "flag"', "nothing fills {s}"),
        (
            'index = "required"\n[namespaces]\nv = "V"\n'
            + HEARTBEAT
            + '[[signal]]\nsignal = "parts"\nnode = "v:s=/A"\ntype = "number"',
            "needs its index",
        ),
    ],
)
def test_a_wrong_profile_says_what_to_change(entry: str, message: str) -> None:
    with pytest.raises(BadProfile, match=message):
        parse(entry, "mine.toml")


@pytest.mark.parametrize(
    ("scale", "value", "exact"),
    [
        ("1000", 1234.5674, 1_234_567),
        ("50/3", 60.0, 1000),
        ("1", 0.5, 1),
        ("1", -0.5, 0),
        ("1/60", 90, 2),
        ("1000", 4.35, 4350),
        ("1", float("inf"), None),
        ("1", "3", None),
    ],
)
def test_numbers_are_scaled_exactly_halves_upward(scale: str, value: object, exact: int | None) -> None:
    entry = f'[[signal]]\nsignal = "energy"\npath = "A"\ntype = "number"\nunit = "WHR"\nscale = "{scale}"'
    convert = parse(HEARTBEAT + entry, "mine").entries[1].converter()
    assert convert(value) == exact


def test_words_that_are_not_known_are_other_and_absent_ones_none() -> None:
    entry = '[[signal]]\nsignal = "mode"\npath = "A"\ntype = "word"\nwords = { 2 = "automatic" }'
    convert = parse(HEARTBEAT + entry, "mine").entries[1].converter()
    assert [convert(value) for value in (2, 9, None)] == ["automatic", "other", None]
