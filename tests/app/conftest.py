"""A running service for the tests of pages."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.database import Database
from tests.app.site import Site, open_site


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Iterator[Site]:
    """The service over HTTP on a filled database of this test's own."""
    with open_site(database, tmp_path) as opened:
        yield opened
