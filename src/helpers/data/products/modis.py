"""Yearly tiles of MODIS on the sinusoidal grid: NPP (MOD17A3HGF) and land cover (MCD12Q1), collection 061.

A tile comes as HDF-EOS (HDF4) or as a GeoTIFF (COG) of the same cells; both are read as one. Overviews of the COGs are
never read: their maker averaged over numbers that are no values. Collection 061 begins in 2001.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import pyproj
import rioxarray  # noqa: F401  (gives DataArrays their .rio)
import xarray as xr

from helpers.data.land_cover import IGBP_CLASSES, IGBP_FLAGS
from helpers.data.products import hdf4, windows
from helpers.data.products.interface import Asset, Box, Plan, Want
from helpers.data.products.transports import Earthdata, Folder, Stac
from helpers.data.variables import described
from helpers.errors import DataError

#: Radius of the sphere [m], and cells of a tile of 500 m along each side.
RADIUS, CELLS = 6371007.181, 2400
TILE = np.pi * RADIUS / 18  #: side of a tile [m]; 36 x 18 of them
STEP = TILE / CELLS
SINUSOIDAL = pyproj.CRS.from_proj4(f"+proj=sinu +lon_0=0 +x_0=0 +y_0=0 +R={RADIUS} +units=m +no_defs")
COLLECTION, FIRST_YEAR = "061", 2001


class Tile(NamedTuple):
    """A tile, counted from 180 W to the east and from 90 N to the south."""

    h: int
    v: int

    def __str__(self) -> str:
        return f"h{self.h:02d}v{self.v:02d}"


class Granule(NamedTuple):
    """What the name of a file tells."""

    year: int
    tile: Tile
    production: str


def tiles_of(box: Box) -> set[Tile]:
    """Return the tiles that a box has a part in.

    Examples
    --------
    >>> sorted(str(tile) for tile in tiles_of(Box(73, 26, 80, 32)))
    ['h24v05', 'h24v06', 'h25v06']
    """
    tiles = set()
    for v in range(18):
        south, north = max(box.south, 80.0 - 10 * v), min(box.north, 90.0 - 10 * v)
        if south < north:
            left, _, right, _ = _extent(Box(box.west, south, box.east, north))
            tiles |= {Tile(h, v) for h in range(36) if left < (h - 17) * TILE and right > (h - 18) * TILE}
    return tiles


class _Tiles(ABC):
    """A product of MODIS in yearly tiles of 500 m; a subclass says which, and what its numbers mean."""

    in_blocks, static = True, False
    product: ClassVar[str]
    layer: ClassVar[str]  #: The array in a file.
    dtype: ClassVar[str]  #: Of the numbers in it.

    def __init__(self, key: str, transport: Stac | Earthdata | Folder) -> None:
        """Take the catalogue's key and the archive that has the files."""
        self.key, self.transport = key, transport

    def plan(self, want: Want) -> Plan:
        """Return the newest production of each tile and year; a tile that other years have is a DataError."""
        tiles = tiles_of(want.box)
        found: dict[tuple[int, Tile], tuple[str, Asset]] = {}
        for asset in self._find(want):
            granule = self._granule(Path(asset.name).name)
            if granule and granule.year in want.years and granule.tile in tiles:
                newest = (granule.production, replace(asset, year=granule.year))
                place = (granule.year, granule.tile)
                found[place] = max(found.get(place, newest), newest, key=lambda one: one[0])
        years = {year for year, _ in found}
        self._refuse_gaps(set(found), years)
        assets = tuple(found[place][1] for place in sorted(found))
        absent = tuple(year for year in want.years if year not in years)
        if not isinstance(self.transport, Folder):
            return Plan(assets, absent)
        late = tuple(year for year in absent if year >= FIRST_YEAR)
        return Plan(assets, tuple(year for year in absent if year < FIRST_YEAR), self._by_hand(late, tiles))

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of a file, whole and verified."""
        return self.transport.fetch(asset, folder)

    def open(self, files: Sequence[Path], box: Box, year: int | None) -> xr.DataArray:
        """Return the cells of a year that cover a box, with no seam between tiles.

        A tile that the files have in no year is ocean, and missing. A DataError is raised for a file of another product
        or collection, a file that is cut or lies elsewhere than its name says, and a tile that is missing in this year
        alone.
        """
        there = self._newest(files)
        if year not in {known for known, _ in there}:
            raise DataError(f"{self.product} {year}: no file of this year among {len(files)}; fetch it")
        near = tiles_of(box)
        self._refuse_gaps({place for place in there if place[1] in near}, {year})
        rows, columns = _window(box)
        values = np.full((rows.stop - rows.start, columns.stop - columns.start), np.nan, "float32")
        for tile in sorted(tile for known, tile in there if known == year):
            into, within = zip(_overlap(rows, tile.v), _overlap(columns, tile.h), strict=True)
            if all(part.start < part.stop for part in within):
                path = there[year, tile]
                raw = _read_tile(path, self.layer, tile, *within)
                if raw.dtype != self.dtype:
                    raise DataError(
                        f"{path.name}: holds {raw.dtype}, expected {self.dtype}; fetch the archive's own file"
                    )
                values[into] = self._values(path, raw)
        x, y = (np.arange(part.start, part.stop) + 0.5 for part in (columns, rows))
        axes = {"y": 9 * TILE - y * STEP, "x": x * STEP - 18 * TILE}
        return self._described(xr.DataArray(values, axes, ("y", "x"))).rio.write_crs(SINUSOIDAL)

    def _find(self, want: Want) -> list[Asset]:
        """Return what the archive has for it."""
        if isinstance(self.transport, Folder):
            return self.transport.find(f"**/{self.product}.A*")
        if isinstance(self.transport, Earthdata):
            return self.transport.find(self.product, COLLECTION, want)
        raise DataError(f"{self.key}: {self.product} is not in a STAC API that we know; take it from Earthdata")

    def _granule(self, name: str) -> Granule | None:
        """Return what a file's name tells; None if it is no file of this product, collection and layer."""
        form = rf"{self.product}\.A(\d{{4}})001\.h(\d\d)v(\d\d)\.{COLLECTION}\.(\d{{13}})(\.hdf|_{self.layer}\.tif)"
        match = re.fullmatch(form, name)
        return match and Granule(int(match[1]), Tile(int(match[2]), int(match[3])), match[4])

    def _newest(self, files: Sequence[Path]) -> dict[tuple[int, Tile], Path]:
        """Return the newest file of each year and tile; files of Aqua are left aside."""
        newest: dict[tuple[int, Tile], tuple[str, Path]] = {}
        for path in files:
            granule = self._granule(path.name)
            if granule:
                one, place = (granule.production, path), (granule.year, granule.tile)
                newest[place] = max(one, newest.get(place, one))
            elif not path.name.startswith("MYD" + self.product[3:]):
                form = f"{self.product}.A<year>001.h<..>v<..>.{COLLECTION}.<production>.hdf"
                raise DataError(f"{path.name}: is of another product or collection, expected {form}; take it away")
        return {place: path for place, (_, path) in newest.items()}

    def _refuse_gaps(self, places: set[tuple[int, Tile]], years: set[int]) -> None:
        """Raise if one of these years lacks a tile that another year has."""
        other = {tile: year for year, tile in sorted(places, reverse=True)}
        for year in sorted(years):
            lost = sorted(tile for tile in other if (year, tile) not in places)
            if lost:
                raise DataError(
                    f"{self.product} {year}: tile {', '.join(map(str, lost))} is missing, which {other[lost[0]]} has; "
                    "fetch it, or ask the archive why it is not there"
                )

    def _by_hand(self, years: tuple[int, ...], tiles: set[Tile]) -> str:
        """Return what to put into the folder."""
        if not years:
            return ""
        return (
            f"{self.product}.{COLLECTION} of {', '.join(map(str, years))}, tiles {', '.join(map(str, sorted(tiles)))} "
            f"(those that are all ocean do not exist), into {self.transport.path}"
        )

    @abstractmethod
    def _values(self, path: Path, raw: np.ndarray) -> np.ndarray:
        """Return our numbers, NaN for what is none, of the numbers in a file."""

    @abstractmethod
    def _described(self, field: xr.DataArray) -> xr.DataArray:
        """Return the field with our name and attributes."""


