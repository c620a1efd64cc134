"""Intervals for single cells: quantile regression forests, checked and, where they miss, recalibrated.

A quantile regression forest (Meinshausen 2006) keeps the training targets in its leaves and reads quantiles from them;
a tree gives every training row the weight 1/size of its leaf, so that the weighted mean is the forest's prediction.
The interval is one for a further *record* at a cell, scatter of the records included; it is not the uncertainty of the
mean over the plateau. It holds what it promises only for cells like the training rows, so its coverage is counted
out-of-bag and under spatial folds, and conformal recalibration (Romano et al. 2019, https://arxiv.org/abs/1905.03222)
widens it by what the held-back rows were missed by.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from quantile_forest import RandomForestQuantileRegressor

from mapforest.cells import map_table
from mapforest.errors import ForestError
from mapforest.folds import checked_folds
from mapforest.forest import RandomForest
from mapforest.leaf_weights import CompiledQuantileForest


@dataclass(frozen=True)
class QuantileForest:
    """A grown forest together with the targets in its leaves, from :func:`grow`.

    Attributes
    ----------
    forest : RandomForest
        The forest whose trees these are; it encodes the predictors.
    estimator : quantile_forest.RandomForestQuantileRegressor
        The same trees, with the training targets in their leaves.
    encoded : numpy.ndarray of float32, shape (n, n_columns)
        The training rows as the trees see them.
    """

    forest: RandomForest
    estimator: RandomForestQuantileRegressor
    encoded: NDArray[np.float32]


def grow(forest: RandomForest, table: pd.DataFrame, target: ArrayLike) -> QuantileForest:
    """Grow a forest again, tree by tree the same, and keep every training target in its leaf.

    Parameters
    ----------
    forest : RandomForest
        Fitted on ``table`` and ``target``; gives settings, seed and encoding.
    table : pandas.DataFrame, n rows
        The training rows of the forest.
    target : array_like, shape (n,)
        Their targets.

    Returns
    -------
    QuantileForest
        The mean over its leaves is the prediction of the forest.

    Raises
    ------
    ForestError
        If the forest is not fitted, or fitted on another number of rows.
    """
    if not hasattr(forest, "estimator"):
        raise ForestError("the forest is not grown yet: call its fit first, with the same table and target")
    encoded, values = forest.encode(table), np.asarray(target, dtype=float)
    if not len(encoded) == len(values) == len(forest.oob_prediction):
        raise ForestError(
            f"the forest was fitted on {len(forest.oob_prediction)} rows, but the table has {len(encoded)} and the "
            f"target {len(values)}: expected the training rows of the forest"
        )
    names = ("n_estimators", "max_features", "min_samples_split", "min_samples_leaf", "bootstrap", "random_state")
    settings = {name: getattr(forest.estimator, name) for name in names}
    estimator = RandomForestQuantileRegressor(**settings, max_samples_leaf=None, n_jobs=forest.threads)
    return QuantileForest(forest, estimator.fit(encoded, values), encoded)


def quantiles(
    grown: QuantileForest,
    table: pd.DataFrame,
    levels: Sequence[float],
    block_rows: int = 20_000,
    engine: Literal["pruned", "quantile-forest"] = "pruned",
) -> NDArray[np.float64]:
    """Return quantiles of the target at each row.

    Parameters
    ----------
    grown : QuantileForest
        From :func:`grow`.
    table : pandas.DataFrame, n rows
        Holds the predictors; without missing values. The more rows, and the more alike, the faster is ``pruned``.
    levels : sequence of float
        Quantiles between 0 and 1, such as (0.05, 0.95) for a 90 % interval.
    block_rows : int
        Rows that ``quantile-forest`` takes at a time; bounds its memory.
    engine : {"pruned", "quantile-forest"}
        ``pruned`` is :class:`mapforest.leaf_weights.CompiledQuantileForest`; it agrees with quantile-forest to 1e-9,
        and is many times faster on the cells of a map.

    Returns
    -------
    numpy.ndarray, shape (n, n_levels)
        In the unit of the target.

    Raises
    ------
    ForestError
        If a level is not between 0 and 1, or there is no such engine.
    """
    _check_levels(levels)
    encoded = grown.forest.encode(table)
    if engine == "pruned":
        return CompiledQuantileForest.from_forest(grown.estimator).predict(encoded, levels, grown.forest.threads)
    if engine != "quantile-forest":
        raise ForestError(f"engine is {engine!r}: expected pruned or quantile-forest")
    blocks = [encoded[start : start + block_rows] for start in range(0, len(encoded), block_rows)]
    return np.concatenate([_predict(grown, block, levels) for block in blocks])


def out_of_bag_quantiles(grown: QuantileForest, levels: Sequence[float]) -> NDArray[np.float64]:
    """Return quantiles at each training row, from the trees that did not see it.

    Parameters
    ----------
    grown : QuantileForest
        From :func:`grow`.
    levels : sequence of float
        Quantiles between 0 and 1.

    Returns
    -------
    numpy.ndarray, shape (n, n_levels)
        In the unit of the target; NaN where every tree saw the row.
    """
    _check_levels(levels)
    return _predict(grown, grown.encoded, levels, oob_score=True)


def cross_quantiles(
    make_model: Callable[[int], RandomForest],
    table: pd.DataFrame,
    target: ArrayLike,
    fold: ArrayLike,
    levels: Sequence[float],
    seed: int,
) -> NDArray[np.float64]:
    """Return quantiles at each row, from a forest that has not seen the row's fold.

    Parameters
    ----------
    make_model : callable
        From a seed to a forest that has not been fitted.
    table : pandas.DataFrame, n rows
        Predictors.
    target : array_like, shape (n,)
        Observed values.
    fold : array_like of int, shape (n,)
        Fold numbers, at least two different ones.
    levels : sequence of float
        Quantiles between 0 and 1.
    seed : int
        Seed of the forests.

    Returns
    -------
    numpy.ndarray, shape (n, n_levels)
        In the unit of the target.

    Raises
    ------
    ForestError
        If lengths differ or there is only one fold.
    """
    observed = np.asarray(target, dtype=float)
    fold = checked_folds(fold, len(observed))
    result = np.empty((len(observed), len(levels)))
    for number in np.unique(fold):
        held_back = fold == number
        forest = make_model(seed).fit(table[~held_back], observed[~held_back])
        grown = grow(forest, table[~held_back], observed[~held_back])
        result[held_back] = quantiles(grown, table[held_back], levels)
    return result


def coverage(observed: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> float:
    """Return the share of observations that lie in their interval, its ends included.

    Parameters
    ----------
    observed, lower, upper : array_like, shape (n,)
        In one and the same unit.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ForestError
        If lengths differ or values are missing.

    Examples
    --------
    >>> coverage([1.0, 2.0, 9.0, 4.0], [0.0, 2.0, 3.0, 3.0], [2.0, 3.0, 4.0, 5.0])
    0.75
    """
    observed, lower, upper = _checked(observed, lower, upper)
    return float(np.mean((observed >= lower) & (observed <= upper)))


def conformal_margin(observed: ArrayLike, lower: ArrayLike, upper: ArrayLike, level: float) -> float:
    """Return by how much intervals must be widened at both ends to cover a further row with the given probability.

    Conformalised quantile regression: the margin is the ceil((n + 1) level)-th smallest of
    max(lower - observed, observed - upper). It is negative where the intervals are too wide. The promise holds for a
    row that is exchangeable with these: out-of-bag rows speak for further sites like these, rows held back by spatial
    folds for sites as far off.

    Parameters
    ----------
    observed, lower, upper : array_like, shape (n,)
        Held-back rows: their observations and the intervals of a model that has not seen them.
    level : float
        Probability, such as 0.9.

    Returns
    -------
    float
        In the unit of the target.

    Raises
    ------
    ForestError
        If lengths differ, values are missing, or there are too few rows for the level.

    Examples
    --------
    >>> conformal_margin([5.0, 6.0, 7.0, 12.0], [0.0] * 4, [10.0] * 4, level=0.8)
    2.0
    """
    observed, lower, upper = _checked(observed, lower, upper)
    rank = math.ceil((len(observed) + 1) * level)
    if not (0 < level < 1 and rank <= len(observed)):
        raise ForestError(
            f"{len(observed)} rows cannot vouch for a level of {level}: expected a level between 0 and 1, and at least "
            "level / (1 - level) rows"
        )
    missed_by = np.maximum(lower - observed, observed - upper)
    return float(np.partition(missed_by, rank - 1)[rank - 1])


def widened(lower: ArrayLike, upper: ArrayLike, margin: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return intervals moved out by a margin; ends that a negative margin would cross meet in the middle.

    Parameters
    ----------
    lower, upper : array_like
        Ends of the intervals.
    margin : array_like
        One margin, or one an interval, in the unit of the ends.

    Returns
    -------
    lower, upper : numpy.ndarray
        In the shape of the input.

    Examples
    --------
    >>> widened([0.0, 4.0], [10.0, 5.0], -1.0)
    (array([1. , 4.5]), array([9. , 4.5]))
    """
    lower, upper = np.asarray(lower, dtype=float), np.asarray(upper, dtype=float)
    middle = (lower + upper) / 2
    return np.minimum(lower - margin, middle), np.maximum(upper + margin, middle)


