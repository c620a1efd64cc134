"""Training tables: observations of one flux with the covariates of their cells."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike

from helpers import cube as covariates
from helpers import observations
from helpers.site_databases import PAIR_COVERAGE

__all__ = ["TrainingError", "cell_map", "choose_rs", "map_table", "resample_sites", "training_table"]


class TrainingError(ValueError):
    """Observations of which nothing is left to train on; the message names the step."""


def choose_rs(used: pd.DataFrame, rule: str) -> pd.DataFrame:
    """Return the observations with those records of Rs that a rule takes; the other fluxes stay.

    Parameters
    ----------
    used : pandas.DataFrame
        Observations after :func:`helpers.observations.quality_control`.
    rule : {"paper", "boundary", "coverage"}
        ``paper``: all of them. ``boundary``: on the plateau is what lies inside its boundary, not also high land of
        the paper's box outside of it, by the column ``inside_boundary``. ``coverage``: what was measured over half
        of the year or more, by the column ``annual_coverage``; where that is unknown the record is left out.

    Returns
    -------
    pandas.DataFrame

    Raises
    ------
    TrainingError
        If there is no such rule, or the column that it needs is missing.
    """
    if rule == "paper":
        return used
    needed = {"boundary": "inside_boundary", "coverage": "annual_coverage"}.get(rule)
    if needed is None:
        raise TrainingError(f"rs_filter is {rule!r}; expected paper, boundary or coverage")
    if needed not in used:
        raise TrainingError(f"rs_filter {rule!r} needs the column {needed!r}, which these observations lack")
    is_rs = used["variable"] == "rs"
    if rule == "coverage":
        return used[~is_rs | (used[needed] >= PAIR_COVERAGE)]
    known = is_rs & used[needed].notna()
    return used.assign(on_plateau=used["on_plateau"].where(~known, used[needed].eq(True)))


def resample_sites(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Draw as many sites as there are, with replacement, each with all its rows: a bootstrap of the sites.

    Rows of one site are no independent evidence, so sites are drawn and not rows.

    Parameters
    ----------
    table : pandas.DataFrame
        With a column ``site``.
    seed : int
        Seed of the draw.

    Returns
    -------
    pandas.DataFrame
        A site drawn twice has its rows twice.
    """
    rows = table.groupby("site", sort=True).indices
    names = list(rows)
    drawn = np.random.default_rng(seed).integers(len(names), size=len(names))
    return table.iloc[np.concatenate([rows[names[number]] for number in drawn])].reset_index(drop=True)


def training_table(
    cube: xr.Dataset,
    used: pd.DataFrame,
    variable: str,
    predictors: Sequence[str],
    domain: str,
    aggregation: str,
    site_resample: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Join the observations of one flux to the covariates of their cells.

    Parameters
    ----------
    cube : xarray.Dataset
        Covariates on the target grid.
    used : pandas.DataFrame
        Observations after :func:`helpers.observations.quality_control`.
    variable : {"npp", "rs"}
        The flux.
    predictors : sequence of str
        Names of the covariates that the forest needs.
    domain : {"china", "plateau"}
        Sites that count.
    aggregation : {"rows", "site_mean", "site_median"}
        What a row is, see :func:`helpers.observations.aggregate`.
    site_resample : int
        Seed of :func:`resample_sites`; 0 leaves the sites as they are.

    Returns
    -------
    table : pandas.DataFrame
        A row a record or site: the observation's columns, ``value`` in g C m-2 yr-1, and the predictors, in their
        order and without missing values.
    flow : pandas.DataFrame
        Columns ``variable``, ``step``, ``n``, ``excluded`` and ``reason``, as the flow of quality control.

    Raises
    ------
    TrainingError
        If fewer than two rows are left.
    """
    chosen = used[used["variable"] == variable]
    inside = chosen[chosen["in_china" if domain == "china" else "on_plateau"]]
    rows = observations.aggregate(inside, aggregation)
    sampled = covariates.sample(cube, rows)[list(predictors)]
    complete = sampled.notna().all(axis=1)
    lacking = sampled.isna().sum()
    reason = ", ".join(f"{name} missing in {n}" for name, n in lacking[lacking > 0].items()) or "none missing"
    flow = pd.DataFrame(
        [
            (variable, "after quality control", len(chosen), 0, ""),
            (variable, f"training domain: {domain}", len(inside), len(chosen) - len(inside), f"outside {domain}"),
            (variable, f"aggregation: {aggregation}", len(rows), len(inside) - len(rows), "merged into their site"),
            (variable, "covariates at the site", int(complete.sum()), int((~complete).sum()), reason),
        ],
        columns=["variable", "step", "n", "excluded", "reason"],
    )
    table = rows.join(sampled)[complete].reset_index(drop=True)
    if len(table) < 2:
        raise TrainingError(
            f"{variable}: {len(table)} rows left to train on:\n{flow.to_string(index=False)}\n"
            "choose training_domain: china, or add observations with extra_observations"
        )
    if site_resample:
        drawn = resample_sites(table, site_resample)
        step = (variable, f"sites drawn with seed {site_resample}", len(drawn), len(table) - len(drawn), "bootstrap")
        return drawn, pd.concat([flow, pd.DataFrame([step], columns=flow.columns)], ignore_index=True)
    return table, flow


def map_table(cube: xr.Dataset, predictors: Sequence[str]) -> pd.DataFrame:
    """Return the plateau's cells as a table: where they lie, and their covariates, means over the years.

    Parameters
    ----------
    cube : xarray.Dataset
        Covariates on the target grid, with ``plateau`` and ``cell_area``.
    predictors : sequence of str
        Names of the covariates. A cell where one is missing is left out, as it is not predicted.

    Returns
    -------
    pandas.DataFrame
        Columns ``latitude``, ``longitude``, ``cell_area`` [km2] and the predictors; a row a cell, in raster order.
    """
    layers = cube[list(predictors)].where(cube["plateau"])
    flat = (layers.mean("time") if "time" in layers.dims else layers).assign(cell_area=cube["cell_area"]).compute()
    valid = np.logical_and.reduce([flat[name].notnull().transpose("latitude", "longitude") for name in predictors])
    rows, columns = np.nonzero(valid)
    place = {"latitude": flat["latitude"].to_numpy()[rows], "longitude": flat["longitude"].to_numpy()[columns]}
    values = {
        name: flat[name].transpose("latitude", "longitude").to_numpy()[rows, columns]
        for name in ("cell_area", *predictors)
    }
    return pd.DataFrame(place | values)


def cell_map(cells: pd.DataFrame, values: ArrayLike, like: xr.DataArray) -> xr.DataArray:
    """Return values of the rows of :func:`map_table` as a map.

    Parameters
    ----------
    cells : pandas.DataFrame, n rows
        With ``latitude`` and ``longitude``.
    values : array_like, shape (n,)
        One value a row.
    like : xarray.DataArray, shape (latitude, longitude)
        A map on the grid that the cells come from.

    Returns
    -------
    xarray.DataArray, shape (latitude, longitude)
        Missing where no row is.
    """
    rows = like.get_index("latitude").get_indexer(cells["latitude"])
    columns = like.get_index("longitude").get_indexer(cells["longitude"])
    grid = {name: like[name] for name in ("latitude", "longitude")}
    found = np.full([axis.size for axis in grid.values()], np.nan)
    found[rows, columns] = values
    return xr.DataArray(found, grid, tuple(grid))
