"""The truth of the virtual plateau, and the products that underestimate it."""

from __future__ import annotations

import numpy as np
import pytest
from worlds import BARREN, SEED, fields_of, mean_of_years, plateau_mean

from helpers.data.land_cover import WATER
from helpers.data.region import contains
from helpers.virtual.fluxes import PRODUCTS, fluxes, product
from helpers.virtual.geography import geography, plateau_outline
from helpers.virtual.laws import LAWS


def test_the_truth_is_missing_on_water_and_only_there() -> None:
    water = fields_of().cube["land_cover"].to_numpy() == WATER
    for name in ("npp", "rs", "rh", "nep"):
        np.testing.assert_array_equal(fields_of().truth[name].isnull().any("time"), water, err_msg=name)


def test_desert_grassland_and_forest_have_their_order_of_production() -> None:
    npp, cover = mean_of_years(fields_of().truth["npp"]), fields_of().cube["land_cover"].to_numpy()
    desert, grass, forest = (np.nanmean(npp[np.isin(cover, kind)]) for kind in (BARREN, 10, (1, 2, 3, 4, 5)))
    assert desert < 50 < 2 * desert < grass < 0.7 * forest


def test_nep_is_npp_less_rh() -> None:
    truth = fields_of().truth
    np.testing.assert_allclose(truth["nep"], truth["npp"] - truth["rh"])


def test_rh_never_exceeds_rs() -> None:
    assert float((fields_of().truth["rh"] / fields_of().truth["rs"]).max()) < 1


def test_the_forests_cannot_see_all_of_the_truth() -> None:
    longitude, latitude = np.linspace(92, 100, 30)[None, :], np.linspace(36, 31, 30)[:, None]
    cover = geography().land_cover_at(longitude, latitude)
    npp = np.log(fluxes(longitude, latitude, [2005], SEED).npp[0][cover == 10])
    law = np.log(product("npp_casa", longitude.ravel(), latitude.ravel(), [2005], SEED)[0][cover == 10])
    assert (npp - law).std() > 0.2


def test_the_line_from_rs_to_rh_is_the_mean_of_the_true_scatter() -> None:
    longitude, latitude = np.linspace(100, 120, 20)[None, :], np.linspace(40, 25, 20)[:, None]
    ratio = [np.nanmean((true := fluxes(longitude, latitude, [2005], seed)).rh / true.rs) for seed in range(5)]
    assert np.mean(ratio) == pytest.approx(LAWS.rh_slope, rel=0.03)


# -- products --------------------


@pytest.mark.parametrize(("name", "low", "high"), [("npp_modis", 30, 45), ("npp_casa", 38, 55), ("npp_glopem", 55, 70)])
def test_npp_products_underestimate_sparse_vegetation(name: str, low: float, high: float) -> None:
    fields = fields_of()
    sparse = mean_of_years(fields.cube["lai"]) < 0.5
    made, true = mean_of_years(fields.products[name]), mean_of_years(fields.truth["npp"])
    both = sparse & np.isfinite(made) & np.isfinite(true)
    loss = 100 * (1 - plateau_mean(made, fields, both) / plateau_mean(true, fields, both))
    assert low < loss < high


@pytest.mark.parametrize("name", ["npp_modis", "npp_casa", "npp_glopem"])
def test_npp_products_are_better_where_vegetation_is_dense(name: str) -> None:
    made, true = mean_of_years(fields_of().products[name]), mean_of_years(fields_of().truth["npp"])
    leaves = mean_of_years(fields_of().cube["lai"])
    both = np.isfinite(made) & np.isfinite(true)
    ratio = [np.mean(made[both & kind]) / np.mean(true[both & kind]) for kind in (leaves > 1.5, leaves < 0.5)]
    assert ratio[0] > ratio[1] + 0.15


def test_the_rs_product_is_slightly_low_in_the_mean_of_worlds() -> None:
    x, y = np.arange(75.5, 104, 2), np.arange(39.5, 27, -2)
    inside = contains(plateau_outline(), *np.meshgrid(x, y))
    bias = []
    for seed in range(8):
        true = fluxes(x[None, :], y[:, None], [2005], seed).rs[0]
        made = product("rs_qrfm", x, y, [2005], seed)[0]
        keep = inside & np.isfinite(true) & np.isfinite(made)
        bias.append(made[keep].mean() / true[keep].mean() - 1)
    assert -0.10 < np.mean(bias) < 0


@pytest.mark.parametrize("name", PRODUCTS)
def test_a_product_is_constant_within_its_own_coarser_cells(name: str) -> None:
    cell = PRODUCTS[name].cell
    inside = 73 + cell * (int(27 / cell) + np.array([0.1, 0.4, 0.9, 1.1]))
    made = product(name, inside, [31.01], [2005], SEED)[0, 0]
    assert made[0] == made[1] == made[2] != made[3]


def test_only_the_modis_like_product_has_gaps_and_they_are_barren_land_in_the_north_west() -> None:
    cube = fields_of().cube
    land = cube["in_region"].to_numpy() & (cube["land_cover"].to_numpy() != WATER)
    gaps = {name: land & np.isnan(mean_of_years(field)) for name, field in fields_of().products.items()}
    assert {name for name, gap in gaps.items() if gap.any()} == {"npp_modis"}
    gap = gaps["npp_modis"]
    assert 0.05 < gap.sum() / land.sum() < 0.25
    assert (cube["land_cover"].to_numpy()[gap] == BARREN).mean() > 0.8
    rows, columns = np.nonzero(gap)
    assert cube["longitude"].to_numpy()[columns].mean() < 85
    assert cube["latitude"].to_numpy()[rows].mean() > 34


def test_the_covariate_is_the_product() -> None:
    np.testing.assert_array_equal(fields_of().cube["npp_modis"], fields_of().products["npp_modis"])
