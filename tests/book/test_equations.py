"""Equations are on the pages as MathML: without a script, with number, link and TeX; what is not TeX ends the build."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from sphinx.application import Sphinx
from sphinx.util.docutils import docutils_namespace, patch_docutils

EXTENSIONS = Path(__file__).resolve().parents[2] / "book" / "_ext"
TEX = r"\mathrm{NPP} = \frac{\sum_i a_i}{\hat n} < 1"
PAGE = f"""# Sums

Within a line, ${TEX}$ stands.

```{{math}}
:label: eq-sum
{TEX}
```

```{{eval-rst}}
.. math::

   a &= 1 \\\\
   b &= \\text{{two words}}
```

By {{eq}}`eq-sum`.
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[BeautifulSoup, str]]:
    """Build a page of Markdown; return it, and the warnings."""

    def build(text: str) -> tuple[BeautifulSoup, str]:
        folder = tmp_path_factory.mktemp("equations")
        source, said = folder / "source", io.StringIO()
        source.mkdir()
        (source / "index.md").write_text(text, encoding="utf-8")
        (source / "conf.py").write_text(
            f"import sys; sys.path.insert(0, {str(EXTENSIONS)!r})\nextensions = ['myst_parser', 'equations']\n"
            "html_math_renderer = 'mathml'\nmyst_enable_extensions = ['amsmath', 'dollarmath']\n"
        )
        with patch_docutils(), docutils_namespace():
            folders = (str(source), str(source), str(folder / "html"), str(folder / "trees"))
            Sphinx(*folders, "html", status=None, warning=said).build()
        return BeautifulSoup((folder / "html" / "index.html").read_text(), "html.parser"), said.getvalue()

    return build


@pytest.fixture(scope="module")
def page(built: Callable[[str], tuple[BeautifulSoup, str]]) -> BeautifulSoup:
    page, said = built(PAGE)
    assert not said
    return page


def test_an_equation_is_mathml_within_a_line_and_on_its_own(page):
    inline, block, _ = page.select(".math > math")
    assert (inline.parent.name, inline.get("display"), block.parent.name, block["display"]) == (
        *("span", None),
        *("div", "block"),
    )
    for equation in (inline, block):
        above, below = equation.mfrac.find_all(recursive=False)
        assert above.mo.text == "∑" and below.name == "mover" and below.mi.text == "n"
        assert equation.mi.text == "NPP"


def test_it_keeps_its_tex_and_no_text_of_it_is_raw(page):
    assert [equation["alttext"] for equation in page.select("math")[:2]] == [TEX, TEX]
    assert "\\" not in page.select_one("[role=main]").text


def test_it_has_a_number_and_an_anchor_to_which_prose_leads(page):
    block = page.select_one("#equation-eq-sum")
    assert block.select_one(".eqno").text.startswith("(1)")
    assert block.select_one(".eqno a.headerlink")["href"] == "#equation-eq-sum"
    assert page.select_one("p a[href='#equation-eq-sum']").text == "(1)"


def test_rows_are_aligned_and_words_keep_their_spaces(page):
    rows = page.select("math mtable.ams-align > mtr")
    assert [row.select("mtd")[0].text for row in rows] == ["a", "b"]
    assert rows[1].mtext.text == "two words"


def test_no_page_asks_for_mathjax(page):
    assert not [script for script in page.select("script") if "mathjax" in str(script).lower()]


@pytest.fixture(scope="module")
def warned(built: Callable[[str], tuple[BeautifulSoup, str]]) -> str:
    """The warnings of a page of equations that docutils does not know, none of which it shows."""
    page, warned = built("\n\n".join(["# A", *UNKNOWN.values()]))
    assert "\\" not in page.select_one("[role=main]").text
    return warned


#: What is said of TeX that docutils does not know; each stands two lines below the one before, from line 3.
UNKNOWN = {
    r'Unknown LaTeX command "\unheard"': r"and $\unheard{x}$.",
    "Source incomplete?": r"so $\frac{1}$.",
    "a brace, an environment or an & stands where none can be": "or $a & b$.",
    "without closing bracket": r"or $\text{a$.",
    'Environment "align" not supported': "\\begin{align}\na &= b\n\\end{align}",
    "Last node missing children": "```{eval-rst}\n.. math:: a_\n```",
}


@pytest.mark.parametrize("said", UNKNOWN)
def test_tex_that_docutils_does_not_know_is_a_warning_with_file_and_line(warned, said):
    texts = "\n\n".join(["# A", *UNKNOWN.values()])
    line = texts[: texts.index(UNKNOWN[said])].count("\n") + 1 + ("eval-rst" in UNKNOWN[said])
    (found,) = [words for words in warned.splitlines() if f"index.md:{line}: WARNING: equation" in words]
    assert said in found
