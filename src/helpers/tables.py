"""Tables for people: heads and values in words, digits by column, true minus signs, an interval in one column.

The names come from :mod:`helpers.names`. The keys of the columns say what to do:

- ``x_low`` and ``x_high`` become one column, "-421 to 248", and ``x`` with ``x_se`` becomes "0.64 ± 0.03";
- a share is shown in percent; an area has three digits behind the point, a flux one, and none beside an interval;
- where each row has a unit of its own (``unit``, or several models), each value has four digits that count;
- ``scheme`` and ``part`` become the name of the scheme, ``land_cover`` that of the class;
- columns with two levels of names get the upper one as a head over several.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from numbers import Integral, Real

import numpy as np
import pandas as pd

from helpers.names import class_name, heading, pretty_units, product_name, scheme_name, split_unit, value_in_words

PERCENT = "\N{NARROW NO-BREAK SPACE}%"
MINUS, THIN = "\N{MINUS SIGN}", "\N{NARROW NO-BREAK SPACE}"
#: Digits behind the point, by unit and by key; three digits that count where neither says how many.
_DIGITS = {
    **{"gC_m2_yr": 1, "TgC_yr": 1, "Mkm2": 3, "slope": 3, "p_value": 3},
    **dict.fromkeys(("ln_gC_m2_yr", "TgC_yr2", "intercept", "threshold", "longitude", "latitude"), 2),
    **dict.fromkeys(("r", "r2", "r2_explained", "gain", "weight"), 2),
    **dict.fromkeys(("pbias", "mape"), 1),
}
_SHARES = re.compile(r"(^|_)(share|coverage|probability|level)($|_)")
#: Letters of the longest text in a column of numbers, such as "−1070 to −340" or "1.74, no (100 %)".
_LONGEST_NUMBER = 24
_TINY = 1e-4
_LOW = r"(^|_)low(?=_|$)"
_SIGNED = re.compile(r"(^|_)(change|bias)($|_)")


@dataclass(frozen=True)
class Lettered:
    """A table whose values have become text."""

    head: list[str]  #: The head of each column.
    numeric: list[bool]  #: Which columns hold numbers.
    rows: list[list[str]]
    groups: list[tuple[str, int]] = field(default_factory=list)  #: Heads over several columns, and over how many.

    def to_html(self, caption: str) -> str:
        """Return the table as HTML that needs no style sheet, for JupyterLab."""
        sides = ["right" if numeric else "left" for numeric in self.numeric]

        def line(cells: Sequence[str], tag: str) -> str:
            """Return one row."""
            style = "text-align: {}; padding: 0.2em 0.8em"
            written = zip(cells, sides, strict=True)
            return "".join(f'<{tag} style="{style.format(side)}">{html.escape(cell)}</{tag}>' for cell, side in written)

        above = "".join(f'<th colspan="{span}">{html.escape(words)}</th>' for words, span in self.groups)
        body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in self.rows)
        head = (f"<tr>{above}</tr>" if above else "") + f"<tr>{line(self.head, 'th')}</tr>"
        caption = f'<caption style="text-align: left">{html.escape(caption)}</caption>'
        return f"<table>{caption}<thead>{head}</thead><tbody>{body}</tbody></table>"


def lettered(table: pd.DataFrame) -> Lettered:
    """Return a table as text for people. Its index is not shown; a missing value is an empty cell."""
    groups: list[str] = []
    if table.columns.nlevels == 2:
        groups = list(table.columns.get_level_values(0))
        table = table.set_axis(table.columns.get_level_values(1), axis="columns")
    columns = _Columns(table)
    shown = [place for place in range(table.shape[1]) if columns.stands_alone(place)]
    texts = [columns.texts(place) for place in shown]
    above = [(words, len(list(same))) for words, same in groupby(groups[place] for place in shown)] if groups else []
    rows = [list(row) for row in zip(*texts, strict=True)] if len(table) else []
    return Lettered([columns.head(place) for place in shown], [_is_numeric(text) for text in texts], rows, above)


def own_and_common(budget: pd.DataFrame) -> pd.DataFrame:
    """Return a table of :func:`helpers.balance.budgets.budget_table` with heads over its two kinds of area.

    A product has its years in brackets.
    """
    told = budget["years"].map(lambda years: f" ({years})" if isinstance(years, str) and years else "")
    budget = budget.assign(product=budget["product"] + told)
    common = f"over the {number(budget['common_area_Mkm2'].iloc[0], 3)} million km² that all have"
    parts = {
        "": [name for name in ("quantity", "product") if len(set(budget[name])) > 1],
        "over its own valid cells": ["mean_gC_m2_yr", "total_TgC_yr", "valid_area_Mkm2"],
        common: ["common_mean_gC_m2_yr", "common_total_TgC_yr"],
    }
    heads = [(over, name) for over, names in parts.items() for name in names]
    return budget[[name for _, name in heads]].set_axis(pd.MultiIndex.from_tuples(heads), axis="columns")


def schemes_by_model(scores: pd.DataFrame) -> pd.DataFrame:
    """Return scores of :func:`mapforest.validation.validate`: a row per scheme, the models beside each other."""
    shown = scores[scores["metric"].isin(("r2_explained", "r", "rmse", "pbias"))]
    unit = shown["metric"].map({"rmse": "_", "pbias": "_percent"}).fillna("")
    shown = shown.assign(metric=shown["metric"] + unit.where(unit != "_", "_" + shown["unit"]))
    rows = shown.pivot_table("value", ["scheme", "part"], ["model", "metric"], sort=False)
    rows.columns.names = [None, None]
    flat = rows.reset_index()
    return flat.set_axis(pd.MultiIndex.from_tuples([(b and a, b or a) for a, b in flat.columns]), axis="columns")


def products_as_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table of :func:`helpers.balance.comparison.table_at_sites` with a row per product, a column per metric.

    Products of the paper's own table (:func:`helpers.balance.comparison.beside_paper`) stand below those of this run.
    """
    units = ["" if unit in ("1", "") or pd.isna(unit) else f"_{unit}" for unit in table["unit"]]
    names = [metric.lower() + unit for metric, unit in zip(table["metric"], units, strict=True)]
    turned = table.drop(columns=["metric", "unit"]).T.set_axis(names, axis="columns")
    turned = turned.apply(
        lambda values: values if values.name == "years" else pd.to_numeric(values.replace("", np.nan))
    )
    of_paper = turned.index.str.startswith("paper_")
    turned.insert(0, "product", [product_name(key.removeprefix("paper_")) for key in turned.index])
    if of_paper.any():
        turned.insert(0, "numbers", np.where(of_paper, "the paper's", "this run's"))
    return turned.reset_index(drop=True)


