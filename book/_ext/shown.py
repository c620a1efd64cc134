"""The directive ``{shown}``: a figure or a table of the run, with number, caption and files to take away.

```{shown} fig-nep-map``` stands where a notebook shows the figure: the book puts it there when it stages the executed
notebooks (:mod:`helpers.runs.shown`). On a page of prose it shows the same figure, under a number of its own, and leads
to its notebook. Prose refers to either by ``{numref}``.

The third figure of notebook 06 is Figure 6.3. Those of the pages of prose are counted through: Figure 3.
"""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

#: Rows from which a reader may sort a table.
SORTABLE_ROWS = 16
#: Columns from which a table has smaller type.
MANY_COLUMNS = 9
#: The width of the window, in pixels, up to which a page shows the narrow variant of a figure.
PHONE = 600
_PICTURES = {"svg": "SVG", "png": "PNG", "webp": "WebP"}
_FILES = {**_PICTURES, "csv": "data (CSV)", "geojson": "GeoJSON", "gpx": "GPX"}
_ZIPPED = "data (CSV, zipped)"


class ShownDirective(SphinxDirective):
    """A figure or a table by its label."""

    required_arguments = 1
    has_content = True  #: A caption in place of the notebook's own.
    option_spec = {"name": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        """Return its nodes."""
        label = self.arguments[0]
        path = Path(self.env.srcdir) / "_shown" / f"{label}.json"
        if not path.is_file():
            raise self.error(
                f"no notebook of this run shows {label!r}: see the names that they give to figures and tables"
            )
        self.env.note_dependency(str(path))
        record = json.loads(path.read_text(encoding="utf-8"))
        self.at_home = self.env.docname == f"notebooks/{record['notebook']}"
        if self.content:
            record["caption"] = " ".join(self.content)
        # A label belongs to one place of the book: here it is the notebook.
        self.options.setdefault("name", label if self.at_home else f"{Path(self.env.docname).name}-{label}")
        return self._figure(record) if record["kind"] == "figure" else self._table(record)

    def _figure(self, record: dict[str, Any]) -> list[nodes.Node]:
        """Return a figure: the picture, its caption, and the links in its legend."""
        figure = nodes.figure(classes=["shown"])
        figure += nodes.raw("", self._picture(record), format="html")
        figure += nodes.caption(record["caption"], record["caption"])
        figure += nodes.legend("", self._links(record))
        self._name(figure)
        return [figure]

    def _table(self, record: dict[str, Any]) -> list[nodes.Node]:
        """Return a table, and the links below it."""
        kinds = {"sortable": len(record["rows"]) >= SORTABLE_ROWS, "many": len(record["head"]) >= MANY_COLUMNS}
        table = nodes.table(classes=["shown", *(kind for kind, is_one in kinds.items() if is_one)])
        table += nodes.title(record["caption"], record["caption"])
        group = nodes.tgroup(cols=len(record["head"]))
        group += [nodes.colspec(colwidth=1) for _ in record["head"]]
        classes = [["number"] if numeric else ["words"] for numeric in record["numeric"]]
        head, body = nodes.thead(), nodes.tbody()
        if record["groups"]:
            head += _groups(record["groups"])
        head += _heads(record["head"], classes)
        body += [_row(row, classes) for row in record["rows"]]
        group += [head, body]
        table += group
        self._name(table)
        return [nodes.container("", table, self._links(record), classes=["shown-table"])]

    def _name(self, node: nodes.Element) -> None:
        self.set_source_info(node)
        self.add_name(node)

    def _picture(self, record: dict[str, Any]) -> str:
        """Return the picture as HTML: of PNG and SVG the smaller, and another one on a phone if there is one."""
        whole = (
            f'<img src="{self._smaller(record["files"])}" alt="{html.escape(record["alt"])}" '
            f'width="{record["width"]}" height="{record["height"]}" class="dark-light">'  # no tint in dark mode
        )
        if "narrow" not in record:
            return whole
        source = f'<source media="(max-width: {PHONE}px)" srcset="{self._smaller(record["narrow"])}">'
        return f"<picture>{source}{whole}</picture>"

    def _smaller(self, files: dict[str, str]) -> str:
        static = Path(self.env.srcdir) / "_static"
        pictures = [name for kind, name in files.items() if kind in _PICTURES]
        return self._to(min(pictures, key=lambda name: (static / name).stat().st_size))

    def _links(self, record: dict[str, Any]) -> nodes.paragraph:
        """Return the line of links: the files, and from another page the place where the notebook shows it."""
        links = [
            nodes.reference("", words, refuri=self._to(file), classes=["shown-file"])
            for file, words in _offered(record["files"])
        ]
        if not self.at_home:
            home = f"{self._up}notebooks/{record['notebook']}.html#{record['label']}"
            links += [nodes.reference("", f"from notebook {record['notebook'][:2]}", refuri=home)]
        line = nodes.paragraph(classes=["shown-links"])
        for number, link in enumerate(links):
            line += [nodes.Text(" · ")] * bool(number) + [link]
        return line

    def _to(self, name: str) -> str:
        return f"{self._up}_static/{name}"

    @property
    def _up(self) -> str:
        """Return the way from this page to the folder of all pages."""
        return "../" * self.env.docname.count("/")


def _offered(files: dict[str, str]) -> list[tuple[str, str]]:
    """Return files with the words of their links, in their order."""
    kinds = [(files[kind], words) for kind, words in _FILES.items() if kind in files]
    return [(file, _ZIPPED if file.endswith(".zip") else words) for file, words in kinds]


def _row(cells: list[str], classes: list[list[str]]) -> nodes.row:
    row = nodes.row()
    for text, kind in zip(cells, classes, strict=True):
        loose = ["loose"] * (", " in text)  # a number and words: it may be broken
        row += nodes.entry("", nodes.paragraph("", text), classes=[*kind, *loose])
    return row


def _heads(heads: list[str], classes: list[list[str]]) -> nodes.row:
    """Return the row of heads, each with its unit on a line of its own."""
    row = nodes.row()
    for head, kind in zip(heads, classes, strict=True):
        words, bracket, unit = head.partition(" [")
        entry = nodes.entry("", nodes.paragraph("", words), classes=kind)
        if bracket:
            entry += nodes.paragraph("", f"[{unit}", classes=["unit"])
        row += entry
    return row


def _groups(groups: list[list[Any]]) -> nodes.row:
    """Return the row of heads that stand over several columns."""
    row = nodes.row()
    for words, span in groups:
        row += nodes.entry("", nodes.paragraph("", words), morecols=span - 1, classes=["group"])
    return row


def number_by_notebook(app: Any, env: Any) -> list[str]:
    """Give figures and tables of a notebook its number and theirs; count the others through the pages of prose."""
    counted: dict[str, int] = {}
    for page, kinds in env.toc_fignumbers.items():
        notebook = re.match(r"notebooks/(\d+)_", page)
        for kind, numbers in kinds.items():
            for place, label in enumerate(numbers, start=1):
                if notebook:
                    numbers[label] = (int(notebook[1]), place)
                else:
                    counted[kind] = counted.get(kind, 0) + 1
                    numbers[label] = (counted[kind],)
    return []


def print_signs(app: Any, page: nodes.document, name: str) -> None:
    """Give numbers of the run in the prose a true minus sign, as figures and tables have it."""
    for number in page.findall(nodes.inline):
        if "pasted-text" in number["classes"]:
            for text in list(number.findall(nodes.Text)):
                signed = re.sub(r"(?<![\w)])-(?=[\d.])", "\N{MINUS SIGN}", text)
                text.parent.replace(text, nodes.Text(signed))


def setup(app: Any) -> dict[str, bool]:
    """Number when Sphinx has counted all pages, in whatever process they were read."""
    app.add_directive("shown", ShownDirective)
    app.connect("env-get-updated", number_by_notebook, priority=900)
    app.connect("doctree-resolved", print_signs)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
