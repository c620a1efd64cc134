"""Soil respiration of ORNL: two collections, the window of a global map, values above zero."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import rasterio
from opened_products import assert_covers, assert_is, assert_mean_is

from helpers.data.products.interface import Asset, Box, Want
from helpers.data.products.respiration import OrnlRespiration
from helpers.data.products.transports import Folder, Ornl
from helpers.errors import ConfigError, DataError
from helpers.virtual.archive import fields
from helpers.virtual.archive.respiration import OF_1736, YEAR, write_respiration_1736, write_respiration_1928

BOX = Box(92.9, 28.95, 93.3, 29.3)
MAPS = {
    (1928, "rs"): lambda x, y: fields.rs(x, y, YEAR),
    (1928, "rh"): lambda x, y: fields.rh(x, y, YEAR),
    (1736, "rs"): lambda x, y: OF_1736 * fields.rs(x, y, YEAR),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("ornl")
    return write_respiration_1928(folder, BOX) + write_respiration_1736(folder, BOX)


@pytest.mark.parametrize(("dataset", "variable"), MAPS)
def test_each_map_is_its_own(files: list[Path], dataset: int, variable: str) -> None:
    field = OrnlRespiration("rs", Folder(Path()), dataset, variable).open(files, BOX, None)
    assert_is(field, variable, MAPS[dataset, variable], 1e-3)
    assert_covers(field, BOX)
    assert_mean_is(field, MAPS[dataset, variable], 0.04, 1e-2)


@pytest.mark.parametrize("number", [0.0, -1.0, 65535.0, 3.4e38, np.inf])
def test_what_no_soil_respires_is_no_value(files: list[Path], tmp_path: Path, number: float) -> None:
    path = tmp_path / files[2].name
    path.write_bytes(files[2].read_bytes())
    with rasterio.open(path, "r+") as file:
        row, column = file.index(92.5, 28.5)  # outside of the box: nothing was written there
        file.write(np.full((10, 10), number, "float32"), 1, window=((row - 10, row), (column, column + 10)))
    field = OrnlRespiration("rs", Folder(Path()), 1736).open([path], Box(92.45, 28.45, 92.65, 28.65), None)
    assert field.isnull().all()


def test_only_the_window_is_read(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    read, windows = rasterio.DatasetReader.read, []

    def noted(self: rasterio.DatasetReader, *args: object, **options: object) -> np.ndarray:
        windows.append(options["window"])
        return read(self, *args, **options)

    monkeypatch.setattr(rasterio.DatasetReader, "read", noted)
    field = OrnlRespiration("rs", Folder(Path())).open(files, BOX, None)
    assert [(window.height, window.width) for window in windows] == [field.shape]
    assert field.size < 10_000  # the globe has 933 million cells


def test_the_collection_and_its_file_are_asked_for() -> None:
    class Archive(Ornl):
        def find(self, short_name: str, names: Sequence[str]) -> list[Asset]:
            return [Asset(f"{short_name}/{name}", "u") for name in names]

    archive = Archive("https://cmr.example/search", "login.example")
    asked = [
        OrnlRespiration("rs", archive, dataset, variable).plan(Want((2000,), BOX)).assets[0].name
        for dataset, variable in MAPS
    ]
    assert asked == [
        "SoilResp_HeterotrophicResp_1928/soil_Rs_mean.tif",
        "SoilResp_HeterotrophicResp_1928/soil_Rh_mean.tif",
        "CMS_Global_Soil_Respiration_1736/soil_resp_mean_quantile_regress_forest.tif",
    ]


def test_a_folder_that_lacks_the_map_is_told(files: list[Path], tmp_path: Path) -> None:
    plan = OrnlRespiration("rs", Folder(files[0].parent)).plan(Want((2000,), BOX))
    assert [asset.name for asset in plan.assets] == ["soil_Rs_mean.tif"] and not plan.by_hand
    plan = OrnlRespiration("rs", Folder(tmp_path)).plan(Want((2000,), BOX))
    assert not plan.assets and plan.by_hand == f"put soil_Rs_mean.tif into {tmp_path}"
    with pytest.raises(DataError, match="rs: soil_Rs_mean.tif is missing, found soil_Rh_mean.tif"):
        OrnlRespiration("rs", Folder(tmp_path)).open(files[1:2], BOX, None)


def test_a_map_that_is_cut_is_named(files: list[Path], tmp_path: Path) -> None:
    path = tmp_path / files[0].name
    whole = files[0].read_bytes()
    for size in (len(whole) // 2, len(whole) - 2000, 10):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match="soil_Rs_mean.tif: cannot be read"):
            OrnlRespiration("rs", Folder(tmp_path)).open([path], BOX, None)


@pytest.mark.parametrize(("dataset", "variable"), [(1736, "rh"), (1827, "rs"), (1928, "npp")])
def test_a_map_that_does_not_exist_is_refused(dataset: int, variable: str) -> None:
    with pytest.raises(ConfigError, match="rs: expected dataset 1928 with rs or rh, or 1736 with rs"):
        OrnlRespiration("rs", Folder(Path()), dataset, variable)
