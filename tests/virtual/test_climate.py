"""Climate of the virtual plateau: the stated patterns and trends."""

from __future__ import annotations

import numpy as np
import pytest
from worlds import SEED, fields_of, mean_of_years, plateau_mean

from helpers.virtual.climate import clear_sky, climate, mean_precipitation
from helpers.virtual.laws import LAWS


def test_a_year_does_not_depend_on_the_other_years() -> None:
    alone = climate([90.0], [32.0], [2003], SEED)
    among = climate([90.0], [32.0], range(2000, 2010), SEED)
    assert alone.temperature[0] == pytest.approx(among.temperature[3], abs=1e-9)


def test_the_south_east_is_wet_and_the_north_west_dry() -> None:
    cube = fields_of().cube
    rain = mean_of_years(cube["precipitation"])
    longitude, latitude = np.meshgrid(cube["longitude"], cube["latitude"])
    assert plateau_mean(rain, fields_of(), (longitude > 96) & (latitude < 29)) > 1000
    assert plateau_mean(rain, fields_of(), (longitude < 82) & (latitude > 35)) < 50


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


def test_it_is_colder_up_high_and_in_the_north() -> None:
    cube = fields_of().cube
    warmth = mean_of_years(cube["temperature"]).ravel()
    elevation = cube["elevation"].to_numpy().ravel() / 1000
    latitude = np.broadcast_to(cube["latitude"].to_numpy()[:, None], cube["elevation"].shape).ravel()
    fit = np.linalg.lstsq(np.column_stack([np.ones_like(warmth), elevation, latitude]), warmth, rcond=None)[0]
    assert fit[1] == pytest.approx(-LAWS.lapse_rate, abs=0.2)
    assert -1.0 < fit[2] < -0.4


def test_the_clear_sky_grows_with_height_and_stays_below_the_sun_above_the_atmosphere() -> None:
    latitude = np.arange(18.0, 55.0, 4.0)
    low, high = clear_sky(latitude, 0.0), clear_sky(latitude, 6500.0)
    above = 1361 / np.pi * np.cos(np.radians(latitude)) * 1.1  # a bound on the annual mean at these latitudes
    assert (low < high).all()
    assert (high < above).all()


def test_rain_brings_clouds() -> None:
    cube = fields_of().cube
    sky = clear_sky(cube["latitude"].to_numpy()[:, None], cube["elevation"].to_numpy())
    share = mean_of_years(cube["srad"]) / sky
    rain = mean_of_years(cube["precipitation"])
    assert share[rain > 1000].mean() < 0.8 < 0.95 < share[rain < 50].mean()
