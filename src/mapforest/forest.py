"""A random forest over named predictors, with R's meaning of ntree, mtry and nodesize.

R's ``ntree`` and ``mtry`` are scikit-learn's ``n_estimators`` and ``max_features``. R's ``nodesize`` has no exact
counterpart, see the notes of :class:`RandomForest`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import chain

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn import config_context
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.ensemble import RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor
from sklearn.tree._classes import CRITERIA_REG, DENSE_SPLITTERS
from sklearn.tree._tree import DepthFirstTreeBuilder, Tree

from mapforest.errors import ForestError
from mapforest.traversal import CompiledForest

ENCODINGS = ("target_mean", "integer", "one_hot")
DISTINCT_SHARE = 1.0 - np.exp(-1.0)  # of the rows, in a bootstrap sample of as many rows


@dataclass(frozen=True)
class Encoder:
    """Turns predictors into the numbers that the trees compare with their thresholds.

    A grown :class:`RandomForest` has one. It is small, and all that a map needs besides the trees.

    Examples
    --------
    >>> soil = pd.Series([700.0, 200.0], index=[1.0, 10.0])
    >>> encoder = Encoder(("lai", "soil"), "target_mean", {"soil": soil}, 400.0)
    >>> encoder.encode([np.array([2.0, 0.5]), np.array([10, 16])]).tolist()
    [[2.0, 200.0], [0.5, 400.0]]
    """

    predictors: tuple[str, ...]  #: Names of the predictors, in the order in which :meth:`encode` takes them.
    encoding: str  #: {"target_mean", "integer", "one_hot"}: As for :class:`RandomForest`.
    #: For each predictor that is a class: the mean target of each class of the training rows, classes ascending.
    class_means: Mapping[str, pd.Series]
    overall_mean: float  #: Mean target of all training rows.

    @property
    def sources(self) -> tuple[str, ...]:
        """The predictor behind each number of a row: one-hot classes come last, a number per class."""
        if self.encoding != "one_hot":
            return self.predictors
        plain = tuple(name for name in self.predictors if name not in self.class_means)
        return plain + tuple(name for name, means in self.class_means.items() for _ in means)

    def encode(self, values: Sequence[np.ndarray]) -> np.ndarray:
        """Return many rows as numbers: float32, shape (n_rows, n_columns), in the order of ``sources``.

        ``values`` holds an array of shape (n_rows,) for each of ``predictors``, without missing values.
        """
        sources = self.sources
        encoded = np.empty((len(values[0]), len(sources)), dtype="float32")
        for name, column in zip(self.predictors, values, strict=True):
            first = sources.index(name)
            if name not in self.class_means or self.encoding == "integer":
                encoded[:, first] = column
                continue
            means = self.class_means[name].to_numpy()
            classes, column = self.class_means[name].index.to_numpy(), np.asarray(column, dtype="float64")
            if self.encoding == "target_mean":
                # scikit-learn's TargetEncoder would shrink the means of rare classes; R's factors do not.
                nearest = np.minimum(np.searchsorted(classes, column), len(classes) - 1)
                encoded[:, first] = np.where(classes[nearest] == column, means[nearest], self.overall_mean)
            else:
                encoded[:, first : first + len(classes)] = column[:, np.newaxis] == classes
        return encoded


def _grow(trees: RandomForestRegressor, rows: np.ndarray, target: np.ndarray, threads: int) -> RandomForestRegressor:
    """Grow scikit-learn's forest, the same tree by tree, and several times sooner where the table is small."""
    n_trees = trees.n_estimators
    # The first tree is grown by scikit-learn, with all that a grown forest holds. What scikit-learn asks for each
    # further tree anew, of its parameters and of the rows, takes longer than a tree of some hundred rows grows.
    trees.set_params(n_estimators=1).fit(rows, target).set_params(n_estimators=n_trees)
    seeds = np.random.RandomState(trees.random_state).randint(np.iinfo("int32").max, size=n_trees)[1:]
    grow = partial(_trees_alike, trees.estimators_[0], rows, target.reshape(-1, 1), trees._n_samples_bootstrap)
    if threads == 1:
        trees.estimators_ += grow(seeds)
        return trees
    with ThreadPoolExecutor(threads) as pool:
        trees.estimators_ += chain.from_iterable(pool.map(grow, np.array_split(seeds, threads)))
    return trees


