"""Figures of points: fits of the forests, the line from Rs to Rh, a product against site values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from scipy.stats import linregress

from helpers.figures.style import FLUX_UNITS, blank, require_columns, series_colours, styled, with_units

_TRAINING = {
    "color": "#1b9e5a",
    "marker": "o",
    "s": 20,
    "linewidth": 0.3,
    "edgecolor": "white",
    "alpha": 0.85,
}
_VERIFICATION = {
    "color": "#d62f4b",
    "marker": "^",
    "s": 28,
    "linewidth": 0.4,
    "edgecolor": "black",
    "alpha": 0.95,
}
_ONE_TO_ONE = {"color": "black", "linestyle": "--", "linewidth": 1.1}
_FIT = {"color": "#1f4fd8", "linewidth": 1.8}


class FitStatistics(NamedTuple):
    """Number of points, squared correlation, slope and intercept of the least-squares line, RMSE (Eq. 6)."""

    n: int
    r2: float
    slope: float
    intercept: float
    rmse: float


@styled
def figS1_rs_rh(
    pairs: pd.DataFrame,
    lines: Mapping[str, tuple[float, float, float]],
    site_means: pd.DataFrame | None = None,
) -> Figure:
    """Figure S1: heterotrophic against soil respiration, with the lines that were fitted to them.

    Parameters
    ----------
    pairs : pandas.DataFrame
        Records with ``rs`` and ``rh`` [g C m-2 yr-1].
    lines : mapping of str to (slope, intercept, r2)
        Label -> line; the paper's, our fit to site means, our fit to records.
    site_means : pandas.DataFrame, optional
        Means of the sites, with ``rs`` and ``rh``, drawn on top of the records.

    Raises
    ------
    ValueError
        If a table lacks a column.
    """
    require_columns(pairs, ["rs", "rh"], "figure S1")
    figure = blank(4.6)
    axes = figure.add_subplot()
    label = f"records (n = {len(pairs)})"
    axes.scatter(pairs["rs"], pairs["rh"], s=14, color="#9a9a9a", alpha=0.7, linewidth=0, label=label)
    if site_means is not None:
        require_columns(site_means, ["rs", "rh"], "figure S1, site means")
        label = f"site means (n = {len(site_means)})"
        marker = {"facecolor": "#f0c75e", "edgecolor": "black", "linewidth": 0.6}
        axes.scatter(site_means["rs"], site_means["rh"], s=34, label=label, **marker)
    reach = np.array([0.0, 1.03 * pairs["rs"].max()])
    dashes = ("-", (0, (6, 2)), (0, (2, 1.5)), "-.")
    colours = series_colours(lines)
    for i, (name, (slope, intercept, r2)) in enumerate(lines.items()):
        sign = "+" if intercept >= 0 else "−"
        label = f"{name}: Rh = {slope:.2f} Rs {sign} {abs(intercept):.1f},  R² = {r2:.2f}"
        style = {"color": colours[name], "linestyle": dashes[i % len(dashes)], "linewidth": 2}
        axes.plot(reach, slope * reach + intercept, label=label, **style)
    axes.set_xlim(0, reach[1])
    axes.set_ylim(0, None)
    axes.set_xlabel(with_units("Rs", FLUX_UNITS))
    axes.set_ylabel(with_units("Rh", FLUX_UNITS))
    figure.legend(loc="outside lower center", ncols=2)
    return figure


@styled
def fit_scatter(observed: ArrayLike, predicted: ArrayLike, subset: ArrayLike, name: str, units: str) -> Figure:
    """Figures S2 and S3: what a forest says against what was observed, training and verification set apart.

    The table beside the points gives, for each set and for both together as in the paper, the number of
    points, the squared correlation, the slope of the least-squares line of predicted on observed, and the
    RMSE (Eq. 6).

    Parameters
    ----------
    observed, predicted : array_like, shape (n,)
        Values of the quantity.
    subset : array_like of str, shape (n,)
        ``"training"`` or ``"verification"`` for each value.
    name : str
        The quantity, for the labels; for example ``NPP`` or ``ln Rs``.
    units : str
        Its units, as CF writes them; ``"1"`` for a logarithm.

    Raises
    ------
    ValueError
        If lengths differ, a subset has another name, or a set has fewer than two points.
    """
    x, y = _paired(observed, predicted, "fit_scatter")
    sets = np.asarray(subset, dtype=str)
    unknown = sorted(set(sets) - {"training", "verification"})
    if sets.shape != x.shape or unknown:
        raise ValueError(
            f"fit_scatter: subset must hold 'training' or 'verification' for each of {x.size} values; "
            f"got {sets.size} values, unknown: {', '.join(unknown) or 'none'}"
        )
    figure = blank(4.7)
    axes, side = figure.subplots(1, 2, width_ratios=[1.5, 1])
    rows = {}
    for label, marker in (("training", _TRAINING), ("verification", _VERIFICATION)):
        chosen = sets == label
        if chosen.sum() < 2:
            raise ValueError(f"fit_scatter: the {label} set has {chosen.sum()} points, a line needs two")
        rows[label] = fit_statistics(x[chosen], y[chosen])
        axes.scatter(x[chosen], y[chosen], label=f"{label} set", zorder=3, **marker)
    pooled = fit_statistics(x, y)
    _square(axes, x, y)
    reach = np.array([x.min(), x.max()])
    axes.plot(reach, pooled.slope * reach + pooled.intercept, label="fit to both sets", zorder=4, **_FIT)
    axes.set_xlabel(with_units(f"{name}, observed", units))
    axes.set_ylabel(with_units(f"{name}, random forest", units))
    _statistics_table(side, {**rows, "both": pooled}, units)
    side.legend(*axes.get_legend_handles_labels(), loc="upper left", bbox_to_anchor=(0, 0.95))
    return figure


@styled
def modis_check(stand_in: ArrayLike, site_values: ArrayLike) -> Figure:
    """Draw the NPP_modis stand-in against the yearly MOD17A3 values that were extracted at the same sites.

    Parameters
    ----------
    stand_in : array_like, shape (n,)
        Our stand-in at the sites [g C m-2 yr-1].
    site_values : array_like, shape (n,)
        Values of MOD17A3 at the sites [g C m-2 yr-1].

    Raises
    ------
    ValueError
        If lengths differ, or fewer than two sites have both values.
    """
    x, y = _paired(site_values, stand_in, "modis_check")
    figure = blank(4.4, 5.6)
    axes = figure.add_subplot()
    axes.scatter(x, y, s=16, color="#0072b2", alpha=0.6, linewidth=0)
    _square(axes, x, y)
    axes.set_xlabel(with_units("MOD17A3 at the sites", FLUX_UNITS))
    axes.set_ylabel(with_units("stand-in for NPP of MODIS", FLUX_UNITS))
    text = f"n = {x.size}\nr = {np.corrcoef(x, y)[0, 1]:.2f}\nratio of means = {y.mean() / x.mean():.2f}"
    axes.text(0.03, 0.97, text, transform=axes.transAxes, va="top")
    axes.legend(loc="lower right")
    return figure


def fit_statistics(observed: NDArray[np.float64], predicted: NDArray[np.float64]) -> FitStatistics:
    """Return the statistics of predicted against observed values.

    Examples
    --------
    >>> import numpy as np
    >>> found = fit_statistics(np.array([0.0, 1.0, 2.0]), np.array([1.0, 1.5, 2.0]))
    >>> found.n, round(found.r2, 3), round(found.slope, 3), round(found.rmse, 3)
    (3, 1.0, 0.5, 0.645)
    """
    line = linregress(observed, predicted)
    rmse = float(np.sqrt(np.mean((predicted - observed) ** 2)))
    return FitStatistics(observed.size, float(line.rvalue**2), float(line.slope), float(line.intercept), rmse)


def _paired(x: ArrayLike, y: ArrayLike, figure: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return two series of one length as arrays; a pair with a missing value is refused."""
    first, second = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"{figure}: expected two series of one length, got shapes {first.shape} and {second.shape}")
    missing = int(np.sum(~np.isfinite(first) | ~np.isfinite(second)))
    if missing or first.size < 2:
        raise ValueError(
            f"{figure}: expected at least two pairs of numbers, got {first.size} with {missing} incomplete; "
            "drop the incomplete pairs first, and count them"
        )
    return first, second


def _square(axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
    """Give both axes one range and draw the 1:1 line."""
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    room = 0.04 * (high - low)
    ends = (low - room, high + room)
    axes.plot(ends, ends, label="1:1 line", zorder=2, **_ONE_TO_ONE)
    axes.set(xlim=ends, ylim=ends, box_aspect=1)


def _statistics_table(axes: Axes, rows: Mapping[str, FitStatistics], units: str) -> None:
    axes.set_axis_off()
    cells = [[f"{row.n}", f"{row.r2:.2f}", f"{row.slope:.2f}", f"{row.rmse:.3g}"] for row in rows.values()]
    heads = ["n", "R²", "slope", "RMSE"]
    table = axes.table(cells, rowLabels=list(rows), colLabels=heads, bbox=(0.3, 0.2, 0.7, 0.3), edges="horizontal")
    table.auto_set_font_size(False)
    table.set_fontsize(8.5)
    if units != "1":
        axes.text(1.0, 0.16, with_units("RMSE", units), ha="right", va="top", fontsize=7.5, color="#555555")
