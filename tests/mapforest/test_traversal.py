"""The grouped-and-pruned traversal gives what scikit-learn gives, whatever the forest and the rows."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import RandomForestRegressor

from mapforest import traversal
from mapforest.errors import ForestError
from mapforest.traversal import CompiledForest

KINDS = ("continuous", "integer", "constant")


def table(rng, kinds, n_rows, spread=1.0):
    """Rows of float32: smooth numbers, whole numbers with many ties, or one number."""
    columns = {
        "continuous": lambda: rng.normal(0, spread, n_rows),
        "integer": lambda: np.rint(rng.uniform(0, 6 * spread, n_rows)),
        "constant": lambda: np.full(n_rows, 7.0),
    }
    return np.stack([columns[kind]() for kind in kinds], axis=1).astype("float32")


def grown(rows, target, **parameters):
    return RandomForestRegressor(**({"n_estimators": 10, "random_state": 0} | parameters)).fit(rows, target)


def assert_equals_scikit_learn(estimator, rows):
    span = np.ptp(np.concatenate([tree.tree_.value.ravel() for tree in estimator.estimators_]))
    predicted = CompiledForest.from_estimator(estimator).predict(rows)
    np.testing.assert_allclose(predicted, estimator.predict(rows), rtol=1e-9, atol=1e-12 * span)


@st.composite
def forests(draw):
    """A forest of any shape, and a generator and the kinds of its features, to draw rows from."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
    n_rows = draw(st.integers(2, 60))
    rows = table(rng, kinds, n_rows)
    scale = 10.0 ** draw(st.integers(-6, 6))
    target = scale * (rows.sum(axis=1) + rng.normal(0, 1, n_rows)) + scale * draw(st.sampled_from([0.0, 1000.0]))
    estimator = grown(
        rows,
        target,
        n_estimators=draw(st.integers(1, 25)),
        max_features=draw(st.integers(1, len(kinds))),
        min_samples_split=draw(st.integers(2, 6)),
        max_depth=draw(st.sampled_from([None, 1, 3])),
        bootstrap=draw(st.booleans()),
    )
    return estimator, rng, kinds


@settings(max_examples=40)
@given(forests(), st.integers(1, 400), st.sampled_from([0.2, 1.0, 5.0]))
def test_any_forest_at_any_rows(forest, n_rows, spread):
    """Spread 5 leaves the range of the training rows, as unseen classes do; spread 0.2 makes tight groups."""
    estimator, rng, kinds = forest
    assert_equals_scikit_learn(estimator, table(rng, kinds, n_rows, spread))


@settings(max_examples=20)
@given(forests())
def test_rows_on_a_threshold_and_next_to_it(forest):
    estimator, rng, kinds = forest
    tests = np.concatenate([tree.tree_.threshold[tree.tree_.feature >= 0] for tree in estimator.estimators_])
    values = tests.astype("float32") if len(tests) else np.zeros(1, dtype="float32")
    below, above = (np.nextafter(values, np.float32(end)) for end in (-np.inf, np.inf))
    around = np.concatenate([values, below, above])
    assert_equals_scikit_learn(estimator, rng.choice(around, (200, len(kinds))))


@settings(max_examples=20)
@given(forests(), st.integers(2, 4))
def test_trees_that_are_repeated_change_nothing(forest, times):
    estimator, rng, kinds = forest
    rows = table(rng, kinds, 100)
    before = CompiledForest.from_estimator(estimator).predict(rows)
    span = np.ptp(np.concatenate([tree.tree_.value.ravel() for tree in estimator.estimators_]))
    estimator.estimators_ = times * estimator.estimators_
    np.testing.assert_allclose(
        CompiledForest.from_estimator(estimator).predict(rows), before, rtol=1e-12, atol=1e-13 * span
    )


@settings(max_examples=20)
@given(forests())
def test_the_company_of_a_row_does_not_change_its_prediction(forest):
    estimator, rng, kinds = forest
    compiled = CompiledForest.from_estimator(estimator)
    rows = table(rng, kinds, 300)
    chosen = rng.integers(0, 300, 90)
    np.testing.assert_array_equal(compiled.predict(rows[chosen]), compiled.predict(rows)[chosen])


@pytest.fixture(scope="module")
def estimator():
    rng = np.random.default_rng(1)
    rows = table(rng, ["continuous", "integer", "continuous"], 200)
    return grown(rows, rows.sum(axis=1) + rng.normal(0, 0.3, 200), n_estimators=40)


@pytest.fixture(scope="module")
def compiled(estimator):
    return CompiledForest.from_estimator(estimator)


@pytest.fixture(scope="module")
def many():
    """More rows than one group of any size holds."""
    return table(np.random.default_rng(2), ["continuous", "integer", "continuous"], 20_000)


def test_more_rows_than_a_group_holds(estimator, many):
    assert_equals_scikit_learn(estimator, many)


def test_more_rows_alike_than_a_word_has_bits(estimator, many):
    assert_equals_scikit_learn(estimator, np.repeat(many[:7], 100, axis=0))


def test_threads_and_blocks_do_not_change_a_digit(compiled, many, monkeypatch):
    reference = compiled.predict(many)
    monkeypatch.setattr(traversal, "BLOCK_ROWS", 1500)
    np.testing.assert_array_equal(compiled.predict(many, threads=3), reference)


def test_rows_are_left_as_they_are(compiled, many):
    before = many.copy()
    compiled.predict(many)
    np.testing.assert_array_equal(many, before)


def test_rows_in_any_memory_order(compiled, many):
    np.testing.assert_array_equal(compiled.predict(np.asfortranarray(many)), compiled.predict(many))


def test_no_rows_give_no_predictions(compiled, many):
    assert compiled.predict(many[:0]).shape == (0,)


def test_a_pickled_forest_predicts_the_same(compiled, many):
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(compiled)).predict(many), compiled.predict(many))


def test_trees_that_never_split_predict_their_mean(many):
    stump = grown(many[:30], np.full(30, 12.5))
    assert np.unique(CompiledForest.from_estimator(stump).predict(many[:100])).tolist() == [12.5]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_missing_and_infinite_values_are_refused_by_row(compiled, many, value):
    holed = many[:10].copy()
    holed[4, 1] = value
    with pytest.raises(ForestError, match=r"1 rows hold a missing or infinite value, first \[4\]: leave them out"):
        compiled.predict(holed)


def test_other_numbers_than_float32_are_refused(compiled, many):
    with pytest.raises(ForestError, match="are of type float64; expected float32"):
        compiled.predict(many.astype("float64"))


def test_another_number_of_features_is_refused(compiled, many):
    with pytest.raises(ForestError, match=r"shape \(20000, 2\); expected \(n_rows, 3\)"):
        compiled.predict(many[:, :2])


def test_a_forest_that_is_not_grown_is_refused():
    with pytest.raises(ForestError, match="fit it first"):
        CompiledForest.from_estimator(RandomForestRegressor())


def test_a_forest_of_two_targets_is_refused(many):
    with pytest.raises(ForestError, match="has 2 targets"):
        CompiledForest.from_estimator(grown(many[:30], many[:30, :2]))


def test_trees_grown_best_first_are_refused(many):
    with pytest.raises(ForestError, match="expected max_leaf_nodes=None"):
        CompiledForest.from_estimator(grown(many[:30], many[:30, 0], max_leaf_nodes=5))


def test_too_many_features_are_refused():
    rows = np.random.default_rng(3).normal(size=(20, 129)).astype("float32")
    with pytest.raises(ForestError, match="has 129 features; expected 128 at most"):
        CompiledForest.from_estimator(grown(rows, rows[:, 0]))