def _trees_alike(
    first: DecisionTreeRegressor, rows: np.ndarray, target: np.ndarray, n_drawn: int, seeds: np.ndarray
) -> list[DecisionTreeRegressor]:
    """Grow a tree for each seed, as scikit-learn would, with the parameters of one that is grown."""
    random, trees = np.random.RandomState(), []
    for seed in seeds.tolist():
        tree = copy(first)
        tree.random_state = seed
        drawn = _drawn(random, seed, len(rows), n_drawn)
        weight = np.bincount(drawn, minlength=len(rows)).astype("float64")
        random.seed(seed)  # a tree begins anew with the seed of its bootstrap
        criterion = CRITERIA_REG[tree.criterion](1, len(rows))
        limits = (tree.min_samples_leaf, 0.0)  # rows and weight of a leaf
        splitter = DENSE_SPLITTERS[tree.splitter](criterion, tree.max_features_, *limits, random, None)
        depth = np.iinfo("int32").max if tree.max_depth is None else tree.max_depth
        builder = DepthFirstTreeBuilder(splitter, tree.min_samples_split, *limits, depth, tree.min_impurity_decrease)
        tree.tree_ = Tree(rows.shape[1], np.ones(1, dtype="intp"), 1)
        builder.build(tree.tree_, rows, target, weight, None)
        trees.append(tree)
    return trees


def _drawn(random: np.random.RandomState, seed: int, n_rows: int, n_drawn: int) -> np.ndarray:
    """Return the rows that the tree of a seed is grown on, drawn with replacement as scikit-learn draws them."""
    random.seed(seed)  # a generator that is made takes ten times as long
    return random.randint(0, n_rows, n_drawn)


