"""SoilGrids: stocks in our unit, windows by range requests alone, failures that are not remembered."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from opened_products import assert_covers, assert_is, assert_mean_is
from rasterio.windows import Window
from standin import Answer, StandIn, standing

from helpers.data.products import soilgrids
from helpers.data.products.interface import Box, Plan, Want
from helpers.data.products.soilgrids import SoilGrids
from helpers.data.products.transports import Folder, Https
from helpers.errors import ConfigError, DataError
from helpers.virtual.archive import fields
from helpers.virtual.archive.soilgrids import DEEP, LAYERS, write_aggregated, write_mosaics, write_windows

BOX = Box(93.05, 29.05, 93.25, 29.3)  # a part of a lake, and several tiles
WANT = Want((2000,), BOX)
OCS = "ocs_0-30cm_mean"


def soc(depth: int):
    return lambda longitude, latitude: fields.soc(longitude, latitude, depth)


def soil(folder: Path, **options: object) -> SoilGrids:
    return SoilGrids("soc", Folder(folder), **options)


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("windows")
    write_windows(folder, BOX, (*LAYERS, *DEEP, OCS))
    return folder


@pytest.fixture(scope="module")
def mosaics(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The archive's files by path: two properties whose tiles and corners differ, and stocks."""
    root = tmp_path_factory.mktemp("mosaics")
    wide = Box(BOX.west - 1, BOX.south - 1, BOX.east + 1, BOX.north + 1)
    write_mosaics(root, wide, ("bdod_0-5cm_mean", OCS))
    return {f"/{path.relative_to(root)}": path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.fixture
def archive(mosaics: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    """A server that answers closed ranges, as GDAL asks for."""
    monkeypatch.setitem(soilgrids._GDAL, "GDAL_HTTP_RETRY_DELAY", 0.05)

    def ranged(found: re.Match, _: object, __: bytes, headers: dict) -> Answer:
        content = mosaics.get(found[0])
        if content is None:
            return Answer(404)
        told = {"ETag": '"edition-1"', "Accept-Ranges": "bytes"}
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", headers.get("Range") or "")
        if not wanted:
            return Answer(200, told, content)
        first, last = int(wanted[1]), min(int(wanted[2]), len(content) - 1)
        told["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return Answer(206, told, content[first : last + 1]) if first <= last else Answer(416)

    with standing() as server:
        server.routes |= {(method, r"/data/.*"): ranged for method in ("GET", "HEAD")}
        yield server


def fetched(product: SoilGrids, folder: Path) -> list[Path]:
    return [product.fetch(asset, folder) for asset in product.plan(WANT).assets]


@pytest.mark.parametrize("depth", [30, 100])
def test_the_stock_is_that_of_its_layers(windows: Path, depth: int) -> None:
    product = soil(windows, depth_cm=depth)
    plan = product.plan(WANT)
    assert len(plan.assets) == {30: 9, 100: 15}[depth] and not plan.by_hand
    field = product.open([windows / asset.name for asset in plan.assets], BOX, None)
    assert_is(field, "soc", soc(depth), {30: 0.04, 100: 0.1}[depth])  # content has whole dg/kg
    assert field.attrs["long_name"].endswith(f"0-{depth} cm")
    assert_covers(field, BOX)
    assert_mean_is(field, soc(depth), 0.02, 0.04)
    assert "igh" in field.rio.crs.to_proj4()


def test_the_factors_are_those_of_the_documentation(windows: Path, tmp_path: Path) -> None:
    """41.2 g/kg of 1.28 g/cm3 in 84.5 % of 30 cm: 41.2e-3 x 1280 x 0.845 x 0.3 kg m-2."""
    for path in windows.iterdir():
        name = path.name.split("_")[0]
        with rasterio.open(shutil.copy(path, tmp_path), "r+") as file:
            file.write(np.full(file.shape, {"soc": 412, "bdod": 128, "cfvo": 155, "ocs": 134}[name], "int16"), 1)
    files = sorted(tmp_path.iterdir())
    assert float(soil(tmp_path).open(files, BOX, None).mean()) == pytest.approx(13.3686, rel=1e-4)
    assert float(soil(tmp_path, source="ocs").open(files, BOX, None).mean()) == pytest.approx(13.4, rel=1e-5)


def test_the_map_of_stocks_is_a_tenth(windows: Path) -> None:
    product = soil(windows, source="ocs")
    plan = product.plan(WANT)
    assert [asset.name.split("mean")[0] for asset in plan.assets] == ["ocs_0-30cm_"]
    assert_is(product.open([windows / plan.assets[0].name], BOX, None), "soc", soc(30), 0.051)


def test_maps_at_1_km_are_fetched_whole_and_read_in_part(tmp_path: Path) -> None:
    root, folder = tmp_path / "archive", tmp_path / "soc"
    paths = write_aggregated(root, BOX)
    with standing() as server:
        server.files = {f"/{path.relative_to(root)}": path.read_bytes() for path in paths}
        product = SoilGrids("soc", Https(server.url), resolution_m=1000)
        files = fetched(product, folder)
        assert [path.name for path in files] == [f"{layer}_1000.tif" for layer in LAYERS]
        field = product.open(files, BOX, None)
        assert_is(field, "soc", soc(30), 0.03)
        assert float(field["x"][1] - field["x"][0]) == 1000
        del server.files["/data_aggregated/1000m/cfvo/cfvo_5-15cm_mean_1000.tif"]
        assert product.plan(WANT).by_hand.endswith("product's folder: cfvo_5-15cm_mean")


def test_a_layer_that_lacks_a_cell_leaves_it_missing(windows: Path, tmp_path: Path) -> None:
    files = [Path(shutil.copy(path, tmp_path)) for path in windows.iterdir()]
    before = soil(tmp_path).open(files, BOX, None)
    path = next(path for path in files if path.name.startswith("bdod_5-15"))
    with rasterio.open(path, "r+") as file:
        x, y = file.xy(10, 130)
        file.write(np.full((1, 1), -32768, "int16"), 1, window=Window(130, 10, 1, 1))
    after = soil(tmp_path).open(files, BOX, None)
    assert np.isfinite(before.sel(x=x, y=y)) and np.isnan(after.sel(x=x, y=y))
    assert after.isnull().sum() == before.isnull().sum() + 1


@pytest.mark.parametrize(("layer", "number"), [("soc_0-5", -9999), ("cfvo_15-30", 1001)])
def test_what_no_layer_can_hold_is_refused(windows: Path, tmp_path: Path, layer: str, number: int) -> None:
    files = [Path(shutil.copy(path, tmp_path)) for path in windows.iterdir()]
    path = next(path for path in files if path.name.startswith(layer))
    with rasterio.open(path, "r+") as file:
        file.write(np.full((1, 1), number, "int16"), 1, window=Window(20, 20, 1, 1))
    with pytest.raises(DataError, match=rf"{layer}.*: has values from .*{number}.*; expected 0 to"):
        soil(tmp_path).open(files, BOX, None)


def test_the_window_comes_by_ranges_alone_and_is_recorded(archive: StandIn, tmp_path: Path) -> None:
    product = SoilGrids("soc", Https(archive.url), source="ocs")
    plan = product.plan(WANT)
    assert plan == Plan(plan.assets) and not archive.asked
    assert plan.assets[0].url == f"{archive.url}/data/ocs/{OCS}.vrt"
    path = product.fetch(plan.assets[0], tmp_path)
    tiles = [asked for asked in archive.asked if ".tif" in asked.path and asked.method == "GET"]
    assert tiles and all(asked.headers.get("Range") for asked in tiles)
    assert len({asked.path for asked in tiles}) < 10  # of 30
    assert_is(product.open([path], BOX, None), "soc", soc(30), 0.051)
    with rasterio.open(path) as file:
        assert file.nodata == -32768 and file.tags()["etag"] == '"edition-1"' and OCS in file.tags()["source"]
        assert max(file.shape) < 150
    lock = json.loads((tmp_path / "files.lock.json").read_text())
    assert path.name in json.dumps(lock) and f"{OCS}.vrt" in json.dumps(lock)
    assert sorted(one.name for one in tmp_path.iterdir() if not one.name.startswith(".")) == sorted(
        ["files.lock.json", path.name]
    )
    archive.asked.clear()
    assert product.fetch(plan.assets[0], tmp_path) == path and not archive.asked


def test_another_box_is_another_file(archive: StandIn) -> None:
    product = SoilGrids("soc", Https(archive.url), source="ocs")
    names = {product.plan(Want((2000,), box)).assets[0].name for box in (BOX, Box(-93.05, -29.05, 93.25, 29.3))}
    assert names == {f"{OCS}_93.05_29.05_93.25_29.3.tif", f"{OCS}_-93.05_-29.05_93.25_29.3.tif"}


def test_each_property_has_its_own_corner_and_tiles(archive: StandIn, tmp_path: Path, windows: Path) -> None:
    asset = next(
        one for one in SoilGrids("soc", Https(archive.url)).plan(WANT).assets if one.name.startswith("bdod_0-5")
    )
    path = SoilGrids("soc", Https(archive.url)).fetch(asset, tmp_path)
    with rasterio.open(path) as found, rasterio.open(windows / path.name) as expected:
        inner = rasterio.windows.from_bounds(*found.bounds, expected.transform).round_offsets().round_lengths()
        np.testing.assert_array_equal(found.read(1), expected.read(1, window=inner))


@pytest.mark.parametrize("where", [".tif", ".vrt"])
@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_failure_is_told_and_not_remembered(archive: StandIn, tmp_path: Path, where: str, status: int) -> None:
    product = SoilGrids("soc", Https(archive.url), source="ocs")
    asset = product.plan(WANT).assets[0]
    archive.fail(where, *[Answer(200)] * (where == ".vrt"), Answer(status), always=True)
    with pytest.raises(DataError, match=rf"{OCS}.*") as refused:
        product.fetch(asset, tmp_path)
    assert re.search("run it again|is not there|What to do", str(refused.value))
    assert not list(tmp_path.glob("*.tif"))
    archive.mend()
    assert_is(product.open([product.fetch(asset, tmp_path)], BOX, None), "soc", soc(30), 0.051)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_archive_is_asked_again(archive: StandIn, tmp_path: Path, status: int) -> None:
    product = SoilGrids("soc", Https(archive.url), source="ocs")
    archive.fail(".tif", Answer(status), Answer(status))
    assert product.fetch(product.plan(WANT).assets[0], tmp_path).is_file()


def test_strips_that_came_are_not_fetched_again(
    archive: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soilgrids, "_STRIP", 40)
    product = SoilGrids("soc", Https(archive.url), source="ocs")
    asset, read, rows = product.plan(WANT).assets[0], rasterio.DatasetReader.read, []

    def cut(self: rasterio.DatasetReader, *args: object, **options: object) -> np.ndarray:
        rows.append(options["window"].row_off)
        if len(rows) == 2:
            raise rasterio.errors.RasterioIOError("the line was cut")
        return read(self, *args, **options)

    monkeypatch.setattr(rasterio.DatasetReader, "read", cut)
    with pytest.raises(DataError, match="the line was cut.*run it again: what came is kept"):
        product.fetch(asset, tmp_path)
    path = product.fetch(asset, tmp_path)
    monkeypatch.undo()
    assert len(rows) > 3 and rows[2] == rows[1] == rows[0] + 40  # not from the first row again
    assert_is(product.open([path], BOX, None), "soc", soc(30), 0.051)


def test_a_full_disk_is_told_and_leaves_no_half(
    archive: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = SoilGrids("soc", Https(archive.url), source="ocs")
    asset = product.plan(WANT).assets[0]

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(np, "save", full)
        with pytest.raises(DataError, match=rf"{asset.name}: .*No space left on device.*run it again"):
            product.fetch(asset, tmp_path)
    assert not list(tmp_path.glob("*.tif"))
    assert_is(product.open([product.fetch(asset, tmp_path)], BOX, None), "soc", soc(30), 0.051)


def test_a_window_put_there_by_hand_counts(windows: Path, tmp_path: Path) -> None:
    product = SoilGrids("soc", Https("http://127.0.0.1:9"), source="ocs")
    asset = product.plan(WANT).assets[0]
    shutil.copy(next(windows.glob("ocs*")), tmp_path / asset.name)
    assert product.fetch(asset, tmp_path) == tmp_path / asset.name
    assert asset.name in (tmp_path / "files.lock.json").read_text()


def test_layers_that_lack_or_are_there_twice_are_named(windows: Path, tmp_path: Path) -> None:
    files = [path for path in windows.iterdir() if not path.name.startswith("cfvo_5-15")]
    with pytest.raises(DataError, match="soc: cfvo_5-15cm_mean is missing among"):
        soil(windows).open(files, BOX, None)
    twice = shutil.copy(files[0], tmp_path / files[0].name.replace("mean_", "mean_0_"))
    with pytest.raises(DataError, match="are the same layer; remove one"):
        soil(windows).open([*windows.iterdir(), Path(twice)], BOX, None)
    plan = soil(tmp_path, source="ocs").plan(WANT)
    assert plan.by_hand == f"put into {tmp_path}, a file each: {OCS}"


def test_a_file_that_is_cut_is_named(windows: Path, tmp_path: Path) -> None:
    files = [Path(shutil.copy(path, tmp_path)) for path in windows.iterdir()]
    path = next(path for path in files if path.name.startswith("cfvo_15-30"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(DataError, match=rf"{path.name}: cannot be read .*delete it and fetch it again"):
        soil(tmp_path).open(files, BOX, None)


@pytest.mark.parametrize("options", [{"depth_cm": 60}, {"resolution_m": 500}, {"source": "ocs", "depth_cm": 100}])
def test_maps_that_do_not_exist_are_refused(options: dict) -> None:
    with pytest.raises(ConfigError, match="soc: "):
        soil(Path(), **options)
