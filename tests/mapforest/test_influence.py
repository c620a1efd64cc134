"""Leaving groups of rows out: what is planted is found, and trees that have not seen a row stand for a new forest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from mapforest.errors import ForestError
from mapforest.folds import EARTH_RADIUS_KM
from mapforest.forest import RandomForest
from mapforest.influence import FEWEST_TREES, NEW_TREES, compact_groups, influence

ONE_ROW_EACH = np.eye(40, dtype=bool)
DEGREE_KM = np.pi * EARTH_RADIUS_KM / 180


def land(planted: float = 0.0) -> tuple[pd.DataFrame, np.ndarray, pd.DataFrame]:
    """Return forty sites, their target, and cells; row 7 is alone in the cold, and is too large by `planted`."""
    rng = np.random.default_rng(2)
    sites = pd.DataFrame({"warmth": rng.uniform(5, 15, 40), "rain": rng.uniform(0, 10, 40)})
    sites.loc[7, "warmth"] = 0.0
    target = 20 * sites["warmth"].to_numpy() + rng.normal(0, 5, 40)
    target[7] += planted
    cells = pd.DataFrame({"warmth": rng.uniform(0, 15, 300), "rain": rng.uniform(0, 10, 300)})
    return sites, target, cells


@pytest.fixture(scope="module")
def grown() -> tuple[RandomForest, pd.DataFrame, pd.DataFrame]:
    """A forest of many trees on a table with an outlier, the table, and the cells of its map."""
    sites, target, cells = land(planted=600.0)
    return RandomForest(["warmth", "rain"], n_trees=600, mtry=2, seed=3).fit(sites, target), sites, cells


@pytest.fixture(scope="module")
def without_each(grown) -> pd.DataFrame:
    forest, sites, cells = grown
    return influence(forest, sites, cells, np.ones(len(cells)), ONE_ROW_EACH)


def test_a_planted_outlier_moves_the_mean_most_and_downwards(without_each):
    assert without_each["change"].abs().idxmax() == 7
    assert without_each["change"][7] < -10 * without_each["change_se"][7]
    assert without_each["change"].drop(7).abs().max() < 0.3 * -without_each["change"][7]


@pytest.mark.parametrize("row", [7, 0, 21])
def test_trees_that_have_not_seen_a_row_agree_with_a_forest_grown_without_it(grown, without_each, row):
    """The second forest has as many trees as the first: three standard errors of the difference of both."""
    forest, sites, cells = grown
    rest = np.delete(np.arange(40), row)
    target = forest.training_rows_[1]
    anew = clone(forest).fit(sites.iloc[rest].reset_index(drop=True), target[rest])
    true_change = float((anew.predict(cells) - forest.predict(cells)).mean())
    assert without_each["trees"][row] == "unseen"
    assert abs(without_each["change"][row] - true_change) < 3 * 2**0.5 * without_each["change_se"][row]


def test_a_change_is_the_mean_of_unseeing_trees_less_that_of_all(grown, without_each):
    forest, _, cells = grown
    trees = forest.estimator_.estimators_
    rows = forest.encode(cells)
    unseeing = [tree for tree, bag in zip(trees, forest.estimator_.estimators_samples_, strict=True) if 7 not in bag]
    change = np.mean([tree.predict(rows).mean() for tree in unseeing]) - forest.predict(cells).mean()
    assert without_each["n_trees"][7] == len(unseeing)
    assert without_each["change"][7] == pytest.approx(change, rel=1e-5)


def test_the_standard_error_falls_with_the_trees_that_have_not_seen_the_row(grown, without_each):
    forest, _, cells = grown
    scatter = np.std([tree.predict(forest.encode(cells)).mean() for tree in forest.estimator_.estimators_], ddof=1)
    expected = scatter * (1 / without_each["n_trees"] - 1 / 600) ** 0.5
    np.testing.assert_allclose(without_each["change_se"], expected, rtol=1e-4)


def test_a_group_that_nearly_every_tree_has_seen_gets_a_forest_of_its_own(grown):
    forest, sites, cells = grown
    group = np.arange(40) < 8  # holds the outlier
    found = influence(forest, sites, cells, np.ones(len(cells)), [group]).iloc[0]
    target = forest.training_rows_[1]
    fewer = clone(forest).set_params(n_trees=NEW_TREES).fit(sites[~group].reset_index(drop=True), target[~group])
    assert (found["trees"], found["n_rows"], found["n_trees"]) == ("anew", 8, NEW_TREES)
    expected = fewer.predict(cells).mean() - forest.predict(cells).mean()
    assert found["change"] == pytest.approx(expected, rel=1e-5)
    trees = [tree.predict(forest.encode(cells)).mean() for tree in forest.estimator_.estimators_]
    assert found["change_se"] == pytest.approx(np.std(trees, ddof=1) * (1 / NEW_TREES + 1 / 600) ** 0.5, rel=1e-4)


def test_fewer_than_a_hundred_trees_are_not_enough(grown):
    """About exp(-1), exp(-2) and exp(-3) of 600 trees have not seen groups of one, two and three rows."""
    forest, sites, cells = grown
    groups = [np.arange(40) < size for size in (1, 2, 3)]
    found = influence(forest, sites, cells[:20], np.ones(20), groups)
    bags = forest.estimator_.estimators_samples_
    few = [sum(not group[bag].any() for bag in bags) < FEWEST_TREES for group in groups]
    assert (found["trees"] == "anew").tolist() == few == [False, True, True]


def test_no_more_forests_are_grown_than_the_limit_and_those_where_the_first_answer_is_greatest(grown, monkeypatch):
    """The trees that have seen least of a group understate what it does; the one with the outlier does most."""
    monkeypatch.setattr("mapforest.influence.NEW_FORESTS", 1)
    forest, sites, cells = grown
    groups = np.array([np.isin(np.arange(40), first + np.arange(4)) for first in (0, 5, 12)])
    found = influence(forest, sites, cells, np.ones(len(cells)), groups)
    assert found["trees"].tolist() == ["least seen", "anew", "least seen"]
    bags = forest.estimator_.estimators_samples_
    seen = [len(np.unique(bag[groups[0][bag]])) for bag in bags]
    least = np.argsort(seen, kind="stable")[:FEWEST_TREES]
    trees = np.array([tree.predict(forest.encode(cells)).mean() for tree in forest.estimator_.estimators_])
    assert found["change"][0] == pytest.approx(trees[least].mean() - trees.mean(), abs=1e-4)
    assert found["n_trees"].tolist() == [FEWEST_TREES, NEW_TREES, FEWEST_TREES]
    error = np.std(trees, ddof=1) * (1 / FEWEST_TREES - 1 / 600) ** 0.5
    assert found["change_se"][2] == pytest.approx(error, rel=1e-4)


def test_the_mean_counts_after_the_way_back_from_a_logarithm():
    sites, target, cells = land()
    forest = RandomForest(["warmth", "rain"], n_trees=300, mtry=2).fit(sites, np.log(target + 50))
    found = influence(forest, sites, cells, np.ones(300), ONE_ROW_EACH[:1], np.exp).iloc[0]
    trees = np.array([tree.predict(forest.encode(cells)) for tree in forest.estimator_.estimators_])
    unseeing = trees[[0 not in bag for bag in forest.estimator_.estimators_samples_]]
    flux = np.exp(forest.predict(cells))
    assert found["change"] == pytest.approx(np.exp(unseeing.mean(axis=0)).mean() - flux.mean(), rel=1e-3)
    scatter = np.std((trees * flux).mean(axis=1), ddof=1)  # d exp(x) = exp(x) dx
    assert found["change_se"] == pytest.approx(scatter * (1 / len(unseeing) - 1 / 300) ** 0.5, rel=1e-3)


@settings(max_examples=8)
@given(times=st.floats(1e-3, 1e6), seed=st.integers(0, 99))
def test_only_the_shares_of_the_weights_count(grown, times, seed):
    forest, sites, cells = grown
    weight = np.random.default_rng(seed).uniform(1, 5, 50)
    one, other = (
        influence(forest, sites, cells[:50], scale * weight, ONE_ROW_EACH[:6])["change"] for scale in (1.0, times)
    )
    np.testing.assert_allclose(one, other, rtol=1e-9)


@settings(max_examples=8)
@given(order=st.permutations(range(6)))
def test_the_order_of_groups_and_of_cells_changes_nothing(grown, without_each, order):
    forest, sites, cells = grown
    shuffled = cells.sample(frac=1, random_state=order[0])
    found = influence(forest, sites, shuffled, np.ones(len(cells)), ONE_ROW_EACH[order])
    expected = without_each.iloc[order].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-6)


def test_heavier_cells_count_for_more(grown):
    forest, sites, cells = grown
    cold = cells["warmth"] < 2
    heavy, light = (
        influence(forest, sites, cells, np.where(cold, weight, 1.0), ONE_ROW_EACH[7:8])["change"][0]
        for weight in (10.0, 0.1)
    )
    assert heavy < 3 * light < 0


@pytest.mark.parametrize(
    ("groups", "weights", "message"),
    [
        (ONE_ROW_EACH[:, :39], np.ones(300), "expected the 40 rows"),
        (ONE_ROW_EACH[0], np.ones(300), "a row of as many columns for each group"),
        (np.zeros((2, 40)), np.ones(300), "group 0 of left_out holds 0 of 40 rows"),
        ([[True] + 39 * [False], 39 * [True] + [False]], np.ones(300), "group 1 of left_out holds 39 of 40 rows"),
        (ONE_ROW_EACH, np.ones(299), r"weights of shape \(299,\) for 300 cells"),
        (ONE_ROW_EACH, np.r_[0.0, np.ones(299)], "above zero"),
        (ONE_ROW_EACH, np.r_[np.nan, np.ones(299)], "finite number"),
    ],
)
def test_what_does_not_fit_together_is_refused(grown, groups, weights, message):
    forest, sites, cells = grown
    with pytest.raises(ForestError, match=message):
        influence(forest, sites, cells, weights, groups)


def test_another_table_than_the_forests_is_refused(grown):
    forest, sites, cells = grown
    with pytest.raises(ForestError, match="39 rows, and left_out"):
        influence(forest, sites[:39], cells, np.ones(300), ONE_ROW_EACH)


def test_two_rows_that_remain_are_enough(grown):
    forest, sites, cells = grown
    all_but_two = np.arange(40)[np.newaxis] >= 2
    found = influence(forest, sites, cells, np.ones(300), all_but_two)
    assert found["n_rows"].tolist() == [38] and np.isfinite(found["change"]).all()


def test_neighbours_across_the_edge_of_any_grid_share_a_group():
    """Every pair of points 20 km apart is one group, wherever it lies; a grid of blocks would divide some."""
    for start in np.arange(90, 92, 0.1):
        pair = [start, start + 20 / DEGREE_KM]
        assert compact_groups([*pair, 100.0], [0.0, 0.0, 0.0], 50).tolist() == [0, 0, 1]


def test_rows_of_one_place_share_a_group_and_a_single_place_is_one_group():
    assert compact_groups([90.001, 90.0, 95.0], [30.0, 30.0, 30.0], 0.5).tolist() == [0, 0, 1]
    assert compact_groups([90.0, 90.0], [30.0, 30.0], 50).tolist() == [0, 0]


@settings(max_examples=25)
@given(places=st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=2, max_size=15), data=st.data())
def test_no_group_is_wider_than_its_width_and_the_order_of_rows_changes_nothing(places, data):
    longitude, latitude = 90 + 0.05 * np.array(places).T[0], 0.05 * np.array(places).T[1]
    group = compact_groups(longitude, latitude, 50)
    for one in np.unique(group):
        east, north = (degrees[group == one] for degrees in (longitude, latitude))
        apart = np.hypot(np.subtract.outer(east, east), np.subtract.outer(north, north)) * DEGREE_KM
        assert apart.max() < 50.1  # near the equator a degree is as long either way, to 0.1 %
    order = data.draw(st.permutations(range(len(places))))
    again = compact_groups(longitude[order], latitude[order], 50)
    together, together_again = (np.equal.outer(g, g) for g in (group[order], again))
    np.testing.assert_array_equal(together, together_again)
    assert group[0] == 0 and set(group) == set(range(group.max() + 1))
