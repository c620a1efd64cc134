"""One table for every way to check a model: in-sample, random split, out-of-bag, and every scheme of folds.

None of these errors is the error of the map. A design-based accuracy needs sites drawn at random from the map's area
(Wadoux et al. 2021, https://doi.org/10.1016/j.ecolmodel.2021.109692); sites that people chose have no such guarantee.
Random folds answer "how well is a further site *like these* predicted?", spatial folds "how well is a site predicted
that lies as far from the others as the folds make it?". Neither is too kind or too harsh in itself: the distances
decide, which :mod:`mapforest.folds` measures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Protocol

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from mapforest import metrics
from mapforest.errors import FoldError, ForestError
from mapforest.folds import Scheme, checked_folds


class Regressor(Protocol):
    """What a model must do to be validated."""

    def fit(self, table: pd.DataFrame, target: NDArray[np.float64]) -> Regressor:
        """Learn from a table of predictors."""

    def predict(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Return a value for each row."""


#: From a seed to a model that has not been fitted.
ModelFactory = Callable[[int], Regressor]


def cross_predict(
    make_model: ModelFactory, table: pd.DataFrame, target: ArrayLike, fold: ArrayLike, seed: int
) -> NDArray[np.float64]:
    """Predict each row, in the unit of the target, by a model that has not seen the row's fold.

    ``make_model`` turns ``seed`` into a fresh model for each fold. ``table`` holds the predictors; ``target``, shape
    (n,), the observed values; ``fold``, shape (n,), the fold numbers, see :func:`mapforest.folds.checked_folds`. A
    missing target, lengths that differ and a single fold raise ForestError.
    """
    predicted = np.empty(len(table))
    for held_back, model in held_back_models(make_model, table, target, fold, seed):
        predicted[held_back] = model.predict(table[held_back])
    return predicted


def held_back_models(
    make_model: ModelFactory, table: pd.DataFrame, target: ArrayLike, fold: ArrayLike, seed: int
) -> Iterator[tuple[NDArray[np.bool_], Regressor]]:
    """Yield for each fold which rows it holds back, and a model of the others; as for :func:`cross_predict`."""
    observed, fold = _checked_target(table, target), checked_folds(fold, len(table))
    for number in np.unique(fold):
        held_back = fold == number
        yield held_back, make_model(seed).fit(table[~held_back], observed[~held_back])


def validate(
    make_model: ModelFactory,
    table: pd.DataFrame,
    target: ArrayLike,
    schemes: Mapping[str, Scheme],
    seeds: Sequence[int],
    training_fraction: float = 0.7,
    threads: int = 1,
) -> pd.DataFrame:
    """Return the predictions of a model under every scheme and seed, one row per prediction.

    The model, table and target are as for :func:`cross_predict`; ``oob_prediction`` of a fitted model, if it has one,
    is checked as well. The schemes are those of :func:`mapforest.folds.schemes`, by name. Each seed is a repetition: it
    is that of the model, of the split and of the folds. ``training_fraction`` is the share of rows that train in the
    random split of figures S2 and S3; too few rows for it raise a FoldError. ``threads`` take the schemes side by side;
    they do not change the result.

    Returns
    -------
    pandas.DataFrame
        Columns ``scheme``, ``part``, ``seed``, ``fold``, ``row`` (position in ``table``), ``observed``, ``predicted``.
        Schemes are ``in_sample`` (as the paper), ``random_split`` with the parts ``training``, ``verification`` and
        ``pooled`` (both, as the paper's figures S2 and S3), ``out_of_bag``, then those of ``schemes``; the part of the
        others is ``all``.
    """
    checks = _Checks(make_model, table, _checked_target(table, target), training_fraction)
    under = [partial(checks.under, name, scheme) for name, scheme in schemes.items()]
    with ThreadPoolExecutor(threads) as pool:  # trees that grow let other threads work
        running = [[pool.submit(check, seed) for check in (checks.whole, checks.split, *under)] for seed in seeds]
    collected = []
    for whole, split, *others in ([one.result() for one in of_seed] for of_seed in running):
        in_sample, *out_of_bag = whole
        collected += [in_sample, *split, *out_of_bag, *chain.from_iterable(others)]
    return pd.concat(collected, ignore_index=True)


