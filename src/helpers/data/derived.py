"""Small published models that derive one quantity from another: LAI, NPP and Rs."""

import numpy as np
import xarray as xr

from helpers.data.variables import described
from helpers.errors import DataError

#: Largest leaf area index that fAPAR can tell: beyond it the canopy absorbs nearly all light and fAPAR is flat.
LAI_CAP = 7.0

#: Degrees of latitude from which on summer is warmer than winter.
_SEASONS = 25.0
_DAYS = xr.DataArray([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], coords={"month": np.arange(1, 13)}, dims="month")


def lai_from_fapar(fapar: xr.DataArray) -> xr.DataArray:
    r"""Derive leaf area index [1] from fAPAR, the fraction of light that the canopy absorbs.

    Beer-Lambert law (Monsi & Saeki 1953; used so by Fisher, Tu & Baldocchi 2008):
    :math:`\mathrm{LAI} = -\ln(1 - f) / k` with k = 0.5, the extinction of leaves without a preferred angle. It steepens
    without bound as f nears 1, so it is capped at ``LAI_CAP``. From a yearly maximum of f follows the leaf area of the
    season's peak. The function raises a DataError if f is not between 0 and 1.

    Examples
    --------
    >>> [round(float(lai_from_fapar(xr.DataArray(f))), 3) for f in (0.0, 0.3, 1.0)]
    [0.0, 0.713, 7.0]
    """
    _require_fraction(fapar, "fapar")
    with np.errstate(divide="ignore"):
        lai = (-np.log1p(-fapar) / 0.5).clip(max=LAI_CAP)
    return described(lai, "lai", long_name="leaf area index at the season's peak", source=_sources(fapar))


def npp_from_psnnet(psnnet: xr.DataArray) -> xr.DataArray:
    r"""Derive a stand-in for MOD17A3 yearly NPP [g C m-2 yr-1] from monthly net photosynthesis [g C m-2 d-1].

    :math:`\mathrm{NPP} = 0.8 \sum (\mathrm{GPP} - R_m)`, not below 0: growth respiration is a quarter of NPP in MOD17
    (Running & Zhao 2015). Net photosynthesis leaves out the maintenance respiration of wood, so the result is too high
    in forest. A month without a value makes the year missing. On the paper's plateau a cell misses all twelve months
    (14 % of the area, nearly all barren ground, which MOD17 does not model) or none; no value there is not the same as
    no growth. The function raises a DataError if the months are not twelve.
    """
    _require_months(psnnet, "net photosynthesis")
    npp = 0.8 * (psnnet * _DAYS).sum("month", skipna=False)
    long_name = "net primary productivity as carbon, stand-in for MOD17A3"
    return described(npp.clip(min=0), "npp_modis", long_name=long_name, source=_sources(psnnet))


def miami_npp(precipitation: xr.DataArray, temperature: xr.DataArray) -> xr.DataArray:
    r"""Return net primary productivity of the Miami model [g C m-2 yr-1].

    It follows from precipitation P [mm yr-1] and annual mean temperature T [degC] (Lieth 1975):
    :math:`\min\{3000/(1 + e^{1.315 - 0.119 T}),\ 3000 (1 - e^{-0.000664 P})\}` g dry matter m-2 yr-1; carbon is 0.45 of
    it, as in herbs (Scurlock, Johnson & Olson 2002).

    Examples
    --------
    >>> round(float(miami_npp(xr.DataArray(420.0), xr.DataArray(-1.0))), 1)
    259.8
    """
    warmth = 3000 / (1 + np.exp(1.315 - 0.119 * temperature))
    water = 3000 * (1 - np.exp(-0.000664 * precipitation))
    long_name = "net primary productivity as carbon, Miami model"
    return described(0.45 * np.minimum(warmth, water), "npp", long_name=long_name, source="Lieth 1975")


def raich_rs(precipitation: xr.DataArray, temperature: xr.DataArray) -> xr.DataArray:
    """Return yearly soil respiration of a global climate model [g C m-2 yr-1].

    It follows from precipitation [mm month-1] and mean air temperature T [degC] of each month. The model is monthly and
    not linear, so the function raises a DataError if the months are not twelve, or summer is colder than winter. Raich,
    Potter & Bhagawati (2002):
    :math:`R_s = F e^{QT} P/(K + P)` g C m-2 d-1 with F = 1.250, Q = 0.05452, K = 4.259 and P in cm month-1, summed over
    the days of the year.

    Examples
    --------
    >>> month = {"month": np.arange(1, 13)}
    >>> rain = xr.DataArray(np.full(12, 42.59), month, dims="month")
    >>> round(float(raich_rs(rain, 0 * rain)), 1)
    228.1
    """
    _require_months(precipitation, "precipitation")
    _require_months(temperature, "temperature")
    _require_seasons(temperature)
    yearly = (_raich(precipitation, temperature) * _DAYS).sum("month", skipna=False).astype("float32")
    long_name = "soil respiration as carbon, climate model of Raich et al. 2002"
    return described(yearly, "rs", long_name=long_name, source=f"Raich 2002, {_sources(precipitation, temperature)}")


def raich_rs_of_year(precipitation: xr.DataArray, temperature: xr.DataArray) -> xr.DataArray:
    """Return the climate model of :func:`raich_rs` at the means of a year, where months are not known [g C m-2 yr-1].

    Precipitation is in mm yr-1, temperature the annual mean [degC]. A year of equal months respires less than one with
    a warm, wet summer: it serves as a pattern that is scaled to records, not as an estimate.

    Examples
    --------
    >>> round(float(raich_rs_of_year(xr.DataArray(12 * 42.59), xr.DataArray(0.0))), 1)
    228.1
    """
    return 365 * _raich(precipitation / 12, temperature)


def _raich(precipitation: xr.DataArray, temperature: xr.DataArray) -> xr.DataArray:
    """Return the daily Rs of Raich et al. 2002 [g C m-2 d-1] from precipitation [mm month-1] and temperature [degC]."""
    centimetres = precipitation / 10
    return 1.250 * np.exp(0.05452 * temperature) * centimetres / (4.259 + centimetres)


def _sources(*fields: xr.DataArray) -> str:
    """Return the products that fields come from, each once."""
    return ", ".join(dict.fromkeys(field.attrs["source"] for field in fields if "source" in field.attrs))


def _require_months(field: xr.DataArray, name: str) -> None:
    if field.sizes.get("month") != 12:
        raise DataError(f"{name}: expected 12 months, got dimensions {dict(field.sizes)}")


def _require_seasons(temperature: xr.DataArray) -> None:
    """Refuse monthly temperatures whose summer is colder than their winter: the months are in another order."""
    if "latitude" not in temperature.coords:
        return
    latitude, means = temperature["latitude"], temperature.mean([dim for dim in temperature.dims if dim != "month"])
    june, december = (float(means.sel(month=list(three)).mean()) for three in ((6, 7, 8), (12, 1, 2)))
    summer, winter = (june, december) if latitude.min() > _SEASONS else (december, june)
    if abs(latitude).min() > _SEASONS and latitude.min() * latitude.max() > 0 and summer < winter - 1:
        raise DataError(
            f"temperature: summer has {summer:.1f} degC and winter {winter:.1f} at latitudes "
            f"{float(latitude.min()):g} to {float(latitude.max()):g}; expected months in order, the first one January"
        )


def _require_fraction(field: xr.DataArray, name: str) -> None:
    low, high = float(field.min()), float(field.max())
    if low < 0.0 or high > 1.0:
        raise DataError(f"{name}: expected a fraction of 0 to 1, found {low} to {high}; divide per cents by 100")
