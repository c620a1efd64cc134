"""Products come to the target grid: block by block, once, with nothing lost at the edges of blocks."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
import pyproj
import pytest
import xarray as xr
from processes import dask_cluster

from helpers.data.grid import resample_nearest, target_grid
from helpers.data.products import align
from helpers.data.products.interface import Box
from helpers.data.products.modis import SINUSOIDAL, STEP, TILE
from helpers.errors import DataError

#: 70 x 90 cells of 0.01 degree, at the seam of four tiles.
GRID = target_grid(91.9, 29.6, 92.8, 30.3, 0.01)


def noise(rows: np.ndarray, columns: np.ndarray, year: int) -> np.ndarray:
    """Return numbers that differ from cell to cell of the sinusoidal grid; one in eleven is missing."""
    rows, columns = np.broadcast_arrays(rows, columns)
    values = ((rows * 7919 + columns * 104729 + year) % 1000).astype("float32")
    return np.where((rows + columns) % 11 == 0, np.float32(np.nan), values)


@dataclass
class Noise:
    """A product of 500 m on the sinusoidal grid that counts how often it is read."""

    key: str = "noise"
    in_blocks: bool = True
    static: bool = False
    read: list[Box] = field(default_factory=list)
    lost: ClassVar[int | None] = None  #: The number of the call that fails.

    def open(self, files: list[Path], box: Box, year: int | None) -> xr.DataArray:
        """Return the cells that cover a box, two more on each side."""
        self.read.append(box)
        if self.lost is not None and len(self.read) > self.lost:
            raise DataError("noise.hdf: cut")
        latitudes = np.radians([box.south, box.north])
        x = np.radians([box.west, box.east])[:, None] * np.cos(latitudes) * TILE * 18 / np.pi
        columns = np.arange(int((x.min() + 18 * TILE) / STEP) - 2, int((x.max() + 18 * TILE) / STEP) + 3)
        rows = np.arange(int((90 - box.north) * 240) - 2, int((90 - box.south) * 240) + 3)
        axes = {"y": 9 * TILE - (rows + 0.5) * STEP, "x": (columns + 0.5) * STEP - 18 * TILE}
        values = noise(rows[:, None], columns[None, :], year or 0)
        return xr.DataArray(values, axes, ("y", "x"), "npp", {"units": "1"}).rio.write_crs(SINUSOIDAL)


def exact(grid: xr.Dataset, year: int) -> np.ndarray:
    """Return for each cell the number of the sinusoidal cell that its centre lies in: of two the southern one."""
    places = np.meshgrid(grid["longitude"], grid["latitude"] - 1e-8)
    x, y = pyproj.Transformer.from_crs("EPSG:4326", SINUSOIDAL, always_xy=True).transform(*places)
    return noise(np.floor((9 * TILE - y) / STEP).astype(int), np.floor((x + 18 * TILE) / STEP).astype(int), year)


def done(
    product: Noise, folder: Path, files: list[Path] | None = None, grid: xr.Dataset = GRID, **more
) -> xr.DataArray:
    """Align the product for two years."""
    given = {"own_years": [2001, 2003], "how": "nearest", "variable": "npp", "folder": folder, "threads": 2} | more
    return align.aligned(product, files or [], grid, **given)


@pytest.mark.parametrize(("block", "in_blocks"), [(400, True), (32, True), (32, False)])
def test_nearest_is_the_cell_that_the_centre_lies_in_whatever_the_blocks(tmp_path, monkeypatch, block, in_blocks):
    monkeypatch.setattr(align, "BLOCK", block)
    found = done(Noise(in_blocks=in_blocks), tmp_path)
    assert found["time"].dt.year.values.tolist() == [2001, 2003] and found.dtype == np.float32
    for number, year in enumerate((2001, 2003)):
        np.testing.assert_array_equal(found[number], exact(GRID, year))


@pytest.mark.parametrize("shift", [0.0, 0.25, 0.5])
def test_nearest_is_that_of_the_grids_own_function_also_on_the_edge_of_cells(shift):
    source = target_grid(91, 29, 94, 31, 0.02)
    axes = {"y": source["latitude"].values + 0.02 * shift, "x": source["longitude"].values + 0.02 * shift}
    values = np.arange(100 * 150, dtype="float32").reshape(100, 150)
    array = xr.DataArray(values, axes, ("y", "x"), "npp").rio.write_crs("EPSG:4326")
    expected = resample_nearest(array.rename(y="latitude", x="longitude"), GRID)
    np.testing.assert_array_equal(align.align(array, GRID, "nearest"), expected)


def test_a_mean_is_of_the_values_in_a_cell_and_never_of_what_is_missing():
    """Each cell has 10 x 10 of the product's, their value the longitude; half of them are missing, some cells whole."""
    fine = target_grid(91.8, 29.5, 92.9, 30.4, 0.001)
    axes = {"y": fine["latitude"].values, "x": fine["longitude"].values}
    array = xr.DataArray(np.broadcast_to(axes["x"], (900, 1100)), axes, ("y", "x"), "npp").astype("float32")
    array = array.where((np.arange(900) % 2 == 0)[:, None] & (axes["x"] > 92)).rio.write_crs("EPSG:4326")
    found = align.align(array, GRID, "average")
    expected = np.where(GRID["longitude"] > 92, GRID["longitude"], np.nan)
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=2e-4)


