"""The layers of a real world: from the catalogue, derived from others, and from files of your own."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyproj
import pytest
import rasterio
import rioxarray  # noqa: F401  (gives DataArrays their .rio)
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from rasterio.transform import from_origin

from helpers.config import Layer
from helpers.data import catalog, derived, grid, layers
from helpers.data.readers import open_source
from helpers.errors import DataError

#: Four columns and three rows of one degree.
GRID = grid.target_grid(90, 30, 94, 33, 1.0)
#: What a map of longitude + 100 latitude has in the cells of the grid.
EXPECTED = [[100 * y + x for x in (90.5, 91.5, 92.5, 93.5)] for y in (32.5, 31.5, 30.5)]


def places_map(west=88, south=28, east=96, north=35, step=1.0, turn=0.0) -> xr.DataArray:
    """Return a map of a box, north first, in which a cell's value is the longitude plus 100 times the latitude."""
    x = np.arange(west + step / 2, east, step)
    y = np.arange(north - step / 2, south, -step)
    axes = {"latitude": y, "longitude": x + turn}
    return xr.DataArray(100 * y[:, None] + x, axes, tuple(axes), "mine").rio.write_crs("EPSG:4326")


def saved(field: xr.DataArray | xr.Dataset, path: Path) -> Path:
    """Write a map in the format that the name of the file asks for."""
    if path.suffix == ".zarr":
        field.to_zarr(path, consolidated=False)
    elif path.suffix == ".nc":
        field.to_netcdf(path)
    else:
        field.rename(latitude="y", longitude="x").rio.to_raster(path)
    return path


def opened(path: Path, name: str = "ndvi", unit: str = "1", **more) -> xr.DataArray:
    return layers.open_layer(name, Layer(file=str(path), unit=unit, **more), GRID)


# --- a map of your own -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["mine.tif", "mine.TIFF", "mine.nc", "mine.zarr"])
def test_each_format_gives_each_cell_the_value_at_its_centre(tmp_path, name):
    path = saved(places_map(), tmp_path / name.lower())
    path = path.rename(tmp_path / name)
    read = opened(path)
    assert read.dims == ("latitude", "longitude") and read.dtype == np.float32
    assert read.values.tolist() == EXPECTED
    assert read.name == "ndvi" and read.attrs == {"source": str(path), "units": "1", "long_name": "ndvi"}


def test_a_known_name_has_its_attributes_and_limits_of_your_own_go_with_it(tmp_path):
    path = saved(places_map() * 0 + 2, tmp_path / "lai.tif")
    read = opened(path, "lai", low=0, high=9)
    assert (read.attrs["long_name"], read.attrs["valid_min"], read.attrs["valid_max"]) == ("leaf area index", 0, 9)
    assert "valid_min" not in opened(path, "lai").attrs


@pytest.mark.parametrize("name", ["mine.nc", "mine.zarr", "mine.tif"])
def test_rows_from_the_south_mean_the_same(tmp_path, name):
    path = tmp_path / name
    if path.suffix == ".tif":  # a positive step down the rows
        turned = places_map().values[::-1].astype("float32")
        profile = {"driver": "GTiff", "height": 7, "width": 8, "count": 1, "dtype": "float32", "crs": "EPSG:4326"}
        with rasterio.open(path, "w", transform=rasterio.Affine(1, 0, 88, 0, 1, 28), **profile) as file:
            file.write(turned, 1)
    else:
        saved(places_map().isel(latitude=slice(None, None, -1)), path)
    assert opened(path).values.tolist() == EXPECTED


@pytest.mark.parametrize("name", ["mine.nc", "mine.tif"])
def test_longitudes_from_0_to_360_mean_the_same(tmp_path, name):
    path = saved(places_map(0, 28, 360, 35), tmp_path / name)
    target = grid.target_grid(-2, 30, 2, 33, 1.0)
    read = layers.open_layer("ndvi", Layer(file=str(path), unit="1"), target)
    assert read.values[0].tolist() == [3250 + 358.5, 3250 + 359.5, 3250.5, 3251.5]


def test_a_map_across_the_antimeridian_is_refused_where_the_grid_is_not_covered(tmp_path):
    path = saved(places_map(170, 28, 190, 35), tmp_path / "mine.nc")
    with pytest.raises(DataError, match="ndvi, .*mine.nc, longitude: expected evenly spaced cell centres"):
        layers.open_layer("ndvi", Layer(file=str(path), unit="1"), grid.target_grid(-179, 30, -175, 33, 1.0))


