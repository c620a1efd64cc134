"""Climate, leaves and soil of the virtual plateau: pure functions of coordinates, years and seed.

Here and in :mod:`helpers.virtual.fluxes`, `longitude` and `latitude` [degrees] are arrays that broadcast together:
points of equal shape, or a row (1, nx) and a column (ny, 1) for a grid. `years` has shape (n_years,); yearly fields
have a leading axis of years. `seed` is the seed of the world. The numbers are those of :mod:`helpers.virtual.laws`.
Sources that are cited by author and year alone are in the book's list of references.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import pvlib
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import RegularGridInterpolator
from scipy.special import expit

from helpers.data.land_cover import IGBP_CLASSES, WATER
from helpers.virtual.geography import KM_PER_DEGREE, REGION, geography
from helpers.virtual.laws import COVER_LAWS, LAWS
from helpers.virtual.noise import gaussian_field

_SOUTH_EAST_CORNER = (97.0, 28.0)
_NORTH_WEST_CORNER = (78.0, 37.0)
_BAY_OF_BENGAL = (90.0, 22.0)
_BAY_TO_CORNER_KM = 800.0

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Climate:
    """Temperature [degC], precipitation [mm yr-1] and shortwave radiation [W m-2], shape (years, places)."""

    temperature: Array
    precipitation: Array
    srad: Array


def climate(longitude: ArrayLike, latitude: ArrayLike, years: ArrayLike, seed: int) -> Climate:
    """Return the yearly climate at coordinates.

    Temperature is the mean of the place (:func:`mean_temperature`), plus 0.03 K per year since the reference year, plus
    correlated noise in space and between years. Precipitation is the mean of the place (:func:`mean_precipitation`)
    times lognormal noise in space and between years. Shortwave radiation is pvlib's clear sky times the cloud factor of
    Kasten and Czeplak (1980), :math:`1 - 0.75 N^{3.4}`, where the cloud fraction N rises with the year's precipitation,
    times lognormal noise between years.
    """
    longitude, latitude = np.asarray(longitude, float), np.asarray(latitude, float)
    years = np.atleast_1d(years)
    where = (longitude, latitude)
    since = (years - LAWS.reference_year).reshape(-1, *np.ones(np.broadcast(*where).ndim, int))
    place = gaussian_field(*where, LAWS.temperature_place_range, seed, "temperature of places")
    weather = gaussian_field(*where, LAWS.temperature_year_range, seed, "temperature of years", years)
    temperature = (
        mean_temperature(*where)
        + LAWS.temperature_place_sd * place
        + LAWS.warming * since
        + LAWS.temperature_year_sd * weather
    )
    precipitation = (
        mean_precipitation(*where)
        * lognormal_noise(
            *where, "precipitation of places", LAWS.precipitation_place_sd, LAWS.precipitation_place_range, seed
        )
        * lognormal_noise(
            *where, "precipitation of years", LAWS.precipitation_year_sd, LAWS.precipitation_year_range, seed, years
        )
    )
    cloudiness = 1 - np.exp(-precipitation / LAWS.cloud_precipitation)
    cloud = LAWS.cloud_fraction_dry + (LAWS.cloud_fraction_wet - LAWS.cloud_fraction_dry) * cloudiness
    srad = (
        clear_sky(latitude, geography().elevation_at(*where))
        * (1 - LAWS.cloud_loss * cloud**LAWS.cloud_power)
        * lognormal_noise(*where, "radiation of years", LAWS.srad_year_sd, LAWS.srad_year_range, seed, years)
    )
    return Climate(temperature, precipitation, srad)


def mean_temperature(longitude: ArrayLike, latitude: ArrayLike) -> Array:
    r"""Return the mean annual temperature [degC] of the reference year, without noise.

    .. math:: T = 14.97 - 28.0 P_2(\sin \varphi) - 4.8 z,

    with the zonal mean at sea level of North, Cahalan and Coakley (1981) and the lapse rate of the plateau's stations
    (Wang et al. 2011, Journal of Mountain Science 8, 808-816), z in km.
    """
    return _sea_level_temperature(latitude) - LAWS.lapse_rate * geography().elevation_at(longitude, latitude) / 1000


def mean_precipitation(longitude: ArrayLike, latitude: ArrayLike) -> Array:
    r"""Return mean annual precipitation [mm yr-1], without noise.

    Moisture decays along the axis from the plateau's south-east corner (97 E, 28 N) to its north-west corner (78 E,
    37 N), :math:`D = 1200 \exp(-d / 600\,\mathrm{km})` (Makarieva and Gorshkov 2007). Towards the sea it meets a
    ceiling :math:`C` that follows the vapour that air of the latitude can hold, 6.5 % per kelvin (Held and Soden 2006):
    :math:`P_0 = (D^{-3} + C^{-3})^{-1/3}`. Slopes that rise to the north-west are wetter and lee slopes drier (Roe
    2005): :math:`P = P_0 \exp(g s)`, s in m km-1, the exponent held within 0.7. The lowland south of the Himalaya lies
    before the barrier: there d counts from the Bay of Bengal.
    """
    longitude, latitude = np.asarray(longitude, float), np.asarray(latitude, float)
    decayed = LAWS.precipitation_corner * np.exp(-_inland_distance(longitude, latitude) / LAWS.precipitation_decay)
    warmth = _sea_level_temperature(latitude) - 25.0
    ceiling = LAWS.precipitation_coast * np.exp(LAWS.clausius_clapeyron * warmth)
    power = LAWS.precipitation_sharpness
    flat = (decayed**-power + ceiling**-power) ** (-1 / power)
    limit = LAWS.orographic_limit
    return flat * np.exp(np.clip(LAWS.orographic_gain * _upslope(longitude, latitude), -limit, limit))


def clear_sky(latitude: ArrayLike, elevation: ArrayLike) -> Array:
    """Return the annual mean of clear-sky global horizontal irradiance [W m-2].

    pvlib's simplified Solis model (Ineichen 2008), which is made for elevations up to 7000 m (the Ineichen-Perez model
    exceeds the sun above the atmosphere from about 4000 m), over the hours of the middle day of each month, with
    constant aerosol and water vapour that falls with elevation (Reitan 1963, Journal of Applied Meteorology 2,
    776-779). It is tabulated every 2 degrees from 18 to 54 N and every 500 m, and interpolated. Latitude [degrees] and
    elevation [m] broadcast together.
    """
    latitude, elevation = np.broadcast_arrays(np.asarray(latitude, float), np.asarray(elevation, float))
    return _clear_sky_table()(np.stack([latitude, elevation], axis=-1))


def leaf_area(cover: ArrayLike, weather: Climate, longitude: ArrayLike, latitude: ArrayLike, seed: int) -> Array:
    r"""Return the annual mean leaf area index [m2 m-2], shape (years, places); NaN on water.

    .. math:: L = L_\mathrm{max}(\text{class}) \, (1 - e^{-P / 500}) \, / \, (1 + e^{-(T + 2) / 5}),

    times noise and half (in the logarithm) of the hidden fertility that also drives NPP, at most 8. Greatest LAI by
    class: Asner, Scurlock and Hicke (2003).
    """
    where = (longitude, latitude)
    water = 1 - np.exp(-weather.precipitation / LAWS.lai_precipitation)
    warmth = expit((weather.temperature - LAWS.lai_temperature) / LAWS.lai_temperature_width)
    noise = lognormal_noise(*where, "leaves of places", LAWS.lai_place_sd, LAWS.lai_place_range, seed)
    leaves = cover_value(cover, "leaf_area") * water * warmth * noise * fertility(*where, seed) ** LAWS.lai_fertility
    return np.minimum(leaves, LAWS.lai_ceiling)


def soil_carbon(cover: ArrayLike, longitude: ArrayLike, latitude: ArrayLike, seed: int) -> Array:
    r"""Return soil organic carbon of the upper metre [kg C m-2]; NaN on water.

    .. math:: C = 12 \, \frac{P}{P + 400} \, e^{-0.03 T},

    with the mean climate of the place, times noise: more where it is wet and cold (Jobbágy and Jackson 2000).
    """
    where = (longitude, latitude)
    rain = mean_precipitation(*where)
    stock = LAWS.soc_scale * rain / (rain + LAWS.soc_precipitation)
    stock = stock * np.exp(LAWS.soc_temperature * mean_temperature(*where))
    noise = lognormal_noise(*where, "soil carbon of places", LAWS.soc_place_sd, LAWS.soc_place_range, seed)[0]
    return np.where(np.asarray(cover) == WATER, np.nan, stock * noise)


def fertility(longitude: ArrayLike, latitude: ArrayLike, seed: int) -> Array:
    r"""Return the hidden fertility (nitrogen) factor of NPP [1], mean 1, shape (1, places)."""
    return lognormal_noise(longitude, latitude, "fertility", LAWS.fertility_sd, LAWS.fertility_range, seed)


def lognormal_noise(
    longitude: ArrayLike,
    latitude: ArrayLike,
    name: str,
    sd: ArrayLike,
    range_km: float,
    seed: int,
    years: ArrayLike = (0,),
) -> Array:
    r"""Return a correlated lognormal factor with mean 1, shape (years, places): :math:`\exp(\sigma u - \sigma^2 / 2)`.

    The field u is that of :func:`helpers.virtual.noise.gaussian_field` of this name and correlation length [km], held
    within +-3; the standard deviation of the logarithm may differ from place to place.
    """
    field = np.clip(gaussian_field(longitude, latitude, range_km, seed, name, years), -3, 3)
    return np.exp(sd * field - np.square(sd) / 2)


def cover_value(cover: ArrayLike, law: Literal["leaf_area", "npp_share"]) -> Array:
    """Return one law of each cell's land-cover class (:class:`helpers.virtual.laws.CoverLaw`); NaN on water."""
    table = np.full(max(IGBP_CLASSES) + 1, np.nan)
    for number, laws in COVER_LAWS.items():
        table[number] = getattr(laws, law)
    return table[np.asarray(cover, int)]


