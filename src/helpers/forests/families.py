"""One forest is one opinion: a small family of models for each flux, scored by the same held-back sites.

Every member takes a table of predictors and gives a flux [g C m-2 yr-1]. All but two fit the logarithm of the flux and
bring it back with Duan's factor: the paper's forest of NPP keeps its own scale, and a scaled climate model has none.
The family shows how much of a map is the choice of a model. No member is chosen by its balance.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, SplineTransformer, StandardScaler
from threadpoolctl import threadpool_limits

from helpers.config import Settings
from helpers.data.cube import sample
from helpers.data.derived import miami_npp, raich_rs_of_year
from helpers.data.land_cover import GRASSLAND
from helpers.sites import training
from mapforest.errors import ForestError
from mapforest.folds import random_folds
from mapforest.retransform import smearing_factor
from mapforest.validation import ModelFactory, cross_predict

#: More of it never makes less flux, other things equal: the law that boosting is held to.
RISING = ("precipitation", "temperature", "lai", "npp_modis")

BASELINE = "mean of the records"
PAPER = "forest of NPP itself"
OURS = "forest of logarithms"
#: Resamples of the interval of a difference.
_RESAMPLES = 1000


class OnLogs(RegressorMixin, BaseEstimator):
    """A regression of the logarithm of a flux, brought back by the smearing factor of residuals of unseen rows.

    The ``estimator``, of scikit-learn's kind, is cloned for each fit and given the table. With ``published``, from the
    table to the flux of a published model [g C m-2 yr-1], it sees the logarithm of the ratio to that flux. ``seed`` is
    that of the folds that give the residuals; a forest has its out-of-bag rows.
    """

    def __init__(
        self, estimator: BaseEstimator, published: Callable[[pd.DataFrame], ArrayLike] | None = None, seed: int = 0
    ) -> None:
        self.estimator = estimator
        self.published = published
        self.seed = seed

    def fit(self, table: pd.DataFrame, flux: ArrayLike) -> OnLogs:
        """Fit ln flux on the table; a flux that is not above zero raises ForestError."""
        flux = np.asarray(flux, dtype=float)
        if not (flux > 0).all():
            raise ForestError(f"{int((~(flux > 0)).sum())} fluxes are not above zero: they have no logarithm")
        log = np.log(flux) - self._known(table)
        self.estimator_ = clone(self.estimator).fit(table, log)
        seen = getattr(self.estimator_, "oob_prediction", None)
        if seen is None:  # not a forest: other folds must tell what the fitted rows would hide
            fold = random_folds(len(log), min(5, len(log)), self.seed)
            seen = cross_predict(lambda _: clone(self.estimator), table, log, fold, self.seed)
        self.factor_ = smearing_factor(log - seen)
        return self

    def predict(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Return the flux [g C m-2 yr-1] of each row."""
        return self.factor_ * np.exp(self.estimator_.predict(table) + self._known(table))

    def _known(self, table: pd.DataFrame) -> NDArray[np.float64]:
        # Where it is far too cold or dry for the published model it gives nearly nothing, and a ratio to that is noise.
        return np.zeros(len(table)) if self.published is None else np.log(np.maximum(self.published(table), 1.0))


