"""Windows of rasters: the part that covers a box has the values of the whole, whatever the box."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opened_products import assert_covers
from rasterio.warp import transform

from helpers.data.products.interface import Box
from helpers.data.products.windows import Lattice, lattice_of, masked, values_on
from helpers.errors import DataError
from helpers.virtual.archive.rasters import write_glo_pem
from helpers.virtual.archive.soilgrids import write_windows

BOX = Box(92.9, 28.95, 93.3, 29.3)


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("maps")
    return write_glo_pem(folder, BOX, [2003]) + write_windows(folder, BOX, ["ocs_0-30cm_mean"])


def read(path: Path, lattice: Lattice) -> np.ndarray:
    return values_on(path, lattice, lambda stored, missing: masked(stored, missing))


@settings(max_examples=40, deadline=None)
@given(
    corner=st.tuples(st.floats(92.5, 93.6), st.floats(28.6, 29.6)),
    size=st.tuples(st.floats(0.001, 0.3), st.floats(0.001, 0.3)),
    which=st.integers(0, 1),
)
def test_a_part_is_the_whole_of_it(maps: list[Path], corner: tuple[float, ...], size: tuple[float, ...], which: int):
    box = Box(*corner, *np.add(corner, size))
    own = lattice_of(maps[which])
    part = own.part(box)
    values = read(maps[which], part)
    assert_covers(part.field(values, "npp"), box)
    row, column = own.first_of(part)
    around = np.full((own.rows + 2000, own.columns + 2000), np.nan, "float32")
    around[1000:-1000, 1000:-1000] = read(maps[which], own)
    expected = around[1000 + row :, 1000 + column :][: part.rows, : part.columns]
    np.testing.assert_array_equal(values, expected)


def test_a_part_is_not_wider_than_its_margin(maps: list[Path]) -> None:
    own = lattice_of(maps[1])
    (longitude,), (latitude,) = transform(own.crs, "EPSG:4326", own.x[100:101], own.y[60:61])
    part = own.part(Box(longitude - 1e-7, latitude - 1e-7, longitude + 1e-7, latitude + 1e-7))
    assert (part.rows, part.columns) == (5, 5) and own.first_of(part) == (58, 98)


def test_a_box_without_a_place_in_the_projection_is_refused(maps: list[Path]) -> None:
    own = lattice_of(maps[0])
    with pytest.raises(DataError, match=r"box \(inf, .*has no place in the projection"):
        own.part(Box(float("inf"), 0, float("inf"), 1))


@pytest.mark.parametrize(
    ("stored", "missing"),
    [
        (np.array([1, 255], "uint8"), 255.0),
        (np.array([1, -9999], "int16"), -9999.0),
        (np.array([1, -3.4028235e38], "float32"), -3.4028234663852886e38),
        (np.array([1, 1e20], "float32"), 1e20),
        (np.array([1, np.nan], "float64"), None),
    ],
)
def test_a_number_for_missing_is_found_in_its_own_precision(stored: np.ndarray, missing: float | None) -> None:
    np.testing.assert_array_equal(masked(stored, missing), np.array([1, np.nan], "float32"))
    np.testing.assert_array_equal(masked(stored[:1], missing, -9999, 1e300), np.array([1], "float32"))
