"""The covariates: on the target grid, and at the sites."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from helpers.data import derived
from helpers.data.grid import bounds, cell_area, resample_nearest
from helpers.data.readers import open_source
from helpers.data.region import PAPER_BOX, in_box
from helpers.data.variables import VARIABLES
from helpers.errors import DataError

NPP_PREDICTORS = ("precipitation", "temperature", "srad", "land_cover", "elevation", "lai", "npp_modis")
RS_PREDICTORS = (*NPP_PREDICTORS, "soc")


def check_bounds(cube: xr.Dataset) -> None:
    """Refuse a cube with a covariate outside its plausible range, which tells of a mistake in units.

    The range is that in :data:`helpers.data.variables.VARIABLES`; only variables of ``RS_PREDICTORS`` are checked. The
    DataError names the variable, the range found and expected, and the first cell that is outside.
    """
    for name in RS_PREDICTORS:
        if name not in cube:
            continue
        field, expected = cube[name], VARIABLES[name]
        values = field.values
        outside = (values < expected.low) | (values > expected.high)
        if outside.any():
            first = dict(zip(field.dims, (int(index[0]) for index in np.nonzero(outside)), strict=True))
            where = ", ".join(f"{dim} {_readable(field[dim].values[index])}" for dim, index in first.items())
            raise DataError(
                f"{name}: {int(outside.sum())} of {values.size} values lie outside {expected.low:g} to "
                f"{expected.high:g} {expected.units} (found {np.nanmin(values):g} to {np.nanmax(values):g}); "
                f"the first at {where}. Check units?"
            )


def assemble(layers: dict[str, xr.DataArray], grid: xr.Dataset, plateau: xr.DataArray) -> xr.Dataset:
    """Put covariates together as one checked cube.

    There is one layer for each of ``RS_PREDICTORS``, on the grid; those that change in time have the dimension time.
    `plateau` is True on the plateau. The cube has the covariates in single precision, ``plateau`` and ``cell_area``
    [km2], with dimensions in the order time, latitude, longitude. A missing value stays missing. DataError is raised if
    a layer is missing, unknown, not on the grid, or outside its physical range.
    """
    missing, unknown = sorted(set(RS_PREDICTORS) - set(layers)), sorted(set(layers) - set(RS_PREDICTORS))
    if missing or unknown:
        raise DataError(
            f"a cube has the layers {', '.join(RS_PREDICTORS)}; missing: {', '.join(missing) or 'none'}; "
            f"unknown: {', '.join(unknown) or 'none'}"
        )
    _refuse_misplaced({**layers, "plateau": plateau}, grid)
    fields = {
        name: layers[name]
        .astype("float32")
        .drop_vars("month", errors="ignore")
        .transpose("time", "latitude", "longitude", missing_dims="ignore")
        for name in RS_PREDICTORS
    }
    fields["plateau"] = plateau.astype(bool)
    fields["cell_area"] = cell_area(grid["latitude"], grid["longitude"])
    # Exactly the grid's coordinates: rounding must not separate the cells of two layers.
    axes = {"latitude": grid["latitude"], "longitude": grid["longitude"]}
    fields = {name: field.drop_vars("spatial_ref", errors="ignore") for name, field in fields.items()}
    cube = xr.Dataset({name: field.assign_coords(axes) for name, field in fields.items()}, attrs=dict(grid.attrs))
    check_bounds(cube)
    return cube.rio.write_crs("EPSG:4326")


def sample(cube: xr.Dataset, sites: pd.DataFrame, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Look up the covariates, or other names, at sites, in the cell that each site lies in.

    The sites have ``longitude``, ``latitude`` [degrees] and, if covariates change in time, ``year`` (NaN: unknown). The
    result has a column for each name, with the sites' index. A yearly covariate is that of the site's year, or of the
    nearest year that the cube has; the mean over the years where the year is unknown. NaN where the cube has no data. A
    DataError names rows: a column or a coordinate is missing, or a site lies outside the cube.
    """
    absent = [column for column in ("longitude", "latitude") if column not in sites]
    if absent:
        raise DataError(f"sites: column {', '.join(absent)} is missing; it has {', '.join(map(str, sites.columns))}")
    place = sites[["longitude", "latitude"]].astype("float64")
    unknown = place.index[place.isna().any(axis=1)]
    if len(unknown):
        raise DataError(f"sites: row {_rows(unknown)}: longitude or latitude is missing; leave such sites out")
    _refuse_outside(cube, place)
    names = [name for name in RS_PREDICTORS if name in cube] if names is None else list(names)
    at = {axis: xr.DataArray(place[axis].to_numpy(), dims="site") for axis in place}
    found = cube[names].sel(at, method="nearest").load()
    year = sites["year"].to_numpy("float64") if "year" in sites else np.full(len(sites), np.nan)
    return pd.DataFrame({name: _in_year(found[name], year) for name in names}, index=sites.index)


