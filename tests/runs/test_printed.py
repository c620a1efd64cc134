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
    --print-to-pdf=*) target="${option#--print-to-pdf=}";;
    file://*) test -z "$target" || cat "${option#file://}" > "$target";;
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


PAGE = """<div id="jb-print-docs-body"><h1>{0}</h1><div id="jb-print-toc"><div><h2> Contents </h2></div>
<nav aria-label="Page"><ul><li>own part</li></ul></nav></div></div>
<article class="bd-article">
<section class="tex2jax_ignore" id="about-{0}">
<span id="other"></span><h1>{0}<a class="headerlink" href="#about-{0}">#</a></h1><p>text of {0}</p>
</section></article>"""


def test_the_printed_book_has_all_pages_in_order_and_their_titles_as_contents(browser, tmp_path, monkeypatch):
    monkeypatch.setenv("QTP_BOOK_ROOT", str(tmp_path))
    chapters = "".join(f"      - file: {name}\n" for name in ("notebooks/rain", "book/snow"))
    (tmp_path / "_toc.yml").write_text(f"root: book/intro\nparts:\n  - chapters:\n{chapters}")
    for name in ("index", "book/intro", "notebooks/rain", "book/snow"):
        (tmp_path / "html" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "html" / f"{name}.html").write_text(PAGE.format(name.rpartition("/")[2]))
    text = printed.print_book(tmp_path / "html", tmp_path / "book.pdf").read_text()
    places = [text.index(f"text of {name}") for name in ("intro", "rain", "snow")]
    assert places == sorted(places) and text.count("<article") == 3
    contents = text[: text.index("<article")]
    assert '<a href="#about-rain">rain</a></li><li class="toc-entry"><a href="#about-snow">snow</a>' in contents
    assert "own part" not in contents and "article ~ article h1:first-of-type { display: block !important }" in text


def test_without_a_browser_the_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(RunError, match="no Chromium to print with: install the package chromium"):
        printed.take_picture(tmp_path / "a.html", tmp_path / "a.png", 900, 700)


def test_a_browser_that_writes_nothing_is_an_error_with_its_words(browser, tmp_path):
    browser.write_text("#!/bin/sh\necho out of memory >&2\nexit 1\n")
    with pytest.raises(RunError, match="Chromium printed nothing: out of memory"):
        printed.take_picture(tmp_path / "a.html", tmp_path / "a.png", 900, 700)
