"""The steps from a training table to a map that both forests share."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

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
    assert list(shown) == ["r", "rmse_gC_m2_yr"]
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
    south = cube["in_region"] & (cube["latitude"] < 29)
    weight = cube["cell_area"].where(cube["in_region"], 0).sum("longitude")
    expected = float(weight[-1] / weight.sum())
    assert fitting.area_share(south, cube["in_region"], cube["cell_area"]) == pytest.approx(expected) and expected > 0.1
    predicted = cube["in_region"] & (cube["latitude"] < 30)
    of_two_rows = float(weight[-1] / weight[-2:].sum())
    assert fitting.area_share(south, predicted, cube["cell_area"]) == pytest.approx(of_two_rows)


ROWS = pd.DataFrame({"ln_npp": np.log([80.0, 140.0]), "ln_rs": np.log([80.0, 140.0]), "out_of_bag": np.log(100.0)})


def test_a_map_carries_the_name_and_the_units_of_its_flux(settings):
    flux = fitting.as_flux(settings, "rs", xr.DataArray(np.log(500.0)), ROWS)
    assert (flux.name, flux.attrs["units"], flux.attrs["long_name"]) == ("rs", "g C m-2 yr-1", "soil respiration")
    assert float(flux) == pytest.approx(500.0)


@pytest.mark.parametrize(
    ("name", "choices", "flux"),
    [
        ("npp", {}, np.log(500.0)),
        ("npp", {"back_transformation": "smearing"}, np.log(500.0)),
        ("npp", {"npp_scale": "log"}, 500.0),
        ("npp", {"npp_scale": "log", "back_transformation": "smearing"}, 550.0),
        ("rs", {"back_transformation": "smearing"}, 550.0),
    ],
)
def test_a_logarithm_is_brought_back_as_the_parameters_say(settings, name, choices, flux):
    """Residuals ln 0.8 and ln 1.4: Duan's factor is 1.1."""
    chosen = settings.model_copy(update=choices)
    assert float(fitting.as_flux(chosen, name, xr.DataArray(np.log(500.0)), ROWS)) == pytest.approx(flux)
    if name == "npp":
        expected = ROWS["out_of_bag"] if "npp_scale" not in choices else np.full(2, 100 * flux / 500)
        np.testing.assert_allclose(fitting.out_of_bag_npp(chosen, ROWS), expected)


@pytest.fixture(scope="module")
def land(table):
    """Twenty sites of one record each, with names; the last has a value ten times too large."""
    named = table[::3].reset_index(drop=True)
    named = named.assign(site=[f"site {i}" for i in range(20)], source="here", reference="Author")
    named.loc[19, "value"] *= 10
    return named.assign(ln_rs=np.log(named["value"]))


def without(settings, name, land, cube):
    """Return the table of a forest with many trees: a third of them has not seen a record."""
    forest, fitted = fitting.grow(settings.model_copy(update={"n_trees": 400}), name, land)
    return fitting.influential_records(settings, name, forest, fitted, cube, mean=500.0)


@pytest.fixture(scope="module")
def found(settings, land, cube):
    return without(settings, "npp", land, cube)


def test_the_site_with_the_wrong_value_is_named_first(found, land):
    first = found.iloc[0]
    assert (first["records"], first["n_rows"], first["n_sites"]) == ("site 19", 1, 1)
    assert (first["longitude"], first["latitude"]) == (land["longitude"][19], land["latitude"][19])
    assert first["flux_gC_m2_yr"] == land["value"][19]
    assert first["change_gC_m2_yr"] < -5 * first["change_se_gC_m2_yr"]
    assert first["mean_without_gC_m2_yr"] == pytest.approx(500.0 + first["change_gC_m2_yr"])
    assert found["change_gC_m2_yr"].abs().is_monotonic_decreasing
    assert set(found["land_cover"]) <= {"grassland", "cropland"}


def test_sites_a_degree_apart_are_left_out_one_by_one_and_each_once(found):
    assert (found["n_sites"] == 1).all() and found["records"].is_unique and len(found) == 20


def test_sites_within_fifty_kilometres_are_also_left_out_together(settings, land, cube):
    near = land.copy()
    near.loc[19, ["longitude", "latitude"]] = near.loc[0, "longitude"] + 0.2, near.loc[0, "latitude"]
    found = without(settings, "npp", near.assign(record=[f"A {i}" for i in range(20)]), cube)
    (both,) = found[found["n_sites"] == 2].to_dict("records")
    assert both["records"] == "A 0; A 19" and both["n_rows"] == 2 and len(found) == 21


def test_a_change_of_the_second_forest_is_one_of_the_flux_not_of_its_logarithm(settings, land, cube):
    plain, smeared = (
        without(settings.model_copy(update={"back_transformation": how}), "rs", land, cube).set_index("records")
        for how in ("exponential", "smearing")
    )
    assert plain["change_gC_m2_yr"].iloc[0] < -20
    ratio = smeared["change_gC_m2_yr"] / plain["change_gC_m2_yr"]
    assert ratio.std() < 1e-6 and ratio.mean() > 1.01


def test_each_cell_of_a_yearly_cube_stands_in_one_of_its_years(settings, land, cube, found):
    """Both years are the same here, so that the years change nothing."""
    yearly = cube.assign(lai=cube["lai"].expand_dims(time=[2000, 2001]))
    again = without(settings, "npp", land, yearly)
    np.testing.assert_allclose(again["change_gC_m2_yr"], found["change_gC_m2_yr"])