#: Lowest elevation of the plateau, m, by the values of the parameter ``plateau_mask`` that are not ``boundary``.
_LOWEST: Mapping[str, float] = {"above_2500m": 2500.0, "above_3000m": 3000.0}


def replace_plateau(cube: xr.Dataset, mask: str) -> xr.Dataset:
    """Return a cube whose plateau is the one inside the boundary, or all high land of the paper's box.

    The mask ``boundary`` leaves the cube as it is. ``above_2500m`` and ``above_3000m`` take the cells of
    :data:`helpers.data.region.PAPER_BOX` at that elevation or higher, wherever the boundary runs. The function raises a
    DataError if there is no such mask.
    """
    if mask == "boundary":
        return cube
    if mask not in _LOWEST:
        raise DataError(f"plateau_mask is {mask!r}; expected one of boundary, {', '.join(_LOWEST)}")
    high = (cube["elevation"] >= _LOWEST[mask]) & in_box(PAPER_BOX, cube["longitude"], cube["latitude"])
    return cube.assign(plateau=high.transpose(*cube["plateau"].dims).assign_attrs(cube["plateau"].attrs))


def open_cube(grid: xr.Dataset, plateau: xr.DataArray, soc_depth: int = 30) -> xr.Dataset:
    """Build the cube of the ``open`` configuration from the catalogue, with soil carbon to a depth of 30 or 100 cm.

    It is as :func:`assemble` returns it: a climatology with a single time step, 2010-01-01, and no time on the static
    covariates land cover, elevation and soil carbon. Each product is of its own years: see the attribute
    ``climatology``. Every product is resampled to the nearest cell, as in the paper.
    """

    def layer(key: str) -> xr.DataArray:
        """Return a product on the grid."""
        return resample_nearest(open_source(key), grid)

    yearly = {
        "precipitation": layer("worldclim_precipitation"),
        "temperature": layer("worldclim_temperature"),
        "srad": layer("sse_srad"),
        "lai": derived.lai_from_fapar(layer("fapar_max")),
        "npp_modis": derived.npp_from_psnnet(layer("psnnet_2015")),
    }
    static = {"land_cover": layer("land_cover"), "elevation": layer("elevation"), "soc": layer(f"soc_0_{soc_depth}cm")}
    step = pd.DatetimeIndex(["2010-01-01"], name="time")
    cube = assemble({name: field.expand_dims(time=step) for name, field in yearly.items()} | static, grid, plateau)
    cube.attrs["climatology"] = (
        "one step for all years: temperature and precipitation 1970-2000, shortwave 1983-2005, land cover 2019, "
        "leaf area mean yearly maximum, npp_modis 2015, soil carbon 2010"
    )
    return cube


def open_products(grid: xr.Dataset) -> xr.Dataset:
    """Return the products that the ``open`` configuration is compared with, on the target grid [g C m-2 yr-1].

    They are ``npp_casa_cnp``, ``npp_miami``, ``rh_casa_cnp``, ``rh_mimics``, ``rh_corpse`` and ``rs_raich``.
    """
    casa, monthly = open_source("casa_cnp"), open_source("biome4_climate")
    fields = {
        "npp_casa_cnp": casa["npp"],
        "npp_miami": derived.miami_npp(open_source("worldclim_precipitation"), open_source("worldclim_temperature")),
        "rh_casa_cnp": casa["rh"],
        "rh_mimics": open_source("mimics"),
        "rh_corpse": open_source("corpse"),
        "rs_raich": derived.raich_rs(monthly["precipitation"], monthly["temperature"]),
    }
    return xr.Dataset({name: resample_nearest(field, grid).rename(name) for name, field in fields.items()})


SAMPLE_CELLS = 30_000
"""Cells of the plateau that stand for all where each cell would only repeat its neighbours: folds, intervals, draws.
The plateau has 25,000 cells of 0.1 degree and 2.5 million of 0.01 degree."""


