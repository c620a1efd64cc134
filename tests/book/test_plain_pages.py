"""What a page tells a search engine, and whoever gets its address from a friend."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import SimpleNamespace

import pytest
from bs4 import BeautifulSoup
from docutils import nodes
from docutils.utils import new_document

ROOT = Path(__file__).resolve().parents[2]
WORDS = "Soil breathes out more carbon than all chimneys of the world together."


@pytest.fixture(scope="module")
def plain_pages():
    """The extension."""
    spec = importlib.util.spec_from_file_location("plain_pages", ROOT / "book" / "_ext" / "plain_pages.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tree_of(*figures: str) -> nodes.document:
    """Return a page with a paragraph and figures."""
    page = new_document("page")
    section = nodes.section("", nodes.title("", "Soil"), nodes.paragraph("", WORDS))
    section += [nodes.raw("", f'<img src="../_static/figures/{name}" alt="x">', format="html") for name in figures]
    page += section
    return page


def head_of(plain_pages, tree: nodes.document | None, address: str = "", above: str = "") -> BeautifulSoup:
    """Return what stands in the head of a page, in a book whose first page shows ``first.png``."""
    config = SimpleNamespace(html_title="A <b>sink</b>?", html_baseurl=address, root_doc="intro")
    env = type("Environment", (), {"config": config, "get_doctree": lambda self, name: tree_of("first.svg")})()
    context = {"title": "Soil &amp; air", "print_above": above}
    plain_pages.describe(SimpleNamespace(config=config, env=env), "soil", "", context, tree)
    return BeautifulSoup(context["metatags"], "html.parser")


def told(head: BeautifulSoup) -> dict[str, str]:
    return {tag.get("property") or tag["name"]: tag["content"] for tag in head.select("meta")}


def test_a_page_is_told_by_its_title_its_book_and_its_first_words(plain_pages):
    tags = told(head_of(plain_pages, tree_of()))
    assert (tags["og:title"], tags["og:site_name"]) == ("Soil & air", "A sink?")
    assert tags["description"] == tags["og:description"] == WORDS
    assert "og:image" not in tags  # it would need an address


def test_a_page_without_words_is_told_by_its_title(plain_pages):
    assert told(head_of(plain_pages, None))["description"] == "Soil & air, a page of the book “A sink?”"


def test_what_is_simulated_is_told_so(plain_pages):
    tags = told(head_of(plain_pages, tree_of(), above="<strong>Simulated:</strong> this build"))
    assert tags["description"] == tags["og:description"] == f"Simulated: {WORDS}"


@pytest.mark.parametrize(
    ("tree", "picture"),
    [(tree_of("soil.svg", "air.png"), "soil"), (tree_of(), "first"), (None, "first")],
    ids=["its own", "the first page's", "no page of words"],
)
def test_a_published_page_has_the_picture_of_its_first_figure(plain_pages, tree, picture):
    tags = told(head_of(plain_pages, tree, "https://a.example/book"))
    assert tags["og:image"] == f"https://a.example/book/_static/figures/{picture}.png"


@pytest.mark.parametrize(("page", "left"), [("book/data", ["edit", "issues"]), ("_generated/provenance", ["issues"])])
def test_a_page_that_no_file_holds_cannot_be_edited(plain_pages, page, left):
    buttons = [{"label": f"source-{name}-button"} for name in ("edit", "issues")]
    context = {"header_buttons": [{"label": "launch"}, {"label": "source-buttons", "buttons": buttons}]}
    plain_pages.keep_true_buttons(None, page, "", context, None)
    assert [one["label"] for one in context["header_buttons"][1]["buttons"]] == [
        f"source-{name}-button" for name in left
    ]
