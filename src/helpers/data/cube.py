"""The covariates: on the target grid, and at the sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
import xarray as xr

from helpers.data import derived, readers
from helpers.data import grid as grids
from helpers.data.region import PAPER_BOX
from helpers.errors import DataError

NPP_PREDICTORS = ("precipitation", "temperature", "srad", "land_cover", "elevation", "lai", "npp_modis")
RS_PREDICTORS = (*NPP_PREDICTORS, "soc")


class Bounds(NamedTuple):
    """Plausible physical range of a variable, and its unit."""

    low: float
    high: float
    units: str


#: Values outside these ranges are taken for a mistake in units, not for nature.
BOUNDS: Mapping[str, Bounds] = {
    "precipitation": Bounds(0, 13_000, "mm yr-1"),
    "temperature": Bounds(-60, 40, "degC"),
    "srad": Bounds(20, 400, "W m-2"),
    "land_cover": Bounds(0, 17, "1"),
    "elevation": Bounds(-500, 9000, "m"),
    "lai": Bounds(0, 12, "1"),
    "npp_modis": Bounds(0, 4000, "g m-2 yr-1"),
    "soc": Bounds(0, 300, "kg m-2"),
}


def check_bounds(cube: xr.Dataset) -> None:
    """Refuse a cube with a covariate outside its physical range.

    Parameters
    ----------
    cube : xarray.Dataset
        Variables named in ``BOUNDS`` are checked, others are not.

    Raises
    ------
    DataError
        Naming the variable, the range found and expected, and the first cell that is outside.
    """
    for name, bounds in BOUNDS.items():
        if name in cube:
            _check_one(cube[name], bounds)


def assemble(layers: dict[str, xr.DataArray], grid: xr.Dataset, plateau: xr.DataArray) -> xr.Dataset:
    """Put covariates together as one checked cube.

    Parameters
    ----------
    layers : dict of str to xarray.DataArray
        One for each of ``RS_PREDICTORS``, on the grid; those that change in time have the dimension time.
    grid : xarray.Dataset
        Coordinates of the target grid.
    plateau : xarray.DataArray of bool
        Cells on the plateau.

    Returns
    -------
    xarray.Dataset
        The covariates in single precision, ``plateau`` and ``cell_area`` [km2]; dimensions in the order time,
        latitude, longitude. A missing value stays missing.

    Raises
    ------
    DataError
        If a layer is missing, unknown, not on the grid, or outside its physical range.
    """
    missing, unknown = set(RS_PREDICTORS) - set(layers), set(layers) - set(RS_PREDICTORS)
    if missing or unknown:
        parts = [
            f"{word}: {', '.join(sorted(names))}"
            for word, names in (("missing", missing), ("unknown", unknown))
            if names
        ]
        raise DataError(f"a cube has the layers {', '.join(RS_PREDICTORS)}; {'; '.join(parts)}")
    _refuse_misplaced({**layers, "plateau": plateau}, grid)
    fields = {
        name: layers[name]
        .astype("float32")
        .drop_vars("month", errors="ignore")
        .transpose("time", "latitude", "longitude", missing_dims="ignore")
        for name in RS_PREDICTORS
    }
    fields["plateau"] = plateau.astype(bool)
    fields["cell_area"] = grids.cell_area(grid["latitude"].values, grid["longitude"].values)
    cube = xr.Dataset({name: _on_grid(field, grid) for name, field in fields.items()}, attrs=dict(grid.attrs))
    check_bounds(cube)
    return cube.rio.write_crs("EPSG:4326")


def sample(cube: xr.Dataset, sites: pd.DataFrame, names: Sequence[str] | None = None) -> pd.DataFrame:
    """Look up the covariates at sites.

    Parameters
    ----------
    cube : xarray.Dataset
        As :func:`assemble` returns.
    sites : pandas.DataFrame
        Columns longitude, latitude [degrees] and, if covariates change in time, year (NaN: unknown).
    names : sequence of str, optional
        Variables to look up; those of ``RS_PREDICTORS`` that the cube has if not given.

    Returns
    -------
    pandas.DataFrame
        One row a site, with the sites' index; one column for each name: the value of the
        cell that the site lies in. A yearly covariate is that of the site's year; of the nearest year where the cube
        has not that one; the mean over the years where the year is unknown. NaN where the cube has no data.

    Raises
    ------
    DataError
        If a column or a coordinate is missing, or a site lies outside the cube; rows are named.
    """
    needed = ["longitude", "latitude"]
    absent = [column for column in needed if column not in sites]
    if absent:
        raise DataError(
            f"sites: column {', '.join(absent)} is missing; there are: {', '.join(map(str, sites.columns))}"
        )
    place = sites[needed].astype("float64")
    unknown = place.index[place.isna().any(axis=1)]
    if len(unknown):
        raise DataError(f"sites: row {_rows(unknown)}: longitude or latitude is missing; leave such sites out")
    _refuse_outside(cube, place)
    columns, rows = _cell_index(cube, "longitude", place), _cell_index(cube, "latitude", place)
    at = {"latitude": xr.DataArray(rows, dims="site"), "longitude": xr.DataArray(columns, dims="site")}
    year = sites["year"] if "year" in sites else pd.Series(np.nan, sites.index)
    names = [name for name in RS_PREDICTORS if name in cube] if names is None else list(names)
    found = cube[names].isel(at).load()
    return pd.DataFrame(
        {name: _in_year(found[name], year.to_numpy("float64")) for name in names},
        index=sites.index,
    )


#: Lowest elevation of the plateau, m, by the values of the parameter ``plateau_mask``; ``boundary`` has none.
_LOWEST = {"boundary": None, "above_2500m": 2500.0, "above_3000m": 3000.0}


def replace_plateau(cube: xr.Dataset, mask: str) -> xr.Dataset:
    """Return a cube whose plateau is the one inside the boundary, or all high land of the paper's box.

    Parameters
    ----------
    cube : xarray.Dataset
        With ``elevation`` and, as ``plateau``, the cells inside the boundary.
    mask : {"boundary", "above_2500m", "above_3000m"}
        ``boundary`` leaves the cube as it is. The others take the cells of
        :data:`helpers.sites.databases.PAPER_BOX` at that elevation or higher, wherever the boundary runs.

    Returns
    -------
    xarray.Dataset

    Raises
    ------
    DataError
        If there is no such mask.
    """
    if mask not in _LOWEST:
        raise DataError(f"plateau_mask is {mask!r}; expected one of {', '.join(_LOWEST)}")
    lowest = _LOWEST[mask]
    if lowest is None:
        return cube
    west, south, east, north = PAPER_BOX
    longitude, latitude = cube["longitude"], cube["latitude"]
    in_box = (longitude >= west) & (longitude <= east) & (latitude >= south) & (latitude <= north)
    high = (cube["elevation"] >= lowest) & in_box
    return cube.assign(plateau=high.transpose(*cube["plateau"].dims).assign_attrs(cube["plateau"].attrs))


def open_cube(grid: xr.Dataset, plateau: xr.DataArray, soc_depth: int = 30) -> xr.Dataset:
    """Build the cube of the ``open`` configuration from the catalogue.

    Parameters
    ----------
    grid : xarray.Dataset
        As :func:`helpers.data.grid.target_grid` returns.
    plateau : xarray.DataArray of bool
        As :func:`helpers.data.region.mask_from_polygon` returns.
    soc_depth : {30, 100}
        The soil carbon is the stock down to this depth, cm.

    Returns
    -------
    xarray.Dataset
        As :func:`assemble`; a climatology with a single time step, 2010-01-01, and no time on the static covariates
        land cover, elevation and soil carbon. Each product is of its own years: see the attribute ``climatology``.

    Notes
    -----
    Every product is resampled to the nearest cell, as in the paper. Shortwave radiation is derived on the target grid,
    where sunshine (0.5 degree) meets elevation (1/12 degree).
    """

    def on_grid(field: xr.DataArray) -> xr.DataArray:
        """Return the nearest source value at each cell centre."""
        return grids.resample_nearest(field, grid)

    elevation = on_grid(readers.open_source("elevation"))
    yearly = {
        "precipitation": on_grid(readers.open_source("worldclim_precipitation")),
        "temperature": on_grid(readers.open_source("worldclim_temperature")),
        "srad": derived.srad_from_sunshine(on_grid(readers.open_source("biome4_sunshine")), elevation),
        "lai": derived.lai_from_fapar(on_grid(readers.open_source("fapar_max"))),
        "npp_modis": derived.npp_from_psnnet(on_grid(readers.open_source("psnnet_2015"))),
    }
    static = {
        "land_cover": on_grid(readers.open_source("land_cover")),
        "elevation": elevation,
        "soc": on_grid(readers.open_source(f"soc_0_{soc_depth}cm")),
    }
    step = pd.DatetimeIndex(["2010-01-01"], name="time")
    cube = assemble({name: field.expand_dims(time=step) for name, field in yearly.items()} | static, grid, plateau)
    cube.attrs["climatology"] = (
        "one step for all years: temperature and precipitation 1970-2000, sunshine long-term mean, land cover 2019, "
        "leaf area mean yearly maximum, npp_modis 2015, soil carbon 2010"
    )
    return cube


def open_products(grid: xr.Dataset) -> dict[str, xr.DataArray]:
    """Return the products that the ``open`` configuration is compared with, on the target grid.

    Parameters
    ----------
    grid : xarray.Dataset
        As :func:`helpers.data.grid.target_grid` returns.

    Returns
    -------
    dict of str to xarray.DataArray
        ``npp_casa_cnp``, ``npp_miami``, ``rh_casa_cnp``, ``rh_mimics``, ``rh_corpse``, ``rs_raich``, g C m-2 yr-1;
        dimensions latitude, longitude.
    """
    casa = readers.open_source("casa_cnp")
    monthly = readers.read_monthly_climate(*readers.catalog.fetch("biome4_sunshine").values())
    fields = {
        "npp_casa_cnp": casa["npp"],
        "npp_miami": derived.miami_npp(
            readers.open_source("worldclim_precipitation"), readers.open_source("worldclim_temperature")
        ),
        "rh_casa_cnp": casa["rh"],
        "rh_mimics": readers.open_source("mimics"),
        "rh_corpse": readers.open_source("corpse"),
        "rs_raich": derived.raich_rs(monthly["precipitation"], monthly["temperature"]),
    }
    return {name: grids.resample_nearest(field, grid).rename(name) for name, field in fields.items()}


#: Cells of the plateau that stand for all where each cell would only repeat its neighbours: folds, intervals, draws.
#: The plateau has 25,000 cells of 0.1 degree and 2.5 million of 0.01 degree.
SAMPLE_CELLS = 30_000


def thinned(cube: xr.Dataset, most: int = SAMPLE_CELLS) -> xr.Dataset:
    """Return a systematic sample of the cells: every k-th row and column, each standing for the area of k x k cells.

    Distances between sites and map, dissimilarity and the draws of a budget are statistics over the plateau. A cell of
    1 km tells what its neighbours tell, so that a sample of them gives the same statistics at a part of the cost.

    Parameters
    ----------
    cube : xarray.Dataset
        With ``plateau`` and ``cell_area`` [km2].
    most : int
        Of a plateau of at most about that many cells all are taken, k is 1.

    Returns
    -------
    xarray.Dataset
        In memory, with ``cell_area`` times k squared and the attribute ``thinned``, k.

    Examples
    --------
    >>> grid = {"latitude": np.arange(10.0), "longitude": np.arange(20.0)}
    >>> layers = {"cell_area": np.full((10, 20), 3.0), "plateau": np.ones((10, 20), bool)}
    >>> cube = xr.Dataset({name: (tuple(grid), layer) for name, layer in layers.items()}, grid)
    >>> dict(thinned(cube, most=50).sizes), float(thinned(cube, most=50)["cell_area"].sum())
    ({'latitude': 5, 'longitude': 10}, 600.0)
    """
    step = max(1, round(float(np.sqrt(int(cube["plateau"].sum()) / most))))
    middle = slice(step // 2, None, step)
    sample = cube.isel(latitude=middle, longitude=middle).compute()
    area = (sample["cell_area"] * step**2).assign_attrs(cube["cell_area"].attrs)
    return sample.assign(cell_area=area).assign_attrs(thinned=step)


def summary(cube: xr.Dataset) -> pd.DataFrame:
    """Return each covariate's area-weighted mean, range and valid area on the plateau.

    Parameters
    ----------
    cube : xarray.Dataset
        As :func:`assemble` returns; a yearly covariate enters with its mean over the years.

    Returns
    -------
    pandas.DataFrame
        Columns ``covariate``, ``unit``, ``mean``, ``lowest``, ``highest`` and ``valid_area_Mkm2``; without land cover,
        see :func:`class_shares`.
    """
    rows = []
    for name in RS_PREDICTORS:
        if name in cube and name != "land_cover":
            field = cube[name].where(cube["plateau"])
            flat = field.mean("time") if "time" in field.dims else field
            rows.append(
                {
                    "covariate": name,
                    "unit": cube[name].attrs["units"],
                    "mean": float(flat.astype("float64").weighted(cube["cell_area"]).mean()),
                    "lowest": float(flat.min()),
                    "highest": float(flat.max()),
                    "valid_area_Mkm2": float(cube["cell_area"].where(flat.notnull()).sum()) / 1e6,
                }
            )
    return pd.DataFrame(rows)


def _check_one(field: xr.DataArray, bounds: Bounds) -> None:
    values = field.values
    outside = (values < bounds.low) | (values > bounds.high)
    if not outside.any():
        return
    first = dict(zip(field.dims, (int(index[0]) for index in np.nonzero(outside)), strict=True))
    where = ", ".join(f"{dim} {_readable(field[dim].values[index])}" for dim, index in first.items())
    raise DataError(
        f"{field.name}: {int(outside.sum())} of {values.size} values lie outside {bounds.low:g} to {bounds.high:g} "
        f"{bounds.units} (found {np.nanmin(values):g} to {np.nanmax(values):g}); the first at {where}. Check units?"
    )


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


def _on_grid(field: xr.DataArray, grid: xr.Dataset) -> xr.DataArray:
    """Return a field with exactly the grid's coordinates, so that rounding does not part the cells."""
    return field.assign_coords(latitude=grid["latitude"], longitude=grid["longitude"]).drop_vars(
        "spatial_ref", errors="ignore"
    )


