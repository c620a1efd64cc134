"""Figures of how far the map can be believed: distances, applicability, widths, coverage, the sink's interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from shapely.geometry.base import BaseGeometry

from helpers.figures import panels
from helpers.figures.style import (
    FLUX_UNITS,
    INK,
    blank,
    letters,
    panel_letter,
    predictor_name,
    pretty_units,
    require_columns,
    sequential_norm,
    series_colours,
    styled,
    with_units,
)

_SOURCE, _SINK = "#8c510a", "#01665e"
_PREDICTION = "prediction to sample"
_USE = {"may be used": "#01665e", "too unlike the sites": "#e69f00", "land cover without a site": "#8c2d62"}
_TRUTH = {"color": "black", "linestyle": (0, (1, 1)), "linewidth": 1.6}


@styled
def distance_curves(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the distances that each scheme of folds tries beside those that the map needs, with their W.

    Each curve is the share of distances at or below a value. The nearer a scheme's curve to that of *prediction to
    sample*, the more its error says about the map; W is the area between the two.

    Parameters
    ----------
    tables : mapping of str to pandas.DataFrame
        By forest: columns ``kind``, ``distance_km`` and ``wasserstein_km``, from
        :func:`mapforest.folds.distance_table`.

    Raises
    ------
    ValueError
        If a column is missing, or there is no *prediction to sample*.
    """
    figure = blank(4.6)
    row = figure.subplots(1, len(tables), squeeze=False, sharey=True)[0]
    for axes, (name, table), letter in zip(row, tables.items(), letters(len(tables)), strict=True):
        require_columns(table, ["kind", "distance_km", "wasserstein_km"], "distance_curves")
        kinds = list(dict.fromkeys(table["kind"]))
        if _PREDICTION not in kinds:
            raise ValueError(f"distance_curves: no distances of kind {_PREDICTION!r}; there are: {', '.join(kinds)}")
        colours = series_colours([kind for kind in kinds if kind != _PREDICTION])
        for kind in kinds:
            chosen = table[table["kind"] == kind]
            distance = np.sort(np.maximum(chosen["distance_km"].to_numpy(float), 1.0))
            w = chosen["wasserstein_km"].iloc[0]
            map_line = kind == _PREDICTION
            label = f"{kind}: the map" if map_line else f"{kind}, W {w:.0f} km"
            style = {"color": INK, "linewidth": 3} if map_line else {"color": colours[kind]}
            axes.step(distance, np.arange(1, distance.size + 1) / distance.size, where="post", label=label, **style)
        axes.set_xscale("log")
        axes.set_xlabel("distance to the nearest training row [km]")
        axes.set_ylim(0, 1.02)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), fontsize=8)
        panel_letter(axes, letter, name)
    row[0].set_ylabel("share at or below")
    return figure


@styled
def applicability_map(dissimilarity: Mapping[str, xr.DataArray], use: xr.DataArray, boundary: BaseGeometry) -> Figure:
    """Draw the dissimilarity index of each forest, and where the budget of both may be used.

    Parameters
    ----------
    dissimilarity : mapping of str to xarray.DataArray
        By forest: the dissimilarity index in units of the forest's own threshold, on (latitude, longitude); above 1 is
        outside its area of applicability.
    use : xarray.DataArray
        0: may be used; 1: too unlike the sites of one of the forests; 2: a land cover that one of them has no site of.
        Missing where nothing is predicted.
    boundary : shapely geometry
        The plateau's outline in degrees.

    Raises
    ------
    ValueError
        If the maps lie on different grids.
    """
    maps = panels.shared_grid({**dissimilarity, "use": use})
    shown = {name: panels.on_plateau(field, boundary) for name, field in maps.items()}
    categories = shown.pop("use")
    figure = blank(5.0)
    grid = GridSpec(2, 2, figure)
    bounds = [0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3]
    colours = ["#f7fbff", "#c9dfee", "#94c1dc", "#5a9fc8", "#f4c98a", "#dd8f3c", "#a3560c"]
    cmap, norm = ListedColormap(colours, over="#5c2c00"), BoundaryNorm(bounds, len(colours))
    for place, letter, (name, field) in zip([(0, 0), (0, 1)], "ab", shown.items(), strict=False):
        axes = panels.map_axes(figure, grid[place])
        panels.map_panel(
            axes, field, boundary, cmap=cmap, norm=norm, letter=letter, title=f"{name}: dissimilarity",
            left_labels=place[1] == 0, bottom_labels=False,
        )  # fmt: skip
    axes = panels.map_axes(figure, grid[1, 0])
    classes = ListedColormap(list(_USE.values()))
    panels.map_panel(
        axes, categories, boundary, cmap=classes, norm=BoundaryNorm([-0.5, 0.5, 1.5, 2.5], 3), letter="c",
        title="both forests together",
    )  # fmt: skip
    inner = grid[1, 1].subgridspec(3, 3, width_ratios=[0.05, 1, 0.05], height_ratios=[0.3, 0.22, 2.2])
    bar = figure.add_subplot(inner[1, 1])
    label = "dissimilarity, in units of the threshold (a, b)"
    panels.colour_bar(bar, cmap, norm, list(shown.values()), label, cax=bar, orientation="horizontal")
    legend = figure.add_subplot(inner[2, 1])
    legend.set_axis_off()
    entries = [Patch(facecolor=colour, edgecolor=INK, linewidth=0.3, label=name) for name, colour in _USE.items()]
    legend.legend(handles=[*entries, *panels.no_data_entry([categories])], loc="lower center", title="in c")
    return figure


