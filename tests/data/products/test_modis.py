"""Tiles of MODIS: values at their places, numbers that are none, seams, productions, files of another kind."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from pyproj import Transformer
from rasterio import Affine

from helpers.data.grid import target_grid
from helpers.data.products.interface import Asset, Box, Want
from helpers.data.products.modis import LandCover, Mod17, tiles_of
from helpers.data.products.transports import Earthdata, Folder, Stac
from helpers.errors import DataError
from helpers.virtual.archive import fields
from helpers.virtual.archive.modis import WRONG, write_land_cover, write_mod17

SPHERE = "+proj=sinu +lon_0=0 +R=6371007.181 +units=m +no_defs"
TO_METRES = Transformer.from_crs("EPSG:4326", SPHERE, always_xy=True)
TO_DEGREES = Transformer.from_crs(SPHERE, "EPSG:4326", always_xy=True)
# Each side of both seams, the corner where four tiles meet, and beside a lake.
PLACES = [(91.2, 28.7), (92.37, 30.001), (92.38, 29.999), (93.32, 30.8), (93.34, 30.8), (94.9, 31.4), (93.1, 29.33)]


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    """The same two years as HDF4 and as COGs, and land cover."""
    folder = tmp_path_factory.mktemp("tiles")
    made = {form: write_mod17(folder / form, fields.BOX, (2001, 2002), form) for form in ("hdf", "cog")}
    return made | {"cover": write_land_cover(folder / "cover", fields.BOX, (2001,))}


@pytest.fixture
def mod17() -> Mod17:
    return Mod17("npp_modis", Folder(Path("nowhere")))


def degrees(field: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Longitude and latitude of the cells."""
    return TO_DEGREES.transform(*np.meshgrid(field["x"], field["y"]))


def inside(field: xr.DataArray, box: Box) -> np.ndarray:
    longitude, latitude = degrees(field)
    return (longitude > box.west) & (longitude < box.east) & (latitude > box.south) & (latitude < box.north)


def a_tile(path: Path, values: Sequence[int], dtype: str = "int16") -> Path:
    """A GeoTIFF of h25v05 with some numbers in its first row, and 5000 elsewhere."""
    side = 1111950.5196666666
    numbers = np.full((2400, 2400), 5000 if dtype == "int16" else 10, dtype)
    numbers[0, : len(values)] = values
    profile = {"driver": "GTiff", "dtype": dtype, "count": 1, "width": 2400, "height": 2400, "crs": SPHERE}
    place = Affine(side / 2400, 0, 7 * side, 0, -side / 2400, 4 * side)
    with rasterio.open(path, "w", transform=place, **profile) as raster:
        raster.write(numbers, 1)
    return path


class Answers:
    """What an archive is asked, and a given answer."""

    def __init__(self, names: Sequence[str]) -> None:
        self.path, self.asked, self.names = Path("by hand"), [], names

    def find(self, *question: object, **more: object) -> list[Asset]:
        self.asked.append((question, more))
        return [Asset(name, "", size=number) for number, name in enumerate(self.names)]


class StacOf(Answers, Stac):
    """A STAC API."""


class EarthdataOf(Answers, Earthdata):
    """An archive of NASA."""


class FolderOf(Answers, Folder):
    """A folder."""


def named(year: int, tile: str = "h25v05", production: int = 2021351205520, product: str = "MOD17A3HGF") -> str:
    return f"{product}.A{year}001.{tile}.061.{production}.hdf"


@pytest.mark.parametrize("form", ["hdf", "cog"])
def test_npp_has_its_value_at_each_place(tiles: dict[str, list[Path]], mod17: Mod17, form: str) -> None:
    for year in (2001, 2002):
        field = mod17.open(tiles[form], fields.BOX, year)
        for place in PLACES:
            x, y = TO_METRES.transform(*place)
            cell = field.sel(x=x, y=y, method="nearest")
            centre = TO_DEGREES.transform(float(cell["x"]), float(cell["y"]))
            assert float(cell) == pytest.approx(float(fields.npp(*centre, year)), abs=0.051)
            assert abs(float(cell["x"]) - x) < 232 and abs(float(cell["y"]) - y) < 232


