"""The built pages: whole, free of outside addresses, and saying where they come from.

The fixture builds with warnings as errors, so a broken reference, a missing number or a bad docstring fails it.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import yaml
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[2]
LOADING = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "audio": "src",
    "video": "src",
    "embed": "src",
}


class Loads(HTMLParser):
    """Collects the addresses that a browser loads with a page."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.in_script = tag == "script"
        if tag == "link" and {"stylesheet", "icon", "preload", "preconnect"} & set((values.get("rel") or "").split()):
            self.addresses.append(values.get("href") or "")
        if tag in LOADING:
            self.addresses.append(values.get(LOADING[tag]) or "")

    def handle_endtag(self, tag: str) -> None:
        self.in_script = False

    def handle_data(self, data: str) -> None:
        if self.in_script:
            self.addresses += re.findall(r"https?://[^\s\"']+", data)


def pages() -> list[str]:
    """Return the pages of the table of contents."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    return [toc["root"], *(chapter["file"] for part in toc["parts"] for chapter in part["chapters"])]


@pytest.fixture(params=pages())
def page(request: pytest.FixtureRequest, virtual_book: Path) -> str:
    """The text of each page."""
    return (virtual_book / f"{request.param}.html").read_text(encoding="utf-8")


def test_a_page_loads_nothing_from_other_hosts(page):
    loads = Loads()
    loads.feed(page)
    assert not [address for address in loads.addresses if re.match(r"(https?:)?//", address)]


def test_a_page_of_a_simulated_world_says_so(page):
    assert "<strong>Simulated:</strong>" in page


def test_a_page_names_the_run_that_it_comes_from(page):
    assert "run virtual · configuration virtual" in page


@pytest.mark.parametrize("name", ["intro", "data", "methods", "claims_audit"])
def test_numbers_in_the_prose_are_numbers_of_the_run(virtual_book, name):
    page = (virtual_book / "book" / f"{name}.html").read_text(encoding="utf-8")
    glued = re.findall(r'class="pasted-text">([^<]*)<', page)
    assert glued and not [text for text in glued if re.search(r"nan|None|np\.|^\s*$", text)]


def test_style_sheets_load_nothing_from_other_hosts(virtual_book):
    sheets = [path for path in virtual_book.rglob("*.css")]
    assert not [path.name for path in sheets if re.search(r"(url\(|@import)\s*['\"]?https?:", path.read_text())]


def test_equations_stand_on_the_pages_with_their_tex_and_no_script_draws_them(virtual_book):
    pages = {path: path.read_text(encoding="utf-8") for path in virtual_book.rglob("*.html")}
    counted = {path: (text.count('class="math '), text.count('<math alttext="')) for path, text in pages.items()}
    assert all(places == equations for places, equations in counted.values())
    assert sum(equations for _, equations in counted.values()) > 60
    assert not [path for path, text in pages.items() if re.search(r'<script[^>]* src="[^"]*mathjax', text, re.I)]
    assert not (virtual_book / "_static" / "mathjax").exists()


def test_equations_carry_the_numbers_of_the_paper(virtual_book):
    page = (virtual_book / "book" / "methods.html").read_text()
    assert re.findall(r'class="eqno">\((\d+)\)', page) == [str(number) for number in range(1, 9)]


def test_the_explorer_is_one_page_of_less_than_4_mb(virtual_book):
    page = virtual_book / "book" / "explorer.html"
    assert 5e5 < page.stat().st_size < 4e6 and "explorer.html" in (virtual_book / "book" / "intro.html").read_text()


def test_the_first_page_leads_to_the_introduction(virtual_book):
    assert "book/intro.html" in (virtual_book / "index.html").read_text()


def test_each_page_tells_what_it_is_and_that_it_is_simulated(virtual_book):
    for path in virtual_book.rglob("*.html"):
        if "_static" not in path.parts and path.stem not in ("404", "search"):  # nobody shares these
            page = BeautifulSoup(path.read_text(encoding="utf-8").partition("</head>")[0], "html.parser")
            told = {tag.get("property", tag.get("name")): tag.get("content", "") for tag in page.select("meta")}
            assert told["og:site_name"] == "Is the Qinghai-Tibet Plateau a carbon sink?" and told["og:title"], path
            assert told["description"].startswith("Simulated: ") and len(told["description"]) > 25, path
            assert (path.parent / page.select_one('link[rel="icon"]')["href"]).is_file()


def test_each_figure_and_table_of_a_notebook_has_number_caption_and_files_that_are_there(virtual_book):
    counted = 0
    for path in sorted((virtual_book / "notebooks").glob("*.html")):
        page = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        assert not page.select("img[src*=_images]"), f"{path.stem}: a figure without the run's save_figure"
        for block in page.select("figure.shown, .shown-table"):
            counted += 1
            number, words = block.select_one(".caption-number").text, block.select_one(".caption-text").text
            assert re.fullmatch(rf"(Figure|Table) {int(path.stem[:2])}\.\d+ ", number) and len(words) > 10
            links = [link["href"] for link in block.select(".shown-links a")]
            assert links and all((path.parent / link).is_file() for link in links)
            assert all((path.parent / image["src"]).is_file() and image["alt"] for image in block.select("img"))
    assert counted > 60


def test_no_row_of_a_table_stands_outside_of_it(virtual_book):
    for path in virtual_book.glob("book/*.html"):
        soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        assert not [words.text[:80] for words in soup.select("article p") if words.text.lstrip().startswith("|")], path


def test_each_page_offers_the_file_that_it_was_written_in_if_the_repository_has_one(virtual_book):
    offering = 0
    for path in [*virtual_book.glob("book/*.html"), *virtual_book.rglob("_generated/**/*.html")]:
        soup = BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")
        links = [link["href"] for link in soup.select('a[href*="_sources/"]')]
        assert all((path.parent / link).is_file() for link in links), path
        assert bool(links) is (path.parent.name == "book"), path
        offering += bool(links)
    assert offering > 10 and not (virtual_book / "_sources" / "_generated").exists()


def test_a_simulated_world_is_compared_with_its_truth_and_not_with_published_numbers(virtual_book):
    for name in ("05_comparison", "06_uncertainty", "09_evidence"):
        page = (virtual_book / "notebooks" / f"{name}.html").read_text(encoding="utf-8")
        assert not re.findall(r'id="(?:fig|tab)-(?:published[\w-]*|towers[\w-]*|claims)"', page)
        assert not re.findall(r"the paper's</p>", page.replace("’", "'"))


def test_the_balance_of_the_first_page_adds_up_by_eye(virtual_book):
    page = BeautifulSoup((virtual_book / "book" / "intro.html").read_text(encoding="utf-8"), "html.parser")
    rows = [[cell.text for cell in row.select("td")] for row in page.select("table tr")]
    told = {row[0]: [float(text.replace("\N{MINUS SIGN}", "-")) for text in row[1:3]] for row in rows if len(row) == 4}
    (npp, rh, nep) = (told[name] for name in ("NPP", "heterotrophic respiration", "NEP"))
    assert [gain - loss for gain, loss in zip(npp, rh, strict=True)] == nep