@styled
def error_maps(fields: Mapping[str, tuple[xr.DataArray, str]], boundary: BaseGeometry) -> Figure:
    """Draw maps of expected errors or of widths of intervals, two in a row, each with its own limits.

    Parameters
    ----------
    fields : mapping of str to (xarray.DataArray, str)
        Title -> map on (latitude, longitude), and its unit as CF writes it. Grey: no value.
    boundary : shapely geometry
        The plateau's outline in degrees.

    Raises
    ------
    ValueError
        If there is no map, or one holds no value.
    """
    if not fields:
        raise ValueError("error_maps: no map to draw")
    rows = -(-len(fields) // 2)
    figure = blank(0.4 + 2.35 * rows)
    grid = GridSpec(rows, 2, figure)
    shown = []
    for i, (title, (field, unit)) in enumerate(fields.items()):
        axes = panels.map_axes(figure, grid[i // 2, i % 2])
        cut = panels.on_plateau(field, boundary)
        norm = sequential_norm([cut])
        edges = {"left_labels": i % 2 == 0, "bottom_labels": i >= len(fields) - 2}
        letter = letters(len(fields))[i]
        panels.map_panel(axes, cut, boundary, cmap="cmc.lajolla_r", norm=norm, letter=letter, title=title, **edges)
        panels.colour_bar(axes, "cmc.lajolla_r", norm, [cut], pretty_units(unit), shrink=0.75, pad=0.02)
        shown.append(cut)
    missing = panels.no_data_entry(shown)
    if missing:
        missing[0].set_label("not predicted, or beyond what any fold has tried")
        figure.legend(handles=missing, loc="outside lower center")
    return figure


@styled
def budget_interval(
    totals: Mapping[str, np.ndarray],
    scenarios: pd.DataFrame,
    published: pd.DataFrame,
    truth: float | None = None,
) -> Figure:
    """Draw the draws of the sink (a), and its interval by assumption beside published estimates (b).

    Parameters
    ----------
    totals : mapping of str to numpy.ndarray
        Part of the plateau -> NEP of each draw under the main assumptions, Tg C yr-1.
    scenarios : pandas.DataFrame
        ``label``, ``total_TgC_yr``, ``total_low_TgC_yr``, ``total_high_TgC_yr``, ``sink_probability``; a row an
        assumption.
    published : pandas.DataFrame
        ``label``, ``low``, ``high`` [Tg C yr-1]; equal where a work gives one number.
    truth : float, optional
        The true total of a simulated plateau, Tg C yr-1.
    """
    ends = ["total_low_TgC_yr", "total_high_TgC_yr"]
    require_columns(scenarios, ["label", "total_TgC_yr", *ends, "sink_probability"], "budget_interval, scenarios")
    require_columns(published, ["label", "low", "high"], "budget_interval, published")
    figure = blank(2.6 + 0.27 * (len(scenarios) + len(published)))
    upper, lower = figure.subplots(2, 1, height_ratios=[2.4, 0.27 * (len(scenarios) + len(published) + 1)])
    for (name, values), colour in zip(totals.items(), series_colours(totals).values(), strict=True):
        values = np.sort(values)
        label = f"{name}: a sink in {100 * np.mean(values > 0):.0f} % of draws"
        upper.step(values, np.arange(1, values.size + 1) / values.size, where="post", color=colour, label=label)
    upper.set_ylabel("share of draws\nat or below")
    upper.set_ylim(0, 1.02)
    upper.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    places = np.arange(len(scenarios) + len(published))[::-1]
    for place, row in zip(places, scenarios.itertuples(), strict=False):
        colour = _SINK if row.total_TgC_yr >= 0 else _SOURCE
        lower.hlines(place, row.total_low_TgC_yr, row.total_high_TgC_yr, color=colour, linewidth=2.4)
        lower.plot(row.total_TgC_yr, place, "o", color=colour, markersize=6)
    for place, row in zip(places[len(scenarios) :], published.itertuples(), strict=True):
        lower.hlines(place, row.low, row.high, color=INK, linewidth=2.4)
        lower.plot([row.low, row.high], [place, place], "D", color="white", markeredgecolor=INK, markersize=5)
    chances = [f"{row.label}, sink: {100 * row.sink_probability:.0f} %" for row in scenarios.itertuples()]
    lower.set_yticks(places, labels=[*chances, *published["label"]])
    lower.tick_params(axis="y", length=0, labelsize=7.5)
    lower.set_ylim(-0.7, len(places) - 0.3)
    lower.set_xlabel(f"← source     {with_units('NEP', 'Tg C yr-1')}     sink →")
    for axes, letter in zip((upper, lower), "ab", strict=True):
        axes.axvline(0, color="black", linewidth=0.8)
        if truth is not None:
            axes.axvline(truth, label="truth", **_TRUTH)
        panel_letter(axes, letter)
    if truth is not None:
        upper.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


@styled
def variance_bars(table: pd.DataFrame) -> Figure:
    """Draw how much each source alone moves NPP, Rh and NEP of the plateau, beside all together.

    Parameters
    ----------
    table : pandas.DataFrame
        ``label``, ``npp_sd_gC_m2_yr``, ``rh_sd_gC_m2_yr``, ``nep_sd_gC_m2_yr``; a row a source, the last one all.
    """
    columns = {name: f"{name.lower()}_sd_gC_m2_yr" for name in ("NPP", "Rh", "NEP")}
    require_columns(table, ["label", *columns.values()], "variance_bars")
    figure = blank(1.1 + 0.3 * len(table))
    row = figure.subplots(1, 3, sharey=True, sharex=True)
    places = np.arange(len(table))[::-1]
    colours = ["#9cb8c9"] * (len(table) - 1) + ["#0b5d4a"]
    for axes, letter, (name, column) in zip(row, "abc", columns.items(), strict=True):
        bars = axes.barh(places, table[column], height=0.62, color=colours, edgecolor=INK, linewidth=0.5)
        axes.bar_label(bars, fmt="%.0f" if table[column].max() >= 20 else "%.1f", padding=3, fontsize=7.5)
        axes.set_yticks(places, labels=table["label"])
        axes.tick_params(axis="y", length=0)
        axes.margins(x=0.18)
        panel_letter(axes, letter, name)
    row[1].set_xlabel(with_units("standard deviation of the plateau mean", FLUX_UNITS))
    return figure


@styled
def coverage_checks(table: pd.DataFrame, level: float) -> Figure:
    """Draw how many held-back records lie in their interval, as it is and recalibrated, against what it promises.

    Parameters
    ----------
    table : pandas.DataFrame
        ``model``, ``check`` (its name in words), ``coverage``, ``recalibrated_coverage``.
    level : float
        What the intervals promise.
    """
    require_columns(table, ["model", "check", "coverage", "recalibrated_coverage"], "coverage_checks")
    models = list(dict.fromkeys(table["model"]))
    checks = list(dict.fromkeys(table["check"]))
    figure = blank(1.3 + 0.32 * len(checks))
    row = figure.subplots(1, len(models), squeeze=False, sharey=True, sharex=True)[0]
    for axes, model, letter in zip(row, models, letters(len(models)), strict=True):
        chosen = table[table["model"] == model].set_index("check").reindex(checks)
        places = np.arange(len(checks))[::-1]
        axes.axvspan(level - 0.05, min(1.0, level + 0.05), color="#e3e3e3", linewidth=0, zorder=0)
        axes.axvline(level, color="black", linewidth=0.8)
        axes.hlines(places, chosen["coverage"], chosen["recalibrated_coverage"], color="#888888", linewidth=1.2)
        raw = axes.plot(chosen["coverage"], places, "o", color="#d55e00", markersize=7, label="as the forest gives it")
        new = axes.plot(
            chosen["recalibrated_coverage"], places, "s", color="#0072b2", markersize=6, label="recalibrated"
        )
        axes.set_yticks(places, labels=checks)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(-0.6, len(checks) - 0.4)
        axes.set_xlabel(f"share of records in their {100 * level:.0f} % interval")
        panel_letter(axes, letter, model)
    band = Patch(facecolor="#e3e3e3", label="within 5 points of the promise")
    figure.legend(handles=[*raw, *new, band], loc="outside upper center", ncols=3)
    return figure


@styled
def accumulated_effects(effects: pd.DataFrame, sites: pd.DataFrame, predictors: Sequence[str], label: str) -> Figure:
    """Draw the accumulated local effect of each predictor with a rug of the sites below it.

    Parameters
    ----------
    effects : pandas.DataFrame
        ``predictor``, ``value``, ``effect``, from :func:`mapforest.effects.accumulated_local_effects`; optionally
        ``units``.
    sites : pandas.DataFrame
        The predictors at the training sites.
    predictors : sequence of str
        Those to draw, in the order of the panels.
    label : str
        What the effect is, with units.

    Raises
    ------
    ValueError
        If a column or a predictor is missing.
    """
    require_columns(effects, ["predictor", "value", "effect"], "accumulated_effects")
    require_columns(sites, list(predictors), "accumulated_effects, sites")
    columns = min(4, len(predictors))
    rows = -(-len(predictors) // columns)
    figure = blank(0.6 + 1.75 * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axes in grid[len(predictors) :]:
        axes.remove()
    for axes, name, letter in zip(grid, predictors, letters(len(predictors)), strict=False):
        chosen = effects[effects["predictor"] == name]
        axes.axhline(0, color="#999999", linewidth=0.7)
        axes.plot(chosen["value"], chosen["effect"], color="#0072b2")
        axes.plot(
            sites[name], np.zeros(len(sites)), "|", color="#d55e00", alpha=0.5, markersize=7,
            transform=axes.get_xaxis_transform(), clip_on=False,
        )  # fmt: skip
        units = chosen["units"].iloc[0] if "units" in chosen else ""
        axes.set_xlabel(with_units(predictor_name(name), units))
        axes.set_title(letter, loc="left", fontweight="bold")
    figure.supylabel(label, fontsize=9)
    rug = Line2D([], [], linestyle="", marker="|", color="#d55e00", markersize=8, label="a site")
    figure.legend(handles=[rug], loc="outside upper right")
    return figure


@styled
def worlds_held(table: pd.DataFrame) -> Figure:
    """Draw the interval of each virtual world less its truth: it holds the truth where it crosses zero.

    Parameters
    ----------
    table : pandas.DataFrame
        ``part`` (a panel each), ``low_gC_m2_yr``, ``high_gC_m2_yr``, ``mean_gC_m2_yr``, ``true_gC_m2_yr``, ``held``
        (0 or 1); a row a world.
    """
    values = ["low_gC_m2_yr", "high_gC_m2_yr", "mean_gC_m2_yr", "true_gC_m2_yr"]
    require_columns(table, ["part", *values, "held"], "worlds_held")
    parts = list(dict.fromkeys(table["part"]))
    figure = blank(3.4)
    row = figure.subplots(1, len(parts), squeeze=False)[0]
    for axes, part, letter in zip(row, parts, letters(len(parts)), strict=True):
        chosen = table[table["part"] == part]
        _world_lines(axes, chosen)
        panel_letter(axes, letter, f"{part}: {chosen['held'].sum():.0f} of {len(chosen)} held")
    row[len(row) // 2].set_xlabel(with_units("NEP, interval less truth", FLUX_UNITS))
    return figure


def _world_lines(axes: Axes, worlds: pd.DataFrame) -> None:
    ordered = worlds.assign(error=worlds["mean_gC_m2_yr"] - worlds["true_gC_m2_yr"]).sort_values("error")
    low, high = (ordered[end] - ordered["true_gC_m2_yr"] for end in ("low_gC_m2_yr", "high_gC_m2_yr"))
    colours = np.where(ordered["held"].astype(bool), "#0072b2", "#d55e00")
    places = np.arange(len(ordered))
    axes.hlines(places, low, high, color=colours, linewidth=1.5)
    axes.scatter(ordered["error"], places, color=colours, s=10, zorder=3)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks([])
