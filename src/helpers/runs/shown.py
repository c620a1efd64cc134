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
from pathlib import Path
from typing import TYPE_CHECKING, Any

from helpers.errors import RunError

if TYPE_CHECKING:
    import pandas as pd

    from helpers.tables import Lettered

#: The record in an output of a notebook.
MIME = "application/vnd.carbon-book.shown+json"


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


def shown_figure(record: Mapping[str, Any], png: bytes) -> Shown:
    """Return a figure with its record: ``caption``, ``alt``, ``width`` and ``height`` among others."""
    picture = base64.b64encode(png).decode("ascii")
    words = {key: html.escape(str(record[key])) for key in ("alt", "caption")}
    page = (
        f'<figure style="margin: 0"><img src="data:image/png;base64,{picture}" width="{record["width"]}" '
        f'alt="{words["alt"]}"><figcaption>{words["caption"]}</figcaption></figure>'
    )
    return Shown(record, page)


def short_csv(data: pd.DataFrame) -> str:
    """Return the data of a figure as CSV: four digits, which is more than a figure shows, and places to the last one.

    Examples
    --------
    >>> import pandas as pd
    >>> print(short_csv(pd.DataFrame({"latitude": [31.03125], "nep": [-123.4567], "n": [12345]})), end="")
    latitude,nep,n
    31.03125,-123.5,12345
    """
    import numpy as np

    numbers = data.select_dtypes("floating").drop(columns=["latitude", "longitude"], errors="ignore")
    size = numbers.abs().where(np.isfinite(numbers) & (numbers != 0), 1.0)
    scale = 10.0 ** (3 - np.floor(np.log10(size)))
    data = data.copy()
    data[list(numbers)] = ((numbers * scale).round() / scale).where(np.isfinite(numbers), numbers)
    # Of a map with half a million cells most are alike in four digits: each number is put into words once.
    for name in data.select_dtypes("floating"):
        own, place = np.unique(data[name], return_inverse=True)
        words = ["" if np.isnan(value) else f"{value:.10g}" for value in own]
        data[name] = np.array(words, dtype=object)[place]
    return data.to_csv(index=False, lineterminator="\n")


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