class Scaled(RegressorMixin, BaseEstimator):
    """A published model times the one factor that brings its mean at the sites to that of the records.

    ``published`` takes the table and gives a flux [g C m-2 yr-1]; without it the mean of the records stands everywhere.
    ``where`` names a column of bool: the records that count, if there are any.
    """

    def __init__(self, published: Callable[[pd.DataFrame], ArrayLike] | None = None, where: str | None = None) -> None:
        self.published = published
        self.where = where

    def fit(self, table: pd.DataFrame, flux: ArrayLike) -> Scaled:
        """Take the ratio of the two means."""
        counting = np.ones(len(table), bool) if self.where is None else table[self.where].to_numpy(bool)
        weights = counting if counting.any() else None
        self.factor_ = float(np.average(flux, weights=weights) / np.average(self._flux(table), weights=weights))
        return self

    def predict(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Return the flux [g C m-2 yr-1] of each row."""
        return self.factor_ * self._flux(table)

    def _flux(self, table: pd.DataFrame) -> NDArray[np.float64]:
        return np.ones(len(table)) if self.published is None else np.asarray(self.published(table), dtype=float)


def _climate_model(name: str, table: pd.DataFrame) -> NDArray[np.float64]:
    """Return the flux of the published climate model of NPP (Miami) or Rs (Raich)."""
    law = {"npp": miami_npp, "rs": raich_rs_of_year}[name]
    climate = (table[column].to_xarray() for column in ("precipitation", "temperature"))
    return law(*climate).to_numpy()


def members(settings: Settings, name: str, n_trees: int) -> dict[str, ModelFactory]:
    """Return the family of a flux, ``npp`` or ``rs``: by name, what makes a member from a seed, not fitted.

    Members see the run's predictors of that flux, and all records have one weight. They are, in this order: the mean of
    the region's records (the baseline), the paper's forest, a forest of logarithms (for Rs the paper's own, with
    smearing), gradient boosting that rises with :data:`RISING`, ridge regression, a published climate model scaled to
    the records, and the same with a forest of its residuals. The forests have ``n_trees`` trees.
    """
    seen = list(training.predictors(settings, name))
    classes = training.class_predictors(settings, name)
    numbers = [column for column in seen if column not in classes]
    published = partial(_climate_model, name)

    single = settings.model_copy(update={"threads": 1})  # see scored

    def forest(seed: int) -> BaseEstimator:
        """Return the run's forest, with fewer trees."""
        return training.from_settings(single, name, n_trees, seed)

    def boosting(seed: int) -> BaseEstimator:
        """Return gradient boosting that never falls where :data:`RISING` rises."""
        columns = make_column_transformer(("passthrough", seen), verbose_feature_names_out=False)
        # Shallow and slow: some tens to hundreds of records carry no more. Land cover goes in as class numbers.
        boosted = HistGradientBoostingRegressor(
            max_iter=100,
            learning_rate=0.05,
            max_leaf_nodes=8,
            min_samples_leaf=5,
            monotonic_cst={column: 1 for column in RISING if column in seen},
            random_state=seed,
        )
        return make_pipeline(columns.set_output(transform="pandas"), boosted)

    def ridge(_: int) -> BaseEstimator:
        """Return ridge regression, level beyond the records."""
        # A line through two knots, level beyond them: like the trees, it goes no further than the records do. A class
        # of a single record is pooled with other rare ones: alone it would be fitted exactly.
        line = SplineTransformer(n_knots=2, degree=1, include_bias=False, extrapolation="constant")
        one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=3)
        columns = make_column_transformer((make_pipeline(line, StandardScaler()), numbers), (one_hot, classes))
        return make_pipeline(columns, RidgeCV(np.logspace(-2, 4, 13)))

    family: dict[str, ModelFactory] = {BASELINE: lambda _: Scaled(where="in_region")}
    if name == "npp":
        family[PAPER] = forest
    family[OURS] = lambda seed: OnLogs(forest(seed), seed=seed)
    family["monotone boosting"] = lambda seed: OnLogs(boosting(seed), seed=seed)
    family["ridge regression"] = lambda seed: OnLogs(ridge(seed), seed=seed)
    if {"precipitation", "temperature"} <= set(seen):  # a predictor that is left out is hidden from all
        family["scaled climate model"] = lambda _: Scaled(published)
        family["climate model and forest"] = lambda seed: OnLogs(forest(seed), published, seed)
    return family


def cold_steppe(cube: xr.Dataset, table: pd.DataFrame) -> NDArray[np.bool_]:
    """Return which rows of a training table lie on cold steppe, most of the paper's plateau: grassland below 0 degC."""
    here = sample(cube, table, ["land_cover", "temperature"])
    return ((here["land_cover"] == GRASSLAND) & (here["temperature"] < 0)).to_numpy()


