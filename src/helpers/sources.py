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

from helpers import catalog

__all__ = [
    "IGBP_CLASSES",
    "LAI_CAP",
    "SourceError",
    "extraterrestrial_radiation",
    "lai_from_fapar",
    "miami_npp",
    "npp_from_psnnet",
    "open_source",
    "raich_rs",
    "read_casa_cnp",
    "read_corpse",
    "read_elevation",
    "read_fapar",
    "read_land_cover",
    "read_mimics",
    "read_modis_npp_sites",
    "read_monthly_climate",
    "read_precipitation",
    "read_psnnet",
    "read_soc",
    "read_sunshine",
    "read_temperature",
    "srad_from_sunshine",
]

#: Names of the IGBP classes; 17 is water (MCD12C1 writes 0, MCD12Q1 writes 17: we write 17).
IGBP_CLASSES: Mapping[int, str] = {
    1: "evergreen needleleaf forest",
    2: "evergreen broadleaf forest",
    3: "deciduous needleleaf forest",
    4: "deciduous broadleaf forest",
    5: "mixed forest",
    6: "closed shrubland",
    7: "open shrubland",
    8: "woody savanna",
    9: "savanna",
    10: "grassland",
    11: "permanent wetland",
    12: "cropland",
    13: "urban and built-up",
    14: "cropland and natural vegetation mosaic",
    15: "snow and ice",
    16: "barren",
    17: "water",
}

#: Largest leaf area index that fAPAR can tell: beyond it the canopy absorbs nearly all light and fAPAR is flat.
LAI_CAP = 7.0

_DAYS = xr.DataArray([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], coords={"month": np.arange(1, 13)}, dims="month")


