"""Quantiles by leaf weights are those of quantile-forest, whatever the forest and the rows."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from quantile_forest import RandomForestQuantileRegressor

from mapforest import traversal
from mapforest.errors import ForestError
from mapforest.leaf_weights import CompiledQuantileForest

KINDS = ("continuous", "integer", "constant")
LEVELS = (0.05, 0.5, 0.95)


def table(rng, kinds, n_rows, spread=1.0):
    """Rows of float32: smooth numbers, whole numbers with many ties, or one number."""
    columns = {
        "continuous": lambda: rng.normal(0, spread, n_rows),
        "integer": lambda: np.rint(rng.uniform(0, 6 * spread, n_rows)),
        "constant": lambda: np.full(n_rows, 7.0),
    }
    return np.stack([columns[kind]() for kind in kinds], axis=1).astype("float32")


def grown(rows, target, **parameters):
    defaults = {"n_estimators": 10, "max_samples_leaf": None, "random_state": 0}
    return RandomForestQuantileRegressor(**(defaults | parameters)).fit(rows, target)


def by_library(estimator, rows, levels):
    values = estimator.predict(rows, quantiles=list(levels), weighted_leaves=True)
    return np.asarray(values).reshape(len(rows), len(levels))


def assert_equals_quantile_forest(estimator, rows, levels):
    """To rounding; where a quantile jumps at the very level, it may be that on either side of the jump."""
    ours = CompiledQuantileForest.from_forest(estimator).predict(rows, levels)
    near = np.stack([by_library(estimator, rows, np.array(levels) + shift) for shift in (-1e-12, 0.0, 1e-12)])
    rounding = 1e-9 * np.abs(near[1]) + 1e-11 * np.ptp(near)
    assert (ours >= near.min(axis=0) - rounding).all() and (ours <= near.max(axis=0) + rounding).all()


@st.composite
def forests(draw):
    """A forest of any shape, its targets with or without duplicates, and a generator and kinds to draw rows from."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=6))
    n_rows = draw(st.integers(2, 60))
    rows = table(rng, kinds, n_rows)
    target = rows.sum(axis=1) + rng.normal(0, 1, n_rows)
    if draw(st.booleans()):
        target = np.rint(target)
    estimator = grown(
        rows,
        10.0 ** draw(st.integers(-6, 6)) * (target + draw(st.sampled_from([0.0, 1000.0]))),
        n_estimators=draw(st.integers(1, 25)),
        max_features=draw(st.integers(1, len(kinds))),
        min_samples_split=draw(st.integers(2, 6)),
        min_samples_leaf=draw(st.integers(1, 4)),
        max_depth=draw(st.sampled_from([None, 1, 3])),
        bootstrap=draw(st.booleans()),
    )
    return estimator, rng, kinds


@settings(max_examples=40)
@given(forests(), st.integers(1, 300), st.sampled_from([0.2, 1.0, 5.0]), st.floats(0.01, 0.99))
def test_any_forest_at_any_rows(forest, n_rows, spread, level):
    """Spread 5 leaves the range of the training rows, as unseen classes do; spread 0.2 makes tight groups."""
    estimator, rng, kinds = forest
    assert_equals_quantile_forest(estimator, table(rng, kinds, n_rows, spread), (*LEVELS, level))


@settings(max_examples=20)
@given(forests())
def test_higher_levels_give_higher_quantiles(forest):
    estimator, rng, kinds = forest
    found = CompiledQuantileForest.from_forest(estimator).predict(table(rng, kinds, 50), np.linspace(0.02, 0.98, 25))
    assert (np.diff(found, axis=1) >= -1e-12 * np.ptp(found)).all()


@settings(max_examples=20)
@given(forests())
def test_the_company_of_a_row_does_not_change_its_quantiles(forest):
    estimator, rng, kinds = forest
    compiled = CompiledQuantileForest.from_forest(estimator)
    rows = table(rng, kinds, 300)
    chosen = rng.integers(0, 300, 90)
    np.testing.assert_array_equal(compiled.predict(rows[chosen], LEVELS), compiled.predict(rows, LEVELS)[chosen])


@pytest.fixture(scope="module")
def estimator():
    rng = np.random.default_rng(1)
    rows = table(rng, ["continuous", "integer", "continuous"], 200)
    return grown(rows, rows.sum(axis=1) + rng.normal(0, 0.3, 200), n_estimators=40, min_samples_split=4)


