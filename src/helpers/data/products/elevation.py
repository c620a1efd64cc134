"""Elevation at 90 m: Copernicus GLO-90, and the SRTM tiles in UTM that the paper names."""

from __future__ import annotations

import math
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT

from helpers.data.products.interface import Asset, Box, Plan, Want
from helpers.data.products.transports import Folder, Https
from helpers.data.products.windows import Lattice, lattice_of, masked, opened, values_on
from helpers.data.variables import VARIABLES
from helpers.errors import DataError

_STEP = 1 / 1200
_WGS84 = CRS.from_epsg(4326)
#: GLO-90 gives heights at points, whole degrees among them: each is the centre of a cell.
_POINTS = Lattice(Affine(_STEP, 0, -180 - _STEP / 2, 0, -_STEP, 90 + _STEP / 2), 180 * 1200, 360 * 1200, _WGS84)
_CELLS = Lattice(Affine(_STEP, 0, -180, 0, -_STEP, 90), 180 * 1200, 360 * 1200, _WGS84)


@dataclass(frozen=True)
class Glo90:
    """Copernicus GLO-90: tiles of one degree, named by their south-western corner; those of the sea do not exist.

    A tile has its first row and column half a cell outside its degree. North of 50 degrees its columns are wider; they
    are repeated here, so that all tiles lie on one lattice of 3 arc-seconds.
    """

    key: str
    transport: Https | Folder
    in_blocks: ClassVar[bool] = True
    static: ClassVar[bool] = True

    def plan(self, want: Want) -> Plan:
        """Return the tiles of the box that exist: the archive is asked for each."""
        names = [_glo90(east, north) for east, north in _degrees(want.box, 1)]
        if isinstance(self.transport, Folder):
            assets = [one for one in self.transport.find("**/*.tif") if Path(one.name).stem in names]
            absent = sorted(set(names) - {Path(one.name).stem for one in assets})
            where = f"put into {self.transport.path}, if they are not of the sea: {', '.join(absent)}"
            return Plan(tuple(assets), by_hand=where if absent else "")
        assets = self.transport.find([f"{name}/{name}.tif" for name in names])
        if not assets:
            raise DataError(f"{self.key}: none of {len(names)} tiles such as {names[0]} is at {self.transport.base}")
        return Plan(tuple(assets))

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of a tile, whole and verified."""
        return self.transport.fetch(asset, folder)

    def open(self, files: Sequence[Path], box: Box, year: int | None) -> xr.DataArray:
        """Return heights [m] on the lattice of the tiles; the sea, where there is no tile, is missing."""
        window = _POINTS.part(box)
        values = np.full((window.rows, window.columns), np.nan, "float32")
        for path, east, north in self._tiles(files):
            part, cells = window.within(east - 0.1, north - 0.1, east + 1.1, north + 1.1)
            if cells.rows and cells.columns:
                tile = lattice_of(path).transform
                if np.abs(np.subtract((tile.c, tile.f), (east - tile.a / 2, north + 1 - tile.e / 2))).max() > 1e-6:
                    raise DataError(f"{path.name}: its corner is {tile.c:.6f} E {tile.f:.6f} N; is it another tile?")
                found = values_on(path, cells, _heights, nearest=True)
                np.copyto(values[part], found, where=np.isfinite(found))
        return window.field(values, "elevation")

    def _tiles(self, files: Sequence[Path]) -> Iterator[tuple[Path, int, int]]:
        """Return the files with the corners that their names tell."""
        for path in files:
            found = re.fullmatch(r"Copernicus_DSM_COG_30_([NS])(\d\d)_00_([EW])(\d{3})_00_DEM", path.stem)
            if found is None:
                raise DataError(f"{self.key}: {path.name} is no tile; expected names such as {_glo90(90, 33)}.tif")
            yield path, int(found[4]) * (1 if found[3] == "E" else -1), int(found[2]) * (1 if found[1] == "N" else -1)


@dataclass(frozen=True)
class SrtmZip:
    """SRTM tiles of 5 degrees in UTM, ``utm_srtm_XX_YY.img.zip``, put into a folder by hand.

    A box may have tiles of several UTM zones, so it is read onto one grid: geographic cells of 3 arc-seconds, each with
    the nearest value of the first tile that has one there.
    """

    key: str
    transport: Folder
    in_blocks: ClassVar[bool] = True
    static: ClassVar[bool] = True

    def plan(self, want: Want) -> Plan:
        """Return the tiles of the box that lie in the folder, and the names of those that do not."""
        corners = [(1 + (east + 180) // 5, (60 - north) // 5) for east, north in _degrees(want.box, 5)]
        names = [f"utm_srtm_{column:02d}_{row:02d}.img.zip" for column, row in corners]
        assets = [one for one in self.transport.find("**/*.img.zip") if Path(one.name).name in names]
        absent = sorted(set(names) - {Path(one.name).name for one in assets})
        where = f"put into {self.transport.path}, if they are not of the sea: {', '.join(absent)}"
        return Plan(tuple(assets), by_hand=where if absent else "")

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of a tile."""
        return self.transport.fetch(asset, folder)

    def open(self, files: Sequence[Path], box: Box, year: int | None) -> xr.DataArray:
        """Return heights [m] on geographic cells of 3 arc-seconds."""
        window = _CELLS.part(box)
        values = np.full((window.rows, window.columns), np.nan, "float32")
        for path in files:
            found = re.fullmatch(r"utm_srtm_(\d\d)_(\d\d)\.img\.zip", path.name)
            if found is None:
                raise DataError(f"{self.key}: {path.name} is no tile; expected names such as utm_srtm_56_06.img.zip")
            west, north = 5 * (int(found[1]) - 1) - 180, 60 - 5 * (int(found[2]) - 1)
            part, cells = window.within(west - 0.1, north - 5.1, west + 5.1, north + 0.1)
            if cells.rows and cells.columns:
                np.copyto(values[part], _warped(path, cells), where=np.isnan(values[part]))
        return window.field(values, "elevation")


