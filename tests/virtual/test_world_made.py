"""The virtual world: one for each seed, alike at every resolution and in every block."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from worlds import FEW, SEED, YEARS, fields_of, make_settings, observed

from helpers.config import RS_PREDICTORS
from helpers.data import cube
from helpers.data.grid import target_grid
from helpers.errors import DataError
from helpers.virtual import world
from helpers.virtual.fluxes import MAP_CELLS


def test_the_same_seed_gives_identical_fields() -> None:
    for one, other in zip(*(world.virtual_fields(make_settings()) for _ in range(2)), strict=True):
        xr.testing.assert_identical(one, other)


def test_the_same_seed_gives_identical_tables() -> None:
    (again, faults), (before, faults_before) = world.observe(make_settings(**FEW)), observed(**FEW)
    for name, table in before.items():
        pd.testing.assert_frame_equal(again[name], table)
    pd.testing.assert_frame_equal(faults, faults_before)


OTHER = {"seed": SEED + 1}


@pytest.mark.parametrize("name", ["temperature", "precipitation", "srad", "lai", "npp_modis", "soc"])
def test_another_seed_gives_other_covariates(name: str) -> None:
    other, small = fields_of(**OTHER).cube[name], fields_of().cube[name]
    differs = ~np.isclose(other, small, rtol=1e-4) & np.isfinite(small)
    assert differs.mean() > 0.5


def test_another_seed_gives_other_fluxes() -> None:
    ratio = (fields_of(**OTHER).truth["npp"] / fields_of().truth["npp"]).to_numpy()
    assert np.nanstd(np.log(ratio)) > 0.2


@pytest.mark.parametrize("name", ["elevation", "land_cover", "in_region"])
def test_the_ground_does_not_depend_on_the_seed(name: str) -> None:
    np.testing.assert_array_equal(fields_of(**OTHER).cube[name], fields_of().cube[name])


@pytest.mark.parametrize("fine", [0.05, 0.01])
def test_fields_agree_where_the_grids_share_cell_centres(fine: float) -> None:
    box = (90, 30, 90.5, 30.5)
    for make in (world.virtual_cube, world.virtual_truth):
        expected = make(target_grid(*box, 0.25), [2000, 2001], SEED).drop_vars(
            ["cell_area", *MAP_CELLS], errors="ignore"
        )
        axes = {axis: expected[axis] for axis in ("latitude", "longitude")}
        got = make(target_grid(*box, fine), [2000, 2001], SEED).sel(axes, method="nearest", tolerance=1e-6)
        for name in expected.data_vars:
            np.testing.assert_allclose(got[name], expected[name], rtol=1e-6, err_msg=name)


@pytest.mark.parametrize(("rows", "columns"), [(slice(0, 5), slice(37, 64)), (slice(5, 32), slice(0, 37))])
def test_block_by_block_is_the_whole(rows: slice, columns: slice) -> None:
    block = {"latitude": rows, "longitude": columns}
    grid = target_grid(73, 25, 105, 41, 0.5).isel(block)
    whole = fields_of()
    truth, products = world.virtual_truth(grid, YEARS, SEED), world.virtual_products(grid, YEARS, SEED)
    np.testing.assert_allclose(truth["nep"], whole.truth["nep"].isel(block), rtol=1e-9, atol=1e-9)
    xr.testing.assert_allclose(products, whole.products.isel(block), rtol=1e-6)


@pytest.mark.parametrize("box", [{"west": 70.0}, {"north": 60.0}, {"east": 140.0}, {"south": 17.0}])
def test_a_box_beyond_the_geography_is_refused_before_anything_is_made(
    box: dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("virtual_cube", "virtual_truth", "by_tiles"):
        monkeypatch.setattr(world, name, lambda *_: pytest.fail("made a field"))
    for limit in (world.LARGEST_WHOLE, 0):
        monkeypatch.setattr(world, "LARGEST_WHOLE", limit)
        with pytest.raises(DataError, match="73-136 E, 18-54 N"):
            world.virtual_fields(make_settings(**box))


def test_the_cube_keeps_the_physical_bounds_and_the_contract() -> None:
    made = fields_of().cube
    cube.check_bounds(made)
    assert {*RS_PREDICTORS, "in_region", "cell_area"} == set(made.data_vars)
    assert all(made[name].dtype == np.float32 for name in RS_PREDICTORS)
    assert made["time"].dt.year.to_numpy().tolist() == list(YEARS)
    assert made["lai"].dims == ("time", "latitude", "longitude")
    assert made["soc"].dims == ("latitude", "longitude")
    assert fields_of().truth["npp"].dtype == np.float64


def test_everything_says_that_it_is_simulated_and_in_which_unit() -> None:
    made = fields_of()
    fields = [*made.cube.values(), *made.truth.values(), *made.products.values()]
    assert {field.attrs["simulated"] for field in (made.cube, made.truth, *fields)} == {
        "simulated: the virtual plateau"
    }
    assert all(field.attrs["units"] for field in fields)
    assert made.truth["nep"].attrs["long_name"] == "true net ecosystem productivity as carbon"
