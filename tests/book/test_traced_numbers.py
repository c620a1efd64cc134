"""A number leads to the cell that glued it, a figure has a link of its own, each page leads to the provenance."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

PAGES = ["book/intro", "book/uncertainty", "notebooks/05_comparison", "_generated/api/helpers", "search"]


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def anchors(page: Path) -> set[str]:
    return set(re.findall(r'\bid="([^"]+)"', text_of(page)))


@pytest.mark.parametrize("name", ["intro", "uncertainty", "claims_audit", "scaling"])
def test_each_number_leads_to_an_anchor_at_the_code_that_glued_it(virtual_book, name):
    page = virtual_book / "book" / f"{name}.html"
    text = text_of(page)
    links = re.findall(r'<a class="traced[^"]*" href="([^"#]+)#(glue-[^"]+)"[^>]*><span class="pasted-text">', text)
    assert len(links) == text.count('class="pasted-text"') > 5
    notebooks = {target: page.parent / target for target, _ in links}
    assert not [link for link in links if link[1] not in anchors(notebooks[link[0]])]


def test_the_code_of_a_number_is_on_the_page_folded(virtual_book):
    text = text_of(virtual_book / "notebooks" / "05_comparison.html")
    (before, after) = re.split(r'id="glue-nep_total"', text)
    assert before.rindex("<details") > before.rindex("</details>") and "nep_total" in after.partition("</details>")[0]


def test_each_figure_and_table_has_a_link_to_its_own_cell(virtual_book):
    page = virtual_book / "notebooks" / "05_comparison.html"
    links = re.findall(r'<p class="traced-cell"><a [^>]*href="#(cell-[^"]+)"', text_of(page))
    shown = text_of(page).count('<div class="cell_output')
    assert 5 < len(links) == len(set(links)) <= shown and set(links) <= anchors(page)


@pytest.mark.parametrize("name", PAGES)
def test_the_foot_of_each_page_leads_to_the_provenance(virtual_book, name):
    page = virtual_book / f"{name}.html"
    (link,) = re.findall(r'<a href="([^"]*)">provenance: inputs, versions, seeds</a>', text_of(page))
    target = (page.parent / link).resolve()
    assert "Provenance of this book" in text_of(target) and re.search(r"[0-9a-f]{64}", text_of(target))


def test_the_laws_that_the_numbers_keep_stand_on_the_page_of_the_provenance(virtual_book):
    page = BeautifulSoup(text_of(virtual_book / "_generated" / "provenance.html"), "html.parser")
    (section,) = [one for one in page.find_all("section") if one.get("id") == "numbers-that-hold"]
    head, *rows = [[cell.get_text(strip=True) for cell in row.find_all(["th", "td"])] for row in section.find_all("tr")]
    assert head == ["law", "notebook", "of", "largest deviation", "at most", "unit", "holds"]
    assert len(rows) > 10 and {row[-1] for row in rows} == {"yes"}
    assert ["NEP is NPP - Rh", "04"] in [row[:2] for row in rows]
