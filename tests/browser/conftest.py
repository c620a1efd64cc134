"""A browser with the network cut, and the pages that it opens from disk.

The tests are skipped, and say what is missing, where Playwright, Chromium or axe is not there: `make test-book`
installs them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_tools import axe, chromium

#: Milliseconds that a slow machine may take: none of them is a time that a test asks for.
PATIENCE = 120_000


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


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Open a page from disk; when the test ends, nothing was asked of the network and the console was silent."""
    contexts, problems = [], []

    def opened(path: Path, width: int = 1280, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text))
        page.on("request", lambda request: request.url.startswith("http") and problems.append(request.url))
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not problems
