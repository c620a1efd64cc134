"""Let a reader trace a number: from the prose to the cell that glued it, and from every page to the run's provenance.

A cell of a notebook gets an anchor of its own and one for each number that it glued. Its code, which the notebook keeps
out of the way, can then be unfolded on the page. A figure or a table is followed by a link to its own cell.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from myst_nb.ext.glue.utils import PendingGlueReference
from sphinx.transforms.post_transforms import SphinxPostTransform

PROVENANCE = "_generated/provenance"
SHOWN = {"image/png", "image/svg+xml", "text/html"}


def mark_cells(app: Any, page: str, source: list[str]) -> None:
    """Note with each cell of a notebook's text which anchors it needs; show folded the code that glues a number."""
    if not page.startswith("notebooks/"):
        return
    notebook = json.loads(source[0])
    for cell in notebook["cells"]:
        outputs, tags = cell.get("outputs", []), cell["metadata"].get("tags", [])
        glued = [found["name"] for output in outputs if (found := output.get("metadata", {}).get("scrapbook"))]
        shows = any(SHOWN & set(data) or "{shown}" in str(data.get("text/markdown")) for data in _data(outputs))
        cell["metadata"]["traced"] = {"cell": cell.get("id", ""), "glued": glued, "shows": shows}
        if glued and "remove-input" in tags:
            cell["metadata"]["tags"] = ["hide-input" if tag == "remove-input" else tag for tag in tags]
    source[0] = json.dumps(notebook)


def _data(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what outputs hold, by its kind."""
    return [output.get("data", {}) for output in outputs]


def anchor_cells(app: Any, doctree: nodes.document) -> None:
    """Give the cells of a page the anchors that were noted; those of numbers lie inside of the code, which may fold."""
    for cell in doctree.findall(nodes.container):
        traced = cell.get("cell_metadata", {}).get("traced")
        if not traced:
            continue
        name = f"cell-{traced['cell'].removeprefix('cell-')}"
        cell["ids"].append(name)
        code = next((part for part in cell.children if part.get("nb_element") == "cell_code_source"), cell)
        code["ids"] += [f"glue-{glued}" for glued in traced["glued"]]
        if traced["shows"]:
            link = nodes.reference("", "#", internal=True, refid=name, classes=["headerlink", "traced-cell"])
            link["reftitle"] = "Link to this output"
            cell += nodes.paragraph("", "", link, classes=["traced-cell"])


class LinkNumbers(SphinxPostTransform):
    """Make each number of a page a link to the cell that glued it, just before MyST-NB puts the number there."""

    default_priority = 4
    formats = ("html",)

    def run(self, **kwargs: Any) -> None:
        """Wrap the numbers that stand in no link."""
        for number in list(self.document.findall(PendingGlueReference)):
            if _within_link(number):
                continue
            page = self.app.builder.get_relative_uri(self.env.docname, number.refdoc)
            link = nodes.reference("", "", internal=True, refuri=f"{page}#glue-{number.key}", classes=["traced"])
            link["reftitle"] = f"Made in {number.refdoc.rpartition('/')[2]}"
            number.replace_self(link)
            link += number


def _within_link(node: nodes.Node) -> bool:
    while node.parent is not None and not isinstance(node, nodes.reference):
        node = node.parent
    return isinstance(node, nodes.reference)


def link_provenance(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Let the footer's link to the provenance start from this page."""
    footer = context.get("theme_extra_footer") or ""
    context["theme_extra_footer"] = footer.replace(f"{PROVENANCE}.html", context["pathto"](PROVENANCE))


def add_static(app: Any, config: Any) -> None:
    """Take the style sheet along."""
    config.html_static_path.append(str(Path(__file__).parent / "static"))


def setup(app: Any) -> dict[str, bool]:
    """Mark when a page is read, link when it is written."""
    app.connect("source-read", mark_cells)
    app.connect("doctree-read", anchor_cells)
    app.connect("html-page-context", link_provenance)
    app.connect(
        "config-inited", lambda _, config: config.html_static_path.append(str(Path(__file__).parent / "static"))
    )
    app.add_css_file("traceable.css")
    app.add_post_transform(LinkNumbers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