def cell_edges(cube: xr.Dataset, axis: str) -> tuple[float, float]:
    """Return the outer edges of a cube along an axis, ``longitude`` or ``latitude``: lower, upper [degrees]."""
    centres = np.sort(cube[axis].values.astype("float64"))
    half = (centres[-1] - centres[0]) / (centres.size - 1) / 2
    return centres[0] - half, centres[-1] + half


def _refuse_outside(cube: xr.Dataset, place: pd.DataFrame) -> None:
    """Raise if a site lies outside the cube, and say so if its coordinates are swapped."""
    west, east = cell_edges(cube, "longitude")
    south, north = cell_edges(cube, "latitude")

    def inside(longitude: pd.Series, latitude: pd.Series) -> pd.Series:
        """Tell for each pair of coordinates whether it lies in the cube's box."""
        return longitude.between(west, east) & latitude.between(south, north)

    outside = ~inside(place["longitude"], place["latitude"])
    if not outside.any():
        return
    box = f"{west:g} to {east:g} E, {south:g} to {north:g} N"
    swapped = place.index[outside & inside(place["latitude"], place["longitude"])]
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


def _cell_index(cube: xr.Dataset, axis: str, place: pd.DataFrame) -> np.ndarray:
    return cube.indexes[axis].get_indexer(pd.Index(place[axis]), method="nearest")


def _in_year(values: xr.DataArray, year: np.ndarray) -> np.ndarray:
    """Return one value a site: of its year, of the nearest year, or the mean over the years if its year is unknown."""
    if "time" not in values.dims:
        return values.values
    by_site = values.transpose("site", "time").values
    known = np.isfinite(year)
    years = values["time"].dt.year.values
    nearest = np.abs(years[None, :] - np.where(known, year, years[0])[:, None]).argmin(axis=1)
    return np.where(known, by_site[np.arange(year.size), nearest], by_site.mean(axis=1))
