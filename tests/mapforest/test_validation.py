"""Predictions that are held back in truth, and one table of what they are worth."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from mapforest import metrics, validation
from mapforest.errors import FoldError, ForestError
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


class Mean:
    """Predicts the mean of the targets that it was given."""

    def __init__(self, seed):
        pass

    def fit(self, table, target):
        self.mean = np.mean(target)
        return self

    def predict(self, table):
        return np.full(len(table), self.mean)


def test_a_fold_is_predicted_from_all_others():
    predicted = validation.cross_predict(Mean, pd.DataFrame(index=range(4)), [1.0, 2.0, 3.0, 4.0], [7, 7, 1, 3], seed=0)
    assert predicted == pytest.approx([3.5, 3.5, 7 / 3, 2])


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
    assert predictions.groupby("scheme")["fold"].nunique().to_dict() == {
        "in_sample": 1,
        "out_of_bag": 1,
        "random": 4,
        "random_split": 1,
    }
    assert (predictions.loc[predictions["scheme"] != "random", "fold"] == 0).all()
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
        metrics.scores(group["observed"], group["predicted"])["rmse"]
        for _, group in predictions.query("scheme == 'random'").groupby("seed")
    ]
    row = table.loc[("random", "all", "rmse")]
    assert (row["value"], row["seed_sd"]) == pytest.approx((np.mean(pooled), np.std(pooled, ddof=1)))


def test_fold_spread_spans_the_folds_of_all_seeds(summary):
    predictions, table = summary
    by_fold = [
        metrics.scores(group["observed"], group["predicted"])["rmse"]
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


class Echo:
    """Returns the column x."""

    def __init__(self, seed):
        pass

    def fit(self, table, target):
        return self

    def predict(self, table):
        return table["x"].to_numpy()


def test_importance_of_a_worked_example():
    """Two folds of two rows, x = 0, 2 and 0, 4, each predicted 1 too low; a shuffle swaps those of a fold or does not.

    Swapped, the errors of a fold are 1 and -3, or 3 and -5: the sum of squares grows by 10 - 2 or 34 - 2, so that a
    repeat grows the mean over four rows by 0, 2, 8 or 10.
    """
    table, fold = pd.DataFrame({"x": [0.0, 2.0, 0.0, 4.0]}), [0, 0, 1, 1]
    args = (Echo, table, table["x"] + 1, fold, ["x"])
    one = [validation.fold_importance(*args, seed, repeats=1)["importance"].iloc[0] for seed in range(12)]
    assert set(one) == {0.0, 2.0, 8.0, 10.0}
    pd.testing.assert_frame_equal(validation.fold_importance(*args, 0), validation.fold_importance(*args, 0, repeats=5))


def test_predictors_are_ranked_by_importance_and_their_spread_is_that_of_the_repeats():
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"idle": rng.normal(size=60), "x": rng.normal(size=60)})
    fold = random_folds(60, 4, 0)
    found = validation.fold_importance(Line, table, table["x"], fold, ["idle", "x"], seed=0)
    assert found["predictor"].tolist() == ["x", "idle"] and list(found) == ["predictor", "importance", "sd"]
    # five repeats by default: the mean of their mean is within two of their standard errors of the truth
    assert found["importance"].iloc[0] == pytest.approx(2 * table["x"].var(), abs=3 * found["sd"].iloc[0])


@pytest.mark.parametrize(
    ("target", "fold", "message"),
    [
        ([1.0, np.nan, 3.0, np.inf], [0, 0, 1, 1], "not finite in 2 rows, the first at position 1"),
        ([1.0, 2.0, 3.0, 4.0, 5.0], [0, 0, 1, 1], r"the target shape \(5,\): expected one target per row"),
        ([1.0, 2.0, 3.0], [0, 0, 1, 1], r"the target shape \(3,\): expected one target per row"),
        ([1.0, 2.0, 3.0, 4.0], [0, 0, 1], "expected one fold number per row"),
        ([1.0, 2.0, 3.0, 4.0], [2, 2, 2, 2], "in one fold"),
        ([1.0, 2.0, 3.0, 4.0], [0, np.nan, 1, 1], "not a whole number in 1 of 4 rows, the first at position 1"),
    ],
)
def test_input_that_cannot_be_validated_is_refused(target, fold, message):
    table = pd.DataFrame({"site": range(4)})
    with pytest.raises(ForestError, match=message):
        validation.cross_predict(Recall, table, target, fold, seed=0)
    with pytest.raises(ForestError, match=message):
        validation.fold_importance(Recall, table, target, fold, ["site"], seed=0)


def test_too_few_rows_for_the_random_split_are_refused():
    table = pd.DataFrame({"site": range(5)})
    with pytest.raises(FoldError, match="0.7 of 5 rows leaves 4 to train and 1 to verify: each part needs two or more"):
        validation.validate(Recall, table, range(5), {}, [1])
    with pytest.raises(FoldError, match="0.2 of 5 rows leaves 1 to train and 4 to verify"):
        validation.validate(Recall, table, range(5), {}, [1], training_fraction=0.2)


def test_a_missing_target_is_refused_before_any_model_is_fitted(sites):
    table, target = sites
    target[5] = np.nan
    with pytest.raises(ForestError, match="the first at position 5"):
        validation.validate(Recall, table, target, {}, [1])


def test_importance_of_an_unknown_predictor_is_refused(sites):
    with pytest.raises(ForestError, match=r"\['soil'\] are no columns"):
        validation.fold_importance(Recall, *sites, random_folds(40, 4, 0), ["soil"], seed=0)
