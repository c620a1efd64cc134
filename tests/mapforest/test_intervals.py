"""Intervals that cover what they promise, and say what they miss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mapforest import intervals
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
    forest = RandomForest(list(table), n_trees=150, mtry=6, seed=1).fit(table, target)
    return intervals.grow(forest, table, target)


def test_the_mean_over_the_leaves_is_the_prediction_of_the_forest(grown):
    cells = pd.read_csv(GOLDEN / "npp_prediction.csv")
    mean = grown.estimator.predict(grown.forest.encode(cells), quantiles="mean", weighted_leaves=True)
    assert mean == pytest.approx(grown.forest.predict(cells), rel=1e-9)


def test_higher_quantiles_are_higher(grown, sites):
    values = intervals.quantiles(grown, sites[0], [0.05, 0.25, 0.5, 0.75, 0.95])
    assert (np.diff(values, axis=1) >= 0).all()


def test_blocks_do_not_change_quantiles(grown, sites):
    whole, blocks = (
        intervals.quantiles(grown, sites[0], LEVELS, block_rows=rows, engine="quantile-forest") for rows in (1000, 37)
    )
    assert np.array_equal(whole, blocks)


@pytest.mark.parametrize("encoding", ["target_mean", "integer", "one_hot"])
def test_both_engines_give_the_same_quantiles(sites, encoding):
    """At cells of a land cover that no site has, too."""
    table, target = sites
    forest = RandomForest(list(table), n_trees=60, mtry=6, land_cover_encoding=encoding, seed=1).fit(table, target)
    cells = pd.read_csv(GOLDEN / "npp_prediction.csv")
    cells.loc[::2, "land_cover"] = 15
    assert forest.unseen_classes(cells) == [15]
    grown = intervals.grow(forest, table, target)
    pruned, library = (
        intervals.quantiles(grown, cells, [0.05, 0.5, 0.95], engine=engine) for engine in ("pruned", "quantile-forest")
    )
    np.testing.assert_allclose(pruned, library, rtol=1e-9)


def test_an_engine_that_there_is_not_is_refused(grown, sites):
    with pytest.raises(ForestError, match="engine is 'fast': expected pruned or quantile-forest"):
        intervals.quantiles(grown, sites[0], LEVELS, engine="fast")


def test_a_ninety_percent_interval_covers_nine_of_ten_out_of_bag(grown, sites):
    held_back = intervals.out_of_bag_quantiles(grown, LEVELS)
    row = intervals.coverage_row("out_of_bag", sites[1], *held_back.T, random_folds(394, 10, 0), level=0.9)
    assert 0.85 <= row["recalibrated_coverage"] <= 0.95


def test_rows_that_the_trees_saw_are_covered_too_well(grown, sites):
    """Why coverage is counted out-of-bag: nearly every training row lies in its own interval."""
    seen, held_back = intervals.quantiles(grown, sites[0], LEVELS), intervals.out_of_bag_quantiles(grown, LEVELS)
    in_sample = intervals.coverage(sites[1], *seen.T)
    assert in_sample > 0.95 > intervals.coverage(sites[1], *held_back.T)


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


def test_intervals_that_are_too_wide_get_a_negative_margin():
    assert intervals.conformal_margin(np.linspace(-1, 1, 50), [-10.0] * 50, [10.0] * 50, level=0.9) < 0


def test_the_margin_of_a_group_is_learned_from_the_others():
    observed = np.r_[np.zeros(20), np.full(5, 100.0)]
    group = np.r_[np.arange(20) % 4, np.full(5, 9)]
    lower, upper = intervals.cross_conformal(observed, np.full(25, -1.0), np.full(25, 1.0), group, level=0.8)
    # the others, twenty zeros, lie 1 inside their intervals; a fifth group of zeros has the outliers among its others
    assert upper[20:].tolist() == [0.0] * 5 and (upper[:20] > 0).all()


@pytest.mark.parametrize(
    ("judge", "message"),
    [
        (lambda: intervals.coverage([1.0, np.nan], [0, 0], [2, 2]), "observed is not finite in 1 rows"),
        (lambda: intervals.coverage([1.0], [0, 0], [2, 2]), "three vectors of one length"),
        (
            lambda: intervals.conformal_margin([1.0] * 8, [0] * 8, [2] * 8, 0.9),
            "8 rows cannot vouch for a level of 0.9",
        ),
        (lambda: intervals.conformal_margin([1.0] * 8, [0] * 8, [2] * 8, 1.5), "a level between 0 and 1"),
        (lambda: intervals.cross_conformal([1.0] * 8, [0] * 8, [2] * 8, [1] * 8, 0.5), "at least two folds"),
        (lambda: intervals.cross_conformal([1.0] * 3, [0] * 3, [2] * 3, [1, np.nan, 2], 0.5), "at position 1"),
        (
            lambda: intervals.cross_quantiles(None, pd.DataFrame(), [1.0] * 3, [1, np.nan, 2], LEVELS, 0),
            "at position 1",
        ),
    ],
)
def test_intervals_that_cannot_be_judged_are_refused(judge, message):
    with pytest.raises(ForestError, match=message):
        judge()


def test_quantiles_beyond_zero_and_one_are_refused(grown, sites):
    with pytest.raises(ForestError, match="both excluded"):
        intervals.quantiles(grown, sites[0], [0.05, 1.0])


def test_a_forest_that_is_not_grown_is_refused(sites):
    with pytest.raises(ForestError, match="call its fit first"):
        intervals.grow(RandomForest(list(sites[0])), *sites)


def test_other_rows_than_those_of_the_forest_are_refused(grown, sites):
    table, target = sites
    with pytest.raises(ForestError, match="fitted on 394 rows, but the table has 100"):
        intervals.grow(grown.forest, table[:100], target[:100])
