"""Figures of how far the map can be believed: distances, applicability, widths, coverage, the sink's interval."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.patches import Patch
from shapely.geometry.base import BaseGeometry

from helpers.figures import panels, style
from helpers.names import FLUX_UNITS, TOTAL_UNITS, source_to_sink, with_units

_PREDICTION = "prediction to sample"
_USE = {"may be used": style.SINK, "too unlike the sites": style.SECOND, "land cover without a site": "#8c2d62"}
_DISSIMILARITY = {
    "bounds": [0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3],
    "colours": ["#f7fbff", "#c9dfee", "#94c1dc", "#5a9fc8", "#f4c98a", "#dd8f3c", "#a3560c"],
    "over": "#5c2c00",
}


@style.styled
def distance_curves(tables: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the distances that each scheme of folds tries beside those that the map needs, with their W.

    Each curve is the share of distances at or below a value. The nearer a scheme's curve to that of *prediction to
    sample*, the more its error says about the map; W is the area between the two. The tables, by forest, are those of
    :func:`mapforest.folds.distance_table`; one without *prediction to sample* raises a ValueError.
    """
    figure, row = style.panel_grid(4.6, tables, len(tables), sharey=True)
    for axes, table in zip(row, tables.values(), strict=True):
        style.require_columns(table, ["kind", "distance_km", "wasserstein_km"], "distance_curves")
        kinds = dict(list(table.groupby("kind", sort=False)))
        if _PREDICTION not in kinds:
            raise ValueError(f"distance_curves: no distances of kind {_PREDICTION!r}; there are: {', '.join(kinds)}")
        colours = style.series_colours(kind for kind in kinds if kind != _PREDICTION)
        for kind, chosen in kinds.items():
            label, look = f"{kind}, W {chosen['wasserstein_km'].iloc[0]:.0f} km", {"color": colours.get(kind)}
            if kind == _PREDICTION:
                label, look = f"{kind}: the map", {"color": style.INK, "linewidth": 3}
            style.cumulative(axes, np.maximum(chosen["distance_km"].to_numpy(float), 1.0), label=label, **look)
        axes.set(xscale="log", xlabel="distance to the nearest training row [km]")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), fontsize=8)
    row[0].set_ylabel("share at or below")
    return figure


@style.styled
def applicability_map(dissimilarity: Mapping[str, xr.DataArray], use: xr.DataArray, boundary: BaseGeometry) -> Figure:
    """Draw the dissimilarity index of each of two forests, and where the budget of both may be used.

    The index is in units of the forest's own threshold: above 1 is outside its area of applicability. ``use`` is 0
    where the budget may be used, 1 where a cell is too unlike the sites of one of the forests, 2 on a land cover that
    one of them has no site of, and missing where nothing is predicted. Maps on different grids raise a ValueError.
    """
    maps = panels.shared_grid({**dissimilarity, "use": use})
    shown = {name: panels.within(field, boundary) for name, field in maps.items()}
    categories = shown.pop("use")
    figure = style.blank(5.0)
    grid = GridSpec(2, 2, figure)
    bounds, colours = _DISSIMILARITY["bounds"], _DISSIMILARITY["colours"]
    cmap = ListedColormap(colours, over=_DISSIMILARITY["over"])
    scale = style.Scale(cmap, BoundaryNorm(bounds, len(colours)), "max")
    for place, letter, (name, field) in zip(grid, "ab", shown.items(), strict=False):
        panels.draw_map(figure, place, field, boundary, scale, letter, f"{name}: dissimilarity")
    classes = style.Scale(ListedColormap(list(_USE.values())), BoundaryNorm([-0.5, 0.5, 1.5, 2.5], 3))
    axes = panels.draw_map(figure, grid[1, 0], categories, boundary, classes, "c", "both forests together")
    inner = grid[1, 1].subgridspec(3, 3, width_ratios=[0.05, 1, 0.05], height_ratios=[0.3, 0.22, 2.2])
    label = "dissimilarity, in units of the threshold (a, b)"
    panels.colour_bar(axes, scale, label, cax=figure.add_subplot(inner[1, 1]), orientation="horizontal")
    legend = figure.add_subplot(inner[2, 1])
    legend.set_axis_off()
    entries = [panels.swatch(colour, name) for name, colour in _USE.items()]
    legend.legend(handles=[*entries, *panels.no_data_entry([categories])], loc="lower center", title="in c")
    return figure


