"""The real book in a browser: all that :mod:`test_virtual_pages` asks of the simulated one."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_virtual_pages import *  # noqa: F403  (the same tests, collected again with the fixture below)


@pytest.fixture(scope="module")
def book(open_book: Path) -> Path:
    """The folder of pages."""
    return open_book
