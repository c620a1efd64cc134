"""What is asked of both forests: how far, how unlike, how sure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from helpers.config import NPP_PREDICTORS, RS_PREDICTORS
from helpers.errors import DataError
from helpers.forests import checks, fitting
from mapforest import applicability, intervals
from mapforest.cells import map_table


@pytest.fixture(scope="module")
def forests(settings, table, scored):
    return {
        name: checks.grown_again(settings, name, table, predictions.sample(frac=1, random_state=5))
        for name, (predictions, _) in scored.items()
    }


@pytest.fixture(scope="module")
def cells(cube):
    return map_table(cube, ["cell_area", *RS_PREDICTORS], cube["in_region"])


@pytest.fixture(scope="module")
def judged(forests, cells, scored):
    scores = pd.concat([scores for _, scores in scored.values()], ignore_index=True)
    return checks.applicability_by_scheme(forests, cells, scores, threads=1)


def test_a_forest_is_the_one_that_its_notebook_grew(settings, table, forests):
    _, fitted = fitting.grow(settings, "rs", table)
    np.testing.assert_array_equal(forests["rs"].model.predict(table), fitted["in_sample"])


def test_held_back_pairs_stand_in_the_order_of_the_table(table, forests):
    np.testing.assert_array_equal(forests["npp"].matched["observed"], table["value"])
    assert forests["rs"].label == "ln Rs"


def only_matched(scored, name):
    """Return predictions and scores as a run with ``validation_schemes`` fast leaves them."""
    return [
        part[~part["scheme"].isin(["random", "site", "region"]) & ~part["scheme"].str.startswith("block")]
        for part in scored[name]
    ]


def test_a_forest_of_a_fast_run_has_the_folds_that_there_are(settings, table, scored, forests, cells):
    predictions, scores = only_matched(scored, "npp")
    fast = checks.grown_again(settings, "npp", table, predictions)
    assert list(fast.folds) == ["knndm"]
    shown, spaces = checks.applicability_by_scheme({"npp": fast}, cells, scores, threads=1)
    assert shown["scheme"].tolist() == ["knndm", "knndm"] and shown["usable_share"].notna().all()
    every, _ = checks.applicability_by_scheme({"npp": forests["npp"]}, cells, scored["npp"][1], threads=1)
    assert spaces["npp"].threshold == every.set_index("scheme").loc["knndm", "threshold"].iloc[0]


def test_random_folds_are_told_in_words_with_units_or_as_not_tried(settings, table, scored, forests, cells):
    predictions, scores = only_matched(scored, "npp")
    fast = checks.grown_again(settings, "npp", table, predictions)
    distances = {"NPP": checks.distances(forests["npp"], cells)}
    summary = checks.distance_summary(distances)
    assert set(checks.random_folds_in_words(fast, scores, summary).values()) == {"not tried"}
    words = checks.random_folds_in_words(forests["npp"], scored["npp"][1], summary)
    row = scored["npp"][1].query("scheme == 'random' and metric == 'r2_explained'").iloc[0]
    near = distances["NPP"].query("kind == 'random folds'")["distance_km"].median()
    assert (words["r2"], words["km"]) == (f"{row['value']:.2f}", f"{near:.0f} km")
    assert float(words["w_km"]) == round(summary.query("kind == 'random folds'")["wasserstein_km"].iloc[0])


def test_a_level_that_too_few_rows_vouch_for_is_refused_before_a_forest_grows(settings, table, scored):
    predictions, _ = scored["rs"]
    fold = fitting.fold_numbers(predictions, "knndm", settings.seed)
    rows = len(fold) - np.bincount(fold).max()
    most = np.floor(1000 * rows / (rows + 1)) / 1000
    checks.grown_again(settings.model_copy(update={"interval_level": most}), "rs", table, predictions)
    too_high = settings.model_copy(update={"interval_level": most + 0.002})
    with pytest.raises(DataError, match=f"interval_level is .* {rows} of 60 rows of ln Rs .* choose at most {most:g}"):
        checks.grown_again(too_high, "rs", table, predictions)


def test_the_summary_gives_the_median_of_each_kind_of_distance(forests, cells):
    distances = {forest.label: checks.distances(forest, cells) for forest in forests.values()}
    summary = checks.distance_summary(distances).set_index(["model", "kind"])
    kind = distances["NPP"].query("kind == 'random folds'")
    assert summary.loc[("NPP", "random folds"), "median_km"] == kind["distance_km"].median()
    assert summary.loc[("ln Rs", "prediction to sample"), "wasserstein_km"] == 0


def test_only_what_a_forest_sees_is_shuffled(settings, forests):
    found = checks.importance_elsewhere(settings, forests["npp"])
    assert set(found["predictor"]) == set(NPP_PREDICTORS) and set(found["model"]) == {"NPP"}
    assert found["predictor"][0] == "lai"


def test_effects_are_of_the_continuous_predictors_with_their_units(forests, cube):
    found = checks.local_effects(forests["rs"], cube)
    assert set(found["predictor"]) == set(RS_PREDICTORS) - {"land_cover"} and set(found["units"]) == {"1"}


def test_shares_of_use_are_weighted_by_area(judged, forests, cells):
    table, spaces = judged
    row = table[(table["model"] == "NPP") & (table["scheme"] == "knndm")].iloc[0]
    usable = applicability.usable(spaces["npp"], cells)
    assert row["usable_share"] == pytest.approx(cells.loc[usable, "cell_area"].sum() / cells["cell_area"].sum())
    barren = cells["land_cover"] == 16
    assert row["class_without_site_share"] == pytest.approx(
        cells.loc[barren, "cell_area"].sum() / cells["cell_area"].sum()
    )


def test_a_place_is_usable_where_both_forests_are(judged, cells):
    table, spaces = judged
    both = applicability.usable(spaces["npp"], cells) & applicability.usable(spaces["rs"], cells)
    np.testing.assert_array_equal(checks.usable(spaces, cells), both)
    assert table.iloc[-1]["usable_share"] == pytest.approx(np.average(both, weights=cells["cell_area"]))


def test_each_error_has_the_unit_of_its_forest(judged):
    table, _ = judged
    units = table.groupby("model")["unit"].first()
    assert units["NPP"] == "gC_m2_yr" and units["ln Rs"] == "ln_gC_m2_yr"


def test_the_use_map_names_a_class_without_a_site_before_a_distance(judged, cells, cube):
    _, spaces = judged
    far = {name: np.where(cells["longitude"] > 85, 1e6, 0.0) for name in spaces}
    use = checks.use_map(spaces, far, cells, cube["in_region"])
    at = {code: use.where(use == code, drop=True)["longitude"].to_numpy() for code in (0, 1, 2)}
    assert at[0].max() < 85 < at[1].min() and at[1].max() < 92 < at[2].min()


def test_intervals_are_checked_out_of_bag_and_under_matched_folds(settings, forests):
    rows, _ = checks.check_intervals(settings.model_copy(update={"validation_trees": 30}), forests["npp"])
    assert list(rows.columns[:2]) == ["model", "check"] and rows["check"].tolist() == ["out of bag", checks.MATCHED]
    assert (rows["level"] == 0.8).all() and rows["coverage"].between(0.3, 1).all()
    assert (rows["unit"] == "gC_m2_yr").all()


def test_the_map_of_intervals_takes_the_margin_of_the_matched_folds(settings, forests, cube):
    forest = forests["npp"]
    grown = intervals.grow(forest.model)
    margins = pd.DataFrame({"model": "NPP", "check": ["out of bag", checks.MATCHED], "margin": [7.0, 100.0]})
    plain, wide = (
        checks.interval_limits(settings, {"npp": grown}, margins.assign(margin=margins["margin"] * times), cube)
        for times in (0, 1)
    )
    grew = (wide["npp_upper"] - wide["npp_lower"]) - (plain["npp_upper"] - plain["npp_lower"])
    np.testing.assert_allclose(grew.to_numpy()[np.isfinite(grew)], 200.0, rtol=1e-4)


def test_no_error_is_expected_beyond_the_dissimilarity_that_was_tried(judged, forests, cells, cube):
    _, spaces = judged
    tried = spaces["npp"].training_di.max()
    index = np.where(cells["longitude"] > 85, 1.01 * tried, 0.5 * tried)
    found = checks.expected_error(forests["npp"], spaces["npp"], index, cells, cube["in_region"])
    known = found["longitude"][found.notnull().any("latitude").to_numpy()]
    assert known.max() < 85 < cells["longitude"].max() and float(found.min()) > 0


@pytest.mark.parametrize("rows", [15, checks.WINDOW])
def test_where_records_fill_no_second_window_the_error_to_expect_is_that_of_all(rows, forests, judged, cells, cube):
    _, spaces = judged
    pairs = forests["npp"].matched.iloc[:rows]
    few = replace(forests["npp"], matched=pairs)
    space = replace(spaces["npp"], training_di=spaces["npp"].training_di[:rows])
    found = checks.expected_error(few, space, np.zeros(len(cells)), cells, cube["in_region"])
    rmse = np.sqrt(np.mean((pairs["observed"] - pairs["predicted"]) ** 2))
    assert found.to_numpy()[cube["in_region"].to_numpy()] == pytest.approx(rmse)
