"""The simulated book in a browser; :mod:`test_open_pages` asks the same of the real one, beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from page_checks import (
    EXPLORER,
    MOST_BYTES,
    MOST_BYTES_BOOK,
    MOST_BYTES_EXPLORER,
    SHORTEST_ALT,
    WIDTHS,
    Visit,
    visit_all,
)

#: What readers ask first, by the link of the first page that they click, with what they then read.
QUESTIONS = {
    "What is the balance, and how sure is it?": r"^NEP.* to ",
    "Where should the map not be trusted?": r"^Figure .*may be used",
    "Which product gives the leaf area?": r"^leaf area index.*fAPAR",
    "How do I add my own sites?": r"extra_observations",
    "What changes if MODIS NPP is left out?": r"neither forest sees MODIS NPP",
    "kNNDM": r"distance matching",
}
#: Words a minute of somebody who reads a text of science in another language than their own, and the seconds they have.
WORDS_A_MINUTE, PATIENCE_SECONDS = 200, 30
#: The words from where a reader lands to the end of the first passage that has a pattern.
_WORDS_TO_ANSWER = """([pattern, target]) => {
  const start = (target && document.getElementById(target)) || document.querySelector("article h1");
  const passages = [...document.querySelectorAll("article :is(p, li, tr, dd, figcaption, pre)")];
  const later = e => e.compareDocumentPosition(start) & Node.DOCUMENT_POSITION_PRECEDING || start.contains(e);
  const text = e => e.innerText.trim().replace(/\\s+/g, " ");
  const answer = passages.find(e => e.offsetParent && later(e) && new RegExp(pattern, "s").test(text(e)));
  if (!answer) return null;
  const range = document.createRange();
  range.setStartBefore(start);
  range.setEndAfter(answer);
  return range.cloneContents().textContent.trim().split(/\\s+/).length;
}"""
PRINTED = ("book/intro", "notebooks/02_npp_random_forest", "book/methods")


@pytest.fixture(scope="module")
def book(virtual_book: Path) -> Path:
    """The folder of pages."""
    return virtual_book


@pytest.fixture(scope="module")
def visits(browser: Any, axe_script: str, book: Path) -> dict[str, Visit]:
    """What was seen of each page."""
    return visit_all(browser, axe_script, book)


@pytest.fixture
def page(browser: Any) -> Any:
    """A fresh page at a desk's width."""
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    yield context.new_page()
    context.close()


def test_no_page_asks_for_anything_that_is_not_on_the_disk_beside_it(visits, book):
    inside = (f"file://{book}/", "data:", "blob:")
    outside = {name: [url for url in visit.requests if not url.startswith(inside)] for name, visit in visits.items()}
    assert not {name: urls for name, urls in outside.items() if urls}


def test_the_console_of_each_page_is_silent(visits):
    assert not {name: visit.messages for name, visit in visits.items() if visit.messages}


def test_each_equation_is_drawn(visits):
    undrawn = {name: visit.held for name, visit in visits.items() if visit.held["drawn"] < visit.held["equations"]}
    assert not undrawn
    assert sum(visit.held["equations"] for visit in visits.values()) > 60
    assert not {name: visit.held["raw"] for name, visit in visits.items() if visit.held["raw"]}


def test_each_picture_loads(visits):
    assert not {name: visit.held["unloaded"] for name, visit in visits.items() if visit.held["unloaded"]}


def test_each_figure_has_a_number_a_caption_an_alternative_text_and_its_files(visits):
    figures = {(name, i): f for name, visit in visits.items() for i, f in enumerate(visit.held["figures"])}
    assert len(figures) > 40
    assert not [key for key, figure in figures.items() if not figure["number"].startswith("Figure ")]
    assert not [key for key, figure in figures.items() if len(figure["caption"]) < len(figure["number"]) + 40]
    assert not {key: figure["alt"] for key, figure in figures.items() if len(figure["alt"]) < SHORTEST_ALT}
    files = {key: [Path(file.removeprefix("file://")) for file in figure["files"]] for key, figure in figures.items()}
    assert not {key: paths for key, paths in files.items() if not all(path.is_file() for path in paths)}
    assert not [
        key
        for key, paths in files.items()
        if not {".svg", ".png", ".csv"} <= {end for path in paths for end in path.suffixes}
    ]


