"""Figures of how far the map can be believed: distances, applicability, widths, coverage, the sink's interval."""

import textwrap
from collections.abc import Mapping

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.gridspec import GridSpec
from matplotlib.patches import Patch
from shapely.geometry.base import BaseGeometry

from helpers.figures import panels, style, words
from helpers.names import FLUX_UNITS, TOTAL_UNITS, distance_name, pretty_units, source_to_sink, with_units

_PREDICTION = "prediction to sample"
_USE = {"may be used": style.OTHERS, "too unlike the sites": style.SECOND, "land cover without a site": style.BAD}
_DISSIMILARITY = {
    "bounds": [0, 0.25, 0.5, 0.75, 1, 1.5, 2, 3],
    "colours": ["#f7fbff", "#c9dfee", "#94c1dc", "#5a9fc8", "#f4c98a", "#dd8f3c", "#a3560c"],
    "over": "#5c2c00",
}


@style.styled
def distance_curves(tables: Mapping[str, pd.DataFrame]) -> style.BookFigure:
    """Draw the distances that each scheme of folds tries beside those that the map needs, with their W.

    Each curve is the share of distances at or below a value. The nearer a scheme's curve to that of *prediction to
    sample*, the more its error says about the map; W is the area between the two. The tables, by forest, are those of
    :func:`mapforest.folds.distance_table`; one without *prediction to sample* raises a ValueError.
    """
    figure, row = style.panel_grid(4.3, tables, len(tables), sharey=True)
    told = []
    for axes, (model, table) in zip(row, tables.items(), strict=True):
        style.require_columns(table, ["kind", "distance_km", "wasserstein_km"], "distance_curves")
        kinds = dict(list(table.groupby("kind", sort=False)))
        if _PREDICTION not in kinds:
            raise ValueError(f"distance_curves: no distances of kind {_PREDICTION!r}; there are: {', '.join(kinds)}")
        colours = style.series_colours(kind for kind in kinds if kind != _PREDICTION)
        for kind, chosen in kinds.items():
            name, look = distance_name(kind), {"color": colours.get(kind)}
            label = f"{name}, W {chosen['wasserstein_km'].iloc[0]:.0f} km"
            if kind == _PREDICTION:
                label, look = name, {"color": style.INK, "linewidth": 3}
            style.cumulative(axes, np.maximum(chosen["distance_km"].to_numpy(float), 1.0), label=label, **look)
        axes.set(xscale="log", xlabel="distance to the nearest training row [km]")
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), fontsize=style.SMALL)
        middle = table.groupby("kind", sort=False)["distance_km"].median()
        told.append(f"{model}, median distances: {words.rows(middle.index.map(distance_name), middle, 'km')}")
        axes.set_ylabel("share at or below" if axes is row[0] or style.on_phone() else "")
    alt = (
        "Curves of the share of distances at or below a value, from held-back records to the nearest training record, "
        f"one for each scheme of folds, and from the map's cells, thick and black. {'; '.join(told)}."
    )
    data = pd.concat(dict(tables), names=["model"]).reset_index("model")
    return style.described(figure, alt, data)


