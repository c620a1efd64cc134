"""The paper's two forests from a training table to a map: the steps that notebooks 02 and 03 share.

Each function takes the settings of the run, the name of the forest (``npp`` is Eq. 1, ``rs`` is Eq. 2) and data, and
returns data. A training table has n rows with the flux in ``value`` and the forest's target (:func:`target`); a cube
has the covariates on the target grid, ``in_region`` and ``cell_area``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from helpers.config import Settings
from helpers.data.cube import sample, thinned
from helpers.data.land_cover import land_cover_balance
from helpers.data.scan import scan
from helpers.names import class_name
from helpers.sites import training
from mapforest import applicability, folds, validation
from mapforest.cells import map_table
from mapforest.forest import RandomForest
from mapforest.influence import compact_groups, influence
from mapforest.retransform import smearing_factor


@dataclass(frozen=True)
class Target:
    """What a forest predicts."""

    label: str  #: Its name in figures and tables.
    column: str  #: Its column in the training table.
    unit: str  #: Its unit, as table columns spell it.
    units: str  #: The same, as figures take it.
    logarithmic: bool  #: It is the logarithm of a flux.


#: Width of a neighbourhood that :func:`influential_records` leaves out as one, km; and cells that it looks at.
NEIGHBOURHOOD_KM, INFLUENCE_CELLS = 50.0, 5000

FLUXES = ("npp", "rs")

T = TypeVar("T", NDArray[np.float64], pd.Series, xr.DataArray)


def target(settings: Settings, name: str) -> Target:
    """Return what a forest of the run predicts: NPP or, with ``npp_scale`` log, ln NPP; and ln Rs."""
    if name == "npp" and settings.npp_scale == "flux":
        return Target("NPP", "value", "gC_m2_yr", "g C m-2 yr-1", logarithmic=False)
    label = {"npp": "ln NPP", "rs": "ln Rs"}[name]
    return Target(label, f"ln_{name}", "ln_gC_m2_yr", "ln(g C m-2 yr-1)", logarithmic=True)


def site_balance(cube: xr.Dataset, table: pd.DataFrame) -> pd.DataFrame:
    """Compare the land cover of the training sites with that of the region.

    The result is that of :func:`helpers.data.land_cover.land_cover_balance`.
    """
    at_sites = sample(cube, table, ["land_cover"])["land_cover"]
    return land_cover_balance(at_sites, cube["land_cover"].where(cube["in_region"]), cube["cell_area"])


def grow(settings: Settings, name: str, table: pd.DataFrame) -> tuple[RandomForest, pd.DataFrame]:
    """Grow a forest on its training table, and return it with the table and two more columns.

    ``in_sample`` is the forest's prediction of each row, ``out_of_bag`` that of the trees which did not see the row.
    """
    forest = training.from_settings(settings, name, settings.n_trees, settings.seed)
    forest.fit(table, table[target(settings, name).column])
    return forest, table.assign(in_sample=forest.predict(table), out_of_bag=forest.oob_prediction)


def validation_forests(settings: Settings, name: str) -> validation.ModelFactory:
    """Return what makes a forest of ``validation_trees`` from a seed, grown by one thread.

    A tree of some hundred rows takes less time to grow than to hand to another thread.
    """
    single = settings.model_copy(update={"threads": 1})
    return partial(training.from_settings, single, name, settings.validation_trees)


def validate(settings: Settings, name: str, table: pd.DataFrame, cube: xr.Dataset) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Validate a forest under every scheme that the settings ask for, each time with fresh forests.

    The distance-matched folds imitate the distances from the cells of the cube to the sites. The results are every
    held-back prediction, as :func:`mapforest.validation.validate` returns it, and the scores of
    :func:`mapforest.validation.summarise`, with the columns ``model`` and ``unit`` in front.
    """
    what = target(settings, name)
    sampled = thinned(cube)
    cells = map_table(sampled, training.predictors(settings, name), sampled["in_region"])
    places = (table["longitude"], table["latitude"], cells["longitude"], cells["latitude"])
    predictions = validation.validate(
        validation_forests(settings, name),
        table,
        table[what.column],
        folds.schemes(*places, k=settings.n_folds, which=settings.validation_schemes),
        seeds=range(settings.seed, settings.seed + settings.validation_seeds),
        training_fraction=settings.training_fraction,
        threads=settings.threads,
    )
    scores = validation.summarise(predictions)
    scores.insert(0, "model", what.label)
    scores.insert(1, "unit", what.unit)
    return predictions, scores


def overview(scores: pd.DataFrame, metrics: tuple[str, ...] = ("r2_explained", "r", "rmse", "pbias")) -> pd.DataFrame:
    """Return the scores of a forest by :func:`validate` for a reader: a row per scheme, a column per metric.

    RMSE has the forest's unit at the end of its name.
    """
    shown = scores[scores["metric"].isin(metrics)]
    (unit,) = set(scores["unit"])
    rows = shown.pivot_table("value", ["model", "scheme", "part"], "metric", sort=False).rename_axis(columns=None)
    return rows.rename(columns={"rmse": f"rmse_{unit}"})


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
    return applicability.applicable_cells(space, cube, cube["in_region"], settings.threads)