def test_no_page_is_wider_than_a_phone_a_tablet_or_a_desk(visits):
    assert not {name: visit.too_wide for name, visit in visits.items() if visit.too_wide}, WIDTHS


def test_an_equation_that_scrolls_is_reached_by_the_keyboard(visits):
    assert not {name: visit.out_of_reach for name, visit in visits.items() if visit.out_of_reach}


def test_axe_finds_nothing_serious_on_any_page(visits):
    assert not {name: visit.violations for name, visit in visits.items() if visit.violations}


def test_each_page_is_light_and_so_is_the_book(visits, book):
    most = {name: MOST_BYTES_EXPLORER if name == EXPLORER else MOST_BYTES for name in visits}
    assert not {name: visit.bytes_loaded() for name, visit in visits.items() if visit.bytes_loaded() > most[name]}
    assert sum(path.stat().st_size for path in book.rglob("*") if path.is_file()) < MOST_BYTES_BOOK


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_of_the_first_page_is_answered_after_a_click_in_less_than_half_a_minute(page, book, question):
    page.goto(f"file://{book}/book/intro.html")
    page.locator("article").get_by_role("link", name=question, exact=True).last.click()
    page.wait_for_load_state("load")
    target = page.url.partition("#")[2]
    words = page.evaluate(_WORDS_TO_ANSWER, [QUESTIONS[question], target])
    assert words is not None, "the answer is not on the page"
    assert words / WORDS_A_MINUTE * 60 < PATIENCE_SECONDS, f"{words} words"


def test_search_from_disk_shows_prose_first_and_an_excerpt(page, book):
    page.goto(f"file://{book}/search.html?q=kNNDM")
    first = page.locator("#search-results li").first
    first.locator("p.context").wait_for()
    assert "knndm" in first.locator("p.context").inner_text().lower()
    assert "/_generated/api/" not in first.locator("a").first.get_attribute("href")


@pytest.mark.parametrize("name", PRINTED)
def test_a_printed_page_keeps_what_it_says_and_cuts_nothing(page, book, name):
    page.set_viewport_size({"width": 680, "height": 960})
    page.emulate_media(media="print")
    page.goto(f"file://{book}/{name}.html")
    for banner in page.locator(".bd-header-announcement").all():
        assert banner.is_visible()
        assert banner.evaluate("e => getComputedStyle(e).color") == "rgb(0, 0, 0)"
        assert banner.locator("strong").inner_text().endswith(":")
    assert page.locator(".extra_footer").is_visible()
    assert "commit" in page.locator(".extra_footer").inner_text()
    rules = page.locator("head style").all_inner_texts()
    assert any("@bottom-center" in rule and "configuration" in rule for rule in rules)
    cut = page.locator("pre, table").evaluate_all(
        "found => found.filter(e => e.offsetParent && e.getBoundingClientRect().right > innerWidth + 1).length"
    )
    assert cut == 0


def test_without_scripts_equations_are_drawn(browser, book):
    context = browser.new_context(java_script_enabled=False, offline=True, viewport={"width": 390, "height": 900})
    shown = context.new_page()
    shown.goto(f"file://{book}/book/methods.html")
    equations = shown.locator("div.math > math")
    assert equations.count() >= 9
    # A fraction is as high as two lines, and the last equation, a fraction of roots, is wider than a word.
    boxes = {equation.get_attribute("alttext"): equation.bounding_box() for equation in equations.all()}
    assert all(box["height"] > 30 for tex, box in boxes.items() if tex.count(r"\frac"))
    assert all(box["width"] > 60 for box in boxes.values())
    context.close()


def test_without_scripts_the_banner_can_be_read(browser, book):
    context = browser.new_context(java_script_enabled=False, offline=True)
    shown = context.new_page()
    shown.goto(f"file://{book}/book/intro.html")
    banners = shown.locator(".bd-header-announcement").all()
    simulated = "configuration open" not in shown.locator(".extra_footer").inner_text()
    assert len(banners) == simulated
    for banner in banners:
        assert banner.is_visible()
        assert banner.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(255, 243, 205)"
    context.close()
