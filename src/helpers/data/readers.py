"""Reads each product of the catalogue into xarray, in our names and units.

A reader takes the files of one entry, in the order of the catalogue, and returns whole-product fields on ``latitude``
and ``longitude`` (-180 to 180), cell centres, EPSG:4326, missing cells NaN. :func:`open_source` finds it by the name
that the entry gives. A file that cannot be read raises a DataError, whatever the library beneath says of it.
"""

from __future__ import annotations

import functools
import gzip
import re
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd
import pvlib
import rdata
import rioxarray
import xarray as xr
from rasterio.errors import RasterioError
from scipy.io import netcdf_file

from helpers.data import catalog
from helpers.data.grid import target_grid
from helpers.data.land_cover import IGBP_FLAGS, WATER
from helpers.data.variables import described
from helpers.errors import DataError

_MONTHS = np.arange(1, 13)
# What byte 0, 1, … stands for is looked up in a table: on the pixels of a global map that takes a tenth of the time.
_BYTES = np.arange(256, dtype="float32")


def open_source(key: str, **options: object) -> xr.DataArray | xr.Dataset | pd.DataFrame:
    """Fetch a product of the catalogue and read it with the reader that its entry names.

    The options are passed to the reader, beside the files. Fields have the key as their attribute ``source``. The
    function raises a DataError if there is no such product or reader, or if a file cannot be obtained or is not what it
    should be.
    """
    found = catalog.reader(key)(*catalog.fetch(key).values(), **options)
    if isinstance(found, xr.DataArray):
        return found.assign_attrs(source=key)
    if isinstance(found, xr.Dataset):
        return found.assign({name: field.assign_attrs(source=key) for name, field in found.items()})
    return found


def _told(read: Callable[..., Any]) -> Callable[..., Any]:
    """Let a reader's errors say which file it was, what was expected and what to do; a DataError does so already."""
    expected = (read.__doc__ or "").split(".\n")[0].replace("\n", " ").removeprefix("Read ").rstrip(".")

    @functools.wraps(read)
    def reading(*files: Any, **options: Any) -> Any:
        """Read the files, and name them if that fails."""
        try:
            return read(*files, **options)
        except DataError:
            raise
        except FileNotFoundError as error:
            name = files[0] if len(files) == 1 else error.filename
            raise DataError(f"{name}: no such file; expected {expected}. Fetch it first") from None
        except Exception as error:  # each library has its own, and damaged bytes end in any of them
            names = ", ".join(str(file) for file in files if isinstance(file, (str, Path)))
            said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise DataError(
                f"{names}: cannot be read ({said}); expected {expected}. The file is damaged, cut off or another one: "
                "delete it, and fetch it again"
            ) from error

    return reading


# Maps of the predictors ----------------------------------------------------------------------------------------------


@_told
def read_temperature(path: Path) -> xr.DataArray:
    """Read WorldClim mean annual air temperature, degC, 10 arc-minutes."""
    return _read_terra(path, "temperature")


@_told
def read_precipitation(path: Path) -> xr.DataArray:
    """Read WorldClim annual precipitation, mm yr-1, 10 arc-minutes."""
    return _read_terra(path, "precipitation")


@_told
def read_biome4(path: Path) -> xr.Dataset:
    """Read the climate of the BIOME4 drivers, 0.5 degree, 12 months.

    They are ``temperature`` [degC] and ``precipitation`` [mm month-1]. The file holds temperature in tenths of a degree
    and precipitation in whole millimetres: its yearly sums then agree with WorldClim (ratio of global means 0.99). Its
    coordinates name the south-west corner of a cell. A quarter degree is added to both: then the grid covers the globe
    exactly, and its temperature agrees best with WorldClim over High Asia (r = 0.98; half a cell off on either side, it
    is lower).
    """
    layers = {
        "temperature": ("temp", 0.1, {"long_name": "monthly mean air temperature"}),
        "precipitation": ("prec", 1.0, {"long_name": "monthly precipitation", "units": "mm month-1"}),
    }
    fields = {}
    refuse_cut(path)
    with xr.open_dataset(path, mask_and_scale=False, decode_times=False) as file:
        _refuse_missing(path, (name for name, _, _ in layers.values()), file)
        for ours, (theirs, scale, attributes) in layers.items():
            raw = file[theirs].transpose("time", "lat", "lon")
            values = np.where((raw.values == -9999).any(axis=0), np.nan, raw.values * np.float32(scale))
            _refuse_beyond(path, theirs, values, *_OF_A_MONTH[ours])
            fields[ours] = _field(values, raw["lat"].values + 0.25, raw["lon"].values + 0.25, ours, **attributes)
    return xr.Dataset(fields)


