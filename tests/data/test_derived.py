"""Published models that derive one quantity from another."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from opened import real_world

from helpers.balance.comparison import modis_check
from helpers.data import derived

DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def months(values: float | np.ndarray, latitude: float = 33.0) -> xr.DataArray:
    return xr.DataArray(
        np.broadcast_to(np.asarray(values, "float64").reshape(-1, 1, 1), (12, 1, 1)).copy(),
        {"month": np.arange(1, 13), "latitude": [latitude], "longitude": [90.0]},
        ("month", "latitude", "longitude"),
    )


@given(fapar=st.floats(0, 0.96))
def test_leaf_area_gives_back_the_light_it_absorbs(fapar: float) -> None:
    lai = float(derived.lai_from_fapar(xr.DataArray(fapar)))
    assert 1 - np.exp(-0.5 * lai) == pytest.approx(fapar, abs=1e-12)


def test_a_closed_canopy_has_the_largest_leaf_area_that_fapar_tells() -> None:
    assert float(derived.lai_from_fapar(xr.DataArray(1.0))) == derived.LAI_CAP


def test_yearly_npp_is_four_fifths_of_net_photosynthesis_over_the_days() -> None:
    assert derived.npp_from_psnnet(months(np.arange(12.0))).item() == pytest.approx(0.8 * (np.arange(12) * DAYS).sum())


def test_a_negative_year_of_net_photosynthesis_is_no_npp() -> None:
    assert derived.npp_from_psnnet(months(-0.2)).item() == 0


def test_a_month_without_net_photosynthesis_makes_the_year_missing() -> None:
    psnnet = months(1.0)
    psnnet[0] = np.nan
    assert np.isnan(derived.npp_from_psnnet(psnnet).item())


@given(precipitation=st.floats(0, 12_000), temperature=st.floats(-40, 40))
@settings(max_examples=50)
def test_the_miami_model_takes_the_scarcer_of_warmth_and_water(precipitation: float, temperature: float) -> None:
    npp = float(derived.miami_npp(xr.DataArray(precipitation), xr.DataArray(temperature)))
    warmth = 0.45 * 3000 / (1 + np.exp(1.315 - 0.119 * temperature))
    water = 0.45 * 3000 * (1 - np.exp(-0.000664 * precipitation))
    assert npp == pytest.approx(min(warmth, water))


@pytest.mark.parametrize("unknown", ["precipitation", "temperature"])
def test_the_miami_model_needs_both_climate_variables(unknown: str) -> None:
    climate = {"precipitation": xr.DataArray(400.0), "temperature": xr.DataArray(1.0)} | {unknown: xr.DataArray(np.nan)}
    assert np.isnan(float(derived.miami_npp(**climate)))


def test_soil_respiration_without_rain_is_nothing() -> None:
    assert derived.raich_rs(months(0.0), months(15.0)).item() == 0


def test_soil_respiration_doubles_with_the_published_temperature_step() -> None:
    step = np.log(2) / 0.05452
    ratio = derived.raich_rs(months(30.0), months(step)) / derived.raich_rs(months(30.0), months(0.0))
    assert ratio.item() == pytest.approx(2)


def test_soil_respiration_is_half_of_the_wet_rate_at_42_59_mm_a_month() -> None:
    assert derived.raich_rs(months(42.59), months(0.0)).item() == pytest.approx(0.5 * 1.250 * 365)


@pytest.mark.real_data
def test_the_npp_stand_in_follows_mod17a3_at_sites(real_data) -> None:
    check = modis_check(real_world().cube, real_world().modis_at_sites)
    assert len(check) > 400
    assert np.corrcoef(check["npp_modis"], check["mod17a3"])[0, 1] > 0.85
    assert check["npp_modis"].mean() / check["mod17a3"].mean() == pytest.approx(0.92, abs=0.05)
