"""The forests: R's parameters, names, classes, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from helpers.config import load_config
from helpers.sites import training
from mapforest.errors import ForestError
from mapforest.forest import RandomForest, minimum_split

PREDICTORS = ["precipitation", "temperature", "land_cover"]


def made_table(n=200, seed=0):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "precipitation": rng.uniform(50, 1000, n),
            "temperature": rng.uniform(-8, 12, n),
            "land_cover": rng.choice([1.0, 10.0, 16.0], n),
        }
    )
    effect = table["land_cover"].map({1.0: 500.0, 10.0: 200.0, 16.0: 0.0})
    return table, effect + 0.3 * table["precipitation"] + rng.normal(0, 20, n)


def grown(encoding="target_mean", **options):
    table, target = made_table()
    settings = {"n_trees": 60, "mtry": 2, "seed": 1} | options
    return RandomForest(PREDICTORS, land_cover_encoding=encoding, **settings).fit(table, target), table, target


@pytest.mark.parametrize("encoding", ["target_mean", "integer", "one_hot"])
def test_forest_learns_climate_and_classes(encoding):
    forest, _, _ = grown(encoding)
    new, target = made_table(seed=9)
    assert np.corrcoef(forest.predict(new), target)[0, 1] > 0.95


def test_columns_are_found_by_name_in_any_order():
    forest, table, _ = grown()
    np.testing.assert_array_equal(
        forest.predict(table), forest.predict(table[["land_cover", "temperature", "precipitation"]])
    )


def test_threads_do_not_change_the_prediction():
    one, table, _ = grown(threads=1)
    two, _, _ = grown(threads=2)
    np.testing.assert_array_equal(one.predict(table), two.predict(table))


def test_another_seed_grows_another_forest():
    one, table, _ = grown(seed=1)
    other, _, _ = grown(seed=2)
    assert np.abs(one.predict(table) - other.predict(table)).max() > 1e-6


def test_out_of_bag_errors_exceed_in_sample_errors():
    forest, table, target = grown()
    assert np.std(forest.oob_prediction - target) > 1.3 * np.std(forest.predict(table) - target)


def test_out_of_bag_prediction_is_scikit_learns():
    forest, table, target = grown()
    reference = forest.estimator.set_params(oob_score=True, warm_start=False).fit(forest.encode(table), target)
    np.testing.assert_allclose(forest.oob_prediction, reference.oob_prediction_, rtol=1e-12)


def test_a_row_that_every_tree_saw_has_no_out_of_bag_prediction():
    forest, _, _ = grown(n_trees=1)
    assert 0.5 < np.isnan(forest.oob_prediction).mean() < 0.75


def test_importance_names_the_predictors_and_sums_to_one():
    forest, _, _ = grown("one_hot")
    assert forest.importance["predictor"].tolist() == ["land_cover", "precipitation", "temperature"]
    assert forest.importance["importance"].sum() == pytest.approx(1)


def test_larger_nodesize_gives_shallower_trees():
    leaves = [np.mean([tree.get_n_leaves() for tree in grown(nodesize=size)[0].estimator]) for size in (1, 5, 20)]
    assert leaves[0] > leaves[1] > leaves[2]


@pytest.mark.parametrize(("nodesize", "expected"), [(1, 2), (5, 4), (10, 7), (20, 13)])
def test_nodesize_counts_bootstrap_repeats(nodesize, expected):
    assert minimum_split(nodesize) == expected


def test_unseen_class_is_named_and_predicted_without_an_effect_of_its_own():
    forest, table, target = grown("target_mean")
    snow = table.assign(land_cover=15.0)
    assert forest.unseen_classes(snow) == [15]
    np.testing.assert_array_equal(forest.encode(snow)[:, 2], np.float32(target.mean()))


def test_missing_predictor_is_named():
    forest, table, _ = grown()
    with pytest.raises(ForestError, match="lacks the predictors .'temperature'."):
        forest.predict(table.drop(columns="temperature"))


def test_missing_value_at_prediction_names_predictor_and_row():
    forest, table, _ = grown()
    table.loc[17, "precipitation"] = np.nan
    with pytest.raises(ForestError, match=r"'precipitation' is missing or infinite in 1 rows, first \[17\]"):
        forest.predict(table)


def test_missing_target_is_refused():
    table, target = made_table()
    target[3] = np.nan
    with pytest.raises(ForestError, match=r"target is missing or infinite in rows \[3\]"):
        RandomForest(PREDICTORS, n_trees=5, mtry=2).fit(table, target)


def test_text_where_numbers_belong_is_refused():
    table, target = made_table()
    with pytest.raises(ForestError, match="'land_cover' is of type .*; expected numbers"):
        RandomForest(PREDICTORS, n_trees=5, mtry=2).fit(table.assign(land_cover="grass"), target)


@pytest.mark.parametrize("mtry", [0, 4])
def test_mtry_beyond_the_predictors_is_refused(mtry):
    with pytest.raises(ForestError, match="expected 1 to 3"):
        RandomForest(PREDICTORS, mtry=mtry)


def test_forest_that_is_not_grown_says_so():
    with pytest.raises(ForestError, match="call fit first"):
        RandomForest(PREDICTORS, mtry=2).predict(made_table()[0])


@pytest.mark.parametrize(("left_out", "npp", "rs"), [("none", 7, 8), ("soc", 7, 7), ("lai", 6, 7)])
def test_a_predictor_left_out_is_seen_by_neither_forest(left_out, npp, rs):
    chosen = load_config("virtual", {"left_out": left_out})
    seen = {variable: training.predictors(chosen, variable) for variable in ("npp", "rs")}
    assert (len(seen["npp"]), len(seen["rs"])) == (npp, rs) and left_out not in seen["npp"] + seen["rs"]


def test_mtry_is_at_most_the_number_of_predictors_that_are_left():
    chosen = load_config("virtual", {"left_out": "lai", "npp_mtry": 7, "rs_mtry": 3})
    mtry = [training.from_settings(chosen, variable, 10, 1).mtry for variable in ("npp", "rs")]
    assert mtry == [6, 3]