@dataclass(frozen=True, eq=False)
class _Checks:
    """The ways to check a model, each from a seed to tables of pairs."""

    make_model: ModelFactory
    table: pd.DataFrame
    observed: NDArray[np.float64]
    training_fraction: float

    def whole(self, seed: int) -> list[pd.DataFrame]:
        """Check a model of all rows: at those it has seen, and out of bag."""
        model, every = self.make_model(seed).fit(self.table, self.observed), np.arange(len(self.observed))
        in_sample = self._pairs("in_sample", "all", seed, every, model.predict(self.table))
        out_of_bag = getattr(model, "oob_prediction", None)
        if out_of_bag is None:
            return [in_sample]
        rows = every[np.isfinite(out_of_bag)]
        return [in_sample, self._pairs("out_of_bag", "all", seed, rows, out_of_bag[rows])]

    def split(self, seed: int) -> list[pd.DataFrame]:
        """Check a model of some rows: at them, at the others and at both."""
        training, every = _random_split(len(self.observed), self.training_fraction, seed), np.arange(len(self.observed))
        model = self.make_model(seed).fit(self.table[training], self.observed[training])
        parts = {"training": every[training], "verification": every[~training], "pooled": every}
        return [
            self._pairs("random_split", part, seed, rows, model.predict(self.table.iloc[rows]))
            for part, rows in parts.items()
        ]

    def under(self, name: str, scheme: Scheme, seed: int) -> list[pd.DataFrame]:
        """Check models that have not seen a fold, at its rows."""
        fold = scheme(seed)
        predicted = cross_predict(self.make_model, self.table, self.observed, fold, seed)
        return [self._pairs(name, "all", seed, np.arange(len(fold)), predicted, fold)]

    def _pairs(
        self, scheme: str, part: str, seed: int, rows: NDArray, predicted: NDArray, fold: ArrayLike = 0
    ) -> pd.DataFrame:
        """Return the pairs of one model."""
        pairs = {"fold": fold, "row": rows, "observed": self.observed[rows], "predicted": predicted}
        return pd.DataFrame({"scheme": scheme, "part": part, "seed": seed, **pairs})


