"""What the browser of :mod:`helpers.runs.printed` is asked for, and what is said where it is missing or fails."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from helpers.errors import RunError
from helpers.runs import printed

BROWSER = """#!/bin/sh
for option in "$@"; do
  case "$option" in
    --screenshot=*) echo "picture of $*" > "${option#--screenshot=}";;
    --print-to-pdf=*) echo "pages of $*" > "${option#--print-to-pdf=}";;
  esac
done
"""


@pytest.fixture
def browser(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in place of Chromium, the only one there."""
    program = tmp_path / "bin" / "chromium"
    program.parent.mkdir()
    program.write_text(BROWSER)
    program.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(program) if name == "chromium" else None)
    return program


def test_a_picture_is_taken_of_a_window_of_this_size(browser, tmp_path):
    target = printed.take_picture(tmp_path / "a.html", tmp_path / "a.png", 900, 700)
    said = target.read_text()
    assert "--window-size=900,700" in said and f"file://{tmp_path}/a.html" in said and "--headless" in said


def test_without_a_browser_the_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RunError, match="no Chromium to print with: install the package chromium"):
        printed.take_picture(tmp_path / "a.html", tmp_path / "a.png", 900, 700)


def test_a_browser_that_writes_nothing_is_an_error_with_its_words(browser, tmp_path):
    browser.write_text("#!/bin/sh\necho out of memory >&2\nexit 1\n")
    with pytest.raises(RunError, match="Chromium printed nothing: out of memory"):
        printed.take_picture(tmp_path / "a.html", tmp_path / "a.png", 900, 700)
