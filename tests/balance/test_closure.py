"""Laws of a carbon balance, on maps of four cells that can be checked by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from helpers.balance.closure import BARE_FLUX, INVENTORY_YEARS, closure_table, side_by_side
from helpers.errors import DataError

GRID = {"latitude": [31.0, 30.0], "longitude": [90.0, 91.0]}


def field(*values: float) -> xr.DataArray:
    """Return a map of the four cells: north-west, north-east, south-west, south-east."""
    return xr.DataArray(np.reshape(values, (2, 2)).astype(float), GRID, ("latitude", "longitude"))


@pytest.fixture
def cube() -> xr.Dataset:
    """Grass in the west, bare ground and ice in the east; the southern cells are three times as large."""
    return xr.Dataset(
        {
            "cell_area": field(1e5, 1e5, 3e5, 3e5),
            "in_region": field(1, 1, 1, 1).astype(bool),
            "land_cover": field(10, 16, 10, 15),
            "soc": field(2, 1, 4, 1),
        }
    )


def estimate(**changes: xr.DataArray) -> dict[str, xr.DataArray]:
    """Return an estimate: Rs is twice Rh; NEP is -200, 0, -100 and +10."""
    maps = {"npp": field(100, 40, 300, 60), "rs": field(600, 80, 800, 100), "rh": field(300, 40, 400, 50)} | changes
    return {"nep": maps["npp"] - maps["rh"]} | maps


def table(cube: xr.Dataset, **options: object) -> pd.DataFrame:
    return closure_table({"ours": estimate()}, cube, **options).set_index("bounds")


def towers(npp: list[float], gpp: list[float], rs: list[float], reco: list[float]) -> pd.DataFrame:
    measured = {"gpp_gC_m2_yr": gpp, "reco_gC_m2_yr": reco}
    return pd.DataFrame(measured | {"cell_npp_gC_m2_yr": npp, "cell_rs_gC_m2_yr": rs})


def test_rh_is_a_part_of_rs_by_area(cube):
    """Rh adds up to 0.3e8 + 0.04e8 + 1.2e8 + 0.15e8, Rs to twice that."""
    row = table(cube).loc["Rh / Rs"]
    assert (row["value"], row["high"], row["breach_share"], row["holds"]) == (0.5, 1.0, 0.0, "yes")


def test_a_cell_whose_microbes_give_off_more_than_its_soil_is_counted_by_area(cube):
    maps = estimate(rs=field(600, 39, 800, 100))
    row = closure_table({"ours": maps}, cube).set_index("bounds").loc["Rh / Rs"]
    assert row["breach_share"] == pytest.approx(1 / 8) and row["holds"] == "yes"


def test_a_source_of_the_grassland_is_compared_with_the_inventories(cube):
    """NEP of the grass: (-200 x 1 - 100 x 3) / 4 = -125; both cells lose more than 36.5."""
    row = table(cube).loc["NEP of grassland"]
    assert (row["value"], row["low"], row["breach_share"], row["holds"]) == (-125.0, -36.5, 1.0, "no")
    assert np.isnan(row["high"])


def test_the_soil_lasts_its_carbon_over_the_source(cube):
    """2 kg m-2 / 200 g m-2 yr-1 = 10 yr on 1 of 8 parts of the area; 4 kg / 100 g = 40 yr on 3; the others gain."""
    row = table(cube).loc["years until a source has used it up, median"]
    assert 10 < row["value"] <= 40 and row["low"] == INVENTORY_YEARS == 20
    assert row["breach_share"] == pytest.approx(1 / 8) and row["holds"] == "yes"


def test_an_estimate_without_a_source_uses_up_no_soil(cube):
    sink = estimate(rh=field(1, 1, 1, 1), rs=field(2, 2, 2, 2))
    row = closure_table({"ours": sink}, cube).set_index("bounds").loc["years until a source has used it up, median"]
    assert np.isnan(row["value"]) and row["breach_share"] == 0


def test_another_region_is_not_held_against_the_inventories_of_the_plateau(cube):
    here, elsewhere = table(cube), table(cube, inventories=False)
    of_plateau = {"NEP of grassland", "years until a source has used it up, median"}
    assert set(here.index) - set(elsewhere.index) == of_plateau
    assert elsewhere.equals(here.drop(index=list(of_plateau)))


def test_bare_ground_and_ice_have_little_of_either_flux(cube):
    rows = table(cube)
    bare = rows[rows["law"].str.startswith("little lives")].set_index("law", append=True)
    found = bare[["value", "high", "breach_share", "holds"]].agg(tuple, axis=1).to_dict()
    assert found == {
        ("NPP", "little lives on barren ground"): (40.0, 50.0, 0.0, "yes"),
        ("NPP", "little lives on ice and water"): (60.0, 50.0, 1.0, "no"),
        ("Rs", "little lives on barren ground"): (80.0, 80.0, 0.0, "yes"),
        ("Rs", "little lives on ice and water"): (100.0, 80.0, 1.0, "no"),
    }
    assert BARE_FLUX == {"NPP": 50.0, "Rs": 80.0}


def test_a_cover_that_is_not_there_has_no_row(cube):
    grass = cube.assign(land_cover=field(10, 10, 10, 10))
    assert not table(grass)["law"].str.startswith("little lives").any()


def test_npp_of_a_part_is_compared_with_the_gpp_of_the_whole(cube):
    """NPP is known on 7 of 8 parts: (100 x 1 + 300 x 3 + 60 x 3) x 0.1 = 118 Tg, of a GPP of 200."""
    maps = estimate(npp=field(100, np.nan, 300, 60))
    rows = closure_table({"ours": maps}, cube, gpp_total=200.0).set_index("bounds")
    npp = rows[rows["unit"] == "Tg C yr-1"].loc["NPP"]
    assert npp[["value", "high"]].tolist() == pytest.approx([118.0, 200.0]) and npp["holds"] == "yes"
    found = rows.loc["NPP / GPP", ["value", "low", "high"]].tolist()
    assert found == pytest.approx([118 / 200, np.nan, 0.7], nan_ok=True)
    assert rows.loc["NPP / GPP", "holds"] == "yes"


@pytest.mark.parametrize(("gpp", "holds"), [(100.0, ["no", "no"]), (130.0, ["yes", "no"]), (600.0, ["yes", "yes"])])
def test_plants_keep_neither_more_than_they_fix_nor_too_much_of_it(cube, gpp, holds):
    """NPP is 122 Tg: more than 100, 0.94 of 130, 0.2 of 600."""
    rows = closure_table({"ours": estimate()}, cube, gpp_total=gpp)
    assert rows["holds"][:2].tolist() == holds and rows["bounds"][:2].tolist() == ["NPP", "NPP / GPP"]


def test_towers_count_by_site(cube):
    """NPP/GPP is 0.5, 0.8 and 1.1, Rs/Reco 0.9, 1.0 and 1.5."""
    measured = towers([50, 80, 110], [100, 100, 100], [90, 100, 150], [100, 100, 100])
    rows = closure_table({"ours": estimate()}, cube, towers={"ours": measured})
    rows = rows[rows["breach_of"] == "sites"].set_index("law")
    assert rows["value"].tolist() == pytest.approx([0.8, 0.8, 1.0])
    assert rows["breach_share"].tolist() == pytest.approx([1 / 3, 2 / 3, 1 / 3])
    assert rows["holds"].tolist() == ["yes", "no", "yes"]
    assert rows["high"].tolist() == [1.0, 0.7, 1.0]


def test_several_estimates_stand_in_one_table(cube):
    both = closure_table({"ours": estimate(), "half": estimate(npp=field(50, 20, 150, 30))}, cube)
    counts = both.groupby("estimate").size()
    assert counts["ours"] == counts["half"]
    nep = both[both["bounds"] == "NEP of grassland"].set_index("estimate")["value"]
    assert nep.to_dict() == {"ours": -125.0, "half": -250.0}


def test_yearly_maps_enter_with_the_mean_of_their_years(cube):
    yearly = {name: xr.concat([0.5 * one, 1.5 * one], "time") for name, one in estimate().items()}
    pd.testing.assert_frame_equal(closure_table({"ours": yearly}, cube), closure_table({"ours": estimate()}, cube))


def test_what_holds_by_construction_stands_in_the_table(cube):
    rows = closure_table({"ours": estimate()}, cube).query("source == 'by construction'").set_index("law")
    assert {"NEP is NPP - Rh", "a total is the sum over the cells"} < set(rows.index)
    assert set(rows["holds"]) == {"yes"} and rows["value"].tolist() == pytest.approx([0] * len(rows), abs=1e-9)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nep": field(-200, 0, -100, 10.02)}, "ours: NEP is NPP - Rh does not hold: off by up to 0.02 g C m-2 yr-1"),
        (
            {"nep": field(-200, 0, -100, np.nan)},
            "NEP is known where NPP and Rh are does not hold: off by up to 1 cells",
        ),
        ({"rs": field(600, np.nan, np.nan, 100)}, "Rh is known only where Rs is does not hold: off by up to 2 cells"),
    ],
)
def test_maps_that_contradict_each_other_stop_the_run(cube, changes, message):
    with pytest.raises(DataError, match=message):
        closure_table({"ours": estimate() | changes}, cube)


def test_an_area_that_is_missing_where_a_flux_is_known_stops_the_run(cube):
    with pytest.raises(DataError, match="the areas of the cells do not fit the map"):
        closure_table({"ours": estimate()}, cube.assign(cell_area=field(1e5, np.nan, 3e5, 3e5)))


def test_estimates_stand_side_by_side_with_what_they_break():
    row = {"law": "less than GPP", "bounds": "NPP", "source": "a paper"}
    laws = pd.DataFrame(
        [
            row | {"estimate": "one", "value": 709.73, "breach_share": np.nan, "holds": "no"},
            row | {"estimate": "two", "value": 250.0, "breach_share": np.nan, "holds": "yes"},
            row | {"bounds": "bare", "estimate": "one", "value": 213.84, "breach_share": 0.5, "holds": "no"},
            row | {"bounds": "bare", "estimate": "two", "value": 40.0, "breach_share": 0.1, "holds": "yes"},
            row | {"bounds": "sum", "estimate": "one", "value": 0.0, "source": "by construction", "holds": "yes"},
        ]
    )
    found = side_by_side(laws)
    assert found.index.tolist() == [("less than GPP", "NPP"), ("less than GPP", "bare")]
    assert found["one"].tolist() == ["710, no", "214, no (50 %)"] and found["two"].tolist() == ["250", "40"]
