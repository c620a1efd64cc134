"""Reads each product into xarray, in our names and units, and the small models that derive one quantity from another.

Every reader returns whole-product fields on ``latitude`` (north first) and ``longitude`` (-180 to 180), cell centres,
EPSG:4326, missing cells NaN. ``open_source`` fetches a product of the catalogue and reads it.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pvlib
import rdata
import rioxarray
import xarray as xr

from helpers.data import catalog
from helpers.data.land_cover import IGBP_CLASSES
from helpers.errors import DataError


def open_source(key: str) -> xr.DataArray | xr.Dataset | pd.DataFrame:
    """Fetch a product of the catalogue and read it.

    Parameters
    ----------
    key : str
        Key of the catalogue whose reader is in this module.

    Returns
    -------
    xarray.DataArray, xarray.Dataset or pandas.DataFrame
        What the product's reader returns.

    Raises
    ------
    DataError
        If the product is read elsewhere (site tables, the boundary).
    helpers.errors.DataError
        If there is no such product, or it cannot be had.
    """
    if key not in _READERS:
        raise DataError(f"no reader for {key!r} in helpers.data.readers; there are: {', '.join(_READERS)}")
    paths = list(catalog.fetch(key).values())
    return _READERS[key](paths if len(paths) > 1 else paths[0]) if paths else _READERS[key]()


# Readers -------------------------------------------------------------------------------------------------------------


def read_temperature(path: Path) -> xr.DataArray:
    """Read WorldClim mean annual air temperature, degC, 10 arc-minutes."""
    return _field(
        *_read_terra(path),
        name="temperature",
        units="degC",
        long_name="mean annual air temperature",
        standard_name="air_temperature",
        source="worldclim_temperature",
    )


def read_precipitation(path: Path) -> xr.DataArray:
    """Read WorldClim annual precipitation, mm yr-1, 10 arc-minutes."""
    return _field(
        *_read_terra(path),
        name="precipitation",
        units="mm yr-1",
        long_name="annual precipitation",
        standard_name="lwe_precipitation_rate",
        source="worldclim_precipitation",
    )


def read_sunshine(path: Path) -> xr.DataArray:
    """Read monthly sunshine of the BIOME4 drivers as a fraction of the possible, 0.5 degree, 12 months.

    Notes
    -----
    The file holds tenths of a per cent, and its coordinates name the south-west corner of a cell. A quarter degree is
    added to both: then the grid covers the globe exactly, and its temperature agrees best with WorldClim over
    High Asia (r = 0.98; half a cell off on either side, it is lower).
    """
    return _read_biome4(
        path,
        "sun",
        0.001,
        name="sunshine",
        units="1",
        long_name="sunshine duration as a fraction of the possible",
        source="biome4_sunshine",
    )


def read_monthly_climate(path: Path) -> xr.Dataset:
    """Read monthly air temperature [degC] and precipitation [mm month-1] of the BIOME4 drivers, 0.5 degree.

    Notes
    -----
    Temperature is stored in tenths, precipitation in whole millimetres: the yearly sums then agree with WorldClim
    (ratio of global means 0.99).
    """
    temperature = _read_biome4(
        path,
        "temp",
        0.1,
        name="temperature",
        units="degC",
        long_name="monthly mean air temperature",
        standard_name="air_temperature",
        source="biome4_sunshine",
    )
    precipitation = _read_biome4(
        path,
        "prec",
        1.0,
        name="precipitation",
        units="mm month-1",
        long_name="monthly precipitation",
        standard_name="lwe_precipitation_rate",
        source="biome4_sunshine",
    )
    return xr.Dataset({"temperature": temperature, "precipitation": precipitation})


def read_land_cover(path: Path) -> xr.DataArray:
    """Read MCD12C1 land cover as IGBP classes 1 to 17, 0.05 degree.

    Notes
    -----
    MCD12C1 writes water as 0, MCD12Q1 as 17: we write 17, so that one number means one class in every configuration.
    """
    values, latitude, longitude = _read_geotiff(path)
    values = np.where(values == 255, np.nan, np.where(values == 0, 17, values))
    field = _field(
        values,
        latitude,
        longitude,
        name="land_cover",
        units="1",
        long_name="land cover, IGBP class",
        standard_name="area_type",
        source="land_cover",
    )
    field.attrs["flag_values"] = list(IGBP_CLASSES)
    field.attrs["flag_meanings"] = " ".join(re.sub(r"\W+", "_", meaning) for meaning in IGBP_CLASSES.values())
    return field


def read_fapar(path: Path) -> xr.DataArray:
    """Read the mean yearly maximum of fAPAR (fraction of photosynthetically active radiation absorbed), 0.05 degree."""
    values, latitude, longitude = _read_geotiff(path)
    return _field(
        np.where(values == -999, np.nan, values * np.float32(1e-4)),
        latitude,
        longitude,
        name="fapar",
        units="1",
        long_name="mean yearly maximum fraction of absorbed photosynthetically active radiation",
        source="fapar_max",
    )


def read_psnnet(paths: list[Path]) -> xr.DataArray:
    """Read twelve monthly images of net photosynthesis, g C m-2 d-1, 0.1 degree.

    Parameters
    ----------
    paths : list of pathlib.Path
        The twelve images; the month is read from the date in each name.

    Returns
    -------
    xarray.DataArray
        Dimensions month (1 to 12), latitude, longitude.

    Raises
    ------
    DataError
        If the images are not those of twelve months.

    Notes
    -----
    The images hold one byte a cell, 255 for none: -1 + (byte + 0.5) 7.5/254. The tag in the files that calls 0 missing
    is wrong and is not heeded: 0 is the lowest class of values.
    """
    months = {
        int(found.group(1)): path for path in paths if (found := re.search(r"_\d{4}-(\d{2})-01", Path(path).name))
    }
    if sorted(months) != list(range(1, 13)):
        raise DataError(f"net photosynthesis: expected images of the months 1 to 12, found {sorted(months)}")
    layers = []
    for month in range(1, 13):
        values, latitude, longitude = _read_geotiff(months[month])
        layers.append(np.where(values == 255, np.nan, (-1 + (values.astype("float32") + 0.5) * 7.5 / 254)))
    return _field(
        np.stack(layers),
        latitude,
        longitude,
        name="psnnet",
        units="g m-2 d-1",
        long_name="net photosynthesis as carbon, monthly mean",
        source="psnnet_2015",
    )


def read_soc(path: Path) -> xr.DataArray:
    """Read the soil organic carbon stock, kg C m-2 (the file has t ha-1), 1/12 degree."""
    values, latitude, longitude = _read_geotiff(path)
    depth = "100cm" if "0_100cm" in Path(path).name else "30cm"
    return _field(
        np.where(values == -32767, np.nan, values * np.float32(0.1)),
        latitude,
        longitude,
        name="soc",
        units="kg m-2",
        long_name=f"soil organic carbon stock, 0-{depth.removesuffix('cm')} cm",
        standard_name="soil_mass_content_of_carbon",
        source=f"soc_0_{depth}",
    )


def read_elevation(path: Path | None = None) -> xr.DataArray:
    """Read elevation, m, 1/12 degree.

    Parameters
    ----------
    path : pathlib.Path, optional
        The file ``Altitude.h5``; without it, the one in the installed package pvlib.

    Notes
    -----
    Rows run from north to south. Metres are 28 x byte - 450, so in steps of 28 m; 255, the sea, is missing.
    """
    path = path or Path(pvlib.__file__).parent / "data" / "Altitude.h5"
    with h5py.File(path, "r") as file:
        values = file["Altitude"][:]
    latitude, longitude = _global_centres(*values.shape)
    return _field(
        np.where(values == 255, np.nan, 28.0 * values.astype("float32") - 450.0),
        latitude,
        longitude,
        name="elevation",
        units="m",
        long_name="elevation above sea level",
        standard_name="surface_altitude",
        source="elevation",
    )


def read_casa_cnp(path: Path) -> xr.Dataset:
    """Read ``npp`` and ``rh`` of CASA-CNP, g C m-2 yr-1, mean of 2000-2010, 1.9 x 2.5 degrees."""
    return xr.Dataset(
        {
            "npp": _read_testbed(path, ["cnpp"], "npp", "casa_cnp"),
            "rh": _read_testbed(path, ["cresp"], "rh", "casa_cnp"),
        }
    )


def read_mimics(path: Path) -> xr.DataArray:
    """Read heterotrophic respiration of MIMICS, g C m-2 yr-1, mean of 2000-2010, 1.9 x 2.5 degrees."""
    return _read_testbed(path, ["cHresp"], "rh", "mimics")


def read_corpse(path: Path) -> xr.DataArray:
    """Read heterotrophic respiration of CORPSE, g C m-2 yr-1, mean of 2000-2010, 1.9 x 2.5 degrees.

    Notes
    -----
    It is the CO2 of the soil and of the litter layer together: their global sum, 55 Pg C yr-1, is that of MIMICS and
    of CASA-CNP, which have the same carbon input.
    """
    return _read_testbed(path, ["Soil_CO2", "LitterLayer_CO2"], "rh", "corpse")


def read_modis_npp_sites(path: Path) -> pd.DataFrame:
    """Read yearly MOD17A3 NPP at the sites of SRDB.

    Returns
    -------
    pandas.DataFrame
        Columns longitude, latitude, year, npp [g C m-2 yr-1]; site-years without a value are left out.
    """
    table = pd.read_parquet(path)
    missing = {"Longitude", "Latitude", "Year", "MODIS_NPP"} - set(table)
    if missing:
        raise DataError(f"{Path(path).name}: column {', '.join(sorted(missing))} is missing")
    table = table.rename(columns={"Longitude": "longitude", "Latitude": "latitude", "Year": "year", "MODIS_NPP": "npp"})
    table = table[table["npp"] <= 32000]
    return table.assign(npp=table["npp"] * 0.1)[["longitude", "latitude", "year", "npp"]].reset_index(drop=True)


# Derivations ---------------------------------------------------------------------------------------------------------


# Shared parts --------------------------------------------------------------------------------------------------------


def _described(field: xr.DataArray, *, name: str, **attributes: str) -> xr.DataArray:
    """Return a field with this name and these attributes, and no others."""
    field = field.rename(name)
    field.attrs = {key: value for key, value in attributes.items() if value}
    return field


def _field(
    values: np.ndarray, latitude: np.ndarray, longitude: np.ndarray, *, name: str, **attributes: str
) -> xr.DataArray:
    """Return values as a field of single precision with coordinates, attributes and CRS; 12 layers are months."""
    dims = ("latitude", "longitude") if values.ndim == 2 else ("month", "latitude", "longitude")
    coords = {
        "latitude": (
            "latitude",
            np.asarray(latitude, "float64"),
            {"units": "degrees_north", "standard_name": "latitude"},
        ),
        "longitude": (
            "longitude",
            np.asarray(longitude, "float64"),
            {"units": "degrees_east", "standard_name": "longitude"},
        ),
    }
    if values.ndim == 3:
        coords["month"] = np.arange(1, 13)
    field = xr.DataArray(values.astype("float32"), coords, dims)
    return _described(field, name=name, **attributes).rio.write_crs("EPSG:4326")


def _global_centres(rows: int, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the cell centres of a grid that covers the globe from 90 N, 180 W."""
    height, width = 180 / rows, 360 / columns
    return 90 - height * (np.arange(rows) + 0.5), -180 + width * (np.arange(columns) + 0.5)


