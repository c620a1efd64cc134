"""Leaf area index of GLOBMAP (Liu et al. 2012): global files of 8 days or half a month, averaged over a year."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import rioxarray  # noqa: F401  (gives DataArrays their .rio)
import xarray as xr

from helpers.data.products import hdf4, windows
from helpers.data.products.interface import Asset, Box, Plan, Want
from helpers.data.products.transports import Folder, Zenodo
from helpers.data.variables import described
from helpers.errors import DataError

#: Cells of the grid; its western and northern edge and the size of a cell [degrees]. It ends at 62.8 S.
SHAPE, WEST, NORTH, STEP = (2090, 4950), -180.0, 89.2, 360 / 4950
#: Periods of a year, and the days of the longest one: 8 days; half months; 16 days.
CALENDARS = {46: 8, 24: 17, 23: 16}
_ONLY_EIGHT_DAYS_FROM = 2001  # with MODIS; before, half months by AVHRR


class GlobmapLai:
    """The mean leaf area index of a year: of all its periods, weighted by their days, which the names' dates tell.

    The stored number is 0.01; one outside 0 to 1000 is missing. A year needs all its periods, and so does each cell: a
    mean of the others would be that of a season. Whether 0 on land is bare ground or fill is not known: it stays 0.
    No HDF4 file says where its grid lies; the place is the one that others who read the product use.
    """

    in_blocks, static = False, False

    def __init__(self, key: str, transport: Zenodo | Folder, doi: str = "10.5281/zenodo.4700264") -> None:
        """Take the catalogue's key, the archive that has the files, and the record there."""
        self.key, self.transport, self.doi = key, transport, doi

    def plan(self, want: Want) -> Plan:
        """Return all files of the years; a year that lacks some of its periods is a DataError."""
        by_hand = isinstance(self.transport, Folder)
        found = self.transport.find("**/GlobMapLAIV3.A*") if by_hand else self.transport.find(self.doi)
        dated = {asset.name: day for asset in found if (day := _day(Path(asset.name).name))}
        assets = sorted((asset for asset in found if asset.name in dated), key=lambda asset: dated[asset.name])
        assets = [replace(asset, year=dated[asset.name][0]) for asset in assets if dated[asset.name][0] in want.years]
        for year in sorted({asset.year for asset in assets}):
            _lengths(year, [dated[asset.name][1] for asset in assets if asset.year == year])
        absent = tuple(year for year in want.years if year not in {asset.year for asset in assets})
        packed = [asset.name for asset in found if re.search(r"\.(zip|rar|7z|tar|t?gz)$", asset.name)]
        if absent and (by_hand or packed):
            source = f"the record is {self.doi}"
            if packed and not by_hand:
                source = f"unpack {', '.join(packed)} of {self.doi}, and set its transport to folder"
            years = ", ".join(map(str, absent))
            form = "GlobMapLAIV3.A<year><day>.Global.hdf or …LAI.tif"
            return Plan(tuple(assets), by_hand=f"all periods of {years} ({form}) into the product's folder; {source}")
        return Plan(tuple(assets), absent)

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of a file, whole and verified."""
        return self.transport.fetch(asset, folder)

    def open(self, files: Sequence[Path], box: Box, year: int | None) -> xr.DataArray:
        """Return the mean of a year in the cells that cover a box."""
        days = _days(files, year)
        rows, columns = _window(box)
        total = np.zeros((rows.stop - rows.start, columns.stop - columns.start), "float64")
        lengths = _lengths(year, days)
        for day, length in lengths.items():
            counts = _read(days[day], rows, columns)
            _refuse_fractions(days[day], counts)
            total += np.where((counts >= 0) & (counts <= 1000), counts, np.nan) * (0.01 * length)
        mean = (total / sum(lengths.values())).astype("float32")
        y, x = (np.arange(part.start, part.stop) + 0.5 for part in (rows, columns))
        field = xr.DataArray(mean, {"y": NORTH - y * STEP, "x": WEST + x * STEP}, ("y", "x"))
        return described(field, "lai").rio.write_crs("EPSG:4326")


def _day(name: str) -> tuple[int, int] | None:
    """Return year and day of the year of a file; None if it is no file of the product."""
    match = re.fullmatch(r"GlobMapLAIV3\.A(\d{4})(\d{3})\.Global(\.hdf|(\.LAI)?\.tif)", name)
    return match and (int(match[1]), int(match[2]))


def _days(files: Sequence[Path], year: int | None) -> dict[int, Path]:
    """Return the file of each day of a year, a period's first."""
    days: dict[int, Path] = {}
    for path in files:
        named = _day(path.name)
        if named is None:
            raise DataError(f"{path.name}: expected GlobMapLAIV3.A<year><day>.Global.hdf or ….LAI.tif; take it away")
        if named[0] == year:
            if named[1] in days:
                raise DataError(f"{path.name} and {days[named[1]].name} are of the same period: take one away")
            days[named[1]] = path
    return days


