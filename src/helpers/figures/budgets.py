"""Figures of plateau budgets: the components of the sink, their years, how far a truth is recovered."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.stats import linregress

from helpers.figures.style import (
    FLUX_UNITS,
    INK,
    blank,
    letters,
    panel_letter,
    pretty_units,
    require_columns,
    series_colours,
    styled,
    with_units,
)

_QUANTITIES = ("NPP", "Rh", "NEP")
_REFERENCE, _OTHER, _MEAN = "#0b5d4a", "#9cb8c9", "#d9d9d9"
_SOURCE, _SINK = "#8c510a", "#01665e"
_DIAMOND = {
    "linestyle": "",
    "marker": "D",
    "markersize": 6,
    "markerfacecolor": "white",
    "markeredgecolor": "black",
}


@styled
def fig6_components(budgets: pd.DataFrame, paper_values: pd.DataFrame | None = None) -> Figure:
    """Figure 6: mean NPP (a), Rh (c), NEP (e) of each product; its difference from the forest (b, d, f).

    The first product of a quantity is its reference. A difference is (product - reference) / abs(reference)
    in percent, so that a negative one is an underestimate; with several products, that of their mean is
    drawn too.

    Parameters
    ----------
    budgets : pandas.DataFrame
        One row a quantity (NPP, Rh, NEP) and product: ``quantity``, ``product``, ``mean_gC_m2_yr``,
        ``total_TgC_yr``.
    paper_values : pandas.DataFrame, optional
        The paper's means, drawn as open diamonds: ``quantity``, ``product`` (as in ``budgets``),
        ``mean_gC_m2_yr``.

    Raises
    ------
    ValueError
        If a column, or a quantity with at least two products, is missing, or the paper's values name a
        product that is not in the budgets.
    """
    require_columns(budgets, ["quantity", "product", "mean_gC_m2_yr", "total_TgC_yr"], "figure 6")
    tables = {quantity: budgets[budgets["quantity"] == quantity] for quantity in _QUANTITIES}
    for quantity, table in tables.items():
        if len(table) < 2:
            raise ValueError(f"figure 6: expected a reference and at least one product of {quantity}, got {len(table)}")
    paper = _paper_means(budgets, paper_values)
    figure = blank(1.0 + 0.36 * sum(len(table) + 2 for table in tables.values()))
    rows = figure.subplots(3, 2, width_ratios=[1.25, 1], height_ratios=[len(table) + 1.5 for table in tables.values()])
    for (left, right), (quantity, table), pair in zip(rows, tables.items(), ("ab", "cd", "ef"), strict=True):
        _means(left, quantity, table, paper)
        panel_letter(left, pair[0], quantity)
        _differences(right, quantity, table)
        panel_letter(right, pair[1], f"difference from {table['product'].iloc[0]}")
    if paper:
        figure.legend(handles=[Line2D([], [], label="the paper's value", **_DIAMOND)], loc="outside lower center")
    return figure


@styled
def yearly_budget(series: pd.DataFrame) -> Figure:
    """Draw the plateau's total of each year, a panel a quantity, with the least-squares trend of each source.

    Parameters
    ----------
    series : pandas.DataFrame
        ``year``, ``quantity``, ``total_TgC_yr``; optionally ``source``, for example ``estimate`` and
        ``truth``, which share a panel.

    Raises
    ------
    ValueError
        If a column is missing, or a line has fewer than three years.
    """
    require_columns(series, ["year", "quantity", "total_TgC_yr"], "yearly_budget")
    table = series if "source" in series.columns else series.assign(source="estimate")
    quantities = list(dict.fromkeys(table["quantity"]))
    colours = series_colours(table["source"])
    figure = blank(0.7 + 1.75 * len(quantities))
    rows = figure.subplots(len(quantities), 1, sharex=True, squeeze=False)[:, 0]
    for axes, quantity, letter in zip(rows, quantities, letters(len(quantities)), strict=True):
        chosen = table[table["quantity"] == quantity]
        for source, values in chosen.groupby("source", sort=False):
            _trend_line(axes, values, str(source), str(quantity), colours[source])
        if chosen["total_TgC_yr"].min() < 0:
            axes.axhline(0, color="black", linewidth=0.8)
        axes.set_ylabel(with_units(str(quantity), "Tg C yr-1"))
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
        panel_letter(axes, letter, str(quantity))
    rows[-1].xaxis.get_major_locator().set_params(integer=True)
    rows[-1].set_xlabel("year")
    return figure


@styled
def recovered_versus_true(table: pd.DataFrame) -> Figure:
    """Draw what a run recovered beside what is true: a panel a statistic, a row a quantity.

    Parameters
    ----------
    table : pandas.DataFrame
        ``statistic`` (for example mean, total, trend), ``quantity``, ``recovered``, ``true``, ``unit``; one
        unit a statistic.

    Raises
    ------
    ValueError
        If a column is missing, or a statistic has several units.
    """
    require_columns(table, ["statistic", "quantity", "recovered", "true", "unit"], "recovered_versus_true")
    groups = list(table.groupby("statistic", sort=False))
    figure = blank(1.2 + 0.5 * table["quantity"].nunique())
    row = figure.subplots(1, len(groups), squeeze=False)[0]
    for axes, (statistic, values), letter in zip(row, groups, letters(len(groups)), strict=True):
        units = values["unit"].unique()
        if len(units) > 1:
            raise ValueError(f"recovered_versus_true: {statistic} has several units: {', '.join(units)}")
        places = np.arange(len(values))[::-1]
        axes.hlines(places, values["true"], values["recovered"], color="#888888", linewidth=1.2)
        recovered = axes.plot(values["recovered"], places, "o", color="#0072b2", markersize=7, label="recovered")
        true = axes.plot(values["true"], places, label="true", **_DIAMOND)
        axes.axvline(0, color="black", linewidth=0.6)
        axes.set_yticks(places, labels=values["quantity"])
        axes.set_ylim(-0.6, len(values) - 0.4)
        axes.margins(x=0.12)
        axes.set_xlabel(f"[{pretty_units(units[0])}]")
        panel_letter(axes, letter, str(statistic))
    figure.legend(handles=[*recovered, *true], loc="outside lower center", ncols=2)
    return figure


def _paper_means(budgets: pd.DataFrame, paper_values: pd.DataFrame | None) -> dict[tuple[str, str], float]:
    if paper_values is None:
        return {}
    require_columns(paper_values, ["quantity", "product", "mean_gC_m2_yr"], "figure 6, the paper's values")
    ours = set(zip(budgets["quantity"], budgets["product"], strict=True))
    theirs = list(zip(paper_values["quantity"], paper_values["product"], strict=True))
    strangers = [" ".join(pair) for pair in theirs if pair not in ours]
    if strangers:
        raise ValueError(f"figure 6: the paper's values name what the budgets lack: {', '.join(strangers)}")
    return dict(zip(theirs, paper_values["mean_gC_m2_yr"], strict=True))


def _means(axes: Axes, quantity: str, table: pd.DataFrame, paper: dict[tuple[str, str], float]) -> None:
    """Draw a bar a product, with its mean and, in brackets, its total."""
    places = np.arange(len(table))[::-1]
    means = table["mean_gC_m2_yr"].to_numpy()
    if quantity == "NEP":
        colours = [_SINK if mean >= 0 else _SOURCE for mean in means]
    else:
        colours = [_REFERENCE, *[_OTHER] * (len(table) - 1)]
    axes.barh(places, means, height=0.62, color=colours, edgecolor=INK, linewidth=0.5)
    for place, product, mean, total in zip(places, table["product"], means, table["total_TgC_yr"], strict=True):
        value = paper.get((quantity, product))
        text = f"{mean:.0f} ({total:.0f} Tg)"
        if value is not None:
            axes.plot(value, place, **_DIAMOND)
            text += f", paper {value:.0f}"
        beyond = mean if value is None else max(mean, value)
        _beside(axes, beyond, place, text.replace("-", "−"), away=7 if value == beyond else 4)
    label = with_units(quantity, FLUX_UNITS)
    axes.set_xlabel(f"← source     {label}     sink →" if quantity == "NEP" else label)
    _bar_axis(axes, list(table["product"]), places)


def _differences(axes: Axes, quantity: str, table: pd.DataFrame) -> None:
    """Draw a bar for each product's difference, and for that of the mean of several, from the reference."""
    reference = float(table["mean_gC_m2_yr"].iloc[0])
    others = table.iloc[1:].set_index("product")["mean_gC_m2_yr"]
    names, colours = list(others.index), [_OTHER] * len(others)
    values = list(others)
    if len(others) > 1:
        names, values, colours = [*names, "mean of these"], [*values, others.mean()], [*colours, _MEAN]
    percent = 100 * (np.array(values) - reference) / abs(reference)
    places = np.arange(len(names))[::-1]
    axes.barh(places, percent, height=0.62, color=colours, edgecolor=INK, linewidth=0.5)
    for place, value in zip(places, percent, strict=True):
        _beside(axes, value, place, f"{value:+.0f} %".replace("-", "−"))
    axes.set_xlabel(f"{quantity}, difference [%]")
    _bar_axis(axes, names, places)