def number(value: float, digits: int | None = None, signed: bool = False) -> str:
    """Return a number as text: so many digits behind the point, or four that count; empty if it is missing.

    Examples
    --------
    >>> number(-13.404, 1), number(300000), number(0.00068, 2), number(2.13e-13), number(12.34, 0, signed=True)
    ('−13.4', '300\\u202f000', '0.00', '2.1 × 10⁻¹³', '+12')
    """
    if not np.isfinite(value):
        return ""
    if digits is None and 0 < abs(value) < _TINY:
        mantissa, _, power = f"{value:.1e}".partition("e")
        return f"{mantissa} × 10{pretty_units(f'x{int(power)}')[1:]}".replace("-", MINUS)
    if digits is None and isinstance(value, Integral):
        digits = 0
    if digits is None:
        digits = min(max(3 - _magnitude(value), 0), 15)
        text = f"{value:.{digits}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{value:.{digits}f}"
    whole, point, rest = text.partition(".")
    if len(whole.lstrip("-")) > 4:
        whole = f"{int(whole):,}".replace(",", THIN)
    text = whole + point + rest
    if not re.search("[1-9]", text):
        text = text.lstrip("-")  # a zero has no sign
    elif signed and value > 0:
        text = f"+{text}"
    return text.replace("-", MINUS)


def _magnitude(value: float) -> int:
    """Return the power of ten of a number's first digit; that of zero is 0."""
    return int(np.floor(np.log10(abs(value)))) if value else 0


