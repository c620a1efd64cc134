"""Covariates on the grid and at sites."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from opened import real_world

from helpers.config import RS_PREDICTORS
from helpers.data import catalog, cube, grid
from helpers.data.land_cover import class_shares
from helpers.data.variables import VARIABLES
from helpers.errors import DataError
from helpers.virtual.geography import PAPER_BOX

YEARS = pd.DatetimeIndex(["2001-01-01", "2002-01-01", "2003-01-01"], name="time")


def small_grid() -> xr.Dataset:
    return grid.target_grid(90, 30, 92, 31.5, 0.5)


def small_cube() -> xr.Dataset:
    """Three years; temperature is year - 2000 plus a hundredth of the cell's number, the rest is constant."""
    cells = small_grid()
    flat = xr.full_like(grid.cell_area(cells.latitude, cells.longitude), 100.0)
    number = flat.copy(data=np.arange(12.0).reshape(3, 4))
    layers = {name: flat.copy() for name in RS_PREDICTORS}
    layers |= {"land_cover": flat * 0 + 10, "lai": flat * 0 + 1}
    year = xr.DataArray([1.0, 2.0, 3.0], {"time": YEARS}, ("time",))
    layers["temperature"] = number / 100 + year
    return cube.assemble(layers, cells, number > 5)


def test_the_cube_has_the_order_and_precision_of_the_contract() -> None:
    made = small_cube()
    assert made["temperature"].dims == ("time", "latitude", "longitude")
    assert made["elevation"].dims == ("latitude", "longitude")
    assert {made[name].dtype for name in RS_PREDICTORS} == {np.dtype("float32")}
    assert made["in_region"].dtype == bool
    assert made.rio.crs == "EPSG:4326"


def test_a_missing_cell_stays_missing_and_is_within_bounds() -> None:
    made = small_cube()
    made["soc"][0, 0] = np.nan
    cube.check_bounds(made)
    assert np.isnan(made["soc"].values[0, 0])


def test_a_site_takes_its_cell_in_its_year() -> None:
    sites = pd.DataFrame({"longitude": [90.6], "latitude": [31.2], "year": [2002.0]})
    assert cube.sample(small_cube(), sites)["temperature"].item() == pytest.approx(2.01)


@pytest.mark.parametrize(("year", "expected"), [(np.nan, 2.0), (1990.0, 1.0), (2018.0, 3.0)])
def test_a_year_unknown_is_the_mean_and_a_year_outside_the_nearest(year: float, expected: float) -> None:
    sites = pd.DataFrame({"longitude": [90.1], "latitude": [31.4], "year": [year]})
    assert cube.sample(small_cube(), sites)["temperature"].item() == pytest.approx(expected)


def test_sampling_keeps_every_row_in_order_and_leaves_no_data_missing() -> None:
    made = small_cube()
    made["soc"][0, 0] = np.nan
    sites = pd.DataFrame({"longitude": [91.9, 90.1, 90.1], "latitude": [30.1, 31.4, 31.4]}, index=["c", "a", "b"])
    table = cube.sample(made, sites)
    assert list(table.index) == ["c", "a", "b"]
    assert list(table.columns) == list(RS_PREDICTORS)
    assert table["soc"].isna().tolist() == [False, True, True]


def test_sites_on_the_outer_edge_belong_to_the_outermost_cells() -> None:
    sites = pd.DataFrame({"longitude": [90.0, 92.0], "latitude": [31.5, 30.0], "year": [2001.0, 2001.0]})
    assert cube.sample(small_cube(), sites)["temperature"].to_numpy() == pytest.approx([1.0, 1.11])


@pytest.fixture(scope="module")
def real_cube(real_data) -> xr.Dataset:
    return real_world().cube


def test_land_cover_classes_share_the_area_of_the_plateau() -> None:
    made = small_cube()
    made["land_cover"][:] = np.array([[16.0, 16, 16, 16], [16, 16, 10, 10], [10, 11, 11, np.nan]])
    shares = class_shares(made)
    assert shares["meaning"].tolist() == ["grassland", "permanent wetland"]
    area = made["cell_area"].values[[1, 2], [3, 1]]
    assert shares["area_Mkm2"].tolist() == pytest.approx([(2 * area[0] + area[1]) / 1e6, 2 * area[1] / 1e6])
    assert shares["share"].sum() == pytest.approx(1)


def test_the_summary_is_weighted_by_area() -> None:
    made = small_cube()
    made["soc"][:] = np.array([[0.0] * 4, [0, 0, 1, 2], [3, 4, 5, np.nan]])
    made["soc"].attrs["units"] = "kg m-2"
    row = cube.summary(made[["soc", "in_region", "cell_area"]]).set_index("covariate").loc["soc"]
    area = made["cell_area"].values[[1, 2], [3, 1]]
    assert row["mean"] == pytest.approx((3 * area[0] + 12 * area[1]) / (2 * area[0] + 3 * area[1]))
    assert (row["lowest"], row["highest"], row["unit"]) == (1, 5, "kg C m-2")
    assert row["valid_area_Mkm2"] == pytest.approx((2 * area[0] + 3 * area[1]) / 1e6)