@_told
def read_sse(path: Path) -> xr.DataArray:
    """Read downward shortwave radiation of NASA SSE 6.0, W m-2, the mean of July 1983 to June 2005, 1 degree.

    The text names the south-west corner of each cell: half a degree is added to both coordinates. It is in
    kWh m-2 d-1; a thousand watt hours in 24 hours are 1000/24 W.
    """
    with gzip.open(path, "rt", encoding="ascii") as file:
        head = next((line.split() for line in file if line.startswith("Lat Lon")), [])
        _refuse_missing(path, ("Lat", "Lon", "Ann"), head)
        table = _text_table(file, sep=r"\s+", names=head)
    yearly = table.set_index(["Lat", "Lon"])["Ann"].to_xarray().sortby("Lat", ascending=False)
    return _field(yearly.values * (1000 / 24), yearly["Lat"] + 0.5, yearly["Lon"] + 0.5, "srad")


@_told
def read_land_cover(path: Path) -> xr.DataArray:
    """Read MCD12C1 land cover as IGBP classes 1 to 17, 0.05 degree.

    MCD12C1 writes water as 0, MCD12Q1 as 17: we write 17, so that one number means one class in every configuration.
    """
    values, *axes = _read_geotiff(path, "uint8")
    classes = np.where(_BYTES == 255, np.nan, np.where(_BYTES == 0, WATER, _BYTES)).astype("float32")
    return _field(classes[values], *axes, "land_cover", **IGBP_FLAGS)


@_told
def read_fapar(path: Path) -> xr.DataArray:
    """Read the mean yearly maximum of fAPAR (fraction of photosynthetically active radiation absorbed), 0.05 degree."""
    values, *axes = _read_geotiff(path, "int16")
    return _field(np.where(values == -999, np.nan, values * np.float32(1e-4)), *axes, "fapar")


@_told
def read_psnnet(*paths: Path) -> xr.DataArray:
    """Read twelve monthly images of net photosynthesis, g C m-2 d-1, 0.1 degree.

    The month is read from the date in each name; a DataError is raised if they are not the months 1 to 12 of one year,
    or two images are the same. The images hold one byte per cell, 255 for none: -1 + (byte + 0.5) 7.5/254. The tag in
    the files that calls 0 missing is wrong and is not heeded: 0 is the lowest class of values.
    """
    dated = [(found, path) for path in paths if (found := re.search(r"_(\d{4})-(\d{2})-01", path.name))]
    months = {int(found[2]): path for found, path in dated}
    if sorted(months) != list(_MONTHS) or len(paths) != len(months) or len({found[1] for found, _ in dated}) > 1:
        names = ", ".join(path.name for path in paths)
        raise DataError(
            "net photosynthesis: expected images of the months 1 to 12 of one year, one each, found "
            f"{sorted(months)} in {names}"
        )
    images = [_read_geotiff(months[month], "uint8") for month in _MONTHS]
    for month, image in zip(_MONTHS[1:], images[1:], strict=True):
        if any(not np.array_equal(own, first) for own, first in zip(image[1:], images[0][1:], strict=True)):
            raise DataError(f"{months[month]}: its grid is not that of {months[1]}; expected twelve images of one grid")
        same = next((one for one in range(1, month) if np.array_equal(images[one - 1][0], image[0])), None)
        if same is not None:
            raise DataError(f"{months[month]} and {months[same]} are the same image; expected another one each month")
    rates = np.where(_BYTES == 255, np.nan, -1 + (_BYTES + 0.5) * 7.5 / 254).astype("float32")
    return _field(np.stack([rates[values] for values, _, _ in images]), *images[0][1:], "psnnet")


@_told
def read_soc(path: Path) -> xr.DataArray:
    """Read the soil organic carbon stock, kg C m-2 (the file has t ha-1), 1/12 degree."""
    values, *axes = _read_geotiff(path, "int16")
    depth = 100 if "0_100cm" in path.name else 30
    stock = np.where(values == -32767, np.nan, values * np.float32(0.1))
    return _field(stock, *axes, "soc", long_name=f"soil organic carbon stock, 0-{depth} cm")


def read_elevation() -> xr.DataArray:
    """Read elevation, m, 1/12 degree, from the file ``Altitude.h5`` of the installed package pvlib.

    Rows run from north to south. Metres are 28 x byte - 450, so in steps of 28 m; 255, the sea, is missing.
    """
    with h5py.File(Path(pvlib.__file__).parent / "data" / "Altitude.h5", "r") as file:
        values = file["Altitude"][:]
    metres = np.where(_BYTES == 255, np.nan, 28.0 * _BYTES - 450.0).astype("float32")
    return _field(metres[values], *_global_axes(len(values)), "elevation")


# Products to compare with --------------------------------------------------------------------------------------------


