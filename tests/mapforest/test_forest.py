"""The forest: R's parameters, names, classes, scikit-learn's tools, and what is refused."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance
from sklearn.model_selection import PredefinedSplit, cross_val_predict
from sklearn.utils.validation import check_is_fitted

from mapforest.errors import ForestError
from mapforest.forest import RandomForest
from mapforest.validation import cross_predict

PREDICTORS = ["precipitation", "temperature", "land_cover"]
ENCODINGS = ["target_mean", "integer", "one_hot"]
EFFECT = {1.0: 500.0, 10.0: 200.0, 16.0: 0.0}


def made_table(n=200, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "precipitation": rng.uniform(50, 1000, n),
            "temperature": rng.uniform(-8, 12, n),
            "land_cover": rng.choice(list(EFFECT), n),
        }
    )
    return table, table["land_cover"].map(EFFECT) + 0.3 * table["precipitation"] + rng.normal(0, 20, n)


def forest(**options):
    return RandomForest(PREDICTORS, **{"n_trees": 40, "mtry": 2, "categorical": ["land_cover"], "seed": 1} | options)


@cache
def grown(**options):
    return forest(**options).fit(*made_table())


# -- numbers -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_forest_learns_climate_and_classes(encoding):
    new, target = made_table(seed=9)
    assert np.corrcoef(grown(encoding=encoding).predict(new), target)[0, 1] > 0.95


def test_columns_are_found_by_name_in_any_order():
    table, _ = made_table()
    np.testing.assert_array_equal(grown().predict(table), grown().predict(table[PREDICTORS[::-1]]))


def test_threads_do_not_change_the_prediction():
    table, _ = made_table()
    np.testing.assert_array_equal(grown().predict(table), grown(threads=2).predict(table))


def test_another_seed_grows_another_forest():
    table, _ = made_table()
    assert np.abs(grown().predict(table) - grown(seed=2).predict(table)).max() > 1e-6


def test_out_of_bag_prediction_is_scikit_learns():
    table, target = made_table()
    reference = clone(grown().estimator_).set_params(oob_score=True).fit(grown().encode(table), target)
    np.testing.assert_allclose(grown().oob_prediction, reference.oob_prediction_, rtol=1e-12)


def test_a_row_that_every_tree_saw_has_no_out_of_bag_prediction():
    assert 0.5 < np.isnan(grown(n_trees=1).oob_prediction).mean() < 0.75


def test_a_second_fit_leaves_nothing_of_the_first():
    table, target = made_table(seed=2)
    again = clone(grown()).fit(*made_table()).fit(table, target)
    once = forest().fit(table, target)
    np.testing.assert_array_equal(again.oob_prediction, once.oob_prediction)
    pd.testing.assert_frame_equal(again.importance, once.importance)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_importance_names_the_predictors_and_sums_to_one(encoding):
    importance = grown(encoding=encoding).importance
    assert importance["predictor"].tolist() == ["land_cover", "precipitation", "temperature"]
    assert importance["importance"].sum() == pytest.approx(1)


@pytest.mark.parametrize(("nodesize", "expected"), [(1, 2), (5, 4), (10, 7), (20, 13)])
def test_nodesize_counts_bootstrap_repeats(nodesize, expected):
    assert grown(n_trees=1, nodesize=nodesize).estimator_.min_samples_split == expected


@pytest.mark.parametrize(("n", "expected"), [(1, 1), (2, 1), (3, 1), (5, 1), (6, 2), (8, 2), (9, 3)])
def test_mtry_is_a_third_of_the_predictors_unless_given(n, expected):
    table = pd.DataFrame({f"x{i}": [0.0, 1.0, 2.0] for i in range(n)})
    assert RandomForest(list(table), n_trees=1).fit(table, [1.0, 2.0, 3.0]).estimator_.max_features == expected


def test_the_training_range_is_that_of_ordered_predictors():
    table, _ = made_table()
    expected = {name: (table[name].min(), table[name].max()) for name in PREDICTORS[:2]}
    assert grown().training_range_ == expected


# -- classes -------------------------------------------------------------------------------------------


TWO = pd.DataFrame({"a": [5.0, 5.0, 7.0, 7.0], "x": [0.1, 0.2, 0.3, 0.4], "b": [1, 2, 2, 2]})
ENCODED = {  # rows: a class of each kind that is known, and one of each that is not
    "integer": [[7.0, 0.5, 1.0], [6.0, 0.5, 3.0]],
    "target_mean": [[35.0, 0.5, 10.0], [25.0, 0.5, 25.0]],
    "one_hot": [[0.5, 0.0, 1.0, 1.0, 0.0], [0.5, 0.0, 0.0, 0.0, 0.0]],  # x, a = 5, a = 7, b = 1, b = 2
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_several_predictors_may_be_classes(encoding):
    made = RandomForest(list(TWO), 5, categorical=("a", "b"), encoding=encoding).fit(TWO, [10.0, 20.0, 30.0, 40.0])
    assert made.encode(pd.DataFrame({"a": [7, 6], "x": [0.5, 0.5], "b": [1, 3]})).tolist() == ENCODED[encoding]
    assert made.unseen_classes(pd.DataFrame({"a": [7, 6], "b": [1, 2]})) == {"a": [6], "b": []}
    assert set(made.importance["predictor"]) == {"a", "x", "b"}


@pytest.mark.parametrize("n", [2, 4])
def test_another_number_of_columns_than_of_predictors_is_not_encoded(n):
    with pytest.raises(ValueError, match="zip"):
        grown().encoder_.encode([np.array([1.0])] * n)


def test_a_forest_without_classes_sees_numbers():
    table, target = made_table()
    plain = forest(categorical=()).fit(table, target)
    np.testing.assert_array_equal(plain.predict(table), grown(encoding="integer").predict(table))
    assert plain.unseen_classes(table) == {}


@settings(max_examples=5)
@given(st.permutations([1.0, 10.0, 16.0, 3.0]))
def test_target_means_do_not_depend_on_how_classes_are_numbered(numbers):
    table, target = made_table()
    renamed = table.assign(land_cover=table["land_cover"].map(dict(zip(EFFECT, numbers, strict=False))))
    np.testing.assert_allclose(forest().fit(renamed, target).predict(renamed), grown().predict(table), rtol=1e-12)


# -- laws ----------------------------------------------------------------------------------------------


@settings(max_examples=10)
@given(st.randoms(use_true_random=False), st.integers(0, 2**31))
def test_a_target_that_grows_with_its_only_predictor_is_predicted_so(random, seed):
    x = np.array(sorted(random.uniform(0, 1) for _ in range(40)))
    target = np.cumsum([random.choice([0.0, 1.0, 7.0]) for _ in x])
    made = RandomForest(["x"], n_trees=10, seed=seed).fit(pd.DataFrame({"x": x}), target)
    predicted = made.predict(pd.DataFrame({"x": np.linspace(-0.5, 1.5, 200)}))
    assert (np.diff(predicted) >= -1e-12).all()


@settings(max_examples=5)
@given(st.sampled_from([0.25, 8.0, 1024.0]), st.integers(-100, 100))
def test_units_of_a_predictor_do_not_matter(factor, offset):
    """Powers of two and whole numbers: no value is rounded."""
    table, target = made_table(60)
    table[PREDICTORS[:2]] = table[PREDICTORS[:2]].round()
    changed = table.assign(temperature=factor * table["temperature"] + offset)
    one, other = (forest(n_trees=10).fit(rows, target).predict(rows) for rows in (table, changed))
    np.testing.assert_allclose(one, other, rtol=1e-12)


@settings(max_examples=10)
@given(st.permutations(range(12)))
def test_the_order_of_rows_does_not_change_their_prediction(order):
    rows = made_table(12, seed=3)[0]
    np.testing.assert_array_equal(grown().predict(rows.iloc[order]), grown().predict(rows)[order])


# -- scikit-learn --------------------------------------------------------------------------------------


def increasing(data: st.DataObject, values: np.ndarray) -> np.ndarray:
    """Return what a map that never falls or stays, of any shape, makes of some values."""
    levels, place = np.unique(values, return_inverse=True)
    steps = data.draw(st.lists(st.floats(0.01, 100), min_size=len(levels), max_size=len(levels)), label="steps")
    return np.cumsum(steps)[place]


@settings(max_examples=20)
@given(st.data(), st.integers(0, 99))
def test_a_predictor_whose_order_stays_leaves_the_training_rows_their_leaves(data, seed):
    """Trees split by order. A threshold lies midway between two rows that a tree drew, and midway moves with the map: a
    row that the tree did not draw may come to its other side. What a tree drew stays where it was, to the last digit.
    """
    table, target = made_table(40, seed)
    table = table.round({"temperature": 0})  # with values that stand twice
    mapped = table.assign(temperature=increasing(data, table["temperature"]))
    both = [forest(n_trees=8, seed=seed).fit(rows, target) for rows in (table, mapped)]
    for trees in zip(*(one.estimator_.estimators_ for one in both), strict=True):
        one, other = (tree.tree_ for tree in trees)
        for part in ("feature", "children_left", "children_right", "value", "weighted_n_node_samples"):
            np.testing.assert_array_equal(getattr(one, part), getattr(other, part))
        drawn = np.random.RandomState(trees[0].random_state).randint(0, len(table), len(table))
        leaves = [
            tree.apply(grown_one.encode(rows))[drawn]
            for tree, grown_one, rows in zip(trees, both, (table, mapped), strict=True)
        ]
        np.testing.assert_array_equal(*leaves)


@settings(max_examples=15)
@given(st.data())
def test_a_single_predictor_of_few_levels_may_be_mapped_in_any_way_that_keeps_their_order(data):
    """Each tree has drawn rows of all levels: none lies between two neighbours, wherever their midpoint is."""
    table = pd.DataFrame({"lai": np.repeat(np.arange(4.0), 50)})
    target = (table["lai"] - 1.2) ** 2 + np.random.default_rng(3).normal(0, 0.1, len(table))
    mapped = table.assign(lai=increasing(data, table["lai"]))
    one, other = (RandomForest(["lai"], n_trees=8, seed=5).fit(rows, target) for rows in (table, mapped))
    np.testing.assert_array_equal(one.predict(table), other.predict(mapped))
    np.testing.assert_array_equal(one.oob_prediction, other.oob_prediction)


@settings(max_examples=15)
@given(st.permutations(range(30)))
def test_the_order_of_training_rows_changes_nothing_but_which_of_them_a_tree_draws(order):
    """A tree draws rows by their number. What is taken from all rows stays: the ranges and the means of the classes."""
    table, target = made_table(30)
    one, other = (forest(n_trees=1).fit(table.iloc[rows], target.iloc[rows]) for rows in (range(30), order))
    assert other.training_range_ == one.training_range_ and other.encoder_.overall_mean == pytest.approx(
        one.encoder_.overall_mean
    )
    for name, means in one.encoder_.class_means.items():
        pd.testing.assert_series_equal(other.encoder_.class_means[name], means)


def test_another_order_of_the_training_rows_moves_a_mean_no_further_than_another_seed():
    table, target = made_table()
    new, _ = made_table(seed=9)
    turned = np.random.default_rng(4).permuted(np.tile(np.arange(len(table)), (12, 1)), axis=1)
    by_seed = [forest(seed=seed).fit(table, target).predict(new).mean() for seed in range(12)]
    by_order = [forest().fit(table.iloc[rows], target.iloc[rows]).predict(new).mean() for rows in turned]
    spread = np.std(by_seed, ddof=1)
    assert np.std(by_order, ddof=1) == pytest.approx(spread, rel=0.6)
    assert abs(np.mean(by_order) - np.mean(by_seed)) < 3 * spread * np.sqrt(2 / 12)


def test_a_clone_has_the_parameters_and_nothing_that_was_learnt():
    copied = clone(grown())
    assert copied.get_params() == grown().get_params()
    with pytest.raises(ValueError, match="not fitted"):
        check_is_fitted(copied)
    np.testing.assert_array_equal(copied.fit(*made_table()).oob_prediction, grown().oob_prediction)


def test_a_parameter_that_is_set_grows_what_one_that_is_given_grows():
    table, target = made_table()
    changed = forest().set_params(nodesize=20, seed=7).fit(table, target)
    np.testing.assert_array_equal(changed.predict(table), grown(nodesize=20, seed=7).predict(table))


def test_scikit_learns_cross_validation_holds_back_the_same_rows():
    table, target = made_table()
    fold = np.arange(len(table)) % 3
    ours = cross_predict(lambda seed: forest(n_trees=5, seed=seed), table, target, fold, seed=4)
    theirs = cross_val_predict(forest(n_trees=5, seed=4), table, target, cv=PredefinedSplit(fold))
    np.testing.assert_array_equal(ours, theirs)


def test_scikit_learns_permutation_importance_finds_what_matters():
    found = permutation_importance(grown(), *made_table(seed=5), n_repeats=2, random_state=0)["importances_mean"]
    assert found[2] > found[0] > 5 * abs(found[1])


# -- what is refused -----------------------------------------------------------------------------------


def test_missing_predictor_is_named():
    with pytest.raises(ForestError, match="lacks the predictors .'temperature'."):
        grown().predict(made_table()[0].drop(columns="temperature"))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_missing_value_at_prediction_names_predictor_and_row(value):
    table, _ = made_table()
    table.loc[17, "precipitation"] = value
    with pytest.raises(ForestError, match=r"'precipitation' is missing or infinite in 1 rows, first \[17\]"):
        grown().predict(table)


@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_missing_target_is_refused(value):
    table, target = made_table()
    target[3] = value
    with pytest.raises(ForestError, match=r"target is missing or infinite in rows \[3\]"):
        forest().fit(table, target)


@pytest.mark.parametrize("n", [1, 199])
def test_a_target_of_another_length_or_a_single_row_is_refused(n):
    table, target = made_table()
    with pytest.raises(ForestError, match="expected one target per row, and two rows or more"):
        forest().fit(table[:1] if n == 1 else table, target[:n])


def test_text_where_numbers_belong_is_refused():
    table, target = made_table()
    with pytest.raises(ForestError, match="'land_cover' is of type .*; expected numbers"):
        forest().fit(table.assign(land_cover="grass"), target)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mtry": 0}, "mtry is 0; expected 1 to 3"),
        ({"mtry": 4}, "mtry is 4; expected 1 to 3"),
        ({"mtry": np.nan}, "mtry is nan"),
        ({"n_trees": 0}, "n_trees is 0; expected 1 or more"),
        ({"nodesize": 0}, "nodesize is 0; expected 1 or more"),
        ({"encoding": "mean"}, "encoding is 'mean'; expected one of target_mean, integer, one_hot"),
        ({"categorical": ["soil"]}, r"categorical names \['soil'\]; expected names of predictors"),
    ],
)
def test_parameters_out_of_range_are_refused_when_the_forest_is_grown(options, message):
    with pytest.raises(ForestError, match=message):
        forest(**options).fit(*made_table())


@pytest.mark.parametrize("use", ["predict", "encode", "unseen_classes"])
def test_forest_that_is_not_grown_says_so(use):
    with pytest.raises(ForestError, match="call fit first"):
        getattr(forest(), use)(made_table()[0])


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("n_rows", [2, 40])
def test_every_tree_is_scikit_learns(n_rows, threads):
    """Ours grow without what scikit-learn asks for each tree anew: nothing of them may differ, their order neither."""
    table, target = made_table()
    ours = forest(n_trees=7, threads=threads).fit(table[:n_rows], target[:n_rows])
    theirs = RandomForestRegressor(**ours.estimator_.get_params()).fit(*ours.training_rows_)
    for own, reference in zip(ours.estimator_.estimators_, theirs.estimators_, strict=True):
        assert own.random_state == reference.random_state
        own, reference = own.tree_.__getstate__(), reference.tree_.__getstate__()
        assert all(np.array_equal(own[part], reference[part]) for part in reference)
