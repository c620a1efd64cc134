"""Figures and tables as the book shows them: with a caption, an alternative text, and files to take away.

A notebook hands one to its run (:meth:`helpers.runs.folder.Run.save_figure`, ``show_table``). JupyterLab shows it by
HTML. The output holds a record beside that, from which the book makes a numbered figure or table: :func:`stage`
writes the record to where the directive ``{shown}`` finds it, and the files to where the page links to them.
"""

from __future__ import annotations

import base64
import html
import json
import shutil
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.errors import RunError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

    from helpers.tables import Lettered

#: The record in an output of a notebook.
MIME = "application/vnd.carbon-book.shown+json"
#: Dots per inch of a picture, and how many of them are one pixel of the page.
FIGURE_DPI = 160
_PER_PIXEL = FIGURE_DPI / 96
#: Colours of a PNG that stay as they are, of 256.
_KEPT = 208
#: Marks of one artist beyond which an SVG holds it as a picture: a path for each cell of a map takes megabytes.
_MANY_MARKS = 1000


class Shown:
    """What a cell of a notebook shows: HTML for JupyterLab, and a record for the book."""

    def __init__(self, record: Mapping[str, Any], page: str) -> None:
        self.record = dict(record)
        self.page = page

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, Any]:
        """Return both, and what a terminal shows."""
        return {MIME: self.record, "text/html": self.page, "text/plain": self.record["caption"]}


def label_of(kind: str, name: str) -> str:
    """Return the label by which prose refers to a figure or a table.

    Examples
    --------
    >>> label_of("figure", "npp_map"), label_of("table", "budgets")
    ('fig-npp-map', 'tab-budgets')
    """
    return f"{kind[:3]}-{name}".replace("_", "-").lower()


def drawn(figure: Figure, *formats: str, stamp: str = "") -> dict[str, bytes]:
    """Return a figure as ``png``, ``svg`` or both, the same bytes each time, with a word below all that is drawn."""
    import matplotlib as mpl
    from matplotlib.collections import Collection

    for marks in figure.findobj(Collection):
        # In this order: to ask the cells of a map for their paths makes thousands of them.
        if marks.get_array() is not None or max(len(marks.get_offsets()), len(marks.get_paths())) > _MANY_MARKS:
            marks.set_rasterized(True)
    whole = _ends(figure, stamp)
    pictures, options = {}, {"dpi": FIGURE_DPI, "bbox_inches": whole, "facecolor": "white"}
    with mpl.rc_context({"svg.hashsalt": "carbon-book"}):
        for kind in formats:
            stream = BytesIO()
            # What is about to be written anew with a palette needs no effort to be small.
            more = {"png": {"pil_kwargs": {"compress_level": 1}}, "svg": {"metadata": {"Date": None}}}[kind]
            figure.savefig(stream, format=kind, **more, **options)
            pictures[kind] = stream.getvalue()
    if "png" in pictures:
        pictures["png"] = with_palette(pictures["png"])
    return pictures


def _ends(figure: Figure, stamp: str) -> Bbox:
    """Return where all ends that a figure draws, in inches, after writing a word below it.

    Maps keep their proportions, so a title or a legend may reach beyond the figure's own edge.
    """
    import matplotlib as mpl
    from matplotlib.transforms import Bbox

    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
    with mpl.rc_context({"figure.autolayout": False, "figure.constrained_layout.use": False}):
        figure.set_layout_engine(None)  # all have their places: with "none", each time it is saved it is drawn twice
    for legend in figure.legends:  # else it stands at the edge of what is saved, wherever that is
        legend.set_bbox_to_anchor((0, 0, 1, 1), transform=figure.transFigure)
    ends, (wide, high) = figure.get_tightbbox(), figure.get_size_inches()
    if stamp:
        place = {"x": ends.x1 / wide, "y": (ends.y0 - 0.05) / high}
        figure.text(**place, s=stamp, ha="right", va="top", fontsize=8.3, color="0.35")
    below = 0.25 if stamp else 0.05
    return Bbox.from_extents(ends.x0 - 0.05, ends.y0 - below, ends.x1 + 0.05, ends.y1 + 0.05)