def test_npp_is_as_the_interface_says(tiles: dict[str, list[Path]], mod17: Mod17) -> None:
    field = mod17.open(tiles["hdf"], fields.BOX, 2001)
    assert field.dims == ("y", "x") and field.dtype == "float32" and field.attrs["units"] == "g m-2 yr-1"
    assert (np.diff(field["y"]) < 0).all() and (np.diff(field["x"]) > 0).all()
    assert field.rio.crs == rasterio.crs.CRS.from_string(SPHERE)
    xr.testing.assert_identical(field, mod17.open(tiles["cog"], fields.BOX, 2001))


def test_a_seam_loses_no_cell(tiles: dict[str, list[Path]], mod17: Mod17) -> None:
    field = mod17.open(tiles["hdf"], fields.BOX, 2001)
    missing = np.isnan(field.values)
    wanted = inside(field, fields.BOX)
    assert (missing == fields.data_gap(*degrees(field)))[wanted].all()
    assert wanted.sum() == pytest.approx(4 * np.cos(np.radians(30)) * 3 * 240**2, rel=1e-3)
    assert len(tiles_of(fields.BOX)) == 4


@given(west=st.floats(91, 94.9), south=st.floats(28.5, 31.4), width=st.floats(0.01, 1), height=st.floats(0.01, 1))
def test_a_window_has_the_cells_of_the_whole(
    tiles: dict[str, list[Path]], west: float, south: float, width: float, height: float
) -> None:
    mod17 = Mod17("npp_modis", Folder(Path("nowhere")))
    box = Box(west, south, min(west + width, 95), min(south + height, 31.5))
    part, whole = mod17.open(tiles["cog"], box, 2001), mod17.open(tiles["cog"], fields.BOX, 2001)
    same = whole.sel(x=part["x"], y=part["y"], method="nearest", tolerance=1.0)
    np.testing.assert_array_equal(part.values[inside(part, box)], same.values[inside(part, box)])
    for longitude in (box.west, box.east):
        for latitude in (box.south, box.north):
            x, y = TO_METRES.transform(longitude, latitude)
            assert float(part["x"].min()) < x - 463 and float(part["x"].max()) > x + 463
            assert float(part["y"].min()) < y - 463 and float(part["y"].max()) > y + 463


@pytest.mark.parametrize("form", ["hdf", "cog"])
def test_a_mean_never_meets_a_fill_class(tiles: dict[str, list[Path]], mod17: Mod17, form: str) -> None:
    odc = pytest.importorskip("odc.geo.xr")
    east, north, radius = fields.BARREN[-1]
    field = mod17.open(tiles[form], Box(east - 0.3, north - 0.3, east + 0.3, north + 0.3), 2001)
    grid = target_grid(east - 0.2, north - 0.2, east + 0.2, north + 0.2, 0.02)
    mean = odc.xr_reproject(field, grid.odc.geobox, resampling="average").values
    truth = fields.npp(grid["longitude"].values[None, :], grid["latitude"].values[:, None], 2001)
    assert np.isnan(mean).sum() > 20, "the patch is not there"
    error = np.abs(mean - truth)
    assert np.nanmax(error) < 20  # where the patch cuts a cell: one fill class of 25 numbers would add 130
    assert np.nanmedian(error) < 0.5
    assert np.isfinite(mean).sum() > mean.size - np.pi * (radius / 0.02) ** 2


def test_overviews_are_not_read(tiles: dict[str, list[Path]], mod17: Mod17) -> None:
    with rasterio.open(tiles["cog"][0]) as raster:
        assert raster.overviews(1) and (raster.read(1, out_shape=(1200, 1200)) == WRONG).all()
    assert not np.isclose(mod17.open(tiles["cog"], fields.BOX, 2001), WRONG / 10).any()


def test_numbers_outside_the_valid_range_are_missing(tmp_path: Path, mod17: Mod17) -> None:
    numbers = [-32768, -30001, -30000, -1, 0, 1, 32700, 32701, 32760, *range(32761, 32768)]
    path = a_tile(tmp_path / "MOD17A3HGF.A2001001.h25v05.061.2021351205520_Npp_500m.tif", numbers)
    field = mod17.open([path], Box(91.3, 39.9, 92, 40), 2001)
    x = 7 * 1111950.5196667 + (np.arange(len(numbers)) + 0.5) * 463.3127165
    cells = field.sel(x=x, y=4 * 1111950.5196667 - 231.656, method="nearest", tolerance=1).values
    np.testing.assert_allclose(cells[2:7], [-3000, -0.1, 0, 0.1, 3270], rtol=1e-6)
    assert np.isnan(cells[:2]).all() and np.isnan(cells[7:]).all()


