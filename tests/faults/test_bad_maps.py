"""Maps and files of products: what cannot be is refused, what is doubtful told, and a damaged file is named."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import rasterio
import xarray as xr
from rasterio.transform import Affine, from_origin

from helpers.config import RS_PREDICTORS, Layer
from helpers.data import cube, derived, grid, layers, plausible, readers
from helpers.errors import DataError

# --- maps on the grid -------------------------------------------------------------------------------------------------

USUAL = {
    **{"precipitation": 420, "temperature": -1, "srad": 210, "land_cover": 10, "elevation": 4600, "lai": 0.6},
    **{"npp_modis": 150, "soc": 7},
}
AXES = grid.target_grid(85, 28, 95, 38, 1)


def field(value: float, spread: float = 0.1) -> xr.DataArray:
    """Return a map around a value, on 10 x 10 cells."""
    coords = {"latitude": AXES.latitude, "longitude": AXES.longitude}
    steps = np.linspace(1 - spread, 1 + spread, 100).reshape(10, 10)
    return xr.DataArray(value * steps, coords, ("latitude", "longitude"))


def maps(**changed: xr.DataArray) -> xr.Dataset:
    """Return a cube of usual maps, some replaced."""
    fields = {name: field(USUAL[name], 0 if name == "land_cover" else 0.1) for name in RS_PREDICTORS} | changed
    return cube.assemble(fields, AXES, field(1) > 0)


IMPOSSIBLE = [
    ("precipitation", field(0.42), "precipitation: its highest value on the grid is 0.46.*expected 5 or more"),
    ("precipitation", field(420_000), "precipitation: .* outside 0 to 13000 mm yr-1 .*Check units"),
    ("precipitation", field(-420), "precipitation: .* outside 0 to 13000"),
    ("temperature", field(272), "temperature: .* outside -60 to 40 degC .*Check units"),
    ("temperature", field(-100), "temperature: .* outside -60 to 40"),
    ("srad", field(5), "srad: .* outside 20 to 400 W m-2"),
    ("srad", field(18_000), "srad: .* outside 20 to 400"),
    ("elevation", field(46_000), "elevation: .* outside -500 to 9000 m"),
    ("lai", field(0.008), "lai: its highest value on the grid is 0.0088 .*expected 0.05 or more"),
    ("lai", field(60), "lai: .* outside 0 to 12"),
    ("lai", field(0), "lai: its highest value on the grid is 0 "),
    ("lai", field(-0.6), "lai: .* outside 0 to 12"),
    ("npp_modis", field(150_000), "npp_modis: .* outside -3000 to 4000"),
    ("npp_modis", field(0.15), "npp_modis: its highest value on the grid is"),
    ("soc", field(0), "soc: its highest value on the grid is 0 "),
    ("soc", field(7000), "soc: .* outside 0 to 300"),
    ("soc", field(np.nan), "soc: no value on the grid"),
    ("land_cover", field(10.5, 0), "land_cover: some classes are no whole numbers"),
    ("land_cover", field(10), "land_cover: some classes are no whole numbers"),
    ("land_cover", field(0, 0), "land_cover: .* outside 1 to 17"),
    ("land_cover", field(130, 0), "land_cover: .* outside 1 to 17"),
    ("land_cover", field(np.nan), "land_cover: no value on the grid"),
]

DOUBTFUL = [
    (
        "precipitation",
        field(4200),
        "precipitation: its median in the region is 4.2e.03 mm yr-1; regions have 50 to 3500",
    ),
    ("precipitation", field(42), "precipitation: its median .*Check units"),
    ("temperature", field(-30), "temperature: its median .*regions have -22 to 32"),
    ("srad", field(50), "srad: its median .*Check units"),
    ("lai", field(0.06), "lai: its median .*regions have 0.1 to 7"),
    ("npp_modis", field(15), "npp_modis: its median .*regions have 25 to 2500"),
    ("soc", field(70), "soc: its median in the region is 70 kg m-2; regions have 0.5 to 35. Check units"),
    ("soc", field(7).where(field(7) < 6.5), "soc: 9.% of the region's area has no value|soc: 8.% of the region's area"),
    ("elevation", field(4600, 0), "elevation: each cell of the region has the value 4.6e.03. Is the map damaged"),
    (
        "land_cover",
        field(2, 0),
        "land_cover: 100% of the region is evergreen broadleaf forest .2., at a median temperature",
    ),
]


def notes(made: xr.Dataset, **products: xr.DataArray) -> list[str]:
    return plausible.doubts(made, xr.Dataset(products))


def test_usual_maps_are_read_and_nothing_is_said_of_them():
    npp = field(200).rename("npp_x")
    cube.check_bounds(xr.Dataset({"npp_x": npp}))
    assert notes(maps(), npp_x=npp, rh_y=field(150)) == []


@pytest.mark.parametrize(("name", "changed", "says"), IMPOSSIBLE)
def test_a_map_that_cannot_be_is_refused(name, changed, says):
    with pytest.raises(DataError, match=says):
        maps(**{name: changed})


@pytest.mark.parametrize(("name", "changed", "says"), DOUBTFUL)
def test_a_map_that_is_doubtful_is_told(name, changed, says):
    told = notes(maps(**{name: changed}))
    assert len(told) == 1 and re.search(says, told[0]), told


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("rh_mimics", 150_000, "rh_mimics: .* outside 0 to 6000"),
        ("rh_mimics", -150, "rh_mimics: .* outside 0 to 6000"),
        ("rs_warner", 600_000, "rs_warner: .* outside 0 to 6000"),
        ("npp_casa", 0.2, "npp_casa: its highest value on the grid is"),
        ("npp_casa", -900, "npp_casa: .* outside -500 to 4000"),
        ("npp_casa", np.nan, "npp_casa: no value on the grid"),
    ],
)
def test_a_product_that_cannot_be_is_refused(name, value, says):
    with pytest.raises(DataError, match=says):
        cube.check_bounds(xr.Dataset({name: field(value)}))


def test_a_product_that_is_doubtful_is_told():
    (told,) = notes(maps(), rh_mimics=field(5))
    assert told.startswith("rh_mimics: its median in the region is 5 ")
    (told,) = notes(maps(), npp_x=field(np.nan))
    assert told.startswith("npp_x: no value in the region")


def months(turn: int, latitudes: list[float]) -> xr.DataArray:
    """Return monthly temperatures [degC], warmest in July, all months later by some."""
    year = -10 * np.cos(2 * np.pi * (np.arange(12) - turn) / 12)
    coords = {"month": np.arange(1, 13), "latitude": latitudes, "longitude": [90.0]}
    return xr.DataArray(
        np.tile(year[:, None, None], (1, len(latitudes), 1)), coords, ("month", "latitude", "longitude")
    )


@pytest.mark.parametrize("turn", [5, 6, 7])
def test_months_in_another_order_are_refused_where_there_are_seasons(turn):
    north, south = months(0, [30.0, 35.0]), months(6, [-35.0, -30.0])
    rain = north * 0 + 40
    assert derived.raich_rs(rain, north).notnull().all() and derived.raich_rs(south * 0 + 40, south).notnull().all()
    with pytest.raises(DataError, match=r"temperature: summer has -\d+.\d degC and winter \d.*months in order"):
        derived.raich_rs(rain, months(turn, [30.0, 35.0]))
    tropics = months(turn, [-5.0, 5.0])
    assert derived.raich_rs(tropics * 0 + 40, tropics).notnull().all()


# --- files ------------------------------------------------------------------------------------------------------------


def geotiff(path: Path, values: np.ndarray, turned: float = 0, crs: str = "EPSG:4326", bands: int = 1) -> Path:
    """Write a GeoTIFF of the globe."""
    rows, columns = values.shape
    where = from_origin(-180, 90, 360 / columns, 180 / rows) @ Affine.rotation(turned)
    size = {"height": rows, "width": columns, "count": bands, "dtype": values.dtype, "crs": crs, "transform": where}
    with rasterio.open(path, "w", driver="GTiff", **size) as file:
        for band in range(1, bands + 1):
            file.write(values, band)
    return path


BYTES = np.full((4, 8), 10, "uint8")
OTHER_TYPES = [
    (readers.read_fapar, np.full((4, 8), 0.4, "float32"), "its numbers are float32, expected int16"),
    (readers.read_fapar, np.full((4, 8), 40, "uint8"), "its numbers are uint8, expected int16"),
    (readers.read_land_cover, np.full((4, 8), 10.5, "float32"), "its numbers are float32, expected uint8"),
    (readers.read_land_cover, np.full((4, 8), 300, "uint16"), "its numbers are uint16, expected uint8"),
    (readers.read_soc, np.full((4, 8), 7.5, "float64"), "its numbers are float64, expected int16"),
]


@pytest.mark.parametrize(("reader", "values", "says"), OTHER_TYPES)
def test_a_product_of_another_type_is_refused(reader, values, says, tmp_path):
    with pytest.raises(DataError, match=rf"map\.tif: {says}"):
        reader(geotiff(tmp_path / "map.tif", values))


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"turned": 10}, "turned against north"),
        ({"turned": 90}, "turned against north"),
        ({"bands": 2}, "expected one band"),
        ({"crs": "EPSG:3857"}, "expected one band in longitude and latitude, found CRS EPSG:3857"),
    ],
)
def test_a_raster_that_lies_otherwise_is_refused(how, says, tmp_path):
    assert (readers.read_land_cover(geotiff(tmp_path / "good.tif", BYTES)) == 10).all()
    with pytest.raises(DataError, match=says):
        readers.read_land_cover(geotiff(tmp_path / "map.tif", BYTES, **how))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda images: images | {"2015-03-01b": images["2015-03-01"]}, "months 1 to 12 of one year, one each"),
        (lambda images: images | {"2016-03-01": images["2015-03-01"]}, "months 1 to 12 of one year, one each"),
        (lambda images: {name: one for name, one in images.items() if "-12-" not in name}, "months 1 to 12"),
        (
            lambda images: {name.replace("2015-01", "2003-01"): one for name, one in images.items()},
            "months 1 to 12 of one year",
        ),
        (lambda images: images | {"2015-07-01": images["2015-01-01"]}, "2015-07-01.*2015-01-01.* are the same image"),
        (lambda images: images | {"2015-05-01": images["2015-05-01"][:2, :4]}, "2015-05-01.*its grid is not that of"),
        (lambda images: images | {"2015-05-01": images["2015-05-01"] * 1.0}, "numbers are float64, expected uint8"),
    ],
)
def test_months_that_are_no_year_are_refused(change, says, tmp_path):
    images = {f"2015-{month:02d}-01": BYTES + month for month in range(1, 13)}

    def _read(images: dict[str, np.ndarray]) -> xr.DataArray:
        return readers.read_psnnet(
            *(geotiff(tmp_path / f"PSN_{name}_rgb.TIFF", one.astype(one.dtype)) for name, one in images.items())
        )

    assert _read(images).sizes["month"] == 12
    with pytest.raises(DataError, match=says):
        _read(change(images))


@pytest.mark.parametrize(
    ("temp", "prec", "says"),
    [
        (2730, 500, "temp has values from 273 to 273; expected -80 to 60"),
        (-32768, 500, "temp has values from -3276.8 to -3276.8"),
        (50, -500, "prec has values from -500 to -500; expected 0 to 4000"),
        (50, 30000, "prec has values from 30000 to 30000"),
    ],
)
def test_monthly_climate_in_other_units_is_refused(temp, prec, says, tmp_path):
    values = {"temp": temp, "prec": prec}
    fields = {name: (("time", "lat", "lon"), np.full((12, 2, 2), one, "int16")) for name, one in values.items()}
    axes = {"time": np.arange(12), "lat": [33.5, 33.0], "lon": [90.0, 90.5]}
    xr.Dataset(fields, axes).to_netcdf(tmp_path / "b.nc")
    with pytest.raises(DataError, match=rf"b\.nc: {says}"):
        readers.read_biome4(tmp_path / "b.nc")


def netcdf(path: Path) -> Path:
    """Write a file as those of the soil models."""
    axes = {"lat": [-60.0, 0.0, 60.0], "lon": [0.0, 120.0, 240.0]}
    layers = {name: (("time", "lat", "lon"), np.ones((1, 3, 3))) for name in ("cHresp", "cnpp", "cresp")}
    xr.Dataset(layers | {"landarea": (("lat", "lon"), np.ones((3, 3)))}, axes).to_netcdf(path)
    return path


def parquet(path: Path) -> Path:
    """Write a table as that of MODIS at sites."""
    pd.DataFrame({"Longitude": [1.0], "Latitude": [1.0], "Year": [2001], "MODIS_NPP": [10.0]}).to_parquet(path)
    return path


def zipped(path: Path) -> Path:
    """Write a text as that of SSE."""
    path.write_bytes(gzip.compress(b"Lat Lon Jan Ann\n" + b"10 20 4.5 5.0\n" * 50))
    return path


#: A reader, a name that its files have, and one that is good; packed rasters of terra cannot be written here.
KINDS: list[tuple[Callable, str, Callable[[Path], Path] | None]] = [
    (readers.read_temperature, "temp.rda", None),
    (readers.read_precipitation, "prec.rda", None),
    (readers.read_biome4, "biome.nc", netcdf),
    (readers.read_sse, "swv.gz", zipped),
    (readers.read_land_cover, "cover.tif", lambda path: geotiff(path, BYTES)),
    (readers.read_fapar, "fapar.tif", lambda path: geotiff(path, np.full((90, 180), 5, "int16"))),
    (readers.read_soc, "soc.tif", lambda path: geotiff(path, np.full((90, 180), 5, "int16"))),
    (readers.read_casa_cnp, "casa.nc", netcdf),
    (readers.read_mimics, "mimics.nc", netcdf),
    (readers.read_corpse, "corpse.nc", netcdf),
    (readers.read_modis_npp_sites, "sites.parquet", parquet),
    (readers.read_towers, "FLX_CN-Dan_x.csv", None),
]
DAMAGED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda good: b"",
    "a web page": lambda good: b"<!DOCTYPE html><html><body>Sign in</body></html>",
    "half of it": lambda good: good[: len(good) // 2],
    "its end is lost": lambda good: good[: len(good) - 40],
    "other bytes": lambda good: bytes(range(256)) * 4,
    "RDX2, then nothing": lambda good: b"RDX2\nX\n",
    "RDX3, then others": lambda good: b"RDX3\nX\n" + bytes(range(256)),
    "zeros": lambda good: bytes(2000),
    "overwritten": lambda good: good[:20] + b"\xff" * max(0, len(good) - 20),
}


@pytest.mark.parametrize("damage", DAMAGED)
@pytest.mark.parametrize(("reader", "name", "good"), KINDS, ids=[kind[1] for kind in KINDS])
def test_a_damaged_file_is_named_with_what_was_expected(reader, name, good, damage, tmp_path):
    content = good(tmp_path / name).read_bytes() if good else b""
    path = tmp_path / name
    path.write_bytes(DAMAGED[damage](content))
    with pytest.raises(DataError, match=f"{re.escape(name)}: .*expected|{re.escape(name)}: .*cannot be read as"):
        reader(path)


@pytest.mark.parametrize("kept", [0.3, 0.6, 0.99])
@pytest.mark.parametrize("form", ["NETCDF3_CLASSIC", "NETCDF3_64BIT", "NETCDF4"])
def test_a_netcdf_file_that_was_cut_is_refused_whatever_its_kind(form, kept, tmp_path):
    """Of a classic file the library would read zeros beyond the cut, in silence."""
    rows, columns = np.arange(-89.0, 90, 2), np.arange(0.0, 360, 2)
    flux = (("time", "lat", "lon"), np.ones((1, 90, 180)))
    made = xr.Dataset({"cHresp": flux, "landarea": (("lat", "lon"), np.ones((90, 180)))}, {"lat": rows, "lon": columns})
    path = tmp_path / "mimics.nc"
    made.to_netcdf(path, format=form)
    assert (readers.read_mimics(path) == 365).all()
    path.write_bytes(path.read_bytes()[: int(kept * path.stat().st_size)])
    with pytest.raises(DataError, match=r"mimics\.nc: .*expected"):
        readers.read_mimics(path)
    with pytest.raises(DataError, match=f"own, {re.escape(str(path))}: "):
        layers.open_layer("own", Layer(file=str(path), unit="1", variable="landarea"), AXES)


FLUXES = ("NEE_VUT_REF", "GPP_NT_VUT_REF", "GPP_DT_VUT_REF", "RECO_NT_VUT_REF", "RECO_DT_VUT_REF")


@pytest.mark.parametrize(
    "row", ["200405,1,2,3,4,5,6", "200405,high,2,3,4,5", "2004-05,1,2,3,4,5", "200413,1,2,3,4,5", "May,1,2,3,4,5"]
)
def test_a_row_of_a_tower_that_cannot_be_is_refused(row, tmp_path):
    path = tmp_path / "FLX_CN-Dan_x.csv"
    head = ",".join(["TIMESTAMP", *FLUXES])
    path.write_text(f"{head}\n200404,1,2,3,4,5\n")
    assert readers.read_towers(path)[["year", "month", "nee"]].to_numpy().tolist() == [[2004, 4, 1]]
    path.write_text(f"{head}\n{row}\n{row}\n")
    with pytest.raises(DataError, match=r"FLX_CN-Dan_x\.csv: cannot be read .*expected monthly fluxes"):
        readers.read_towers(path)


@pytest.mark.parametrize(("reader", "name"), [kind[:2] for kind in KINDS if "FLX" not in kind[1]])
def test_a_file_that_is_not_there_is_named(reader, name, tmp_path):
    with pytest.raises(DataError, match=f"{re.escape(str(tmp_path / name))}: .*(no such file|cannot be read)"):
        reader(tmp_path / name)


@pytest.mark.parametrize("name", ["own.tif", "own.nc"])
@pytest.mark.parametrize("damage", ["empty", "a web page", "half of it", "its end is lost", "overwritten"])
def test_a_damaged_map_of_your_own_is_named(name, damage, tmp_path):
    path = tmp_path / name
    made = xr.DataArray(
        np.random.default_rng(1).random((90, 180), "float32"),
        {"latitude": np.arange(89.0, -91, -2), "longitude": np.arange(-179.0, 180, 2)},
        ("latitude", "longitude"),
        "own",
    ).rio.write_crs("EPSG:4326")
    made.rio.to_raster(path) if name.endswith("tif") else made.to_netcdf(path)
    path.write_bytes(DAMAGED[damage](path.read_bytes()))
    with pytest.raises(DataError, match=f"own, {re.escape(str(path))}: "):
        layers.open_layer("own", Layer(file=str(path), unit="1"), AXES)
