"""The fields that the made-up archive is filled from: pure functions of longitude, latitude [degrees] and year.

Coordinates and years are arrays or numbers that broadcast together. The fields are smooth, of a few waves each: a value
is known at any coordinate, and the mean over a cell is nearly the value at its centre. They look like the plateau at
3000 to 5500 m, and mean nothing. The ranges that are told are those in :data:`BOX`, years 2000 to 2005.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from helpers.data.land_cover import GRASSLAND, WATER
from helpers.data.products.interface import Box

Array = NDArray[np.float64]

#: Where the archive has data. Four MODIS tiles meet in it, h25 and h26, v05 and v06, at 92.38 E 30 N.
BOX: Final = Box(91.0, 28.5, 95.0, 31.5)

#: Round patches, centre and radius [degrees]. The first of each kind lies across a seam of MODIS tiles.
LAKES: Final = ((94.0, 30.0, 0.08), (93.1, 29.2, 0.12))
BARREN: Final = ((93.31, 31.0, 0.08), (91.6, 31.1, 0.15), (94.3, 28.9, 0.1))


def elevation(longitude: ArrayLike, latitude: ArrayLike) -> Array:
    """Return the height of the ground [m], 3100 to 5300."""
    broad = _wave(longitude, 3.1) * _wave(latitude, 2.3, 0.2)
    return 4200.0 + 800 * broad + 300 * _wave(np.add(longitude, latitude), 0.7)


def temperature(longitude: ArrayLike, latitude: ArrayLike, year: ArrayLike) -> Array:
    """Return the mean annual temperature [degC]: it falls with height, and rises by 0.03 K per year."""
    weather = 0.5 * _wave(year, 5.3) * _wave(longitude, 9.0)
    return 24.0 - 0.0057 * elevation(longitude, latitude) + _wave(latitude, 40.0, 0.5) + 0.03 * _since(year) + weather


def precipitation(longitude: ArrayLike, latitude: ArrayLike, year: ArrayLike) -> Array:
    """Return annual precipitation [mm yr-1], 190 to 1050."""
    place = 0.5 * _wave(longitude, 4.4) + 0.25 * _wave(latitude, 2.9, 0.4)
    return 450.0 * np.exp(place + 0.1 * _wave(np.add(year, np.multiply(0.3, latitude)), 4.7))


def srad(longitude: ArrayLike, latitude: ArrayLike, year: ArrayLike) -> Array:
    """Return the mean of downward shortwave radiation [W m-2]: more where it is high, less where it rains."""
    wet = precipitation(longitude, latitude, year) / 1000
    return 200.0 + 0.008 * (elevation(longitude, latitude) - 4200) - 40 * wet + 3 * _wave(year, 3.7)


def lai(longitude: ArrayLike, latitude: ArrayLike, year: ArrayLike) -> Array:
    """Return the mean annual leaf area index [1], 0.2 to 2.9."""
    water = 1 - np.exp(-precipitation(longitude, latitude, year) / 500)
    warmth = 1 / (1 + np.exp(-temperature(longitude, latitude, year) / 3))
    return 0.05 + 3.0 * water * warmth * (1 + 0.2 * _wave(np.subtract(longitude, latitude), 1.3))


def land_cover(longitude: ArrayLike, latitude: ArrayLike, year: ArrayLike) -> NDArray[np.uint8]:
    """Return the IGBP class: grassland between forest, shrubland, wetland, ice and barren; lakes are water."""
    leaves, warmth = (f(longitude, latitude, year) for f in (lai, temperature))
    classes = np.full(np.shape(leaves), GRASSLAND, "uint8")
    for number, where in (
        (7, leaves < 0.35),
        (5, leaves > 1.8),
        (11, _wave(longitude, 1.7) * _wave(latitude, 1.1) > 0.93),
        (15, warmth < -4.5),
        (16, _within(BARREN, longitude, latitude)),
        (WATER, _within(LAKES, longitude, latitude)),
    ):
        classes = np.where(where, np.uint8(number), classes)
    return classes


def npp(longitude: ArrayLike, latitude: ArrayLike, year: ArrayLike) -> Array:
    """Return net primary production [g C m-2 yr-1], 90 to 460: leaves, warmth, light and hidden soil."""
    leaves, light = (f(longitude, latitude, year) for f in (lai, srad))
    warmth = np.exp(0.03 * temperature(longitude, latitude, year))
    return 420.0 * (1 - np.exp(-0.7 * leaves)) * warmth * light / 180 * (1 + 0.1 * _wave(longitude, 0.9)) + 30


def soc(longitude: ArrayLike, latitude: ArrayLike, depth: float = 30.0) -> Array:
    """Return soil organic carbon from the surface down to a depth [kg C m-2; cm]."""
    whole = 9.0 + 3 * _wave(latitude, 2.1) + 2 * _wave(longitude, 1.9, 0.3)
    return whole * (1 - np.exp(-depth / 40)) / (1 - np.exp(-100 / 40))


def rs(longitude: ArrayLike, latitude: ArrayLike, year: ArrayLike) -> Array:
    """Return soil respiration [g C m-2 yr-1], 200 to 690."""
    warmth = np.exp(0.06 * temperature(longitude, latitude, year))
    rain = precipitation(longitude, latitude, year)
    return 700.0 * warmth * rain / (rain + 400) * (soc(longitude, latitude, 100.0) / 9) ** 0.25


def rh(longitude: ArrayLike, latitude: ArrayLike, year: ArrayLike) -> Array:
    """Return heterotrophic respiration [g C m-2 yr-1]: 0.54 to 0.66 of the soil's."""
    return rs(longitude, latitude, year) * (0.6 + 0.06 * _wave(latitude, 2.7))


def data_gap(longitude: ArrayLike, latitude: ArrayLike) -> NDArray[np.bool_]:
    """Tell where products have a number for "no value": lakes, and barren ground."""
    return _within(LAKES + BARREN, longitude, latitude)


def lake(longitude: ArrayLike, latitude: ArrayLike) -> NDArray[np.bool_]:
    """Tell where there is water."""
    return _within(LAKES, longitude, latitude)


def _since(year: ArrayLike) -> Array:
    return np.subtract(year, 2000.0)


def _wave(at: ArrayLike, length: float, phase: float = 0.0) -> Array:
    """Return a sine of -1 to 1 with a wavelength, and a phase in waves."""
    return np.sin(2 * np.pi * (np.asarray(at, "float64") / length + phase))


def _within(
    patches: tuple[tuple[float, float, float], ...], longitude: ArrayLike, latitude: ArrayLike
) -> NDArray[np.bool_]:
    """Tell which coordinates lie in one of some round patches."""
    inside = np.zeros(np.broadcast(longitude, latitude).shape, bool)
    for east, north, radius in patches:
        inside |= np.hypot(np.subtract(longitude, east), np.subtract(latitude, north)) < radius
    return inside
