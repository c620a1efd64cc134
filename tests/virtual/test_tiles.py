"""The virtual plateau at 1 km: made tile by tile, each tile once, with covariates as coarse as their products."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import shapely
import xarray as xr
from worlds import SEED, fields_of

from helpers.config import Settings, load_config
from helpers.data import cube
from helpers.data.grid import resample_nearest, target_grid
from helpers.data.land_cover import WATER
from helpers.virtual import world
from helpers.virtual.fluxes import MAP_CELLS, fluxes, state
from helpers.virtual.geography import PAPER_BOX, plateau_outline
from helpers.virtual.tiles import TILE, by_tiles

YEARS = range(2000, 2002)
# Beyond the first tile to the south and east by one row and by 30 columns; over the plateau's southern edge.
BOX = {"west": 86.0, "south": 26.99, "east": 88.3, "north": 29.0}
TILES = {"latitude": (200, 1), "longitude": (200, 30)}
ALL_YEARS = {"time": (2,)}


def make_settings(**changes: object) -> Settings:
    return load_config("virtual-1km", BOX | {"seed": SEED, "last_year": 2001} | changes)


@pytest.fixture(scope="module")
def grid() -> xr.Dataset:
    return target_grid(*BOX.values(), 0.01)


@pytest.fixture(scope="module")
def whole() -> world.Fields:
    return world.virtual_fields(make_settings())


@pytest.fixture(scope="module")
def tiled() -> world.Fields:
    """The same fields as if they were too large for memory."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "LARGEST_WHOLE", 0)
        return world.virtual_fields(make_settings())


def check_equal(found: xr.Dataset, expected: xr.Dataset) -> None:
    assert set(found) == set(expected)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6, err_msg=name)
        assert found[name].dims == expected[name].dims
        assert found[name].attrs == expected[name].attrs
    assert found.attrs == expected.attrs


# -- tiles --------------------


@pytest.mark.parametrize("part", ["cube", "truth", "products"])
def test_nothing_is_in_memory_and_single_precision_will_do(part: str, tiled: world.Fields) -> None:
    for name, field in getattr(tiled, part).data_vars.items():
        assert field.chunks is not None, name
        assert field.dtype == {"in_region": bool, "cell_area": np.float64}.get(name, np.float32)


@pytest.mark.parametrize("part", ["cube", "truth", "products"])
def test_a_dataset_is_written_in_its_tiles_and_is_the_whole_one(
    part: str, tiled: world.Fields, whole: world.Fields, tmp_path: Path
) -> None:
    getattr(tiled, part).drop_encoding().to_zarr(tmp_path / "fine.zarr", mode="w", zarr_format=2, consolidated=True)
    found, expected = xr.open_zarr(tmp_path / "fine.zarr", consolidated=True), getattr(whole, part)
    for name, field in found.data_vars.items():
        assert field.chunksizes == TILES | (ALL_YEARS if "time" in field.dims else {}), name
        assert field.encoding["chunks"] == tuple(TILE.get(dim, 2) for dim in field.dims)
    if part == "truth":
        # The difference of NPP and Rh may be near 0, where single precision is relative to the two.
        nep = abs(found["nep"] - expected["nep"]) / (expected["npp"] + expected["rh"])
        assert float(nep.max()) < 1e-6
        found, expected = found.drop_vars("nep"), expected.drop_vars("nep")
    check_equal(found, expected)


def test_the_tiled_cube_has_its_crs(tiled: world.Fields, whole: world.Fields) -> None:
    assert tiled.cube.rio.crs == whole.cube.rio.crs == "EPSG:4326"


@pytest.fixture
def counted(grid: xr.Dataset) -> tuple[xr.Dataset, list[tuple[int, ...]]]:
    """A tiled truth, and the sizes of the blocks that were made since."""
    made: list[tuple[int, ...]] = []

    def make(block: xr.Dataset, years: Sequence[int], seed: int) -> xr.Dataset:
        made.append((block.sizes["latitude"], block.sizes["longitude"]))
        return world.virtual_truth(block, years, seed)

    lazy = by_tiles(make, grid, YEARS, SEED)
    made.clear()
    return lazy, made


def test_each_tile_is_made_once_when_a_dataset_is_written(
    counted: tuple[xr.Dataset, list[tuple[int, ...]]], tmp_path: Path
) -> None:
    lazy, made = counted
    lazy.to_zarr(tmp_path / "truth.zarr", zarr_format=2)
    assert sorted(made) == [(1, 30), (1, 200), (200, 30), (200, 200)]


