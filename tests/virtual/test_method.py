"""The virtual plateau tests the method: the truth stands apart from it, and better sampling finds it better."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import xarray as xr

from helpers.balance import budgets, carbon
from helpers.config import Settings, resolve
from helpers.data.grid import target_grid
from helpers.sites.quality import quality_control
from helpers.sites.training import from_settings, training_table
from helpers.virtual import world as virtual_world
from mapforest.predict import predict

PLATEAU = {"west": 73, "east": 105, "south": 25, "north": 41, "resolution": 0.5, "last_year": 2001}


def make_settings(**changes: object) -> Settings:
    return resolve({"config": "virtual", "world": "virtual", "threads": 1} | PLATEAU | changes)


@functools.cache
def ground(seed: int) -> tuple[xr.Dataset, xr.DataArray]:
    """Return the cube and the true NPP of a seed's world."""
    settings = make_settings(seed=seed)
    grid = target_grid(settings.west, settings.south, settings.east, settings.north, settings.resolution)
    years = range(settings.first_year, settings.last_year + 1)
    return virtual_world.virtual_cube(grid, years, seed), virtual_world.virtual_truth(grid, years, seed)["npp"]


def map_error(**changes: object) -> float:
    """Return the area-weighted RMSE of the NPP map of a small forest against the truth, g C m-2 yr-1."""
    settings = make_settings(**changes)
    cube, truth = ground(settings.seed)
    used, _ = quality_control(virtual_world.observe(settings)[0]["npp"])
    table, _ = training_table(settings, "npp", cube, used)
    forest = from_settings(settings, "npp", 60, settings.seed).fit(table, table["value"])
    error = predict(forest, cube, cube["plateau"], threads=1)["prediction"] - truth
    return float(np.sqrt((error.mean("time") ** 2).weighted(cube["cell_area"]).mean()))


def mean_error(**changes: object) -> float:
    return float(np.mean([map_error(seed=seed, **changes) for seed in (1, 2, 3)]))


@pytest.fixture(scope="module")
def world() -> virtual_world.VirtualWorld:
    return virtual_world.world(make_settings())


@pytest.mark.parametrize("quantity", ["npp", "rs", "rh", "nep"])
def test_the_true_fields_through_the_chain_give_the_stated_budget(world, quantity):
    found = budgets.budget(world.truth[quantity].where(world.cube["plateau"]), world.cube["cell_area"])
    stated = virtual_world.true_budget(world).loc[quantity, list(found)]
    assert found == pytest.approx(stated.to_dict(), rel=1e-9)


def test_true_npp_less_true_rh_is_the_stated_sink(world):
    nep = carbon.net_ecosystem_production(world.truth["npp"], world.truth["rh"]).where(world.cube["plateau"])
    total = budgets.budget(nep, world.cube["cell_area"])["total_TgC_yr"]
    assert total == pytest.approx(virtual_world.true_budget(world).loc["nep", "total_TgC_yr"], rel=1e-9)


def test_more_sites_make_a_better_map():
    few, many = (mean_error(sampling_design="uniform", npp_sites=n) for n in (30, 600))
    assert many < 0.9 * few


def test_sites_spread_over_the_plateau_make_a_better_map_than_clustered_ones():
    clustered, uniform = (mean_error(sampling_design=design) for design in ("clustered", "uniform"))
    assert uniform < 0.95 * clustered