def _sea_level_temperature(latitude: ArrayLike) -> Array:
    sine = np.sin(np.radians(latitude))
    return LAWS.sea_level_mean + LAWS.sea_level_p2 * (3 * sine**2 - 1) / 2


def _axis() -> tuple[float, float]:
    """Return the unit vector (east, north) from the plateau's south-east corner to its north-west corner, in km."""
    (lon_1, lat_1), (lon_2, lat_2) = _SOUTH_EAST_CORNER, _NORTH_WEST_CORNER
    east = (lon_2 - lon_1) * KM_PER_DEGREE * np.cos(np.radians((lat_1 + lat_2) / 2))
    north = (lat_2 - lat_1) * KM_PER_DEGREE
    length = np.hypot(east, north)
    return east / length, north / length


def _inland_distance(longitude: Array, latitude: Array) -> Array:
    """Return the distance [km] along the moisture axis; before the Himalaya, from the Bay of Bengal."""
    shrink = np.cos(np.radians(latitude))
    east, north = _axis()
    d_east = (longitude - _SOUTH_EAST_CORNER[0]) * KM_PER_DEGREE * shrink
    d_north = (latitude - _SOUTH_EAST_CORNER[1]) * KM_PER_DEGREE
    along = d_east * east + d_north * north
    bay_east = (longitude - _BAY_OF_BENGAL[0]) * KM_PER_DEGREE * shrink
    bay_north = (latitude - _BAY_OF_BENGAL[1]) * KM_PER_DEGREE
    from_bay = np.hypot(bay_east, bay_north) - _BAY_TO_CORNER_KM
    lowland = expit((2000 - geography().smooth_elevation_at(longitude, latitude)) / 400)
    before = lowland * expit((32 - latitude) / 0.7) * expit(97 - longitude)
    return (1 - before) * along + before * from_bay


