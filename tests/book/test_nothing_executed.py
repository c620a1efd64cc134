"""Text that comes from a file is shown as it is: nothing in it becomes markup, a template or a command."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from docutils.core import publish_string
from myst_parser.docutils_ import Parser

from helpers.config import project_root
from helpers.data import catalog
from helpers.runs import book
from helpers.runs.provenance_page import provenance_page
from helpers.strict_yaml import read_yaml

EXTENSIONS = read_yaml(project_root() / "_config.yml")["parse"]["myst_enable_extensions"]
HOSTILE = [
    "<script>alert(7)</script>",
    "<img src=x onerror=alert(7)>",
    "{{ cycler.__init__.__globals__.os.popen('alert(7)').read() }}",
    "{raw}`alert(7)`",
    "```{raw} html\n<b>alert(7)</b>\n```",
    "[alert(7)](javascript:x)",
    "![alert(7)](http://evil.example/x.png)",
    "`alert(7)",
    "$alert(7)$",
    "| alert(7) | <b>",
    "\\alert(7)",
    "&lt;alert(7)",
]
ENTRY = {"citation": ["A2000"], "reader": "data.readers.read_soc", "origin": "nowhere"}
CONNECTED = {"citation": ["A2000"], "connector": "modis.Mod17", "address": "https://a.example/y"}


def shown(markdown: str) -> str:
    """Return a page as HTML, as the book's parser makes it."""
    settings = {"myst_enable_extensions": EXTENSIONS, "report_level": 5, "output_encoding": "unicode"}
    page = publish_string(markdown, parser=Parser(), writer_name="html5", settings_overrides=settings)
    return page.partition("<main")[2] or page.partition("<body")[2]


def put(path: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a catalogue of two products whose every text is this one."""
    texts = dict.fromkeys(("title", "variable", "licence", "reference", "notes"), text)
    told = dict.fromkeys(("account", "size", "checked", "stand_in", "unknown"), text)
    path.write_text(yaml.safe_dump({"near": texts | ENTRY, "far": texts | told | CONNECTED}), encoding="utf-8")
    monkeypatch.setattr(catalog, "catalogue_path", lambda: path)


@pytest.mark.parametrize("text", HOSTILE)
def test_text_of_the_catalogue_is_only_text(text, tmp_path, monkeypatch):
    put(tmp_path / "catalog.yml", text, monkeypatch)
    page = shown(book._catalogue_page() + "\n" + book._paper_products())
    assert "alert(7)" in page
    assert not re.search(r"<script|<img|<b>|onerror=\w+>|javascript:x\"|math|evil.example/x.png\"", page), page


def test_addresses_and_dois_of_the_catalogue_are_links(tmp_path, monkeypatch):
    put(tmp_path / "catalog.yml", "see https://a.example/b?c=1, doi:10.1/x; and <b>", monkeypatch)
    page = shown(book._paper_products())
    assert 'href="https://a.example/b?c=1"' in page and 'href="https://doi.org/10.1/x"' in page
    assert "&lt;b&gt;" in page


def test_no_page_of_the_book_is_a_template():
    assert "substitution" not in EXTENSIONS


def test_values_of_a_run_are_only_text():
    settings = {"config": "open", "world": "real", "seed": 1, "left_out": "`{raw} html` <b>alert(7)</b> `"}
    record = {
        "run": "open",
        "settings": settings,
        "git": {"commit": None, "dirty": False},
        "python": "3",
        "notebooks": {},
    }
    record |= {"started": "", "finished": "", "wall_seconds": 1, "catalogue": {}, "packages": {}}
    assert "<b>" not in shown(provenance_page(record))
