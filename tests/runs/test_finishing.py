"""Finished pages are light, named and quick to search; a site of several books leads from each to the others."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path

import pytest

from helpers.config import project_root
from helpers.errors import RunError
from helpers.runs.finishing import finish
from helpers.runs.site import assemble

PAGE = """<html><head><title>Rain</title><meta property="og:title" content="Rain" />
<meta property="og:image" content="https://a.example/rain.png" /><meta name="description" content="It rains." />
<link rel="icon" href="../_static/logo.svg"/>
  <script defer src="../_static/scripts/fontawesome.js?digest=1"></script>
<script src="kept.js"></script><script src="../searchindex.js"></script></head><body>
<details><summary><span class="toctree-toggle"></span></summary></details>
<details><summary aria-label="Toggle hidden content"><p>Show code</p></summary></details>
<article class="bd-article"><h1>Rain<a class="headerlink" href="#x">#</a></h1>
<p>NPP &lt; Rs</p><script>no()</script>how far<i class="fab fa-github"></i></article>
<div class="extra_footer">run</div></body></html>"""


def book_in(folder: Path, *names: str) -> Path:
    """Write pages, and the static files of a theme."""
    for name in ("index", "search", "404", *names):
        page = folder / f"{name}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(PAGE, encoding="utf-8")
    icons = ("scripts/fontawesome.js", "fa-solid-900.woff2", "fa-brands-400.woff2", "fa-regular-400.woff2")
    for name in (*icons, "a.css", "a.css.map", "f.ttf", "f.woff2", "old.ttf", "locales/de/words.po"):
        (folder / "_static" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "_static" / name).write_text("x", encoding="utf-8")
    index = {
        "terms": {"rain": 0},
        "objects": {"helpers": [["rain"]]},
        "indexentries": {"rain() (function)": [[0, "x"]]},
    }
    (folder / "searchindex.js").write_text(f"Search.setIndex({json.dumps(index)})", encoding="utf-8")
    leads = '<meta http-equiv="Refresh" content="0; url=book/rain.html" />'
    (folder / "index.html").write_text(leads, encoding="utf-8")
    return folder


@pytest.fixture
def finished(tmp_path):
    """A finished folder of pages."""
    finish(book_in(tmp_path, "book/rain"), project_root())
    return tmp_path


def test_a_page_loads_no_scripts_of_icons_and_keeps_the_others(finished):
    page = (finished / "book" / "rain.html").read_text()
    assert "fontawesome" not in page
    assert "kept.js" in page


def test_only_the_page_of_the_search_loads_the_index_of_all_words(finished):
    assert "searchindex.js" not in (finished / "book" / "rain.html").read_text()
    assert "searchindex.js" in (finished / "search.html").read_text()


@pytest.mark.parametrize(("card", "kept"), [('<div class="x sd-card"></div>', 2), ('<td class="nep_sd-low"></td>', 0)])
def test_only_a_page_with_cards_loads_their_styles(tmp_path, card, kept):
    page = book_in(tmp_path, "a", "book/rain") / "a.html"
    styles = '<link rel="stylesheet" href="_static/sphinx-design.min.css?v=1" />'
    script = '<script data-sd-tabs="x" src="_static/design-tabs.js?v=1"></script>'
    page.write_text(f"{styles}{script}{PAGE}{card}", encoding="utf-8")
    finish(tmp_path, project_root())
    assert page.read_text().count("design") == kept and "kept.js" in page.read_text()


def test_a_word_of_code_is_marked_up_once(tmp_path):
    page = book_in(tmp_path, "a", "book/rain") / "a.html"
    marked = '<em class="sig-param"><span class="n"><span class="pre">x</span></span></em>'
    page.write_text(f'{PAGE}<code><span class="pre">--config</span></code>{marked}', encoding="utf-8")
    finish(tmp_path, project_root())
    assert page.read_text().endswith(
        '<code><span class="pre">--config</span></code><em class="sig-param"><span class="n">x</span></em>'
    )


def test_what_opens_and_closes_is_named_by_what_it_shows(finished):
    page = (finished / "book" / "rain.html").read_text()
    assert '<summary aria-label="Show or hide the pages below">' in page
    assert "Toggle hidden content" not in page


def test_only_files_that_pages_load_are_left(finished):
    left = {path.relative_to(finished / "_static").as_posix() for path in (finished / "_static").rglob("*.*")}
    used = {"fa-solid-900.woff2", "fa-brands-400.woff2"}
    assert left == {"a.css", "f.woff2", "old.ttf", "search_texts.js", "search_from_disk.js", *used}


def test_the_search_has_the_words_of_each_article_and_no_code(finished):
    texts = (finished / "_static" / "search_texts.js").read_text()
    packed = texts.removeprefix('const SEARCH_TEXTS = "').removesuffix('";\n')
    words = json.loads(gzip.decompress(base64.b64decode(packed)))
    assert words == {"book/rain": "Rain NPP &lt; Rs how far"}
    search = (finished / "search.html").read_text()
    assert search.index("search_texts.js") < search.index("search_from_disk.js") < search.index("</head>")


def test_the_index_of_the_search_has_words_and_objects_and_no_name_twice(finished):
    index = (finished / "searchindex.js").read_text()
    assert index.startswith("Search.setIndex({") and index.endswith(',"indexentries":{}})')
    assert '"terms":{"rain":0}' in index and '"objects":{"helpers":[["rain"]]}' in index


def test_a_page_of_a_site_leads_to_the_same_page_of_the_other_book(tmp_path):
    books = {"open": book_in(tmp_path / "a", "book/rain", "book/own"), "virtual": book_in(tmp_path / "b", "book/rain")}
    index = assemble(books, tmp_path / "site")
    assert 'url=open/book/rain.html"' in index.read_text()
    rain = (tmp_path / "site" / "open" / "book" / "rain.html").read_text()
    assert '<strong>open</strong> · <a href="../../virtual/book/rain.html">virtual</a>' in rain
    own = (tmp_path / "site" / "open" / "book" / "own.html").read_text()
    assert '<a href="../../virtual/index.html">virtual</a>' in own


def test_the_books_own_address_says_what_its_first_page_is(finished):
    lead = (finished / "index.html").read_text()
    assert "<title>Rain</title>" in lead and 'content="It rains."' in lead and "rain.png" in lead
    assert 'href="_static/logo.svg"' in lead and "url=book/rain.html" in lead


def test_what_pages_say_of_their_address_holds_in_the_folder_of_their_book(tmp_path):
    books = {name: book_in(tmp_path / name, "book/rain") for name in ("open", "virtual")}
    assemble(books, tmp_path / "site", "https://a.example")
    for name in books:
        page = (tmp_path / "site" / name / "book" / "rain.html").read_text()
        assert f'content="https://a.example/{name}/rain.png"' in page
    assert "https://a.example/open/rain.png" in (tmp_path / "site" / "404.html").read_text()


def test_a_site_without_one_of_its_books_is_not_made(tmp_path):
    with pytest.raises(RunError, match="no book of 'virtual'.*make book CONFIG=virtual"):
        assemble({"open": book_in(tmp_path / "a"), "virtual": tmp_path / "b"}, tmp_path / "site")
    assert not (tmp_path / "site").exists()
