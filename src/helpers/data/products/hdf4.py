"""Reads windows of arrays in HDF4 files, and the place of an HDF-EOS grid, by pyhdf."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from helpers.data.products.session import needed
from helpers.errors import DataError

# The HDF4 library keeps state between its calls and is not made for threads.
_ONE_AT_A_TIME = threading.Lock()


class Place(NamedTuple):
    """Where a grid lies: outer edges [m], rows from the north, cells along each axis."""

    left: float
    top: float
    right: float
    bottom: float
    columns: int
    rows: int


def sinusoidal_place(path: Path) -> Place:
    """Return the place of the one grid of an HDF-EOS file, which is on the sinusoidal grid of MODIS.

    It is written in the text attribute ``StructMetadata.0``. The function raises a DataError that names the file if it
    is no whole HDF4 file, has no grid or is on another projection.
    """
    with _opened(path) as file:
        names = (file.attr(number).info()[0] for number in range(file.info()[1]))
        if "StructMetadata.0" not in names:
            raise DataError(f"{path.name}: has no StructMetadata.0, expected an HDF-EOS grid; is it another file?")
        attribute = file.attr("StructMetadata.0")
        attribute.index()  # pyhdf finds an attribute by its name only after this
        text = str(attribute.get())
    if "Projection=GCTP_SNSOID" not in text:
        raise DataError(f"{path.name}: is not on the sinusoidal grid (GCTP_SNSOID); fetch the product's own tiles")
    found = [re.search(rf"\b{key}=\(?([-+\d.eE]+)(?:,([-+\d.eE]+)\))?", text) for key in _KEYS]
    if None in found:
        raise DataError(f"{path.name}: StructMetadata.0 lacks one of {', '.join(_KEYS)}; fetch the file again")
    corner, opposite, columns, rows = (match.groups() for match in found if match)
    return Place(*map(float, corner + opposite), int(columns[0]), int(rows[0]))


def read_window(path: Path, name: str, rows: slice, columns: slice) -> np.ndarray:
    """Return a window of an array (SDS) of an HDF4 file, the stored numbers as they are.

    The slices have a start and a stop within the array. The function raises a DataError that names the file if it is no
    whole HDF4 file or lacks the array.
    """
    with _opened(path) as file:
        return np.asarray(_array(path, file, name)[rows, columns])


def array_shape(path: Path, name: str) -> tuple[int, ...]:
    """Return the shape of an array (SDS) of an HDF4 file."""
    with _opened(path) as file:
        return tuple(_array(path, file, name).info()[2])


_KEYS = ("UpperLeftPointMtrs", "LowerRightMtrs", "XDim", "YDim")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Hold a file open; what the library cannot read is a DataError."""
    library, error = needed("pyhdf.SD"), needed("pyhdf.error").HDF4Error
    with _ONE_AT_A_TIME:
        try:
            file = library.SD(str(path))
            try:
                yield file
            finally:
                file.end()
        except error as problem:
            raise DataError(
                f"{path.name}: cannot be read whole as HDF4 ({problem}): it is cut or another file; "
                "delete it and fetch it again"
            ) from None


def _array(path: Path, file: Any, name: str) -> Any:
    """Return an array of an open file."""
    there = list(file.datasets())
    if name not in there:
        raise DataError(f"{path.name}: has no array {name}, found {', '.join(there) or 'none'}; is it another product?")
    return file.select(name)