def test_only_tiles_with_a_site_are_made_to_sample_and_each_once(
    counted: tuple[xr.Dataset, list[tuple[int, ...]]], whole: world.Fields
) -> None:
    lazy, made = counted
    sites = pd.DataFrame({"longitude": [86.2, 88.2, 88.1], "latitude": 28.9, "year": [2000.0, 2001.0, np.nan]})
    found = cube.sample(lazy, sites, ["npp", "rs"])
    assert sorted(made) == [(200, 30), (200, 200)]
    np.testing.assert_allclose(found, cube.sample(whole.truth, sites, ["npp", "rs"]), rtol=1e-6)


def test_the_plateau_by_elevation_is_made_in_tiles_too(tiled: world.Fields, whole: world.Fields) -> None:
    lazy, expected = (
        cube.replace_region(fields.cube, "above_3000m", PAPER_BOX)["in_region"] for fields in (tiled, whole)
    )
    assert lazy.chunksizes == TILES
    assert 0 < int(expected.sum()) < expected.size
    np.testing.assert_array_equal(lazy, expected)


def test_the_virtual_configuration_stays_in_memory() -> None:
    settings = load_config("virtual")
    cells = target_grid(settings.west, settings.south, settings.east, settings.north, settings.resolution)
    assert cells["latitude"].size * cells["longitude"].size * 19 < world.LARGEST_WHOLE
    assert fields_of().cube["lai"].chunks is None


# -- covariates as coarse as their products --------------------


@pytest.mark.parametrize("name", MAP_CELLS)
def test_a_covariate_is_the_nearest_cell_of_its_product(name: str, grid: xr.Dataset, whole: world.Fields) -> None:
    fine = whole.cube
    native = world.virtual_cube(target_grid(*BOX.values(), MAP_CELLS[name]), YEARS, SEED)
    expected = resample_nearest(native[name].rio.write_crs("EPSG:4326"), grid)
    land = fine["land_cover"] != WATER
    np.testing.assert_allclose(fine[name].where(land), expected.where(land), rtol=1e-5)


@pytest.mark.parametrize("name", ["npp", "rs", "rh"])
def test_the_truth_differs_within_a_cell_of_climate(name: str, whole: world.Fields) -> None:
    within = {"longitude": slice(86.2, 86.3), "latitude": slice(27.9, 27.8)}
    assert np.unique(whole.cube["precipitation"].sel(within).isel(time=0)).size == 1
    truth = whole.truth[name].sel(within).isel(time=0).to_numpy()
    assert np.unique(truth[np.isfinite(truth)]).size == np.isfinite(truth).sum() > 50


def test_the_truth_is_that_of_the_cells_own_climate(whole: world.Fields) -> None:
    x, y = (whole.truth[axis].to_numpy()[[3, 28]] for axis in ("longitude", "latitude"))
    at_cells = whole.truth["npp"].to_numpy()[:, [3, 28], [3, 28]]
    np.testing.assert_allclose(at_cells, fluxes(x, y, YEARS, SEED).npp, rtol=1e-9)


def test_leaf_area_is_missing_on_water_whatever_its_product_shows() -> None:
    """The shores of Nam Co: cells of leaf area reach over them."""
    lake = target_grid(90, 30, 91, 31, 0.01)
    leaves = resample_nearest(world.virtual_cube(target_grid(90, 30, 91, 31, 1 / 12), YEARS, SEED)["lai"], lake)
    fine = world.virtual_cube(lake, YEARS, SEED)
    water = fine["land_cover"] == WATER
    assert bool(leaves.notnull().where(water, False).any())
    assert bool(fine["lai"].isnull().where(water, True).all())


@pytest.mark.parametrize("resolution", [0.1, 0.25, 0.5])
def test_on_a_grid_as_coarse_as_the_products_covariates_are_those_of_the_cells(resolution: float) -> None:
    coarse = target_grid(88, 30, 91, 32, resolution)
    x, y = coarse["longitude"].to_numpy(), coarse["latitude"].to_numpy()
    found, expected = world.virtual_cube(coarse, YEARS, SEED), state(x[None, :], y[:, None], YEARS, SEED)
    for name in ("precipitation", "temperature", "srad", "lai", "soc", "elevation", "land_cover"):
        np.testing.assert_array_equal(found[name], getattr(expected, name).astype(np.float32), err_msg=name)


# -- the configuration --------------------


def test_the_configuration_covers_the_plateau_and_no_more() -> None:
    settings = load_config("virtual-1km")
    west, south, east, north = plateau_outline().bounds
    assert shapely.box(settings.west, settings.south, settings.east, settings.north).covers(plateau_outline())
    assert max(west - settings.west, south - settings.south, settings.east - east, settings.north - north) < 1
    assert settings.resolution == 0.01


def test_the_configuration_has_the_papers_forests_and_years() -> None:
    settings = load_config("virtual-1km")
    assert (settings.n_trees, settings.first_year, settings.last_year) == (1500, 2000, 2018)
