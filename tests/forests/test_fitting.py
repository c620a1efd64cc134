"""The steps from a training table to a map that both forests share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from helpers.forests import fitting


@pytest.fixture(scope="module")
def grown(settings, table):
    return fitting.grow(settings, "rs", table)


def test_the_second_forest_is_fitted_to_the_logarithm(grown, table):
    _, fitted = grown
    assert fitted["in_sample"].between(table["ln_rs"].min(), table["ln_rs"].max()).all()


def test_a_forest_has_the_trees_and_predictors_of_the_settings(settings, table):
    forest, _ = fitting.grow(settings.model_copy(update={"left_out": "soc"}), "rs", table)
    assert forest.n_trees == 30 and "soc" not in forest.predictors


def test_what_a_forest_fits_is_closer_than_what_it_has_not_seen(grown, table):
    _, fitted = grown
    error = (fitted[["in_sample", "out_of_bag"]].sub(table["ln_rs"], axis=0) ** 2).mean()
    assert error["in_sample"] < 0.7 * error["out_of_bag"]


def test_scores_name_their_model_and_unit_first(scored):
    _, scores = scored["npp"]
    assert list(scores.columns[:2]) == ["model", "unit"]
    assert set(scores["model"]) == {"NPP"} and set(scores["unit"]) == {"gC_m2_yr"}


def test_the_fast_way_keeps_the_distance_matched_folds_and_every_seed(settings, table, cube):
    quick = settings.model_copy(update={"validation_schemes": "fast", "validation_seeds": 2})
    predictions, scores = fitting.validate(quick, "npp", table, cube)
    assert {"knndm", "in_sample"} <= set(scores["scheme"]) and "random" not in set(scores["scheme"])
    assert set(predictions["seed"]) == {settings.seed, settings.seed + 1} and (scores["n_seeds"] == 2).all()


def test_the_overview_has_a_row_for_each_scheme_and_a_column_for_each_metric(scored):
    _, scores = scored["npp"]
    shown = fitting.overview(scores, metrics=("r", "rmse"))
    assert list(shown) == ["r", "rmse"]
    assert len(shown) == len(scores.drop_duplicates(["scheme", "part"]))


def test_folds_come_in_the_order_of_the_table_whatever_that_of_the_predictions():
    rows = {"scheme": "knndm", "seed": [1, 1, 1, 2, 2, 2], "row": [0, 1, 2] * 2, "fold": [5, 6, 7, 8, 8, 8]}
    predictions = pd.DataFrame(rows).sample(frac=1, random_state=2)
    assert fitting.fold_numbers(predictions, "knndm", 1).tolist() == [5, 6, 7]


def test_land_cover_of_sites_and_plateau_is_shared_out(cube, table):
    shares = fitting.site_balance(cube, table).set_index("land_cover")[["site_share", "map_share"]]
    assert shares.loc[16, "site_share"] == 0 and shares.loc[16, "map_share"] > 0
    np.testing.assert_allclose(shares.sum(), 1)


def test_no_cell_of_a_class_without_a_site_is_applicable(settings, cube, grown, table, scored):
    forest, _ = grown
    predictions, _ = scored["rs"]
    cells = fitting.applicable_cells(settings, forest, table, predictions, cube)
    assert cells.any() and not cells.where(cube["land_cover"] == 16, False).any()


def test_shares_are_of_the_plateaus_area_not_of_its_cells(cube):
    south = cube["plateau"] & (cube["latitude"] < 29)
    weight = cube["cell_area"].where(cube["plateau"], 0).sum("longitude")
    expected = float(weight[-1] / weight.sum())
    assert fitting.area_share(south, cube) == pytest.approx(expected) and expected > 0.1


def test_a_map_carries_the_name_and_the_units_of_its_flux(cube):
    flux = fitting.as_flux(cube["lai"], "rs", source="a forest")
    assert (flux.name, flux.attrs["units"], flux.attrs["long_name"]) == ("rs", "g C m-2 yr-1", "soil respiration")