def test_land_cover_has_its_class_at_each_place(tiles: dict[str, list[Path]]) -> None:
    cover = LandCover("land_cover", Folder(Path("nowhere")))
    field = cover.open(tiles["cover"], fields.BOX, 2001)
    longitude, latitude = degrees(field)
    wanted = inside(field, fields.BOX)
    np.testing.assert_array_equal(field.values[wanted], fields.land_cover(longitude, latitude, 2001)[wanted])
    assert set(np.unique(field.values[wanted])) == {5, 7, 10, 11, 15, 16, 17}
    far = (longitude < 90.9) | (longitude > 95.1)
    assert far.any() and np.isnan(field.values[far]).all()
    assert field.attrs["flag_values"][-1] == 17


def test_a_number_that_is_no_class_is_refused(tmp_path: Path) -> None:
    path = a_tile(tmp_path / "MCD12Q1.A2001001.h25v05.061.2022146024956_LC_Type1.tif", [0], "uint8")
    with pytest.raises(DataError, match=r"MCD12Q1.*holds class 0, expected 1 to 17 and 255"):
        LandCover("land_cover", Folder(tmp_path)).open([path], Box(91.3, 39.9, 92, 40), 2001)


def test_of_two_productions_the_newest_is_read_and_none_of_aqua(
    tiles: dict[str, list[Path]], mod17: Mod17, tmp_path: Path
) -> None:
    first, other = ([path for path in tiles["hdf"] if f"A{year}" in path.name] for year in (2001, 2002))
    older = [tmp_path / path.name.replace("A2002", "A2001").replace("2021351205520", "2021001000000") for path in other]
    aqua = [tmp_path / path.name.replace("MOD17A3HGF.A2002", "MYD17A3HGF.A2001") for path in other]
    for source, target in zip(other * 2, older + aqua, strict=True):
        shutil.copy(source, target)
    truth = mod17.open(first, fields.BOX, 2001)
    xr.testing.assert_identical(mod17.open([*aqua, *older, *first], fields.BOX, 2001), truth)
    xr.testing.assert_identical(mod17.open([*first, *older, *aqua], fields.BOX, 2001), truth)
    assert not truth.equals(mod17.open(older, fields.BOX, 2001))


def test_a_tile_that_one_year_lacks_is_named(tiles: dict[str, list[Path]], mod17: Mod17) -> None:
    files = [path for path in tiles["hdf"] if "A2002001.h26v06" not in path.name]
    with pytest.raises(DataError, match="MOD17A3HGF 2002: tile h26v06 is missing, which 2001 has"):
        mod17.open(files, fields.BOX, 2002)
    mod17.open(files, fields.BOX, 2001)
    mod17.open(files, Box(91, 30.5, 92, 31), 2002)  # not near that tile
    with pytest.raises(DataError, match="MOD17A3HGF 2003: no file of this year"):
        mod17.open(files, fields.BOX, 2003)


def test_a_tile_that_no_year_has_is_missing(tiles: dict[str, list[Path]], mod17: Mod17) -> None:
    field = mod17.open([path for path in tiles["hdf"] if "h26v06" not in path.name], fields.BOX, 2001)
    longitude, latitude = degrees(field)
    there = (latitude > 30) | (longitude * np.cos(np.radians(latitude)) < 80)
    expected = there & ~fields.data_gap(longitude, latitude)
    assert (np.isfinite(field.values) == expected)[inside(field, fields.BOX)].all()


@pytest.mark.parametrize(
    "name", ["MCD12Q1.A2001001.h25v05.061.2022146024956.hdf", named(2001).replace(".061.", ".006.")]
)
def test_a_file_of_another_product_is_refused(mod17: Mod17, name: str) -> None:
    with pytest.raises(DataError, match=re.escape(name) + ": is of another product or collection"):
        mod17.open([Path(name)], fields.BOX, 2001)