def plateau_share(made: xr.Dataset, where: xr.DataArray) -> float:
    area = made["cell_area"].where(made["in_region"], 0)
    return float(area.where(where, 0).sum() / area.sum())


def plateau_mean(made: xr.Dataset, field: xr.DataArray) -> float:
    return float(field.squeeze(drop=True).weighted(made["cell_area"].where(made["in_region"], 0)).mean())


@pytest.mark.real_data
def test_naqu_is_cold_and_has_a_monsoon(real_cube) -> None:
    naqu = cube.sample(real_cube, pd.DataFrame({"longitude": [92.07], "latitude": [31.48]})).iloc[0]
    assert naqu["temperature"] == pytest.approx(-1, abs=1)
    assert 380 < naqu["precipitation"] < 470


@pytest.mark.real_data
def test_golmud_is_a_desert(real_cube) -> None:
    golmud = cube.sample(real_cube, pd.DataFrame({"longitude": [94.9], "latitude": [36.42]})).iloc[0]
    assert golmud["precipitation"] < 60


@pytest.mark.real_data
def test_the_plateau_has_its_height(real_cube) -> None:
    assert 4300 < plateau_mean(real_cube, real_cube["elevation"]) < 4500


@pytest.mark.real_data
@pytest.mark.parametrize(("land_cover", "share"), [(10, 0.56), (16, 0.355)])
def test_the_plateau_is_grassland_and_barren_ground(real_cube, land_cover: int, share: float) -> None:
    assert plateau_share(real_cube, real_cube["land_cover"] == land_cover) == pytest.approx(share, abs=0.02)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("precipitation", 300, 450),
        ("temperature", -4, 0),
        ("srad", 208, 211),
        ("lai", 0.3, 1.5),
        ("npp_modis", 80, 200),
        ("soc", 5, 12),
    ],
)
def test_plateau_means_are_those_of_the_plateau(real_cube, name: str, low: float, high: float) -> None:
    assert low < plateau_mean(real_cube, real_cube[name]) < high


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name",
    ["precipitation", "temperature", "land_cover", "elevation", "lai", "soc", "npp_miami", "rh_mimics", "rh_corpse"],
)
def test_land_and_sea_lie_where_they_are(real_cube, name: str) -> None:
    """A map that is upside down, or shifted by half of the globe, has no land here."""
    field = real_cube[name] if name in real_cube else real_world().products[name]
    at_sea = field == 17 if name == "land_cover" else field.isnull()
    assert not at_sea.sel(latitude=32.5, longitude=116.5, method="nearest").any(), "Anhui"
    assert at_sea.sel(latitude=20.5, longitude=132.5, method="nearest").all(), "Philippine Sea"


@pytest.mark.real_data
def test_maps_say_what_they_are_and_come_from_the_catalogue(real_cube) -> None:
    sources = {source for name in RS_PREDICTORS for source in real_cube[name].attrs["source"].split(", ")}
    assert sources <= set(catalog.load_catalog())
    for name in RS_PREDICTORS:
        assert real_cube[name].attrs["units"] == VARIABLES[name].units
        assert real_cube[name].attrs["long_name"].startswith(VARIABLES[name].long_name)


@pytest.mark.real_data
def test_the_real_world_says_that_it_is_a_climatology(real_cube) -> None:
    assert real_cube.sizes["time"] == 1
    assert "2015" in real_cube.attrs["climatology"]


@pytest.mark.real_data
def test_products_to_compare_with_cover_the_plateau(real_cube) -> None:
    products = real_world().products.drop_vars("npp_modis")
    assert list(products) == ["npp_casa_cnp", "npp_miami", "rs_raich", "rh_casa_cnp", "rh_mimics", "rh_corpse"]
    for name, field in products.items():
        assert plateau_share(real_cube, np.isfinite(field)) > 0.99, name
        assert 100 < plateau_mean(real_cube, field) < 300, name


def test_a_region_by_elevation_is_all_high_land_of_its_bounding_box() -> None:
    made = small_cube()
    made["elevation"][:] = np.array([[2400.0, 2500.0, 3000.0, 4000.0]] * 3)
    for mask, row in (("above_2500m", [False, True, True, True]), ("above_3000m", [False, False, True, True])):
        assert cube.replace_region(made, mask, PAPER_BOX)["in_region"].values.tolist() == [row] * 3
    smaller = cube.replace_region(made, "above_2500m", (90.0, 30.0, 91.4, 31.0))["in_region"]
    assert smaller.values.tolist() == [[False] * 4] + [[False, True, True, False]] * 2


def test_high_land_outside_the_bounding_box_is_not_of_the_region() -> None:
    cells = grid.target_grid(104, 30, 106, 31, 0.5)
    high = xr.full_like(grid.cell_area(cells.latitude, cells.longitude), 5000.0)
    made = xr.Dataset({"elevation": high, "in_region": high > 0})
    high = cube.replace_region(made, "above_3000m", PAPER_BOX)["in_region"]
    assert high.values[0].tolist() == [True, False, False, False]


def test_the_boundary_stays_the_region_unless_another_mask_is_chosen() -> None:
    made = small_cube()
    assert cube.replace_region(made, "boundary", PAPER_BOX) is made
    with pytest.raises(DataError, match="expected one of boundary"):
        cube.replace_region(made, "above_2000m", PAPER_BOX)
