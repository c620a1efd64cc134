"""Figures of the region's budgets: the components of the sink, their years, how far a truth is recovered."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from numpy.typing import NDArray
from scipy.stats import linregress, t

from helpers.figures import style, words
from helpers.names import FLUX_UNITS, TOTAL_UNITS, pretty_units, source_to_sink, with_units

_BELOW = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.12)}
#: What the bands of trends promise.
LEVEL = 0.9
_QUANTITIES = ("NPP", "Rh", "NEP")


@style.styled
def fig6_components(budgets: pd.DataFrame, paper_values: pd.DataFrame | None = None) -> style.BookFigure:
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
    figure, rows = _component_panels([len(table) for table in tables.values()])
    for (left, right), (quantity, table), pair in zip(rows, tables.items(), ("ab", "cd", "ef"), strict=False):
        _means(left, quantity, table, paper)
        style.panel_letter(left, pair[0], quantity)
        _differences(right, quantity, table)
        style.panel_letter(right, pair[1], f"minus {table['product'].iloc[0]}")
    if paper:
        figure.legend(handles=[Line2D([], [], label="the paper's value", **style.DIAMOND)], loc="outside lower center")
    told = [
        f"{quantity}: {words.rows(table['product'], table['mean_gC_m2_yr'], FLUX_UNITS)}."
        for quantity, table in tables.items()
    ]
    theirs = [f"{quantity} of {product} {words.number(value)}" for (quantity, product), value in paper.items()]
    alt = f"Bars: the region's mean of each product, and its difference from the first. {' '.join(told)}"
    alt += f" Diamonds, the paper's values: {'; '.join(theirs)}." if theirs else ""
    return style.described(figure, alt, pd.concat(tables.values()))


@style.styled
def yearly_budget(series: pd.DataFrame) -> style.BookFigure:
    """Draw the region's total of each year with its least-squares trend, a panel per quantity.

    The band, and what follows ±, is the :data:`LEVEL` confidence of the trend from the scatter of the years alone: the
    forests are the same in each year, and their error is not in it.

    The columns are ``year``, ``quantity`` and ``total_TgC_yr``. A quantity of fewer than three years raises a
    ValueError.
    """
    style.require_columns(series, ["year", "quantity", "total_TgC_yr"], "yearly_budget")
    quantities = list(dict.fromkeys(series["quantity"]))
    figure, rows = style.panel_grid(2.1 if style.on_phone() else 1.75, quantities, 1, sharex=True)
    told = []
    for axes, quantity in zip(rows, quantities, strict=True):
        chosen = series[series["quantity"] == quantity].sort_values("year")
        if len(chosen) < 3:
            raise ValueError(f"yearly_budget: {quantity}: a trend needs three years, got {len(chosen)}")
        year, total = chosen["year"].to_numpy(float), chosen["total_TgC_yr"].to_numpy(float)
        trend = linregress(year, total)
        slope, half = 10 * trend.slope, 10 * trend.stderr * t.ppf(0.5 + LEVEL / 2, len(year) - 2)
        label = f"trend: {slope:+.1f} ± {half:.1f}".replace("-", "−") + f"\n{pretty_units(TOTAL_UNITS)} a decade"
        axes.plot(year, total, "o-", color=style.OURS, markersize=3.5, linewidth=1, alpha=0.8)
        axes.plot(year, trend.intercept + trend.slope * year, color=style.OURS, linewidth=2, label=label)
        axes.fill_between(year, *_band(year, total, trend), color=style.OURS, alpha=0.18, linewidth=0)
        if total.min() < 0:
            axes.axhline(0, color="black", linewidth=0.8)
        axes.set_ylabel(with_units(str(quantity), TOTAL_UNITS))
        axes.legend(**_BELOW if style.on_phone() else {"loc": "center left", "bbox_to_anchor": (1.0, 0.5)})
        told.append(
            f"{quantity}: from {words.number(total.min())} to {words.number(total.max())} Tg C yr⁻¹, trend "
            f"{words.number(slope)} ± {words.number(half)} a decade"
        )
    rows[-1].xaxis.get_major_locator().set_params(integer=True)
    rows[-1].set_xlabel(
        "year", loc="left" if style.on_phone() else "center"
    )  # there the legend stands below the middle
    first, last = int(series["year"].min()), int(series["year"].max())
    alt = (
        f"The region's totals of each year from {first} to {last}, with their least-squares trends and its band: "
        f"{100 * LEVEL:.0f} % confidence from the scatter of the years. {'; '.join(told)}."
    )
    return style.described(figure, alt, series)


@style.styled
def recovered_versus_true(table: pd.DataFrame) -> style.BookFigure:
    """Draw what a run recovered beside what is true: a panel per statistic, a row per quantity.

    The columns are ``statistic`` (such as trend), ``quantity``, ``recovered``, ``true`` and ``unit``. A statistic with
    several units raises a ValueError.
    """
    style.require_columns(table, ["statistic", "quantity", "recovered", "true", "unit"], "recovered_versus_true")
    groups = dict(list(table.groupby("statistic", sort=False)))
    figure, row = style.panel_grid(0.7 + 0.5 * table["quantity"].nunique(), groups, len(groups))
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
    told = [
        f"{row.statistic} of {row.quantity}: recovered {words.number(row.recovered)}, true {words.number(row.true)} "
        f"{pretty_units(row.unit)}"
        for row in table.itertuples()
    ]
    alt = (
        f"What this run recovers, as dots, beside what is true in the simulated world, as diamonds. {'; '.join(told)}."
    )
    return style.described(figure, alt, table)


def _component_panels(counts: list[int]) -> tuple[style.BookFigure, list[tuple[Axes, Axes]]]:
    """Return the empty figure 6, and a panel of means and one of differences for each quantity with its bars."""
    heights = [count + 1.5 for count in counts]
    if style.on_phone():
        heights = [height for count in counts for height in (count + 1.5, count + 2.0)]
    figure = style.blank(1.0 + style.row_height(0.36) * sum(heights))
    shape = {} if style.on_phone() else {"width_ratios": [1.25, 1]}
    panels = figure.subplots(len(heights), style.columns(2), squeeze=False, height_ratios=heights, **shape).ravel()
    return figure, list(zip(panels[::2], panels[1::2], strict=True))


def _band(
    year: NDArray[np.float64], total: NDArray[np.float64], trend: object
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the ends of the confidence band of a trend at each year."""
    line = trend.intercept + trend.slope * year
    scatter = np.sqrt(((total - line) ** 2).sum() / (len(year) - 2))
    leverage = 1 / len(year) + (year - year.mean()) ** 2 / ((year - year.mean()) ** 2).sum()
    half = t.ppf(0.5 + LEVEL / 2, len(year) - 2) * scatter * np.sqrt(leverage)
    return line - half, line + half


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
    style.bars(axes, means, style.sign_colours(means) if signed else [style.OURS, *[style.OTHERS] * (len(table) - 1)])
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
        others, colours = pd.concat([others, pd.Series({"mean of these": others.mean()})]), [*colours, style.SHADE]
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
    place = {"xytext": (away, 0), "textcoords": "offset points", "va": "center", "ha": "left", "fontsize": style.SMALL}
    axes.annotate(text, (max(x, 0.0), y), **place)


def _finish(axes: Axes, names: list[str]) -> None:
    """Name the bars, mark zero, and leave room for the values written right of them."""
    axes.axvline(0, color="black", linewidth=0.8)
    low, high = axes.get_xlim()
    axes.set_xlim(low, high + 0.5 * (high - low))
    style.name_rows(axes, names, spare=max(0, 2 - len(names)) / 2)
