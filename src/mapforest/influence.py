"""Which training rows decide a map: its mean without each site, or without all sites that lie close together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics.pairwise import haversine_distances

from mapforest.errors import ForestError
from mapforest.folds import EARTH_RADIUS_KM, SITE_DECIMALS
from mapforest.forest import RandomForest, refuse_ungrown

#: Trees that have not seen a group, and are enough to stand for a forest without it.
FEWEST_TREES = 100
#: Most forests that are grown anew without a group, and their trees.
NEW_FORESTS, NEW_TREES = 20, 200


def compact_groups(longitude: ArrayLike, latitude: ArrayLike, width_km: float) -> NDArray[np.int64]:
    """Number groups of rows that lie close together, from 0: no two rows of a group are farther apart than the width.

    Complete linkage of great-circle distances, so that no edge of a grid divides neighbours. Rows of one site (degrees
    that agree to :data:`mapforest.folds.SITE_DECIMALS`) share a group.

    Examples
    --------
    >>> compact_groups([92.90, 92.93, 100.0], [34.70, 34.82, 36.0], width_km=50)
    array([0, 0, 1])
    """
    rounded = np.round(np.column_stack([latitude, longitude]).astype(float), SITE_DECIMALS)
    place, place_of_row = np.unique(rounded, axis=0, return_inverse=True)
    if len(place) == 1:
        return np.zeros(len(rounded), dtype=np.int64)
    linkage = AgglomerativeClustering(
        n_clusters=None, metric="precomputed", linkage="complete", distance_threshold=width_km / EARTH_RADIUS_KM
    )
    group = linkage.fit_predict(haversine_distances(np.deg2rad(place)))[place_of_row.ravel()]
    _, first = np.unique(group, return_index=True)  # numbered in the order of the rows
    return np.argsort(np.argsort(first))[group]


def influence(
    forest: RandomForest,
    table: pd.DataFrame,
    cells: pd.DataFrame,
    weight: ArrayLike,
    left_out: ArrayLike,
    back: Callable[[NDArray[np.float64]], NDArray[np.float64]] = np.asarray,
) -> pd.DataFrame:
    """Return how the mean of a map changes without each of some groups of training rows.

    The trees whose bootstrap sample has no row of a group are a forest that was grown without it (jackknife after
    bootstrap, Efron 1992, https://doi.org/10.1111/j.2517-6161.1992.tb01866.x). Of a group of three rows or more nearly
    every tree has seen some. Then those :data:`FEWEST_TREES` that have seen least of it give a first answer, which is
    nearer to zero than the true one. Where the first answers are greatest, forests are grown anew without the group.

    Parameters
    ----------
    forest : RandomForest
        Grown on the table.
    table : pandas.DataFrame, n rows
        Its training rows.
    cells : pandas.DataFrame, m rows
        Cells of the map with the predictors; a sample of some thousands gives the same changes.
    weight : array_like, shape (m,)
        Area of each cell, in any unit.
    left_out : array_like of bool, shape (k, n)
        The rows of each group. Groups may share rows.
    back : callable
        From predictions to the quantity whose mean counts: ``numpy.exp`` where the target is a logarithm.

    Returns
    -------
    pandas.DataFrame
        A row per group, in their order: ``n_rows``, ``change`` (mean without the group less mean with it),
        ``change_se`` (its standard error, since trees are few), ``n_trees`` (that the change was found from) and
        ``trees``: ``unseen``, ``anew``, or ``least seen``, whose change is understated.

    Raises
    ------
    ForestError
        If the table is not the forest's, a group has no row or all rows, or a weight is not a finite number above zero.
        Predictors that cannot be used are refused as by :meth:`mapforest.forest.RandomForest.predict`.

    Notes
    -----
    The trees of the forest keep its encoding of classes, in which the rows of the group took part. A forest that is
    grown anew has its own.
    """
    groups, weights = np.asarray(left_out, dtype=bool), np.asarray(weight, dtype=float)
    _, target = refuse_ungrown(forest).training_rows_
    _check(table, target, cells, weights, groups)
    share = weights / weights.sum()
    trees = _tree_predictions(forest, cells)
    in_bag = np.zeros((len(trees), len(target)), dtype=bool)
    for tree, rows in enumerate(forest.estimator_.estimators_samples_):
        in_bag[tree, rows] = True

    def _mean(some: NDArray[np.float32]) -> float:
        """Return the mean of the map that some trees make together."""
        return float(back(some.mean(axis=0, dtype="float64")) @ share)

    # What a tree adds to the map's mean, to first order where `back` bends: its scatter gives the standard errors.
    everywhere = trees.mean(axis=0, dtype="float64")
    slope = (back(everywhere + 1e-4) - back(everywhere - 1e-4)) / 2e-4
    scatter, mean = float(np.std(trees @ (share * slope), ddof=1)), _mean(trees)
    found = []
    for own in groups:
        seen = in_bag[:, own].sum(axis=1)
        enough = (seen == 0).sum() >= FEWEST_TREES
        without = trees[seen == 0] if enough else trees[np.argsort(seen, kind="stable")[:FEWEST_TREES]]
        variance = 1 / len(without) - 1 / len(trees)  # they are part of the trees that they are compared with
        found.append((own.sum(), _mean(without) - mean, variance, len(without), "unseen" if enough else "least seen"))
    result = pd.DataFrame(found, columns=["n_rows", "change", "variance", "n_trees", "trees"])
    for row in result["change"][result["trees"] == "least seen"].abs().nlargest(NEW_FORESTS).index:
        rest = ~groups[row]
        smaller = clone(forest).set_params(n_trees=NEW_TREES, threads=1)  # more would wait longer than they grow
        without = _tree_predictions(smaller.fit(table[rest].reset_index(drop=True), target[rest]), cells)
        variance = 1 / NEW_TREES + 1 / len(trees)
        result.loc[row, ["change", "variance", "n_trees", "trees"]] = (
            _mean(without) - mean,
            variance,
            NEW_TREES,
            "anew",
        )
    result["variance"] = scatter * np.sqrt(result["variance"])
    return result.rename(columns={"variance": "change_se"})


def _tree_predictions(forest: RandomForest, cells: pd.DataFrame) -> NDArray[np.float32]:
    """Return what each tree says at each cell, shape (n_trees, n_cells)."""
    encoded = forest.encode(cells)
    return np.array([tree.tree_.predict(encoded)[:, 0] for tree in forest.estimator_.estimators_], dtype="float32")


def _check(
    table: pd.DataFrame, target: NDArray, cells: pd.DataFrame, weights: NDArray[np.float64], groups: NDArray[np.bool_]
) -> None:
    """Refuse rows, groups or weights that do not fit together."""
    if len(table) != len(target) or groups.ndim != 2 or groups.shape[1] != len(target):
        raise ForestError(
            f"{len(table)} rows, and left_out of shape {groups.shape}: expected the {len(target)} rows that the forest "
            "was grown on, and a row of as many columns for each group"
        )
    empty, whole = ~groups.any(axis=1), groups.sum(axis=1) > len(target) - 2
    if (empty | whole).any():
        at = int(np.argmax(empty | whole))
        raise ForestError(
            f"group {at} of left_out holds {int(groups[at].sum())} of {len(target)} rows: expected one row or more, "
            "and two or more that remain to grow a forest"
        )
    if weights.shape != (len(cells),) or not (np.isfinite(weights) & (weights > 0)).all():
        raise ForestError(
            f"weights of shape {weights.shape} for {len(cells)} cells: expected a finite number above zero for each"
        )
