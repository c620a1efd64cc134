"""Readers of the products and the derivations between quantities."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pvlib
import pytest
import rioxarray  # noqa: F401
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.data import catalog, derived, grid, readers

DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


def months(values: float | np.ndarray, latitude: float = 33.0) -> xr.DataArray:
    return xr.DataArray(
        np.broadcast_to(np.asarray(values, "float64").reshape(-1, 1, 1), (12, 1, 1)).copy(),
        {"month": np.arange(1, 13), "latitude": [latitude], "longitude": [90.0]},
        ("month", "latitude", "longitude"),
    )


@pytest.mark.parametrize("latitude", [0.0, 33.0, 45.0, -40.0])
def test_radiation_above_the_atmosphere_agrees_with_solar_geometry(latitude: float) -> None:
    hours = pd.date_range("2015-01-01 00:30", "2015-12-31 23:30", freq="h", tz="UTC")
    zenith = pvlib.solarposition.get_solarposition(hours, latitude, 0.0)["zenith"]
    beam = pvlib.irradiance.get_extra_radiation(hours, solar_constant=1366.7)
    horizontal = (beam * np.cos(np.deg2rad(zenith)).clip(lower=0)).groupby(hours.month).mean()
    ours = derived.extraterrestrial_radiation(xr.DataArray([latitude], dims="latitude"))
    np.testing.assert_allclose(ours.values[:, 0], horizontal, atol=10)
    assert ours.mean().item() == pytest.approx(horizontal.mean(), rel=0.02)


def test_an_overcast_year_lets_a_quarter_of_the_light_through() -> None:
    clear = derived.extraterrestrial_radiation(xr.DataArray([33.0], dims="latitude"))
    srad = derived.srad_from_sunshine(months(0.0), months(0.0).isel(month=0, drop=True))
    assert srad.item() == pytest.approx(0.25 * np.average(clear.values[:, 0], weights=DAYS))


def test_height_adds_to_a_clear_sky_what_fao_56_says() -> None:
    sea = months(0.0).isel(month=0, drop=True)
    ratio = derived.srad_from_sunshine(months(1.0), sea + 4400) / derived.srad_from_sunshine(months(1.0), sea)
    assert ratio.item() == pytest.approx((0.75 + 2e-5 * 4400) / 0.75)


def test_a_place_below_the_sea_has_the_sky_of_the_sea() -> None:
    sea = months(0.0).isel(month=0, drop=True)
    assert derived.srad_from_sunshine(months(1.0), sea - 150).equals(derived.srad_from_sunshine(months(1.0), sea))


def test_a_month_without_sunshine_data_makes_the_year_missing() -> None:
    sunshine = months(0.5)
    sunshine[3] = np.nan
    assert np.isnan(derived.srad_from_sunshine(sunshine, months(0.0).isel(month=0, drop=True)).item())


@given(fapar=st.floats(0, 0.97), extinction=st.floats(0.3, 0.9))
@settings(max_examples=50, deadline=None)
def test_leaf_area_gives_back_the_light_it_absorbs(fapar: float, extinction: float) -> None:
    lai = float(derived.lai_from_fapar(xr.DataArray(fapar), extinction))
    assert lai == derived.LAI_CAP or 1 - np.exp(-extinction * lai) == pytest.approx(fapar, abs=1e-12)


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
@settings(max_examples=50, deadline=None)
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


def test_the_installed_elevation_map_runs_from_north_to_south() -> None:
    elevation = readers.read_elevation()
    expected = {(29.65, 91.13): 3950, (39.9, 116.4): 50, (42.9, 89.2): -140, (-33.0, 20.0): 700}
    for (latitude, longitude), metres in expected.items():
        found = elevation.sel(latitude=latitude, longitude=longitude, method="nearest").item()
        assert found == pytest.approx(metres, abs=450), (latitude, longitude)


def test_elevation_bytes_become_metres_and_the_sea_is_missing(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "Altitude.h5", "w") as file:
        file["Altitude"] = np.array([[0, 255], [100, 254]], dtype="uint8")
    np.testing.assert_array_equal(readers.read_elevation(tmp_path / "Altitude.h5"), [[-450, np.nan], [2350, 6662]])


def geotiff(path: Path, values: np.ndarray) -> Path:
    rows, columns = values.shape
    field = xr.DataArray(
        values,
        {"y": 90 - 180 / rows * (np.arange(rows) + 0.5), "x": -180 + 360 / columns * (np.arange(columns) + 0.5)},
        ("y", "x"),
    )
    field.rio.write_crs("EPSG:4326").rio.to_raster(path)
    return path


def test_water_is_class_17_and_no_class_is_missing(tmp_path: Path) -> None:
    path = geotiff(tmp_path / "lc.tif", np.array([[0, 255], [10, 16]], dtype="uint8"))
    np.testing.assert_array_equal(readers.read_land_cover(path), [[17, np.nan], [10, 16]])


def test_every_class_has_a_meaning_in_the_attributes(tmp_path: Path) -> None:
    attrs = readers.read_land_cover(geotiff(tmp_path / "lc.tif", np.full((2, 2), 10, dtype="uint8"))).attrs
    meanings = dict(zip(attrs["flag_values"], attrs["flag_meanings"].split(), strict=True))
    assert meanings[10] == "grassland"
    assert sorted(meanings) == list(range(1, 18))


def test_fapar_is_scaled_and_its_fill_is_missing(tmp_path: Path) -> None:
    path = geotiff(tmp_path / "f.tif", np.array([[-999, 0], [5000, 10000]], dtype="int16"))
    np.testing.assert_allclose(readers.read_fapar(path), [[np.nan, 0], [0.5, 1]])


@pytest.mark.parametrize(("name", "depth"), [("SOCS_0_30cm_x.tif", "30"), ("SOCS_0_100cm_x.tif", "100")])
def test_soil_carbon_is_in_kg_and_says_its_depth(tmp_path: Path, name: str, depth: str) -> None:
    soc = readers.read_soc(geotiff(tmp_path / name, np.array([[-32767, 0], [82, 200]], dtype="int16")))
    np.testing.assert_allclose(soc, [[np.nan, 0], [8.2, 20]])
    assert soc.attrs["source"] == f"soc_0_{depth}cm"


def test_net_photosynthesis_images_are_sorted_by_month_and_only_255_is_missing(tmp_path: Path) -> None:
    names = [tmp_path / f"MOD17A2_M_PSN_2015-{month:02d}-01_rgb.TIFF" for month in range(1, 13)]
    paths = [geotiff(path, np.array([[month, 255], [0, 254]], dtype="uint8")) for month, path in enumerate(names, 1)]
    psnnet = readers.read_psnnet(paths[::-1])
    np.testing.assert_allclose(psnnet[:, 0, 0], -1 + (np.arange(1, 13) + 0.5) * 7.5 / 254, rtol=1e-6)
    assert psnnet.isnull().sum("month").values.tolist() == [[0, 12], [0, 0]]


def soil_model_file(path: Path, **variables: np.ndarray) -> Path:
    """A file like those of the soil models: latitude from the south, longitude from 0 to 360."""
    fields = {name: (("time", "lat", "lon"), values[None]) for name, values in variables.items() if name != "landarea"}
    fields["landarea"] = (("lat", "lon"), variables["landarea"])
    xr.Dataset(fields, {"lat": [-60.0, 0.0, 60.0], "lon": [0.0, 90.0, 180.0, 270.0]}).to_netcdf(path)
    return path


def test_soil_models_are_turned_to_our_grid_and_summed_over_the_year(tmp_path: Path) -> None:
    rate = np.arange(12.0).reshape(3, 4)
    rh = readers.read_mimics(soil_model_file(tmp_path / "m.nc", cHresp=rate, landarea=np.ones((3, 4))))
    assert rh.longitude.values.tolist() == [-180, -90, 0, 90]
    assert rh.latitude.values.tolist() == [60, 0, -60]
    assert rh.sel(latitude=60, longitude=90).item() == 9 * 365


def test_soil_respiration_of_corpse_has_the_litter_and_no_infinite_sea(tmp_path: Path) -> None:
    land = np.ones((3, 4))
    land[0, 0] = 0
    litter = np.where(land == 0, np.inf, 1.0)
    rh = readers.read_corpse(
        soil_model_file(tmp_path / "c.nc", Soil_CO2=land * 2, LitterLayer_CO2=litter, landarea=land)
    )
    assert rh.isnull().sum() == 1
    assert rh.sel(latitude=60, longitude=0).item() == 3 * 365


def test_site_npp_is_scaled_and_fill_is_left_out(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"Year": [2001, 2002], "Longitude": [91.0, 92.0], "Latitude": [31.0, 32.0], "MODIS_NPP": [2500.0, 32767.0]}
    )
    table.to_parquet(tmp_path / "n.parquet")
    assert readers.read_modis_npp_sites(tmp_path / "n.parquet").to_numpy().tolist() == [[91.0, 31.0, 2001.0, 250.0]]


def test_sunshine_is_a_fraction_at_the_centres_of_cells(tmp_path: Path) -> None:
    raw = np.full((12, 2, 2), 500, dtype="int16")
    raw[:, 1, 1] = 0
    raw[0, 1, 1] = -9999  # so the file marks the sea
    file = xr.Dataset(
        {"sun": (("time", "lat", "lon"), raw)}, {"time": np.arange(1, 13), "lat": [33.5, 33.0], "lon": [90.0, 90.5]}
    )
    file.to_netcdf(tmp_path / "b.nc")
    sunshine = readers.read_sunshine(tmp_path / "b.nc")
    for month in sunshine:
        np.testing.assert_allclose(month, [[0.5, 0.5], [0.5, np.nan]])
    assert sunshine.latitude.values.tolist() == [33.75, 33.25]
    assert sunshine.longitude.values.tolist() == [90.25, 90.75]


# The real files ------------------------------------------------------------------------------------------------------

MAPS = [
    "worldclim_temperature",
    "worldclim_precipitation",
    "biome4_sunshine",
    "fapar_max",
    "psnnet_2015",
    "soc_0_30cm",
    "soc_0_100cm",
    "mimics",
    "corpse",
]


@pytest.fixture(scope="module", params=MAPS)
def real_map(request: pytest.FixtureRequest, real_data) -> xr.DataArray:
    return readers.open_source(request.param)


@pytest.mark.real_data
def test_land_and_sea_lie_where_they_are(real_map: xr.DataArray) -> None:
    field = real_map.isel(month=6) if "month" in real_map.dims else real_map
    land = {"Anhui": (32.5, 116.5), "Kansas": (38.5, -98.5), "Congo": (-3.0, 23.0), "New South Wales": (-32.5, 147.5)}
    sea = {"Pacific": (20.0, 150.0), "Atlantic": (30.0, -45.0), "Indian Ocean": (-25.0, 80.0)}
    for places, there in ((land, True), (sea, False)):
        for place, (latitude, longitude) in places.items():
            value = field.sel(latitude=latitude, longitude=longitude, method="nearest")
            assert bool(np.isfinite(value)) == there, place


@pytest.mark.real_data
def test_maps_come_in_our_names_and_say_what_they_are(real_map: xr.DataArray) -> None:
    assert real_map.dims[-2:] == ("latitude", "longitude")
    assert real_map.latitude[0] > real_map.latitude[-1]
    assert real_map.rio.crs == "EPSG:4326"
    assert {"units", "long_name", "source"} <= set(real_map.attrs)


@pytest.mark.real_data
def test_land_cover_is_water_east_of_shanghai_and_city_in_it(real_data) -> None:
    land_cover = readers.open_source("land_cover")
    assert land_cover.sel(latitude=31.2, longitude=121.45, method="nearest") == 13
    assert land_cover.sel(latitude=31.2, longitude=123.5, method="nearest") == 17


@pytest.mark.real_data
def test_the_monthly_climate_agrees_with_worldclim_where_mountains_tell_a_shift(real_data) -> None:
    monthly = readers.read_monthly_climate(*catalog.fetch("biome4_sunshine").values())
    cells = grid.target_grid(73, 20, 120, 45, 0.5)
    ours = grid.resample_nearest(monthly["temperature"].mean("month", skipna=False).rio.write_crs("EPSG:4326"), cells)
    worldclim = readers.open_source("worldclim_temperature")
    blocks = worldclim.coarsen(latitude=3, longitude=3).mean().rio.write_crs("EPSG:4326")

    def agreement(shift: float) -> float:
        moved = blocks.assign_coords(longitude=blocks.longitude + shift)
        return float(xr.corr(ours, grid.resample_nearest(moved, cells)))

    assert agreement(0.0) > 0.97
    assert agreement(0.0) > max(agreement(-0.5), agreement(0.5))


@pytest.mark.real_data
def test_monthly_precipitation_adds_up_to_worldclim(real_data) -> None:
    monthly = readers.read_monthly_climate(*catalog.fetch("biome4_sunshine").values())
    cells = grid.target_grid(73, 20, 120, 45, 0.5)
    ours = grid.resample_nearest(monthly["precipitation"].sum("month", skipna=False).rio.write_crs("EPSG:4326"), cells)
    worldclim = grid.resample_nearest(readers.open_source("worldclim_precipitation"), cells)
    assert float(ours.mean() / worldclim.mean()) == pytest.approx(1, abs=0.1)


@pytest.mark.real_data
@pytest.mark.parametrize("key", ["casa_cnp", "mimics", "corpse"])
def test_soil_models_respire_what_the_globe_takes_up(real_data, key: str) -> None:
    field = readers.open_source(key)
    rh = field["rh"] if key == "casa_cnp" else field
    total = float((rh * grid.cell_area(rh.latitude, rh.longitude)).sum()) / 1e9  # g m-2 km2 = 1e6 g = 1e-9 Pg
    assert 50 < total < 60


@pytest.mark.real_data
def test_the_npp_stand_in_follows_mod17a3_at_sites(real_data) -> None:
    sites = readers.open_source("modis_npp_sites").groupby(["longitude", "latitude"], as_index=False)["npp"].mean()
    sites = sites[sites.longitude.between(73, 136) & sites.latitude.between(18, 54)]
    npp = derived.npp_from_psnnet(readers.open_source("psnnet_2015"))
    at = {axis: xr.DataArray(sites[axis].to_numpy(), dims="site") for axis in ("latitude", "longitude")}
    ours = npp.sel(at, method="nearest").to_numpy()
    known = np.isfinite(ours)
    assert known.sum() > 400
    assert np.corrcoef(ours[known], sites["npp"][known])[0, 1] > 0.85
    assert ours[known].mean() / sites["npp"][known].mean() == pytest.approx(0.92, abs=0.05)