def scored(
    family: Mapping[str, ModelFactory],
    table: pd.DataFrame,
    fold: ArrayLike,
    places: Mapping[str, ArrayLike],
    seed: int,
    threads: int = 1,
    baseline: Hashable = BASELINE,
) -> pd.DataFrame:
    """Score every member of a family on the same held-back sites, beside the ``baseline``.

    The table has n rows with the predictors and the flux [g C m-2 yr-1] in ``value``; ``fold``, shape (n,), is the fold
    of each. ``places`` are rows that are scored together, bool of shape (n,), by name, such as those of the region and
    of :func:`cold_steppe`; one without a row is left out. ``threads`` do not change the result.

    A row of the result is a member and ``where`` (a key of the places): ``n``, ``rmse_gC_m2_yr``, ``bias_gC_m2_yr``,
    ``r2_explained`` (1 less the ratio of its squared error to the baseline's), and the 90 % interval of that number
    (``r2_low``, ``r2_high``) over folds drawn with replacement: above zero means better than the baseline. With rows in
    one fold only the interval is missing. ``weight`` is the probability of each member but the baseline if its errors
    are normal and the k folds are that many independent looks at them, mean squared error ** (-k / 2) (the pseudo-BMA
    weights of Yao et al. 2018, https://doi.org/10.1214/17-BA1091).
    """
    flux, fold = table["value"].to_numpy(float), np.asarray(fold)
    held_back = _side_by_side(lambda make: cross_predict(make, table, flux, fold, seed), family.values(), threads)
    error = {name: predicted - flux for name, predicted in zip(family, held_back, strict=True)}
    rows = []
    for where, chosen in places.items():
        chosen = np.asarray(chosen, dtype=bool)
        if not chosen.any():
            continue
        # Rows of one fold share their training sites and often their place: they are drawn together.
        number = np.unique(fold[chosen], return_inverse=True)[1]
        drawn = np.random.default_rng(seed).integers(number.max() + 1, size=(_RESAMPLES, number.max() + 1))
        base = np.bincount(number, error[baseline][chosen] ** 2)
        likely = {
            name: np.mean(one[chosen] ** 2) ** (-(number.max() + 1) / 2)
            for name, one in error.items()
            if name != baseline
        }
        for name, one in error.items():
            squared = np.bincount(number, one[chosen] ** 2)
            gain = 1 - squared[drawn].sum(axis=1) / base[drawn].sum(axis=1)
            low, high = np.quantile(gain, [0.05, 0.95]) if number.max() else (np.nan, np.nan)
            rows.append(
                {
                    "member": name,
                    "where": where,
                    "n": int(chosen.sum()),
                    "rmse_gC_m2_yr": float(np.sqrt(np.mean(one[chosen] ** 2))),
                    "bias_gC_m2_yr": float(one[chosen].mean()),
                    "r2_explained": float(1 - squared.sum() / base.sum()),
                    "r2_low": low,
                    "r2_high": high,
                    "weight": likely.get(name, 0.0) / sum(likely.values()),
                }
            )
    return pd.DataFrame(rows)


def _side_by_side(
    work: Callable[[ModelFactory], NDArray], family: Iterable[ModelFactory], threads: int
) -> list[NDArray]:
    """Return what some work makes of each member, on threads."""

    def alone(make: ModelFactory) -> NDArray:
        """Do the work for one member, without threads of its own: the setting of OpenMP is each thread's."""
        with threadpool_limits(1, user_api="openmp"):
            return work(make)

    # The models are small, and thousands are fitted: threads would wait for each other longer than they work.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        return list(pool.map(alone, family))


def maps(
    family: Mapping[str, ModelFactory], table: pd.DataFrame, cells: pd.DataFrame, seed: int, threads: int = 1
) -> dict[str, NDArray[np.float64]]:
    """Return the flux [g C m-2 yr-1] of every member at the cells, by name; the baseline has no map.

    The training rows are those of :func:`scored`, and so is ``threads``.
    """
    chosen = {name: make for name, make in family.items() if name != BASELINE}

    def mapped(make: ModelFactory) -> NDArray:
        """Fit a member to all rows, and return its map."""
        return make(seed).fit(table, table["value"]).predict(cells)

    return dict(zip(chosen, _side_by_side(mapped, chosen.values(), threads), strict=True))


def as_fields(cells: pd.DataFrame, family_maps: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> xr.Dataset:
    """Return the maps of a family on the grid, means over the years of each cell [g C m-2 yr-1], a variable per flux.

    The cells are those of :func:`helpers.balance.cells.budget_cells`; rows without ``area``, such as water, are left
    out. The maps are those of :func:`maps`, by flux. Dimensions are ``member``, ``latitude`` (north first) and
    ``longitude``; a member that is not of the family of a flux is missing there.
    """
    land = cells["area"] > 0
    place = cells.loc[land, ["latitude", "longitude"]]
    fields = {}
    for name, of_flux in family_maps.items():
        table = place.assign(**{member: field[land] for member, field in of_flux.items()})
        means = table.groupby(["latitude", "longitude"]).mean().to_xarray().to_array("member")
        fields[name] = means.assign_attrs(units="g C m-2 yr-1")
    return xr.Dataset(fields).sortby("latitude", ascending=False)


def better_than_the_mean(scores: pd.DataFrame, where: str) -> list[str]:
    """Return the members whose whole interval at these places lies above that of the mean of the records."""
    chosen = scores[(scores["where"] == where) & (scores["member"] != BASELINE)]
    return chosen.loc[chosen["r2_low"] > 0, "member"].tolist()
