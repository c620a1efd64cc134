"""Figures that question the forests: what sites stand for, what trees use, which scores to believe."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from helpers.figures.panels import flat, thinned
from helpers.figures.style import (
    blank,
    letters,
    panel_letter,
    predictor_name,
    require_columns,
    series_colours,
    styled,
    with_units,
)

_SITES, _MAP, _BEYOND = "#d55e00", "#0072b2", "#e3e3e3"


@styled
def sites_versus_map(samples: pd.DataFrame, cube: xr.Dataset, names: Sequence[str]) -> Figure:
    """Draw how the predictors are distributed among sites and over the plateau: where a forest extrapolates.

    Each panel shows the share of sites, and the share of the plateau's area, at or below a value. Values
    beyond those of any site are shaded, and the share of the plateau's area that has them is written above.

    Parameters
    ----------
    samples : pandas.DataFrame
        The predictors at the sites, one row a site; NaN is left out.
    cube : xarray.Dataset
        The predictors on (latitude, longitude), with ``plateau`` (bool) and ``cell_area`` [km2].
    names : sequence of str
        Continuous predictors, in the order of the panels; for land cover see :func:`land_cover_balance`.

    Raises
    ------
    ValueError
        If the samples or the cube lack a predictor, or land cover, a category, is among them.
    """
    if "land_cover" in names:
        raise ValueError("sites_versus_map: land_cover is a category; draw it with land_cover_balance")
    require_columns(samples, list(names), "sites_versus_map")
    missing = [name for name in (*names, "plateau", "cell_area") if name not in cube]
    if missing:
        raise ValueError(f"sites_versus_map: the cube lacks {', '.join(missing)}")
    cube = thinned(cube[[*names, "plateau", "cell_area"]])
    rows = -(-len(names) // 2)
    figure = blank(0.5 + 1.95 * rows)
    panels = figure.subplots(rows, 2, squeeze=False).ravel()
    for axes in panels[len(names) :]:
        axes.remove()
    for axes, name, letter in zip(panels, names, letters(len(names)), strict=False):
        area = flat(cube["cell_area"]).where(flat(cube["plateau"]))
        values = flat(cube[name]).where(np.isfinite(area))
        share = _distributions(axes, samples[name].to_numpy(float), values.values.ravel(), area.values.ravel())
        panel_letter(axes, letter, f"{100 * share:.0f} % of the plateau beyond the sites")
        axes.set_xlabel(with_units(predictor_name(name), cube[name].attrs.get("units", "")))
        if axes.get_subplotspec().is_first_col():
            axes.set_ylabel("share at or below")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


@styled
def land_cover_balance(table: pd.DataFrame) -> Figure:
    """Draw each land cover's share among the sites beside its share of the plateau.

    Parameters
    ----------
    table : pandas.DataFrame
        ``land_cover`` (name of the class) and one column of shares [%] a group, for example ``NPP sites``,
        ``Rs sites`` and ``plateau``; in the order of the bars.

    Raises
    ------
    ValueError
        If there is no column of shares, or one does not add up to 100 %.
    """
    require_columns(table, ["land_cover"], "land_cover_balance")
    groups = [str(column) for column in table.columns if column != "land_cover"]
    sums = {group: float(table[group].sum()) for group in groups}
    if not groups or any(abs(total - 100) > 0.5 for total in sums.values()):
        found = ", ".join(f"{group} {total:.1f}" for group, total in sums.items()) or "no column of shares"
        raise ValueError(f"land_cover_balance: expected columns of shares that add up to 100 %, got {found}")
    figure = blank(0.9 + (0.16 * len(groups) + 0.12) * len(table))
    axes = figure.add_subplot()
    places = np.arange(len(table))[::-1].astype(float)
    height = 0.8 / len(groups)
    for i, (group, colour) in enumerate(series_colours(groups).items()):
        offsets = places + 0.4 - height * (i + 0.5)
        bars = axes.barh(offsets, table[group], height=0.92 * height, color=colour, label=group)
        axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=7.5)
    axes.set_yticks(places, labels=table["land_cover"])
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("share [%]")
    axes.set_ylim(-0.6, len(table) - 0.4)
    axes.legend(loc="lower right")
    return figure


@styled
def importance(table: pd.DataFrame, label: str) -> Figure:
    """Draw the importance of each predictor with its spread, the greatest on top.

    Parameters
    ----------
    table : pandas.DataFrame
        ``predictor``, ``importance``, ``sd``.
    label : str
        What importance means here, with its units; for example ``increase of RMSE [%]``.
    """
    require_columns(table, ["predictor", "importance", "sd"], "importance")
    ordered = table.sort_values("importance")
    figure = blank(0.8 + 0.3 * len(ordered), 6.0)
    axes = figure.add_subplot()
    places = np.arange(len(ordered))
    axes.axvline(0, color="black", linewidth=0.8)
    axes.hlines(places, 0, ordered["importance"], color="#c9c9c9", linewidth=1)
    style = {"fmt": "o", "color": "#0072b2", "capsize": 3, "markersize": 6, "elinewidth": 1.3}
    axes.errorbar(ordered["importance"], places, xerr=ordered["sd"], **style)
    axes.set_yticks(places, labels=[predictor_name(name) for name in ordered["predictor"]])
    axes.set_ylim(-0.6, len(ordered) - 0.4)
    axes.set_xlabel(label)
    return figure


@styled
def validation_scores(table: pd.DataFrame) -> Figure:
    """Draw the scores of each validation scheme: a row of panels a target, a panel a score, a dot a scheme.

    Parameters
    ----------
    table : pandas.DataFrame
        ``target`` (for example NPP, ln Rs), ``scheme``, ``score`` (its name, with units where it has any),
        ``value``; optionally ``low`` and ``high``, the range over repeats.
    """
    require_columns(table, ["target", "scheme", "score", "value"], "validation_scores")
    targets, scores, schemes = (list(dict.fromkeys(table[column])) for column in ("target", "score", "scheme"))
    places = {scheme: i for i, scheme in enumerate(reversed(schemes))}
    colours = series_colours(schemes)
    figure = blank(0.5 + (0.75 + 0.27 * len(schemes)) * len(targets))
    grid = figure.subplots(len(targets), len(scores), squeeze=False, sharey=True)
    for axes, letter, (target, score) in zip(
        grid.ravel(), letters(grid.size), [(t, s) for t in targets for s in scores], strict=True
    ):
        chosen = table[(table["target"] == target) & (table["score"] == score)]
        for row in chosen.itertuples():
            y = places[row.scheme]
            if {"low", "high"} <= set(table.columns):
                axes.hlines(y, row.low, row.high, color=colours[row.scheme], linewidth=1.6)
            axes.plot(row.value, y, "o", color=colours[row.scheme], markersize=7)
        axes.set_yticks(list(places.values()), labels=list(places))
        axes.set_ylim(-0.6, len(schemes) - 0.4)
        axes.grid(axis="y", color="#dddddd", linewidth=0.6)
        axes.margins(x=0.15)
        axes.set_xlabel(score)
        panel_letter(axes, letter, target)
    return figure


def _distributions(
    axes: Axes, sites: NDArray[np.float64], cells: NDArray[np.float64], area: NDArray[np.float64]
) -> float:
    """Draw both cumulative distributions; return the share of area with values beyond those of any site."""
    sites = np.sort(sites[np.isfinite(sites)])
    known = np.isfinite(cells) & np.isfinite(area)
    order = np.argsort(cells[known])
    cells, area = cells[known][order], area[known][order]
    if not sites.size or not cells.size:
        raise ValueError("sites_versus_map: a predictor has no value at any site or in any cell of the plateau")
    axes.step(sites, np.arange(1, sites.size + 1) / sites.size, where="post", color=_SITES, label="sites", zorder=3)
    axes.plot(cells, np.cumsum(area) / area.sum(), color=_MAP, label="plateau, by area", zorder=2)
    ends = np.array([min(sites[0], cells[0]), max(sites[-1], cells[-1])])
    room = 0.02 * (ends[1] - ends[0])
    axes.set_xlim(ends[0] - room, ends[1] + room)
    axes.axvspan(ends[0] - room, sites[0], color=_BEYOND, linewidth=0, label="beyond the sites", zorder=0)
    axes.axvspan(sites[-1], ends[1] + room, color=_BEYOND, linewidth=0, zorder=0)
    axes.set_ylim(0, 1.02)
    return float(area[(cells < sites[0]) | (cells > sites[-1])].sum() / area.sum())