@style.styled
def applicability_map(
    dissimilarity: Mapping[str, xr.DataArray], use: xr.DataArray, boundary: BaseGeometry
) -> style.BookFigure:
    """Draw the dissimilarity index of each of two forests, and where the budget of both may be used.

    The index is in units of the forest's own threshold: above 1 is outside its area of applicability. ``use`` is 0
    where the budget may be used, 1 where a cell is too unlike the sites of one of the forests, 2 on a land cover that
    one of them has no site of, and missing where nothing is predicted. Maps on different grids raise a ValueError.
    """
    maps = panels.shared_grid({**dissimilarity, "use": use})
    shown = {name: panels.within(field, boundary) for name, field in maps.items()}
    categories = shown.pop("use")
    across = style.columns(2)
    height = panels.map_height(boundary, across)
    figure = style.blank(3 * height + 2.2 if style.on_phone() else 2 * height + 0.4)
    grid = list(GridSpec(4 if style.on_phone() else 2, across, figure))
    bounds, colours = _DISSIMILARITY["bounds"], _DISSIMILARITY["colours"]
    cmap = ListedColormap(colours, over=_DISSIMILARITY["over"])
    scale = style.Scale(cmap, BoundaryNorm(bounds, len(colours)), "max")
    for place, letter, (name, field) in zip(grid, "ab", shown.items(), strict=False):
        panels.draw_map(figure, place, field, boundary, scale, letter, f"{name}: dissimilarity")
    classes = style.Scale(ListedColormap(list(_USE.values())), BoundaryNorm([-0.5, 0.5, 1.5, 2.5], 3))
    axes = panels.draw_map(figure, grid[2], categories, boundary, classes, "c", "both forests together")
    inner = grid[3].subgridspec(3, 3, width_ratios=[0.05, 1, 0.05], height_ratios=[0.3, 0.22, 2.2])
    label = "dissimilarity, in thresholds (a, b)"
    panels.colour_bar(axes, scale, label, cax=figure.add_subplot(inner[1, 1]), orientation="horizontal")
    legend = figure.add_subplot(inner[2, 1])
    legend.set_axis_off()
    entries = [panels.swatch(colour, name) for name, colour in _USE.items()]
    legend.legend(handles=[*entries, *panels.no_data_entry([categories])], loc="lower center", title="in c")
    shares = [f"{name} {words.percent(words.share_of(categories == i, categories))}" for i, name in enumerate(_USE)]
    beyond = [f"{name} {words.percent(words.share_of(field > 1, field))}" for name, field in shown.items()]
    alt = (
        "Three maps. a, b: dissimilarity of each cell from the sites of a forest, in units of its threshold; the share "
        f"of the area above 1, outside: {', '.join(beyond)}. c: where both forests may be used, by area: "
        f"{', '.join(shares)}."
    )
    return style.described(figure, alt, panels.table_of({**shown, "use": categories}))


