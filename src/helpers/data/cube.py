"""The covariates: on the target grid, and at the sites."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import dask
import numpy as np
import pandas as pd
import xarray as xr

from helpers.config import FLUXES, NEEDED_LAYERS, RS_PREDICTORS, Settings
from helpers.data.grid import bounds, cell_area
from helpers.data.layers import open_layer
from helpers.data.products import opened
from helpers.data.region import in_box
from helpers.data.scan import mean_maps
from helpers.data.variables import VARIABLES, known_of, units_in_print
from helpers.errors import DataError
from mapforest.cells import commonest

#: Cells of a tile of a large cube: two degrees at 0.01 degree. A tile has all years, in memory and on disk. Tiles of
#: one degree are four times as many, and take about twice the time to write and to read (``data/benchmarks``).
TILE: Final[Mapping[str, int]] = MappingProxyType({"latitude": 200, "longitude": 200})
_NO_COVARIATES = frozenset({"in_region", "cell_area", "spatial_ref"})
#: Covariates that no year changes; the others of a climatology have its single step in time.
_STATIC = ("land_cover", "elevation", "soc")


def covariates(cube: xr.Dataset) -> list[str]:
    """Return the names of a cube's covariates: the paper's predictors in their order, then others by name."""
    there = sorted(str(name) for name in cube.data_vars if name not in _NO_COVARIATES)
    return [name for name in RS_PREDICTORS if name in there] + [name for name in there if name not in RS_PREDICTORS]


def check_bounds(cube: xr.Dataset) -> None:
    """Refuse a cube, or products, with a map that cannot be, which tells of a mistake in units or of another map.

    A value lies outside its plausible range (of :data:`helpers.data.variables.VARIABLES`, or the layer's own
    ``valid_min`` and ``valid_max``), not one is as high as some must be, there is none at all, or a land-cover class is
    no whole number. A product, such as ``rh_mimics``, has the range of its flux. The DataError names the variable, what
    was found and expected, and the first cell that is outside. What is only doubtful is told by
    :func:`helpers.data.plausible.doubts`.
    """
    for name in covariates(cube):
        field, known = cube[name], known_of(name)
        low, high = field.attrs.get("valid_min", known.low), field.attrs.get("valid_max", known.high)
        # One pass over the chunks: a yearly layer of 1 km has too many values to hold at once.
        part = (field % 1 > 0).any() if name == "land_cover" else False
        least, most, broken = (float(found) for found in dask.compute(field.min(), field.max(), part))
        unit = field.attrs.get("units", known.units)
        if np.isnan(most):
            raise DataError(f"{name}: no value on the grid; does the map cover the region?")
        if least < low or most > high:
            outside = (field < low) | (field > high)
            where = ", ".join(f"{dim} {_readable(field[dim].values[at])}" for dim, at in _first(outside).items())
            raise DataError(
                f"{name}: {int(outside.sum())} of {field.size} values lie outside {low:g} to "
                f"{high:g} {unit} (found {least:g} to {most:g}); the first at {where}. Check units?"
            )
        if most < known.reaches:
            raise DataError(
                f"{name}: its highest value on the grid is {most:g} {unit}; expected {known.reaches:g} or more "
                "somewhere. Check units, and whether the file is damaged?"
            )
        if broken:
            raise DataError(f"{name}: some classes are no whole numbers; expected IGBP classes 1 to 17. Another map?")


def _first(marked: xr.DataArray) -> dict[str, int]:
    """Return the place of the first cell that is marked, in the order of the dimensions."""
    place: dict[str, int] = {}
    for dim in marked.dims:
        at = int(marked.any([other for other in marked.dims if other != dim]).argmax(dim))
        place, marked = place | {str(dim): at}, marked.isel({dim: at})
    return place


def assemble(layers: dict[str, xr.DataArray], grid: xr.Dataset, in_region: xr.DataArray) -> xr.Dataset:
    """Put covariates together as one checked cube.

    The layers lie on the grid, those of :data:`helpers.config.NEEDED_LAYERS` among them; those that change in time have
    the dimension time. `in_region` is True in the region. The cube has the covariates in single precision,
    ``in_region`` and ``cell_area`` [km2], with dimensions in the order time, latitude, longitude. A missing value stays
    missing. DataError is raised if a layer is missing, not on the grid, outside its physical range, or has no value in
    the region.
    """
    missing = sorted(set(NEEDED_LAYERS) - set(layers))
    if missing:
        raise DataError(f"a cube has at least the layers {', '.join(NEEDED_LAYERS)}; missing: {', '.join(missing)}")
    _refuse_misplaced({**layers, "in_region": in_region}, grid)
    fields = {
        name: layer.astype("float32")
        .drop_vars("month", errors="ignore")
        .transpose("time", "latitude", "longitude", missing_dims="ignore")
        for name, layer in layers.items()
    }
    fields["in_region"] = in_region.astype(bool)
    fields["cell_area"] = cell_area(grid["latitude"], grid["longitude"])
    # Exactly the grid's coordinates: rounding must not separate the cells of two layers.
    axes = {"latitude": grid["latitude"], "longitude": grid["longitude"]}
    fields = {name: field.drop_vars("spatial_ref", errors="ignore") for name, field in fields.items()}
    cube = xr.Dataset({name: field.assign_coords(axes) for name, field in fields.items()}, attrs=dict(grid.attrs))
    check_bounds(cube)
    for name in layers:
        if in_region.any() and cube[name].where(in_region).isnull().all():
            raise DataError(f"{name}: no value in the region; does the layer cover it?")
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
    names = covariates(cube) if names is None else list(names)
    at = {axis: xr.DataArray(place[axis].to_numpy(), dims="site") for axis in place}
    found = cube[names].sel(at, method="nearest").load()
    year = sites["year"].to_numpy("float64") if "year" in sites else np.full(len(sites), np.nan)
    return pd.DataFrame({name: _in_year(found[name], year) for name in names}, index=sites.index)


#: Lowest elevation of the region, m, by the values of the parameter ``region_mask`` that are not ``boundary``.
_LOWEST: Mapping[str, float] = {"above_2500m": 2500.0, "above_3000m": 3000.0}


def replace_region(cube: xr.Dataset, mask: str, box: tuple[float, float, float, float]) -> xr.Dataset:
    """Return a cube whose region is the one inside the boundary, or all high land of the boundary's bounding box.

    The mask ``boundary`` leaves the cube as it is. ``above_2500m`` and ``above_3000m`` take the cells of the box (west,
    south, east, north) at that elevation or higher, wherever the boundary runs. A DataError is raised if there is no
    such mask, or no such land.
    """
    if mask == "boundary":
        return cube
    if mask not in _LOWEST:
        raise DataError(f"region_mask is {mask!r}; expected one of boundary, {', '.join(_LOWEST)}")
    high = (cube["elevation"] >= _LOWEST[mask]) & in_box(box, cube["longitude"], cube["latitude"])
    if not high.any():
        raise DataError(f"region_mask is {mask!r}, but no cell of the region's box is this high; expected boundary")
    return cube.assign(in_region=high.transpose(*cube["in_region"].dims).assign_attrs(cube["in_region"].attrs))


def open_cube(settings: Settings, grid: xr.Dataset, in_region: xr.DataArray) -> xr.Dataset:
    """Build the cube of a real world from the layers that ``predictors`` of the settings names.

    It is as :func:`assemble` returns it: a climatology with a single time step, 2010-01-01, and no time on land cover,
    elevation, soil carbon and maps of your own. Each product is of its own years: see the attribute ``climatology``.
    Every product is resampled to the nearest cell, as in the paper. A name may hold ``{soc_depth}``.

    Where a product with a connector is yearly the cube is, too: it has the years of the settings, as far as
    ``missing_years`` says, and what is a climatology has no time. Layers of such products are Dask-backed, and a cube
    with one is chunked in tiles of :data:`TILE`: nothing of it is in memory but what has no connector.
    """
    sources = {name: _filled(source, settings) for name, source in settings.predictors.items()}
    run = opened.run_years(settings, grid)
    layers = {
        name: _in_unit(name, _open(name, source, grid, settings, run), source) for name, source in sources.items()
    }
    years = ", ".join(f"{name} {layer.attrs['years']}" for name, layer in layers.items() if "years" in layer.attrs)
    if any("time" in layer.dims for layer in layers.values()):
        cube = assemble(layers, grid, in_region)
        cube.attrs["years"] = f"{settings.missing_years}: {years}"
        return cube.chunk({**TILE, "time": -1})
    step = pd.DatetimeIndex(["2010-01-01"], name="time")
    dated = {
        name: layer.expand_dims(time=step) if isinstance(sources[name], str) and name not in _STATIC else layer
        for name, layer in layers.items()
    }
    cube = assemble(dated, grid, in_region)
    cube.attrs["climatology"] = f"one step for all years: {years}"
    return cube


def open_products(settings: Settings, cube: xr.Dataset) -> xr.Dataset:
    """Return the products that a real world is compared with, on the cube's grid [g C m-2 yr-1].

    They are variables ``<flux>_<name>``, by ``products`` of the settings. A source that is a covariate of the cube is
    taken from there, as its mean over the years, and so is a yearly product with a connector: its attribute ``years``
    says which they are. A DataError is raised as of :func:`check_bounds`.
    """
    fields, run = {}, opened.run_years(settings, cube)
    for flux in FLUXES:
        for name, source in settings.products.get(flux, {}).items():
            own = isinstance(source, str) and source in cube
            found = _in_unit(flux, cube[source] if own else _open(flux, source, cube, settings, run), source)
            flat = found.mean("time", keep_attrs=True) if "time" in found.dims else found
            fields[f"{flux}_{name}"] = flat.rename(f"{flux}_{name}")
    products = xr.Dataset(fields)
    check_bounds(products)
    return products


def _open(name: str, source: object, grid: xr.Dataset, settings: Settings, run: Sequence[int]) -> xr.DataArray:
    """Return a layer on the grid, of a product with a connector or of any other source."""
    if opened.has_connector(source):
        return opened.layer(name, source, grid, settings, run)
    return open_layer(name, source, grid)


def _in_unit(name: str, field: xr.DataArray, source: object) -> xr.DataArray:
    """Return a layer; refuse one that is not in the unit of the variable that it is to be."""
    unit = field.attrs.get("units")
    if name in VARIABLES and unit != VARIABLES[name].units:
        raise DataError(f"{name}: {source} is in {unit!r}, expected {VARIABLES[name].units!r}; is it another quantity?")
    return field


def _filled(source: object, settings: Settings) -> object:
    """Return a catalogue key with the depth of the soil filled in."""
    return source.replace("{soc_depth}", str(settings.soc_depth)) if isinstance(source, str) else source


SAMPLE_CELLS = 30_000
"""Cells of the region that stand for all where each cell would only repeat its neighbours: folds, intervals, draws.
The paper's plateau has 25,000 cells of 0.1 degree and 2.5 million of 0.01 degree."""


