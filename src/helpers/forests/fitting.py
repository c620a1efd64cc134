"""The paper's two forests from a training table to a map: the steps that notebooks 02 and 03 share.

Each function takes the settings of the run, the name of the forest (``npp`` is Eq. 1, ``rs`` is Eq. 2) and data, and
returns data.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from helpers.config import Settings
from helpers.data.cube import sample, thinned
from helpers.data.land_cover import land_cover_balance
from helpers.sites import training
from mapforest import applicability, folds, validation
from mapforest.cells import map_table
from mapforest.forest import RandomForest


@dataclass(frozen=True)
class Target:
    """What a forest predicts."""

    label: str  #: Its name in figures and tables.
    column: str  #: Its column in the training table.
    unit: str  #: Its unit, as table columns spell it.


TARGETS = {"npp": Target("NPP", "value", "gC_m2_yr"), "rs": Target("ln Rs", "ln_rs", "ln_gC_m2_yr")}


def site_balance(cube: xr.Dataset, table: pd.DataFrame) -> pd.DataFrame:
    """Compare the land cover of the training sites with that of the plateau.

    Parameters
    ----------
    cube : xarray.Dataset
        Covariates on the target grid, with ``plateau`` and ``cell_area``.
    table : pandas.DataFrame
        Training table, with ``longitude``, ``latitude`` and ``year``.

    Returns
    -------
    pandas.DataFrame
        As :func:`helpers.data.land_cover.land_cover_balance`.
    """
    at_sites = sample(cube, table, ["land_cover"])["land_cover"]
    return land_cover_balance(at_sites, cube["land_cover"].where(cube["plateau"]), cube["cell_area"])


def grow(settings: Settings, name: str, table: pd.DataFrame) -> tuple[RandomForest, pd.DataFrame]:
    """Grow a forest on its training table.

    Parameters
    ----------
    settings : Settings
        Of the run.
    name : {"npp", "rs"}
        The forest.
    table : pandas.DataFrame, n rows
        Training table with the target, see :data:`TARGETS`.

    Returns
    -------
    forest : RandomForest
    table : pandas.DataFrame, n rows
        With two more columns: ``in_sample`` is the forest's prediction of each row, ``out_of_bag`` that of the trees
        which did not see the row.
    """
    forest = training.from_settings(settings, name, settings.n_trees, settings.seed)
    forest.fit(table, table[TARGETS[name].column])
    return forest, table.assign(in_sample=forest.predict(table), out_of_bag=forest.oob_prediction)


def validate(settings: Settings, name: str, table: pd.DataFrame, cube: xr.Dataset) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Validate a forest under every scheme that the settings ask for, each time with fresh forests.

    Parameters
    ----------
    settings : Settings
        Of the run.
    name : {"npp", "rs"}
        The forest.
    table : pandas.DataFrame, n rows
        Training table with the target.
    cube : xarray.Dataset
        The map's cells, whose distances to the sites the distance-matched folds imitate.

    Returns
    -------
    predictions : pandas.DataFrame
        Every held-back prediction, as :func:`mapforest.validation.validate` returns it.
    scores : pandas.DataFrame
        As :func:`mapforest.validation.summarise` returns it, with the columns ``model`` and ``unit`` in front.
    """
    target = TARGETS[name]
    sampled = thinned(cube)
    cells = map_table(sampled, training.predictors(settings, name), sampled["plateau"])
    places = (table["longitude"], table["latitude"], cells["longitude"], cells["latitude"])
    predictions = validation.validate(
        partial(training.from_settings, settings, name, settings.validation_trees),
        table,
        table[target.column],
        folds.schemes(*places, k=settings.n_folds, which=settings.validation_schemes),
        seeds=range(settings.seed, settings.seed + settings.validation_seeds),
        training_fraction=settings.training_fraction,
    )
    scores = validation.summarise(predictions)
    scores.insert(0, "model", target.label)
    scores.insert(1, "unit", target.unit)
    return predictions, scores


def overview(scores: pd.DataFrame, metrics: tuple[str, ...] = ("r2_explained", "r", "rmse", "pbias")) -> pd.DataFrame:
    """Return scores for a reader: a row a model and scheme, a column a metric.

    Parameters
    ----------
    scores : pandas.DataFrame
        From :func:`validate`.
    metrics : tuple of str
        Metrics to show.
    """
    shown = scores[scores["metric"].isin(metrics)]
    return shown.pivot_table("value", ["model", "scheme", "part"], "metric", sort=False).rename_axis(columns=None)


def fold_numbers(predictions: pd.DataFrame, scheme: str, seed: int) -> NDArray[np.int64]:
    """Return the fold of each training row under a scheme, in the order of the table.

    Parameters
    ----------
    predictions : pandas.DataFrame
        From :func:`validate`.
    scheme : str
        A scheme of folds.
    seed : int
        The repetition.

    Returns
    -------
    numpy.ndarray, shape (n_rows,)
    """
    chosen = predictions[(predictions["scheme"] == scheme) & (predictions["seed"] == seed)]
    return chosen.sort_values("row")["fold"].to_numpy()


def applicable_cells(
    settings: Settings, forest: RandomForest, table: pd.DataFrame, predictions: pd.DataFrame, cube: xr.Dataset
) -> xr.DataArray:
    """Return the area of applicability of a forest: the cells that resemble its training sites.

    Parameters
    ----------
    settings : Settings
        Of the run.
    forest : RandomForest
        Grown.
    table : pandas.DataFrame, n rows
        Its training table.
    predictions : pandas.DataFrame
        From :func:`validate`. The distance-matched folds say how unlike a cell may be.
    cube : xarray.Dataset
        Covariates on the target grid, with ``plateau`` and ``cell_area``.

    Returns
    -------
    xarray.DataArray of bool, shape (latitude, longitude)
    """
    importance = forest.importance.set_index("predictor")["importance"]
    folds_of_map = fold_numbers(predictions, "knndm", settings.seed)
    space = applicability.training_space(table, importance, folds_of_map, forest.categorical)
    return applicability.applicable_cells(space, cube, cube["plateau"], settings.threads)


def area_share(cells: xr.DataArray, cube: xr.Dataset) -> float:
    """Return the share of the plateau's area that some of its cells cover.

    Parameters
    ----------
    cells : xarray.DataArray of bool, shape (latitude, longitude)
        The cells that count.
    cube : xarray.Dataset
        With ``plateau`` and ``cell_area``.

    Returns
    -------
    float
        Between 0 and 1.
    """
    return float(cube["cell_area"].where(cells).sum() / cube["cell_area"].where(cube["plateau"]).sum())


def as_flux(field: xr.DataArray, name: str, source: str) -> xr.DataArray:
    """Return a predicted map under the name and the units of its flux.

    Parameters
    ----------
    field : xarray.DataArray
        The flux, g C m-2 yr-1.
    name : {"npp", "rs"}
        Which one it is.
    source : str
        What it was predicted by.
    """
    long_name = {"npp": "net primary production", "rs": "soil respiration"}[name]
    return field.rename(name).assign_attrs(units="g C m-2 yr-1", long_name=long_name, source=source)
