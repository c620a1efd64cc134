"""The two random forests, with R's meaning of ntree, mtry and nodesize.

The paper fits R's ``randomForest`` :cite:p:`Zeng2023`. scikit-learn grows the same trees under other names:

============  =====================  ==============================================================================
R             scikit-learn           note
============  =====================  ==============================================================================
ntree         ``n_estimators``
mtry          ``max_features``       tried at each node
nodesize      ``min_samples_split``  R splits a node of more than ``nodesize`` rows and counts a row that the bootstrap
                                     drew twice as two; scikit-learn counts it once, see :func:`minimum_split`
============  =====================  ==============================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.ensemble import RandomForestRegressor

from mapforest.errors import ForestError

LAND_COVER = "land_cover"
_DISTINCT_SHARE = 1.0 - np.exp(-1.0)  # of the rows, in a bootstrap sample of as many rows


def minimum_split(nodesize: int) -> int:
    """Return scikit-learn's ``min_samples_split`` that comes closest to R's ``nodesize``.

    R splits a node that holds at least ``nodesize + 1`` rows of the bootstrap sample, counted with their repeats. A
    bootstrap sample holds 1 - 1/e = 63.2 % distinct rows, and scikit-learn counts distinct rows.

    Parameters
    ----------
    nodesize : int
        R's ``nodesize``; its default for regression is 5.

    Returns
    -------
    int
        At least 2.

    Examples
    --------
    >>> minimum_split(5)
    4
    >>> minimum_split(1)
    2
    """
    return max(2, round(_DISTINCT_SHARE * (nodesize + 1)))


@dataclass(frozen=True)
class Encoder:
    """Turns predictors into the numbers that the trees compare with their thresholds.

    A grown :class:`RandomForest` has one; it is small, and all that a map needs besides the trees.

    Parameters
    ----------
    predictors : tuple of str
        Names of the predictors, in the order in which :meth:`encode` takes them.
    land_cover_encoding : {"target_mean", "integer", "one_hot"}
        As for :class:`RandomForest`.
    classes : numpy.ndarray of float64, shape (n_classes,)
        Land-cover classes of the training rows, in ascending order; empty without land cover among the predictors.
    class_mean : numpy.ndarray of float64, shape (n_classes,)
        Mean target of each class.
    overall_mean : float
        Mean target of all training rows.

    Examples
    --------
    >>> encoder = Encoder(("lai", "land_cover"), "target_mean", np.array([1.0, 10.0]), np.array([700.0, 200.0]), 400.0)
    >>> encoder.encode([np.array([2.0, 0.5]), np.array([10, 16])]).tolist()
    [[2.0, 200.0], [0.5, 400.0]]
    """

    predictors: tuple[str, ...]
    land_cover_encoding: str
    classes: np.ndarray
    class_mean: np.ndarray
    overall_mean: float

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the numbers, in the order of the columns that :meth:`encode` returns."""
        if LAND_COVER not in self.predictors or self.land_cover_encoding != "one_hot":
            return self.predictors
        others = tuple(name for name in self.predictors if name != LAND_COVER)
        return others + tuple(f"{LAND_COVER}_{int(k)}" for k in self.classes)

    def encode(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """Return the numbers of many rows.

        Parameters
        ----------
        values : sequence of numpy.ndarray, each of shape (n_rows,)
            One array of numbers for each of ``predictors``, without missing values.

        Returns
        -------
        numpy.ndarray of float32, shape (n_rows, n_columns)
            In the order of ``columns``.
        """
        encoded = np.empty((len(values[0]), len(self.columns)), dtype="float32")
        plain = {name: column for name, column in zip(self.predictors, values, strict=True) if name in self.columns}
        for name, column in plain.items():
            encoded[:, self.columns.index(name)] = column
        if LAND_COVER not in self.predictors or self.land_cover_encoding == "integer":
            return encoded
        land_cover = np.asarray(values[self.predictors.index(LAND_COVER)], dtype="float64")
        if self.land_cover_encoding == "target_mean":
            nearest = np.minimum(np.searchsorted(self.classes, land_cover), len(self.classes) - 1)
            known = self.classes[nearest] == land_cover
            encoded[:, self.columns.index(LAND_COVER)] = np.where(known, self.class_mean[nearest], self.overall_mean)
        else:
            encoded[:, len(plain) :] = land_cover[:, np.newaxis] == self.classes
        return encoded


class RandomForest:
    """A regression forest over named predictors.

    Parameters
    ----------
    predictors : sequence of str
        Names of the columns that the forest sees, in the order in which it keeps them.
    n_trees : int
        R's ``ntree``.
    mtry : int
        Predictors tried at each node, at most their number.
    nodesize : int
        R's ``nodesize``, translated by :func:`minimum_split`.
    land_cover_encoding : {"target_mean", "integer", "one_hot"}
        How the classes of the column ``land_cover`` become numbers. ``target_mean``: the mean target of the class in
        the training table, nearest to R's factors, which are ordered by the mean of each node; a class that no
        training row has gets the mean of all rows. ``integer``: the class number. ``one_hot``: a column a class; a
        class that no training row has is zero in all of them.
    seed : int
        Seed of the bootstrap and of the predictors tried.
    threads : int
        Threads that grow the trees. They do not change the result.

    Attributes
    ----------
    estimator : sklearn.ensemble.RandomForestRegressor
        After ``fit``: the fitted forest, over the encoded columns ``columns``.
    encoder : Encoder
        After ``fit``: what makes these columns of the predictors.
    training_range : dict of str to tuple of float
        After ``fit``: lowest and highest value of each predictor in the training table; land cover has none.

    Examples
    --------
    >>> table = pd.DataFrame({"lai": np.linspace(0, 4, 50), "land_cover": np.repeat([10, 16], 25)})
    >>> forest = RandomForest(["lai", "land_cover"], n_trees=20, mtry=2).fit(table, 100 * table["lai"])
    >>> bool(abs(forest.predict(table[["land_cover", "lai"]])[10] - 100 * table["lai"][10]) < 20)
    True
    """

    def __init__(
        self,
        predictors: Sequence[str],
        n_trees: int = 1500,
        mtry: int = 6,
        nodesize: int = 5,
        land_cover_encoding: str = "target_mean",
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        if not 1 <= mtry <= len(predictors):
            raise ForestError(f"mtry is {mtry}; expected 1 to {len(predictors)}, the number of predictors")
        if land_cover_encoding not in {"target_mean", "integer", "one_hot"}:
            raise ForestError(
                f"land_cover_encoding is {land_cover_encoding!r}; expected target_mean, integer or one_hot"
            )
        self.predictors = tuple(predictors)
        self.n_trees = n_trees
        self.mtry = mtry
        self.nodesize = nodesize
        self.land_cover_encoding = land_cover_encoding
        self.seed = seed
        self.threads = threads

    def fit(self, table: pd.DataFrame, target: ArrayLike) -> RandomForest:
        """Grow the forest.

        Parameters
        ----------
        table : pandas.DataFrame, n_rows rows
            Holds the predictors, in any order, among any others; without missing values.
        target : array_like, shape (n_rows,)
            What is predicted.

        Returns
        -------
        RandomForest
            The forest itself.

        Raises
        ------
        ForestError
            For a missing column, a missing value, or fewer than two rows.
        """
        values = np.asarray(target, dtype="float64")
        checked = self._checked(table)
        if len(checked) < 2 or values.shape != (len(checked),):
            raise ForestError(
                f"{len(checked)} rows and a target of shape {values.shape}; expected one target a row, two rows or more"
            )
        if not np.isfinite(values).all():
            rows = checked.index[~np.isfinite(values)][:5].tolist()
            raise ForestError(f"the target is missing or infinite in rows {rows}: drop them before the forest is grown")
        self.encoder = self._learnt(checked, values)
        self.columns = self.encoder.columns
        encoded = self.encode(checked)
        ordered = [name for name in self.predictors if name != LAND_COVER]
        self.training_range = {name: (float(checked[name].min()), float(checked[name].max())) for name in ordered}
        self.estimator = RandomForestRegressor(
            n_estimators=self.n_trees,
            max_features=self.mtry,
            min_samples_split=minimum_split(self.nodesize),
            bootstrap=True,
            random_state=self.seed,
            n_jobs=self.threads,
        ).fit(encoded, values)
        self._trained_on = encoded
        for late in ("oob_prediction", "importance"):  # of an earlier fit
            self.__dict__.pop(late, None)
        # One thread adds up the trees in one order: the same prediction to the last digit on any machine.
        self.estimator.set_params(n_jobs=1)
        return self

    def predict(self, table: pd.DataFrame) -> np.ndarray:
        """Return the mean of the trees at each row.

        Parameters
        ----------
        table : pandas.DataFrame, n_rows rows
            Holds the predictors, found by name; without missing values.

        Returns
        -------
        numpy.ndarray, shape (n_rows,)
            In the units of the target.

        Raises
        ------
        ForestError
            If the forest is not grown, or a column or a value is missing.
        """
        if not hasattr(self, "estimator"):
            raise ForestError("the forest is not grown yet: call fit first")
        return self.estimator.predict(self.encode(table))

    def encode(self, table: pd.DataFrame) -> np.ndarray:
        """Return the numbers that the trees compare with their thresholds.

        Parameters
        ----------
        table : pandas.DataFrame, n_rows rows
            Holds the predictors, found by name; without missing values.

        Returns
        -------
        numpy.ndarray of float32, shape (n_rows, n_columns)
            In the order of ``columns``.

        Raises
        ------
        ForestError
            If the forest is not grown, or a column or a value is missing.
        """
        if not hasattr(self, "encoder"):
            raise ForestError("the forest is not grown yet: call fit first")
        checked = self._checked(table)
        return self.encoder.encode([checked[name].to_numpy("float64") for name in self.predictors])

    def unseen_classes(self, table: pd.DataFrame) -> list[int]:
        """Return the land-cover classes of a table that no training row has, in ascending order."""
        if LAND_COVER not in self.predictors:
            return []
        return sorted(int(k) for k in set(table[LAND_COVER].dropna().unique()) - set(self.encoder.classes))

    def _checked(self, table: pd.DataFrame) -> pd.DataFrame:
        missing = [name for name in self.predictors if name not in table.columns]
        if missing:
            raise ForestError(f"the table lacks the predictors {missing}; it has {list(table.columns)}")
        selected = table[list(self.predictors)]
        for name in self.predictors:
            if not pd.api.types.is_numeric_dtype(selected[name]):
                raise ForestError(f"predictor {name!r} is of type {selected[name].dtype}; expected numbers")
            bad = ~np.isfinite(selected[name].to_numpy("float64"))
            if bad.any():
                raise ForestError(
                    f"predictor {name!r} is missing or infinite in {int(bad.sum())} rows, first "
                    f"{selected.index[bad][:5].tolist()}: "
                    "mask them, a cell without its covariates is not predicted"
                )
        return selected

    def _learnt(self, table: pd.DataFrame, target: np.ndarray) -> Encoder:
        """Return the encoder of a training table."""
        land_cover = table[LAND_COVER].to_numpy("float64") if LAND_COVER in self.predictors else np.empty(0)
        class_mean = pd.Series(target[: len(land_cover)], index=land_cover).groupby(level=0).mean()
        return Encoder(
            predictors=self.predictors,
            land_cover_encoding=self.land_cover_encoding,
            classes=class_mean.index.to_numpy("float64"),
            class_mean=class_mean.to_numpy("float64"),
            overall_mean=float(target.mean()),
        )

    @cached_property
    def oob_prediction(self) -> np.ndarray:
        """Return for each training row the mean of the trees that did not see it; NaN where every tree did.

        Returns
        -------
        numpy.ndarray, shape (n_rows,)
            In the units of the target.
        """
        total = np.zeros(len(self._trained_on))
        count = np.zeros(len(self._trained_on))
        for tree, in_bag in zip(self.estimator.estimators_, self.estimator.estimators_samples_, strict=True):
            out = np.ones(len(total), dtype=bool)
            out[in_bag] = False
            total[out] += tree.tree_.predict(self._trained_on[out])[:, 0] if out.any() else 0.0
            count[out] += 1
        return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)

    @cached_property
    def importance(self) -> pd.DataFrame:
        """Return how much of the decrease in squared error each predictor's splits make, greatest first.

        Returns
        -------
        pandas.DataFrame
            Columns ``predictor``, ``importance`` (share of the decrease by the predictor's splits, R's IncNodePurity
            scaled to a sum of 1) and ``sd`` (over the trees).
        """
        by_tree = pd.DataFrame([tree.feature_importances_ for tree in self.estimator.estimators_], columns=self.columns)
        one_hot = {column: LAND_COVER for column in self.columns if column.startswith(f"{LAND_COVER}_")}
        shares = by_tree.rename(columns=one_hot).T.groupby(level=0).sum()
        table = pd.DataFrame({"importance": shares.mean(axis=1), "sd": shares.std(axis=1, ddof=0)})
        return table.rename_axis("predictor").sort_values("importance", ascending=False).reset_index()
