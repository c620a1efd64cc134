"""Parts of raster files: which cells cover a box, and the values on them, north first, NaN where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import rioxarray  # noqa: F401  (gives DataArrays their .rio)
import xarray as xr
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError, RasterioError
from rasterio.warp import transform_bounds
from rasterio.windows import Window

from helpers.data.products.interface import Box
from helpers.data.variables import described
from helpers.errors import DataError

#: Cells that a window has beyond its box, so that a mean at the edge finds all that it needs.
MARGIN = 2
_CUT = "if it was cut short, delete it and fetch it again"
#: What turns stored numbers, and the file's own number for missing, into values and NaN.
Decode = Callable[[NDArray, float | None], NDArray]


@dataclass(frozen=True)
class Lattice:
    """Cells of a raster, the first row in the north."""

    transform: Affine
    rows: int
    columns: int
    crs: CRS

    @property
    def x(self) -> NDArray[np.float64]:
        """Centres of the columns."""
        return self.transform.c + (np.arange(self.columns) + 0.5) * self.transform.a

    @property
    def y(self) -> NDArray[np.float64]:
        """Centres of the rows."""
        return self.transform.f + (np.arange(self.rows) + 0.5) * self.transform.e

    def part(self, box: Box) -> Lattice:
        """Return the cells that cover a box, and :data:`MARGIN` around it; they may lie beyond these."""
        left, bottom, right, top = transform_bounds("EPSG:4326", self.crs, *box, densify_pts=200)
        if not np.isfinite([left, bottom, right, top]).all():
            raise DataError(f"box {tuple(box)}: has no place in the projection {self.crs.to_string()}")
        step = self.transform
        # Rounding forgives the noise of binary fractions, so that two tiles of a lattice give the same cells.
        column, row = (np.floor(np.round(at, 6)) - MARGIN for at in ((left - step.c) / step.a, (top - step.f) / step.e))
        ends = (np.ceil(np.round(at, 6)) + MARGIN for at in ((right - step.c) / step.a, (bottom - step.f) / step.e))
        columns, rows = (int(end - start) for end, start in zip(ends, (column, row), strict=True))
        return self._moved(int(row), int(column), rows, columns)

    def within(self, west: float, south: float, east: float, north: float) -> tuple[tuple[slice, slice], Lattice]:
        """Return which of the rows and columns have their centres between edges of this CRS, and those cells."""
        rows, columns = (
            ((self.y > south) & (self.y < north)).nonzero()[0],
            ((self.x > west) & (self.x < east)).nonzero()[0],
        )
        part = tuple(slice(*((some[0], some[-1] + 1) if some.size else (0, 0))) for some in (rows, columns))
        return part, self._moved(part[0].start, part[1].start, rows.size, columns.size)

    def first_of(self, other: Lattice) -> tuple[int, int]:
        """Return the row and the column that the first cell of others on the same lattice has here."""
        a, b = self.transform, other.transform
        return round((b.f - a.f) / a.e), round((b.c - a.c) / a.a)

    def field(self, values: NDArray, name: str, **attributes: object) -> xr.DataArray:
        """Return values on these cells as a variable of :data:`helpers.data.variables.VARIABLES`."""
        made = xr.DataArray(np.asarray(values, "float32"), {"y": self.y, "x": self.x}, ("y", "x"))
        return described(made, name, **attributes).rio.write_crs(self.crs)

    def _moved(self, row: int, column: int, rows: int, columns: int) -> Lattice:
        """Return so many cells from a row and a column on."""
        step = self.transform
        corner = Affine(step.a, 0, step.c + column * step.a, 0, step.e, step.f + row * step.e)
        return Lattice(corner, rows, columns, self.crs)


def lattice_of(path: Path, crs: str = "") -> Lattice:
    """Return the cells of a raster file of one band; ``crs`` is that of a file that names none."""
    with opened(path) as raster:
        return cells_of(raster, path.name, crs)


def values_on(path: Path, lattice: Lattice, decode: Decode, crs: str = "", nearest: bool = False) -> NDArray:
    """Return a file's values on some cells; those that it does not have are NaN.

    The cells must be the file's own, moved by whole cells; with ``nearest`` each takes the file's cell that its centre
    lies in. Only the window is read, at full resolution: overviews are never. A DataError names the file.
    """
    values = np.full((lattice.rows, lattice.columns), np.nan, "float32")
    with opened(path) as raster:
        own = cells_of(raster, path.name, crs)
        if not nearest:
            _refuse_other_cells(own, lattice, path.name)
        to_row, rows = _places(lattice.y, own.transform.f, own.transform.e, own.rows)
        to_column, columns = _places(lattice.x, own.transform.c, own.transform.a, own.columns)
        if rows.size and columns.size:
            window = values_in(raster, rows[0], rows[-1] + 1, columns[0], columns[-1] + 1)
            found = decode(window, raster.nodata)
            values[np.ix_(to_row, to_column)] = found[np.ix_(rows - rows[0], columns - columns[0])]
    return values


def values_in(raster: rasterio.DatasetReader, top: int, bottom: int, left: int, right: int) -> NDArray:
    """Return the stored numbers of rows and columns, counted from the north-western corner."""
    if raster.transform.e < 0:
        return raster.read(1, window=Window.from_slices((top, bottom), (left, right)))
    rows = (raster.height - bottom, raster.height - top)
    return raster.read(1, window=Window.from_slices(rows, (left, right)))[::-1]


def masked(stored: NDArray, *missing: float | None) -> NDArray[np.float32]:
    """Return stored numbers as single precision, NaN where they are one of those that mean missing, or not finite."""
    values = stored.astype("float32")
    for number in missing:
        if number is not None:
            values[stored == (np.float32(number) if stored.dtype == np.float32 else number)] = np.nan
    values[~np.isfinite(values)] = np.nan
    return values


@contextmanager
def opened(path: Path | str, name: str = "") -> Iterator[rasterio.DatasetReader]:
    """Open a raster; what goes wrong, then or while it is read, is a DataError that names it."""
    name = name or Path(path).name
    try:
        with rasterio.open(path) as raster:
            yield raster
    except (RasterioError, CRSError) as error:
        raise DataError(f"{name}: cannot be read as a raster ({error.__cause__ or error}); {_CUT}") from None


def cells_of(raster: rasterio.DatasetReader, name: str, crs: str = "") -> Lattice:
    """Return the cells of an open raster of one band, the first row in the north; ``crs``: where it names none."""
    if raster.count != 1:
        raise DataError(f"{name}: expected one band, found {raster.count}; is it another file?")
    step = raster.transform
    if step.b or step.d or step.a <= 0 or not step.e or step == Affine.identity():
        raise DataError(
            f"{name}: cannot be read as a map: expected rows and columns along axes, found {tuple(step)[:6]}; {_CUT}"
        )
    if step.e > 0:
        step = Affine(step.a, 0, step.c, 0, -step.e, step.f + step.e * raster.height)
    own = raster.crs if raster.crs and (raster.crs.is_geographic or raster.crs.is_projected) else None
    if own is None and not crs:
        raise DataError(f"{name}: names no projection that is known; say which with the option crs, e.g. a PROJ text")
    return Lattice(step, raster.height, raster.width, own or CRS.from_user_input(crs))


def _places(centres: NDArray, edge: float, step: float, size: int) -> tuple[NDArray, NDArray]:
    """Return which centres lie in a raster, and in which of its rows or columns."""
    cells = np.floor((centres - edge) / step).astype(int)
    inside = np.flatnonzero((cells >= 0) & (cells < size))
    return inside, cells[inside]


def _refuse_other_cells(own: Lattice, lattice: Lattice, name: str) -> None:
    """Raise if the cells of two rasters do not lie on one lattice."""
    a, b = own.transform, lattice.transform
    shift = np.array([(b.c - a.c) / a.a, (b.f - a.f) / a.e])
    far = max(lattice.rows, lattice.columns)
    steps = abs(b.a / a.a - 1) * far < 0.01 and abs(b.e / a.e - 1) * far < 0.01
    if not steps or np.abs(shift - np.round(shift)).max() > 0.01 or own.crs != lattice.crs:
        raise DataError(
            f"{name}: its cells ({a.a:g} x {-a.e:g} from {a.c:.12g}, {a.f:.12g}) are not those of the files beside it "
            f"({b.a:g} x {-b.e:g} from {b.c:.12g}, {b.f:.12g}); is it of another product?"
        )
