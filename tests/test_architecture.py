"""The rules of the house, as tests: who imports whom, what a folder holds, what no file may say."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("app", "billing", "machine_agents", "metering", "sandbox", "workbench")
_LONGEST_FILE, _LONGEST_FUNCTION = 300, 40
_LONG_WITH_A_REASON = {
    "billing/invoicing/document.py document": "one literal: the shape of what the template prints, in one place",
}
_CLOCK = re.compile(r"\b(datetime\.now|datetime\.utcnow|date\.today|time\.time)\(")
# The agent and the stand-ins are processes of their own with a clock of their own.
_MAY_ASK_THE_TIME = {"app/clock.py", "machine_agents/agent.py", "machine_agents/__main__.py"}
# Of package registries: a lock file that names one would bind every user to it.
_REGISTRY = re.compile(r"https?://[^\s\"']*(pypi|pythonhosted|npmjs|yarnpkg|jfrog|artifactory|registry)[^\s\"']*", re.I)
_MACHINE_PATH = re.compile(r"(?<![\w.~-])/(home|root|Users|work|workspace)/\w")


def tracked() -> list[Path]:
    """Files under version control, or all that are not ignored where this is no checkout."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "-c", f"safe.directory={ROOT}", "ls-files", "-z"], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("not a git checkout")
    return [path for name in done.stdout.decode().split("\0") if name and (path := ROOT / name).is_file()]


def texts() -> Iterator[tuple[str, str]]:
    for path in tracked():
        try:
            yield path.relative_to(ROOT).as_posix(), path.read_text()
        except UnicodeDecodeError:
            continue


def modules() -> Iterator[tuple[str, str]]:
    return ((name, text) for name, text in texts() if name.endswith(".py") and name.startswith(ROOMS))


def test_rooms_import_downwards_and_through_one_door_each() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_tests_and_migrations_are_no_packages() -> None:
    """An `__init__.py` in alembic/ would shadow the library, one in tests/ would make names clash."""
    assert [path for folder in ("tests", "alembic") for path in (ROOT / folder).rglob("__init__.py")
            if "node_modules" not in path.parts] == []  # fmt: skip


@pytest.mark.parametrize("room", [*ROOMS, "alembic"])
def test_every_room_says_what_it_owns(room: str) -> None:
    assert (ROOT / room / "README.md").is_file()


@pytest.mark.parametrize("room", [*(f"metering/{name}" for name in
    ("components", "parties", "telemetry")), *(f"billing/{name}" for name in
    ("accounting", "capacity", "invoicing", "invoicing/einvoice", "payments", "pricing"))])  # fmt: skip
def test_every_sub_room_says_what_it_owns(room: str) -> None:
    assert (ROOT / room / "README.md").is_file()


def test_no_file_names_a_package_registry() -> None:
    named = {name: found.group() for name, text in texts() if (found := _REGISTRY.search(text))}
    assert named == {}


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    named = {
        name: found.group()
        for name, text in texts()
        if name != "tests/test_architecture.py" and (found := _MACHINE_PATH.search(text))
    }
    assert named == {}


def test_the_time_is_asked_in_one_place() -> None:
    asked = {
        name for name, text in modules() if name.startswith(("app", "billing", "metering")) and _CLOCK.search(text)
    }
    assert asked <= _MAY_ASK_THE_TIME


def test_files_stay_readable() -> None:
    long = {name: lines for name, text in modules() if (lines := text.count("\n")) > _LONGEST_FILE}
    assert long == {}


def test_functions_stay_readable() -> None:
    long = [
        f"{name} {node.name}"
        for name, text in modules()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and _body_lines(node) > _LONGEST_FUNCTION
    ]
    assert set(long) <= set(_LONG_WITH_A_REASON)


def _body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    body = node.body[1:] if ast.get_docstring(node) else node.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.slow
def test_the_base_install_is_the_agents(tmp_path: Path) -> None:
    """A clean environment with the agent's requirements alone runs the agent, and holds none of the service's."""
    environment, tools = tmp_path / "agent", Path(sys.executable).parent
    uv, python = tools / "uv", environment / "bin" / "python"
    settings = {**os.environ, "VIRTUAL_ENV": str(environment)}
    if Path("/etc/ssl/certs/ca-certificates.crt").exists():
        # Trust what the system trusts, as `make setup` does.
        settings.setdefault("UV_SYSTEM_CERTS", "1")

    def do(*command: str | Path) -> str:
        done = subprocess.run(command, capture_output=True, text=True, env=settings, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    do(sys.executable, "-m", "venv", "--without-pip", environment)
    install = (uv, "pip", "install", "--quiet", "--python", python)
    do(*install, "--require-hashes", "-r", ROOT / "requirements" / "agent.txt")
    site = Path(do(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'), end='')"))
    (site / "spindleshare.pth").write_text(str(ROOT))
    listed = do(uv, "pip", "list", "--python", python).lower()
    absent = ("pandas", "sqlalchemy", "psycopg", "litestar", "pydantic-settings", "stripe", "typst", "lxml")
    assert [name for name in absent if re.search(rf"^{name}\b", listed, re.M)] == []
    assert "usage" in do(python, "-m", "machine_agents", "--help").lower()
    pure = ("chain", "ocmf", "period", "reading", "register", "spectrum", "usage", "wear")
    do(python, "-c", f"import {', '.join(f'metering.{name}' for name in pure)}")