class RandomForest(RegressorMixin, BaseEstimator):
    """A regression forest over named predictors: a scikit-learn estimator that takes tables.

    Parameters
    ----------
    predictors : sequence of str
        Names of the columns that the forest sees, in the order in which it keeps them.
    n_trees, nodesize : int
        R's ``ntree`` and ``nodesize``, see the notes.
    mtry : int, optional
        Predictors tried at each node, at most their number. R's default is a third of them.
    categorical : sequence of str
        Those of ``predictors`` whose numbers are classes without an order.
    encoding : {"target_mean", "integer", "one_hot"}
        How classes become numbers, see the notes. ``target_mean``: the mean target of the class in the training table;
        a class that no training row has gets the mean of all rows. ``integer``: the number of the class. ``one_hot``: a
        column per class; a class that no training row has is zero in all of them.
    seed : int
        Seed of the bootstrap and of the predictors tried.
    threads : int
        Threads that grow the trees. They do not change the result.

    Attributes
    ----------
    estimator_ : sklearn.ensemble.RandomForestRegressor
        After ``fit``: the grown trees, over the numbers of ``encoder_``.
    encoder_ : Encoder
        After ``fit``: what makes these numbers of the predictors.
    training_range_ : dict of str to tuple of float
        After ``fit``: lowest and highest value of each predictor in the training table; classes have none.
    training_rows_ : tuple of numpy.ndarray
        After ``fit``: the encoded rows and their targets.

    Notes
    -----
    R splits a node that holds at least ``nodesize + 1`` rows of the bootstrap sample, counted with their repeats.
    Scikit-learn's ``min_samples_split`` counts distinct rows, 1 - 1/e = 63.2 % of them: R's default of 5 becomes 4.

    R orders the classes of a factor by their mean target anew in each node, and no single column of numbers can. Which
    encoding comes closest depends on the data. On two synthetic tables it was the target means: root mean square
    distance of 7.7 and 13.8 from R's predictions with a factor, against 10.9 and 18.0 for class numbers. On one real
    map it was the class numbers: 10.6 against 20.9 for target means, which gave a class 211 where R gave 236.

    Examples
    --------
    >>> table = pd.DataFrame({"lai": np.linspace(0, 4, 50), "soil": np.repeat([10, 16], 25)})
    >>> forest = RandomForest(["lai", "soil"], n_trees=20, mtry=2, categorical=["soil"]).fit(table, 100 * table["lai"])
    >>> bool(abs(forest.predict(table[["soil", "lai"]])[10] - 100 * table["lai"][10]) < 20)
    True
    """

    def __init__(
        self,
        predictors: Sequence[str],
        n_trees: int = 500,
        mtry: int | None = None,
        nodesize: int = 5,
        categorical: Sequence[str] = (),
        encoding: str = "target_mean",
        seed: int = 0,
        threads: int = 1,
    ) -> None:
        self.predictors = predictors
        self.n_trees = n_trees
        self.mtry = mtry
        self.nodesize = nodesize
        self.categorical = categorical
        self.encoding = encoding
        self.seed = seed
        self.threads = threads

    def fit(self, table: pd.DataFrame, target: ArrayLike) -> RandomForest:
        """Grow the forest on n rows of a table, which holds the predictors, and their targets, shape (n,); return it.

        ForestError is raised for a parameter out of its range, a missing column, a missing value, or fewer than two
        rows.
        """
        mtry = self._checked_parameters()
        values = np.asarray(target, dtype="float64")
        checked = self._checked(table)
        if len(table) < 2 or values.shape != (len(table),):
            raise ForestError(
                f"{len(table)} rows and a target of shape {values.shape}; expected one target per row, and two rows "
                "or more"
            )
        if not np.isfinite(values).all():
            rows = table.index[~np.isfinite(values)][:5].tolist()
            raise ForestError(f"the target is missing or infinite in rows {rows}: drop them before the forest is grown")
        by_class = {name: checked[name] for name in self.predictors if name in self.categorical}
        self.encoder_ = Encoder(
            predictors=tuple(self.predictors),
            encoding=self.encoding,
            class_means={name: pd.Series(values).groupby(k).mean() for name, k in by_class.items()},
            overall_mean=float(values.mean()),
        )
        ordered = {name: x for name, x in checked.items() if name not in by_class}
        self.training_range_ = {name: (float(x.min()), float(x.max())) for name, x in ordered.items()}
        self.training_rows_ = (self.encoder_.encode(list(checked.values())), values)
        # One thread adds up the trees in one order: the same prediction to the last digit on any machine.
        trees = RandomForestRegressor(
            n_estimators=self.n_trees,
            max_features=mtry,
            min_samples_split=max(2, round(DISTINCT_SHARE * (self.nodesize + 1))),
            bootstrap=True,
            random_state=self.seed,
            n_jobs=1,
        )
        with config_context(assume_finite=True, skip_parameter_validation=True):  # both are checked above
            self.estimator_ = _grow(trees, *self.training_rows_, self.threads)
        self.__dict__.pop("compiled", None)  # that of an earlier fit
        return self

    def predict(self, table: pd.DataFrame) -> np.ndarray:
        """Return the mean of the trees at each row of a table, in the unit of the target.

        The table holds the predictors, found by name. A missing column or value raises ForestError, and so does a
        forest that is not grown.
        """
        return refuse_ungrown(self).compiled.predict(self.encode(table))

    @cached_property
    def compiled(self) -> CompiledForest:
        """The trees as flat arrays, for fast predictions."""
        return CompiledForest.from_estimator(self.estimator_)

    def encode(self, table: pd.DataFrame) -> np.ndarray:
        """Return the numbers that the trees compare with their thresholds, float32.

        Their columns are in the order of :attr:`Encoder.sources`. The same tables are refused as by :meth:`predict`.
        """
        return refuse_ungrown(self).encoder_.encode(list(self._checked(table).values()))

    def unseen_classes(self, table: pd.DataFrame) -> dict[str, list[float]]:
        """Return for each categorical predictor the classes of a table that no training row has, ascending."""
        known = refuse_ungrown(self).encoder_.class_means
        return {name: np.setdiff1d(table[name].dropna(), means.index).tolist() for name, means in known.items()}

    @property
    def oob_prediction(self) -> np.ndarray:
        """The mean, at each training row, of the trees that did not see it; NaN where every tree did.

        scikit-learn's own is computed at every fit, asked for or not, and is 0 where every tree saw the row.
        """
        rows, target = refuse_ungrown(self).training_rows_
        total, count = np.zeros(len(target)), np.zeros(len(target))
        random = np.random.RandomState()
        for tree in self.estimator_.estimators_:
            out = np.ones(len(total), dtype=bool)
            out[_drawn(random, tree.random_state, len(total), self.estimator_._n_samples_bootstrap)] = False
            total[out] += tree.tree_.predict(rows[out])[:, 0] if out.any() else 0.0
            count[out] += 1
        return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)

    @property
    def importance(self) -> pd.DataFrame:
        """The share of each predictor's splits in the decrease of the squared error, greatest first.

        Columns ``predictor``, ``importance`` (R's IncNodePurity scaled to a sum of 1) and ``sd`` (over the trees).
        """
        trees = refuse_ungrown(self).estimator_.estimators_
        by_tree = pd.DataFrame([tree.feature_importances_ for tree in trees], columns=self.encoder_.sources)
        shares = by_tree.T.groupby(level=0).sum()
        table = pd.DataFrame({"importance": shares.mean(axis=1), "sd": shares.std(axis=1, ddof=0)})
        return table.rename_axis("predictor").sort_values("importance", ascending=False).reset_index()

    def _checked_parameters(self) -> int:
        """Return mtry, or say which parameter is out of its range."""
        n_predictors = len(self.predictors)
        mtry = max(1, n_predictors // 3) if self.mtry is None else self.mtry
        if not 1 <= mtry <= n_predictors:
            raise ForestError(f"mtry is {mtry}; expected 1 to {n_predictors}, the number of predictors")
        if self.encoding not in ENCODINGS:
            raise ForestError(f"encoding is {self.encoding!r}; expected one of {', '.join(ENCODINGS)}")
        for name in ("n_trees", "nodesize"):
            if not getattr(self, name) >= 1:
                raise ForestError(f"{name} is {getattr(self, name)}; expected 1 or more")
        unknown = [name for name in self.categorical if name not in self.predictors]
        if unknown:
            raise ForestError(f"categorical names {unknown}; expected names of predictors: {list(self.predictors)}")
        return mtry

    def _checked(self, table: pd.DataFrame) -> dict[str, np.ndarray]:
        """Return the predictors of a table as float64, or say which column or row cannot be used."""
        missing = [name for name in self.predictors if name not in table.columns]
        if missing:
            raise ForestError(f"the table lacks the predictors {missing}; it has {list(table.columns)}")
        checked = {}
        for name in self.predictors:
            column = table[name]
            if not pd.api.types.is_numeric_dtype(column.dtype):
                raise ForestError(f"predictor {name!r} is of type {column.dtype}; expected numbers")
            checked[name] = column.to_numpy("float64")
            bad = ~np.isfinite(checked[name])
            if bad.any():
                raise ForestError(
                    f"predictor {name!r} is missing or infinite in {int(bad.sum())} rows, first "
                    f"{table.index[bad][:5].tolist()}: drop them, or fill them in"
                )
        return checked


def refuse_ungrown(forest: RandomForest) -> RandomForest:
    """Return a forest that is grown; raise ForestError if it is not."""
    if not hasattr(forest, "encoder_"):
        raise ForestError("the forest is not grown yet: call fit first")
    return forest
