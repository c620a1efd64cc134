"""The paper's two forests from a training table to a map: the steps that notebooks 02 and 03 share.

Each function takes the settings of the run, the name of the forest (``npp`` is Eq. 1, ``rs`` is Eq. 2) and data,
and returns data. A training table has n rows with the flux in ``value`` and the
forest's target (:func:`target`); a cube has the covariates
on the target grid, ``plateau`` and ``cell_area``.
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
from mapforest.retransform import back_transform, smearing_factor


@dataclass(frozen=True)
class Target:
    """What a forest predicts."""

    label: str  #: Its name in figures and tables.
    column: str  #: Its column in the training table.
    unit: str  #: Its unit, as table columns spell it.
    units: str  #: The same, as figures take it.
    logarithmic: bool  #: It is the logarithm of a flux.


FLUXES = ("npp", "rs")


def target(settings: Settings, name: str) -> Target:
    """Return what a forest of the run predicts: NPP or, with ``npp_scale`` log, ln NPP; and ln Rs."""
    if name == "npp" and settings.npp_scale == "flux":
        return Target("NPP", "value", "gC_m2_yr", "g C m-2 yr-1", logarithmic=False)
    label = {"npp": "ln NPP", "rs": "ln Rs"}[name]
    return Target(label, f"ln_{name}", "ln_gC_m2_yr", "ln(g C m-2 yr-1)", logarithmic=True)


def site_balance(cube: xr.Dataset, table: pd.DataFrame) -> pd.DataFrame:
    """Compare the land cover of the training sites with that of the plateau.

    The result is that of :func:`helpers.data.land_cover.land_cover_balance`.
    """
    at_sites = sample(cube, table, ["land_cover"])["land_cover"]
    return land_cover_balance(at_sites, cube["land_cover"].where(cube["plateau"]), cube["cell_area"])


def grow(settings: Settings, name: str, table: pd.DataFrame) -> tuple[RandomForest, pd.DataFrame]:
    """Grow a forest on its training table, and return it with the table and two more columns.

    ``in_sample`` is the forest's prediction of each row, ``out_of_bag`` that of the trees which did not see the row.
    """
    forest = training.from_settings(settings, name, settings.n_trees, settings.seed)
    forest.fit(table, table[target(settings, name).column])
    return forest, table.assign(in_sample=forest.predict(table), out_of_bag=forest.oob_prediction)


def validate(settings: Settings, name: str, table: pd.DataFrame, cube: xr.Dataset) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Validate a forest under every scheme that the settings ask for, each time with fresh forests.

    The distance-matched folds imitate the distances from the cells of the cube to the sites.

    Returns
    -------
    predictions : pandas.DataFrame
        Every held-back prediction, as :func:`mapforest.validation.validate` returns it.
    scores : pandas.DataFrame
        As :func:`mapforest.validation.summarise` returns it, with the columns ``model`` and ``unit`` in front.
    """
    what = target(settings, name)
    sampled = thinned(cube)
    cells = map_table(sampled, training.predictors(settings, name), sampled["plateau"])
    places = (table["longitude"], table["latitude"], cells["longitude"], cells["latitude"])
    predictions = validation.validate(
        partial(training.from_settings, settings, name, settings.validation_trees),
        table,
        table[what.column],
        folds.schemes(*places, k=settings.n_folds, which=settings.validation_schemes),
        seeds=range(settings.seed, settings.seed + settings.validation_seeds),
        training_fraction=settings.training_fraction,
    )
    scores = validation.summarise(predictions)
    scores.insert(0, "model", what.label)
    scores.insert(1, "unit", what.unit)
    return predictions, scores


def overview(scores: pd.DataFrame, metrics: tuple[str, ...] = ("r2_explained", "r", "rmse", "pbias")) -> pd.DataFrame:
    """Return the scores of :func:`validate` for a reader: a row a model and scheme, a column a metric."""
    shown = scores[scores["metric"].isin(metrics)]
    return shown.pivot_table("value", ["model", "scheme", "part"], "metric", sort=False).rename_axis(columns=None)


def fold_numbers(predictions: pd.DataFrame, scheme: str, seed: int) -> NDArray[np.int64]:
    """Return the fold of each training row under a scheme, shape (n,), in the order of the table.

    The predictions are those of :func:`validate`; the seed names the repetition.
    """
    chosen = predictions[(predictions["scheme"] == scheme) & (predictions["seed"] == seed)]
    return chosen.sort_values("row")["fold"].to_numpy()


def applicable_cells(
    settings: Settings, forest: RandomForest, table: pd.DataFrame, predictions: pd.DataFrame, cube: xr.Dataset
) -> xr.DataArray:
    """Return the area of applicability of a forest, a map of bool: the cells that resemble its training sites.

    The distance-matched folds among the predictions of :func:`validate` say how unlike a cell may be.
    """
    importance = forest.importance.set_index("predictor")["importance"]
    folds_of_map = fold_numbers(predictions, "knndm", settings.seed)
    space = applicability.training_space(table, importance, folds_of_map, forest.categorical)
    return applicability.applicable_cells(space, cube, cube["plateau"], settings.threads)


def area_share(cells: xr.DataArray, cube: xr.Dataset) -> float:
    """Return the share of the plateau's area, from 0 to 1, that some of its cells (a map of bool) cover."""
    return float(cube["cell_area"].where(cells).sum() / cube["cell_area"].where(cube["plateau"]).sum())


def as_flux(settings: Settings, name: str, predicted: xr.DataArray, table: pd.DataFrame) -> xr.DataArray:
    """Return the map of ``npp`` or ``rs`` [g C m-2 yr-1] from what the forest predicted at the cells.

    A logarithm is brought back as ``back_transformation`` says, with the out-of-bag residuals of the table from
    :func:`grow`.
    """
    what = target(settings, name)
    if what.logarithmic:
        residual = table[what.column] - table["out_of_bag"]
        predicted = back_transform(predicted, residual, settings.back_transformation)
    long_name = {"npp": "net primary production", "rs": "soil respiration"}[name]
    source = f"random forest of {what.label}"
    return predicted.rename(name).assign_attrs(units="g C m-2 yr-1", long_name=long_name, source=source)


def out_of_bag_npp(settings: Settings, table: pd.DataFrame) -> pd.Series:
    """Return NPP of each row of a table of :func:`grow`, out of bag [g C m-2 yr-1], whatever the forest's scale."""
    what, seen = target(settings, "npp"), table["out_of_bag"]
    if not what.logarithmic:
        return seen
    factor = smearing_factor(table[what.column] - seen) if settings.back_transformation == "smearing" else 1.0
    return factor * np.exp(seen)
