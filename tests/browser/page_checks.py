"""What holds on each page of a book as a reader's browser shows it, from disk and with the network cut.

A page is opened once, and what was seen is kept: the tests of a book read from that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

WIDTHS = (390, 768, 1280)
MOST_BYTES, MOST_BYTES_BOOK = 2_000_000, 20_000_000
EXPLORER, MOST_BYTES_EXPLORER = "book/explorer", 4_000_000
SHORTEST_ALT = 100
#: Pages on which axe looks again in the dark: with figures, tables, code and equations. Colours are the same on all.
IN_THE_DARK = ("book/intro", "book/methods", "notebooks/02_npp_random_forest", "notebooks/06_uncertainty", "search")
#: What a page holds, measured in it.
_MEASURE = """() => ({
  equations: document.querySelectorAll("span.math, div.math").length,
  drawn: [...document.querySelectorAll(":is(span, div).math > math")].filter(equation => {
    const box = equation.getBoundingClientRect();
    return box.width > 3 && box.height > 5;
  }).length,
  raw: [...document.querySelectorAll("article :is(p, li, td, th, dd, dt, .math, h1, h2, h3)")].filter(
    words => [...words.childNodes].some(n => n.nodeType === Node.TEXT_NODE && /\\\\[a-z(\\[]+|\\$/i.test(n.data))
  ).map(words => words.textContent.slice(0, 80)),
  unloaded: [...document.images].filter(i => i.complete && !i.naturalWidth && i.offsetParent).map(i => i.src),
  figures: [...document.querySelectorAll("figure.shown")].map(figure => ({
    number: figure.querySelector(".caption-number")?.textContent ?? "",
    caption: figure.querySelector("figcaption")?.innerText ?? "",
    alt: figure.querySelector("img")?.alt ?? "",
    files: [...figure.querySelectorAll("a[href]")].map(a => a.href).filter(a => /\\.(svg|png|csv|csv\\.zip)$/.test(a)),
  })),
})"""
#: Equations that scroll, and that the keyboard cannot reach.
_OUT_OF_REACH = """() => [...document.querySelectorAll(":is(span, div).math")].filter(equation =>
  equation.scrollWidth > equation.clientWidth && /auto|scroll/.test(getComputedStyle(equation).overflowX)
  && getComputedStyle(equation).display !== "inline" && equation.tabIndex < 0
).map(equation => equation.textContent.slice(0, 80))"""


@dataclass
class Visit:
    """What a browser saw of a page."""

    requests: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)  #: at a desk's width; a phone is given other pictures
    messages: list[str] = field(default_factory=list)
    held: dict[str, Any] = field(default_factory=dict)
    too_wide: list[int] = field(default_factory=list)
    out_of_reach: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    def bytes_loaded(self) -> int:
        """Return the size of the page with all that it loads from disk at a desk's width."""
        files = {Path(address.removeprefix("file://").partition("?")[0]) for address in self.loaded}
        return sum(path.stat().st_size for path in files if path.is_file())


def pages_of(book: Path) -> list[str]:
    """Return the names of all pages of a book, relative to its folder."""
    names = (path.relative_to(book).with_suffix("").as_posix() for path in book.rglob("*.html"))
    return sorted(name for name in names if not name.startswith("_static/") and name != "index")


def visit_all(browser: Any, axe_script: str, book: Path) -> dict[str, Visit]:
    """Open each page of a book at a desk's width, then narrower, and return what was seen."""
    context = browser.new_context(viewport={"width": WIDTHS[-1], "height": 900}, color_scheme="light", offline=True)
    visits = {name: _visit(context, axe_script, book, name) for name in pages_of(book)}
    context.close()
    return visits


def _visit(context: Any, axe_script: str, book: Path, name: str) -> Visit:
    page, visit = context.new_page(), Visit()
    page.on("request", lambda request: visit.requests.append(request.url))
    listens = [True]  # until axe reads style sheets, which a page from disk may not: it is told so
    page.on("console", lambda said: listens and said.type in ("error", "warning") and visit.messages.append(said.text))
    page.on("pageerror", lambda error: visit.messages.append(str(error)))
    page.goto(f"file://{book}/{name}.html", wait_until="load")
    visit.loaded = list(visit.requests)
    visit.held = page.evaluate(_MEASURE)
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        if page.evaluate("() => document.documentElement.scrollWidth > window.innerWidth"):
            visit.too_wide.append(width)
        visit.out_of_reach += [f"{width}: {equation}" for equation in page.evaluate(_OUT_OF_REACH)]
    listens.clear()
    page.evaluate(axe_script)
    visit.violations += _violations(page, "light")
    if name in IN_THE_DARK:
        # Colours that fade into others would be measured on their way.
        page.add_style_tag(content="*, *::before, *::after { transition: none !important; }")
        page.evaluate("() => { document.documentElement.dataset.theme = 'dark'; }")
        visit.violations += _violations(page, "dark")
    page.close()
    return visit


def _violations(page: Any, theme: str) -> list[str]:
    """Return what axe finds serious or critical, with the element."""
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{theme}: {violation['id']}: {violation['nodes'][0]['html'][:160]} ({len(violation['nodes'])} in all)"
        for violation in found["violations"]
        if violation["impact"] in ("serious", "critical")
    ]
