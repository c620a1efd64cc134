"""The China Meteorological Forcing Dataset 1.6 (He et al. 2020): yearly means, one packed netCDF file a variable."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from rasterio import Affine
from rasterio.crs import CRS

from helpers.data.products.interface import Asset, Box, Plan, Want
from helpers.data.products.rasters import listed
from helpers.data.products.session import needed
from helpers.data.products.transports import Figshare, Folder
from helpers.data.products.windows import Lattice
from helpers.errors import DataError

#: Our name, and the units that a file may state, without blanks and in small letters.
_VARIABLES = {
    "temp": ("temperature", ("k", "kelvin")),
    "prec": ("precipitation", ("mmhr-1", "mmh-1", "mm/hr", "mm/h", "mm/hour", "mmhour-1")),
    "srad": ("srad", ("wm-2", "w/m2", "w/m^2", "wm**-2")),
}
_NAME = re.compile(
    r"(?P<variable>[a-z]+)_(?:ITPCAS-)?CMFD_V(?P<version>\d{4})_B-01_(?P<step>\w+)_010deg_(?P<period>.+)\.nc"
)
_FIRST, _LAST = 1979, 2018


@dataclass(frozen=True)
class Cmfd:
    """Yearly means of one variable: temperature [degC], precipitation [mm yr-1] or radiation [W m-2], 0.1 degree."""

    key: str
    transport: Figshare | Folder
    variable: Literal["temp", "prec", "srad"]
    doi: str = ""  #: Of the archive's record; a folder needs none.
    in_blocks: ClassVar[bool] = False
    static: ClassVar[bool] = False

    def plan(self, want: Want) -> Plan:
        """Return the one file of all years; the archive is asked for its list."""
        found = listed(self.transport, self.doi)
        of_variable = [one for one in found if self._is_file(Path(one.name).name)]
        lacking = tuple(year for year in want.years if not _FIRST <= year <= _LAST)
        by_hand = "" if of_variable else f"{self._expected} is expected; there is {_listed(one.name for one in found)}"
        return Plan(tuple(of_variable[:1]), lacking, by_hand)

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of the file, whole and verified."""
        return self.transport.fetch(asset, folder)

    def open(self, files: Sequence[Path], box: Box, year: int | None) -> xr.DataArray:
        """Return the mean of a year, or its sum of precipitation: the rate by the hours of that very year."""
        name, units = _VARIABLES[self.variable]
        path = next((path for path in files if self._is_file(path.name)), None)
        if path is None:
            raise DataError(self._refusal([path.name for path in files]))
        with _opened(path) as file:
            if self.variable not in file.variables:
                raise DataError(f"{path.name}: {self.variable} is missing, found {', '.join(file.variables)}")
            stored = file.variables[self.variable]
            _refuse_unit(path, stored, units)
            lattice = _cells(path, file)
            window = lattice.part(box)
            values = _window(stored, _time_of(path, file, year), lattice, window)
        hours = 24 * (366 if calendar.isleap(year or 0) else 365)
        values = {"temp": lambda: values - 273.15, "prec": lambda: values * hours, "srad": lambda: values}[
            self.variable
        ]()
        return window.field(values, name)

    @property
    def _expected(self) -> str:
        """Name of the file."""
        return f"{self.variable}_CMFD_V0106_B-01_01yr_010deg_{_FIRST}-{_LAST}.nc"

    def _is_file(self, name: str) -> bool:
        """Tell whether a name is that of the yearly means of the variable."""
        found = _NAME.fullmatch(name)
        return bool(found) and (found["variable"], found["version"], found["step"]) == (self.variable, "0106", "01yr")

    def _refusal(self, names: Sequence[str]) -> str:
        """Say what is wrong with the files that there are."""
        for name in names:
            found = _NAME.fullmatch(name)
            if found and found["variable"] == self.variable and found["version"] != "0106":
                return f"{name}: version {found['version']} is another product; expected 1.6, {self._expected}"
            if found and found["variable"] == self.variable:
                return f"{name}: its step is {found['step']}; expected yearly means, {self._expected}"
        return f"{self.key}: {self._expected} is missing, found {_listed(names)}; get it from the archive"


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a netCDF file with its numbers as they are stored; what goes wrong is a DataError that names it."""
    try:
        with needed("netCDF4").Dataset(path) as file:
            file.set_auto_maskandscale(False)
            yield file
    except (OSError, RuntimeError) as error:
        hint = "if it was cut short, delete it and fetch it again"
        raise DataError(f"{path.name}: cannot be read as netCDF ({error}); {hint}") from None


def _refuse_unit(path: Path, stored: Any, units: tuple[str, ...]) -> None:
    """Raise if a file states another unit than the documented one."""
    unit = str(getattr(stored, "units", units[0]))
    if unit.lower().replace(" ", "") not in units:
        raise DataError(
            f"{path.name}: the unit of {stored.name} is {unit!r}; expected {units[0]!r}; is it another file?"
        )


def _cells(path: Path, file: Any) -> Lattice:
    """Return the cells of a file from its axes, north first."""
    axes = []
    for axis in ("lon", "lat"):
        if axis not in file.variables or len(file.variables[axis][:]) < 2:
            raise DataError(f"{path.name}: has no axis {axis}, found {', '.join(file.variables)}; is it another file?")
        centres = np.asarray(file.variables[axis][:], "float64")
        step = np.round((centres[-1] - centres[0]) / (centres.size - 1), 5)
        rising = abs(step) if axis == "lat" else step  # rows are turned, columns are not
        if np.abs(np.diff(centres) - step).max() > 1e-3 or abs(rising - 0.1) > 1e-4:
            raise DataError(f"{path.name}: {axis} is not in steps of 0.1 degree, but {step:g}; is it another file?")
        axes.append((np.round(min(centres[0], centres[-1]), 4), centres.size))
    (west, columns), (south, rows) = axes
    corner = Affine(0.1, 0, np.round(west - 0.05, 4), 0, -0.1, np.round(south + 0.1 * (rows - 0.5), 4))
    return Lattice(corner, rows, columns, CRS.from_epsg(4326))


def _time_of(path: Path, file: Any, year: int | None) -> int:
    """Return the place of a year on the time axis, which must be the years that the name tells, in order."""
    time = file.variables["time"]
    calendar_name = getattr(time, "calendar", "standard")
    years = [one.year for one in needed("netCDF4").num2date(time[:], time.units, calendar_name)]
    first, last = (int(end[:4]) for end in _NAME.fullmatch(path.name)["period"].split("-"))
    if years != list(range(first, last + 1)):
        raise DataError(f"{path.name}: its time axis has {_listed(map(str, years))}; its name tells {first} to {last}")
    if year not in years:
        raise DataError(f"{path.name}: has no year {year}, but {first} to {last}")
    return years.index(year)


def _window(stored: Any, time: int, lattice: Lattice, window: Lattice) -> NDArray[np.float32]:
    """Return the unpacked values of a window at one time, north first; NaN is missing or beyond the file."""
    top, left = lattice.first_of(window)
    rows = np.arange(max(top, 0), min(top + window.rows, lattice.rows))
    columns = np.arange(max(left, 0), min(left + window.columns, lattice.columns))
    values = np.full((window.rows, window.columns), np.nan, "float32")
    if rows.size and columns.size:
        at = {"time": time, "lat": slice(None), "lon": slice(columns[0], columns[-1] + 1)}
        latitude = stored.group().variables["lat"]
        southern = latitude[0] < latitude[1]
        first, last = (lattice.rows - 1 - rows[-1], lattice.rows - 1 - rows[0]) if southern else (rows[0], rows[-1])
        at["lat"] = slice(first, last + 1)
        numbers = np.asarray(stored[tuple(at[axis] for axis in stored.dimensions)])
        if [axis for axis in stored.dimensions if axis != "time"] == ["lon", "lat"]:
            numbers = numbers.T
        found = _unpacked(stored, numbers)
        values[np.ix_(rows - top, columns - left)] = found[::-1] if southern else found
    return values


def _unpacked(stored: Any, numbers: NDArray) -> NDArray[np.float32]:
    """Return values from stored numbers by the scale, offset and numbers for missing that the file states."""
    marks = [getattr(stored, name) for name in ("_FillValue", "missing_value") if hasattr(stored, name)]
    default = needed("netCDF4").default_fillvals[numbers.dtype.str[1:]]
    missing = np.isin(numbers, np.array([*np.ravel(marks), default]).astype(numbers.dtype)) | ~np.isfinite(numbers)
    values = numbers * float(getattr(stored, "scale_factor", 1)) + float(getattr(stored, "add_offset", 0))
    return np.where(missing, np.nan, values).astype("float32")


def _listed(names) -> str:
    """Return a few names, and how many more there are."""
    names = list(names)
    return (", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")) or "none"
