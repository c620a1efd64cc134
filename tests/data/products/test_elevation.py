"""Elevation at 90 m: tiles without a seam, the sea, tiles of several UTM zones on one grid."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
from opened_products import assert_covers, assert_is, assert_mean_is

from helpers.data.products.elevation import Glo90, SrtmZip
from helpers.data.products.interface import Asset, Box, Want
from helpers.data.products.transports import Folder, Https
from helpers.errors import DataError
from helpers.virtual.archive import fields
from helpers.virtual.archive.elevation import write_glo90, write_srtm

CORNER = Box(93.9, 29.95, 94.1, 30.05)  # four tiles of GLO-90 meet in it
ZONES = Box(94.95, 29.97, 95.05, 30.03)  # four tiles of SRTM, of the zones 46 and 47
N29 = "Copernicus_DSM_COG_30_N29_00_E093_00_DEM.tif"


def nowhere(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    return np.zeros(longitude.shape, bool)


@pytest.fixture(scope="module")
def glo90(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_glo90(tmp_path_factory.mktemp("glo90"), CORNER)


@pytest.fixture(scope="module")
def srtm(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_srtm(tmp_path_factory.mktemp("srtm"), ZONES)


class Archive(Https):
    """An archive that has some paths."""

    def __init__(self, there: Sequence[str]) -> None:
        super().__init__("https://dem.example")
        self.there, self.asked = there, []

    def find(self, paths: Sequence[str]) -> list[Asset]:
        self.asked += paths
        return [Asset(path.rsplit("/", 1)[-1], f"{self.base}/{path}", 9) for path in paths if path in self.there]


def test_four_tiles_are_one_map(glo90: list[Path]) -> None:
    field = Glo90("dem", Folder(Path())).open(glo90, CORNER, None)
    assert_is(field, "elevation", fields.elevation, 1e-3, nowhere)
    assert_covers(field, CORNER)
    # Heights are of points: whole degrees are centres of cells.
    np.testing.assert_allclose((field["x"] * 1200 + 0.5) % 1, 0.5, atol=1e-5)
    np.testing.assert_allclose((field["y"] * 1200 + 0.5) % 1, 0.5, atol=1e-5)
    np.testing.assert_allclose(np.diff(field["x"]), 1 / 1200, rtol=1e-6)


def test_the_sea_has_no_tile_and_no_mean(glo90: list[Path]) -> None:
    field = Glo90("dem", Folder(Path())).open([path for path in glo90 if path.name != N29], CORNER, None)

    def sea(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
        half = 1 / 2400  # a tile reaches half a cell further north, and ends as much sooner in the east
        return (longitude < 94 - half) & (latitude > 29 + half) & (latitude < 30 + half)

    assert_is(field, "elevation", fields.elevation, 1e-3, sea)
    assert_mean_is(field, fields.elevation, 0.007, 1e-2, sea)


@pytest.mark.parametrize("number", [-32768, -9999, 32767])
def test_a_number_for_missing_that_no_file_names_is_missing(glo90: list[Path], tmp_path: Path, number: int) -> None:
    path = Path(shutil.copy(glo90[0], tmp_path))
    with rasterio.open(path, "r+") as file:
        file.write(np.full((400, 1200), number, "float32"), 1, window=((800, 1200), (0, 1200)))
    field = Glo90("dem", Folder(Path())).open([path], Box(93.2, 29.1, 93.4, 29.5), None)
    assert_is(field, "elevation", fields.elevation, 1e-3, lambda x, y: y < 29 + 400.5 / 1200)


def test_wider_columns_of_the_north_lie_on_the_same_lattice(tmp_path: Path) -> None:
    box = Box(93.99, 49.99, 94.01, 50.01)
    field = Glo90("dem", Folder(Path())).open(write_glo90(tmp_path, box), box, None)
    assert_is(field, "elevation", fields.elevation, 2.0, nowhere)  # half of 0.00125 degree of 20 m per km
    assert field["x"].size == pytest.approx(0.02 * 1200 + 4, abs=1)


def test_tiles_are_asked_by_their_south_western_corner() -> None:
    name = "Copernicus_DSM_COG_30_{}_DEM".format
    there = name("S01_00_W001_00")
    archive = Archive([f"{there}/{there}.tif"])
    plan = Glo90("dem", archive).plan(Want((2000,), Box(-0.5, -0.5, 1.0, 0.5)))
    corners = ("S01_00_W001_00", "S01_00_E000_00", "N00_00_W001_00", "N00_00_E000_00")
    assert archive.asked == [f"{name(corner)}/{name(corner)}.tif" for corner in corners]
    assert [(asset.name, asset.year) for asset in plan.assets] == [(f"{there}.tif", None)] and not plan.by_hand
    archive = Archive([])
    with pytest.raises(DataError, match="dem: none of 448 tiles such as Copernicus_DSM.* is at https://dem.example"):
        Glo90("dem", archive).plan(Want((2000,), Box(73, 26, 105, 40)))
    assert len(archive.asked) == 448


def test_a_folder_that_lacks_a_tile_is_told(glo90: list[Path], tmp_path: Path) -> None:
    want = Want((2000,), CORNER)
    assert len(Glo90("dem", Folder(glo90[0].parent)).plan(want).assets) == 4
    for path in glo90:
        if path.name != N29:
            shutil.copy(path, tmp_path)
    plan = Glo90("dem", Folder(tmp_path)).plan(want)
    assert len(plan.assets) == 3 and N29.removesuffix(".tif") in plan.by_hand and str(tmp_path) in plan.by_hand


def test_another_tile_or_half_of_one_is_named(glo90: list[Path], tmp_path: Path) -> None:
    product = Glo90("dem", Folder(tmp_path))
    renamed = Path(shutil.copy(glo90[1], tmp_path / N29))
    with pytest.raises(DataError, match=rf"{N29}: its corner is 93.999583 E 30.000417 N; is it another tile"):
        product.open([renamed], CORNER, None)
    renamed.write_bytes(glo90[0].read_bytes()[:100_000])
    with pytest.raises(DataError, match=rf"{N29}: cannot be read"):
        product.open([renamed], CORNER, None)
    with pytest.raises(DataError, match="dem.tif is no tile; expected names such as Copernicus"):
        product.open([tmp_path / "dem.tif"], CORNER, None)


def test_tiles_of_two_zones_are_one_map(srtm: list[Path]) -> None:
    names = {f"utm_srtm_{column}_{row}.img.zip" for column in (55, 56) for row in ("06", "07")}
    assert {path.name for path in srtm} == names
    field = SrtmZip("dem", Folder(Path())).open(srtm, ZONES, None)
    assert_is(field, "elevation", fields.elevation, 4.0, nowhere)  # the nearest cell of 90 m, where 1 km rises 40 m
    longitude, latitude = np.meshgrid(field["x"], field["y"])
    error = field.values - fields.elevation(longitude, latitude)
    for east in (longitude < 95, longitude > 95):
        for north in (latitude < 30, latitude > 30):
            assert abs(error[east & north].mean()) < 0.15
    assert_covers(field, ZONES)


def test_what_srtm_lacks_never_enters_a_mean(srtm: list[Path]) -> None:
    wide = Box(94.9, 29.92, 95.1, 30.08)
    field = SrtmZip("dem", Folder(Path())).open(srtm, wide, None)
    assert field.isnull().any()
    longitude, latitude = np.meshgrid(field["x"], field["y"])
    missing = field.isnull().values
    assert np.nanmax(np.abs(field.values - fields.elevation(longitude, latitude))) < 4.0
    assert_mean_is(field, fields.elevation, 0.01, 1.5, lambda x, y: missing)


def test_tiles_of_srtm_are_told_by_name(srtm: list[Path], tmp_path: Path) -> None:
    plan = SrtmZip("dem", Folder(srtm[0].parent)).plan(Want((2000,), ZONES))
    assert len(plan.assets) == 4 and not plan.by_hand
    plan = SrtmZip("dem", Folder(tmp_path)).plan(Want((2000,), Box(73, 26, 105, 40)))
    assert plan.by_hand.count("utm_srtm_") == 21
    assert "utm_srtm_51_05.img.zip" in plan.by_hand and "utm_srtm_57_07.img.zip" in plan.by_hand


def test_a_zip_that_is_cut_or_another_is_named(srtm: list[Path], tmp_path: Path) -> None:
    product, path = SrtmZip("dem", Folder(tmp_path)), tmp_path / srtm[0].name
    path.write_bytes(srtm[0].read_bytes()[:-200])
    with pytest.raises(DataError, match=rf"{path.name}: cannot be read \(.*delete it and get it again"):
        product.open([path], ZONES, None)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    with pytest.raises(DataError, match=rf"{path.name}: expected one .img, found none"):
        product.open([path], ZONES, None)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("utm_srtm_55_06.img", b"EHFA_HEADER_TAG" + bytes(100))
    with pytest.raises(DataError, match=rf"{path.name}: cannot be read as a raster"):
        product.open([path], ZONES, None)
