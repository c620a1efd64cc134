"""What Jupyter Book's pages need to be light, silent, quick to search from disk, and usable with a screen reader.

The theme offers no setting for these. They are applied to the finished pages, where a test in a browser sees them.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
from pathlib import Path

#: Each is taken out of a page: scripts of icons that a font draws already, and of thebe, which is off.
_TAKEN_OUT = (
    re.compile(r'\s*<script defer src="[^"]*/?fontawesome\.js[^"]*"></script>'),
    re.compile(r'\s*<script type="text/x-thebe-config">.*?</script>\s*<script>kernelName = .*?</script>', re.S),
    re.compile(r'\s*<meta name="docsearch:[^>]*>'),
    # What stands in it has no role of its own.
    re.compile(r'(?<=<div) role="list"(?= class="citation-list")'),
    # The label hides the words that the button shows.
    re.compile(r'(?<=<summary) aria-label="Toggle hidden content"'),
    re.compile(r'(?<=search-button-field search-button__button pst-js-only") title="Search" aria-label="Search"'),
)
#: Files of the theme that no page loads: maps of sources, and translations, which are in the pages already.
_UNUSED = frozenset({".map", ".mo", ".po"})
#: Fonts of icons that few pages show, if any, and the classes of such icons.
_ICONS = {
    f"fa-{family}-400.woff2": re.compile(rf'class="[^"]*\b(?:fa-{family}|{short})\b')
    for family, short in {"brands": "fab", "regular": "far"}.items()
}
#: Scripts that search: 0.4 MB, which only the page of the search uses.
_SEARCHING = re.compile(r'\s*<script src="[^"]*(?:searchtools|language_data|searchindex)\.js[^"]*"></script>')
#: Styles and a script of cards and tabs, for pages that have none.
_CARDS = re.compile(r'\s*<(?:link [^>]*href="[^"]*sphinx-design|script [^>]*src="[^"]*design-tabs)[^>]*>(?:</script>)?')
#: A word of code within an element that marks it up: the element alone does.
_WITHIN_MARKED = re.compile(r'(<span class="[^"]+">)<span class="pre">([^<]*)</span>(?=</span>)')
#: The address that a page leads to at once, what a page tells of itself, and such a page with it.
_LEADS = re.compile(r'http-equiv="Refresh" content="0; url=([^"]+)"', re.I)
_SHARED = re.compile(r'<meta (?:property="og:|name="description"|name="twitter:)[^>]*>|<link rel="icon"[^>]*>')
_LEAD = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8">
{told}
<meta http-equiv="Refresh" content="0; url={address}"></head>
<body><a href="{address}">The first page</a></body></html>
"""
_SUMMARY_OF_SECTIONS = re.compile(r'<summary>(?=<span class="toctree-toggle")')
_ARTICLE = re.compile(r'<article class="bd-article"[^>]*>(.*?)</article>', re.S)
_UNREAD = re.compile(r'<(script|style|nav)\b.*?</\1>|<a class="headerlink".*?</a>|<[^>]+>', re.S)


def finish(pages: Path, source: Path) -> None:
    """Finish a folder of HTML in place: pages, static files, and the texts that the search shows excerpts of.

    ``source`` is the repository. Its notebooks, which a reader can run, replace the executed ones among the files that
    pages offer for download: their outputs are on the pages. Pages that are generated offer none.
    """
    texts = {}
    for path in sorted(pages.rglob("*.html")):
        if "_static" in path.relative_to(pages).parts:
            continue
        written = path.read_text(encoding="utf-8")
        searches = path == pages / "search.html"
        path.write_text(_finished(written if searches else _SEARCHING.sub("", written)), encoding="utf-8")
        if path.parent != pages:  # those are lists of words and names: the search finds what they lead to
            texts[path.relative_to(pages).with_suffix("").as_posix()] = _text(written)
    shutil.copyfile(source / "book" / "_search" / "search_from_disk.js", pages / "_static" / "search_from_disk.js")
    _introduce(pages)
    _write_search_texts(pages, {name: text for name, text in texts.items() if text})
    _drop_index_of_names(pages / "searchindex.js")
    _drop_unused(pages)
    for executed in (pages / "_sources" / "notebooks").glob("*.ipynb"):
        shutil.copyfile(source / "notebooks" / executed.name, executed)
    shutil.rmtree(pages / "_sources" / "_generated", ignore_errors=True)  # of these pages the repository has no file


def _finished(page: str) -> str:
    """Return a page without what is not used, its buttons named."""
    for pattern in _TAKEN_OUT:
        page = pattern.sub("", page)
    if not re.search(r'class="(?:[^"]* )?sd-', page):
        page = _CARDS.sub("", page)
    page = _WITHIN_MARKED.sub(r"\1\2", page)
    return _SUMMARY_OF_SECTIONS.sub('<summary aria-label="Show or hide the pages below">', page)


def _introduce(pages: Path) -> None:
    """Give the page that leads to the first one what that one tells those who share or bookmark the book's address."""
    lead = pages / "index.html"
    target = _LEADS.search(lead.read_text(encoding="utf-8"))
    if target:
        first = (pages / target[1]).read_text(encoding="utf-8")
        tags = [re.search(r"<title>.*?</title>", first, re.S), *_SHARED.finditer(first)]
        told = "\n".join(tag[0].replace('href="../', 'href="') for tag in tags if tag)
        text = _LEAD.format(told=told, address=target[1])
        lead.write_text(text, encoding="utf-8")


def _text(page: str) -> str:
    """Return the words of a page's article, still escaped; empty where there is none."""
    article = _ARTICLE.search(page)
    return " ".join(_UNREAD.sub(" ", article[1]).split()) if article else ""


def _write_search_texts(pages: Path, texts: dict[str, str]) -> None:
    """Give the search page the texts of all pages, gzipped: a browser lets no page read another one from disk."""
    content = json.dumps(texts, ensure_ascii=False, separators=(",", ":")).encode()
    letters = base64.b64encode(gzip.compress(content, 9, mtime=0)).decode()
    (pages / "_static" / "search_texts.js").write_text(f'const SEARCH_TEXTS = "{letters}";\n', encoding="utf-8")
    search = pages / "search.html"
    scripts = "".join(f'<script src="_static/{name}.js"></script>\n' for name in ("search_texts", "search_from_disk"))
    search.write_text(search.read_text(encoding="utf-8").replace("</head>", scripts + "</head>", 1), encoding="utf-8")


def _drop_index_of_names(path: Path) -> None:
    """Leave in the index of the search what it finds: names of functions are in it twice, as objects and as entries."""
    head, index = path.read_text(encoding="utf-8").split("(", 1)
    found = json.loads(index.rstrip(";\n").removesuffix(")")) | {"indexentries": {}}
    text = json.dumps(found, ensure_ascii=False, separators=(",", ":"))
    path.write_text(f"{head}({text})", encoding="utf-8")


def _drop_unused(pages: Path) -> None:
    """Remove static files that no page loads: maps of sources, scripts and fonts of icons, the theme's translations."""
    words = "".join(page.read_text(encoding="utf-8") for page in pages.rglob("*.html"))
    for path in [path for path in (pages / "_static").rglob("*") if path.is_file()]:
        unused_font = path.suffix == ".ttf" and path.with_suffix(".woff2").is_file()
        unused_font |= path.name in _ICONS and not _ICONS[path.name].search(words)
        if path.suffix in _UNUSED or path.name == "fontawesome.js" or unused_font:
            path.unlink()
