"""The layers of a real world on the target grid: products, what is derived from them, and maps of your own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import rioxarray
import xarray as xr
from rasterio.enums import Resampling

from helpers.config import Layer, from_root
from helpers.data import catalog, derived
from helpers.data.grid import resample_nearest
from helpers.data.readers import open_source, refuse_cut
from helpers.data.variables import VARIABLES, Variable, described
from helpers.errors import DataError

#: The catalogue names its functions: what is used here, not only imported, makes notebook 01 stale when it is edited.
_MODELS = derived
_SUFFIXES = {".tif": "GeoTIFF", ".tiff": "GeoTIFF", ".nc": "netCDF", ".nc4": "netCDF", ".zarr": "Zarr"}


def open_layer(name: str, source: str | Layer, grid: xr.Dataset) -> xr.DataArray:
    """Return a layer on the target grid, each cell with the value of the source cell that its centre lies in.

    The source is a key of the catalogue, a key and a variable (``casa_cnp.npp``), or a map of your own, which then has
    this ``name``. A product that is derived from others is derived on the grid. The attribute ``source`` is the key or
    the file, and ``years`` what the catalogue says of them. DataError is raised if the source cannot be had or is not
    what it should be.
    """
    if isinstance(source, Layer):
        return _own(name, source, grid)
    key, _, variable = source.partition(".")
    entry = catalog.entry_of(key)
    if entry.inputs:
        field = catalog.reader(key)(*(open_layer(name, one, grid) for one in entry.inputs))
    else:
        field = resample_nearest(_variable(open_source(key), variable, source), grid)
    return field.assign_attrs(years=entry.years) if entry.years else field


def _variable(found: object, variable: str, source: str) -> xr.DataArray:
    """Return the variable that a source names."""
    there = list(found) if isinstance(found, xr.Dataset) else []
    if variable in there:
        return found[variable]
    if isinstance(found, xr.DataArray) and not variable:
        return found
    key = source.partition(".")[0]
    hint = f"expected one of {', '.join(f'{key}.{name}' for name in there)}" if there else f"expected a map, {key}"
    raise DataError(f"layer {source!r}: {hint}")


def _own(name: str, layer: Layer, grid: xr.Dataset) -> xr.DataArray:
    """Return a map of your own: checked, on the grid, with the attributes of a known or of a new variable."""
    path, what = from_root(layer.file), f"predictor or product {name}, {layer.file}"
    known = VARIABLES.get(name, Variable(layer.unit, name.replace("_", " ")))
    if layer.unit != known.units:
        raise DataError(f"{what}: its unit is {layer.unit!r}, expected {known.units!r}: convert its values")
    field = _loaded(path, layer, what).rename(what)
    field = field.where(np.isfinite(field))
    field = resample_nearest(field, grid) if field.rio.crs == "EPSG:4326" else _reprojected(field, grid, what)
    if field.isnull().all():
        raise DataError(f"{what}: no value on the target grid; does it cover the region?")
    if layer.kind == "classes" and (field.notnull() & (field % 1 != 0)).any():
        raise DataError(f"{what}: kind is classes, but there are numbers that are not whole; expected continuous?")
    limits = {"valid_min": layer.low, "valid_max": layer.high}
    attributes = {"source": layer.file, **{key: value for key, value in limits.items() if value is not None}}
    if name in VARIABLES:
        return described(field.drop_vars("band", errors="ignore"), name, **attributes)
    attributes |= {"units": layer.unit, "long_name": known.long_name}
    return field.rename(name).drop_attrs().assign_attrs(attributes)


def _loaded(path: Path, layer: Layer, what: str) -> xr.DataArray:
    """Return a map in memory; that its file is cut off or damaged may be found only when its values are read."""
    try:
        with ExitStack() as stack:
            return _plain(_opened(path, layer, what, stack), what).load()
    except DataError:
        raise
    except Exception as error:  # each library has its own, and damaged bytes end in any of them
        said = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        raise DataError(f"{what}: its values cannot be read ({said}); the file is damaged: write it again") from None


def _opened(path: Path, layer: Layer, what: str, stack: ExitStack) -> xr.DataArray:
    """Open a file; what goes wrong names it."""
    kind = _SUFFIXES.get(path.suffix.lower())
    if kind is None:
        raise DataError(f"{what}: expected a file that ends in {', '.join(_SUFFIXES)}")
    if not path.exists():
        raise DataError(f"{what}: no such file; a relative path begins at the checkout, {path}")
    opened: dict[str, Callable] = {
        "GeoTIFF": lambda: rioxarray.open_rasterio(path, masked=True),
        "netCDF": lambda: xr.open_dataset(path, decode_coords="all"),
        "Zarr": lambda: xr.open_zarr(path, decode_coords="all"),
    }
    try:
        if kind == "netCDF":
            refuse_cut(path)
        found = stack.enter_context(opened[kind]())
    except Exception as error:  # as for the values
        raise DataError(f"{what}: cannot be read as {kind} ({error})") from None
    if isinstance(found, xr.DataArray):
        return found
    maps = [str(one) for one, values in found.data_vars.items() if values.ndim >= 2]
    chosen = layer.variable or (maps[0] if len(maps) == 1 else "")
    if chosen not in maps:
        raise DataError(f"{what}: variable is {layer.variable!r}; expected one of {', '.join(maps) or 'none'}")
    return found[chosen].rio.write_crs(found.rio.crs) if found.rio.crs else found[chosen]


def _plain(field: xr.DataArray, what: str) -> xr.DataArray:
    """Return a map with dimensions latitude and longitude; it has one step in any other dimension."""
    names = {"y": "latitude", "lat": "latitude", "x": "longitude", "lon": "longitude"}
    field = field.rename({old: new for old, new in names.items() if old in field.dims})
    many = [f"{dim} ({size})" for dim, size in field.sizes.items() if dim not in names.values() and size > 1]
    if many or not {"latitude", "longitude"} <= set(field.dims):
        raise DataError(f"{what}: expected one map in latitude and longitude, found {many or list(field.dims)}")
    if field.rio.crs is None:
        raise DataError(f"{what}: has no CRS; write it into the file, as with .rio.write_crs('EPSG:4326')")
    for axis in ("latitude", "longitude"):
        if field[axis].ndim != 1:
            raise DataError(f"{what}: {axis} is not a line of cell centres; is the map rotated?")
    field = field.squeeze(drop=True).transpose("latitude", "longitude").astype("float32")
    if field.rio.crs == "EPSG:4326" and float(field["longitude"].max()) > 180:
        field = field.assign_coords(longitude=(field["longitude"] + 180) % 360 - 180).sortby("longitude")
    return field


def _reprojected(field: xr.DataArray, grid: xr.Dataset, what: str) -> xr.DataArray:
    """Return a map of another CRS on the grid, by the nearest cell."""
    axes = {"latitude": grid["latitude"], "longitude": grid["longitude"]}
    template = xr.DataArray(np.zeros((axes["latitude"].size, axes["longitude"].size)), axes, tuple(axes))
    template = template.rename(latitude="y", longitude="x").rio.write_crs("EPSG:4326")
    moved = field.rename(latitude="y", longitude="x").rio.write_nodata(np.nan)
    try:
        moved = moved.rio.reproject_match(template, resampling=Resampling.nearest)
    except Exception as error:  # of GDAL, which has no base with others
        said = f"{what}: cannot be brought from its coordinate system to EPSG:4326 ({error}); do it in a GIS"
        raise DataError(said) from None
    return moved.rename(y="latitude", x="longitude").assign_coords(axes)
