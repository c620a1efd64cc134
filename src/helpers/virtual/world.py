"""The virtual plateau: a simulated ecosystem on real ground, whose truth is known.

It tests the method: does it find a truth that we know? It is no evidence about the Qinghai-Tibet Plateau.

Every field is a function of coordinates, years and seed. The truth of a cell is the value at its centre, so a world may
be made whole or block by block, at any resolution, from the same fields. A world too large for memory is made tile by
tile (:mod:`helpers.virtual.tiles`), when it is written or asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr
from numpy.typing import NDArray

from helpers.config import RS_PREDICTORS, Settings
from helpers.data.grid import cell_area, target_grid
from helpers.data.land_cover import IGBP_FLAGS
from helpers.data.region import mask_from_polygon
from helpers.data.variables import VARIABLES, described
from helpers.virtual.fieldwork import field_work, plant_faults, rs_rh_pairs
from helpers.virtual.fluxes import PRODUCTS, Native, covariates, fluxes, native_covariates, native_product
from helpers.virtual.geography import plateau_outline, refuse_outside
from helpers.virtual.laws import law_attributes
from helpers.virtual.tiles import TILE, by_tiles

#: The attribute ``simulated`` of every array of the virtual world.
SIMULATED = "simulated: the virtual plateau"

LARGEST_WHOLE = 10_000_000
"""Cells times years above which :func:`virtual_fields` makes its fields tile by tile. In 19 years, China at 0.1 degree
has 4.3 million, and needs 1 GB whole; the plateau at 0.01 degree has 85 million."""

_OFF_PLATEAU = {"npp": 3, "rs": 5}

# What the covariates are here, where the same predictor is another quantity in the real world.
_LONG_NAMES = {
    "lai": "leaf area index, mean of the year",
    "npp_modis": "MODIS-like net primary productivity as carbon",
    "soc": "soil organic carbon stock, 0-100 cm",
}


class Fields(NamedTuple):
    """The fields of a virtual world on its grid."""

    cube: xr.Dataset
    truth: xr.Dataset
    products: xr.Dataset


def virtual_fields(settings: Settings) -> Fields:
    """Return the fields of the virtual world of the settings: the same for the same settings, others for another seed.

    A world of more than :data:`LARGEST_WHOLE` cells times years is not made here: its fields are dask-backed, in single
    precision, and made tile by tile when they are written or computed. A dataset that is written as a whole makes each
    of its tiles once. The function raises a DataError if the box reaches beyond 73-136 E, 18-54 N.
    """
    grid = target_grid(settings.west, settings.south, settings.east, settings.north, settings.resolution)
    refuse_outside(*_axes(grid))
    years = range(settings.first_year, settings.last_year + 1)
    where = (grid, years, settings.seed)
    if grid["latitude"].size * grid["longitude"].size * len(years) <= LARGEST_WHOLE:
        return Fields(virtual_cube(*where), virtual_truth(*where), virtual_products(*where))
    # What has larger cells than the grid is made at once, and so is the ground, which has no years.
    axes = (*_axes(grid), years, settings.seed)
    shown = partial(_covariates, native=native_covariates(*axes, settings.resolution))
    cube = _on_ground(by_tiles(shown, *where), grid).chunk(TILE)
    products = by_tiles(partial(_products, native=_native_products(*axes)), *where)
    return Fields(cube, by_tiles(virtual_truth, *where), products)


def virtual_cube(grid: xr.Dataset, years: Sequence[int], seed: int) -> xr.Dataset:
    """Return the covariates on a grid, or on one block of it with at least two rows and two columns.

    They are float32, in the names and units of :mod:`helpers.data.cube`, each by the nearest cell of its product
    (:func:`helpers.virtual.fluxes.covariates`); leaf area and soil carbon are missing on water, ``npp_modis`` also on
    dry barren land. Also ``plateau`` and ``cell_area`` [km2].
    """
    return _on_ground(_covariates(grid, years, seed), grid)


def virtual_truth(grid: xr.Dataset, years: Sequence[int], seed: int) -> xr.Dataset:
    """Return the true yearly ``npp``, ``rs``, ``rh``, ``nep`` [g C m-2 yr-1] on a grid or a block; missing on water.

    The laws' parameters are attributes ``law_*``.
    """
    longitude, latitude = _axes(grid)
    true = fluxes(longitude[None, :], latitude[:, None], years, seed)
    fields = {"npp": true.npp, "rs": true.rs, "rh": true.rh, "nep": true.npp - true.rh}
    arrays = {
        name: _labelled(values, name, grid, years, long_name=f"true {VARIABLES[name].long_name}")
        for name, values in fields.items()
    }
    return xr.Dataset(arrays, attrs={"simulated": SIMULATED, "seed": seed} | law_attributes())


def virtual_products(grid: xr.Dataset, years: Sequence[int], seed: int) -> xr.Dataset:
    """Return the simulated products [g C m-2 yr-1] on a grid or a block, each the nearest cell of its own coarser grid.

    Their faults are those of :data:`helpers.virtual.fluxes.PRODUCTS`.
    """
    return _products(grid, years, seed, _native_products(*_axes(grid), years, seed))


def observe(settings: Settings) -> tuple[dict[str, pd.DataFrame], pd.DataFrame]:
    """Return the observation tables and the faults that were planted in them.

    Without the planted faults exactly ``npp_sites`` and ``rs_sites`` records are left on the plateau, with three (NPP)
    and five (Rs) times as many on the rest of the land. The tables ``npp`` and ``rs`` are in the schema of
    :mod:`helpers.sites.schema`, with planted faults; ``rs_rh`` holds pairs. Faults are listed as by
    :func:`helpers.virtual.fieldwork.plant_faults`.
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