@pytest.mark.parametrize("dims", [("lat", "lon"), ("y", "x"), ("latitude", "longitude")])
def test_the_usual_names_of_axes_are_known(tmp_path, dims):
    field = places_map().rename(dict(zip(("latitude", "longitude"), dims, strict=True)))
    field.to_netcdf(tmp_path / "mine.nc")
    assert opened(tmp_path / "mine.nc").values.tolist() == EXPECTED


def test_axes_in_another_order_mean_the_same(tmp_path):
    places_map().transpose("longitude", "latitude").to_netcdf(tmp_path / "mine.nc")
    assert opened(tmp_path / "mine.nc").values.tolist() == EXPECTED


@given(x=st.integers(0, 39), y=st.integers(0, 29))
def test_a_fine_map_gives_the_value_of_the_cell_that_holds_the_centre(tmp_path_factory, x, y):
    """A mark of one fine cell is seen exactly where that cell holds the centre of one of the grid."""
    fine = places_map(90, 30, 94, 33, step=0.1) * 0
    fine[y, x] = 1
    path = saved(fine, tmp_path_factory.mktemp("fine") / "mine.nc")
    seen = opened(path).values
    # A centre lies on the edge of two fine cells: the eastern and the southern one count.
    assert seen.sum() == (x % 10 == 5 and y % 10 == 5)
    assert seen[y // 10, x // 10] == seen.sum()


# another coordinate system


@pytest.mark.parametrize("crs", ["EPSG:32646", "EPSG:3857"])
@pytest.mark.parametrize("name", ["mine.tif", "mine.nc"])
def test_a_map_of_another_coordinate_system_is_brought_to_the_grid(tmp_path, crs, name):
    """Cells of 2 km that hold their own longitude plus 100 times their latitude."""
    moved = pyproj.Transformer.from_crs("EPSG:4326", crs, always_xy=True)
    corners = moved.transform([89.5, 94.5, 89.5, 94.5], [29.5, 29.5, 33.5, 33.5])
    x = np.arange(min(corners[0]), max(corners[0]), 2000.0)
    y = np.arange(max(corners[1]), min(corners[1]), -2000.0)
    longitude, latitude = moved.transform(*np.meshgrid(x, y), direction="INVERSE")
    field = xr.DataArray(100 * latitude + longitude, {"y": y, "x": x}, ("y", "x"), "mine").rio.write_crs(crs)
    path = tmp_path / name
    field.rio.to_raster(path) if name == "mine.tif" else field.to_netcdf(path)
    read = opened(path)
    # Half a cell is 0.01 degree: 1 in these values.
    np.testing.assert_allclose(read.values, EXPECTED, atol=1.6)
    assert abs(read.values - EXPECTED).mean() < 1
    assert read["latitude"].values.tolist() == [32.5, 31.5, 30.5]


def test_classes_of_another_coordinate_system_stay_whole(tmp_path):
    x, y = np.arange(0.0, 1.2e6, 7000), np.arange(3.9e6, 3.2e6, -7000)
    number = np.add.outer(np.arange(y.size), np.arange(x.size)) % 2 * 7 + 3.0
    field = xr.DataArray(number, {"y": y, "x": x}, ("y", "x"), "mine").rio.write_crs("EPSG:32646")
    field.rio.to_raster(tmp_path / "mine.tif")
    found = np.unique(opened(tmp_path / "mine.tif", kind="classes"))
    assert found[np.isfinite(found)].tolist() == [3, 10]


# what is missing


def test_cells_that_a_map_says_are_missing_are_missing_and_infinite_ones_too(tmp_path):
    field = places_map()
    field[2, 2], field[2, 3] = np.nan, np.inf  # at 90.5 and 91.5 E, 32.5 N
    field.rio.write_nodata(-9999, encoded=True).rename(latitude="y", longitude="x").rio.to_raster(tmp_path / "mine.tif")
    assert np.isnan(opened(tmp_path / "mine.tif").values).tolist()[0] == [True, True, False, False]


def test_a_map_without_any_value_here_is_refused(tmp_path):
    field = places_map()
    path = saved(field.where(field["longitude"] > 94.2), tmp_path / "mine.nc")
    with pytest.raises(DataError, match="predictor or product ndvi, .*mine.nc: no value on the target grid; does it"):
        opened(path)


def test_a_map_that_ends_before_the_grid_is_refused_with_its_edge(tmp_path):
    with pytest.raises(
        DataError, match="ndvi, .*mine.nc, longitude: does not cover the target grid at its eastern edge: .* 93"
    ):
        opened(saved(places_map(east=93), tmp_path / "mine.nc"))


# --- a map of your own that cannot be used ---------------------------------------------------------------------------


def other(folder: Path, case: str) -> tuple[Path, dict]:
    """Write one of the maps that cannot be used; return its path and what the configuration says of it."""
    path, field, more = folder / "mine.nc", places_map(), {}
    if case == "unit":
        more = {"name": "precipitation", "unit": "mm month-1"}
    elif case == "no CRS":
        field = field.drop_vars("spatial_ref")
    elif case == "several":
        field = xr.Dataset({"a": field, "b": field})
    elif case == "another":
        more = {"variable": "npp"}
    elif case == "years":
        field = field.expand_dims(time=[2001, 2002, 2003])
    elif case == "line":
        field = field.isel(latitude=0, drop=True)
    elif case == "parts":
        more = {"kind": "classes"}
        field = field + 0.25
    elif case == "suffix":
        (folder / "mine.asc").write_text("ncols 3")
        return folder / "mine.asc", more
    elif case == "gone":
        return folder / "gone.tif", more
    saved(field.to_dataset(name="mine") if isinstance(field, xr.DataArray) else field, path)
    return path, more


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("unit", "its unit is 'mm month-1', expected 'mm yr-1': convert its values"),
        ("no CRS", "has no CRS; write it into the file"),
        ("several", "variable is ''; expected one of a, b"),
        ("another", "variable is 'npp'; expected one of mine"),
        ("years", r"expected one map in latitude and longitude, found \['time \(3\)'\]"),
        ("line", "variable is ''; expected one of none"),
        ("parts", "kind is classes, but there are numbers that are not whole"),
        ("suffix", "expected a file that ends in .tif, .tiff, .nc, .nc4, .zarr"),
        ("gone", "no such file; a relative path begins at the checkout"),
    ],
)
def test_a_map_that_cannot_be_used_is_told_with_its_name_and_file(tmp_path, case, message):
    path, more = other(tmp_path, case)
    with pytest.raises(DataError, match=rf"^predictor or product \w+, {re.escape(str(path))}: {message}"):
        opened(path, **more)