class _Columns:
    """The columns of a table, by place: two may have one name below different heads."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.names = [str(name) for name in table.columns]
        self.values = [table.iloc[:, place].infer_objects() for place in range(table.shape[1])]
        own_unit = {"unit", "units"} & set(self.names)
        models = [self.values[place].nunique() for place, name in enumerate(self.names) if name in ("model", "flux")]
        self.mixed = bool(own_unit) or max(models, default=1) > 1
        self.with_interval = {split_unit(name)[1] for name in self.names if re.search(r"(^|_)low($|_)|^sd($|_)", name)}

    def stands_alone(self, place: int) -> bool:
        """Tell whether a column is not told in another one."""
        name = self.names[place]
        if name == "part" and "scheme" in self.names:
            return False
        told = {re.sub(r"(^|_)high(?=_|$)", r"\1low", name), re.sub(r"_se($|_)", r"\1", name)} - {name}
        return not told & set(self.names)

    def head(self, place: int) -> str:
        """Return the head of a column."""
        name = self.names[place]
        if self._partner(place, _LOW, r"\1high") is None:
            return heading(name)
        key, unit = split_unit(name)
        quantity = re.sub(r"_?low$", "", key)
        shown = heading(f"{quantity}_{unit}".strip("_") if unit else quantity) if quantity else ""
        words, _, units = (shown or heading(f"interval_{unit}" if unit else "range")).partition(" [")
        return f"{words}{', interval' * bool(quantity)}{' [' * bool(units)}{units}"

    def texts(self, place: int) -> list[str]:
        """Return the values of a column as text, with those of its partner."""
        own, digits = self._texts_of(place), self._digits(place)
        high = self._partner(place, _LOW, r"\1high")
        if high is not None:
            return [_range(low, top) for low, top in zip(own, self._texts_of(high, digits), strict=True)]
        error = self._partner(place, r"^(.*?)(_[gT]?g?C?_?m2_yr|)$", r"\1_se\2")
        if error is not None:
            errors = self._texts_of(error, digits)
            return [f"{_bare(text)} ± {sd}" if text and sd else text for text, sd in zip(own, errors, strict=True)]
        return own

    def _partner(self, place: int, pattern: str, replacement: str) -> int | None:
        """Return the place of the column whose name is this one's with a part replaced."""
        other = re.sub(pattern, replacement, self.names[place], count=1)
        found = [i for i, name in enumerate(self.names) if name == other and i > place]
        return found[0] if other != self.names[place] and found else None

    def _texts_of(self, place: int, digits: int | None = None) -> list[str]:
        """Return the values of one column as text."""
        name, values = self.names[place], self.values[place]
        if name == "scheme" and "part" in self.names:
            parts = self.values[self.names.index("part")]
            return [scheme_name(str(scheme), str(part)) for scheme, part in zip(values, parts, strict=True)]
        digits = self._digits(place) if digits is None else digits
        return [self._text(name, value, digits) for value in values]

    def _text(self, name: str, value: object, digits: int | None) -> str:
        """Return one value as text."""
        if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
            return ""
        if isinstance(value, (bool, np.bool_)):
            return "yes" if value else "no"
        if isinstance(value, Real):
            if name == "land_cover":
                return class_name(value)
            if name == "seed":  # a name, not an amount
                return str(value)
            share = bool(_SHARES.search(name))
            signed = bool(_SIGNED.search(name)) and not re.search("_se($|_)", name)
            return number(100 * value if share else value, digits, signed) + PERCENT * share
        return re.sub(r"(?<![\w)])-(?=\d)", MINUS, value_in_words(name, str(value))).replace("R2", "R²")

    def _digits(self, place: int) -> int | None:
        """Return how many digits behind the point a column of numbers has; None is left to each value."""
        values, (key, unit) = self.values[place], split_unit(self.names[place])
        if not pd.api.types.is_float_dtype(values) or values.dropna().empty:
            return None
        finite = values[np.isfinite(values)].abs()
        if _SHARES.search(key):
            return 0 if (finite[finite > 0] >= 0.01).all() else 1
        if unit in ("gC_m2_yr", "TgC_yr") and unit in self.with_interval:
            return 0
        if key in ("low", "high"):
            return None  # ends without an estimate are those that others gave: each with its own digits
        stem = re.sub(r"_(low|high)$", "", key)
        known = _DIGITS.get(stem, _DIGITS.get(unit))
        if known is not None or self.mixed:
            return known
        return 0 if (finite % 1 == 0).all() else min(max(2 - _magnitude(finite.max()), 0), 4)


def _range(low: str, high: str) -> str:
    """Return the two ends of an interval as one text."""
    if low and high:
        return low if low == high else f"{low} to {high}"
    return f"at least {low}" if low else f"at most {high}" if high else ""


def _bare(text: str) -> str:
    """Return a value without its percent sign, which its error has, too."""
    return text.removesuffix(PERCENT)


def _is_numeric(texts: Sequence[str]) -> bool:
    """Tell whether a column holds numbers: most of what is not empty begins like one, and none is a long text."""
    filled = [text for text in texts if text]
    numbers = sum(bool(re.match(rf"[{MINUS}+\d]|at (least|most) ", text)) for text in filled)
    return bool(filled) and numbers > len(filled) / 2 and max(map(len, filled)) <= _LONGEST_NUMBER