def _lengths(year: int | None, days: Iterable[int]) -> dict[int, int]:
    """Return the days that each period of a year lasts; a year that lacks some is a DataError."""
    starts = sorted(days)
    if not starts:
        raise DataError(f"GLOBMAP LAI {year}: no file of this year; fetch it")
    ends = [*starts[1:], 366 + calendar.isleap(year)]
    lengths = {start: end - start for start, end in zip(starts, ends, strict=True)}
    whole = {46: CALENDARS[46]} if year >= _ONLY_EIGHT_DAYS_FROM else CALENDARS
    if starts[0] != 1 or max(lengths.values()) > whole.get(len(starts), 0):
        lost = [day for day in range(1, 366, 8) if day not in lengths]
        expected = f"46 of 8 days (not there: {', '.join(map(str, lost))})"
        if len(whole) > 1:
            expected += ", 24 half months or 23 of 16 days"
        raise DataError(f"GLOBMAP LAI {year}: found {len(starts)} periods, expected {expected}; fetch the others")
    return lengths


def _window(box: Box) -> tuple[slice, slice]:
    """Return the rows and columns that cover a box."""
    edges = ((NORTH - box.north, NORTH - box.south), (box.west - WEST, box.east - WEST))
    rows, columns = (
        slice(max(int(low // STEP) - windows.MARGIN, 0), min(int(high // STEP) + 1 + windows.MARGIN, size))
        for (low, high), size in zip(edges, SHAPE, strict=True)
    )
    return rows, columns


def _read(path: Path, rows: slice, columns: slice) -> np.ndarray:
    """Return a part of a file as it is stored."""
    if path.suffix == ".hdf":
        _refuse_shape(path, hdf4.array_shape(path, "LAI"))
        return hdf4.read_window(path, "LAI", rows, columns)
    with windows.opened(path) as raster:
        _refuse_shape(path, raster.shape)
        corner = np.array([raster.transform.c - WEST, raster.transform.f - NORTH])
        if not raster.transform.is_identity and np.abs(corner).max() > STEP / 10:
            raise DataError(
                f"{path.name}: begins at {raster.transform.c:g} E {raster.transform.f:g} N, expected {WEST:g} E "
                f"{NORTH:g} N; take the product's own file"
            )
        return windows.values_in(raster, rows.start, rows.stop, columns.start, columns.stop)


def _refuse_fractions(path: Path, counts: np.ndarray) -> None:
    """Raise if the numbers of a file are no counts: a converted file may hold leaf area, a hundred times smaller."""
    valid = counts[(counts >= 0) & (counts <= 1000)]
    if (valid % 1 != 0).any():
        raise DataError(
            f"{path.name}: holds {valid[valid % 1 != 0][0]:g}, expected whole numbers, hundredths of leaf area; is it "
            "converted? Take the product's own file"
        )


def _refuse_shape(path: Path, shape: tuple[int, ...]) -> None:
    """Raise if a file does not have the cells of the grid."""
    if tuple(shape) != SHAPE:
        raise DataError(f"{path.name}: has {shape} cells, expected {SHAPE}; take the product's own file")