@pytest.mark.parametrize(
    ("name", "content"), [("mine.tif", b"no raster"), ("mine.nc", b"no raster"), ("mine.nc", b""), ("mine.tif", b"")]
)
def test_a_file_that_is_no_raster_is_told(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    kind = {"tif": "GeoTIFF", "nc": "netCDF"}[name.split(".")[1]]
    with pytest.raises(DataError, match=rf"ndvi, .*{name}: cannot be read as {kind} \("):
        opened(tmp_path / name)


def test_a_folder_that_is_no_zarr_is_told(tmp_path):
    (tmp_path / "mine.zarr").mkdir()
    with pytest.raises(DataError, match=r"ndvi, .*mine.zarr: (cannot be read as Zarr|variable is '')"):
        opened(tmp_path / "mine.zarr")


def test_a_raster_of_bands_is_refused(tmp_path):
    profile = {"driver": "GTiff", "height": 7, "width": 8, "count": 2, "dtype": "uint8", "crs": "EPSG:4326"}
    with rasterio.open(tmp_path / "mine.tif", "w", transform=from_origin(88, 35, 1, 1), **profile) as file:
        file.write(np.ones((2, 7, 8), "uint8"))
    with pytest.raises(DataError, match=r"expected one map in latitude and longitude, found \['band \(2\)'\]"):
        opened(tmp_path / "mine.tif")


def test_one_of_several_variables_is_taken_by_name_and_a_single_map_without(tmp_path):
    field = places_map()
    saved(xr.Dataset({"a": field, "b": field * 0, "height": ((), 2.0)}), tmp_path / "two.nc")
    assert opened(tmp_path / "two.nc", variable="a").values.tolist() == EXPECTED
    assert not opened(tmp_path / "two.nc", variable="b").values.any()
    saved(xr.Dataset({"a": field.expand_dims(time=[2001]), "height": ((), 2.0)}), tmp_path / "one.nc")
    assert opened(tmp_path / "one.nc").values.tolist() == EXPECTED


def test_whole_classes_are_read_with_missing_cells_among_them(tmp_path):
    field = places_map().round()
    field[2, 2] = np.nan
    read = opened(saved(field, tmp_path / "mine.nc"), kind="classes").values
    assert np.isnan(read[0, 0]) and read[0, 1] == round(EXPECTED[0][1])


# --- the catalogue's layers ------------------------------------------------------------------------------------------


def sources(monkeypatch: pytest.MonkeyPatch, **fields: object) -> None:
    """Let products of the catalogue be these fields."""
    monkeypatch.setattr(layers, "open_source", lambda key: fields[key])


def test_a_variable_of_a_product_is_taken_by_name(monkeypatch):
    field = places_map()
    sources(monkeypatch, casa_cnp=xr.Dataset({"npp": field, "rh": -field}))
    assert layers.open_layer("npp", "casa_cnp.npp", GRID).values.tolist() == EXPECTED
    assert (-layers.open_layer("rh", "casa_cnp.rh", GRID)).values.tolist() == EXPECTED


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("casa_cnp.gpp", "layer 'casa_cnp.gpp': expected one of casa_cnp.npp, casa_cnp.rh"),
        ("casa_cnp", "layer 'casa_cnp': expected one of casa_cnp.npp, casa_cnp.rh"),
        ("mimics.rh", "layer 'mimics.rh': expected a map, mimics"),
        ("srdb", "layer 'srdb': expected a map, srdb"),
        ("no_such", "no product 'no_such' in the catalogue"),
    ],
)
def test_a_source_that_is_no_map_of_the_catalogue_is_refused_by_name(monkeypatch, source, message):
    field = places_map()
    sources(monkeypatch, casa_cnp=xr.Dataset({"npp": field, "rh": field}), mimics=field, srdb=field.to_dataframe())
    with pytest.raises(DataError, match=message):
        layers.open_layer("rh", source, GRID)