@_told
def read_casa_cnp(path: Path) -> xr.Dataset:
    """Read ``npp`` and ``rh`` of CASA-CNP, g C m-2 yr-1, mean of 2000-2010, 1.9 x 2.5 degrees."""
    return xr.Dataset({"npp": _read_testbed(path, "npp", "cnpp"), "rh": _read_testbed(path, "rh", "cresp")})


@_told
def read_mimics(path: Path) -> xr.DataArray:
    """Read heterotrophic respiration of MIMICS, g C m-2 yr-1, mean of 2000-2010, 1.9 x 2.5 degrees."""
    return _read_testbed(path, "rh", "cHresp")


@_told
def read_corpse(path: Path) -> xr.DataArray:
    """Read heterotrophic respiration of CORPSE, g C m-2 yr-1, mean of 2000-2010, 1.9 x 2.5 degrees.

    It is the CO2 of the soil and of the litter layer together: their global sum, 55 Pg C yr-1, is that of MIMICS and of
    CASA-CNP, which have the same carbon input.
    """
    return _read_testbed(path, "rh", "Soil_CO2", "LitterLayer_CO2")


@_told
def read_modis_npp_sites(path: Path) -> pd.DataFrame:
    """Read yearly MOD17A3 NPP [g C m-2 yr-1] at the sites of SRDB; site-years without a value are left out.

    The columns are longitude, latitude, year and npp.
    """
    table = pd.read_parquet(path)
    names = {"Longitude": "longitude", "Latitude": "latitude", "Year": "year", "MODIS_NPP": "npp"}
    _refuse_missing(path, names, table)
    table = table[table["MODIS_NPP"] <= 32000].rename(columns=names)
    if table.empty:
        raise DataError(f"{path}: no site with a value; expected yearly NPP at sites. Is it another file?")
    return table.assign(npp=table["npp"] * 0.1)[list(names.values())].reset_index(drop=True)


# Shared parts --------------------------------------------------------------------------------------------------------


def _field(
    values: np.ndarray, latitude: np.ndarray, longitude: np.ndarray, name: str, **attributes: object
) -> xr.DataArray:
    """Return values as a variable of single precision with coordinates, attributes and CRS; 12 layers are months."""
    coords = {
        axis: (axis, np.asarray(centres, "float64"), {"units": units, "standard_name": axis})
        for axis, centres, units in (("latitude", latitude, "degrees_north"), ("longitude", longitude, "degrees_east"))
    }
    dims = tuple(coords)
    if values.ndim == 3:
        coords["month"], dims = _MONTHS, ("month", *dims)
    field = xr.DataArray(values.astype("float32", copy=False), coords, dims)
    return described(field, name, **attributes).rio.write_crs("EPSG:4326")


