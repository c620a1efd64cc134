"""NPP of CASA and GLO_PEM: sums of months, numbers that are none, files that are not there."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from opened_products import assert_covers, assert_is, assert_mean_is
from rasterio import Affine

from helpers.data.products.interface import Asset, Box, Want
from helpers.data.products.rasters import YearlyRasters
from helpers.data.products.transports import Figshare, Folder
from helpers.errors import ConfigError, DataError
from helpers.virtual.archive import fields, rasters

BOX = Box(92.9, 28.95, 93.3, 29.3)  # a lake in it
YEARS = (2003, 2004)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("npp")
    rasters.write_casa(folder, BOX, YEARS)
    rasters.write_casa(folder / "yearly", BOX, YEARS, "year")
    rasters.write_glo_pem(folder / "glo", BOX, YEARS)
    return folder


def casa(folder: Path, **options: object) -> YearlyRasters:
    return YearlyRasters("npp_casa", Folder(folder), years=(2000, 2015), **rasters.CASA_OPTIONS | options)


def glo_pem(folder: Path) -> YearlyRasters:
    return YearlyRasters("npp_glopem", Folder(folder), years=(2000, 2010), **rasters.GLO_PEM_OPTIONS)


def npp(factor: float, year: int):
    return lambda longitude, latitude: factor * fields.npp(longitude, latitude, year)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.tif"))


@pytest.mark.parametrize("year", YEARS)
def test_twelve_months_are_the_year(folder: Path, year: int) -> None:
    field = casa(folder).open(files(folder), BOX, year)
    assert_is(field, "npp", npp(rasters.CASA, year), 0.07)
    assert_covers(field, BOX)
    assert_mean_is(field, npp(rasters.CASA, year), 0.04, 0.07)


def test_a_yearly_file_is_the_year(folder: Path) -> None:
    product = casa(folder, pattern="NPP_*_{year}.TIF", period="year", scale=0.1)
    assert_is(product.open(files(folder / "yearly"), BOX, 2004), "npp", npp(rasters.CASA, 2004), 0.06)


def test_another_ellipsoid_is_heeded(folder: Path) -> None:
    field = glo_pem(folder).open(files(folder / "glo"), BOX, 2003)
    assert "krass" in field.rio.crs.to_proj4()
    assert_is(field, "npp", npp(rasters.GLO_PEM, 2003), 1e-3)
    assert_mean_is(field, npp(rasters.GLO_PEM, 2003), 0.04, 1e-3)


def test_a_year_with_fewer_months_is_refused(folder: Path) -> None:
    there = [path for path in files(folder) if "2004_07" not in path.name and "2004_11" not in path.name]
    with pytest.raises(DataError, match=r"npp_casa: no file of months 7, 11 of 2004 among 22; .*NPP_CASA_\{year\}"):
        casa(folder).open(there, BOX, 2004)
    assert casa(folder).open(there, BOX, 2003).notnull().any()


def test_a_month_is_there_once_and_is_a_month(folder: Path, tmp_path: Path) -> None:
    twice = shutil.copy(folder / "NPP_CASA_2004_07.tif", tmp_path / "NPP_CASA_2004_7.tif")
    with pytest.raises(DataError, match=r"NPP_CASA_2004_7.tif and .*NPP_CASA_2004_07.tif are the same period"):
        casa(folder).open([*files(folder), twice], BOX, 2004)
    with pytest.raises(DataError, match=r"no file of months 7 of 2004 \(and NPP_CASA_2004_13.tif is no month\)"):
        there = [path for path in files(folder) if "2004_07" not in path.name]
        casa(folder).open([*there, tmp_path / "NPP_CASA_2004_13.tif"], BOX, 2004)


def test_a_cell_that_a_month_lacks_is_missing(folder: Path, tmp_path: Path) -> None:
    for path in files(folder):
        shutil.copy(path, tmp_path)
    with rasterio.open(tmp_path / "NPP_CASA_2004_05.tif", "r+") as file:
        values = file.read(1)
        row, column = (size // 6 for size in values.shape)
        values[row, column] = -9999
        file.write(values, 1)
        x, y = file.xy(row, column)
    before = casa(folder).open(files(folder), BOX, 2004).sel(x=x, y=y, method="nearest")
    after = casa(tmp_path).open(files(tmp_path), BOX, 2004)
    assert np.isfinite(before) and np.isnan(after.sel(x=x, y=y, method="nearest"))
    lost = int(after.isnull().sum() - casa(folder).open(files(folder), BOX, 2004).isnull().sum())
    assert lost == 1


def test_a_number_for_missing_must_be_told(folder: Path) -> None:
    with pytest.raises(DataError, match=r"NPP_CASA_2003_01.tif: names no number .* option nodata of npp_casa"):
        casa(folder, nodata=None).open(files(folder), BOX, 2003)


def test_what_is_out_of_range_is_no_value_and_is_counted(folder: Path) -> None:
    product = casa(folder, nodata=None, low=0)
    field = product.open(files(folder), BOX, 2003)
    assert_is(field, "npp", npp(rasters.CASA, 2003), 0.07)
    cells = int(field.isnull().sum())
    assert field.attrs["outside_range"] == 12 * cells > 0
    high = replace(product, high=5.0).open(files(folder), BOX, 2003)
    assert high.isnull().all() and high.attrs["outside_range"] > field.attrs["outside_range"]


@pytest.mark.parametrize("code", [-9999, 6553.5])
def test_a_code_that_nobody_named_is_refused(folder: Path, tmp_path: Path, code: float) -> None:
    path = Path(shutil.copy(folder / "glo" / "GLOPEM_NPP_2003.tif", tmp_path))
    with rasterio.open(path, "r+") as file:
        values = file.read(1)
        values[len(values) // 2] = code
        file.write(values.astype(file.dtypes[0]), 1)
    with pytest.raises(DataError, match=r"GLOPEM_NPP_2003.tif: .* are no NPP .*npp_glopem, set scale, .* nodata"):
        glo_pem(tmp_path).open([path], BOX, 2003)
    assert replace(glo_pem(tmp_path), low=0, high=4000).open([path], BOX, 2003).attrs["outside_range"] > 0


def test_months_in_another_unit_are_refused_by_their_sum(folder: Path) -> None:
    with pytest.raises(DataError, match="are no NPP in g C m-2, expected -500 to 4000"):
        casa(folder, scale=0.1).open(files(folder), BOX, 2003)


def test_a_projection_that_files_lack_is_told(folder: Path, tmp_path: Path) -> None:
    paths = rasters.write_casa(tmp_path, BOX, [2003], named=False)
    with pytest.raises(DataError, match=r"NPP_CASA_2003_01.tif: names no projection .* option crs"):
        casa(tmp_path).open(paths, BOX, 2003)
    with rasterio.open(folder / "NPP_CASA_2003_01.tif") as file:
        told = casa(tmp_path, crs=file.crs.to_proj4())
    assert_is(told.open(paths, BOX, 2003), "npp", npp(rasters.CASA, 2003), 0.07)


def test_without_a_scale_that_of_the_file_counts(folder: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(folder / "yearly" / "NPP_CASA_2003.tif", tmp_path))
    with rasterio.open(path, "r+") as file:
        file.scales = (0.1,)
    product = casa(tmp_path, pattern="NPP_CASA_{year}.tif", period="year", scale=None)
    assert_is(product.open([path], BOX, 2003), "npp", npp(rasters.CASA, 2003), 0.06)
    with rasterio.open(path, "r+") as file:
        file.offsets = (100.0,)
    with pytest.raises(DataError, match="NPP_CASA_2003.tif: adds 100 to its numbers"):
        product.open([path], BOX, 2003)


def test_rows_from_the_south_are_turned(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "GLOPEM_NPP_2003.tif"
    with rasterio.open(folder / "glo" / path.name) as file:
        step, profile, values = file.transform, file.profile, file.read(1)
    profile["transform"] = Affine(step.a, 0, step.c, 0, -step.e, step.f + step.e * len(values))
    with rasterio.open(path, "w", **profile) as file:
        file.write(values[::-1], 1)
    part = Box(93.1, 29.05, 93.2, 29.2)
    found = glo_pem(tmp_path).open([path], part, 2003)
    assert_is(found, "npp", npp(rasters.GLO_PEM, 2003), 1e-3)
    assert found.equals(glo_pem(folder).open(files(folder / "glo"), part, 2003))


def test_a_window_beyond_the_file_is_missing(folder: Path) -> None:
    field = glo_pem(folder).open(files(folder / "glo"), Box(93.2, 29.2, 93.9, 29.6), 2003)
    assert_covers(field, Box(93.2, 29.2, 93.9, 29.6))
    assert field.isnull().any() and field.notnull().any()


def test_a_file_that_is_cut_or_another_is_named(folder: Path, tmp_path: Path) -> None:
    whole = (folder / "glo" / "GLOPEM_NPP_2003.tif").read_bytes()
    path = tmp_path / "GLOPEM_NPP_2003.tif"
    for size in (len(whole) // 2, 100, 0):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"GLOPEM_NPP_2003.tif: cannot be read .*delete it and fetch it again"):
            glo_pem(tmp_path).open([path], BOX, 2003)
    with rasterio.open(folder / "glo" / path.name) as file:
        profile, values = file.profile | {"count": 2}, file.read(1)
    with rasterio.open(path, "w", **profile) as file:
        file.write(np.stack([values, values]))
    with pytest.raises(DataError, match=r"GLOPEM_NPP_2003.tif: expected one band, found 2"):
        glo_pem(tmp_path).open([path], BOX, 2003)


def test_months_on_other_cells_are_refused(folder: Path, tmp_path: Path) -> None:
    for path in files(folder):
        shutil.copy(path, tmp_path)
    with rasterio.open(tmp_path / "NPP_CASA_2003_06.tif", "r+") as file:
        step = file.transform
        file.transform = Affine(step.a, 0, step.c + step.a / 2, 0, step.e, step.f)
    with pytest.raises(DataError, match=r"NPP_CASA_2003_06.tif: its cells .* are not those of the files beside it"):
        casa(tmp_path).open(files(tmp_path), BOX, 2003)


def test_the_plan_has_the_years_that_are_wanted_and_says_which_lack(folder: Path) -> None:
    plan = casa(folder).plan(Want((2004, 2016, 2018), BOX))
    assert [asset.name for asset in plan.assets] == [f"NPP_CASA_2004_{month:02d}.tif" for month in range(1, 13)]
    assert {asset.year for asset in plan.assets} == {2004} and plan.lacking == (2016, 2018) and not plan.by_hand
    absent = casa(folder).plan(Want((2004, 2015), BOX))
    assert absent.lacking == () and absent.by_hand.startswith("2015: 12 file(s) NPP_CASA_{year}_{month}.tif a year")


class Record(Figshare):
    """A record that holds some files."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names, self.asked = names, []

    def find(self, doi_or_article: str, version: int | None = None) -> list[Asset]:
        self.asked.append(doi_or_article)
        return [Asset(name, f"https://files.example/{name}") for name in self.names]