def _beside(axes: Axes, x: float, y: float, text: str, away: float = 4) -> None:
    """Write a value right of its bar, which for a bar that points left is right of zero."""
    place = {"xytext": (away, 0), "textcoords": "offset points", "va": "center", "ha": "left", "fontsize": 8}
    axes.annotate(text, (max(x, 0.0), y), **place)


def _bar_axis(axes: Axes, names: list[str], places: np.ndarray) -> None:
    """Name the bars, mark zero, and leave room for the values written right of them."""
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(places, labels=names)
    axes.tick_params(axis="y", length=0)
    low, high = axes.get_xlim()
    axes.set_xlim(low, high + 0.5 * (high - low))
    spare = max(0, 2 - len(names)) / 2
    axes.set_ylim(-0.6 - spare, len(names) - 0.4 + spare)


def _trend_line(axes: Axes, values: pd.DataFrame, source: str, quantity: str, colour: str) -> None:
    if len(values) < 3:
        raise ValueError(f"yearly_budget: {quantity}, {source}: a trend needs three years, got {len(values)}")
    values = values.sort_values("year")
    year, total = values["year"].to_numpy(float), values["total_TgC_yr"].to_numpy(float)
    trend = linregress(year, total)
    slope = f"{10 * trend.slope:+.1f}".replace("-", "−")
    label = f"{source}\n{slope} {pretty_units('Tg C yr-1')}\na decade"
    axes.plot(year, total, "o-", color=colour, markersize=3.5, linewidth=1, alpha=0.8)
    axes.plot(year, trend.intercept + trend.slope * year, color=colour, linewidth=2, label=label)