def test_a_file_that_is_not_what_its_name_says_is_refused(
    tiles: dict[str, list[Path]], mod17: Mod17, tmp_path: Path
) -> None:
    for source, form in ((tiles["hdf"][0], ".hdf"), (tiles["cog"][0], "_Npp_500m.tif")):
        path = tmp_path / named(2001, "h26v05").replace(".hdf", form)
        shutil.copy(source, path)
        with pytest.raises(DataError, match=rf"{re.escape(path.name)}: its cells are not those of h26v05"):
            mod17.open([path], fields.BOX, 2001)
    path = tmp_path / named(2001)
    shutil.copy(tiles["cover"][0], path)
    with pytest.raises(DataError, match=rf"{re.escape(path.name)}: has no array Npp_500m, found LC_Type1"):
        mod17.open([path], fields.BOX, 2001)
    path = a_tile(tmp_path / named(2001).replace(".hdf", "_Npp_500m.tif"), [1], "float32")
    with pytest.raises(DataError, match=r"_Npp_500m.tif: holds float32, expected int16"):
        mod17.open([path], Box(91.3, 39.9, 92, 40), 2001)


@pytest.mark.parametrize("form", ["hdf", "cog"])
@pytest.mark.parametrize("share", [0, 0.001, 0.3, 0.7, 0.99])
def test_a_file_that_is_cut_is_refused(
    tiles: dict[str, list[Path]], mod17: Mod17, tmp_path: Path, form: str, share: float
) -> None:
    whole = tiles[form][0]
    path = tmp_path / whole.name
    path.write_bytes(whole.read_bytes()[: int(share * whole.stat().st_size)])
    with pytest.raises(DataError, match=rf"{re.escape(path.name)}: cannot be read "):
        mod17.open([path], fields.BOX, 2001)


def test_the_tiles_of_the_paper() -> None:
    paper = "h23v05 h24v05 h25v05 h26v05 h27v05 h24v06 h25v06 h26v06 h27v06"
    assert {str(tile) for tile in tiles_of(Box(73, 26, 105, 40))} == set(paper.split())
    assert {str(tile) for tile in tiles_of(Box(-180, -90, 180, 90))} >= {"h00v08", "h35v09", "h18v00", "h17v17"}
    assert {str(tile) for tile in tiles_of(Box(-1, -1, 1, 1))} == {"h17v08", "h18v08", "h17v09", "h18v09"}


def test_a_stac_api_is_asked_for_npp() -> None:
    archive = StacOf([named(2001).replace(".hdf", "_Npp_500m.tif")])
    want = Want((2000, 2001), Box(92, 30.2, 92.1, 30.3))
    plan = Mod17("npp_modis", archive).plan(want)
    assert archive.asked == [(("modis-17A3HGF-061", "Npp_500m", want), {})]
    assert [(asset.name, asset.year) for asset in plan.assets] == [(archive.names[0], 2001)]
    assert plan.lacking == (2000,) and plan.by_hand == ""
    with pytest.raises(DataError, match="land_cover: MCD12Q1 is not in a STAC API"):
        LandCover("land_cover", archive).plan(want)


def test_a_plan_has_the_newest_file_of_each_tile_and_year_of_the_want() -> None:
    kept = [named(2001), named(2001, "h25v06"), named(2002, production=2023001000000), named(2002, "h25v06")]
    others = [
        named(2002),
        named(2001, product="MYD17A3HGF"),
        named(2003),
        named(2001, "h24v05"),
        named(2001) + ".xml",
        named(2001).replace(".061.", ".006."),
    ]
    archive = EarthdataOf([*others, *kept])
    plan = Mod17("npp_modis", archive).plan(Want((2000, 2001, 2002), Box(91, 29.9, 91.5, 30.1)))
    assert [asset.name for asset in plan.assets] == kept and plan.lacking == (2000,)
    assert [asset.year for asset in plan.assets] == [2001, 2001, 2002, 2002]
    assert archive.asked[0][0][:2] == ("MOD17A3HGF", "061")


def test_a_plan_without_a_tile_of_a_year_is_refused() -> None:
    archive = EarthdataOf([named(2001, tile, product="MCD12Q1") for tile in ("h25v05", "h25v06")])
    archive.names.append(named(2002, product="MCD12Q1"))
    with pytest.raises(DataError, match="MCD12Q1 2002: tile h25v06 is missing, which 2001 has"):
        LandCover("land_cover", archive).plan(Want((2001, 2002), Box(91, 29.9, 91.5, 30.1)))


def test_years_that_a_folder_does_not_have_yet_are_asked_for() -> None:
    plan = Mod17("npp_modis", FolderOf([named(2002)])).plan(Want((2000, 2001, 2002), Box(92, 30.2, 92.1, 30.3)))
    assert plan.lacking == (2000,)
    assert plan.by_hand.startswith("MOD17A3HGF.061 of 2001, tiles h25v05 ") and plan.by_hand.endswith("into by hand")
