"""The cells that a budget is summed over, on a plateau of six."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from helpers.balance.cells import budget_cells, missing_cells
from helpers.config import RS_PREDICTORS
from helpers.errors import DataError

PLACES = pd.DataFrame({"latitude": [30.0, 30.0], "longitude": [80.0, 90.0]})


@pytest.fixture
def cube() -> xr.Dataset:
    """Two years of 2 x 3 cells; one barren cell lacks NPP of MODIS in both years, one in the first; one is water."""
    coords = {
        "time": pd.to_datetime(["2000-01-01", "2001-01-01"]),
        "latitude": [36.0, 30.0],
        "longitude": [80.0, 90.0, 100.0],
    }
    dims = ("time", "latitude", "longitude")
    layers = {name: xr.DataArray(np.ones((2, 2, 3)), coords, dims) for name in RS_PREDICTORS}
    layers["npp_modis"] = layers["npp_modis"].copy()
    layers["npp_modis"][:, 0, 0] = np.nan
    layers["npp_modis"][0, 0, 1] = np.nan
    flat = {name: coords[name] for name in dims[1:]}
    layers["land_cover"] = xr.DataArray([[16.0, 16, 10], [10, 10, 17]], flat, dims[1:])
    layers["soc"] = layers["soc"].copy()
    layers["soc"][:, 1, 2] = np.nan
    layers["in_region"] = xr.DataArray(np.ones((2, 3), bool), flat, dims[1:])
    layers["cell_area"] = xr.DataArray([[1.0e6, 1e6, 1e6], [2e6, 2e6, 2e6]], flat, dims[1:])
    return xr.Dataset(layers)


def cells_of(cube: xr.Dataset, usable=(True, False)) -> pd.DataFrame:
    return budget_cells(cube, PLACES, usable, 300)


def test_a_cell_counts_once_whatever_its_valid_years(cube):
    cells = cells_of(cube)
    by_cell = cells.groupby(["latitude", "longitude"])["area"].agg(["sum", "size"])
    assert by_cell["sum"].to_dict() == pytest.approx({(30, 80): 2e6, (30, 90): 2e6, (36, 90): 1e6, (36, 100): 1e6})
    assert by_cell["size"].to_dict() == {(30, 80): 2, (30, 90): 2, (36, 90): 1, (36, 100): 2}


def test_cells_outside_the_plateau_do_not_count(cube):
    cube["in_region"][1, :] = False
    assert set(cells_of(cube)["latitude"]) == {36.0}


def test_filling_gives_the_missing_cell_to_the_valid_ones_of_its_class(cube):
    by_class = cells_of(cube).groupby("land_cover")[["area", "filled_area"]].sum()
    assert by_class.loc[16].tolist() == pytest.approx([1e6, 2e6])
    assert by_class.loc[10].tolist() == pytest.approx([5e6, 5e6])


@pytest.mark.parametrize("cover", [0, 15, 17])
def test_water_and_ice_that_are_predicted_count_only_in_the_predicted_area(cube, cover):
    cube["soc"] = cube["soc"].fillna(1.0)
    cube["land_cover"] = cube["land_cover"].where(cube["land_cover"] != 17, cover)
    cells = cells_of(cube)
    masked = cells[cells["land_cover"] == cover]
    assert masked[["area", "filled_area", "predicted_area"]].sum().tolist() == pytest.approx([0, 0, 2e6])
    assert cells["area"].sum() == pytest.approx(6e6) and cells["predicted_area"].sum() == pytest.approx(8e6)


def test_a_cell_whose_class_changes_has_the_class_of_most_years_for_its_area(cube):
    """Three years: barren, grass, grass. The area of both classes stays that of the cells."""
    yearly = xr.concat(
        [cube, cube.isel(time=[1]).assign_coords(time=pd.to_datetime(["2002-01-01"]))], "time", data_vars="minimal"
    )
    classes = yearly["land_cover"].expand_dims(time=yearly["time"]).copy()
    classes[0] = classes[0].where(classes[0] != 10, 16)
    cells = cells_of(yearly.assign(land_cover=classes))
    assert set(cells.loc[cells["latitude"] == 30, "cover"]) == {10.0}
    assert set(cells.loc[cells["latitude"] == 30, "land_cover"]) == {10.0, 16.0}
    by_class = cells.groupby("cover")[["area", "filled_area"]].sum()
    assert by_class.loc[16].tolist() == pytest.approx([1e6, 2e6])
    assert by_class.loc[10].tolist() == pytest.approx([5e6, 5e6])


def test_what_is_missing_is_told_by_class_without_water(cube):
    expected = pd.DataFrame(
        [(10, 5.0, 5.0, 0.0, 0.0), (16, 2.0, 1.0, 1.0, 1.0)],
        columns=["land_cover", "land_Mkm2", "valid_Mkm2", "missing_Mkm2", "filled_Mkm2"],
    )
    pd.testing.assert_frame_equal(missing_cells(cube, cells_of(cube)), expected)


def test_a_class_without_a_valid_cell_is_missing_and_cannot_be_filled(cube):
    cube["npp_modis"][1, 0, 1] = np.nan
    row = missing_cells(cube, cells_of(cube)).set_index("land_cover").loc[16]
    assert row[["valid_Mkm2", "missing_Mkm2", "filled_Mkm2"]].tolist() == [0, 2, 0]


def test_cells_that_were_not_judged_are_outside(cube):
    cells = cells_of(cube)
    assert cells.loc[cells["inside"], ["latitude", "longitude"]].drop_duplicates().to_numpy().tolist() == [[30, 80]]


def test_regions_are_blocks_of_the_plateau(cube):
    regions = cells_of(cube).groupby(["latitude", "longitude"])["block"].first()
    assert regions.nunique() == 4
    assert budget_cells(cube, PLACES, [True, True], 600).groupby("latitude")["block"].nunique().max() < 3


def test_each_cell_has_five_evenly_spread_years_and_all_years_have_their_turn(cube):
    years = pd.date_range("1981-01-01", periods=19, freq="YS")
    row = cube.isel(time=1, latitude=0, longitude=2, drop=True)
    wide = xr.concat([row] * 38, dim=pd.Index(np.linspace(80, 99, 38), name="longitude")).expand_dims(latitude=[36.0])
    static = wide[["in_region", "cell_area", "land_cover"]]
    long = wide.drop_vars(static).expand_dims(time=years).merge(static)
    long["lai"] = long["lai"] * 0 + xr.DataArray(np.arange(19.0), {"time": years})
    cells = cells_of(long)
    assert cells["area"].sum() == pytest.approx(38e6)
    assert cells.groupby("longitude").size().eq(5).all()
    assert cells["lai"].value_counts().reindex(range(19)).eq(10).all()
    gaps = cells.groupby("longitude")["lai"].agg(lambda picked: np.diff(sorted(picked)).max())
    assert gaps.max() <= 4


def test_a_climatology_counts_once(cube):
    cells = cells_of(cube.isel(time=1, drop=True))
    assert len(cells) == 4 and cells["area"].sum() == pytest.approx(6e6)


def test_no_complete_cell_is_refused(cube):
    with pytest.raises(DataError, match="no cell of the region has all covariates"):
        cells_of(cube.assign(lai=cube["lai"] * np.nan))
