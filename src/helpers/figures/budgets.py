"""Figures of the region's budgets: the components of the sink, their years, how far a truth is recovered."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from scipy.stats import linregress

from helpers.figures import style
from helpers.names import FLUX_UNITS, TOTAL_UNITS, pretty_units, source_to_sink, with_units

_QUANTITIES = ("NPP", "Rh", "NEP")


@style.styled
def fig6_components(budgets: pd.DataFrame, paper_values: pd.DataFrame | None = None) -> Figure:
    """Figure 6: mean NPP (a), Rh (c), NEP (e) of each product; its difference from the forest (b, d, f).

    The first product of a quantity is its reference. A difference is (product - reference) / abs(reference) in percent,
    so that a negative one is an underestimate; with several products, that of their mean is drawn too.

    A row of ``budgets`` is a ``quantity`` (NPP, Rh, NEP) and a ``product``. The paper's means, drawn as open diamonds,
    name them in the same way. A quantity without a product to compare with has no panel; a ValueError is raised if all
    lack one, or the paper's values name a product that is not in the budgets.
    """
    style.require_columns(budgets, ["quantity", "product", "mean_gC_m2_yr", "total_TgC_yr"], "figure 6")
    tables = {quantity: budgets[budgets["quantity"] == quantity] for quantity in _QUANTITIES}
    tables = {quantity: table for quantity, table in tables.items() if len(table) > 1}
    if not tables:
        raise ValueError("figure 6: expected a reference and at least one product of NPP, Rh or NEP, got none")
    paper = {} if paper_values is None else _paper_means(budgets, paper_values)
    figure = style.blank(1.0 + 0.36 * sum(len(table) + 2 for table in tables.values()))
    shape = {"width_ratios": [1.25, 1], "height_ratios": [len(table) + 1.5 for table in tables.values()]}
    rows = figure.subplots(len(tables), 2, squeeze=False, **shape)
    for (left, right), (quantity, table), pair in zip(rows, tables.items(), ("ab", "cd", "ef"), strict=False):
        _means(left, quantity, table, paper)
        style.panel_letter(left, pair[0], quantity)
        _differences(right, quantity, table)
        style.panel_letter(right, pair[1], f"difference from {table['product'].iloc[0]}")
    if paper:
        figure.legend(handles=[Line2D([], [], label="the paper's value", **style.DIAMOND)], loc="outside lower center")
    return figure


@style.styled
def yearly_budget(series: pd.DataFrame) -> Figure:
    """Draw the region's total of each year with its least-squares trend, a panel per quantity.

    The columns are ``year``, ``quantity`` and ``total_TgC_yr``. A quantity of fewer than three years raises a
    ValueError.
    """
    style.require_columns(series, ["year", "quantity", "total_TgC_yr"], "yearly_budget")
    quantities = list(dict.fromkeys(series["quantity"]))
    figure, rows = style.panel_grid(0.7 + 1.75 * len(quantities), quantities, 1, sharex=True)
    for axes, quantity in zip(rows, quantities, strict=True):
        chosen = series[series["quantity"] == quantity].sort_values("year")
        if len(chosen) < 3:
            raise ValueError(f"yearly_budget: {quantity}: a trend needs three years, got {len(chosen)}")
        year, total = chosen["year"].to_numpy(float), chosen["total_TgC_yr"].to_numpy(float)
        trend = linregress(year, total)
        label = f"trend: {10 * trend.slope:+.1f}".replace("-", "−") + f"\n{pretty_units(TOTAL_UNITS)}\na decade"
        axes.plot(year, total, "o-", color=style.OURS, markersize=3.5, linewidth=1, alpha=0.8)
        axes.plot(year, trend.intercept + trend.slope * year, color=style.OURS, linewidth=2, label=label)
        if total.min() < 0:
            axes.axhline(0, color="black", linewidth=0.8)
        axes.set_ylabel(with_units(str(quantity), TOTAL_UNITS))
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    rows[-1].xaxis.get_major_locator().set_params(integer=True)
    rows[-1].set_xlabel("year")
    return figure


@style.styled
def recovered_versus_true(table: pd.DataFrame) -> Figure:
    """Draw what a run recovered beside what is true: a panel per statistic, a row per quantity.

    The columns are ``statistic`` (such as trend), ``quantity``, ``recovered``, ``true`` and ``unit``. A statistic with
    several units raises a ValueError.
    """
    style.require_columns(table, ["statistic", "quantity", "recovered", "true", "unit"], "recovered_versus_true")
    groups = dict(list(table.groupby("statistic", sort=False)))
    figure, row = style.panel_grid(1.2 + 0.5 * table["quantity"].nunique(), groups, len(groups))
    for axes, (statistic, values) in zip(row, groups.items(), strict=True):
        units = values["unit"].unique()
        if len(units) > 1:
            raise ValueError(f"recovered_versus_true: {statistic} has several units: {', '.join(units)}")
        places = np.arange(len(values))
        axes.hlines(places, values["true"], values["recovered"], color="#888888", linewidth=1.2)
        recovered = axes.plot(values["recovered"], places, "o", color=style.OURS, markersize=7, label="recovered")
        true = axes.plot(values["true"], places, label="true", **style.DIAMOND)
        axes.axvline(0, color="black", linewidth=0.6)
        style.name_rows(axes, values["quantity"])
        axes.margins(x=0.12)
        axes.set_xlabel(f"[{pretty_units(units[0])}]")
    figure.legend(handles=[*recovered, *true], loc="outside lower center", ncols=2)
    return figure


def _paper_means(budgets: pd.DataFrame, paper_values: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Return the paper's means by quantity and product, each of which the budgets must have."""
    style.require_columns(paper_values, ["quantity", "product", "mean_gC_m2_yr"], "figure 6, the paper's values")
    ours = set(zip(budgets["quantity"], budgets["product"], strict=True))
    theirs = list(zip(paper_values["quantity"], paper_values["product"], strict=True))
    strangers = [" ".join(pair) for pair in theirs if pair not in ours]
    if strangers:
        raise ValueError(f"figure 6: the paper's values name what the budgets lack: {', '.join(strangers)}")
    return dict(zip(theirs, paper_values["mean_gC_m2_yr"], strict=True))


