"""What goes wrong with data: each fault gives one clear message, and leaves nothing half done."""

from __future__ import annotations

import hashlib
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pytest
import rioxarray  # noqa: F401
import shapely
import xarray as xr
import yaml

from helpers.config import RS_PREDICTORS
from helpers.data import catalog, cube, derived, grid, readers, region
from helpers.errors import DataError

CONTENT = b"twelve bytes"


@pytest.fixture
def product(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue of one small file that no public address has; returns the mirror folder, still empty."""
    file = {
        "name": "small.bin",
        "bytes": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "url": "https://127.0.0.1:9/small.bin",
    }
    text = {"title": "t", "variable": "v", "licence": "l", "citation": ["A2000"], "reference": "r", "notes": "n"}
    path = tmp_path / "catalog.yml"
    path.write_text(
        yaml.safe_dump({"small": {**text, "reader": "data.readers.read_small", "files": [file]}}), encoding="utf-8"
    )
    mirror = tmp_path / "mirror"
    mirror.mkdir()
    monkeypatch.setattr(catalog, "catalogue_path", lambda: path)
    monkeypatch.setenv("QTP_DATA_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("QTP_DATA_MIRROR", str(mirror))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return mirror


def test_no_mirror_and_no_network_says_what_was_tried_and_what_to_do(product: Path) -> None:
    with pytest.raises(DataError) as caught:
        catalog.fetch("small")
    message = str(caught.value)
    assert f"{product}/small.bin: no such file" in message
    assert "https://127.0.0.1:9/small.bin: no answer from 127.0.0.1" in message
    assert "set QTP_DATA_MIRROR" in message
    assert hashlib.sha256(CONTENT).hexdigest() in message


def test_a_wrong_file_in_the_mirror_is_refused_and_leaves_the_cache_empty(product: Path, tmp_path: Path) -> None:
    (product / "small.bin").write_bytes(CONTENT[:5])
    with pytest.raises(DataError, match="wrong checksum"):
        catalog.fetch("small")
    assert not [path for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"]


def test_an_unknown_product_is_refused_with_the_known_ones(product: Path) -> None:
    with pytest.raises(DataError, match=r"no product 'smal' .* there are: small"):
        catalog.fetch("smal")


def test_the_command_fails_with_the_message_and_no_traceback(product: Path, capsys) -> None:
    assert catalog.main(["small"]) == 1
    assert "cannot get small.bin" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "abc"}, "files.0.sha256"),
        ({"url": "http://example.org/x"}, "files.0.url"),
        ({"name": "../small.bin"}, "files.0.name"),
        ({"md5": "abc"}, "files.0.md5"),
    ],
)
def test_a_bad_field_of_the_catalogue_is_named(product: Path, change: dict, message: str) -> None:
    path = catalog.catalogue_path()
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["small"]["files"][0] |= change
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(DataError, match=message):
        catalog.load_catalog()


def test_an_entry_without_files_must_say_where_it_comes_from(product: Path) -> None:
    path = catalog.catalogue_path()
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    content["small"]["files"] = []
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    with pytest.raises(DataError, match="'small'.*origin"):
        catalog.load_catalog()


def test_a_cache_folder_that_cannot_be_made_is_named(product: Path, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("QTP_DATA_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(DataError, match="set QTP_DATA_DIR"):
        catalog.fetch("small")


def small_grid() -> xr.Dataset:
    return grid.target_grid(90, 30, 92, 32, 0.5)


def raster(west: float = 85, south: float = 25, east: float = 95, north: float = 35) -> xr.DataArray:
    box = grid.target_grid(west, south, east, north, 1)
    field = xr.DataArray(
        np.ones((box.sizes["latitude"], box.sizes["longitude"])),
        {"latitude": box.latitude, "longitude": box.longitude},
        ("latitude", "longitude"),
        name="rain",
    )
    return field.rio.write_crs("EPSG:4326")


def test_a_raster_without_crs_is_refused() -> None:
    with pytest.raises(DataError, match="rain has no CRS"):
        grid.resample_nearest(raster().drop_vars("spatial_ref"), small_grid())


def test_a_raster_in_another_crs_is_refused() -> None:
    with pytest.raises(DataError, match="EPSG:32645.*expected EPSG:4326"):
        grid.resample_nearest(raster().rio.write_crs("EPSG:32645"), small_grid())


@pytest.mark.parametrize(
    ("edges", "side"),
    [({"west": 91}, "western"), ({"east": 91}, "eastern"), ({"south": 31}, "southern"), ({"north": 31}, "northern")],
)
def test_a_raster_that_is_too_small_names_its_short_edge(edges: dict, side: str) -> None:
    with pytest.raises(DataError, match=f"{side} edge"):
        grid.resample_nearest(raster(**edges), small_grid())


@pytest.mark.parametrize(
    "box",
    [
        *((92, 30, 90, 32), (90, 32, 92, 30), (90, 30, 90, 32), (90, 30, 92, 30)),
        *((-180.5, 30, 92, 32), (90, -90.5, 92, 32), (90, 30, 180.5, 32), (90, 30, 92, 90.5)),
    ],
)
def test_a_box_that_is_empty_or_leaves_the_globe_is_refused(box: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="west < east and south < north, within -180..180 and -90..90"):
        grid.target_grid(*box, 0.5)


@pytest.mark.parametrize("resolution", [0.0, -0.5, np.nan])
def test_a_resolution_that_is_not_above_zero_is_refused(resolution: float) -> None:
    with pytest.raises(DataError, match="expected a cell size above 0 degrees"):
        grid.target_grid(90, 30, 92, 32, resolution)


@pytest.mark.parametrize(
    ("longitude", "message"), [([90.0], "at least two cells, got 1"), ([90.0, 91.0, 93.0], "evenly spaced")]
)
def test_cells_without_one_size_have_no_area(longitude: list[float], message: str) -> None:
    with pytest.raises(DataError, match=f"longitude: expected {message}"):
        grid.cell_area(np.array([31.0, 30.0]), np.array(longitude))


def test_a_shapefile_without_its_siblings_names_them(tmp_path: Path) -> None:
    geopandas.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)], crs=4326).to_file(tmp_path / "b.shp")
    (tmp_path / "b.prj").unlink()
    with pytest.raises(DataError, match="b.prj is missing"):
        region.read_boundary(tmp_path / "b.shp")


def test_a_boundary_without_a_coordinate_system_is_refused(tmp_path: Path) -> None:
    geopandas.GeoDataFrame(geometry=[shapely.box(0, 0, 1, 1)]).to_file(tmp_path / "b.gpkg")
    with pytest.raises(DataError, match="b.gpkg: it names no coordinate system; assign its own"):
        region.read_boundary(tmp_path / "b.gpkg")


def test_a_boundary_of_points_is_refused(tmp_path: Path) -> None:
    geopandas.GeoDataFrame(geometry=[shapely.Point(0, 0)], crs=4326).to_file(tmp_path / "b.gpkg")
    with pytest.raises(DataError, match="expected polygons, found feature 1: .'Point'"):
        region.read_boundary(tmp_path / "b.gpkg")


def test_a_file_that_is_no_map_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.geojson").write_text("no map")
    with pytest.raises(DataError, match="cannot be read"):
        region.read_boundary(tmp_path / "b.geojson")


def layers() -> dict[str, xr.DataArray]:
    box = small_grid()
    field = xr.DataArray(
        np.full((4, 4), 5.0), {"latitude": box.latitude, "longitude": box.longitude}, ("latitude", "longitude")
    )
    return {name: (field * 0 + 200 if name == "srad" else field) for name in RS_PREDICTORS}


def whole_cube(**changes: xr.DataArray) -> xr.Dataset:
    fields = layers() | changes
    return cube.assemble(fields, small_grid(), fields["elevation"] > 0)


def test_temperature_in_kelvin_asks_for_the_units_and_names_the_cell() -> None:
    kelvin = layers()["temperature"].copy()
    kelvin[1, 2] = 273.0
    with pytest.raises(DataError, match=r"temperature: 1 of 16 .* latitude 31.25, longitude 91.25. Check units?"):
        whole_cube(temperature=kelvin)


def test_a_cube_without_a_covariate_is_refused() -> None:
    fields = layers()
    del fields["soc"]
    with pytest.raises(DataError, match="missing: soc"):
        cube.assemble(fields, small_grid(), fields["lai"] > 0)


def test_a_layer_off_the_grid_is_refused() -> None:
    moved = layers()["lai"].assign_coords(longitude=layers()["lai"].longitude + 0.25)
    with pytest.raises(DataError, match="lai: its longitude is not that of the target grid"):
        whole_cube(lai=moved)


def test_swapped_coordinates_are_recognised() -> None:
    sites = pd.DataFrame({"longitude": [91.0, 31.0], "latitude": [31.0, 91.0]}, index=["here", "there"])
    with pytest.raises(DataError, match="row there: .*swapped"):
        cube.sample(whole_cube(), sites)


def test_a_site_outside_the_cube_is_named() -> None:
    sites = pd.DataFrame({"longitude": [91.0, 10.0], "latitude": [31.0, 50.0]}, index=[7, 8])
    with pytest.raises(DataError, match="row 8: outside the cube, 90 to 92 E, 30 to 32 N"):
        cube.sample(whole_cube(), sites)


def test_a_site_without_coordinates_is_named() -> None:
    sites = pd.DataFrame({"longitude": [91.0, np.nan], "latitude": [31.0, 31.0]})
    with pytest.raises(DataError, match="row 1: longitude or latitude is missing"):
        cube.sample(whole_cube(), sites)


def test_sites_without_a_longitude_column_are_refused() -> None:
    with pytest.raises(DataError, match="column longitude is missing"):
        cube.sample(whole_cube(), pd.DataFrame({"lon": [91.0], "latitude": [31.0]}))


def months(value: float) -> xr.DataArray:
    return xr.DataArray(
        np.full((12, 1, 1), value),
        {"month": np.arange(1, 13), "latitude": [33.0], "longitude": [90.0]},
        ("month", "latitude", "longitude"),
    )


def test_fapar_in_per_cent_is_refused() -> None:
    with pytest.raises(DataError, match="fapar: expected a fraction"):
        derived.lai_from_fapar(months(40.0))


@pytest.mark.parametrize("model", [derived.npp_from_psnnet, lambda short: derived.raich_rs(short, short)])
def test_a_year_of_eleven_months_is_refused(model) -> None:
    with pytest.raises(DataError, match="expected 12 months"):
        model(months(0.5).isel(month=slice(11)))


def test_a_missing_monthly_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="expected images of the months 1 to 12"):
        readers.read_psnnet(tmp_path / "MOD17A2_M_PSN_2015-01-01_rgb_3600x1800.TIFF")
