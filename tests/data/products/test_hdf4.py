"""HDF4 files: the real tile to its corner, and what is no grid."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio

from helpers.data.products import hdf4
from helpers.errors import DataError

REAL = "MOD10A2.A2022033.h09v05.061.2022042050729.hdf"


@pytest.mark.real_data
def test_the_real_tile_is_read_to_its_corner() -> None:
    folder = Path(os.environ.get("QTP_DATA_MIRROR", "")) / "formats"
    if not (folder / REAL).is_file():
        pytest.skip(f"{REAL} is not at hand: set QTP_DATA_MIRROR to a folder that has it in formats/")
    place = hdf4.sinusoidal_place(folder / REAL)
    assert (place.columns, place.rows) == hdf4.array_shape(folder / REAL, "Maximum_Snow_Extent") == (2400, 2400)
    with rasterio.open(folder / "snow.tif") as raster:
        assert raster.bounds == pytest.approx((place.left, place.bottom, place.right, place.top), abs=1e-3)
        snow = raster.read(1)
    side = np.pi * 6371007.181 / 18
    corners = (-9 * side, 4 * side, -8 * side, 3 * side)
    assert (place.left, place.top, place.right, place.bottom) == pytest.approx(corners, abs=1e-3)
    whole = hdf4.read_window(folder / REAL, "Maximum_Snow_Extent", slice(0, 2400), slice(0, 2400))
    np.testing.assert_array_equal(whole, snow)
    corner = hdf4.read_window(folder / REAL, "Maximum_Snow_Extent", slice(2390, 2400), slice(2398, 2400))
    np.testing.assert_array_equal(corner, snow[2390:, 2398:])


def write(path: Path, text: str | None) -> Path:
    """A file with an array of two rows, and perhaps a place."""
    from pyhdf.SD import SD, SDC

    file = SD(str(path), SDC.WRITE | SDC.CREATE)
    if text is not None:
        file.attr("StructMetadata.0").set(SDC.CHAR, text)
    data = file.create("LAI", SDC.INT16, (2, 3))
    data[:] = np.arange(6, dtype="int16").reshape(2, 3)
    data.endaccess()
    file.end()
    return path


def test_a_plain_array_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "plain.hdf", None)
    assert hdf4.array_shape(path, "LAI") == (2, 3)
    assert hdf4.read_window(path, "LAI", slice(1, 2), slice(1, 3)).tolist() == [[4, 5]]
    with pytest.raises(DataError, match="plain.hdf: has no array Npp_500m, found LAI"):
        hdf4.read_window(path, "Npp_500m", slice(0, 1), slice(0, 1))


def test_threads_read_side_by_side(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{number}.hdf", None) for number in range(8)] * 20
    with ThreadPoolExecutor(4) as pool:
        rows = pool.map(lambda path: hdf4.read_window(path, "LAI", slice(1, 2), slice(0, 3)).tolist(), paths)
        assert list(rows) == [[[3, 4, 5]]] * 160


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "a.hdf: has no StructMetadata.0"),
        ("Projection=GCTP_GEO", "a.hdf: is not on the sinusoidal grid"),
        (
            "Projection=GCTP_SNSOID XDim=2400 YDim=2400 UpperLeftPointMtrs=(0.0,1.0)",
            "a.hdf: StructMetadata.0 lacks one",
        ),
    ],
)
def test_a_file_without_its_place_is_refused(tmp_path: Path, text: str | None, message: str) -> None:
    with pytest.raises(DataError, match=message):
        hdf4.sinusoidal_place(write(tmp_path / "a.hdf", text))


def test_without_the_library_the_message_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyhdf.SD", None)
    with pytest.raises(DataError, match="pyhdf is not installed.*extra 'paper'"):
        hdf4.array_shape(tmp_path / "a.hdf", "LAI")