def _means(axes: Axes, quantity: str, table: pd.DataFrame, paper: dict[tuple[str, str], float]) -> None:
    """Draw a bar per product, with its mean and, in brackets, its total."""
    means = table["mean_gC_m2_yr"].to_numpy()
    signed = quantity == "NEP"
    style.bars(axes, means, style.sign_colours(means) if signed else [style.STRONG, *[style.OTHERS] * (len(table) - 1)])
    for place, (product, mean, total) in enumerate(zip(table["product"], means, table["total_TgC_yr"], strict=True)):
        value = paper.get((quantity, product))
        text = f"{mean:.0f} ({total:.0f} Tg)"
        if value is not None:
            axes.plot(value, place, **style.DIAMOND)
            text += f", paper {value:.0f}"
        beyond = mean if value is None else max(mean, value)
        _beside(axes, beyond, place, text.replace("-", "−"), away=7 if value == beyond else 4)
    axes.set_xlabel(source_to_sink(FLUX_UNITS) if signed else with_units(quantity, FLUX_UNITS))
    _finish(axes, list(table["product"]))


def _differences(axes: Axes, quantity: str, table: pd.DataFrame) -> None:
    """Draw a bar for each product's difference, and for that of the mean of several, from the reference."""
    reference = float(table["mean_gC_m2_yr"].iloc[0])
    others = table.iloc[1:].set_index("product")["mean_gC_m2_yr"]
    colours = [style.OTHERS] * len(others)
    if len(others) > 1:
        others, colours = pd.concat([others, pd.Series({"mean of these": others.mean()})]), [*colours, "#d9d9d9"]
    difference = others.to_numpy() - reference
    # NEP is a small difference of large numbers: a percentage of it says nothing.
    percent = quantity != "NEP"
    values = 100 * difference / abs(reference) if percent else difference
    style.bars(axes, values, colours)
    for place, value in enumerate(values):
        _beside(axes, value, place, f"{value:+.0f}{' %' if percent else ''}".replace("-", "−"), away=4)
    axes.set_xlabel(f"{quantity}, difference [{'%' if percent else pretty_units(FLUX_UNITS)}]")
    _finish(axes, list(others.index))


def _beside(axes: Axes, x: float, y: float, text: str, away: float) -> None:
    """Write a value right of its bar, which for a bar that points left is right of zero."""
    place = {"xytext": (away, 0), "textcoords": "offset points", "va": "center", "ha": "left", "fontsize": 8}
    axes.annotate(text, (max(x, 0.0), y), **place)


def _finish(axes: Axes, names: list[str]) -> None:
    """Name the bars, mark zero, and leave room for the values written right of them."""
    axes.axvline(0, color="black", linewidth=0.8)
    low, high = axes.get_xlim()
    axes.set_xlim(low, high + 0.5 * (high - low))
    style.name_rows(axes, names, spare=max(0, 2 - len(names)) / 2)