class Mod17(_Tiles):
    """NPP by MOD17A3HGF, in g C m-2 yr-1: 0.1 of the stored number.

    Seven numbers, 32761 to 32767, stand for what has no NPP: unclassified, urban, wetland, snow and ice, barren, water
    and fill. They, and whatever else lies outside the product's valid range, are missing here, before anything can
    average them. Terra's product alone is read, not Aqua's (MYD17A3HGF).
    """

    product, layer, dtype = "MOD17A3HGF", "Npp_500m", "int16"
    _VALID = (-30000, 32700)

    def _find(self, want: Want) -> list[Asset]:
        if isinstance(self.transport, Stac):
            return self.transport.find("modis-17A3HGF-061", self.layer, want)
        return super()._find(want)

    def _values(self, path: Path, raw: np.ndarray) -> np.ndarray:
        good = (raw >= self._VALID[0]) & (raw <= self._VALID[1])
        return np.where(good, raw * np.float32(0.1), np.float32(np.nan))

    def _described(self, field: xr.DataArray) -> xr.DataArray:
        return described(field, "npp_modis")


class LandCover(_Tiles):
    """Land cover by MCD12Q1: the classes 1 to 17 of IGBP (LC_Type1), water 17; 255 is missing."""

    product, layer, dtype = "MCD12Q1", "LC_Type1", "uint8"
    _FILL = 255

    def _values(self, path: Path, raw: np.ndarray) -> np.ndarray:
        strange = set(np.unique(raw).tolist()) - {*IGBP_CLASSES, self._FILL}
        if strange:
            raise DataError(
                f"{path.name}: holds class {min(strange)}, expected 1 to 17 and {self._FILL}; fetch it again"
            )
        return np.where(raw == self._FILL, np.float32(np.nan), raw.astype("float32"))

    def _described(self, field: xr.DataArray) -> xr.DataArray:
        return described(field, "land_cover", **IGBP_FLAGS)


