"""The whole book as one PDF, printed by a headless Chromium from the built pages.

``python -m helpers.runs.printed`` prints ``_build/html`` to ``_build/book.pdf``: the pages of the table of contents in
their order, without the code reference, with the run at the foot of each sheet.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from helpers.config import project_root, read_yaml
from helpers.errors import RunError
from helpers.runs.files import written_whole

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_ARTICLE = re.compile(r'<article class="bd-article"[^>]*>.*?</article>', re.S)
#: What the theme prints above an article, the contents of its page, and how an article begins.
_CONTENTS = re.compile(r'(?<=<div id="jb-print-toc">).*?<nav[^>]*>(.*?)</nav>', re.S)
_TITLE = re.compile(
    r'<section[^>]* id="([^"]+)">\s*(?:<span[^>]*></span>\s*)*<h1>(.*?)(?:<a class="headerlink"|</h1>)', re.S
)
#: Each article begins on a sheet of its own. The theme hides the title of a page, which it prints above the first one.
_STYLE = (
    "<style>@media print { article ~ article { break-before: page } "
    "article ~ article h1:first-of-type { display: block !important } }</style>"
)


def print_book(book: Path, target: Path) -> Path:
    """Print a built book; return the path of the PDF.

    RunError is raised if the book is not built, no Chromium is there, or it prints nothing.
    """
    browser = _browser()
    if not (book / "index.html").is_file():
        raise RunError(f"no book in {book}: `make book` builds one")
    # It stands beside the other pages, so that pictures and styles are found.
    with tempfile.NamedTemporaryFile("w", dir=book / "book", suffix=".html", encoding="utf-8") as whole:
        whole.write(_one_page(book))
        whole.flush()
        with written_whole(target) as partial:
            options = ["--no-pdf-header-footer", "--generate-pdf-document-outline", f"--print-to-pdf={partial}"]
            _ask(browser, Path(whole.name), partial, options)
    return target


def take_picture(page: Path, target: Path, width: int, height: int) -> Path:
    """Take a picture of the top of a page in a window of this size, in pixels, as PNG; return its path.

    RunError is raised if no Chromium is there, or it takes none.
    """
    options = ["--hide-scrollbars", f"--window-size={width},{height}", f"--screenshot={target}"]
    _ask(_browser(), page, target, options)
    return target


def _one_page(book: Path) -> str:
    """Return the pages of the contents as one: the first with the articles of all, and their titles as its contents."""
    toc = read_yaml(project_root() / "_toc.yml")
    names = [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]
    texts = {name: (book / f"{name}.html").read_text(encoding="utf-8") for name in names}
    articles = [found[0] for found in (_ARTICLE.search(text) for text in texts.values()) if found]
    titles = [found.groups() for found in map(_TITLE.search, articles) if found]
    listed = "".join(f'<li class="toc-entry"><a href="#{place}">{title}</a></li>' for place, title in titles[1:])
    contents = f'<h2>Contents</h2><nav><ul class="section-nav">{listed}</ul></nav>'
    first = _CONTENTS.sub(lambda _: contents, texts[names[0]], count=1)
    return _ARTICLE.sub(lambda _: _STYLE + "\n".join(articles), first, count=1)


def _browser() -> str:
    """Return the command of a Chromium."""
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        raise RunError("no Chromium to print with: install the package chromium, or print pages from your own browser")
    return browser


def _ask(browser: str, page: Path, target: Path, options: list[str]) -> None:
    """Let a browser without a window write a file of a page."""
    with tempfile.TemporaryDirectory() as profile:
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}"]
        command += ["--virtual-time-budget=60000", *options, f"file://{page}"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    if done.returncode or not target.is_file() or not target.stat().st_size:
        raise RunError(f"Chromium printed nothing: {done.stderr.strip()[-500:]}")


def main() -> int:
    """Run ``python -m helpers.runs.printed``; return the exit code."""
    built = project_root() / "_build"
    try:
        print(f"printed: {print_book(built / 'html', built / 'book.pdf')}")
    except RunError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