class SourceError(ValueError):
    """A file that is not the product it should be; the message names the file and what was expected."""


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
    SourceError
        If the product is read elsewhere (site tables, the boundary).
    helpers.catalog.CatalogError
        If there is no such product, or it cannot be had.
    """
    if key not in _READERS:
        raise SourceError(f"no reader for {key!r} in helpers.sources; there are: {', '.join(_READERS)}")
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
    SourceError
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
        raise SourceError(f"net photosynthesis: expected images of the months 1 to 12, found {sorted(months)}")
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
        raise SourceError(f"{Path(path).name}: column {', '.join(sorted(missing))} is missing")
    table = table.rename(columns={"Longitude": "longitude", "Latitude": "latitude", "Year": "year", "MODIS_NPP": "npp"})
    table = table[table["npp"] <= 32000]
    return table.assign(npp=table["npp"] * 0.1)[["longitude", "latitude", "year", "npp"]].reset_index(drop=True)


# Derivations ---------------------------------------------------------------------------------------------------------


def extraterrestrial_radiation(latitude: xr.DataArray) -> xr.DataArray:
    r"""Return the monthly mean of solar radiation on a horizontal plane above the atmosphere.

    Parameters
    ----------
    latitude : xarray.DataArray
        Degrees north.

    Returns
    -------
    xarray.DataArray
        W m-2; dimension ``month`` before those of ``latitude``.

    Notes
    -----
    FAO-56 (Allen et al. 1998), Eqs. 21 and 23-25, for each day of a year, then averaged over the month:
    :math:`R_a = \frac{G}{\pi} d_r (\omega \sin\varphi \sin\delta + \cos\varphi \cos\delta \sin\omega)` with
    :math:`G = 0.0820` MJ m-2 min-1.

    Examples
    --------
    >>> plateau = xr.DataArray([33.0], dims="latitude")
    >>> extraterrestrial_radiation(plateau).mean("month").round().values
    array([354.])
    """
    day = xr.DataArray(np.arange(1, 366), dims="day")
    month = xr.DataArray(np.repeat(np.arange(1, 13), _DAYS), dims="day", name="month")
    angle = 2 * np.pi * day / 365
    distance = 1 + 0.033 * np.cos(angle)
    declination = 0.409 * np.sin(angle - 1.39)
    phi = np.deg2rad(latitude.astype("float64"))
    sunset = np.arccos((-np.tan(phi) * np.tan(declination)).clip(-1, 1))
    daily = distance * (sunset * np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.sin(sunset))
    watts = daily * (0.0820e6 / 60) / np.pi
    return watts.groupby(month).mean().transpose("month", ...)


def srad_from_sunshine(sunshine: xr.DataArray, elevation: xr.DataArray) -> xr.DataArray:
    r"""Derive mean downward shortwave radiation of the year from monthly sunshine.

    Parameters
    ----------
    sunshine : xarray.DataArray
        Fraction of the possible sunshine, 0 to 1; dimensions month (1 to 12), latitude, longitude.
    elevation : xarray.DataArray
        Metres above sea level, on the same grid.

    Returns
    -------
    xarray.DataArray
        W m-2, the mean of the months weighted by their days.

    Raises
    ------
    SourceError
        If sunshine is not a fraction (a percentage, say) or the months are not twelve.

    Notes
    -----
    Angstrom-Prescott with the coefficients that FAO-56 (Allen et al. 1998) recommends where none are calibrated:
    :math:`R_s = (a + b\,n/N) R_a`, a = 0.25 (Eq. 35). For b we take :math:`0.50 + 2\times10^{-5} z`, so that the clear
    sky lets through what Eq. 37 says, :math:`0.75 + 2\times10^{-5} z`: the air over the plateau is thin. Without that
    term the plateau mean is 179 instead of 196 W m-2. Known bias: the BIOME4 drivers have less sunshine than
    stations count (Maduo 0.56 against 2838 hours, or 0.65; Lhasa 0.51 against 3000 hours, or 0.68), so the result
    stays below measured radiation (Gaize: 205 against 21 MJ m-2 d-1, or 243 W m-2, Liu et al. 2012).
    """
    if sunshine.sizes.get("month") != 12:
        raise SourceError(f"sunshine: expected 12 months, got dimensions {dict(sunshine.sizes)}")
    if float(sunshine.max()) > 1.0 or float(sunshine.min()) < 0.0:
        raise SourceError(
            f"sunshine: expected a fraction of 0 to 1, found {float(sunshine.min())} to {float(sunshine.max())}"
        )
    radiation = extraterrestrial_radiation(sunshine["latitude"])
    transmitted = 0.25 + (0.50 + 2e-5 * elevation.clip(min=0)) * sunshine
    mean = (transmitted * radiation).weighted(_DAYS).mean("month", skipna=False)
    return _described(
        mean,
        name="srad",
        units="W m-2",
        long_name="mean downward shortwave radiation",
        standard_name="surface_downwelling_shortwave_flux_in_air",
        source="biome4_sunshine, elevation",
    )


def lai_from_fapar(fapar: xr.DataArray, extinction: float = 0.5) -> xr.DataArray:
    r"""Derive leaf area index from the fraction of light that the canopy absorbs.

    Parameters
    ----------
    fapar : xarray.DataArray
        Fraction, 0 to 1.
    extinction : float
        Extinction coefficient k; 0.5 is that of leaves without a preferred angle.

    Returns
    -------
    xarray.DataArray
        Leaf area index, 1, at most ``LAI_CAP``.

    Notes
    -----
    Beer-Lambert law (Monsi & Saeki 1953; used so by Fisher, Tu & Baldocchi 2008):
    :math:`LAI = -\ln(1 - f) / k`. It steepens without bound as f nears 1, so it is capped. From a yearly maximum
    of f follows the leaf area of the season's peak.

    Examples
    --------
    >>> [round(float(lai_from_fapar(xr.DataArray(f))), 3) for f in (0.0, 0.3, 1.0)]
    [0.0, 0.713, 7.0]
    """
    if float(fapar.max()) > 1.0 or float(fapar.min()) < 0.0:
        raise SourceError(f"fapar: expected a fraction of 0 to 1, found {float(fapar.min())} to {float(fapar.max())}")
    with np.errstate(divide="ignore"):
        lai = (-np.log1p(-fapar) / extinction).clip(max=LAI_CAP)
    return _described(
        lai,
        name="lai",
        units="1",
        long_name="leaf area index at the season's peak",
        standard_name="leaf_area_index",
        source=fapar.attrs.get("source", ""),
    )


def npp_from_psnnet(psnnet: xr.DataArray) -> xr.DataArray:
    r"""Derive a stand-in for MOD17A3 yearly NPP from monthly net photosynthesis.

    Parameters
    ----------
    psnnet : xarray.DataArray
        g C m-2 d-1; dimensions month (1 to 12), latitude, longitude.

    Returns
    -------
    xarray.DataArray
        g C m-2 yr-1, not below 0.

    Notes
    -----
    :math:`NPP = 0.8 \sum (GPP - R_m)`: growth respiration is a quarter of NPP in MOD17 (Running & Zhao 2015).
    Net photosynthesis leaves out the maintenance respiration of wood, so the result is too high in forest. A month
    without a value makes the year missing. On the plateau a cell misses all twelve months (14 % of the area, nearly
    all barren ground, which MOD17 does not model) or none; no value there is not the same as no growth.
    """
    if psnnet.sizes.get("month") != 12:
        raise SourceError(f"net photosynthesis: expected 12 months, got dimensions {dict(psnnet.sizes)}")
    npp = 0.8 * (psnnet * _DAYS).sum("month", skipna=False)
    return _described(
        npp.clip(min=0),
        name="npp_modis",
        units="g m-2 yr-1",
        long_name="net primary productivity as carbon, stand-in for MOD17A3",
        standard_name="net_primary_productivity_of_biomass_expressed_as_carbon",
        source=psnnet.attrs.get("source", ""),
    )


def miami_npp(precipitation: xr.DataArray, temperature: xr.DataArray) -> xr.DataArray:
    r"""Return net primary productivity of the Miami model.

    Parameters
    ----------
    precipitation : xarray.DataArray
        mm yr-1.
    temperature : xarray.DataArray
        Annual mean, degC.

    Returns
    -------
    xarray.DataArray
        g C m-2 yr-1.

    Notes
    -----
    Lieth (1975): :math:`\min\{3000/(1 + e^{1.315 - 0.119 T}),\ 3000 (1 - e^{-0.000664 P})\}` g dry matter m-2 yr-1;
    carbon is 0.45 of it, as in herbs (Scurlock, Johnson & Olson 2002).

    Examples
    --------
    >>> round(float(miami_npp(xr.DataArray(420.0), xr.DataArray(-1.0))), 1)
    259.8
    """
    warmth = 3000 / (1 + np.exp(1.315 - 0.119 * temperature))
    water = 3000 * (1 - np.exp(-0.000664 * precipitation))
    npp = 0.45 * np.minimum(warmth, water)
    return _described(
        npp,
        name="npp_miami",
        units="g m-2 yr-1",
        long_name="net primary productivity as carbon, Miami model",
        standard_name="net_primary_productivity_of_biomass_expressed_as_carbon",
        source="Lieth 1975",
    )


def raich_rs(precipitation: xr.DataArray, temperature: xr.DataArray) -> xr.DataArray:
    r"""Return yearly soil respiration of a global climate model.

    Parameters
    ----------
    precipitation : xarray.DataArray
        mm month-1; dimensions month (1 to 12) and others.
    temperature : xarray.DataArray
        Monthly mean air temperature, degC; the same dimensions.

    Returns
    -------
    xarray.DataArray
        g C m-2 yr-1.

    Raises
    ------
    SourceError
        If the months are not twelve: the model is monthly, and it is not linear.

    Notes
    -----
    Raich, Potter & Bhagawati (2002): :math:`R_s = F e^{QT} P/(K + P)` g C m-2 d-1 with F = 1.250, Q = 0.05452,
    K = 4.259 and P in cm month-1, summed over the days of the year.

    Examples
    --------
    >>> month = {"month": np.arange(1, 13)}
    >>> rain = xr.DataArray(np.full(12, 42.59), month, dims="month")
    >>> round(float(raich_rs(rain, 0 * rain)), 1)
    228.1
    """
    for name, field in {"precipitation": precipitation, "temperature": temperature}.items():
        if field.sizes.get("month") != 12:
            raise SourceError(f"{name}: expected 12 months, got dimensions {dict(field.sizes)}")
    centimetres = precipitation / 10
    daily = 1.250 * np.exp(0.05452 * temperature) * centimetres / (4.259 + centimetres)
    return _described(
        (daily * _DAYS).sum("month", skipna=False).astype("float32"),
        name="rs_raich",
        units="g m-2 yr-1",
        long_name="soil respiration as carbon, climate model of Raich et al. 2002",
        source="Raich 2002, biome4_sunshine",
    )


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
        raise SourceError(f"{Path(path).name}: expected a packed raster of the R package terra")
    definition = str(np.ravel(raster.definition)[0])
    size = {key: float(value) for key, value in re.findall(r"(ncols|nrows|xmin|xmax|ymin|ymax)=(-?[\d.]+)", definition)}
    expected = {"xmin": -180.0, "xmax": 180.0, "ymin": -90.0, "ymax": 90.0}
    if "EPSG:4326" not in definition or any(size.get(key) != value for key, value in expected.items()):
        raise SourceError(f"{Path(path).name}: expected a global raster in EPSG:4326, found {definition}")
    rows, columns = int(size["nrows"]), int(size["ncols"])
    return np.asarray(raster.values).reshape(rows, columns), *_global_centres(rows, columns)


def _read_geotiff(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the stored numbers and the cell centres of a one-band GeoTIFF in longitude and latitude.

    The missing-data tag is left aside: each reader knows its product's number for that.
    """
    with rioxarray.open_rasterio(path, mask_and_scale=False) as raster:
        if raster.rio.crs is None or not raster.rio.crs.is_geographic or raster.sizes["band"] != 1:
            raise SourceError(
                f"{Path(path).name}: expected one band in longitude and latitude, found CRS {raster.rio.crs}"
            )
        return raster.values[0], raster["y"].values, raster["x"].values


def _read_biome4(path: Path, variable: str, scale: float, **attributes: str) -> xr.DataArray:
    """Return a monthly variable of the BIOME4 drivers: unpacked, and at the cell centres."""
    with xr.open_dataset(path, mask_and_scale=False, decode_times=False) as file:
        if variable not in file:
            raise SourceError(f"{Path(path).name}: variable {variable!r} is missing, found {', '.join(file)}")
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
            raise SourceError(f"{Path(path).name}: variable {', '.join(missing)} is missing")
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