def test_a_record_is_asked_by_its_doi() -> None:
    record = Record(["readme.txt", "GLOPEM_NPP_2003.tif", "GLOPEM_NPP_2004.tif"])
    plan = replace(glo_pem(Path()), transport=record, doi="10.6084/m9.figshare.20387874.v1").plan(Want((2004,), BOX))
    assert record.asked == ["10.6084/m9.figshare.20387874.v1"]
    assert [(asset.name, asset.year) for asset in plan.assets] == [("GLOPEM_NPP_2004.tif", 2004)]


def test_an_archive_of_rar_files_says_how_to_unpack(folder: Path, tmp_path: Path) -> None:
    unpack = r"ChinaNPP_2001_2005.rar: unpack by hand \(unar ChinaNPP_2001_2005.rar, or bsdtar -xf .*transport folder"
    (tmp_path / "ChinaNPP_2001_2005.rar").write_bytes(b"Rar!")
    for product in (casa(tmp_path), replace(casa(tmp_path), transport=Record(["ChinaNPP_2001_2005.rar"]))):
        plan = product.plan(Want((2003,), BOX))
        assert not plan.assets
        assert re.search(unpack, plan.by_hand)
    with pytest.raises(DataError, match=unpack):
        casa(tmp_path).open([tmp_path / "ChinaNPP_2001_2005.rar"], BOX, 2003)


@pytest.mark.parametrize(
    ("pattern", "period"), [("NPP.tif", "year"), ("{year}.tif", "month"), ("{year}{month}", "year")]
)
def test_names_must_tell_the_period(pattern: str, period: str) -> None:
    with pytest.raises(ConfigError, match=r"npp_casa: pattern is .* it needs \{year\}"):
        casa(Path(), pattern=pattern, period=period)
