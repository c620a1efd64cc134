"""Writes tiles of MOD17A3HGF and MCD12Q1, collection 061, as the archives give them out.

HDF-EOS as of LP DAAC (all arrays of a file, StructMetadata.0, fill values; without the groups that only GDAL's driver
looks for), or a COG of NPP as of the Planetary Computer. A tile has values in the box and fill around it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
import rasterio
import rasterio.shutil
from rasterio import Affine
from rasterio.enums import Resampling

from helpers.data.products.interface import Box
from helpers.data.products.modis import Tile, tiles_of
from helpers.virtual.archive import fields

# Written out here as the archives have them, not taken from the reader that is tested with these files.
_RADIUS, _TILE, _CELLS = 6371007.181, 1111950.5196666666, 2400
_STEP = _TILE / _CELLS
_MARGIN = 0.05  # degrees of data around the box
_NPP_FILL, _BARREN, _WATER = 32767, 32765, 32766
#: What the overviews of the COGs hold: those of the true ones are no values either.
WRONG = 12345


class _Array(NamedTuple):
    """An array (SDS) of a file: its numbers, fill value, valid range and further attributes."""

    values: np.ndarray
    fill: int
    valid: tuple[int, int]
    units: str
    scale: float | None = None


def write_mod17(
    folder: Path,
    box: Box,
    years: Iterable[int],
    form: Literal["hdf", "cog"] = "hdf",
    *,
    product: str = "MOD17A3HGF",
    production: str = "2021351205520",
) -> list[Path]:
    """Write NPP of :func:`fields.npp`, one file per tile and year.

    Where :func:`fields.data_gap` is, the numbers of the fill classes stand beside data: water, barren, and in the last
    barren patch all seven, column by column.
    """
    paths = []
    for year in years:
        for tile in sorted(tiles_of(box)):
            counts = _npp_counts(tile, box, year)
            name = f"{product}.A{year}001.{tile}.061.{production}"
            paths.append(folder / (f"{name}.hdf" if form == "hdf" else f"{name}_Npp_500m.tif"))
            folder.mkdir(parents=True, exist_ok=True)
            if form == "cog":
                _write_cog(paths[-1], counts, tile)
                continue
            filled = counts > 32760
            gpp = np.where(filled, counts.astype("int32") + 32768, 2 * counts.astype("int32")).astype("uint16")
            quality = np.where(filled, 255, 12).astype("uint8")
            arrays = {
                "Gpp_500m": _Array(gpp, 65535, (0, 65500), "kg_C/m^2", 1e-4),
                "Npp_500m": _Array(counts, _NPP_FILL, (-30000, 32700), "kg_C/m^2", 1e-4),
                "Npp_QC_500m": _Array(quality, 255, (0, 100), "percent"),
            }
            _write_hdf(paths[-1], "MOD_Grid_MOD17A3H", arrays, tile)
    return paths


def write_land_cover(folder: Path, box: Box, years: Iterable[int], *, production: str = "2022146024956") -> list[Path]:
    """Write the classes of :func:`fields.land_cover` as MCD12Q1, one file per tile and year, with all 13 arrays."""
    others = [*(f"LC_Type{n}" for n in range(2, 6)), *(f"LC_Prop{n}" for n in range(1, 4))]
    others += [*(f"LC_Prop{n}_Assessment" for n in range(1, 4)), "QC", "LW"]
    empty = np.zeros((_CELLS, _CELLS), "uint8")
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for year in years:
        for tile in sorted(tiles_of(box)):
            window, longitude, latitude = _places(tile, box)
            classes = np.full((_CELLS, _CELLS), 255, "uint8")
            inside = _inside(box, longitude, latitude)
            classes[window] = np.where(inside, fields.land_cover(longitude, latitude, year), 255)
            arrays = {"LC_Type1": _Array(classes, 255, (1, 17), "class")}
            arrays |= {name: _Array(empty, 255, (0, 15), "class") for name in others}
            paths.append(folder / f"MCD12Q1.A{year}001.{tile}.061.{production}.hdf")
            _write_hdf(paths[-1], "MCD12Q1", arrays, tile)
    return paths


def _npp_counts(tile: Tile, box: Box, year: int) -> np.ndarray:
    """Return a tile of NPP, 0.1 g C m-2 yr-1, fill classes included."""
    counts = np.full((_CELLS, _CELLS), _NPP_FILL, "int16")
    window, longitude, latitude = _places(tile, box)
    values = np.round(10 * fields.npp(longitude, latitude, year)).astype("int16")
    values[fields.data_gap(longitude, latitude)] = _BARREN
    values[fields.lake(longitude, latitude)] = _WATER
    east, north, radius = fields.BARREN[-1]
    mixed = np.hypot(longitude - east, latitude - north) < radius
    values[mixed] = np.broadcast_to(32761 + np.arange(values.shape[1]) % 7, values.shape)[mixed]
    counts[window] = np.where(_inside(box, longitude, latitude), values, _NPP_FILL)
    return counts


def _places(tile: Tile, box: Box) -> tuple[tuple[slice, slice], np.ndarray, np.ndarray]:
    """Return the part of a tile that reaches a box, and the longitude and latitude of its cells."""
    left, top = (tile.h - 18) * _TILE, (9 - tile.v) * _TILE
    x = left + (np.arange(_CELLS) + 0.5) * _STEP
    latitude = np.degrees((top - (np.arange(_CELLS) + 0.5) * _STEP) / _RADIUS)
    near = (latitude > box.south - _MARGIN) & (latitude < box.north + _MARGIN)
    rows = slice(int(near.argmax()), int(near.argmax() + near.sum()))
    latitude = latitude[rows, None]
    longitude = np.degrees(x / (_RADIUS * np.cos(np.radians(latitude))))
    near = ((longitude > box.west - _MARGIN) & (longitude < box.east + _MARGIN)).any(axis=0)
    columns = slice(int(near.argmax()), int(near.argmax() + near.sum()))
    longitude = longitude[:, columns]
    return (rows, columns), longitude, np.broadcast_to(latitude, longitude.shape)


def _inside(box: Box, longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Tell which places get data."""
    east = (longitude > box.west - _MARGIN) & (longitude < box.east + _MARGIN)
    return east & (latitude > box.south - _MARGIN) & (latitude < box.north + _MARGIN)