@pytest.fixture(scope="module")
def compiled(estimator):
    return CompiledQuantileForest.from_forest(estimator)


@pytest.fixture(scope="module")
def many():
    """More rows than one group of any size holds."""
    return table(np.random.default_rng(2), ["continuous", "integer", "continuous"], 10_000)


def test_more_rows_than_a_group_holds(estimator, compiled, many):
    expected = by_library(estimator, many, LEVELS)
    np.testing.assert_allclose(compiled.predict(many, LEVELS), expected, rtol=1e-9, atol=1e-12)


def test_more_rows_alike_than_a_word_has_bits(estimator, compiled, many):
    rows = np.repeat(many[:7], 100, axis=0)
    expected = by_library(estimator, rows, LEVELS)
    np.testing.assert_allclose(compiled.predict(rows, LEVELS), expected, rtol=1e-9, atol=1e-12)


def test_a_forest_that_never_splits_gives_the_quantiles_of_its_targets(many):
    """Each tree draws every row once: ten times all targets."""
    target = np.random.default_rng(3).normal(size=30)
    stump = grown(np.ones((30, 3)), target, n_estimators=10, bootstrap=False)
    predicted = CompiledQuantileForest.from_forest(stump).predict(many[:1], LEVELS)
    np.testing.assert_allclose(predicted[0], np.quantile(np.repeat(target, 10), LEVELS), rtol=1e-9)


def test_levels_in_any_order_and_more_than_once(compiled, many):
    one, other = compiled.predict(many[:500], (0.95, 0.05, 0.5, 0.05)), compiled.predict(many[:500], LEVELS)
    np.testing.assert_array_equal(one, other[:, [2, 0, 1, 0]])


def test_threads_and_blocks_do_not_change_a_digit(compiled, many, monkeypatch):
    reference = compiled.predict(many, LEVELS)
    monkeypatch.setattr(traversal, "BLOCK_ROWS", 1500)
    np.testing.assert_array_equal(compiled.predict(many, LEVELS, threads=3), reference)


def test_rows_are_left_as_they_are(compiled, many):
    before = many.copy()
    compiled.predict(many, LEVELS)
    np.testing.assert_array_equal(many, before)


def test_rows_in_any_memory_order(compiled, many):
    rows = many[:500]
    np.testing.assert_array_equal(compiled.predict(np.asfortranarray(rows), LEVELS), compiled.predict(rows, LEVELS))


def test_no_rows_give_no_quantiles(compiled, many):
    assert compiled.predict(many[:0], LEVELS).shape == (0, 3)


def test_a_pickled_forest_predicts_the_same(compiled, many):
    rows = many[:500]
    again = pickle.loads(pickle.dumps(compiled))
    np.testing.assert_array_equal(again.predict(rows, LEVELS), compiled.predict(rows, LEVELS))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_missing_and_infinite_values_are_refused_by_row(compiled, many, value):
    holed = many[:10].copy()
    holed[4, 1] = value
    with pytest.raises(ForestError, match=r"1 rows hold a missing or infinite value, first \[4\]: leave them out"):
        compiled.predict(holed, LEVELS)


def test_other_numbers_than_float32_are_refused(compiled, many):
    with pytest.raises(ForestError, match="are of type float64; expected float32"):
        compiled.predict(many.astype("float64"), LEVELS)


def test_another_number_of_features_is_refused(compiled, many):
    with pytest.raises(ForestError, match=r"shape \(10000, 2\); expected \(n_rows, 3\)"):
        compiled.predict(many[:, :2], LEVELS)


@pytest.mark.parametrize("levels", [[0.5, 1.0], [0.0], [np.nan], 0.5])
def test_levels_that_are_none_are_refused(compiled, many, levels):
    with pytest.raises(ForestError, match="expected numbers between 0 and 1, both excluded"):
        compiled.predict(many, levels)


def test_leaves_that_keep_some_of_their_targets_are_refused(many):
    with pytest.raises(ForestError, match="keep max_samples_leaf=1 of their targets; expected all of them"):
        CompiledQuantileForest.from_forest(grown(many[:30], many[:30, 0], max_samples_leaf=1))


def test_a_forest_that_is_not_grown_is_refused():
    with pytest.raises(ForestError, match="fit it first"):
        CompiledQuantileForest.from_forest(RandomForestQuantileRegressor(max_samples_leaf=None))
