"""The virtual plateau: a simulated ecosystem on real ground, whose truth is known.

It tests the method: does it find a truth that we know? It is no evidence about the Qinghai-Tibet Plateau. The parts:

- :mod:`helpers.virtual.geography`: elevation, land cover and outline (real);
- :mod:`helpers.virtual.noise`: random fields that every grid and block sees alike;
- :mod:`helpers.virtual.laws`: all parameters, with their sources;
- :mod:`helpers.virtual.climate`: climate, leaf area, soil carbon;
- :mod:`helpers.virtual.fluxes`: the true NPP, Rs and Rh, and the simulated products;
- :mod:`helpers.virtual.fieldwork`: plots, records, planted faults;
- :mod:`helpers.virtual.tiles`: a world of 1 km, tile by tile.

Every field is a function of coordinates, years and seed. The truth of a cell is the value at its centre, so a world may
be made whole or block by block, at any resolution, from the same fields. A world too large for memory is made tile by
tile (:mod:`helpers.virtual.tiles`), when it is written or asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import shapely
import xarray as xr
from numpy.typing import NDArray

from helpers.config import Settings
from helpers.data.grid import cell_area, target_grid
from helpers.data.region import mask_from_polygon
from helpers.virtual.fieldwork import field_work, plant_faults, rs_rh_pairs
from helpers.virtual.fluxes import PRODUCTS, covariates, fluxes, product
from helpers.virtual.geography import plateau_outline
from helpers.virtual.laws import COVER_LAWS, law_attributes
from helpers.virtual.tiles import TILE, by_tiles

SIMULATED = "simulated: the virtual plateau"
"""The attribute ``simulated`` of every array of the virtual world."""

LARGEST_WHOLE = 10_000_000
"""Cells times years above which :func:`world` makes its fields tile by tile. In 19 years, China at 0.1 degree has 4.3
million, and needs 1 GB whole; the plateau at 0.01 degree has 85 million."""

_OFF_PLATEAU = {"npp": 3, "rs": 5}


class _Meta(NamedTuple):
    units: str
    long_name: str
    standard_name: str | None


_CARBON = "g m-2 yr-1"
_META = {
    "precipitation": _Meta("mm yr-1", "annual precipitation", "lwe_precipitation_rate"),
    "temperature": _Meta("degC", "mean annual air temperature", "air_temperature"),
    "srad": _Meta("W m-2", "mean downward shortwave radiation", "surface_downwelling_shortwave_flux_in_air"),
    "land_cover": _Meta("1", "land cover, IGBP class", "area_type"),
    "elevation": _Meta("m", "elevation above sea level", "surface_altitude"),
    "lai": _Meta("1", "leaf area index, mean of the year", "leaf_area_index"),
    "npp_modis": _Meta(_CARBON, "MODIS-like net primary productivity as carbon", None),
    "soc": _Meta("kg m-2", "soil organic carbon stock, 0-100 cm", "soil_mass_content_of_carbon"),
    "npp": _Meta(_CARBON, "true net primary productivity as carbon", None),
    "rs": _Meta(_CARBON, "true soil respiration as carbon", None),
    "rh": _Meta(_CARBON, "true heterotrophic respiration as carbon", None),
    "nep": _Meta(_CARBON, "true net ecosystem productivity as carbon", None),
}


@dataclass(frozen=True, eq=False)
class VirtualWorld:
    """The virtual world of one seed; above :data:`LARGEST_WHOLE` cells and years its arrays are dask-backed.

    Attributes
    ----------
    cube : xarray.Dataset
        The covariates of the forests on the target grid, with ``plateau`` and ``cell_area`` [km2].
    truth : xarray.Dataset
        Yearly ``npp``, ``rs``, ``rh`` and ``nep`` [g C m-2 yr-1]; parameters as attributes ``law_*``.
    products : dict of str to xarray.DataArray
        Yearly ``npp_modis``, ``npp_casa``, ``npp_glopem``, ``rs_qrfm`` [g C m-2 yr-1].
    observations : dict of str to pandas.DataFrame
        ``npp`` and ``rs`` in the schema of :mod:`helpers.sites.quality`, with planted faults; ``rs_rh``: pairs.
    faults : pandas.DataFrame
        What was planted: variable, row (label in that variable's table), site, kind.
    boundary : shapely.Polygon
        The plateau outline, EPSG:4326.
    """

    cube: xr.Dataset
    truth: xr.Dataset
    products: dict[str, xr.DataArray]
    observations: dict[str, pd.DataFrame]
    faults: pd.DataFrame
    boundary: shapely.Polygon


def world(settings: Settings) -> VirtualWorld:
    """Return the virtual world of the settings: same settings, same world; another seed, another world.

    A world of more than :data:`LARGEST_WHOLE` cells times years is not made here: its fields are dask-backed, in single
    precision, and made tile by tile when they are written or computed. A dataset that is written as a whole makes each
    of its tiles once.

    Parameters
    ----------
    settings : Settings
        Box and resolution of the grid, years, seed, sampling design, number of sites.

    Returns
    -------
    VirtualWorld

    Raises
    ------
    ValueError
        If the box reaches beyond 73-136 E, 18-54 N.
    """
    grid = target_grid(settings.west, settings.south, settings.east, settings.north, settings.resolution)
    years = range(settings.first_year, settings.last_year + 1)
    observations, faults = observe(settings)
    fields = _whole if grid["latitude"].size * grid["longitude"].size * len(years) <= LARGEST_WHOLE else _tiled
    cube, truth, products = fields(grid, years, settings.seed)
    return VirtualWorld(
        cube=cube,
        truth=truth,
        products=products,
        observations=observations,
        faults=faults,
        boundary=plateau_outline(),
    )


def _whole(grid: xr.Dataset, years: Sequence[int], seed: int) -> tuple[xr.Dataset, xr.Dataset, dict[str, xr.DataArray]]:
    """Return cube, truth and products in memory."""
    return virtual_cube(grid, years, seed), virtual_truth(grid, years, seed), virtual_products(grid, years, seed)


def _tiled(grid: xr.Dataset, years: Sequence[int], seed: int) -> tuple[xr.Dataset, xr.Dataset, dict[str, xr.DataArray]]:
    """Return cube, truth and products dask-backed; the ground, which has no years, is made at once."""
    cube = _on_ground(by_tiles(_covariates, grid, years, seed), grid).chunk(TILE)
    products = by_tiles(_products, grid, years, seed)
    return cube, by_tiles(virtual_truth, grid, years, seed), dict(products.data_vars)


def virtual_cube(grid: xr.Dataset, years: Sequence[int], seed: int) -> xr.Dataset:
    """Return the covariates on a grid, or on one block of it.

    Parameters
    ----------
    grid : xarray.Dataset
        As :func:`helpers.data.grid.target_grid` returns, or a part of it with at least two rows and two columns.
    years : sequence of int
        Years.
    seed : int
        The seed of the world.

    Returns
    -------
    xarray.Dataset
        float32 covariates in the names and units of :mod:`helpers.data.cube`, each by the nearest cell of its product
        (:func:`helpers.virtual.fluxes.covariates`); leaf area and soil carbon are missing on water, ``npp_modis`` also
        on dry barren land.
    """
    return _on_ground(_covariates(grid, years, seed), grid)


def _covariates(grid: xr.Dataset, years: Sequence[int], seed: int) -> xr.Dataset:
    """Return the covariates alone, on a grid or a block of any size."""
    fields = covariates(*_axes(grid), years, seed, grid.attrs["resolution"])
    arrays = {name: _labelled(name, fields[name].astype(np.float32), grid, years) for name in _META if name in fields}
    arrays["land_cover"].attrs["flag_values"] = [*COVER_LAWS, 17]
    arrays["land_cover"].attrs["flag_meanings"] = " ".join(
        name.replace(" ", "_") for name in [*(law[0] for law in COVER_LAWS.values()), "water"]
    )
    return xr.Dataset(arrays, attrs=dict(grid.attrs) | {"simulated": SIMULATED, "seed": seed})


def _on_ground(layers: xr.Dataset, grid: xr.Dataset) -> xr.Dataset:
    """Return the covariates with the plateau, the areas of the cells, and the CRS."""
    ground = {
        "plateau": mask_from_polygon(plateau_outline(), grid),
        "cell_area": cell_area(grid["latitude"], grid["longitude"]),
    }
    ground = {name: field.assign_attrs(simulated=SIMULATED) for name, field in ground.items()}
    return layers.assign(ground).rio.write_crs("EPSG:4326")


def virtual_truth(grid: xr.Dataset, years: Sequence[int], seed: int) -> xr.Dataset:
    """Return the true yearly ``npp``, ``rs``, ``rh``, ``nep`` [g C m-2 yr-1] on a grid or a block; missing on water.

    Parameters are those of :func:`virtual_cube`.
    """
    longitude, latitude = _axes(grid)
    true = fluxes(longitude[None, :], latitude[:, None], years, seed)
    fields = {"npp": true.npp, "rs": true.rs, "rh": true.rh, "nep": true.npp - true.rh}
    arrays = {name: _labelled(name, values, grid, years) for name, values in fields.items()}
    return xr.Dataset(arrays, attrs={"simulated": SIMULATED, "seed": seed} | law_attributes())


def virtual_products(grid: xr.Dataset, years: Sequence[int], seed: int) -> dict[str, xr.DataArray]:
    """Return the simulated products on a grid or a block, each the nearest cell of its own coarser grid.

    Parameters are those of :func:`virtual_cube`; the faults are those of :data:`helpers.virtual.fluxes.PRODUCTS`.
    """
    products = {}
    for name, made in PRODUCTS.items():
        values = product(name, *_axes(grid), years, seed).astype(np.float32)
        attributes = {"long_name": f"{made.long_name} as carbon", "units": _CARBON, "native_resolution": made.cell}
        products[name] = _labelled(name, values, grid, years, attributes)
    return products


def _products(grid: xr.Dataset, years: Sequence[int], seed: int) -> xr.Dataset:
    return xr.Dataset(virtual_products(grid, years, seed))


def observe(settings: Settings) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Return the observation tables and the faults that were planted in them.

    After quality control exactly ``npp_sites`` and ``rs_sites`` records are left on the plateau, with three (NPP)
    and five (Rs) times as many on the rest of the land.

    Parameters
    ----------
    settings : Settings
        Sampling design, number of sites, years, seed.

    Returns
    -------
    observations : dict of str to pandas.DataFrame
        ``npp``, ``rs`` and the pairs ``rs_rh``, as in :class:`VirtualWorld`.
    faults : pandas.DataFrame
        Columns variable, row, site, kind.
    """
    years = np.arange(settings.first_year, settings.last_year + 1)
    observations, faults = {}, []
    for variable, number in (("npp", settings.npp_sites), ("rs", settings.rs_sites)):
        campaigns = ((True, number), (False, _OFF_PLATEAU[variable] * number))
        good = pd.concat(
            [field_work(variable, side, n, settings.sampling_design, years, settings.seed) for side, n in campaigns],
            ignore_index=True,
        )
        if variable == "rs":
            observations["rs_rh"] = rs_rh_pairs(good, settings.seed)
            good = good.drop(columns="rh")
        observations[variable], planted = plant_faults(good, settings.seed)
        faults.append(planted)
    return observations, pd.concat(faults, ignore_index=True)


def true_budget(virtual: VirtualWorld) -> pd.DataFrame:
    """Return the true budget of the plateau, computed without :mod:`helpers.balance.carbon`.

    Plain sums over the cells of the plateau that are land: what any estimate from this world is to be held against.

    Parameters
    ----------
    virtual : VirtualWorld
        The world.

    Returns
    -------
    pandas.DataFrame
        Index npp, rs, rh, nep; columns ``mean_gC_m2_yr``, ``total_TgC_yr``, ``valid_area_Mkm2`` (over all years) and
        ``trend_gC_m2_yr2`` (slope of the yearly means by least squares; missing for a single year).
    """
    plateau = virtual.cube["plateau"].to_numpy()
    years = virtual.truth["time"].dt.year.to_numpy().astype(float)
    rows = {}
    for name in ("npp", "rs", "rh", "nep"):
        field = virtual.truth[name].to_numpy()
        area = np.where(plateau & np.isfinite(field).all(axis=0), virtual.cube["cell_area"].to_numpy(), 0.0)
        yearly = (np.nan_to_num(field) * area).sum(axis=(1, 2)) / area.sum()
        # 1 g m-2 over 1 km2 is 1e6 g = 1e-6 Tg.
        total = yearly.mean() * area.sum() * 1e-6
        rows[name] = (yearly.mean(), total, area.sum() * 1e-6, _slope(years, yearly))
    columns = ["mean_gC_m2_yr", "total_TgC_yr", "valid_area_Mkm2", "trend_gC_m2_yr2"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _slope(years: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    deviation = years - years.mean()
    return float((deviation * values).sum() / (deviation**2).sum()) if years.size > 1 else float("nan")


def _axes(grid: xr.Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return grid["longitude"].to_numpy(), grid["latitude"].to_numpy()


def _labelled(
    name: str, values: NDArray, grid: xr.Dataset, years: Sequence[int], attributes: dict[str, object] | None = None
) -> xr.DataArray:
    """Return values (years, latitude, longitude) or (latitude, longitude) with coordinates and attributes."""
    if attributes is None:
        attributes = {key: value for key, value in _META[name]._asdict().items() if value is not None}
    coords = {axis: grid[axis].drop_vars("spatial_ref", errors="ignore") for axis in ("latitude", "longitude")}
    if values.ndim == 3:
        coords = {"time": pd.DatetimeIndex([f"{year}-01-01" for year in years], name="time")} | coords
    source = "virtual_geography" if name in ("elevation", "land_cover") else "virtual"
    return xr.DataArray(values, coords, list(coords), name, attributes | {"source": source, "simulated": SIMULATED})
