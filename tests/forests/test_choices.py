"""Which sites train our estimate: the choice with the least error at held-back sites of the plateau, if surely less."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from helpers.config import NPP_PREDICTORS, load_config
from helpers.forests.choices import TrainedOn, training_choices
from helpers.forests.families import Scaled

SETTINGS = load_config("virtual", {"threads": 1, "validation_trees": 30, "n_folds": 4})
LONGITUDE, LATITUDE = np.arange(76, 104, 1.0), np.arange(38, 28, -1.0)


def world_of_rain() -> xr.Dataset:
    """A box in which rain rises to the east and decides the flux; the plateau is its western half."""
    rain = np.broadcast_to(np.linspace(100, 1500, len(LONGITUDE)), (len(LATITUDE), len(LONGITUDE)))
    axes = {"latitude": LATITUDE, "longitude": LONGITUDE}
    cube = xr.Dataset({name: (tuple(axes), np.ones(rain.shape)) for name in NPP_PREDICTORS}, coords=axes)
    return cube.assign(precipitation=(tuple(axes), rain), cell_area=(tuple(axes), np.full(rain.shape, 1e4)))


CUBE = world_of_rain()


def observed(n: int, east: float, scatter: float = 0.02) -> pd.DataFrame:
    """Records of NPP, a quarter of them on the plateau, whose flux is the rain times a factor beyond the plateau."""
    rng = np.random.default_rng(4)
    column = np.concatenate([rng.integers(0, 14, n // 4), rng.integers(14, 28, n - n // 4)])
    row = rng.integers(0, len(LATITUDE), n)
    here = column < 14
    flux = CUBE["precipitation"].to_numpy()[row, column] * np.where(here, 1.0, east)
    return pd.DataFrame(
        {
            "variable": "npp",
            "value": flux * np.exp(scatter * rng.standard_normal(n)),
            "longitude": LONGITUDE[column],
            "latitude": LATITUDE[row],
            "year": 2000.0,
            "site": [f"{r}-{c}" for r, c in zip(row, column, strict=True)],
            "in_region": here,
            "in_surroundings": True,
            **dict.fromkeys(("source", "reference", "treatment", "vegetation"), "made up"),
            **{"unit": "g C m-2 yr-1", "quality": "", "possible_duplicate": False},
        }
    )


def cells() -> pd.DataFrame:
    """The cells of the plateau, each once."""
    table = CUBE.isel(longitude=slice(0, 14)).to_dataframe().reset_index()
    return table.assign(area=table["cell_area"])


def compared(used: pd.DataFrame, settings=SETTINGS) -> tuple[pd.DataFrame, pd.DataFrame]:
    return training_choices(settings, "npp", CUBE, used, cells())


def test_sites_elsewhere_that_follow_another_law_are_not_taken():
    choices, table = compared(observed(240, east=0.1))
    of_domain = choices.groupby("training_domain")["rmse_gC_m2_yr"].min()
    assert of_domain["surroundings"] > of_domain["region"]
    assert table["in_region"].all()
    assert choices.loc[choices["chosen"], "training_domain"].tolist() == ["region"]


def test_sites_elsewhere_that_help_are_taken_and_the_least_error_counts():
    """Six records of the plateau do not tell its law, 200 beside it do."""
    used = observed(240, east=1.0)
    few = pd.concat([used[used["in_region"]].iloc[::10], used[~used["in_region"]].assign(in_region=False)])
    # The east gets the plateau's climates too: rain that its neighbours have is the same law there.
    moved = few.assign(longitude=few["longitude"].where(few["in_region"], 76 + (few["longitude"] - 90) % 14))
    columns = (moved["longitude"] - 76).astype(int).to_numpy()
    rain = CUBE["precipitation"].to_numpy()[0, columns]
    moved = moved.assign(value=rain, site=moved["longitude"].astype(str) + "-" + moved["latitude"].astype(str))
    moved = moved.assign(in_region=moved.index < 60)
    choices, table = compared(moved)
    chosen = choices[choices["chosen"]].iloc[0]
    assert chosen["training_domain"] == "surroundings" and chosen["gain_low"] > 0
    sure = choices[choices["gain_low"] > 0]
    assert chosen["rmse_gC_m2_yr"] == sure["rmse_gC_m2_yr"].min()
    assert len(table) == chosen["n_rows"] and not table["in_region"].all()


def test_the_runs_own_choice_comes_first_and_is_what_the_others_are_compared_with():
    own = SETTINGS.model_copy(update={"npp_aggregation": "site_median"})
    choices, _ = compared(observed(160, east=1.0), own)
    assert choices["of_the_run"].tolist() == [True, False, False, False, False]
    first = choices.iloc[0]
    assert (first["aggregation"], first["gain"], first["gain_low"], first["gain_high"]) == ("site_median", 0, 0, 0)
    assert choices["chosen"].sum() == 1
    ratio = (choices["rmse_gC_m2_yr"] / first["rmse_gC_m2_yr"]) ** 2
    assert choices["gain"].to_numpy() == pytest.approx(1 - ratio.to_numpy())


def test_a_region_without_surroundings_has_one_domain():
    alone = SETTINGS.model_copy(update={"region": SETTINGS.region.model_copy(update={"surroundings": None})})
    used = observed(160, east=1.0)
    choices, _ = compared(used[used["in_region"]], alone)
    assert choices["training_domain"].tolist() == ["region", "region"]
    assert (choices["n"] == choices["n_sites"]).all()


def test_all_choices_are_judged_at_each_site_of_the_plateau_once():
    used = observed(160, east=1.0)
    twice = pd.concat([used, used[used["in_region"]]], ignore_index=True)
    choices, _ = compared(twice)
    sites = used.loc[used["in_region"], "site"].nunique()
    assert (choices["n"] == sites).all()
    rows = choices.set_index(["training_domain", "aggregation"])["n_rows"]
    assert rows["region", "rows"] == 2 * used["in_region"].sum() and rows["region", "site_mean"] == sites


def crowded() -> pd.DataFrame:
    """Records of which those of the plateau lie in one corner, at two sites: one fold holds them all."""
    used = observed(160, east=1.0)
    here = used["in_region"].to_numpy()
    corner = used.assign(
        longitude=used["longitude"].mask(here, LONGITUDE[0]),
        latitude=used["latitude"].mask(here, LATITUDE[0] - (np.arange(len(used)) % 2)),
    )
    return corner.assign(site=corner["longitude"].astype(str) + "-" + corner["latitude"].astype(str))


def test_a_choice_whose_rows_one_fold_holds_is_listed_without_a_score_and_not_chosen():
    choices, table = compared(crowded(), SETTINGS.model_copy(update={"training_domain": "surroundings"}))
    plateau = choices["training_domain"] == "region"
    assert choices.loc[plateau, ["n", "rmse_gC_m2_yr", "gain"]].isna().all(axis=None)
    assert choices.loc[~plateau, ["n", "rmse_gC_m2_yr", "gain"]].notna().all(axis=None)
    assert choices["map_mean_gC_m2_yr"].notna().all() and not choices.loc[plateau, "chosen"].any()
    assert not table["in_region"].all()


def test_where_the_runs_own_choice_cannot_be_judged_it_stays():
    choices, table = compared(crowded())
    assert choices["gain"].isna().all() and choices["chosen"].equals(choices["of_the_run"])
    assert table["in_region"].all() and len(table) == choices.loc[choices["chosen"], "n_rows"].item()


def test_a_model_sees_its_own_rows_of_the_sites_that_are_not_held_back():
    rows = pd.DataFrame({"site": ["a", "a", "b", "c"], "value": [1.0, 3.0, 10.0, 100.0]})
    sites = pd.DataFrame({"site": ["a", "b"]})
    model = TrainedOn(Scaled(), rows).fit(sites, np.array([7.0, 7.0]))
    assert model.predict(sites) == pytest.approx([14 / 3] * 2)
