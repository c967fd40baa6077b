"""What `spindleshare doctor` looks at. Each check answers in one line, and a wrong one says what to do."""

import importlib.util
import os
import platform
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from app.settings import Settings

_NEEDED_MIB = 500
_OLDEST_PYTHON = (3, 11)


class State(StrEnum):
    """`note`: works, but something is worth knowing."""

    OK = "ok"
    NOTE = "note"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; `remedy` says what to do, empty where nothing is."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def all_checks(settings: Settings) -> Iterator[Check]:
    """Every check, cheapest first."""
    yield _python()
    yield _system()
    yield _folder(settings.data_folder)
    yield _disk(settings.data_folder)
    yield _port(settings)
    yield _fonts()
    yield _stripe(settings)
    yield from _database(settings)
    yield _tool("node", "tests against the OPC UA stack node-opcua", "node", "nodejs")
    yield _tool("chromium", "tests in a browser", "chromium", "chromium-browser", "google-chrome")


def _python() -> Check:
    found = platform.python_version()
    if sys.version_info < _OLDEST_PYTHON:
        return Check("python", State.WRONG, found, "install Python 3.11 or newer, then `make clean setup`")
    return Check("python", State.OK, f"{found} in {sys.prefix}")


def _system() -> Check:
    found = f"{platform.system()} {platform.machine()}"
    if platform.system() not in {"Linux", "Darwin"}:
        return Check("system", State.WRONG, found, "use Linux or macOS (on Windows: the Linux subsystem)")
    return Check("system", State.OK, found)


def _folder(folder: Path) -> Check:
    where = str(folder.resolve())
    existing = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    if not os.access(existing, os.W_OK | os.X_OK):
        return Check(
            "data folder", State.WRONG, f"{where} cannot be written", "set SPINDLESHARE_DATA_FOLDER to another"
        )
    return Check("data folder", State.OK, where if folder.exists() else f"{where} (made at first use)")


def _disk(folder: Path) -> Check:
    existing = next(path for path in (folder.resolve(), *folder.resolve().parents) if path.exists())
    free = shutil.disk_usage(existing).free // 2**20
    if free < _NEEDED_MIB:
        remedy = "free some, or set SPINDLESHARE_DATA_FOLDER to another disk"
        return Check("disk", State.WRONG, f"{free} MiB free, {_NEEDED_MIB} needed", remedy)
    return Check("disk", State.OK, f"{free} MiB free")


def _port(settings: Settings) -> Check:
    where = f"{settings.host}:{settings.port}"
    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            if _is_served_by_us(settings):
                return Check("port", State.OK, f"{where}: the service is running")
            detail = f"{where}: {error.strerror}"
            return Check(
                "port", State.WRONG, detail, "end the program that has it, or set SPINDLESHARE_PORT to another"
            )
    return Check("port", State.OK, f"{where} is free")


def _is_served_by_us(settings: Settings) -> bool:
    import httpx

    try:
        answer = httpx.get(f"http://{settings.host}:{settings.port}/api/health", timeout=3)
        return answer.status_code == 200 and "status" in answer.json()
    except (httpx.HTTPError, ValueError):
        return False


def _fonts() -> Check:
    missing = [name for name in ("typst", "noto_cjk_sans_otc") if importlib.util.find_spec(name) is None]
    if missing:
        return Check("documents", State.WRONG, f"missing: {', '.join(missing)}", "run `make setup` again")
    return Check("documents", State.OK, "typesetter and fonts are there")


def _stripe(settings: Settings) -> Check:
    key, secret = settings.stripe_key.get_secret_value(), settings.stripe_webhook_secret.get_secret_value()
    if not key:
        return Check("cards", State.NOTE, "no card payments", "set SPINDLESHARE_STRIPE_KEY to take them")
    if not secret:
        remedy = "set SPINDLESHARE_STRIPE_WEBHOOK_SECRET: without it no payment is believed"
        return Check("cards", State.WRONG, "no secret for Stripe's messages", remedy)
    return Check("cards", State.OK, settings.stripe_base or "Stripe")


def _tool(name: str, purpose: str, *programs: str) -> Check:
    found = next((path for path in map(shutil.which, programs) if path), None)
    return Check(name, State.OK, found) if found else Check(name, State.NOTE, f"not there: no {purpose}", "`make test`")


def _database(settings: Settings) -> Iterator[Check]:
    from app.cli.database_checks import database_checks

    yield from database_checks(settings)
