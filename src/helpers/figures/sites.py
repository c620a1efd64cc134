"""Figures of the sites: what they stand for, and what they leave out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from numpy.typing import NDArray

from helpers.data.variables import units_in_print
from helpers.figures import style, words
from helpers.figures.panels import every_kth_cell, flat
from helpers.names import class_name, predictor_name, pretty_units, with_units


@style.styled
def sites_versus_map(samples: pd.DataFrame, cube: xr.Dataset, names: Sequence[str]) -> style.BookFigure:
    """Draw how the predictors are distributed among sites and over the region: where a forest extrapolates.

    Each panel shows the share of sites, and the share of the region's area, at or below a value. Values beyond those
    of any site are shaded, and the share of the region's area that has them is written above.

    A row of ``samples`` is a site; NaN is left out. The cube also has ``in_region`` (bool) and ``cell_area`` [km2]. A
    ValueError is raised if the cube lacks one of the names, or land cover, a category, is among them: see
    :func:`land_cover_balance`.
    """
    if "land_cover" in names:
        raise ValueError("sites_versus_map: land_cover is a category; draw it with land_cover_balance")
    style.require_columns(samples, list(names), "sites_versus_map")
    style.require_variables(cube, [*names, "in_region", "cell_area"], "sites_versus_map")
    cube = every_kth_cell(cube[[*names, "in_region", "cell_area"]])
    area = flat(cube["cell_area"]).where(flat(cube["in_region"])).values.ravel()
    figure, grid = style.panel_grid(1.95, names, 2)
    told = []
    for axes, name in zip(grid, names, strict=True):
        share = _distributions(axes, samples[name].to_numpy(float), flat(cube[name]).values.ravel(), area)
        axes.set_title(f"{100 * share:.0f} % of the region beyond the sites")
        at_sites, units = samples[name].dropna(), units_in_print(name, cube[name].attrs["units"])
        reach = (
            f"sites from {words.number(at_sites.min())} to {words.number(at_sites.max())} {pretty_units(units)}".strip()
        )
        told.append(f"{predictor_name(name)}: {reach}, {words.percent(share)} of the region's area beyond them")
        axes.set_xlabel(with_units(predictor_name(name), units))
        if axes.get_subplotspec().is_first_col():
            axes.set_ylabel("share at or below")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=style.columns(3))
    alt = f"Cumulative shares of {len(samples)} records at sites and of the region's area by covariate. "
    alt += f"{'; '.join(told)}."
    return style.described(figure, alt, _quantiles(samples, cube, names, area))


@style.styled
def own_against_cell(checked: pd.DataFrame, limits: Mapping[str, float], units: Mapping[str, str]) -> style.BookFigure:
    """Draw what records say of their own place against the cell at their coordinates.

    The records are those of :func:`helpers.sites.places.check_records`. The limits, dashed lines in the order of the
    panels, are the difference of ``elevation`` and ``temperature``, and the ratio of ``precipitation``, from which on a
    record contradicts its cell.
    """
    columns = [f"{prefix}_{name}" for name in limits for prefix in ("own", "cell")]
    style.require_columns(checked, [*columns, "conflicts", "left_out"], "own_against_cell")
    misplaced = checked["left_out"] == "place"
    kinds = {
        "no contradiction": (checked["conflicts"] == 0, {"marker": ".", "s": 9, "color": style.QUIET}),
        "one: kept": ((checked["conflicts"] > 0) & ~misplaced, {"marker": "s", "s": 16, "color": style.OURS}),
        "two or more: misplaced": (misplaced, {"marker": "X", "s": 55, "color": style.BAD, "edgecolor": "white"}),
    }
    figure, grid = style.panel_grid(2.8, ["" for _ in limits], 3)
    for axes, (name, limit) in zip(grid, limits.items(), strict=True):
        for kind, (chosen, marker) in kinds.items():
            table = checked[chosen]
            if len(table):
                axes.scatter(table[f"cell_{name}"], table[f"own_{name}"], label=kind, linewidth=0.4, **marker)
        ends = np.array(axes.get_xlim())
        if name == "precipitation":
            axes.set(xscale="log", yscale="log")
            ends = np.array([max(ends[0], checked[f"cell_{name}"].min()), ends[1]])
            lines = (ends * limit, ends / limit)
        else:
            lines = (ends + limit, ends - limit)
        axes.plot(ends, ends, color=style.INK, linewidth=0.8)
        for line in lines:
            axes.plot(ends, line, color=style.INK, linewidth=0.8, linestyle="--")
        axes.set_xlabel(f"{predictor_name(name)}\nof the cell [{pretty_units(units[name])}]")
        axes.set_ylabel(with_units("by the author", units[name]))
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside lower center", ncols=style.columns(3))
    alt = _of_places(checked, limits) + ", ".join(f"{kind} {int(chosen.sum())}" for kind, (chosen, _) in kinds.items())
    return style.described(figure, alt, checked[[*columns, "conflicts", "left_out"]].dropna(how="all", subset=columns))


def _of_places(checked: pd.DataFrame, limits: Mapping[str, float]) -> str:
    """Return the words of how records agree with their cells."""
    told = []
    for name, limit in limits.items():
        both = checked[[f"own_{name}", f"cell_{name}"]].dropna()
        r = f", r {both.corr().iloc[0, 1]:.2f}" if len(both) > 2 else ""
        told.append(f"{predictor_name(name)}: {len(both)} records{r}, limit {words.number(limit)}")
    return (
        "What records say of their own place against the cell at their coordinates, with the line of agreement and "
        f"dashed limits, a ratio for precipitation. {'; '.join(told)}. Records by their contradictions: "
    )


@style.styled
def land_cover_balance(table: pd.DataFrame, sites: str) -> style.BookFigure:
    """Draw each land cover's share among the sites, named such as ``NPP sites``, beside its share of the region.

    The table is that of :func:`helpers.data.land_cover.land_cover_balance`, in the order of the bars. A ValueError is
    raised if the shares do not add up to 1, or IGBP has no such class.
    """
    shares = {"site_share": sites, "map_share": "region"}
    style.require_columns(table, ["land_cover", *shares], "land_cover_balance")
    sums = table[list(shares)].sum()
    if (sums.sub(1).abs() > 0.005).any():
        found = ", ".join(f"{column} {total:.3f}" for column, total in sums.items())
        raise ValueError(f"land_cover_balance: expected shares that add up to 1, got {found}")
    figure = style.blank(0.9 + style.row_height(0.44) * len(table))
    axes = figure.add_subplot()
    places = np.arange(len(table))
    half = 0.13 if style.on_phone() else 0.2
    for offset, column, colour in zip((-half, half), shares, (style.SITES, style.OURS), strict=True):
        bars = axes.barh(places + offset, 100 * table[column], height=1.85 * half, color=colour, label=shares[column])
        axes.bar_label(bars, fmt="%.1f", padding=3, fontsize=style.SMALL)
    style.name_rows(axes, [class_name(number) for number in table["land_cover"]])
    axes.set_xlabel("share [%]")
    axes.legend(loc="lower right")
    told = [
        f"{class_name(row.land_cover)}: sites {words.percent(row.site_share)}, region {words.percent(row.map_share)}"
        for row in table.itertuples()
    ]
    alt = (
        f"Bars: the share of each land-cover class among the {sites} beside its share of the region. {'; '.join(told)}."
    )
    return style.described(figure, alt, table)


def _quantiles(
    samples: pd.DataFrame, cube: xr.Dataset, names: Sequence[str], area: NDArray[np.float64]
) -> pd.DataFrame:
    """Return each predictor's value at every twentieth of the sites and of the region's area."""
    shares, tables = np.linspace(0, 1, 21), []
    for name in names:
        cells = flat(cube[name]).values.ravel()
        known = np.isfinite(cells) & np.isfinite(area)
        order = np.argsort(cells[known])
        below = np.cumsum(area[known][order]) / area[known].sum()
        region = np.interp(shares, below, cells[known][order])
        columns = {"share_at_or_below": shares, "sites": np.nanquantile(samples[name], shares), "region": region}
        tables.append(pd.DataFrame({"predictor": name, **columns}))
    return pd.concat(tables, ignore_index=True)


def _distributions(
    axes: Axes, sites: NDArray[np.float64], cells: NDArray[np.float64], area: NDArray[np.float64]
) -> float:
    """Draw both cumulative distributions; return the share of area with values beyond those of any site."""
    sites = np.sort(sites[np.isfinite(sites)])
    known = np.isfinite(cells) & np.isfinite(area)
    order = np.argsort(cells[known])
    cells, area = cells[known][order], area[known][order]
    if not sites.size or not cells.size:
        raise ValueError("sites_versus_map: a predictor has no value at any site or in any cell of the region")
    style.cumulative(axes, sites, color=style.SITES, label="sites", zorder=3)
    axes.plot(cells, np.cumsum(area) / area.sum(), color=style.OURS, label="region, by area", zorder=2)
    ends = np.array([min(sites[0], cells[0]), max(sites[-1], cells[-1])])
    room = 0.02 * (ends[1] - ends[0])
    axes.axvspan(ends[0] - room, sites[0], color=style.SHADE, linewidth=0, label="beyond the sites", zorder=0)
    axes.axvspan(sites[-1], ends[1] + room, color=style.SHADE, linewidth=0, zorder=0)
    axes.set_xlim(ends[0] - room, ends[1] + room)
    return float(area[(cells < sites[0]) | (cells > sites[-1])].sum() / area.sum())