def _upslope(longitude: Array, latitude: Array) -> Array:
    """Return the rise of the smoothed ground along the moisture axis [m km-1], over 20 km either side."""
    east, north = _axis()
    step = 20.0
    d_latitude = step * north / KM_PER_DEGREE
    d_longitude = step * east / (KM_PER_DEGREE * np.cos(np.radians(latitude)))
    west, south, east_edge, north_edge = REGION
    ahead, behind = (
        geography().smooth_elevation_at(
            np.clip(longitude + sign * d_longitude, west, east_edge),
            np.clip(latitude + sign * d_latitude, south, north_edge),
        )
        for sign in (1, -1)
    )
    return (ahead - behind) / (2 * step)


@cache
def _clear_sky_table() -> RegularGridInterpolator:
    latitudes, elevations = np.arange(18.0, 55.0, 2.0), np.arange(-500.0, 7001.0, 500.0)
    middle_days = np.array([15, 46, 74, 105, 135, 166, 196, 227, 258, 288, 319, 349])
    declination = pvlib.solarposition.declination_spencer71(middle_days)[:, None]
    hour_angle = np.radians(np.arange(0.5, 24) * 15 - 180)
    zenith = pvlib.solarposition.solar_zenith_analytical(
        np.radians(latitudes)[:, None, None, None], hour_angle, declination
    )
    height = elevations[:, None, None]
    sky = pvlib.clearsky.simplified_solis(
        90 - np.degrees(zenith),
        LAWS.aerosol_depth,
        LAWS.vapour_at_sea_level * np.exp(-height / 1000 / LAWS.vapour_height),
        pvlib.atmosphere.alt2pres(height),
        pvlib.irradiance.get_extra_radiation(middle_days)[:, None],
    )
    return RegularGridInterpolator((latitudes, elevations), sky["ghi"].mean(axis=(-2, -1)))
