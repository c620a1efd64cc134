"""The virtual plateau tests the method: the truth stands apart from it, and better sampling finds it better."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import xarray as xr
from threadpoolctl import threadpool_limits
from worlds import YEARS, fields_of, make_settings

from helpers.balance import budgets, carbon
from helpers.data.grid import target_grid
from helpers.sites import places, quality
from helpers.sites.training import from_settings, training_table
from helpers.virtual import world
from helpers.virtual.fieldwork import field_work
from helpers.virtual.geography import REGION
from mapforest.predict import predict


@functools.cache
def ground(seed: int) -> tuple[xr.Dataset, xr.DataArray]:
    """Return the cube and the true NPP of a seed's world."""
    grid = target_grid(73, 25, 105, 41, 0.5)
    with threadpool_limits(1, user_api="blas"):
        return world.virtual_cube(grid, YEARS, seed), world.virtual_truth(grid, YEARS, seed)["npp"]


@functools.cache
def map_error(seed: int, design: str, n_sites: int) -> float:
    """Return the area-weighted RMSE of the NPP map of a small forest against the truth, g C m-2 yr-1."""
    settings = make_settings(seed=seed)
    cube, truth = ground(seed)
    used = field_work("npp", True, n_sites, design, YEARS, seed)
    table, _ = training_table(settings, "npp", cube, used)
    forest = from_settings(settings, "npp", 60, settings.seed).fit(table, table["value"])
    error = predict(forest, cube, cube["in_region"], threads=1)["prediction"] - truth
    return float(np.sqrt((error.mean("time") ** 2).weighted(cube["cell_area"]).mean()))


def rs_errors(seed: int) -> list[float]:
    """Return the errors of the mean Rs of the plateau with strict checks of the sites and without, g C m-2 yr-1."""
    cube, _ = ground(seed)
    with threadpool_limits(1, user_api="blas"):
        truth = world.virtual_truth(target_grid(73, 25, 105, 41, 0.5), YEARS, seed)["rs"]
    used, flow = quality.quality_control(world.observe(make_settings(seed=seed))[0]["rs"], REGION)
    errors = []
    for checks in ("strict", "as_published"):
        settings = make_settings(seed=seed, site_checks=checks)
        kept, _ = places.leave_out(used, flow, places.check_records(used, cube, settings), settings)
        table, _ = training_table(settings, "rs", cube, kept)
        forest = from_settings(settings, "rs", 60, seed).fit(table, np.log(table["value"]))
        rs = np.exp(predict(forest, cube, cube["in_region"], threads=1)["prediction"])
        errors.append(float((rs - truth).mean("time").weighted(cube["cell_area"]).mean()))
    return errors


def mean_error(design: str, n_sites: int) -> float:
    return float(np.mean([map_error(seed, design, n_sites) for seed in (1, 2, 3)]))


@pytest.mark.parametrize("quantity", ["npp", "rs", "rh", "nep"])
def test_the_true_fields_through_the_chain_give_their_area_weighted_sum(quantity: str) -> None:
    """The sum is done here without the chain: what any estimate from this world is to be held against."""
    cube, truth, _ = fields_of()
    field, area = truth[quantity].to_numpy(), cube["cell_area"].to_numpy()
    area = np.where(cube["in_region"] & np.isfinite(field).all(axis=0), area, 0.0)
    total = (np.nan_to_num(field) * area).sum() / len(YEARS) * 1e-6  # 1 g m-2 over 1 km2 is 1e6 g = 1e-6 Tg
    found = budgets.budget(truth[quantity].where(cube["in_region"]), cube["cell_area"])
    assert found["total_TgC_yr"] == pytest.approx(total, rel=1e-9)
    assert found["valid_area_Mkm2"] == pytest.approx(area.sum() * 1e-6, rel=1e-9)
    assert found["mean_gC_m2_yr"] == pytest.approx(total / area.sum() * 1e6, rel=1e-9)


def test_true_npp_less_true_rh_is_the_true_sink() -> None:
    truth = fields_of().truth
    nep = carbon.net_ecosystem_production(truth["npp"], truth["rh"])
    xr.testing.assert_allclose(nep, truth["nep"].rename(nep.name), rtol=1e-9)


def test_more_sites_make_a_better_map() -> None:
    assert mean_error("uniform", 600) < 0.9 * mean_error("uniform", 30)


def test_without_the_check_of_places_planted_faults_cost_more_than_half_of_the_error() -> None:
    strict, as_published = np.sqrt(np.mean(np.square([rs_errors(seed) for seed in (1, 2, 3)]), axis=0))
    assert strict < 0.5 * as_published


def test_sites_spread_over_the_plateau_make_a_better_map_than_clustered_ones() -> None:
    assert mean_error("uniform", 394) < 0.95 * mean_error("clustered", 394)