def influential_records(
    settings: Settings, name: str, forest: RandomForest, table: pd.DataFrame, cube: xr.Dataset, mean: float
) -> pd.DataFrame:
    """Return the region's mean flux without each site, and without all sites of each 50 km, greatest change first.

    The changes are those of :func:`mapforest.influence.influence`, at a sample of the cells, each in one of its years.
    The forest and the table are those of :func:`grow`; ``mean`` is that of the map [g C m-2 yr-1].

    A row is a group of training rows: ``longitude`` and ``latitude`` (means, degrees), ``land_cover`` (the commonest
    class of its cells), ``n_rows``, ``n_sites``, ``records``, ``sources`` and ``references`` (each named once),
    ``flux_gC_m2_yr`` (mean of the rows), ``mean_without_gC_m2_yr``, ``change_gC_m2_yr`` (without less with),
    ``change_se_gC_m2_yr``, ``n_trees`` and ``trees``.
    """
    places = (table["longitude"], table["latitude"])
    site = folds.site_labels(*places)
    labels = [site, compact_groups(*places, NEIGHBOURHOOD_KM)]
    every = np.concatenate([label == np.unique(label)[:, np.newaxis] for label in labels])
    _, first = np.unique(every, axis=0, return_index=True)
    groups = every[np.sort(first)]  # a site without neighbours is its own neighbourhood, and stands there once
    sampled = thinned(cube, INFLUENCE_CELLS)
    if "time" in sampled.dims:  # each year has its part of the cells
        place = np.add.outer(np.arange(sampled.sizes["latitude"]), np.arange(sampled.sizes["longitude"]))
        years = xr.DataArray(place % sampled.sizes["time"], dims=("latitude", "longitude"))
        sampled = sampled.isel(time=years)
    cells = map_table(sampled, ["cell_area", *forest.predictors], sampled["in_region"])

    found = influence(forest, table, cells, cells["cell_area"], groups, _back(settings, name, table))
    classes = sample(cube, table, ["land_cover"])["land_cover"]
    texts = {
        "records": table.get("record", table["site"]),
        "sources": table["source"],
        "references": table["reference"],
    }
    texts = {column: values.astype(str).to_numpy() for column, values in texts.items()}
    about = [
        {
            "longitude": table["longitude"][own].mean(),
            "latitude": table["latitude"][own].mean(),
            "land_cover": class_name(classes[own].mode()[0]),
            "n_rows": int(own.sum()),
            "n_sites": len(np.unique(site[own])),
            **{column: "; ".join(dict.fromkeys(values[own])) for column, values in texts.items()},
            "flux_gC_m2_yr": table["value"][own].mean(),
        }
        for own in groups
    ]
    result = pd.DataFrame(about).assign(
        mean_without_gC_m2_yr=mean + found["change"],
        change_gC_m2_yr=found["change"],
        change_se_gC_m2_yr=found["change_se"],
        n_trees=found["n_trees"],
        trees=found["trees"],
    )
    return result.sort_values("change_gC_m2_yr", key=np.abs, ascending=False, ignore_index=True)


def area_share(cells: xr.DataArray, of: xr.DataArray, cell_area: xr.DataArray) -> float:
    """Return the share of the area of the cells ``of``, from 0 to 1, that some of them cover; both are maps of bool."""
    sums = scan(lambda area, of, some: np.array([area[some & of].sum(), area[of].sum()]), [cell_area, of, cells])
    some, every = sum(sums.flat)
    return float(some / every)


def as_flux(settings: Settings, name: str, predicted: xr.DataArray, table: pd.DataFrame) -> xr.DataArray:
    """Return the map of ``npp`` or ``rs`` [g C m-2 yr-1] from what the forest predicted at the cells.

    A logarithm is brought back as ``back_transformation`` says, with the out-of-bag residuals of the table from
    :func:`grow`.
    """
    predicted = _back(settings, name, table)(predicted)
    long_name = {"npp": "net primary production", "rs": "soil respiration"}[name]
    source = f"random forest of {target(settings, name).label}"
    return predicted.rename(name).assign_attrs(units="g C m-2 yr-1", long_name=long_name, source=source)


def out_of_bag_npp(settings: Settings, table: pd.DataFrame) -> pd.Series:
    """Return NPP of each row of a table of :func:`grow`, out of bag [g C m-2 yr-1], whatever the forest's scale."""
    return _back(settings, "npp", table)(table["out_of_bag"])


def _back(settings: Settings, name: str, table: pd.DataFrame) -> Callable[[T], T]:
    """Return what turns the predictions of a forest into its flux; the residuals are those of the table's rows."""
    what = target(settings, name)
    if not what.logarithmic:
        return lambda predicted: predicted
    smeared = settings.back_transformation == "smearing"
    factor = smearing_factor(table[what.column] - table["out_of_bag"]) if smeared else 1.0
    return lambda predicted: factor * np.exp(predicted)
