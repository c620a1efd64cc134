"""Intervals for single cells: quantile regression forests, checked and, where they miss, recalibrated.

A quantile regression forest (Meinshausen 2006, https://jmlr.org/papers/v7/meinshausen06a.html) keeps the training
targets in its leaves and reads quantiles from them. A tree gives every draw of its bootstrap sample the weight 1/size
of its leaf, so that the weighted mean is the forest's prediction. The interval is one for a further *row* at a cell,
scatter of the rows included; it is not the uncertainty of a mean over the map. It holds what it promises only for cells
like the training rows. So its coverage is counted out-of-bag and under spatial folds, and conformal recalibration
(Romano et al. 2019, https://arxiv.org/abs/1905.03222) widens it by what the held-back rows were missed by.

R's ``quantregForest`` differs: there all training rows fill the leaves of every tree, also those that the tree did not
draw. Here, as in ``quantile-forest``, a leaf holds the rows that its tree drew, each as often as it was drawn. Only so
is the mean over the leaves what the forest predicts.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from quantile_forest import RandomForestQuantileRegressor

from mapforest.cells import SPACE, map_table
from mapforest.errors import ForestError
from mapforest.folds import checked_folds
from mapforest.forest import RandomForest, refuse_ungrown
from mapforest.leaf_weights import CompiledQuantileForest, checked_levels
from mapforest.metrics import checked_vectors
from mapforest.validation import held_back_models


@dataclass(frozen=True)
class QuantileForest:
    """A grown forest together with the targets in its leaves, from :func:`grow`."""

    forest: RandomForest  #: The forest whose trees these are; it encodes the predictors.
    estimator: RandomForestQuantileRegressor  #: The same trees, with the training targets in their leaves.

    @cached_property
    def compiled(self) -> CompiledQuantileForest:
        """The estimator as flat arrays: many times faster on the cells of a map."""
        return CompiledQuantileForest.from_forest(self.estimator)


def grow(forest: RandomForest) -> QuantileForest:
    """Keep every training target in its leaves of the trees of a forest.

    The mean over the leaves is the prediction of the forest. One that is not grown raises ForestError.
    """
    # All parameters, whichever they are: from one that was forgotten here other draws would follow, in silence.
    parameters = refuse_ungrown(forest).estimator_.get_params() | {"n_jobs": forest.threads, "warm_start": True}
    estimator = RandomForestQuantileRegressor(**parameters, max_samples_leaf=None)
    estimator.estimators_ = list(forest.estimator_.estimators_)  # a warm start with all trees grows no other
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Warm-start fitting without increasing n_estimators", UserWarning)
        estimator.fit(*forest.training_rows_)
    return QuantileForest(forest, estimator.set_params(warm_start=False))


def quantiles(grown: QuantileForest, table: pd.DataFrame, levels: Sequence[float]) -> NDArray[np.float64]:
    """Return quantiles of the target at each row, shape (n, n_levels), in the unit of the target.

    ``levels`` lie between 0 and 1, such as (0.05, 0.95) for a 90 % interval; others raise ForestError, and so does a
    missing column or value. The more rows at once, and the more alike, the faster, see
    :class:`mapforest.leaf_weights.CompiledQuantileForest`.
    """
    return grown.compiled.predict(grown.forest.encode(table), levels, grown.forest.threads)


def out_of_bag_quantiles(grown: QuantileForest, levels: Sequence[float]) -> NDArray[np.float64]:
    """Return quantiles at each training row, as :func:`quantiles` does, from the trees that did not see it.

    They are NaN where every tree saw the row.
    """
    rows, levels = grown.forest.training_rows_[0], checked_levels(levels).tolist()
    # Weighted by leaf size, as Meinshausen defines it; the library's default counts large leaves more.
    values = grown.estimator.predict(rows, quantiles=levels, weighted_leaves=True, oob_score=True)
    return np.asarray(values, dtype=float).reshape(len(rows), len(levels))


def cross_quantiles(
    make_model: Callable[[int], RandomForest],
    table: pd.DataFrame,
    target: ArrayLike,
    fold: ArrayLike,
    levels: Sequence[float],
    seed: int,
) -> NDArray[np.float64]:
    """Return quantiles at each row, as :func:`quantiles` does, from a forest that has not seen the row's fold.

    All arguments but ``levels`` are those of :func:`mapforest.validation.cross_predict`; the models are random forests.
    """
    result = np.empty((len(table), len(levels)))
    for held_back, forest in held_back_models(make_model, table, target, fold, seed):
        result[held_back] = quantiles(grow(forest), table[held_back], levels)
    return result


def interval_map(
    grown: QuantileForest,
    cube: xr.Dataset,
    where: xr.DataArray,
    levels: tuple[float, float],
    margin: float,
    band_cells: int = 300_000,
) -> xr.Dataset:
    """Return the recalibrated interval of the cells of a cube, band by band: ``lower`` and ``upper``, float32.

    Covariates are as for :func:`mapforest.predict.predict`; yearly ones enter with their means. ``where``, shape
    (latitude, longitude), says which cells to predict. The levels are the lower and the upper quantile, such as (0.05,
    0.95), and the margin is that of :func:`conformal_margin`, by which both ends are moved out. About ``band_cells``
    cells are taken at a time, in whole rows of the grid, which bounds the memory.

    The ends are in the unit of the target; they are missing outside ``where`` and where a covariate is missing.
    ForestError is raised if ``where`` does not fit the cube, a level is not between 0 and 1, or the margin is not
    finite.
    """
    if not np.isfinite(margin):
        raise ForestError(f"the margin is {margin}; expected a number, as conformal_margin returns it")
    rows, columns = (cube.get_index(axis) for axis in SPACE)
    ends = np.full((2, len(rows), len(columns)), np.nan, dtype="float32")
    step = max(1, band_cells // len(columns))
    for first in range(0, len(rows), step):
        band = {"latitude": slice(first, first + step)}
        cells = map_table(cube.isel(band), grown.forest.predictors, where.isel(band))
        if len(cells):
            place = (rows.get_indexer(cells["latitude"]), columns.get_indexer(cells["longitude"]))
            ends[:, *place] = _widened(*quantiles(grown, cells, levels).T, margin)
    fields = {name: (SPACE, end) for name, end in zip(("lower", "upper"), ends, strict=True)}
    return xr.Dataset(fields, {axis: cube[axis] for axis in SPACE})


def conformal_margin(observed: ArrayLike, lower: ArrayLike, upper: ArrayLike, level: float) -> float:
    """Return by how much intervals must be widened at both ends to cover a further row with the probability ``level``.

    Conformalised quantile regression: of max(lower - observed, observed - upper) of n held-back rows the margin is the
    ceil((n + 1) level)-th smallest, in the unit of the target. It is negative where the intervals are too wide. The
    promise holds for a row that is exchangeable with these: out-of-bag rows speak for further sites like these, rows
    held back by spatial folds for sites as far off. ForestError is raised if lengths differ, values are missing, or
    there are too few rows for the level.

    Examples
    --------
    >>> conformal_margin([5.0, 6.0, 7.0, 12.0], [0.0] * 4, [10.0] * 4, level=0.8)
    2.0
    """
    observed, lower, upper = checked_vectors(observed=observed, lower=lower, upper=upper)
    if not (0 < level < 1 and math.ceil((len(observed) + 1) * level) <= len(observed)):
        raise ForestError(
            f"{len(observed)} rows cannot vouch for a level of {level}: expected a level between 0 and 1, and at least "
            "level / (1 - level) rows"
        )
    rank = math.ceil((len(observed) + 1) * level)
    return float(np.partition(np.maximum(lower - observed, observed - upper), rank - 1)[rank - 1])


def coverage_row(
    check: str, observed: ArrayLike, lower: ArrayLike, upper: ArrayLike, group: ArrayLike, level: float
) -> dict[str, str | float]:
    """Return a row of the coverage table: one check of the intervals, before and after recalibration.

    ``check`` says what the rows were held back by, such as ``out_of_bag`` or a fold scheme. The vectors, shape (n,),
    are the held-back rows, their intervals, and their fold or site. The recalibrated intervals of a group get the
    margin of the others, so that their coverage is a fair check; a single group raises ForestError, as does what
    :func:`conformal_margin` refuses. ``level`` is the nominal coverage, such as 0.9.

    The keys are ``check``, ``n``, ``level``, ``coverage`` (share of the observations that lie in their interval, ends
    included) and ``mean_width`` of the intervals as they are, ``recalibrated_coverage`` and
    ``recalibrated_mean_width``, and ``margin`` (from all rows, to be used on maps).

    Examples
    --------
    >>> row = coverage_row("sites", [1.0, 2, 9, 4], [0.0, 2, 3, 3], [2.0, 3, 4, 5], group=[1, 1, 2, 2], level=0.5)
    >>> row["coverage"], row["mean_width"], row["margin"]
    (0.75, 1.5, 0.0)
    """
    observed, lower, upper = checked_vectors(observed=observed, lower=lower, upper=upper)
    group = checked_folds(group, len(observed))
    margin = np.empty(len(observed))
    for one in np.unique(group):
        others = group != one
        margin[~others] = conformal_margin(observed[others], lower[others], upper[others], level)
    fair_lower, fair_upper = _widened(lower, upper, margin)
    return {
        "check": check,
        "n": len(observed),
        "level": level,
        "coverage": float(np.mean((observed >= lower) & (observed <= upper))),
        "mean_width": float(np.mean(upper - lower)),
        "recalibrated_coverage": float(np.mean((observed >= fair_lower) & (observed <= fair_upper))),
        "recalibrated_mean_width": float(np.mean(fair_upper - fair_lower)),
        "margin": conformal_margin(observed, lower, upper, level),
    }


def _widened(lower: NDArray, upper: NDArray, margin: float | NDArray) -> tuple[NDArray, NDArray]:
    """Return intervals moved out by a margin; ends that a negative margin would cross meet in the middle."""
    middle = (lower + upper) / 2
    return np.minimum(lower - margin, middle), np.maximum(upper + margin, middle)