@style.styled
def error_maps(fields: Mapping[str, tuple[xr.DataArray, str]], boundary: BaseGeometry) -> Figure:
    """Draw maps of expected errors or of widths of intervals, two in a row, each with its own limits.

    A title has a map and its unit as CF writes it; a cell without a value is grey. A ValueError is raised if there is
    no map, or one holds no value.
    """
    if not fields:
        raise ValueError("error_maps: no map to draw")
    rows = -(-len(fields) // 2)
    figure = style.blank(0.4 + 2.35 * rows)
    shown = []
    places = zip(GridSpec(rows, 2, figure), style.letters(len(fields)), fields.items(), strict=False)
    for place, letter, (title, (field, unit)) in places:
        cut = panels.within(field, boundary)
        scale = style.sequential([cut], "cmc.lajolla_r")
        axes = panels.draw_map(figure, place, cut, boundary, scale, letter, title)
        panels.colour_bar(axes, scale, panels.unit_label(unit), shrink=0.75, pad=0.02)
        shown.append(cut)
    missing = panels.no_data_entry(shown)
    if missing:
        missing[0].set_label("not predicted, or beyond what any fold has tried")
        figure.legend(handles=missing, loc="outside lower center")
    return figure


@style.styled
def budget_interval(
    totals: Mapping[str, np.ndarray], scenarios: pd.DataFrame, published: pd.DataFrame | None, truth: float | None
) -> Figure:
    """Draw the draws of the sink (a), and its interval by assumption beside published estimates (b).

    All are in Tg C yr-1: ``totals`` the NEP of each draw under the main assumptions, by part of the region;
    ``scenarios`` a row per assumption; ``published`` with ``low`` and ``high``, equal where a work gives one number;
    or None; and the true total of a simulated world, or None.
    """
    ends = ["total_low_TgC_yr", "total_high_TgC_yr"]
    style.require_columns(scenarios, ["label", "total_TgC_yr", *ends, "sink_probability"], "budget_interval, scenarios")
    if published is None:
        published = pd.DataFrame({"label": [], "low": [], "high": []})
    else:
        style.require_columns(published, ["label", "low", "high"], "budget_interval, published")
    figure = style.blank(2.8 + 0.27 * (len(scenarios) + len(published)))
    upper, lower = figure.subplots(2, 1, height_ratios=[2.4, 0.27 * (len(scenarios) + len(published) + 1)])
    for (name, values), colour in zip(totals.items(), style.series_colours(totals).values(), strict=True):
        label = f"{name}: a sink in {100 * np.mean(values > 0):.0f} % of draws"
        style.cumulative(upper, values, color=colour, label=label)
    upper.set_ylabel("share of draws\nat or below")
    colours = style.sign_colours(scenarios["total_TgC_yr"])
    ours = np.arange(len(scenarios))
    lower.hlines(ours, *(scenarios[end] for end in ends), color=colours, linewidth=2.4)
    lower.scatter(scenarios["total_TgC_yr"], ours, s=36, color=colours, zorder=3)
    theirs = len(scenarios) + np.arange(len(published))
    lower.hlines(theirs, published["low"], published["high"], color=style.INK, linewidth=2.4)
    lower.plot(published[["low", "high"]], theirs, **style.DIAMOND)
    chances = [f"{row.label}, sink: {100 * row.sink_probability:.0f} %" for row in scenarios.itertuples()]
    style.name_rows(lower, [*chances, *published["label"]])
    lower.tick_params(axis="y", labelsize=7.5)
    for axes, letter in zip((upper, lower), "ab", strict=True):
        axes.axvline(0, color="black", linewidth=0.8)
        if truth is not None:
            axes.axvline(truth, label="truth", color="black", linestyle=(0, (1, 1)), linewidth=1.6)
        axes.set_xlabel(source_to_sink(TOTAL_UNITS))
        style.panel_letter(axes, letter)
    upper.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


@style.styled
def variance_bars(table: pd.DataFrame) -> Figure:
    """Draw how much each source alone moves NPP, Rh and NEP of the region, beside all together.

    A row is a source: ``label``, ``npp_sd_gC_m2_yr``, ``rh_sd_gC_m2_yr``, ``nep_sd_gC_m2_yr``; the last one is all.
    """
    columns = {name: f"{name.lower()}_sd_gC_m2_yr" for name in ("NPP", "Rh", "NEP")}
    style.require_columns(table, ["label", *columns.values()], "variance_bars")
    figure, row = style.panel_grid(1.1 + 0.3 * len(table), columns, 3, sharey=True, sharex=True)
    colours = [style.OTHERS] * (len(table) - 1) + [style.STRONG]
    for axes, column in zip(row, columns.values(), strict=True):
        bars = style.bars(axes, table[column], colours)
        axes.bar_label(bars, fmt="%.0f" if table[column].max() >= 20 else "%.1f", padding=3, fontsize=7.5)
        style.name_rows(axes, table["label"])
        axes.margins(x=0.18)
    row[1].set_xlabel(with_units("standard deviation of the mean", FLUX_UNITS))
    return figure


@style.styled
def family(table: pd.DataFrame) -> Figure:
    """Draw what each model of a family explains of held-back sites, beside the mean of the region that it gives.

    A ``flux`` has a row of panels, a ``where`` a colour. ``map_mean_gC_m2_yr`` is missing for the mean of the records,
    which has no map.
    """
    needed = ["flux", "member", "where", "r2_explained", "r2_low", "r2_high", "map_mean_gC_m2_yr"]
    style.require_columns(table, needed, "family")
    fluxes = dict(list(table.groupby("flux", sort=False)))
    mapped = {flux: list(rows.dropna(subset="map_mean_gC_m2_yr")["member"].unique()) for flux, rows in fluxes.items()}
    heights = [2.2 + len(members) for members in mapped.values()]
    figure = style.blank(0.5 + 0.3 * sum(heights))
    grid = figure.subplots(len(fluxes), 2, sharey="row", squeeze=False, width_ratios=[1.4, 1], height_ratios=heights)
    for (flux, chosen), (left, right) in zip(fluxes.items(), grid, strict=True):
        members = mapped[flux]
        places = np.arange(len(members))
        wheres = list(dict.fromkeys(chosen["where"]))
        for number, (where, colour) in enumerate(style.series_colours(wheres).items()):
            scores = chosen[chosen["where"] == where].set_index("member").reindex(members)
            away = places + 0.16 * (2 * number - len(wheres) + 1)
            left.hlines(away, scores["r2_low"], scores["r2_high"], color=colour, linewidth=2)
            left.plot(scores["r2_explained"], away, "o", color=colour, markersize=5, label=where)
        left.axvline(0, color="black", linewidth=0.8)
        # An interval far below zero says no more than that the model fails.
        left.set_xlim(max(-2.5, left.get_xlim()[0]), min(1.0, left.get_xlim()[1]))
        left.set_xlabel(f"{flux}: R² against the mean of the records")
        means = chosen.groupby("member", sort=False)["map_mean_gC_m2_yr"].first().reindex(members)
        bars = style.bars(right, means, style.OTHERS)
        right.bar_label(bars, fmt="%.0f", padding=3, fontsize=7.5)
        right.margins(x=0.18)
        right.set_xlabel(with_units(f"{flux}, mean of the map", FLUX_UNITS))
        style.name_rows(left, members)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return figure


@style.styled
def coverage_checks(table: pd.DataFrame, level: float) -> Figure:
    """Draw how many held-back records lie in their interval, as it is and recalibrated, against what it promises.

    A row is a ``model`` and a ``check``, in words; the level is what the intervals promise.
    """
    style.require_columns(table, ["model", "check", "coverage", "recalibrated_coverage"], "coverage_checks")
    models, checks = (list(dict.fromkeys(table[column])) for column in ("model", "check"))
    figure, row = style.panel_grid(1.3 + 0.32 * len(checks), models, len(models), sharey=True, sharex=True)
    places = np.arange(len(checks))
    for axes, model in zip(row, models, strict=True):
        chosen = table[table["model"] == model].set_index("check").reindex(checks)
        raw, new = chosen["coverage"], chosen["recalibrated_coverage"]
        axes.axvspan(level - 0.05, min(1.0, level + 0.05), color=style.SHADE, linewidth=0, zorder=0)
        axes.axvline(level, color="black", linewidth=0.8)
        axes.hlines(places, raw, new, color="#888888", linewidth=1.2)
        marks = axes.plot(raw, places, "o", color=style.SITES, markersize=7, label="as the forest gives it")
        marks += axes.plot(new, places, "s", color=style.OURS, markersize=6, label="recalibrated")
        style.name_rows(axes, checks)
        axes.set_xlabel(f"share of records in their {100 * level:.0f} % interval")
    band = Patch(facecolor=style.SHADE, label="within 5 points of the promise")
    figure.legend(handles=[*marks, band], loc="outside upper center", ncols=3)
    return figure


@style.styled
def worlds_held(table: pd.DataFrame) -> Figure:
    """Draw the interval of each virtual world less its truth: it holds the truth where it crosses zero.

    A row is a world, a ``part`` a panel; ``held`` is 0 or 1.
    """
    ends = ["low_gC_m2_yr", "high_gC_m2_yr", "mean_gC_m2_yr"]
    style.require_columns(table, ["part", *ends, "true_gC_m2_yr", "held"], "worlds_held")
    parts = dict(list(table.groupby("part", sort=False)))
    titles = [f"{part}: {worlds['held'].sum():.0f} of {len(worlds)} held" for part, worlds in parts.items()]
    figure, row = style.panel_grid(3.4, titles, len(parts))
    for axes, worlds in zip(row, parts.values(), strict=True):
        less = worlds[ends].sub(worlds["true_gC_m2_yr"], axis=0).assign(held=worlds["held"])
        less = less.sort_values("mean_gC_m2_yr")
        colours, places = np.where(less["held"].astype(bool), style.OURS, style.SITES), np.arange(len(less))
        axes.hlines(places, less["low_gC_m2_yr"], less["high_gC_m2_yr"], color=colours, linewidth=1.5)
        axes.scatter(less["mean_gC_m2_yr"], places, color=colours, s=10, zorder=3)
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_yticks([])
    row[len(row) // 2].set_xlabel(with_units("NEP, interval less truth", FLUX_UNITS))
    return figure
