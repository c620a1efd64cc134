"""NPP of CASA and of GLO_PEM: rasters of months or years, whose names, numbers and projection a configuration tells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from helpers.data.products.interface import Asset, Box, Plan, Want
from helpers.data.products.transports import Figshare, Folder, Zenodo
from helpers.data.products.windows import lattice_of, masked, opened, values_on
from helpers.errors import ConfigError, DataError

_ARCHIVES = (".rar", ".7z", ".zip")
_MONTHS = list(range(1, 13))
#: No land has less or more NPP in a year, or in a month, g C m-2: what is beyond is a code, or in another unit.
_LEAST, _MOST = -500, 4000


@dataclass(frozen=True)
class YearlyRasters:
    """A product of one raster for each year, or for each month; twelve months are summed."""

    key: str
    transport: Figshare | Zenodo | Folder
    #: Names of its files: ``{year}``, ``{month}`` for months, ``*`` for anything, as in ``NPP_{year}_{month}.tif``.
    pattern: str
    years: Sequence[int]  #: Its first and last year.
    period: Literal["month", "year"] = "year"
    scale: float | None = None  #: Unit of a stored number, g C m-2 in a period; None: what the file says.
    nodata: float | None = None  #: Stored number for missing, beside the one that the file names.
    low: float | None = None  #: Least value of a file, g C m-2: what is below is a code.
    high: float | None = None  #: Greatest value of a file, g C m-2: what is above is a code.
    crs: str = ""  #: Projection of files that name none, as PROJ text, WKT or EPSG code.
    doi: str = ""  #: Of the archive's record; a folder needs none.
    variable: str = "npp"
    in_blocks: ClassVar[bool] = True
    static: ClassVar[bool] = False

    def __post_init__(self) -> None:
        """Refuse names that do not tell the period."""
        monthly = self.period == "month"
        if "{year}" not in self.pattern or ("{month}" in self.pattern) != monthly:
            names = "{year} and {month}" if monthly else "{year} and no {month}"
            raise ConfigError(f"{self.key}: pattern is {self.pattern!r}; for period {self.period} it needs {names}")

    def plan(self, want: Want) -> Plan:
        """Return the files of the years that the product has; the archive is asked for its list."""
        found = listed(self.transport, self.doi)
        first, last = self.years
        has = [year for year in want.years if first <= year <= last]
        assets = [replace(one, year=when[0]) for one in found if (when := self._when(one.name)) and when[0] in has]
        absent = [year for year in has if len(self._months([one.name for one in assets], year)) < self._files]
        lacking = tuple(year for year in want.years if year not in has)
        return Plan(tuple(assets), lacking, self._by_hand(found, absent) if absent else "")

    def fetch(self, asset: Asset, folder: Path) -> Path:
        """Return the path of a file, whole and verified."""
        return self.transport.fetch(asset, folder)

    def open(self, files: Sequence[Path], box: Box, year: int | None) -> xr.DataArray:
        """Return the sum of a year; a cell that one of its months lacks is missing.

        The attribute ``outside_range`` counts the values that were no values by the options ``low`` and ``high``.
        """
        chosen = self._of_year(files, year)
        lattice = lattice_of(chosen[0], self.crs).part(box)
        total, outside = np.zeros((lattice.rows, lattice.columns)), 0
        low, high = (edge if edge is not None else end for edge, end in ((self.low, -np.inf), (self.high, np.inf)))
        for path in chosen:
            values = values_on(path, lattice, self._decoder(path), self.crs) * np.float32(self._scale(path))
            beyond = (values < low) | (values > high)
            outside += int(beyond.sum())
            total += self._plausible(path, np.where(beyond, np.nan, values))
        self._plausible(chosen[0], total)
        return lattice.field(total, self.variable, outside_range=outside)

    def _plausible(self, path: Path, values: NDArray) -> NDArray:
        """Return values; raise if one is no NPP."""
        strange = values[(values < _LEAST) | (values > _MOST)]
        if strange.size:
            raise DataError(
                f"{path.name}: {strange.size} values such as {strange[0]:g} are no NPP in g C m-2, expected {_LEAST} "
                f"to {_MOST}: under connectors.{self.key}, set scale, or say what is a code by nodata or low and high"
            )
        return values

    @property
    def _files(self) -> int:
        """How many files a year has."""
        return len(_MONTHS) if self.period == "month" else 1

    def _when(self, name: str) -> tuple[int, int] | None:
        """Return the year and the month, 1 for a year, that a name tells."""
        text = re.escape(self.pattern).replace(r"\*", ".*")
        text = text.replace(r"\{year\}", r"(?P<year>\d{4})").replace(r"\{month\}", r"(?P<month>\d{1,2})")
        if found := re.fullmatch(text, Path(name).name, re.IGNORECASE):
            return int(found["year"]), int(found.groupdict().get("month") or 1)
        return None

    def _months(self, names: Sequence[str], year: int | None) -> dict[int, str]:
        """Return which file is which month of a year; two of one month are refused."""
        found: dict[int, str] = {}
        for name in names:
            when = self._when(name)
            if when and when[0] == year and found.setdefault(when[1], name) != name:
                raise DataError(
                    f"{self.key}: {name} and {found[when[1]]} are the same period; remove one, or is period month?"
                )
        return found

    def _of_year(self, files: Sequence[Path], year: int | None) -> list[Path]:
        """Return the file of a year, or those of its months, in order."""
        months = self._months([str(path) for path in files], year)
        if sorted(months) == _MONTHS[: self._files]:
            return [Path(months[month]) for month in sorted(months)]
        missing = sorted(set(_MONTHS[: self._files]) - set(months))
        what = f"months {', '.join(map(str, missing))} of {year}" if self.period == "month" else str(year)
        if wrong := sorted(set(months) - set(_MONTHS[: self._files])):
            what += f" (and {', '.join(Path(months[month]).name for month in wrong)} is no month)"
        hint = _unpacking([path.name for path in files]) or f"its names are expected as {self.pattern}"
        raise DataError(f"{self.key}: no file of {what} among {len(files)}; {hint}")

    def _by_hand(self, found: Sequence[Asset], absent: Sequence[int]) -> str:
        """Say what the archive has in place of some years."""
        names = [one.name for one in found]
        there = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        years = ", ".join(map(str, absent))
        hint = (
            _unpacking(names) or f"set the option pattern to its names, or put files as {self.pattern} into its folder"
        )
        return f"{years}: {self._files} file(s) {self.pattern} a year are expected; there is {there or 'none'}; {hint}"

    def _scale(self, path: Path) -> float:
        """Return the unit of a file's stored numbers."""
        if self.scale is not None:
            return self.scale
        with opened(path) as raster:
            if raster.offsets[0]:
                raise DataError(
                    f"{path.name}: adds {raster.offsets[0]:g} to its numbers, which is not read: write a file of values"
                )
            return raster.scales[0]

    def _decoder(self, path: Path):
        """Return what tells values of a file from its numbers for missing."""

        def decode(stored: NDArray, own: float | None) -> NDArray:
            """Return numbers of a file as floats, NaN where they stand for none."""
            if own is None and self.nodata is None and self.low is None and self.high is None:
                raise DataError(
                    f"{path.name}: names no number for missing cells; say it with the option nodata of {self.key}, "
                    "or the range of values with low and high"
                )
            return masked(stored, own, self.nodata)

        return decode


def listed(transport: Figshare | Zenodo | Folder, doi: str) -> list[Asset]:
    """Return what a record holds, or the product's folder; what we put there ourselves is left out."""
    if not isinstance(transport, Folder):
        return transport.find(doi)
    return [one for one in transport.find("**/*.*") if not one.name.startswith("aligned/")]


def _unpacking(names: Sequence[str]) -> str:
    """Say how to unpack the archives among some files; empty: there are none."""
    packed = [Path(name).name for name in names if name.lower().endswith(_ARCHIVES)]
    if not packed:
        return ""
    return (
        f"{', '.join(packed)}: unpack by hand (unar {packed[0]}, or bsdtar -xf {packed[0]}) into the product's folder, "
        "and read it from there: transport folder"
    )
