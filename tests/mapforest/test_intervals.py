"""Intervals that cover what they promise, and say what they miss."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from mapforest import forest as forest_module
from mapforest import intervals
from mapforest.cells import cell_map, map_table
from mapforest.errors import ForestError
from mapforest.folds import random_folds
from mapforest.forest import RandomForest

GOLDEN = Path(__file__).parents[1] / "golden"
LEVELS = (0.05, 0.95)


@pytest.fixture(scope="module")
def sites():
    """The NPP-like table of the golden files: 394 rows, 7 predictors, skewed noise."""
    table = pd.read_csv(GOLDEN / "npp_training.csv")
    return table.drop(columns="target"), table["target"].to_numpy()


@pytest.fixture(scope="module")
def grown(sites):
    table, target = sites
    forest = RandomForest(list(table), n_trees=150, mtry=6, categorical=["land_cover"], seed=1).fit(table, target)
    return intervals.grow(forest)


def assert_leaves_average_to_the_prediction(grown):
    cells = pd.read_csv(GOLDEN / "npp_prediction.csv")
    mean = grown.estimator.predict(grown.forest.encode(cells), quantiles="mean", weighted_leaves=True)
    assert mean == pytest.approx(grown.forest.predict(cells), rel=1e-9)


def test_the_mean_over_the_leaves_is_the_prediction_of_the_forest(grown):
    assert_leaves_average_to_the_prediction(grown)


@pytest.mark.parametrize(
    "added", [{"max_depth": 2}, {"max_samples": 0.4}, {"min_samples_leaf": 9}, {"min_impurity_decrease": 50.0}]
)
def test_a_parameter_that_the_forest_is_given_one_day_reaches_its_quantiles(sites, monkeypatch, added):
    """No parameter is copied by name: those of this test stand for any that RandomForest may hand on to its trees."""
    monkeypatch.setattr(forest_module, "RandomForestRegressor", partial(forest_module.RandomForestRegressor, **added))
    table, target = sites
    grown = intervals.grow(RandomForest(list(table), n_trees=8, mtry=6, seed=1).fit(table, target))
    assert {name: grown.estimator.get_params()[name] for name in added} == added
    assert_leaves_average_to_the_prediction(grown)


def test_higher_quantiles_are_higher(grown, sites):
    values = intervals.quantiles(grown, sites[0], [0.05, 0.25, 0.5, 0.75, 0.95])
    assert (np.diff(values, axis=1) >= 0).all()


@pytest.mark.parametrize("encoding", ["target_mean", "integer", "one_hot"])
def test_quantiles_are_those_of_quantile_forest(sites, encoding):
    """At cells of a land cover that no site has, too."""
    table, target = sites
    options = {"categorical": ["land_cover"], "encoding": encoding, "seed": 1}
    forest = RandomForest(list(table), n_trees=60, mtry=6, **options).fit(table, target)
    cells = pd.read_csv(GOLDEN / "npp_prediction.csv")
    cells.loc[::2, "land_cover"] = 15
    assert forest.unseen_classes(cells) == {"land_cover": [15]}
    grown, levels = intervals.grow(forest), [0.05, 0.5, 0.95]
    library = grown.estimator.predict(forest.encode(cells), quantiles=levels, weighted_leaves=True)
    np.testing.assert_allclose(intervals.quantiles(grown, cells, levels), library, rtol=1e-9)


def test_leaves_hold_the_rows_that_their_tree_drew_and_no_others(sites):
    """Where we differ from quantregForest, which puts all rows into the leaves of every tree."""
    table, target = sites
    forest = RandomForest(list(table), n_trees=1, mtry=6, nodesize=30, seed=1).fit(table, target)
    tree, drawn = forest.estimator_.estimators_[0], forest.estimator_.estimators_samples_[0]
    leaf, levels = tree.apply(forest.encode(table)), [0.1, 0.5, 0.9]
    ours, of_all = (
        np.array([np.quantile(target[rows][leaf[rows] == own], levels) for own in leaf])
        for rows in (drawn, np.arange(len(target)))
    )
    found = intervals.quantiles(intervals.grow(forest), table, levels)
    np.testing.assert_allclose(found, ours, rtol=1e-9)
    assert np.isclose(ours, of_all).all(axis=1).mean() < 0.1


def test_no_out_of_bag_quantile_reaches_the_highest_target_at_its_own_row(grown, sites):
    """No tree that did not draw the row has its target in a leaf."""
    row, levels = np.argmax(sites[1]), [0.5, 0.999]
    second = np.sort(sites[1])[-2]
    assert intervals.quantiles(grown, sites[0], levels)[row, 1] > second
    assert intervals.out_of_bag_quantiles(grown, levels)[row, 1] <= second


def test_a_ninety_percent_interval_covers_nine_of_ten_out_of_bag(grown, sites):
    held_back = intervals.out_of_bag_quantiles(grown, LEVELS)
    row = intervals.coverage_row("out_of_bag", sites[1], *held_back.T, random_folds(394, 10, 0), level=0.9)
    assert 0.85 <= row["recalibrated_coverage"] <= 0.95


def test_rows_that_the_trees_saw_are_covered_too_well(grown, sites):
    """Why coverage is counted out-of-bag: nearly every training row lies in its own interval."""
    group = np.arange(len(sites[1])) % 2
    seen, held_back = (
        intervals.coverage_row("", sites[1], *ends.T, group, level=0.9)["coverage"]
        for ends in (intervals.quantiles(grown, sites[0], LEVELS), intervals.out_of_bag_quantiles(grown, LEVELS))
    )
    assert seen > 0.95 > held_back


def test_cross_quantiles_have_not_seen_their_fold():
    table = pd.DataFrame({"a": np.repeat([0.0, 1.0], 20)})
    target = np.repeat([100.0, 900.0], 20)
    values = intervals.cross_quantiles(
        lambda seed: RandomForest(["a"], n_trees=10, mtry=1, seed=seed), table, target, target > 500, LEVELS, seed=0
    )
    assert (values[:20] == 900).all() and (values[20:] == 100).all()


def test_recalibrated_intervals_cover_further_rows_as_promised():
    """Romano et al. (2019), theorem 1: on average over samples, level <= coverage <= level + 1 / (n + 1)."""
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(500, 49))
    margins = [intervals.conformal_margin(sample, [-0.5] * 49, [0.5] * 49, level=0.9) for sample in draws]
    fresh = np.abs(rng.normal(size=100_000))
    covered = np.mean([np.mean(fresh <= 0.5 + margin) for margin in margins])
    assert 0.895 <= covered <= 0.925


@given(st.lists(st.floats(-1e3, 1e3), min_size=30, max_size=60), st.floats(0.1, 0.8), st.floats(0.01, 0.15))
def test_a_higher_level_never_needs_a_smaller_margin(observed, level, more):
    ends = np.full(len(observed), -10.0), np.full(len(observed), 10.0)
    one, other = (intervals.conformal_margin(observed, *ends, level=value) for value in (level, level + more))
    assert other >= one


def test_nine_rows_are_just_enough_for_nine_tenths():
    """The margin is then the largest miss."""
    observed = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 19.0]
    assert intervals.conformal_margin(observed, [0.0] * 9, [10.0] * 9, level=0.9) == 9.0


def test_intervals_that_are_too_wide_get_a_negative_margin():
    assert intervals.conformal_margin(np.linspace(-1, 1, 50), [-10.0] * 50, [10.0] * 50, level=0.9) < 0


def test_the_margin_of_a_group_is_learned_from_the_others():
    observed = np.r_[np.zeros(20), np.full(5, 100.0)]
    group = np.r_[np.arange(20) % 4, np.full(5, 9)]
    row = intervals.coverage_row("sites", observed, np.full(25, -1.0), np.full(25, 1.0), group, level=0.8)
    # To the fifth group the others are twenty zeros, 1 inside their intervals: these shrink to points at 0, five times.
    # To each group of zeros the others are 15 zeros and the outliers, 99 outside: 17 of 20 is what level 0.8 asks for.
    assert (row["coverage"], row["recalibrated_coverage"]) == (0.8, 0.8)
    assert row["recalibrated_mean_width"] == pytest.approx((20 * (2 + 2 * 99) + 5 * 0) / 25)
    assert row["margin"] == 99.0


def test_an_observation_at_an_end_lies_in_its_interval():
    row = intervals.coverage_row("", [0.0, 10.0, 10.1, -0.1], [0.0] * 4, [10.0] * 4, [1, 1, 2, 2], 0.5)
    assert (row["coverage"], row["mean_width"]) == (0.5, 10.0)


def test_ends_that_a_negative_margin_would_cross_meet_in_the_middle():
    row = intervals.coverage_row(
        "sites", [5.0] * 8, [0.0] * 4 + [4.9] * 4, [10.0] * 4 + [5.1] * 4, [1] * 4 + [2] * 4, 0.5
    )
    # of the first four the margin is -0.1, learned from the others; of those -5, which leaves no width
    assert row["recalibrated_mean_width"] == pytest.approx((9.8 + 0.0) / 2)


def test_the_map_holds_the_interval_of_each_cell(grown, sites):
    place = {"latitude": [31.0, 30.0], "longitude": [90.0, 91.0, 92.0]}
    cube = xr.Dataset(
        {name: (tuple(place), values[:6].to_numpy().reshape(2, 3)) for name, values in sites[0].items()}, place
    )
    where = xr.DataArray([[True, True, False], [True, True, True]], place)
    cells = map_table(cube, list(sites[0]), where)
    expected = intervals.quantiles(grown, cells, LEVELS) + [-3.0, 3.0]
    for band_cells in (1, 100):
        found = intervals.interval_map(grown, cube, where, LEVELS, 3.0, band_cells)
        for name, end in zip(("lower", "upper"), expected.T, strict=True):
            np.testing.assert_allclose(found[name], cell_map(cells, end, where), rtol=1e-6)


@pytest.mark.parametrize("margin", [np.nan, np.inf])
def test_a_margin_that_is_no_number_is_refused(grown, margin):
    with pytest.raises(ForestError, match="expected a number, as conformal_margin returns it"):
        intervals.interval_map(grown, xr.Dataset(), xr.DataArray(True), LEVELS, margin)


@pytest.mark.parametrize(
    ("judge", "message"),
    [
        (lambda: intervals.conformal_margin([1.0, np.nan], [0, 0], [2, 2], 0.5), "observed is not finite in 1 rows"),
        (lambda: intervals.conformal_margin([1.0], [0, 0], [2, 2], 0.5), "vectors of one length"),
        (
            lambda: intervals.conformal_margin([1.0] * 8, [0] * 8, [2] * 8, 0.9),
            "8 rows cannot vouch for a level of 0.9",
        ),
        (lambda: intervals.conformal_margin([1.0] * 8, [0] * 8, [2] * 8, 1.5), "a level between 0 and 1"),
        (lambda: intervals.conformal_margin([1.0] * 8, [0] * 8, [2] * 8, 0.0), "a level between 0 and 1"),
        (lambda: intervals.conformal_margin([1.0] * 8, [0] * 8, [2] * 8, 1.0), "a level between 0 and 1"),
        (lambda: intervals.conformal_margin([1.0] * 8, [0] * 8, [2] * 8, -0.2), "a level between 0 and 1"),
        (lambda: intervals.conformal_margin([1.0] * 8, [0] * 8, [2] * 8, np.nan), "a level between 0 and 1"),
        (lambda: intervals.coverage_row("", [1.0] * 8, [0] * 8, [2] * 8, [1] * 8, 0.5), "at least two folds"),
        (lambda: intervals.coverage_row("", [1.0] * 3, [0] * 3, [2] * 3, [1, np.nan, 2], 0.5), "at position 1"),
        (
            lambda: intervals.cross_quantiles(None, pd.DataFrame(index=range(3)), [1.0] * 3, [1, np.nan, 2], LEVELS, 0),
            "at position 1",
        ),
    ],
)
def test_intervals_that_cannot_be_judged_are_refused(judge, message):
    with pytest.raises(ForestError, match=message):
        judge()


@pytest.mark.parametrize("levels", [[0.05, 1.0], [np.nan]])
def test_quantiles_beyond_zero_and_one_are_refused(grown, sites, levels):
    for quantiles in (
        lambda: intervals.quantiles(grown, sites[0], levels),
        lambda: intervals.out_of_bag_quantiles(grown, levels),
    ):
        with pytest.raises(ForestError, match="both excluded"):
            quantiles()


def test_a_forest_that_is_not_grown_is_refused(sites):
    with pytest.raises(ForestError, match="call fit first"):
        intervals.grow(RandomForest(list(sites[0])))