def thinned(cube: xr.Dataset, most: int = SAMPLE_CELLS) -> xr.Dataset:
    """Return a systematic sample of the cells: every k-th row and column, each standing for the area of k x k cells.

    Distances between sites and map, dissimilarity and the draws of a budget are statistics over the plateau. A cell of
    1 km is like its neighbours, so that a sample of the cells gives the same statistics at a part of the cost. A
    plateau of at most about `most` cells is taken whole, k is 1. The sample is in memory, its ``cell_area`` is k
    squared times as large, and its attribute ``thinned`` is k.
    """
    step = max(1, round(float(np.sqrt(int(cube["plateau"].sum()) / most))))
    middle = slice(step // 2, None, step)
    sample = cube.isel(latitude=middle, longitude=middle).compute()
    area = (sample["cell_area"] * step**2).assign_attrs(cube["cell_area"].attrs)
    return sample.assign(cell_area=area).assign_attrs(thinned=step)


def summary(cube: xr.Dataset) -> pd.DataFrame:
    """Return each covariate's area-weighted mean, range and valid area on the plateau.

    A yearly covariate enters with its mean over the years. The columns are ``covariate``, ``unit``, ``mean``,
    ``lowest``, ``highest`` and ``valid_area_Mkm2``. Land cover is left out: see
    :func:`helpers.data.land_cover.class_shares`.
    """
    rows = []
    for name in RS_PREDICTORS:
        if name in cube and name != "land_cover":
            field = cube[name].where(cube["plateau"])
            flat = field.mean("time") if "time" in field.dims else field
            mean = float(flat.astype("float64").weighted(cube["cell_area"]).mean())
            area = float(cube["cell_area"].where(flat.notnull()).sum()) / 1e6
            rows.append((name, cube[name].attrs["units"], mean, float(flat.min()), float(flat.max()), area))
    return pd.DataFrame(rows, columns=["covariate", "unit", "mean", "lowest", "highest", "valid_area_Mkm2"])


def _readable(value: np.generic) -> str:
    return str(value.astype("datetime64[D]")) if np.issubdtype(value.dtype, np.datetime64) else f"{float(value):g}"


def _refuse_misplaced(layers: dict[str, xr.DataArray], grid: xr.Dataset) -> None:
    for name, layer in layers.items():
        for axis in ("latitude", "longitude"):
            if axis not in layer.dims:
                raise DataError(f"{name}: dimension {axis} is missing, found {', '.join(map(str, layer.dims))}")
            if layer.sizes[axis] != grid.sizes[axis] or not np.allclose(layer[axis], grid[axis], atol=1e-6):
                raise DataError(
                    f"{name}: its {axis} is not that of the target grid; use helpers.data.grid.resample_nearest"
                )


def _refuse_outside(cube: xr.Dataset, place: pd.DataFrame) -> None:
    """Raise if a site lies outside the cube, and say so if its coordinates are swapped."""
    west, south, east, north = edges = bounds(cube)
    outside = ~in_box(edges, place["longitude"], place["latitude"])
    if not outside.any():
        return
    box = f"{west:g} to {east:g} E, {south:g} to {north:g} N"
    swapped = place.index[outside & in_box(edges, place["latitude"], place["longitude"])]
    if len(swapped):
        raise DataError(
            f"sites: row {_rows(swapped)}: outside {box}, but inside with longitude and latitude swapped: swap them"
        )
    raise DataError(
        f"sites: row {_rows(place.index[outside])}: outside the cube, {box}; leave such sites out or widen the grid"
    )


def _rows(labels: pd.Index) -> str:
    """Return row labels for a message, the first ten of them."""
    shown = ", ".join(str(label) for label in labels[:10])
    return f"{shown} and {len(labels) - 10} more" if len(labels) > 10 else shown


def _in_year(values: xr.DataArray, year: np.ndarray) -> np.ndarray:
    """Return one value per site: of its year or the nearest one, or the mean over the years if its year is unknown."""
    if "time" not in values.dims:
        return values.values
    by_site = values.transpose("site", "time").values
    known = np.isfinite(year)
    years = values["time"].dt.year.values
    nearest = np.abs(years[None, :] - np.where(known, year, years[0])[:, None]).argmin(axis=1)
    return np.where(known, by_site[np.arange(year.size), nearest], by_site.mean(axis=1))