def _global_axes(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return latitudes and longitudes of a grid of square cells that covers the globe from 90 N, 180 W."""
    cells = target_grid(-180, -90, 180, 90, 180 / rows)
    return cells["latitude"].values, cells["longitude"].values


#: Towers of FLUXNET2015 on the plateau: longitude and latitude, degrees. Their files do not hold them.
TOWERS = {"CN-Dan": (91.0664, 30.4978), "CN-Ha2": (101.3269, 37.6086), "CN-HaM": (101.332, 37.607)}


@_told
def read_towers(*paths: Path) -> pd.DataFrame:
    """Read monthly fluxes of eddy-covariance towers (FLUXNET2015, SUBSET MM), one file per tower.

    The columns are ``site``, ``longitude``, ``latitude``, ``year``, ``month``, ``nee`` (VUT_REF; below zero is uptake),
    ``gpp_night``, ``gpp_day``, ``reco_night`` and ``reco_day`` (partitioned by night-time and by day-time data), all
    g C m-2 d-1. A month without a value (-9999) is missing.
    """
    columns = {"nee": "NEE_VUT_REF"}
    columns |= {
        f"{flux}_{time}": f"{flux.upper()}_{time[0].upper()}T_VUT_REF"
        for flux in ("gpp", "reco")
        for time in ("night", "day")
    }
    tables = []
    for path in paths:
        named = re.match(r"FLX_(\w{2}-\w{3})_", path.name)
        if named is None or named[1] not in TOWERS:
            raise DataError(f"{path.name}: expected a file FLX_<tower>_… of one of {', '.join(TOWERS)}")
        file = _text_table(path, na_values=["-9999"])
        _refuse_missing(path, ["TIMESTAMP", *columns.values()], file)
        longitude, latitude = TOWERS[named[1]]
        month = pd.to_datetime(file["TIMESTAMP"].astype(str), format="%Y%m").dt
        place = {"site": named[1], "longitude": longitude, "latitude": latitude}
        place |= {"year": month.year, "month": month.month}
        tables.append(pd.DataFrame(place | {ours: file[theirs].astype(float) for ours, theirs in columns.items()}))
    return pd.concat(tables, ignore_index=True)


#: Least and greatest means of a month anywhere: degC, mm.
_OF_A_MONTH = {"temperature": (-80, 60), "precipitation": (0, 4000)}


def _refuse_beyond(path: Path, name: str, values: np.ndarray, low: float, high: float) -> None:
    """Raise if a variable has values that cannot be: another number for missing cells, or another unit."""
    least, most = float(np.nanmin(values)), float(np.nanmax(values))
    if not (low <= least and most <= high):
        raise DataError(
            f"{path}: {name} has values from {least:g} to {most:g}; expected {low:g} to {high:g}, or none. Another "
            "unit, or another number for missing cells?"
        )


def _text_table(file: Any, **options: Any) -> pd.DataFrame:
    """Read a table of text in which no row has more cells than there are names: else they would move to other names."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return pd.read_csv(file, index_col=False, **options)


def _refuse_missing(path: Path, needed: Iterable[str], there: Iterable[str]) -> None:
    """Raise if a file lacks variables or columns, and name them."""
    needed, there = list(needed), [str(name) for name in there]
    missing = [name for name in needed if name not in there]
    if missing:
        raise DataError(
            f"{path.name}: {', '.join(missing)} is missing, found {', '.join(there)[:200]}; expected "
            f"{', '.join(needed)}: is it another file?"
        )


def refuse_cut(path: Path) -> None:
    """Raise a DataError if a classic netCDF file ends before its variables do: the library reads zeros there."""
    with path.open("rb") as file:
        kind = file.read(4)
    if kind not in (b"CDF\1", b"CDF\2"):
        return  # other kinds tell of it themselves
    try:
        with netcdf_file(path, mmap=False):  # reads all variables
            pass
    except Exception as error:  # damaged bytes end in any
        raise DataError(
            f"{path}: the file ends before its variables do, or is damaged ({error}); expected a whole netCDF file: "
            "fetch or write it again"
        ) from None


def _read_terra(path: Path, name: str) -> xr.DataArray:
    """Return the one raster in an R data file (terra's PackedSpatRaster) as a variable."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Missing constructor for R class")
        objects = rdata.conversion.convert(rdata.parser.parse_file(path))
    raster = next(iter(objects.values()))
    if not hasattr(raster, "definition") or not hasattr(raster, "values"):
        raise DataError(f"{path.name}: expected a packed raster of the R package terra")
    definition = str(np.ravel(raster.definition)[0])
    size = {key: float(value) for key, value in re.findall(r"(ncols|nrows|xmin|xmax|ymin|ymax)=(-?[\d.]+)", definition)}
    expected = {"xmin": -180.0, "xmax": 180.0, "ymin": -90.0, "ymax": 90.0}
    if "EPSG:4326" not in definition or any(size.get(key) != value for key, value in expected.items()):
        raise DataError(f"{path.name}: expected a global raster in EPSG:4326, found {definition}")
    rows, columns = int(size["nrows"]), int(size["ncols"])
    return _field(np.asarray(raster.values).reshape(rows, columns), *_global_axes(rows), name)


def _read_geotiff(path: Path, stored: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the numbers, stored as this type, and the cell centres of a one-band GeoTIFF in longitude and latitude."""
    # The missing-data tag is left aside: each reader knows its product's number for that.
    try:
        with rioxarray.open_rasterio(path, mask_and_scale=False) as raster:
            if raster.rio.crs is None or not raster.rio.crs.is_geographic or raster.sizes["band"] != 1:
                raise DataError(f"{path}: expected one band in longitude and latitude, found CRS {raster.rio.crs}")
            turned = raster.rio.transform()
            if turned.b or turned.d:
                raise DataError(f"{path}: its rows and columns are turned against north; expected the product as it is")
            if raster.dtype != stored:
                raise DataError(
                    f"{path}: its numbers are {raster.dtype}, expected {stored}, which this product has; values that "
                    "were scaled already would be scaled again. Is it another file?"
                )
            return raster.values[0], raster["y"].values, raster["x"].values
    except (OSError, RasterioError) as error:
        raise DataError(f"{path}: cannot be read as a GeoTIFF ({error}): delete it, and fetch it again") from None


def _read_testbed(path: Path, name: str, *variables: str) -> xr.DataArray:
    """Return the yearly sum of daily fluxes of a soil model; sea, ice and cells without soil are missing."""
    refuse_cut(path)
    with xr.open_dataset(path, decode_times=False) as file:
        _refuse_missing(path, variables, file)
        # The files hold 0 (and CORPSE infinite values) in cells whose land area without ice and water is 0.
        daily = sum(file[variable].isel(time=0) for variable in variables).where(file["landarea"] > 0).load()
    daily = daily.assign_coords(lon=(daily["lon"] + 180) % 360 - 180).sortby("lon").sortby("lat", ascending=False)
    return _field(daily.values * 365, daily["lat"].values, daily["lon"].values, name)
