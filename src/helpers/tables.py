"""Tables for people: the names of :mod:`helpers.names` as heads, digits by column, true minus signs, gaps empty."""

from __future__ import annotations

import html
from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Lettered:
    """A table whose values have become text: heads, which columns hold numbers, rows."""

    head: list[str]
    numeric: list[bool]
    rows: list[list[str]]

    def to_html(self, caption: str) -> str:
        """Return the table as HTML that needs no style sheet, for JupyterLab."""
        sides = ["right" if numeric else "left" for numeric in self.numeric]

        def line(cells: list[str], tag: str) -> str:
            """Return one row."""
            style = "text-align: {}; padding: 0.2em 0.8em"
            written = zip(cells, sides, strict=True)
            return "".join(f'<{tag} style="{style.format(side)}">{html.escape(cell)}</{tag}>' for cell, side in written)

        body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in self.rows)
        caption = f'<caption style="text-align: left">{html.escape(caption)}</caption>'
        return f"<table>{caption}<thead><tr>{line(self.head, 'th')}</tr></thead><tbody>{body}</tbody></table>"


def lettered(table: pd.DataFrame) -> Lettered:
    numeric = [pd.api.types.is_numeric_dtype(table[name]) for name in table]
    rows = [[f"{v:.4g}" if isinstance(v, float) else str(v) for v in row] for row in table.itertuples(index=False)]
    return Lettered([str(c) for c in table], numeric, rows)
