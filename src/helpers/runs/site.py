"""Several books on one site, each page with a switch to the same page of the others.

``python -m helpers.runs.site _build/site open=FOLDER virtual=FOLDER`` copies built books side by side. The first is
what the site's address shows.
"""

from __future__ import annotations

import html
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from helpers.config import project_root, read_yaml
from helpers.errors import RunError
from helpers.runs.files import written_whole

_FOOTER = re.compile(r'(?=<div class="extra_footer">)')


def assemble(books: Mapping[str, Path], target: Path, address: str = "") -> Path:
    """Copy built books, by their names, into a folder of their own name each; return the site's first page.

    Each page says which book it is of, and leads to the same page of the others, or to their first one. Where pages
    name the address at which the books are published, it becomes that of their folder. RunError is raised if a book is
    not there.
    """
    for name, book in books.items():
        if not (book / "index.html").is_file():
            raise RunError(f"no book of {name!r} in {book}: `make book CONFIG={name}` builds one")
    with written_whole(target, lasting=False) as partial:
        for name, book in books.items():
            shutil.copytree(book, partial / name)
            for page in (partial / name).rglob("*.html"):
                _add_switch(page, page.relative_to(partial / name), name, books)
                if address:
                    _move(page, address.rstrip("/") + "/", name)
        first = next(iter(books))
        shutil.copyfile(partial / first / "404.html", partial / "404.html")
        lead = (partial / first / "index.html").read_text(encoding="utf-8")
        lead = re.sub(r'(\burl=|href=")(?!https?:)', rf"\g<1>{first}/", lead)
        (partial / "index.html").write_text(lead, encoding="utf-8")
    return target / "index.html"


def _add_switch(page: Path, place: Path, own: str, books: Mapping[str, Path]) -> None:
    """Add the switch to a page that stands at a place of its book."""
    links = []
    for name, book in books.items():
        other = place if (book / place).is_file() else Path("index.html")
        address = Path(os.path.relpath(Path(name) / other, (Path(own) / place).parent)).as_posix()
        links.append(f"<strong>{name}</strong>" if name == own else f'<a href="{html.escape(address)}">{name}</a>')
    switch = f'<nav class="book-switch" aria-label="Other books">This book: {" · ".join(links)}</nav>\n'
    page.write_text(_FOOTER.sub(switch, page.read_text(encoding="utf-8"), count=1), encoding="utf-8")


def _move(page: Path, address: str, name: str) -> None:
    """Let what a page says of its own address hold in the folder of its book."""
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace(f'"{address}', f'"{address}{name}/'), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``python -m helpers.runs.site``; return the exit code."""
    target, *named = sys.argv[1:] if arguments is None else arguments
    books = {name: Path(folder) for name, _, folder in (pair.partition("=") for pair in named)}
    try:
        address = read_yaml(project_root() / "_config.yml")["html"]["baseurl"]
        print(f"site: {', '.join(books)} -> {assemble(books, Path(target), address)}")
    except RunError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