def _extent(box: Box) -> Box:
    """Return the smallest rectangle of the sinusoidal grid [m] that a box lies in."""
    # A meridian bends: it is farthest out where the box is nearest to the equator.
    latitudes = np.radians([box.south, box.north, min(max(0.0, box.south), box.north)])
    west, east = (RADIUS * np.radians(edge) * np.cos(latitudes) for edge in (box.west, box.east))
    return Box(west.min(), RADIUS * latitudes[0], east.max(), RADIUS * latitudes[1])


def _window(box: Box) -> tuple[slice, slice]:
    """Return the rows and columns that cover a box, counted from 90 N and 180 W."""
    left, bottom, right, top = _extent(box)
    edges = ((9 * TILE - top, 9 * TILE - bottom, 18), (left + 18 * TILE, right + 18 * TILE, 36))
    rows, columns = (
        slice(max(int(low // STEP) - windows.MARGIN, 0), min(int(high // STEP) + 1 + windows.MARGIN, tiles * CELLS))
        for low, high, tiles in edges
    )
    return rows, columns


def _overlap(window: slice, tile: int) -> tuple[slice, slice]:
    """Return where a tile lies in a window, and the part of the tile, along one axis; empty if start >= stop."""
    start, stop = max(window.start, tile * CELLS), min(window.stop, (tile + 1) * CELLS)
    return tuple(slice(start - at, stop - at) for at in (window.start, tile * CELLS))


def _read_tile(path: Path, layer: str, tile: Tile, rows: slice, columns: slice) -> np.ndarray:
    """Return a part of a tile as it is stored, after checking that the file lies where its name says."""
    expected = np.array([(tile.h - 18) * TILE, (9 - tile.v) * TILE, (tile.h - 17) * TILE, (8 - tile.v) * TILE])
    if path.suffix == ".hdf":
        *edges, width, height = hdf4.sinusoidal_place(path)
        shape = hdf4.array_shape(path, layer)
        _refuse_elsewhere(path, tile, expected, edges, {shape, (height, width)})
        return hdf4.read_window(path, layer, rows, columns)
    with windows.opened(path) as raster:
        left, bottom, right, top = raster.bounds
        _refuse_elsewhere(path, tile, expected, [left, top, right, bottom], {raster.shape})
        return windows.values_in(raster, rows.start, rows.stop, columns.start, columns.stop)


def _refuse_elsewhere(path: Path, tile: Tile, expected: np.ndarray, edges: Sequence[float], shapes: set) -> None:
    """Raise if a file does not have the cells of its tile."""
    if shapes != {(CELLS, CELLS)} or np.abs(expected - edges).max() > 1:
        raise DataError(
            f"{path.name}: its cells are not those of {tile} ({CELLS} x {CELLS} from {expected[0]:.0f}, "
            f"{expected[1]:.0f} m), found {shapes} from {edges[0]:.0f}, {edges[1]:.0f} m; was it renamed or resampled?"
        )