def interval_map(
    grown: QuantileForest, cube: xr.Dataset, levels: tuple[float, float], margin: float, band_cells: int = 300_000
) -> xr.Dataset:
    """Return the recalibrated interval of every cell of the plateau, band by band.

    Parameters
    ----------
    grown : QuantileForest
        From :func:`grow`.
    cube : xarray.Dataset
        Covariates on the target grid, with ``plateau`` and ``cell_area``; yearly ones enter with their means.
    levels : tuple of float
        Lower and upper quantile, such as (0.05, 0.95).
    margin : float
        By which both ends are moved out, see :func:`widened`.
    band_cells : int
        Cells of the rows of the grid that are taken at a time, about; bounds the memory.

    Returns
    -------
    xarray.Dataset
        ``lower`` and ``upper``, float32, shape (latitude, longitude), in the unit of the target; missing off the
        plateau, and where a covariate is missing.
    """
    rows, columns = (cube.get_index(name) for name in ("latitude", "longitude"))
    ends = np.full((2, len(rows), len(columns)), np.nan, dtype="float32")
    step = max(1, band_cells // len(columns))
    for first in range(0, len(rows), step):
        cells = map_table(cube.isel(latitude=slice(first, first + step)), grown.forest.predictors)
        if len(cells):
            place = (rows.get_indexer(cells["latitude"]), columns.get_indexer(cells["longitude"]))
            ends[:, *place] = widened(*quantiles(grown, cells, levels).T, margin)
    grid = {name: cube[name] for name in ("latitude", "longitude")}
    return xr.Dataset({name: (tuple(grid), end) for name, end in zip(("lower", "upper"), ends, strict=True)}, grid)


def cross_conformal(
    observed: ArrayLike, lower: ArrayLike, upper: ArrayLike, group: ArrayLike, level: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return intervals recalibrated without their own group, so that their coverage is a fair check.

    Parameters
    ----------
    observed, lower, upper : array_like, shape (n,)
        Held-back rows and their intervals.
    group : array_like of int, shape (n,)
        Number of the fold or site of each row; the margin of a group is learned from the others.
    level : float
        Probability, such as 0.9.

    Returns
    -------
    lower, upper : numpy.ndarray, shape (n,)
        Recalibrated ends.

    Raises
    ------
    ForestError
        As :func:`conformal_margin`; also if there is only one group.
    """
    observed, lower, upper = _checked(observed, lower, upper)
    group = checked_folds(group, len(observed))
    margin = np.empty(len(observed))
    for one in np.unique(group):
        others = group != one
        margin[~others] = conformal_margin(observed[others], lower[others], upper[others], level)
    return widened(lower, upper, margin)


def coverage_row(
    check: str, observed: ArrayLike, lower: ArrayLike, upper: ArrayLike, group: ArrayLike, level: float
) -> dict[str, str | float]:
    """Return a row of the coverage table: one check of the intervals, before and after recalibration.

    Parameters
    ----------
    check : str
        What the rows were held back by, such as ``out_of_bag`` or the name of a fold scheme.
    observed, lower, upper : array_like, shape (n,)
        Held-back rows and their intervals.
    group : array_like, shape (n,)
        Fold or site of each row, see :func:`cross_conformal`.
    level : float
        Nominal coverage, such as 0.9.

    Returns
    -------
    dict
        ``check``, ``n``, ``level``, ``coverage`` and ``mean_width`` of the intervals as they are,
        ``recalibrated_coverage`` and ``recalibrated_mean_width``, and ``margin`` (from all rows, to be used on maps).

    Raises
    ------
    ForestError
        As :func:`cross_conformal`.
    """
    observed, lower, upper = _checked(observed, lower, upper)
    fair_lower, fair_upper = cross_conformal(observed, lower, upper, group, level)
    return {
        "check": check,
        "n": len(observed),
        "level": level,
        "coverage": coverage(observed, lower, upper),
        "mean_width": float(np.mean(upper - lower)),
        "recalibrated_coverage": coverage(observed, fair_lower, fair_upper),
        "recalibrated_mean_width": float(np.mean(fair_upper - fair_lower)),
        "margin": conformal_margin(observed, lower, upper, level),
    }


def _predict(
    grown: QuantileForest, encoded: NDArray[np.float32], levels: Sequence[float], oob_score: bool = False
) -> NDArray[np.float64]:
    # Weighted by leaf size, as Meinshausen defines it; the library's default counts large leaves more.
    values = grown.estimator.predict(encoded, quantiles=list(levels), weighted_leaves=True, oob_score=oob_score)
    return np.asarray(values, dtype=float).reshape(len(encoded), len(levels))


def _check_levels(levels: Sequence[float]) -> None:
    if not all(0 < level < 1 for level in levels):
        raise ForestError(f"quantiles are {list(levels)}: expected numbers between 0 and 1, both excluded")


def _checked(*columns: ArrayLike) -> list[NDArray[np.float64]]:
    """Return observed, lower and upper as vectors of one length without missing values."""
    vectors = [np.asarray(values, dtype=float) for values in columns]
    if len({vector.shape for vector in vectors}) > 1 or vectors[0].ndim != 1 or vectors[0].size == 0:
        raise ForestError(
            f"observed, lower and upper have shapes {[vector.shape for vector in vectors]}: expected three vectors of "
            "one length"
        )
    for name, vector in zip(("observed", "lower", "upper"), vectors, strict=True):
        bad = np.flatnonzero(~np.isfinite(vector))
        if bad.size:
            raise ForestError(
                f"{name} is not finite in {bad.size} rows, the first at position {bad[0]}: drop those rows first"
            )
    return vectors
