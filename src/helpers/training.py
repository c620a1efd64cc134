"""Training tables: observations of one flux with the covariates of their cells."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import xarray as xr

from helpers import cube as covariates
from helpers import observations

__all__ = ["TrainingError", "map_table", "training_table"]


class TrainingError(ValueError):
    """Observations of which nothing is left to train on; the message names the step."""


def training_table(
    cube: xr.Dataset, used: pd.DataFrame, variable: str, predictors: Sequence[str], domain: str, aggregation: str
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
    flat = layers.mean("time") if "time" in layers.dims else layers
    table = flat.assign(cell_area=cube["cell_area"]).to_dataframe().reset_index()
    columns = ["latitude", "longitude", "cell_area", *predictors]
    return table[columns].dropna(ignore_index=True)