def thinned(cube: xr.Dataset, most: int = SAMPLE_CELLS) -> xr.Dataset:
    """Return a systematic sample of the cells: every k-th row and column, each standing for the area of k x k cells.

    Distances between sites and map, dissimilarity and the draws of a budget are statistics over the region. A cell of
    1 km is like its neighbours, so that a sample of the cells gives the same statistics at a part of the cost. A
    region of at most about `most` cells is taken whole, k is 1. The sample is in memory, its ``cell_area`` is k
    squared times as large, and its attribute ``thinned`` is k.
    """
    step = max(1, round(float(np.sqrt(int(cube["in_region"].sum()) / most))))
    middle = slice(step // 2, None, step)
    sample = cube.isel(latitude=middle, longitude=middle).compute()
    area = (sample["cell_area"] * step**2).assign_attrs(cube["cell_area"].attrs)
    return sample.assign(cell_area=area).assign_attrs(thinned=step)


def climatology(cube: xr.Dataset) -> xr.Dataset:
    """Return the means of a cube over its years, in memory; of land cover the class of most years.

    It is read in one pass. What is told of means over the years (:func:`summary`) can be told from it.
    """
    fields = {str(name): field for name, field in cube.items()} | {"land_cover": commonest(cube["land_cover"])}
    flat = cube.drop_dims("time").drop_vars("time", errors="ignore").assign(mean_maps(fields, dtype=None))
    return flat[list(cube.data_vars)]


def summary(cube: xr.Dataset) -> pd.DataFrame:
    """Return each covariate's area-weighted mean, range and valid area in the region.

    A yearly covariate enters with its mean over the years. The columns are ``covariate``, ``unit``, ``mean``,
    ``lowest``, ``highest`` and ``valid_area_Mkm2``. Land cover is left out: see
    :func:`helpers.data.land_cover.class_shares`.
    """
    rows = []
    for name in covariates(cube):
        if name != "land_cover":
            field = cube[name].where(cube["in_region"])
            flat = field.mean("time") if "time" in field.dims else field
            mean = float(flat.astype("float64").weighted(cube["cell_area"]).mean())
            area = float(cube["cell_area"].where(flat.notnull()).sum()) / 1e6
            units = units_in_print(str(name), cube[name].attrs["units"])
            rows.append((name, units, mean, float(flat.min()), float(flat.max()), area))
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
    """Return one value per site: of its year or the nearest one; if that is unknown, the mean or commonest of all."""
    if "time" not in values.dims:
        return values.values
    by_site = values.transpose("site", "time").values
    known = np.isfinite(year)
    years = values["time"].dt.year.values
    nearest = np.abs(years[None, :] - np.where(known, year, years[0])[:, None]).argmin(axis=1)
    of_all = commonest(values).values if values.name == "land_cover" else by_site.mean(axis=1)
    return np.where(known, by_site[np.arange(year.size), nearest], of_all)