def test_the_commonest_class_of_a_cell_is_taken_without_a_class_between_two():
    fine = target_grid(91.8, 29.5, 92.9, 30.4, 0.001)
    axes = {"y": fine["latitude"].values, "x": fine["longitude"].values}
    classes = np.where(np.arange(1100) % 10 < 6, 3.0, 17.0)
    array = xr.DataArray(np.broadcast_to(classes, (900, 1100)), axes, ("y", "x"), "c").rio.write_crs("EPSG:4326")
    assert np.unique(align.align(array, GRID, "mode")).tolist() == [3.0]


def test_cells_beyond_the_product_are_missing():
    array = Noise().open([], Box(92.3, 29.8, 93.0, 30.1), 2001)
    found = align.align(array, GRID, "nearest")
    assert found.sel(longitude=91.95, method="nearest").isnull().all() and found.notnull().any()
    assert align.align(array[:0], GRID, "nearest").isnull().all()


def test_a_layer_is_computed_once_and_anew_when_a_file_the_options_or_the_years_change(tmp_path):
    file = tmp_path / "noise.hdf"
    file.write_bytes(b"one")
    product, folder = Noise(), tmp_path / "noise"
    first = done(product, folder, [file]).values
    calls = len(product.read)
    assert calls == 2
    np.testing.assert_array_equal(done(product, folder, [file]), first)
    assert len(product.read) == calls
    for change in ({"options": {"scale": 2}}, {"own_years": [2001]}, {"how": "average"}):
        done(product, folder, [file], **change)
        assert len(product.read) > calls
        calls = len(product.read)
    file.write_bytes(b"two")
    done(product, folder, [file])
    assert len(product.read) == calls + 2


def test_the_layer_says_what_it_was_made_from(tmp_path):
    file = tmp_path / "noise.hdf"
    file.write_bytes(b"one")
    done(Noise(), tmp_path, [file])
    (store,) = (tmp_path / "aligned").glob("*.zarr")
    made_from = json.loads(xr.open_zarr(store).attrs["made_from"])
    assert (made_from["years"], made_from["how"]) == ("2001, 2003", "nearest")
    assert set(made_from) == {"files", "grid", "years", "how", "options", "code", "variable"}


def test_a_call_that_was_stopped_goes_on_with_the_blocks_that_are_left(tmp_path, monkeypatch):
    monkeypatch.setattr(align, "BLOCK", 32)
    monkeypatch.setattr(Noise, "lost", 7)
    with pytest.raises(DataError, match=r"noise\.hdf: cut"):
        done(Noise(), tmp_path, threads=1)
    assert not list((tmp_path / "aligned").glob("*.zarr"))
    monkeypatch.setattr(Noise, "lost", None)
    product = Noise()
    np.testing.assert_array_equal(done(product, tmp_path)[1], exact(GRID, 2003))
    assert 0 < len(product.read) < 2 * 9


@pytest.mark.parametrize(("size", "reads"), [(0.1, 2 * 2 * 3), (0.5, 2 * 2 * 3), (1.0, 2 * 2 * 3)])
def test_a_block_of_coarse_cells_is_no_larger_part_of_the_world(tmp_path, size, reads):
    product = Noise()
    done(product, tmp_path, grid=target_grid(84, 28, 94, 34, size))
    assert len(product.read) == reads
    assert max(max(box.east - box.west, box.north - box.south) for box in product.read) < 4 + 1e-6


def test_a_product_of_another_quantity_is_refused_and_npp_of_modis_is_npp(tmp_path):
    with pytest.raises(DataError, match="noise gives npp, and stands for temperature"):
        done(Noise(), tmp_path, variable="temperature")
    np.testing.assert_array_equal(done(Noise(), tmp_path, variable="npp_modis")[1], exact(GRID, 2003))


def test_a_static_product_has_no_time_and_is_opened_without_a_year(tmp_path):
    found = done(Noise(static=True), tmp_path)
    assert found.dims == ("latitude", "longitude")
    np.testing.assert_array_equal(found, exact(GRID, 0))


def test_the_workers_of_a_cluster_align_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(align, "BLOCK", 32)
    with dask_cluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as local:
        monkeypatch.setenv("DASK_SCHEDULER_ADDRESS", local.scheduler_address)
        found = done(Noise(), tmp_path)
        np.testing.assert_array_equal(found[0], exact(GRID, 2001))
