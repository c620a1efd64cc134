"""A browser with the network cut, and the pages that it opens from disk.

The tests are skipped, and say what is missing, where Playwright, Chromium or axe is not there: `make test-book`
installs them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browser_tools import axe, chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright is missing: `make test-book` installs it"
    )
    program = chromium()
    if program is None:
        pytest.skip("Chromium is missing: `make test-book` installs it on Debian and Ubuntu as root")
    with playwright.sync_playwright() as started:
        # Without its sandbox it also runs as root, in a container; it only reads this book's own pages.
        opened = started.chromium.launch(executable_path=str(program), args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def axe_script() -> str:
    """The source of axe, which looks for what keeps people out of a page."""
    path = axe()
    if path is None:
        pytest.skip("axe is missing: `make test-book` fetches it by npm")
    return path.read_text(encoding="utf-8")
