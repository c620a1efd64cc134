"""Complete the head of each page, and keep out what the book does not use: thebe, and a second search field."""

from __future__ import annotations

import html
import re
from functools import cache
from typing import Any

from docutils import nodes

_LONGEST_DESCRIPTION = 300
#: The theme's buttons for the file that a page was written in.
_OF_A_FILE = ("source-edit-button", "download-source-button")
#: The picture of a figure, as the directive ``{shown}`` writes it.
_FIGURE = re.compile(r' src="(?:\.\./)*_static/(figures/[^"]+)\.\w+"')


def simplify(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Remove thebe's scripts, which name an outside address even if thebe is off, and the header's search field."""
    for key in ("script_files", "css_files"):
        context[key] = [file for file in context[key] if not _is_thebe(file)]
    context["theme_navbar_persistent"] = []


def keep_true_buttons(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Leave out the buttons that edit a page, and that download it, where the repository holds no file of it."""
    if page.startswith("_generated/"):
        for group in context.get("header_buttons", []):
            if "buttons" in group:
                group["buttons"] = [one for one in group["buttons"] if one.get("label") not in _OF_A_FILE]


def describe(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Add what a search engine and a shared link show, and what stands above and below each printed page."""
    title, book = words_of(context.get("title", "")), words_of(app.config.html_title)
    # What is shared from a simulated world says so, too.
    simulated = words_of(context.get("print_above", "")).partition(":")[0]
    words = _first_paragraph(doctree) if doctree is not None else ""
    description = ": ".join(filter(None, [simulated, words or f"{title}, a page of the book “{book}”"]))
    told = {"og:type": "article", "og:site_name": book, "og:title": title, "og:description": description}
    address = app.config.html_baseurl.rstrip("/")
    if address:
        context["baseurl"] = f"{address}/"
        told["og:image"] = f"{address}/_static/{_picture(doctree) or _picture_of_first_page(app.env)}"
    tags = [_tag("property", name, content) for name, content in told.items() if content]
    tags += [_tag("name", "description", description), _tag("name", "twitter:card", "summary_large_image")]
    margins = {
        "@top-center": f"content: {_css_string(context.get('print_above', ''))}; font-size: 8pt",
        "@bottom-center": f"content: {_css_string(context.get('print_below', ''))}; font-size: 7pt",
        "@bottom-right": "content: counter(page); font-size: 7pt",
    }
    boxes = " ".join(f"{place} {{ {rule} }}" for place, rule in margins.items())
    tags.append(f"<style>@media print {{ @page {{ margin: 18mm 15mm; {boxes} }} }}</style>")
    context["metatags"] = context.get("metatags", "") + "\n".join(tags)


def words_of(markup: str) -> str:
    """Return the words of a text that is HTML."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", markup)).split())


def _tag(kind: str, name: str, content: str) -> str:
    return f'<meta {kind}="{name}" content="{html.escape(content)}" />'


def _first_paragraph(doctree: Any) -> str:
    """Return the words of a page's first paragraph, cut at a word's end."""
    for paragraph in doctree.findall(nodes.paragraph):
        words = " ".join(paragraph.astext().split())
        if len(words) > 40 and isinstance(paragraph.parent, nodes.section):
            return (
                words if len(words) <= _LONGEST_DESCRIPTION else words[:_LONGEST_DESCRIPTION].rsplit(" ", 1)[0] + " …"
            )
    return ""


def _picture(doctree: Any) -> str:
    """Return where the first figure of a page has its PNG, below the static files; nothing without a figure."""
    raw = doctree.findall(nodes.raw) if doctree is not None else ()
    found = next(filter(None, (_FIGURE.search(part.astext()) for part in raw)), None)
    return f"{found[1]}.png" if found else ""


@cache
def _picture_of_first_page(env: Any) -> str:
    return _picture(env.get_doctree(env.config.root_doc))


def _css_string(text: str) -> str:
    """Return text as a string of a style sheet that stands inside HTML."""
    plain = words_of(text)
    return '"' + "".join(c if c.isalnum() or c in " .,:·-()" else f"\\{ord(c):06x}" for c in plain) + '"'


def _is_thebe(file: Any) -> bool:
    body = getattr(file, "attributes", {}).get("body") or ""
    return "thebe" in str(getattr(file, "filename", file) or "") or "THEBE_JS_URL" in body


def setup(app: Any) -> dict[str, bool]:
    """Run after the extensions that add to a page."""
    app.connect("html-page-context", simplify, priority=900)
    app.connect("html-page-context", keep_true_buttons, priority=900)
    app.connect("html-page-context", describe, priority=901)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