@style.styled
def error_maps(fields: Mapping[str, tuple[xr.DataArray, str]], boundary: BaseGeometry) -> style.BookFigure:
    """Draw maps of expected errors or of widths of intervals, two in a row, each with its own limits.

    A title has a map and its unit as CF writes it; a cell without a value is grey. A ValueError is raised if there is
    no map, or one holds no value.
    """
    if not fields:
        raise ValueError("error_maps: no map to draw")
    across = style.columns(2)
    rows = -(-len(fields) // across)
    figure = style.blank(0.4 + (panels.map_height(boundary, 1.18 * across) + 0.05) * rows)
    shown = {}
    places = zip(GridSpec(rows, across, figure), style.letters(len(fields)), fields.items(), strict=False)
    for place, letter, (title, (field, unit)) in places:
        cut = panels.within(field, boundary)
        scale = style.sequential([cut], "cmc.lajolla_r")
        axes = panels.draw_map(figure, place, cut, boundary, scale, letter, title)
        bar = axes.inset_axes([1.025, 0.04, 0.03, 0.92])
        panels.colour_bar(axes, scale, panels.unit_label(unit), cax=bar)
        shown[title] = cut
    missing = panels.no_data_entry(list(shown.values()))
    if missing:
        missing[0].set_label("not predicted, or beyond what any fold has tried")
        figure.legend(handles=missing, loc="outside lower center")
    told = [f"{title}: {words.spread(cut, fields[title][1])}; {words.where(cut)}." for title, cut in shown.items()]
    return style.described(figure, f"Maps of the region, dark is more. {' '.join(told)}", panels.table_of(shown))


@style.styled
def budget_interval(
    totals: Mapping[str, np.ndarray], scenarios: pd.DataFrame, published: pd.DataFrame | None, truth: float | None
) -> style.BookFigure:
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
    heights = [2.4, 0.6 + style.row_height(0.27) * (len(scenarios) + len(published))]
    figure = style.blank(sum(heights) + 0.6 + 0.5 * style.on_phone())
    upper, lower = figure.subplots(2, 1, height_ratios=heights)
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
    named = [*chances, *published["label"]]
    style.name_rows(lower, named if style.on_phone() else [textwrap.fill(name, 50) for name in named])
    for axes, letter in zip((upper, lower), "ab", strict=True):
        axes.axvline(0, color="black", linewidth=0.8)
        if truth is not None:
            axes.axvline(truth, label="truth", color="black", linestyle=(0, (1, 1)), linewidth=1.6)
        axes.set_xlabel(source_to_sink(TOTAL_UNITS))
        style.panel_letter(axes, letter)
    upper.legend(
        **({"loc": "upper center", "bbox_to_anchor": (0.5, -0.28)} if style.on_phone() else {"loc": "upper left"})
    )
    alt = _of_interval(scenarios, published, truth)
    return style.described(figure, alt, pd.concat([scenarios, published], ignore_index=True))


def _of_interval(scenarios: pd.DataFrame, published: pd.DataFrame, truth: float | None) -> str:
    """Return the words of the sink's intervals."""
    ours = [
        f"{row.label}: {words.number(row.total_TgC_yr)} ({words.number(row.total_low_TgC_yr)} to "
        f"{words.number(row.total_high_TgC_yr)}), a sink in {words.percent(row.sink_probability)} of draws"
        for row in scenarios.itertuples()
    ]
    theirs = [
        f"{row.label} {' to '.join(dict.fromkeys([words.number(row.low), words.number(row.high)]))}"
        for row in published.itertuples()
    ]
    alt = f"Draws of the region's NEP, {pretty_units(TOTAL_UNITS)}, as cumulative curves, and below its interval: "
    alt += "; ".join(ours) + (f". Published: {'; '.join(theirs)}" if theirs else "")
    return alt + ("." if truth is None else f". The truth of the simulated world is {words.number(truth)}.")


@style.styled
def variance_bars(table: pd.DataFrame) -> style.BookFigure:
    """Draw how much each source alone moves NPP, Rh and NEP of the region, beside all together.

    A row is a source: ``label``, ``npp_sd_gC_m2_yr``, ``rh_sd_gC_m2_yr``, ``nep_sd_gC_m2_yr``; the last one is all.
    """
    columns = {name: f"{name.lower()}_sd_gC_m2_yr" for name in ("NPP", "Rh", "NEP")}
    style.require_columns(table, ["label", *columns.values()], "variance_bars")
    height = 0.6 + style.row_height(0.3) * len(table)
    figure, row = style.panel_grid(height, columns, 3, sharey=True, sharex=True)
    colours = [style.OTHERS] * (len(table) - 1) + [style.OURS]
    for axes, column in zip(row, columns.values(), strict=True):
        bars = style.bars(axes, table[column], colours)
        axes.bar_label(bars, fmt="%.0f" if table[column].max() >= 20 else "%.1f", padding=3, fontsize=style.SMALL)
        style.name_rows(axes, table["label"])
        axes.margins(x=0.2)
        axes.set_xlabel(f"[{pretty_units(FLUX_UNITS)}]")
    figure.supxlabel("standard deviation of the region's mean", fontsize=8.7)
    told = [f"{name}: {words.rows(table['label'], table[column])}" for name, column in columns.items()]
    alt = (
        "Bars: how much each source of doubt alone moves the region's mean, as standard deviations, "
        f"{pretty_units(FLUX_UNITS)}; the last bar is all together. {'; '.join(told)}."
    )
    return style.described(figure, alt, table)


@style.styled
def family(table: pd.DataFrame) -> style.BookFigure:
    """Draw what each model of a family explains of held-back sites, beside the mean of the region that it gives.

    A ``flux`` has a row of panels, a ``where`` a colour. ``map_mean_gC_m2_yr`` is missing for the mean of the records,
    which has no map.
    """
    needed = ["flux", "member", "where", "r2_explained", "r2_low", "r2_high", "map_mean_gC_m2_yr"]
    style.require_columns(table, needed, "family")
    fluxes = dict(list(table.groupby("flux", sort=False)))
    mapped = {flux: list(rows.dropna(subset="map_mean_gC_m2_yr")["member"].unique()) for flux, rows in fluxes.items()}
    figure, grid = _family_panels([len(members) for members in mapped.values()])
    told = []
    for (flux, chosen), (left, right) in zip(fluxes.items(), grid, strict=True):
        members = mapped[flux]
        _family_scores(left, chosen, members)
        left.set_xlabel(f"{flux}: R² against the mean of the records")
        means = chosen.groupby("member", sort=False)["map_mean_gC_m2_yr"].first().reindex(members)
        bars = style.bars(right, means, style.series_colours([flux])[flux])
        right.bar_label(bars, fmt="%.0f", padding=3, fontsize=style.SMALL)
        right.margins(x=0.18)
        right.set_xlabel(with_units(f"{flux}, mean of the map", FLUX_UNITS))
        for axes in (left, right):
            style.name_rows(axes, members)
            axes.tick_params(labelleft=axes is left)
        for where, rows in chosen.dropna(subset="map_mean_gC_m2_yr").groupby("where", sort=False):
            told.append(f"R² of {flux}, {where}: {words.rows(rows['member'], rows['r2_explained'])}")
        told.append(f"mean of the map of {flux}: {words.rows(means.index, means, FLUX_UNITS)}")
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    alt = (
        "What each model of a family explains of held-back sites, as dots with intervals (above zero is better than "
        f"the mean of the records), beside the mean that its map gives the region. {'; '.join(told)}."
    )
    return style.described(figure, alt, table)


def _family_panels(counts: list[int]) -> tuple[style.BookFigure, list[tuple[Axes, Axes]]]:
    """Return an empty figure with a panel of scores and one of means for each flux with its members."""
    heights = [count + 2.2 for count in counts]
    if style.on_phone():
        heights = [height for height in heights for _ in range(2)]
    figure = style.blank(0.5 + style.row_height(0.3) * sum(heights))
    shape = {} if style.on_phone() else {"width_ratios": [1.4, 1], "sharey": "row"}
    panels = figure.subplots(len(heights), style.columns(2), squeeze=False, height_ratios=heights, **shape).ravel()
    return figure, list(zip(panels[::2], panels[1::2], strict=True))


def _family_scores(axes: Axes, chosen: pd.DataFrame, members: list[str]) -> None:
    """Draw the scores of one flux's members, a colour and a mark for each place where they were scored."""
    places = np.arange(len(members))
    wheres = list(dict.fromkeys(chosen["where"]))
    for number, (where, colour) in enumerate(style.series_colours(wheres).items()):
        scores = chosen[chosen["where"] == where].set_index("member").reindex(members)
        away = places + 0.16 * (2 * number - len(wheres) + 1)
        axes.hlines(away, scores["r2_low"], scores["r2_high"], color=colour, linewidth=2)
        axes.plot(scores["r2_explained"], away, "os^v"[number % 4], color=colour, markersize=5, label=where)
    axes.axvline(0, color="black", linewidth=0.8)
    # An interval far below zero says no more than that the model fails.
    axes.set_xlim(max(-2.5, axes.get_xlim()[0]), min(1.0, axes.get_xlim()[1]))


@style.styled
def coverage_checks(table: pd.DataFrame, level: float) -> style.BookFigure:
    """Draw how many held-back records lie in their interval, as it is and recalibrated, against what it promises.

    A row is a ``model`` and a ``check``, in words; the level is what the intervals promise.
    """
    style.require_columns(table, ["model", "check", "coverage", "recalibrated_coverage"], "coverage_checks")
    models, checks = (list(dict.fromkeys(table[column])) for column in ("model", "check"))
    height = 0.6 + style.row_height(0.32) * len(checks)
    figure, row = style.panel_grid(height, models, len(models), sharey=True, sharex=True)
    places = np.arange(len(checks))
    for axes, model in zip(row, models, strict=True):
        chosen = table[table["model"] == model].set_index("check").reindex(checks)
        raw, new = chosen["coverage"], chosen["recalibrated_coverage"]
        axes.axvspan(level - 0.05, min(1.0, level + 0.05), color=style.SHADE, linewidth=0, zorder=0)
        axes.axvline(level, color="black", linewidth=0.8)
        axes.hlines(places, raw, new, color="#888888", linewidth=1.2)
        marks = axes.plot(raw, places, "o", color=style.QUIET, markersize=7, label="as the forest gives it")
        marks += axes.plot(new, places, "s", color=style.OURS, markersize=6, label="recalibrated")
        style.name_rows(axes, checks)
        axes.set_xlabel(f"share of records in their {100 * level:.0f} % interval")
    band = Patch(facecolor=style.SHADE, label="within 5 points of the promise")
    figure.legend(handles=[*marks, band], loc="outside upper center", ncols=style.columns(3))
    told = [
        f"{row.model}, {row.check}: {words.percent(row.coverage)}, recalibrated "
        f"{words.percent(row.recalibrated_coverage)}"
        for row in table.itertuples()
    ]
    alt = (
        f"The share of held-back records that lie in their {100 * level:.0f} % interval, as the forest gives it and "
        f"recalibrated. {'; '.join(told)}."
    )
    return style.described(figure, alt, table)


@style.styled
def worlds_held(table: pd.DataFrame) -> style.BookFigure:
    """Draw the interval of each virtual world less its truth: it holds the truth where it crosses zero.

    A row is a world, a ``part`` a panel; ``held`` is 0 or 1.
    """
    ends = ["low_gC_m2_yr", "high_gC_m2_yr", "mean_gC_m2_yr"]
    style.require_columns(table, ["part", *ends, "true_gC_m2_yr", "held"], "worlds_held")
    parts = dict(list(table.groupby("part", sort=False)))
    titles = [f"{part}: {worlds['held'].sum():.0f} of {len(worlds)} held" for part, worlds in parts.items()]
    figure, row = style.panel_grid(3.0, titles, len(parts))
    for axes, worlds in zip(row, parts.values(), strict=True):
        less = worlds[ends].sub(worlds["true_gC_m2_yr"], axis=0).assign(held=worlds["held"])
        less = less.sort_values("mean_gC_m2_yr")
        colours, places = np.where(less["held"].astype(bool), style.OURS, style.BAD), np.arange(len(less))
        axes.hlines(places, less["low_gC_m2_yr"], less["high_gC_m2_yr"], color=colours, linewidth=1.5)
        axes.scatter(less["mean_gC_m2_yr"], places, color=colours, s=10, zorder=3)
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_yticks([])
        axes.set_xlabel(f"[{pretty_units(FLUX_UNITS)}]")
    figure.supxlabel("NEP, interval less truth", fontsize=8.7)
    told = [
        f"{part}: {worlds['held'].sum():.0f} of {len(worlds)} worlds, mean less truth on average "
        f"{words.number((worlds['mean_gC_m2_yr'] - worlds['true_gC_m2_yr']).mean())} {pretty_units(FLUX_UNITS)}"
        for part, worlds in parts.items()
    ]
    alt = (
        "The interval of NEP in each virtual world less its truth, sorted by the estimate; an interval that crosses "
        f"zero holds the truth. Held, {'; '.join(told)}."
    )
    return style.described(figure, alt, table)