def _native_products(*where: object) -> dict[str, Native]:
    """Return the products of a grid on their own cells."""
    return {name: native_product(name, *where) for name in PRODUCTS}


def _products(grid: xr.Dataset, years: Sequence[int], seed: int, native: Mapping[str, Native]) -> xr.Dataset:
    """Return products on a grid or a block; the seed was spent on their own cells."""
    products = {}
    for name, made in PRODUCTS.items():
        values = native[name].at(*_axes(grid)).astype(np.float32)
        attributes = {"long_name": f"{made.long_name} as carbon", "native_resolution": made.cell}
        products[name] = _labelled(values, made.flux, grid, years, **attributes)
    return xr.Dataset(products)


def _covariates(
    grid: xr.Dataset, years: Sequence[int], seed: int, native: Mapping[str, Native] | None = None
) -> xr.Dataset:
    """Return the covariates alone, on a grid or a block of any size."""
    fields = covariates(*_axes(grid), years, seed, grid.attrs["resolution"], native)
    arrays = {}
    for name in RS_PREDICTORS:
        attributes = {"long_name": _LONG_NAMES[name]} if name in _LONG_NAMES else {}
        arrays[name] = _labelled(fields[name].astype(np.float32), name, grid, years, **attributes)
    arrays["land_cover"].attrs |= IGBP_FLAGS
    return xr.Dataset(arrays, attrs=dict(grid.attrs) | {"simulated": SIMULATED, "seed": seed})


def _on_ground(layers: xr.Dataset, grid: xr.Dataset) -> xr.Dataset:
    """Return the covariates with the plateau, the areas of the cells, and the CRS."""
    ground = (mask_from_polygon(plateau_outline(), grid), cell_area(grid["latitude"], grid["longitude"]))
    cube = layers.assign({field.name: field.assign_attrs(simulated=SIMULATED) for field in ground})
    return cube.rio.write_crs("EPSG:4326")


def _axes(grid: xr.Dataset) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return grid["longitude"].to_numpy(), grid["latitude"].to_numpy()


def _labelled(
    values: NDArray, variable: str, grid: xr.Dataset, years: Sequence[int], **attributes: object
) -> xr.DataArray:
    """Return values (years, latitude, longitude) or (latitude, longitude) as a variable with its coordinates."""
    coords = {axis: grid[axis].drop_vars("spatial_ref", errors="ignore") for axis in ("latitude", "longitude")}
    if values.ndim == 3:
        coords = {"time": pd.DatetimeIndex([f"{year}-01-01" for year in years], name="time")} | coords
    source = "virtual_geography" if variable in ("elevation", "land_cover") else "virtual"
    field = xr.DataArray(values, coords, list(coords))
    return described(field, variable, source=source, simulated=SIMULATED, **attributes)