def monthly(value: float) -> xr.DataArray:
    """Return twelve months of a map that rises to the east."""
    field = (places_map() * 0 + 1) * places_map()["longitude"] / 90
    return (field * xr.DataArray(value + np.arange(12), {"month": np.arange(1, 13)})).rename("mine").rio.write_crs(4326)


@pytest.mark.parametrize(
    ("key", "inputs", "by_hand"),
    [
        ("lai_from_fapar", {"fapar_max": lambda: places_map() / 3600}, derived.lai_from_fapar),
        ("npp_from_psnnet", {"psnnet_2015": lambda: monthly(1.0)}, derived.npp_from_psnnet),
        (
            "miami_npp",
            {
                "worldclim_precipitation": lambda: places_map() / 10,
                "worldclim_temperature": lambda: places_map() / 1000,
            },
            derived.miami_npp,
        ),
        (
            "raich_rs",
            {"biome4_climate": lambda: xr.Dataset({"precipitation": monthly(20.0), "temperature": monthly(-5.0)})},
            derived.raich_rs,
        ),
    ],
)
def test_a_derived_layer_is_the_derivation_of_its_inputs_on_the_grid(monkeypatch, key, inputs, by_hand):
    fields = {name: make() for name, make in inputs.items()}
    sources(monkeypatch, **fields)
    flat = [one for field in fields.values() for one in (field.values() if isinstance(field, xr.Dataset) else [field])]
    expected = by_hand(*(grid.resample_nearest(field, GRID) for field in flat))
    found = layers.open_layer("any", key, GRID)
    np.testing.assert_array_equal(found.values, expected.values)
    assert np.ptp(found.values) > 0 and found.attrs["units"] == expected.attrs["units"]


@pytest.mark.parametrize("key", [key for key, entry in catalog.load_catalog().items() if entry.inputs])
def test_inputs_of_a_derived_layer_are_in_the_catalogue_and_need_no_files(key):
    entry = catalog.load_catalog()[key]
    assert {one.partition(".")[0] for one in entry.inputs} <= set(catalog.load_catalog())
    assert catalog.fetch(key) == {} and entry.reader.startswith("data.derived.")


def test_a_layer_knows_the_years_that_the_catalogue_names(monkeypatch):
    sources(monkeypatch, worldclim_temperature=places_map(), fapar_max=places_map())
    assert layers.open_layer("temperature", "worldclim_temperature", GRID).attrs["years"] == "1970-2000"
    assert "years" not in layers.open_layer("fapar", "fapar_max", GRID).attrs


@pytest.mark.real_data
def test_the_real_lai_is_that_of_the_real_fapar(real_data):
    target = grid.target_grid(90, 30, 92, 31, 0.1)
    fapar = grid.resample_nearest(open_source("fapar_max"), target)
    found = layers.open_layer("lai", "lai_from_fapar", target)
    np.testing.assert_allclose(found, -2 * np.log1p(-fapar), rtol=1e-5)
    assert found.attrs["source"] == "fapar_max"