def _read_terra(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return values and cell centres of the one raster in an R data file (terra's PackedSpatRaster)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Missing constructor for R class")
        objects = rdata.conversion.convert(rdata.parser.parse_file(path))
    raster = next(iter(objects.values()))
    if not hasattr(raster, "definition") or not hasattr(raster, "values"):
        raise DataError(f"{Path(path).name}: expected a packed raster of the R package terra")
    definition = str(np.ravel(raster.definition)[0])
    size = {key: float(value) for key, value in re.findall(r"(ncols|nrows|xmin|xmax|ymin|ymax)=(-?[\d.]+)", definition)}
    expected = {"xmin": -180.0, "xmax": 180.0, "ymin": -90.0, "ymax": 90.0}
    if "EPSG:4326" not in definition or any(size.get(key) != value for key, value in expected.items()):
        raise DataError(f"{Path(path).name}: expected a global raster in EPSG:4326, found {definition}")
    rows, columns = int(size["nrows"]), int(size["ncols"])
    return np.asarray(raster.values).reshape(rows, columns), *_global_centres(rows, columns)


def _read_geotiff(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the stored numbers and the cell centres of a one-band GeoTIFF in longitude and latitude.

    The missing-data tag is left aside: each reader knows its product's number for that.
    """
    with rioxarray.open_rasterio(path, mask_and_scale=False) as raster:
        if raster.rio.crs is None or not raster.rio.crs.is_geographic or raster.sizes["band"] != 1:
            raise DataError(
                f"{Path(path).name}: expected one band in longitude and latitude, found CRS {raster.rio.crs}"
            )
        return raster.values[0], raster["y"].values, raster["x"].values


def _read_biome4(path: Path, variable: str, scale: float, **attributes: str) -> xr.DataArray:
    """Return a monthly variable of the BIOME4 drivers: unpacked, and at the cell centres."""
    with xr.open_dataset(path, mask_and_scale=False, decode_times=False) as file:
        if variable not in file:
            raise DataError(f"{Path(path).name}: variable {variable!r} is missing, found {', '.join(file)}")
        raw = file[variable].transpose("time", "lat", "lon")
        latitude, longitude = raw["lat"].values + 0.25, raw["lon"].values + 0.25
        # At sea, sunshine is marked missing in January only, and 0 in the other months.
        missing = (raw.values == -9999).any(axis=0)
        values = np.where(missing, np.nan, raw.values * np.float32(scale))
    return _field(values, latitude, longitude, **attributes)


def _read_testbed(path: Path, variables: list[str], name: str, source: str) -> xr.DataArray:
    """Return the yearly sum of daily fluxes of a soil model; sea, ice and cells without soil are missing.

    The files hold 0 (and CORPSE infinite values) in cells whose land area without ice and water is 0.
    """
    with xr.open_dataset(path, decode_times=False) as file:
        missing = [variable for variable in variables if variable not in file]
        if missing:
            raise DataError(f"{Path(path).name}: variable {', '.join(missing)} is missing")
        daily = sum(file[variable].isel(time=0) for variable in variables).where(file["landarea"] > 0).load()
    daily = (
        daily.assign_coords(lon=(daily["lon"].values + 180) % 360 - 180).sortby("lon").sortby("lat", ascending=False)
    )
    long_names = {"npp": "net primary productivity as carbon", "rh": "heterotrophic respiration as carbon"}
    standard_names = {
        "npp": "net_primary_productivity_of_biomass_expressed_as_carbon",
        "rh": "surface_upward_mass_flux_of_carbon_dioxide_expressed_as_carbon_due_to_heterotrophic_respiration",
    }
    return _field(
        daily.values * 365,
        daily["lat"].values,
        daily["lon"].values,
        name=name,
        units="g m-2 yr-1",
        long_name=long_names[name],
        standard_name=standard_names[name],
        source=source,
    )


_READERS: Mapping[str, Callable] = {
    "worldclim_temperature": read_temperature,
    "worldclim_precipitation": read_precipitation,
    "biome4_sunshine": read_sunshine,
    "land_cover": read_land_cover,
    "fapar_max": read_fapar,
    "psnnet_2015": read_psnnet,
    "soc_0_30cm": read_soc,
    "soc_0_100cm": read_soc,
    "casa_cnp": read_casa_cnp,
    "mimics": read_mimics,
    "corpse": read_corpse,
    "modis_npp_sites": read_modis_npp_sites,
    "elevation": read_elevation,
}
