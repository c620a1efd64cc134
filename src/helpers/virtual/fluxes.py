"""The truth of the virtual plateau, and simulated products that show it badly.

The truth (NPP, Rs, Rh) follows published laws of climate, cover and soil, times hidden factors that no predictor
carries: nitrogen, grazing, ground that thaws, what last year left, variety within a valley. The simulated products
follow the laws without the hidden factors, and underestimate sparse vegetation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit, ndtr

from helpers.data.land_cover import WATER
from helpers.virtual.climate import (
    Climate,
    climate,
    cover_value,
    fertility,
    leaf_area,
    lognormal_noise,
    mean_precipitation,
    soil_carbon,
)
from helpers.virtual.geography import REGION, geography
from helpers.virtual.laws import LAWS
from helpers.virtual.noise import gaussian_field

_BARREN = 16
_GRAZED = (6, 7, 8, 9, 10)

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class State(Climate):
    """What a map can show: beside the climate LAI by year, and elevation, land cover and soil carbon by place."""

    elevation: Array
    land_cover: NDArray[np.uint8]
    lai: Array
    soc: Array

    @cached_property
    def potential_npp(self) -> Array:
        """NPP of natural vegetation, of :func:`potential_npp`: both fluxes need it."""
        return potential_npp(self)


@dataclass(frozen=True, eq=False)
class Fluxes:
    """The true NPP, Rs and Rh [g C m-2 yr-1], shape (years, places); NaN on water."""

    npp: Array
    rs: Array
    rh: Array


def state(longitude: ArrayLike, latitude: ArrayLike, years: ArrayLike, seed: int) -> State:
    """Return everything that a map can show at coordinates (see :mod:`helpers.virtual.climate`)."""
    where = (longitude, latitude)
    weather = climate(*where, years, seed)
    cover = geography().land_cover_at(*where)
    return State(
        **vars(weather),
        elevation=geography().elevation_at(*where),
        land_cover=cover,
        lai=leaf_area(cover, weather, *where, seed),
        soc=soil_carbon(cover, *where, seed),
    )


def fluxes(longitude: ArrayLike, latitude: ArrayLike, years: ArrayLike, seed: int) -> Fluxes:
    r"""Return the true carbon fluxes at coordinates.

    .. math::
        \mathrm{NPP} &= \text{visible NPP} \cdot f_\mathrm{N} \, \frac{1 - 0.4\, g}{1 - 0.4 / 2} \,
        f_\mathrm{fine} \, f_\mathrm{legacy} \\
        R_s &= \text{law of Rs}(\mathrm{NPP}) \cdot f_\mathrm{thaw} \\
        R_h &= (0.58\, R_s + 0) \cdot f_\mathrm{scatter}

    Each f is a correlated lognormal factor of mean 1; the grazing pressure g lies between 0 and 1 and acts on
    grassland, shrubland and savanna; :math:`f_\mathrm{thaw}` acts where the ground freezes. The line from Rs to Rh is
    the middle of the range 0.54-0.63 that the global record of Rh:Rs spans (Bond-Lamberty et al. 2018).
    """
    where = (longitude, latitude)
    known = state(*where, years, seed)
    pressure = ndtr(gaussian_field(*where, LAWS.grazing_range, seed, "grazing"))
    npp = (
        visible_npp(known)
        * fertility(*where, seed)
        * _left_by_grazing(known.land_cover, pressure)
        / _left_by_grazing(known.land_cover, 0.5)
        * lognormal_noise(*where, "fine variety", LAWS.fine_sd, LAWS.fine_range, seed)
        * lognormal_noise(*where, "legacy", LAWS.legacy_sd, LAWS.legacy_range, seed, years)
    )
    frozen = LAWS.thaw_sd * expit(-known.temperature)
    rs = visible_rs(known, npp) * lognormal_noise(*where, "thaw", frozen, LAWS.thaw_range, seed)
    scatter = lognormal_noise(*where, "share of heterotrophs", LAWS.rh_sd, LAWS.rh_range, seed)
    return Fluxes(npp, rs, (LAWS.rh_slope * rs + LAWS.rh_intercept) * scatter)


def potential_npp(weather: Climate) -> Array:
    r"""Return the NPP of natural vegetation by climate alone [g C m-2 yr-1]: the Miami model (Lieth 1975).

    .. math:: 0.45 \min\left(\frac{3000}{1 + e^{1.315 - 0.119 T}},\; 3000\,(1 - e^{-0.000664 P})\right)
    """
    warm = LAWS.miami_ceiling * expit(LAWS.miami_temperature_b * weather.temperature - LAWS.miami_temperature_a)
    wet = LAWS.miami_ceiling * (1 - np.exp(-LAWS.miami_precipitation * weather.precipitation))
    return LAWS.carbon_share * np.minimum(warm, wet)


def visible_npp(known: State) -> Array:
    r"""Return the NPP that the maps explain [g C m-2 yr-1]: Miami, times share of the cover, light and mean grazing.

    Production saturates with light: :math:`\frac{S}{S + 50} / \frac{200}{200 + 50}`. Grazed classes lose the mean of
    the grazing loss, half of the greatest.
    """
    light = known.srad / (known.srad + LAWS.light_half)
    reference = LAWS.light_reference / (LAWS.light_reference + LAWS.light_half)
    share = cover_value(known.land_cover, "npp_share") * _left_by_grazing(known.land_cover, 0.5)
    return known.potential_npp * share * light / reference


def _left_by_grazing(cover: ArrayLike, pressure: ArrayLike) -> Array:
    """Return the share of NPP that grazers of a pressure between 0 and 1 leave; all of it where nothing grazes."""
    return 1 - LAWS.grazing_loss * np.asarray(pressure) * np.isin(cover, _GRAZED)


def visible_rs(known: State, npp: Array) -> Array:
    r"""Return soil respiration without the hidden thaw factor [g C m-2 yr-1].

    .. math:: R_s = 365.25 \cdot 1.250\, e^{Q T} I_0(Q A) \, \frac{p}{4.259 + p}
        \left(\frac{C}{6.5}\right)^{0.25} \left(\frac{\mathrm{NPP}}{\mathrm{NPP}_\mathrm{Miami}}\right)^{0.3}

    Raich, Potter and Bhagawati (2002) by temperature T and monthly precipitation p [cm], with Q = 0.05452 K-1. The
    Bessel function :math:`I_0(QA)` is the mean of the exponential over a sinusoidal year of amplitude A. Soil carbon C
    and the supply by plants (Raich and Schlesinger 1992) act as powers.
    """
    season = np.i0(LAWS.rs_temperature * LAWS.seasonal_amplitude)
    rain = known.precipitation / 10 / 12
    rate = LAWS.rs_base * np.exp(LAWS.rs_temperature * known.temperature) * season
    rate = rate * rain / (LAWS.rs_precipitation + rain)
    supply = (npp / known.potential_npp) ** LAWS.rs_supply_power
    return 365.25 * rate * (known.soc / LAWS.rs_soc_reference) ** LAWS.rs_soc_power * supply


class Product(NamedTuple):
    """A simulated product and its faults."""

    long_name: str
    flux: str  # npp or rs
    cell: float  # native cell size, degrees
    loss_sparse: float  # share of the flux that is missed where leaves are absent
    loss_dense: float  # the same under a closed canopy
    noise_sd: float  # lognormal error
    noise_range: float  # its correlation length, km
    gaps: bool  # whether dry barren land is missing


PRODUCTS: Final = {
    "npp_modis": Product("MODIS-like NPP", "npp", 0.3, 0.55, 0.05, 0.15, 200.0, True),
    "npp_casa": Product("CASA-like NPP", "npp", 0.5, 0.65, 0.05, 0.20, 200.0, False),
    "npp_glopem": Product("GLOPEM-like NPP", "npp", 1.0, 0.82, 0.15, 0.25, 300.0, False),
    "rs_qrfm": Product("QRFM-like Rs", "rs", 1.0, 0.08, 0.08, 0.05, 500.0, False),
}
"""The losses are set so that sparse vegetation of the plateau (LAI below 0.5) loses 30-70 % of its NPP, and the
plateau a few percent of its Rs, as Zeng et al. 2023 report of the products that these imitate."""

_POINTS_PER_CELL = 2
_GAP_PRECIPITATION = 100.0


@dataclass(frozen=True, eq=False)
class Native:
    """A field on the cells of its own product: some hundred times fewer than the cells of 1 km that read them."""

    values: Array  #: shape (n_years, rows, columns).
    cell: float  #: Size of the cells, degrees.
    rows: NDArray[np.intp]  #: Their numbers from the south, ascending.
    columns: NDArray[np.intp]  #: Their numbers from the west, ascending.

    def at(self, longitude: ArrayLike, latitude: ArrayLike) -> Array:
        """Return the values of the cells that the axes of a grid lie in, shape (n_years, ny, nx)."""
        columns = np.searchsorted(self.columns, _cell_numbers(longitude, REGION[0], self.cell))
        rows = np.searchsorted(self.rows, _cell_numbers(latitude, REGION[1], self.cell))
        return self.values[:, rows[:, None], columns[None, :]]


def product(name: str, longitude: ArrayLike, latitude: ArrayLike, years: ArrayLike, seed: int) -> Array:
    r"""Return a simulated product of :data:`PRODUCTS` on a grid, by its nearest native cell [g C m-2 yr-1].

    Axes are those of :func:`native_product`; the product has the shape (n_years, ny, nx).
    """
    return native_product(name, longitude, latitude, years, seed).at(longitude, latitude)


def native_product(name: str, longitude: ArrayLike, latitude: ArrayLike, years: ArrayLike, seed: int) -> Native:
    r"""Return a simulated product of :data:`PRODUCTS` on the native cells that a grid needs [g C m-2 yr-1].

    A native cell holds the mean of 2 by 2 points of what the maps explain (:func:`visible_npp`, :func:`visible_rs`),
    times :math:`1 - u` with the loss
    :math:`u = u_\mathrm{dense} + (u_\mathrm{sparse} - u_\mathrm{dense}) e^{-\mathrm{LAI}}` at each point, times the
    product's correlated error. Cells of water only are missing. Where ``gaps`` is set, cells that are mostly barren and
    have less than 100 mm yr-1 are missing, as MOD17 leaves barren land out. `longitude` and `latitude` are the axes of
    the grid, shapes (nx,) and (ny,).
    """
    made = PRODUCTS[name]
    columns, native_x, points_x = _native(longitude, REGION[0], made.cell)
    rows, native_y, points_y = _native(latitude, REGION[1], made.cell)
    where = (np.clip(points_x, REGION[0], REGION[2])[None, :], np.clip(points_y, REGION[1], REGION[3])[:, None])
    known = state(*where, years, seed)
    flux = visible_npp(known)
    if made.flux == "rs":
        flux = visible_rs(known, flux)
    loss = made.loss_dense + (made.loss_sparse - made.loss_dense) * np.exp(-known.lai)
    native = _mean_of_points(flux * (1 - loss))
    if made.gaps:
        barren = _mean_of_points((known.land_cover == _BARREN)[None].astype(float))
        dry = _mean_of_points(mean_precipitation(*where)[None]) < _GAP_PRECIPITATION
        native = np.where((barren > 0.5) & dry, np.nan, native)
    middle = (np.clip(native_x, REGION[0], REGION[2])[None, :], np.clip(native_y, REGION[1], REGION[3])[:, None])
    error = lognormal_noise(*middle, f"error of {name}", made.noise_sd, made.noise_range, seed)
    return Native(native * error, made.cell, rows, columns)


MAP_CELLS: Final = MappingProxyType({"precipitation": 0.1, "temperature": 0.1, "srad": 0.1, "lai": 1 / 12})
"""Cell sizes [degrees] of the products that a yearly covariate is read from: as in Zeng et al. 2023, climate of
0.1 degree, and leaf area of 8 km, here 1/12 degree."""


def native_covariates(
    longitude: ArrayLike, latitude: ArrayLike, years: ArrayLike, seed: int, resolution: float
) -> dict[str, Native]:
    """Return the covariates that come from a product of larger cells than the grid's, on the cells of the product.

    Axes and resolution are those of :func:`covariates`, whose tiles may share them.
    """
    found = {"npp_modis": native_product("npp_modis", longitude, latitude, years, seed)}
    for cell in {cell for cell in MAP_CELLS.values() if cell > resolution}:
        columns, x, _ = _native(longitude, REGION[0], cell)
        rows, y, _ = _native(latitude, REGION[1], cell)
        known = state(x[None, :], y[:, None], years, seed)
        for name in (name for name, own in MAP_CELLS.items() if own == cell):
            found[name] = Native(getattr(known, name), cell, rows, columns)
    return found


def covariates(
    longitude: ArrayLike,
    latitude: ArrayLike,
    years: ArrayLike,
    seed: int,
    resolution: float,
    native: Mapping[str, Native] | None = None,
) -> dict[str, Array]:
    """Return the covariates of a grid, as the products of :data:`MAP_CELLS` show them.

    On a grid finer than its product, a covariate is that of the product's cell that the grid's cell lies in: the value
    at that cell's centre. On other grids, and without a product, it is the value at the cell itself. Leaf area is
    missing on water, by the land cover of either cell. Axes are those of :func:`native_product`, and the resolution is
    the grid's [degrees]. Names and units are those of :mod:`helpers.data.cube`; the shape is (n_years, ny, nx), or
    (ny, nx) for land cover, elevation and soil carbon. ``native`` are the :func:`native_covariates` of a grid that this
    one is a tile of; without them they are made here.
    """
    longitude, latitude = np.asarray(longitude, float), np.asarray(latitude, float)
    where = (longitude[None, :], latitude[:, None])
    cover = geography().land_cover_at(*where)
    if native is None:
        native = native_covariates(longitude, latitude, years, seed, resolution)
    fields = {name: field.at(longitude, latitude) for name, field in native.items()}
    others = MAP_CELLS.keys() - native.keys()
    if others:
        known = state(*where, years, seed)
        fields |= {name: getattr(known, name) for name in others}
    fields["lai"] = np.where(cover == WATER, np.nan, fields["lai"])
    ground = {"land_cover": cover, "elevation": geography().elevation_at(*where)}
    return fields | ground | {"soc": soil_carbon(cover, *where, seed)}


def _cell_numbers(axis: ArrayLike, origin: float, cell: float) -> NDArray[np.intp]:
    """Return the number of the native cell that each coordinate of an axis lies in, from the origin."""
    return np.floor((np.asarray(axis, float) - origin) / cell).astype(int)


def _native(axis: ArrayLike, origin: float, cell: float) -> tuple[NDArray[np.intp], Array, Array]:
    """Return for an axis: the numbers of the native cells that it needs, their centres, the points within them."""
    numbers = np.unique(_cell_numbers(axis, origin, cell))
    centres = origin + (numbers + 0.5) * cell
    within = ((np.arange(_POINTS_PER_CELL) + 0.5) / _POINTS_PER_CELL - 0.5) * cell
    return numbers, centres, (centres[:, None] + within).ravel()


def _mean_of_points(field: Array) -> Array:
    """Return the mean over the points of each native cell that have a value; NaN where none has."""
    n_years, ny, nx = field.shape
    blocks = field.reshape(n_years, ny // _POINTS_PER_CELL, _POINTS_PER_CELL, nx // _POINTS_PER_CELL, _POINTS_PER_CELL)
    valid = np.isfinite(blocks)
    count = valid.sum(axis=(2, 4))
    total = np.where(valid, blocks, 0).sum(axis=(2, 4))
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)