def _write_hdf(path: Path, grid: str, arrays: Mapping[str, _Array], tile: Tile) -> None:
    """Write an HDF-EOS file of one grid."""
    from pyhdf.SD import SD, SDC

    kinds = {"int16": SDC.INT16, "uint16": SDC.UINT16, "uint8": SDC.UINT8}
    file = SD(str(path), SDC.WRITE | SDC.CREATE | SDC.TRUNC)
    file.attr("HDFEOSVersion").set(SDC.CHAR, "HDFEOS_V2.19")
    text = _struct_metadata(grid, {name: str(array.values.dtype) for name, array in arrays.items()}, tile)
    file.attr("StructMetadata.0").set(SDC.CHAR, text.ljust(32000, "\0"))
    for name, array in arrays.items():
        kind = kinds[str(array.values.dtype)]
        data = file.create(name, kind, array.values.shape)
        data.setcompress(SDC.COMP_DEFLATE, 1)
        for axis, dim in enumerate("YX"):
            data.dim(axis).setname(f"{dim}Dim:{grid}")
        data.attr("long_name").set(SDC.CHAR, name)
        data.attr("units").set(SDC.CHAR, array.units)
        data.attr("valid_range").set(kind, list(array.valid))
        data.attr("_FillValue").set(kind, array.fill)
        if array.scale is not None:
            data.attr("scale_factor").set(SDC.FLOAT64, array.scale)
            data.attr("add_offset").set(SDC.FLOAT64, 0.0)
        data[:] = array.values
        data.endaccess()
    file.end()


def _struct_metadata(grid: str, dtypes: Mapping[str, str], tile: Tile) -> str:
    """Return the text that says where the grid of a file lies."""
    left, top = (tile.h - 18) * _TILE, (9 - tile.v) * _TILE
    fields_ = [
        f'\t\t\tOBJECT=DataField_{number}\n\t\t\t\tDataFieldName="{name}"\n\t\t\t\tDataType=DFNT_{dtype.upper()}\n'
        '\t\t\t\tDimList=("YDim","XDim")\n\t\t\t\tCompressionType=HDFE_COMP_DEFLATE\n\t\t\t\tDeflateLevel=8\n'
        f"\t\t\tEND_OBJECT=DataField_{number}\n"
        for number, (name, dtype) in enumerate(dtypes.items(), 1)
    ]
    return (
        "GROUP=SwathStructure\nEND_GROUP=SwathStructure\nGROUP=GridStructure\n\tGROUP=GRID_1\n"
        f'\t\tGridName="{grid}"\n\t\tXDim={_CELLS}\n\t\tYDim={_CELLS}\n'
        f"\t\tUpperLeftPointMtrs=({left:.6f},{top:.6f})\n"
        f"\t\tLowerRightMtrs=({left + _TILE:.6f},{top - _TILE:.6f})\n"
        f"\t\tProjection=GCTP_SNSOID\n\t\tProjParams=({_RADIUS:.6f},0,0,0,0,0,0,0,0,0,0,0,0)\n"
        "\t\tSphereCode=-1\n\t\tGridOrigin=HDFE_GD_UL\n\t\tGROUP=Dimension\n\t\tEND_GROUP=Dimension\n"
        f"\t\tGROUP=DataField\n{''.join(fields_)}\t\tEND_GROUP=DataField\n"
        "\t\tGROUP=MergedFields\n\t\tEND_GROUP=MergedFields\n\tEND_GROUP=GRID_1\n"
        "END_GROUP=GridStructure\nGROUP=PointStructure\nEND_GROUP=PointStructure\nEND\n"
    )


def _write_cog(path: Path, values: np.ndarray, tile: Tile) -> None:
    """Write a COG whose overviews hold :data:`WRONG`."""
    profile = {"driver": "GTiff", "dtype": "int16", "count": 1, "width": _CELLS, "height": _CELLS, "nodata": _NPP_FILL}
    profile["crs"] = f"+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R={_RADIUS} +units=m +no_defs"
    profile["transform"] = Affine(_STEP, 0, (tile.h - 18) * _TILE, 0, -_STEP, (9 - tile.v) * _TILE)
    with rasterio.MemoryFile() as memory:
        with memory.open(**profile, tiled=True) as raster:
            raster.write(np.full_like(values, WRONG), 1)
            raster.build_overviews([2, 4], Resampling.nearest)
            raster.write(values, 1)  # after its overviews: they stay as they are
            raster.scales, raster.offsets = (1e-4,), (0.0,)
        with memory.open() as raster:
            options = {"compress": "DEFLATE", "blocksize": 512, "overviews": "FORCE_USE_EXISTING"}
            rasterio.shutil.copy(raster, path, driver="COG", **options)
