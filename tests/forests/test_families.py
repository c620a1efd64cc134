"""The family of models: what each member is, how it is scored, where it may not go."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from helpers.config import load_config
from helpers.data.derived import miami_npp
from helpers.forests import families
from mapforest.errors import ForestError

SETTINGS = load_config("virtual", {"threads": 1, "nodesize": 2})
RNG = np.random.default_rng(3)


def made_sites(n: int = 80) -> pd.DataFrame:
    """Sites whose flux grows with rain and warmth, with some scatter."""
    table = pd.DataFrame(
        {
            "precipitation": RNG.uniform(100, 900, n),
            "temperature": RNG.uniform(-6, 8, n),
            "srad": RNG.uniform(180, 240, n),
            "land_cover": RNG.choice([10.0, 12.0], n),
            "elevation": RNG.uniform(2500, 5200, n),
            "lai": RNG.uniform(0, 4, n),
            "npp_modis": RNG.uniform(0, 600, n),
            "soc": RNG.uniform(1, 20, n),
        }
    )
    law = np.exp(3.5 + 0.002 * table["precipitation"] + 0.05 * table["temperature"])
    return table.assign(value=law * np.exp(0.1 * RNG.standard_normal(n)), in_region=True)


SITES = made_sites()
FOLD = np.arange(80) % 5
NPP = families.members(SETTINGS, "npp", 30)


@pytest.fixture(scope="module")
def scores() -> pd.DataFrame:
    places = {"region": np.ones(80, bool), "steppe": (SITES["land_cover"] == 10).to_numpy(), "none": np.zeros(80, bool)}
    return families.scored(NPP, SITES, FOLD, places, seed=1)


def test_the_family_has_the_baseline_first_and_the_papers_forest_for_npp_only():
    assert next(iter(NPP)) == families.BASELINE and families.PAPER in NPP
    assert families.PAPER not in families.members(SETTINGS, "rs", 30)
    assert len(NPP) == 7


def test_a_climate_that_no_model_sees_leaves_the_climate_models_out():
    hidden = families.members(SETTINGS.model_copy(update={"left_out": "temperature"}), "npp", 30)
    assert set(NPP) - set(hidden) == {"scaled climate model", "climate model and forest"}


def test_every_member_but_the_baseline_finds_a_law_that_is_there(scores):
    found = scores[scores["where"] == "region"].set_index("member")
    assert found.loc[families.BASELINE, ["r2_explained", "r2_low", "r2_high"]].tolist() == [0, 0, 0]
    rest = found.drop(families.BASELINE)
    assert (rest["r2_explained"] > 0.3).all() and (rest["n"] == 80).all()
    assert (rest["r2_low"] <= rest["r2_explained"]).all() and (rest["r2_explained"] <= rest["r2_high"]).all()
    assert set(families.better_than_the_mean(scores, "region")) == set(rest.index)


def test_scores_of_the_baseline_are_worked_by_hand(scores):
    flux = SITES["value"].to_numpy()
    error = np.concatenate([flux[k != FOLD].mean() - flux[k == FOLD] for k in range(5)])
    row = scores[(scores["where"] == "region") & (scores["member"] == families.BASELINE)].iloc[0]
    assert row["rmse_gC_m2_yr"] == pytest.approx(np.sqrt(np.mean(error**2)))
    assert row["bias_gC_m2_yr"] == pytest.approx(error.mean())


def test_a_place_without_a_site_is_left_out_and_another_has_its_own_rows(scores):
    assert set(scores["where"]) == {"region", "steppe"}
    assert (scores.loc[scores["where"] == "steppe", "n"] == (SITES["land_cover"] == 10).sum()).all()


def test_nothing_is_better_than_the_mean_where_there_is_no_law():
    noise = SITES.assign(value=RNG.permutation(SITES["value"]))
    found = families.scored(NPP, noise, FOLD, {"region": np.ones(80, bool)}, seed=1)
    assert families.better_than_the_mean(found, "region") == []


def test_weights_fall_with_the_error_as_if_each_fold_were_one_look(scores):
    found = scores[scores["where"] == "region"].set_index("member")
    assert found["weight"].sum() == pytest.approx(1) and found.loc[families.BASELINE, "weight"] == 0
    one, other = families.OURS, "ridge regression"
    ratio = found.loc[one, "rmse_gC_m2_yr"] / found.loc[other, "rmse_gC_m2_yr"]
    assert found.loc[one, "weight"] / found.loc[other, "weight"] == pytest.approx(ratio**-5)  # five folds


def test_the_baseline_is_the_mean_of_the_plateaus_records_where_there_are_some():
    here = np.arange(80) < 20
    make = NPP[families.BASELINE]
    assert make(0).fit(SITES.assign(in_region=here), SITES["value"]).predict(SITES[:1])[0] == pytest.approx(
        SITES["value"][:20].mean()
    )
    elsewhere = make(0).fit(SITES.assign(in_region=False), SITES["value"]).predict(SITES[:1])[0]
    assert elsewhere == pytest.approx(SITES["value"].mean())


def test_a_scaled_model_is_the_model_times_the_ratio_of_the_means():
    climate = {name: SITES[name].to_xarray() for name in ("precipitation", "temperature")}
    law = miami_npp(**climate).to_numpy()
    found = NPP["scaled climate model"](0).fit(SITES, SITES["value"]).predict(SITES)
    assert found == pytest.approx(law * SITES["value"].mean() / law.mean())


def test_logarithms_are_brought_back_with_the_mean_of_the_flux():
    """A plain exponential of lognormal noise with sd 0.8 is too low by a quarter."""
    flux = np.exp(0.8 * np.random.default_rng(0).standard_normal(400))
    model = families.OnLogs(NPP["ridge regression"](0).estimator).fit(made_sites(400), flux)
    assert model.predict(made_sites(400)).mean() == pytest.approx(flux.mean(), rel=0.1)


def test_a_flux_without_a_logarithm_is_refused():
    with pytest.raises(ForestError, match="1 fluxes are not above zero"):
        NPP[families.OURS](0).fit(SITES, SITES["value"].where(SITES.index > 0, 0.0))


def test_boosting_never_takes_flux_away_for_more_rain_or_warmth():
    model = NPP["monotone boosting"](0).fit(SITES, SITES["value"])
    for name in families.RISING:
        steps = pd.concat([SITES.iloc[[7]]] * 50).assign(
            **{name: np.linspace(SITES[name].min(), SITES[name].max(), 50)}
        )
        assert (np.diff(model.predict(steps)) >= -1e-9).all()


@pytest.mark.parametrize("member", ["ridge regression", "monotone boosting", families.OURS])
def test_no_fitted_member_goes_on_beyond_the_records(member):
    model = NPP[member](0).fit(SITES, SITES["value"])
    wettest = pd.concat([SITES.iloc[[7]]] * 2).assign(precipitation=[SITES["precipitation"].max(), 5000.0])
    assert np.diff(model.predict(wettest)) == pytest.approx(0, abs=1e-9)


def test_maps_are_of_all_members_but_the_baseline():
    found = families.maps(NPP, SITES, SITES[:5], seed=1)
    assert list(found) == list(NPP)[1:] and all(len(field) == 5 for field in found.values())


def test_maps_come_back_to_the_grid_as_means_over_the_years_and_without_water():
    cells = pd.DataFrame({"latitude": [30.0, 30, 31, 31], "longitude": 90.0, "area": [1.0, 1.0, 2.0, 0.0]})
    cells.loc[3, "longitude"] = 91.0
    found = families.as_fields(cells, {"npp": {"a": np.array([1.0, 3, 5, 9])}, "rs": {"b": np.array([2.0, 4, 6, 9])}})
    assert found["npp"].sel(member="a").values.tolist() == [[5.0], [2.0]]
    assert found["latitude"].values.tolist() == [31, 30] and found["longitude"].values.tolist() == [90]
    assert found["npp"].sel(member="b").isnull().all() and found["rs"].sel(member="b", latitude=30).item() == 3
