"""Readers of the products."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from made_places import NOWHERE
from opened import real_world

from helpers.data import catalog, grid, readers
from helpers.errors import DataError


def test_the_installed_elevation_map_runs_from_north_to_south() -> None:
    elevation = readers.read_elevation()
    expected = {(29.65, 91.13): 3950, (39.9, 116.4): 50, (42.9, 89.2): -140, (-33.0, 20.0): 700}
    for (latitude, longitude), metres in expected.items():
        found = elevation.sel(latitude=latitude, longitude=longitude, method="nearest").item()
        assert found == pytest.approx(metres, abs=450), (latitude, longitude)


def test_elevation_is_in_steps_of_28_m_and_the_sea_is_missing() -> None:
    elevation = readers.read_elevation()
    metres = np.unique(elevation.values[np.isfinite(elevation.values)])
    assert set((metres + 450) % 28) == {0}
    assert metres.max() < 28 * 255 - 450
    for latitude, longitude in ((20.0, 150.0), (30.0, -45.0), (-25.0, 80.0)):
        assert np.isnan(elevation.sel(latitude=latitude, longitude=longitude, method="nearest"))


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
    assert soc.attrs["long_name"] == f"soil organic carbon stock, 0-{depth} cm"


def test_net_photosynthesis_images_are_sorted_by_month_and_only_255_is_missing(tmp_path: Path) -> None:
    names = [tmp_path / f"MOD17A2_M_PSN_2015-{month:02d}-01_rgb.TIFF" for month in range(1, 13)]
    paths = [geotiff(path, np.array([[month, 255], [0, 254]], dtype="uint8")) for month, path in enumerate(names, 1)]
    psnnet = readers.read_psnnet(*paths[::-1])
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


def test_the_climate_of_biome4_is_in_our_units_at_the_centres_of_cells(tmp_path: Path) -> None:
    raw = np.full((12, 2, 2), 500, dtype="int16")
    raw[:, 1, 1] = -9999
    fields = {name: (("time", "lat", "lon"), raw) for name in ("temp", "prec")}
    xr.Dataset(fields, {"time": np.arange(1, 13), "lat": [33.5, 33.0], "lon": [90.0, 90.5]}).to_netcdf(
        tmp_path / "b.nc"
    )
    climate = readers.read_biome4(tmp_path / "b.nc")
    for name, expected, units in (("temperature", 50, "degC"), ("precipitation", 500, "mm month-1")):
        for month in climate[name]:
            np.testing.assert_allclose(month, [[expected, expected], [expected, np.nan]])
        assert climate[name].attrs["units"] == units
    assert climate.latitude.values.tolist() == [33.75, 33.25]
    assert climate.longitude.values.tolist() == [90.25, 90.75]


def sse_file(path: Path, head: str = "Lat Lon Jan Ann") -> Path:
    rows = [
        f"{lat} {lon} 1.00 {2.4 + 0.24 * (lat - 30) + 0.12 * (lon - 90):.2f}" for lat in (30, 31) for lon in (90, 91)
    ]
    text = "\n".join(["NASA Surface meteorology and Solar Energy", "Note 2: Lat/Lon values", head, *rows])
    path.write_bytes(gzip.compress(text.encode()))
    return path


def test_shortwave_radiation_is_in_watts_at_the_centres_of_cells_north_first(tmp_path: Path) -> None:
    srad = readers.read_sse(sse_file(tmp_path / "s.gz"))
    np.testing.assert_allclose(srad, [[110, 115], [100, 105]])
    assert srad.latitude.values.tolist() == [31.5, 30.5] and srad.longitude.values.tolist() == [90.5, 91.5]
    assert (srad.name, srad.attrs["units"]) == ("srad", "W m-2")


def test_shortwave_radiation_without_its_yearly_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="s.gz: Ann is missing, found Lat, Lon, Jan"):
        readers.read_sse(sse_file(tmp_path / "s.gz", head="Lat Lon Jan"))


@pytest.mark.real_data
@pytest.mark.parametrize(("place", "watts"), [((92.05, 31.48), 213), ((91.13, 29.67), 230), ((94.9, 36.42), 209)])
def test_shortwave_radiation_of_naqu_lhasa_and_golmud(real_data, place: tuple[float, float], watts: int) -> None:
    srad = readers.open_source("sse_srad")
    cell = srad.sel(longitude=place[0], latitude=place[1], method="nearest")
    assert float(cell) == pytest.approx(watts, abs=0.7)


def test_a_file_without_its_variable_is_named(tmp_path: Path) -> None:
    path = soil_model_file(tmp_path / "m.nc", cresp=np.ones((3, 4)), landarea=np.ones((3, 4)))
    with pytest.raises(DataError, match="m.nc: cHresp is missing, found cresp, landarea"):
        readers.read_mimics(path)


# The catalogue's readers ---------------------------------------------------------------------------------------------


@pytest.fixture
def catalogue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Write a catalogue of one product, ``mine``, whose file lies in the mirror."""

    def write(file: Path, **changes: object) -> None:
        text = dict.fromkeys(("title", "variable", "licence", "reference", "notes"), "made up")
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        named = {"name": file.name, "bytes": file.stat().st_size, "sha256": digest, "url": "https://127.0.0.1:9/x"}
        entry = text | {"citation": ["A2000"], "reader": "data.readers.read_soc", "files": [named]} | changes
        (tmp_path / "catalog.yml").write_text(yaml.safe_dump({"mine": entry}), encoding="utf-8")

    monkeypatch.setattr(catalog, "catalogue_path", lambda: tmp_path / "catalog.yml")
    monkeypatch.setenv("QTP_DATA_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("QTP_DATA_MIRROR", str(tmp_path))
    return write


def test_a_new_product_of_a_known_format_needs_only_its_entry(catalogue, tmp_path: Path) -> None:
    catalogue(geotiff(tmp_path / "mine.tif", np.array([[-32767, 0], [82, 200]], dtype="int16")))
    soc = readers.open_source("mine")
    np.testing.assert_allclose(soc, [[np.nan, 0], [8.2, 20]])
    assert soc.attrs["source"] == "mine"


def test_every_variable_of_a_product_names_its_source(catalogue, tmp_path: Path) -> None:
    path = soil_model_file(tmp_path / "c.nc", cnpp=np.ones((3, 4)), cresp=np.ones((3, 4)), landarea=np.ones((3, 4)))
    catalogue(path, reader="data.readers.read_casa_cnp")
    assert {field.attrs["source"] for field in readers.open_source("mine").values()} == {"mine"}


def test_a_table_is_read_with_what_its_reader_needs_besides_the_file(catalogue, tmp_path: Path) -> None:
    table = {"Lat": [33.0], "Long": [90.0], "NPPTotal_gm2y": [500.0], "Index": ["1"], "BiomeSource": ["x"]}
    table |= {"MAT_C": [1.0], "MAP_mm": [400.0]}
    pd.DataFrame(table | {"Source": ["Luo (1996)"]}).to_csv(tmp_path / "plots.csv", index=False)
    catalogue(tmp_path / "plots.csv", reader="sites.databases.read_michaletz")
    read = readers.open_source("mine", places=NOWHERE)
    assert read["value"].tolist() == [250.0]


@pytest.mark.parametrize("name", ["data.readers.read_nothing", "data.nowhere.read_soc", "os.path.join"])
def test_a_reader_that_is_not_a_function_of_the_package_is_refused(catalogue, tmp_path: Path, name: str) -> None:
    (tmp_path / "x.bin").write_bytes(b"x")
    catalogue(tmp_path / "x.bin", reader=name)
    with pytest.raises(DataError, match=f"entry 'mine': reader '{name}'.*expected folder.module.function"):
        readers.open_source("mine")


TOWER_MONTHS = """TIMESTAMP,TA_F,NEE_VUT_REF,RECO_NT_VUT_REF,GPP_NT_VUT_REF,RECO_DT_VUT_REF,GPP_DT_VUT_REF
200402,1.0,0.5,1.5,1.0,2.0,-9999
200403,1.0,-1,2,3,4,5
"""


def test_a_tower_is_read_with_its_place_and_its_two_partitions(tmp_path: Path) -> None:
    path = tmp_path / "FLX_CN-Dan_FLUXNET2015_SUBSET_MM_2004-2004_1-4.csv"
    path.write_text(TOWER_MONTHS)
    table = readers.read_towers(path)
    first, second = table.to_dict("records")
    assert (first["site"], first["longitude"], first["latitude"]) == ("CN-Dan", 91.0664, 30.4978)
    assert (first["year"], first["month"], first["nee"]) == (2004, 2, 0.5) and np.isnan(first["gpp_day"])
    partitions = ["reco_night", "gpp_night", "reco_day", "gpp_day"]
    assert [second[name] for name in partitions] == [2, 3, 4, 5]


@pytest.mark.parametrize("name", ["FLX_US-Ha1_FLUXNET2015.csv", "towers.csv"])
def test_a_tower_whose_place_is_not_known_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(TOWER_MONTHS)
    with pytest.raises(DataError, match=f"{name}: expected a file FLX_<tower>_… of one of CN-Dan"):
        readers.read_towers(tmp_path / name)


def test_a_tower_without_a_flux_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "FLX_CN-Dan_FLUXNET2015_SUBSET_MM_2004-2004_1-4.csv"
    path.write_text(TOWER_MONTHS.replace("GPP_DT", "GPP_XX"))
    with pytest.raises(DataError, match="GPP_DT_VUT_REF is missing"):
        readers.read_towers(path)


# The real files ------------------------------------------------------------------------------------------------------


@pytest.mark.real_data
def test_land_cover_is_water_east_of_shanghai_and_city_in_it(real_data) -> None:
    land_cover = readers.open_source("land_cover")
    assert land_cover.sel(latitude=31.2, longitude=121.45, method="nearest") == 13
    assert land_cover.sel(latitude=31.2, longitude=123.5, method="nearest") == 17


@pytest.mark.real_data
def test_the_monthly_climate_agrees_with_worldclim_where_mountains_tell_a_shift(real_data) -> None:
    monthly = readers.open_source("biome4_climate")
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
    monthly = readers.open_source("biome4_climate")
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
def test_the_upper_metre_holds_more_carbon_than_the_upper_30_cm(real_data) -> None:
    upper = real_world().cube["soc"].where(real_world().cube["in_region"])
    metre = grid.resample_nearest(readers.open_source("soc_0_100cm"), upper)
    assert bool((metre >= upper).sum() > 20_000)


@pytest.mark.real_data
def test_towers_took_up_what_their_files_say(real_data) -> None:
    """Months are weighted with 30.4 days here: annual NEE as published with the files, within 2 g C m-2 yr-1."""
    nee = 365.25 / 12 * readers.open_source("fluxnet_towers").groupby(["site", "year"])["nee"].sum()
    assert nee.to_dict() == pytest.approx(
        {
            ("CN-Dan", 2004): -129,
            ("CN-Dan", 2005): -68,
            ("CN-Ha2", 2003): -110,
            ("CN-Ha2", 2004): -226,
            ("CN-Ha2", 2005): -182,
            ("CN-HaM", 2002): 33,
            ("CN-HaM", 2003): -127,
            ("CN-HaM", 2004): -192,
        },
        abs=2.5,
    )