def _warped(path: Path, window: Lattice) -> NDArray[np.float32]:
    """Return the values of a zipped tile on geographic cells, each the nearest."""
    try:
        with zipfile.ZipFile(path) as archive:
            images = [name for name in archive.namelist() if name.lower().endswith(".img")]
    except (zipfile.BadZipFile, OSError) as error:
        raise DataError(f"{path.name}: cannot be read ({error}); delete it and get it again") from None
    if len(images) != 1:
        raise DataError(f"{path.name}: expected one .img, found {', '.join(images) or 'none'}; is it another file?")
    with opened(f"/vsizip/{path}/{images[0]}", path.name) as raster:
        if raster.crs is None or not raster.crs.is_projected:
            raise DataError(f"{path.name}: expected a projection (UTM), found {raster.crs}; is it another file?")
        missing = -32768 if raster.nodata is None else raster.nodata
        size = {"width": window.columns, "height": window.rows, "transform": window.transform}
        numbers = {"src_nodata": missing, "nodata": missing, "resampling": Resampling.nearest, "tolerance": 0.01}
        with WarpedVRT(raster, crs=window.crs, **size, **numbers) as warped:
            return _heights(warped.read(1), missing)


def _heights(stored: NDArray, missing: float | None) -> NDArray[np.float32]:
    """Return heights; what no place on land has is a number for missing, whether the file names it or not."""
    values = masked(stored, missing)
    known = VARIABLES["elevation"]
    values[(values < known.low) | (values > known.high)] = np.nan
    return values


def _degrees(box: Box, size: int) -> Iterator[tuple[int, int]]:
    """Return the south-western corners of the tiles of so many degrees that a box lies in."""
    for north in range(math.floor(box.south / size) * size, math.ceil(box.north), size):
        for east in range(math.floor(box.west / size) * size, math.ceil(box.east), size):
            yield east, north


def _glo90(east: int, north: int) -> str:
    """Return the name of the tile with a south-western corner."""
    latitude, longitude = f"{'N' if north >= 0 else 'S'}{abs(north):02d}", f"{'E' if east >= 0 else 'W'}{abs(east):03d}"
    return f"Copernicus_DSM_COG_30_{latitude}_00_{longitude}_00_DEM"