def summarise(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the metrics of every scheme: pooled over folds, with their spread over seeds and over folds.

    Pooling scores all held-back predictions of a repetition together, which unequal folds need (Linnenbrink et al.
    2024). The spread over folds shows how much one part of the land differs from another. The predictions are those of
    :func:`validate`; columns before ``scheme``, such as ``model``, may be added and are kept apart.

    Returns
    -------
    pandas.DataFrame
        One row per scheme, part and metric (see :func:`mapforest.metrics.scores`), in the order of the predictions:
        ``value`` (pooled, mean of the seeds), ``seed_sd`` (NaN for one seed), ``fold_median``, ``fold_lowest``,
        ``fold_highest`` (over the folds of all seeds; NaN where a scheme has no folds), ``n`` (rows), ``n_folds``,
        ``n_seeds``.

    Examples
    --------
    >>> pairs = pd.DataFrame({"scheme": "site", "part": "all", "seed": 1, "fold": [0, 0, 1, 1], "row": range(4),
    ...                       "observed": [1.0, 2.0, 3.0, 4.0], "predicted": [1.0, 2.0, 4.0, 5.0]})
    >>> summarise(pairs).set_index("metric").loc["rmse", ["value", "fold_lowest", "fold_highest"]].round(3).tolist()
    [0.707, 0.0, 1.0]
    """
    keys = [*predictions.columns[: predictions.columns.get_loc("scheme")], "scheme", "part"]
    tables = {}
    for key, group in predictions.groupby(keys, sort=False):
        pooled = _scores_by(group, ["seed"])
        by_fold = _scores_by(group, ["seed", "fold"])
        n_folds = group.groupby("seed")["fold"].nunique().median()
        spread = by_fold if n_folds > 1 else by_fold * np.nan
        found = {"value": pooled.mean(), "seed_sd": pooled.std(ddof=1), "fold_median": spread.median()}
        table = pd.DataFrame(found | {"fold_lowest": spread.min(), "fold_highest": spread.max()}).drop(index="n")
        tables[key] = table.assign(n=int(pooled["n"].median()), n_folds=int(n_folds), n_seeds=len(pooled))
    return pd.concat(tables, names=[*keys, "metric"]).reset_index()


def fold_importance(
    make_model: ModelFactory,
    table: pd.DataFrame,
    target: ArrayLike,
    fold: ArrayLike,
    predictors: Sequence[str],
    seed: int,
    repeats: int = 5,
) -> pd.DataFrame:
    """Return how much the held-back error grows when one predictor is shuffled among the held-back rows.

    R's %IncMSE does the same out-of-bag. Under spatial folds it tells what helps to predict *elsewhere*, not what helps
    to recognise a neighbour. Each predictor is shuffled ``repeats`` times, by itself; the other arguments, and what is
    refused, are those of :func:`cross_predict`.

    The columns are ``predictor``, ``importance`` (increase of the mean squared error, squared unit of the target, mean
    over repeats; negative where the predictor does harm) and ``sd`` (over repeats); greatest first.
    """
    observed = _checked_target(table, target)
    unknown = [name for name in predictors if name not in table.columns]
    if unknown:
        raise ForestError(f"predictors {unknown} are no columns of the table; it has {list(table.columns)}")
    rng = np.random.default_rng(seed)
    increase = pd.DataFrame(0.0, index=range(repeats), columns=list(predictors))
    for held_back, model in held_back_models(make_model, table, observed, fold, seed):
        part = table[held_back]
        error = np.sum((model.predict(part) - observed[held_back]) ** 2)
        for name in predictors:
            for repeat in range(repeats):
                shuffled = part.assign(**{name: rng.permutation(part[name].to_numpy())})
                grown = np.sum((model.predict(shuffled) - observed[held_back]) ** 2)
                increase.loc[repeat, name] += (grown - error) / len(observed)
    summary = pd.DataFrame({"importance": increase.mean(), "sd": increase.std(ddof=1)})
    return summary.rename_axis("predictor").reset_index().sort_values("importance", ascending=False, ignore_index=True)


def _scores_by(predictions: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    """Return the metrics of each group of predictions, a row per group."""
    groups = predictions.groupby(keys, sort=False)
    return pd.DataFrame([metrics.scores(group["observed"], group["predicted"]) for _, group in groups])


def _random_split(n: int, fraction: float, seed: int) -> NDArray[np.bool_]:
    """Draw the rows that train the model at random, as for figures S2 and S3 of the paper."""
    n_training = round(fraction * n)
    if not 2 <= n_training <= n - 2:
        raise FoldError(
            f"a share of {fraction} of {n} rows leaves {n_training} to train and {n - n_training} to verify: "
            "each part needs two or more"
        )
    training = np.zeros(n, dtype=bool)
    training[np.random.default_rng(seed).permutation(n)[:n_training]] = True
    return training


def _checked_target(table: pd.DataFrame, target: ArrayLike) -> NDArray[np.float64]:
    """Return the target as a vector, or say what is wrong with it."""
    observed = np.asarray(target, dtype=float)
    if observed.shape != (len(table),):
        raise ForestError(f"{len(table)} rows, the target shape {observed.shape}: expected one target per row")
    missing = np.flatnonzero(~np.isfinite(observed))
    if missing.size:
        raise ForestError(
            f"the target is not finite in {missing.size} rows, the first at position {missing[0]}: drop those rows, "
            "and their folds, before validating"
        )
    return observed
