"""Predictions that are held back in truth, and one table of what they are worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mapforest import metrics, validation
from mapforest.folds import group_folds, random_folds


class Recall:
    """Knows the targets of the rows that it has seen, and nothing else."""

    def __init__(self, seed):
        self.seed = seed

    def fit(self, table, target):
        self.known = dict(zip(table["site"], target, strict=True))
        self.oob_prediction = np.full(len(target), np.mean(target))
        self.oob_prediction[0] = np.nan
        return self

    def predict(self, table):
        return np.array([self.known.get(site, -1.0) for site in table["site"]])


class Line:
    """Least squares on the columns ``x`` and ``idle``."""

    def __init__(self, seed):
        pass

    def fit(self, table, target):
        self.coefficients = np.linalg.lstsq(self._design(table), target, rcond=None)[0]
        return self

    def predict(self, table):
        return self._design(table) @ self.coefficients

    def _design(self, table):
        return np.column_stack([np.ones(len(table)), table["x"], table["idle"]])


@pytest.fixture
def sites():
    return pd.DataFrame({"site": np.arange(40)}), np.linspace(100, 500, 40)


def test_a_held_back_row_is_predicted_by_a_model_that_has_not_seen_it(sites):
    table, target = sites
    predicted = validation.cross_predict(Recall, table, target, random_folds(40, 5, 0), seed=0)
    assert (predicted == -1).all()


def test_a_row_with_a_twin_in_another_fold_is_recalled():
    table, target = pd.DataFrame({"site": [1, 1, 2, 2]}), [10.0, 10.0, 20.0, 20.0]
    assert (validation.cross_predict(Recall, table, target, [0, 1, 0, 1], seed=0) == target).all()
    assert (validation.cross_predict(Recall, table, target, [0, 0, 1, 1], seed=0) == -1).all()


def test_every_scheme_and_part_has_its_own_rows(sites):
    table, target = sites
    predictions = validation.validate(Recall, table, target, {"random": lambda s: random_folds(40, 4, s)}, [1, 2])
    counts = predictions.groupby(["scheme", "part"], sort=False).size()
    assert counts.to_dict() == {
        ("in_sample", "all"): 80,
        ("random_split", "training"): 56,
        ("random_split", "verification"): 24,
        ("random_split", "pooled"): 80,
        ("out_of_bag", "all"): 78,
        ("random", "all"): 80,
    }


def test_training_and_verification_are_told_apart(sites):
    predictions = validation.validate(Recall, *sites, {}, [1]).set_index(["scheme", "part"])
    assert (predictions.loc[("random_split", "training"), "predicted"] > 0).all()
    assert (predictions.loc[("random_split", "verification"), "predicted"] == -1).all()


def test_rows_without_an_out_of_bag_prediction_are_left_out(sites):
    predictions = validation.validate(Recall, *sites, {}, [1])
    assert 0 not in predictions.query("scheme == 'out_of_bag'")["row"].to_numpy()


def test_a_model_without_out_of_bag_predictions_has_no_such_scheme(sites):
    table = sites[0].assign(x=np.arange(40.0), idle=0.0)
    assert "out_of_bag" not in set(validation.validate(Line, table, sites[1], {}, [1])["scheme"])


@pytest.fixture
def summary(sites):
    rng = np.random.default_rng(0)
    table = sites[0].assign(x=np.arange(40.0), idle=rng.normal(size=40))
    target = sites[1] + rng.normal(0, 20, 40)
    predictions = validation.validate(Line, table, target, {"random": lambda s: random_folds(40, 4, s)}, [1, 2, 3])
    return predictions, validation.summarise(predictions).set_index(["scheme", "part", "metric"])


def test_value_is_the_pooled_metric_averaged_over_seeds(summary):
    predictions, table = summary
    pooled = [
        metrics.rmse(group["observed"], group["predicted"])
        for _, group in predictions.query("scheme == 'random'").groupby("seed")
    ]
    row = table.loc[("random", "all", "rmse")]
    assert (row["value"], row["seed_sd"]) == pytest.approx((np.mean(pooled), np.std(pooled, ddof=1)))


def test_fold_spread_spans_the_folds_of_all_seeds(summary):
    predictions, table = summary
    by_fold = [
        metrics.rmse(group["observed"], group["predicted"])
        for _, group in predictions.query("scheme == 'random'").groupby(["seed", "fold"])
    ]
    row = table.loc[("random", "all", "rmse")]
    assert (row["fold_lowest"], row["fold_highest"]) == pytest.approx((min(by_fold), max(by_fold)))


def test_a_scheme_without_folds_has_no_fold_spread(summary):
    row = summary[1].loc[("in_sample", "all", "rmse")]
    assert np.isnan(row["fold_lowest"]) and row["n_folds"] == 1


def test_in_sample_error_of_a_least_squares_line_is_below_its_held_back_error(summary):
    value = summary[1]["value"]
    assert value["in_sample", "all", "rmse"] < value["random", "all", "rmse"]


def test_models_side_by_side_keep_their_own_rows(summary):
    two = pd.concat([summary[0].assign(model=name) for name in ("npp", "rs")])
    two = two[["model", *summary[0].columns]]
    assert validation.summarise(two).groupby("model").size().tolist() == [len(summary[1])] * 2


def test_a_fold_of_one_row_has_an_error_and_no_correlation(sites):
    table = sites[0].assign(x=np.arange(40.0), idle=np.sin(np.arange(40.0)))
    one_each = {"loo": lambda seed: group_folds(np.arange(40), None, seed)}
    result = validation.summarise(validation.validate(Line, table, sites[1] ** 1.1, one_each, [1]))
    result = result.query("scheme == 'loo'").set_index("metric")
    assert np.isfinite(result.loc["rmse", "fold_highest"]) and np.isnan(result.loc["r", "fold_highest"])


def test_only_the_predictor_that_matters_is_important():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.normal(size=200), "idle": rng.normal(size=200)})
    importance = validation.fold_importance(
        Line, table, 10 * table["x"], random_folds(200, 5, 0), ["idle", "x"], seed=0, repeats=20
    ).set_index("predictor")["importance"]
    # shuffling x makes two independent draws of it: the mean squared difference is 2 * 100 * var(x)
    assert importance["x"] == pytest.approx(200 * table["x"].var(), rel=0.1)
    assert importance["idle"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("target", "fold", "message"),
    [
        ([1.0, np.nan, 3.0, np.inf], [0, 0, 1, 1], "not finite in 2 rows, the first at position 1"),
        ([1.0, 2.0, 3.0], [0, 0, 1], "expected one target and one fold a row"),
        ([1.0, 2.0, 3.0, 4.0], [2, 2, 2, 2], "in one fold"),
    ],
)
def test_input_that_cannot_be_validated_is_refused(target, fold, message):
    table = pd.DataFrame({"site": range(4)})
    with pytest.raises(ValueError, match=message):
        validation.cross_predict(Recall, table, target, fold, seed=0)


def test_a_missing_target_is_refused_before_any_model_is_fitted(sites):
    table, target = sites
    target[5] = np.nan
    with pytest.raises(ValueError, match="the first at position 5"):
        validation.validate(Recall, table, target, {}, [1])


def test_importance_of_an_unknown_predictor_is_refused(sites):
    with pytest.raises(ValueError, match=r"\['soil'\] are no columns"):
        validation.fold_importance(Recall, *sites, random_folds(40, 4, 0), ["soil"], seed=0)