def with_palette(png: bytes) -> bytes:
    """Return a PNG with 256 colours: a third of its bytes.

    The most frequent colours, those of cells and bars, stay as they are to the last digit. The others are mostly of the
    edges of letters and lines: they take the nearest of the colours.
    """
    import numpy as np
    import pandas as pd
    from PIL import Image
    from scipy.spatial import KDTree

    dots = np.asarray(Image.open(BytesIO(png)).convert("RGB"))
    packed = dots.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    codes, colours = pd.factorize(packed.ravel())
    colours = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1).astype(np.uint8)
    order = np.argsort(-np.bincount(codes), kind="stable")
    palette = colours[order[:_KEPT]]
    if len(colours) > _KEPT:
        rare = Image.fromarray(colours[order[_KEPT:]][None]).quantize(256 - _KEPT, dither=Image.Dither.NONE)
        palette = np.concatenate([palette, np.array(rare.getpalette(), np.uint8).reshape(-1, 3)])
    nearest = KDTree(palette.astype(float)).query(colours.astype(float))[1].astype(np.uint8)
    picture = Image.fromarray(nearest[codes].reshape(packed.shape), mode="P")
    picture.putpalette(palette.tobytes())
    stream = BytesIO()
    picture.save(stream, format="png")
    return stream.getvalue()


def pixels(png: bytes) -> tuple[int, int]:
    """Return the width and the height at which a page shows a PNG image, from its header."""
    sides = (int.from_bytes(png[start : start + 4], "big") for start in (16, 20))
    return tuple(round(side / _PER_PIXEL) for side in sides)


def shown_figure(record: Mapping[str, Any], png: bytes) -> Shown:
    """Return a figure with its record: ``caption``, ``alt``, ``width`` and ``height`` among others."""
    picture = base64.b64encode(png).decode("ascii")
    words = {key: html.escape(str(record[key])) for key in ("alt", "caption")}
    page = (
        f'<figure style="margin: 0"><img src="data:image/png;base64,{picture}" width="{record["width"]}" '
        f'alt="{words["alt"]}"><figcaption>{words["caption"]}</figcaption></figure>'
    )
    return Shown(record, page)


def shown_table(record: Mapping[str, Any], table: Lettered) -> Shown:
    """Return a table with its record, which takes heads and rows from it."""
    content = {"head": table.head, "numeric": table.numeric, "rows": table.rows, "groups": table.groups}
    return Shown({**record, **content}, table.to_html(record["caption"]))


def stage(notebook: Mapping[str, Any], run_folder: Path, source: Path) -> Mapping[str, Any]:
    """Return an executed notebook's JSON with a directive in place of each figure and table that it shows.

    The records go to ``_shown`` of the staged pages, their files to ``_static`` there. RunError is raised if a file
    is missing, or if two have the same label.
    """
    records = source / "_shown"
    records.mkdir(exist_ok=True)
    for output in (output for cell in notebook["cells"] for output in cell.get("outputs", [])):
        record = output.get("data", {}).get(MIME)
        if record is None:
            continue
        target = records / f"{record['label']}.json"
        if target.exists():
            raise RunError(f"{record['notebook']} shows {record['label']!r} a second time: give one another name")
        for name in [*record["files"].values(), *record.get("narrow", {}).values()]:
            _take_along(run_folder / name, source / "_static" / name)
        target.write_text(json.dumps(record), encoding="utf-8")
        output["data"] = {"text/markdown": f"```{{shown}} {record['label']}\n```\n"}
        output["metadata"] = {}
    return notebook


def _take_along(path: Path, target: Path) -> None:
    if not path.is_file():
        raise RunError(f"{path} is missing, which a notebook of this run shows: execute that notebook again")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(path, target)
