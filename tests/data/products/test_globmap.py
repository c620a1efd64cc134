"""GLOBMAP LAI: values at their places, the mean of a year, numbers that are none, periods that are not there."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pytest
import rasterio
import xarray as xr
from rasterio import Affine

from helpers.data.grid import target_grid
from helpers.data.products.globmap import GlobmapLai
from helpers.data.products.interface import Asset, Box, Want
from helpers.data.products.transports import Folder, Zenodo
from helpers.errors import DataError
from helpers.virtual.archive import fields
from helpers.virtual.archive.globmap import write_globmap

EIGHT_DAYS = range(1, 366, 8)
HALF_MONTHS = [date(2000, month, day).timetuple().tm_yday for month in range(1, 13) for day in (1, 16)]


@pytest.fixture(scope="module")
def periods(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """A year of half months, as converted files, and a leap year of 8 days in HDF4."""
    folder = tmp_path_factory.mktemp("globmap")
    early = write_globmap(folder, fields.BOX, (1999,), "tif", half_months=True)
    return early + write_globmap(folder, fields.BOX, (2004,))


@pytest.fixture
def lai() -> GlobmapLai:
    return GlobmapLai("lai", Folder(Path("nowhere")))


class Answers:
    """A given answer of an archive."""

    def __init__(self, names: Sequence[str]) -> None:
        self.path, self.asked, self.names = Path("by hand"), [], names

    def find(self, question: str) -> list[Asset]:
        self.asked.append(question)
        return [Asset(name, "") for name in self.names]


class ZenodoOf(Answers, Zenodo):
    """A repository."""


class FolderOf(Answers, Folder):
    """A folder."""


def names(year: int, days: Sequence[int] = EIGHT_DAYS) -> list[str]:
    return [f"GlobMapLAIV3.A{year}{day:03d}.Global.hdf" for day in days]


@pytest.mark.parametrize("year", [1999, 2004])
def test_the_mean_of_a_year_is_that_of_its_days(periods: list[Path], lai: GlobmapLai, year: int) -> None:
    field = lai.open(periods, fields.BOX, year)
    assert field.dims == ("y", "x") and field.dtype == "float32" and field.attrs["units"] == "1"
    assert field.rio.crs == "EPSG:4326" and (np.diff(field["y"]) < 0).all()
    data = ~fields.data_gap(field["x"].values[None, :], field["y"].values[:, None])
    error = field.values - fields.lai(field["x"].values[None, :], field["y"].values[:, None], year)
    assert np.abs(error[data]).max() < 0.004
    # Rounding of a hundredth cancels over many cells; a mean without the days' weights is 0.005 off.
    assert abs(error[data].mean()) < 3e-4


def test_cells_lie_where_the_product_has_them(periods: list[Path], lai: GlobmapLai) -> None:
    field = lai.open(periods, Box(92, 30, 92.5, 30.5), 2004)
    step = 360 / 4950
    np.testing.assert_allclose((field["x"] + 180) / step % 1, 0.5, atol=1e-6)
    np.testing.assert_allclose((89.2 - field["y"]) / step % 1, 0.5, atol=1e-6)
    assert float(field["x"].min()) < 92 - 1.5 * step and float(field["x"].max()) > 92.5 + 1.5 * step
    assert float(field["y"].min()) < 30 - 1.5 * step and float(field["y"].max()) > 30.5 + 1.5 * step
    whole = lai.open(periods, fields.BOX, 2004)
    xr.testing.assert_allclose(field, whole.sel(x=field["x"], y=field["y"], method="nearest", tolerance=1e-6))


def test_fill_is_missing_and_nothing_is_nothing(periods: list[Path], lai: GlobmapLai) -> None:
    odc = pytest.importorskip("odc.geo.xr")
    field = lai.open(periods, fields.BOX, 2004)
    where = (field["x"].values[None, :], field["y"].values[:, None])
    lake, gap = fields.lake(*where), fields.data_gap(*where)
    assert lake.any() and (np.isnan(field.values) == lake).all()
    assert (gap & ~lake).any() and (field.values[gap & ~lake] == 0).all()
    east, north, _ = fields.LAKES[-1]
    grid = target_grid(east - 0.4, north - 0.4, east + 0.4, north + 0.4, 0.2)
    mean = odc.xr_reproject(field, grid.odc.geobox, resampling="average").values
    truth = fields.lai(grid["longitude"].values[None, :], grid["latitude"].values[:, None], 2004)
    assert np.abs(mean - truth).max() < 0.5  # the field bends; a fill of 25.5 in one of eight cells would add 3


@pytest.mark.parametrize("number", [-1, 1001, 32767])
def test_a_cell_needs_all_its_periods(periods: list[Path], lai: GlobmapLai, tmp_path: Path, number: int) -> None:
    early = [path for path in periods if "A1999" in path.name]
    path = tmp_path / early[5].name
    with rasterio.open(early[5]) as raster:
        profile, counts = raster.profile, raster.read(1)
    row, column = int((89.2 - 30.3) / 360 * 4950), int((92.3 + 180) / 360 * 4950)
    counts[row, column], counts[row, column + 1] = number, 1000
    with rasterio.open(path, "w", **profile) as raster:
        raster.write(counts, 1)
    field = lai.open([*early[:5], path, *early[6:]], Box(92, 30, 92.5, 30.5), 1999)
    cell = field.sel(x=-180 + (column + 0.5) * 360 / 4950, y=89.2 - (row + 0.5) * 360 / 4950, method="nearest")
    assert np.isnan(float(cell)) and np.isnan(field.values).sum() == 1


def test_leaf_area_that_is_no_count_is_refused(periods: list[Path], lai: GlobmapLai, tmp_path: Path) -> None:
    early, box = [path for path in periods if "A1999" in path.name], Box(92, 30, 92.5, 30.5)
    path = tmp_path / early[0].name
    with rasterio.open(early[0]) as raster:
        profile, counts = raster.profile | {"dtype": "float32"}, raster.read(1)
    for unit in (1, 0.01):
        with rasterio.open(path, "w", **profile) as raster:
            raster.write((counts * unit).astype("float32"), 1)
        if unit == 1:
            xr.testing.assert_allclose(lai.open([path, *early[1:]], box, 1999), lai.open(early, box, 1999))
    with pytest.raises(DataError, match=f"{path.name}: holds .*, expected whole numbers"):
        lai.open([path, *early[1:]], box, 1999)


def test_a_year_needs_all_its_periods(periods: list[Path], lai: GlobmapLai) -> None:
    late = [path for path in periods if "A2004" in path.name]
    for lost in (1, 105, 361):
        files = [path for path in late if f"A2004{lost:03d}" not in path.name]
        with pytest.raises(
            DataError, match=rf"LAI 2004: found 45 periods, expected 46 of 8 days \(not there: {lost}\)"
        ):
            lai.open(files, fields.BOX, 2004)
    with pytest.raises(DataError, match="LAI 2005: no file of this year"):
        lai.open(late, fields.BOX, 2005)


@pytest.mark.parametrize(
    ("year", "days", "whole"),
    [
        (1999, range(1, 366, 16), True),
        (1999, [*range(1, 366, 16)][:-1], False),
        (2000, EIGHT_DAYS, True),
        (2000, HALF_MONTHS, True),
        (2001, range(1, 366, 16), False),
        (2001, EIGHT_DAYS, True),
        (2001, [2, *EIGHT_DAYS[1:]], False),
        (1999, [*HALF_MONTHS[:10], *HALF_MONTHS[11:], 360], False),
    ],
)
def test_the_calendars_of_a_year(year: int, days: Sequence[int], whole: bool) -> None:
    product, want = GlobmapLai("lai", ZenodoOf(names(year, days))), Want((year,), fields.BOX)
    if whole:
        assert len(product.plan(want).assets) == len(days)
    else:
        with pytest.raises(DataError, match=f"LAI {year}: found {len(days)} periods"):
            product.plan(want)


def test_files_that_are_not_the_product_are_refused(periods: list[Path], lai: GlobmapLai, tmp_path: Path) -> None:
    late = [path for path in periods if "A2004" in path.name]
    twice = tmp_path / late[3].name.replace(".hdf", ".LAI.tif")
    with pytest.raises(DataError, match="are of the same period"):
        lai.open([*late, twice], fields.BOX, 2004)
    with pytest.raises(DataError, match="Readme.txt: expected GlobMapLAIV3"):
        lai.open([*late, tmp_path / "Readme.txt"], fields.BOX, 2004)
    with rasterio.open(periods[0]) as raster:
        profile, counts = raster.profile, raster.read(1)
    shifted = profile | {"transform": Affine(360 / 4950, 0, -180, 0, -360 / 4950, 90)}
    smaller = profile | {"height": 2089}
    for wrong, message in ((shifted, "begins at -180 E 90 N"), (smaller, r"has \(2089, 4950\) cells")):
        with rasterio.open(twice, "w", **wrong) as raster:
            raster.write(counts[: wrong["height"]], 1)
        with pytest.raises(DataError, match=f"{re.escape(twice.name)}: {message}"):
            lai.open([*late[:3], twice, *late[4:]], fields.BOX, 2004)


@pytest.mark.parametrize("number", [0, 30])
def test_a_file_that_is_cut_is_refused(periods: list[Path], lai: GlobmapLai, tmp_path: Path, number: int) -> None:
    files = [path for path in periods if path.suffix == (".tif" if number == 0 else ".hdf")]
    path = tmp_path / files[2].name
    path.write_bytes(files[2].read_bytes()[:40_000])
    with pytest.raises(DataError, match=rf"{re.escape(path.name)}: cannot be read "):
        lai.open([*files[:2], path, *files[3:]], fields.BOX, 1999 if number == 0 else 2004)


def test_a_plan_has_all_periods_of_the_years() -> None:
    archive = ZenodoOf(["Readme.txt", *names(2005), *reversed(names(2004)), *names(2006)])
    plan = GlobmapLai("lai", archive, doi="10.5281/zenodo.1").plan(Want((2004, 2005, 2030), fields.BOX))
    assert archive.asked == ["10.5281/zenodo.1"]
    assert [asset.name for asset in plan.assets] == names(2004) + names(2005)
    assert {asset.year for asset in plan.assets} == {2004, 2005} and plan.lacking == (2030,) and not plan.by_hand


def test_a_record_of_archives_is_to_be_unpacked_by_hand() -> None:
    plan = GlobmapLai("lai", ZenodoOf(["LAI_2001_2010.zip", "Readme.txt"])).plan(Want((2004,), fields.BOX))
    assert not plan.assets and not plan.lacking
    assert "all periods of 2004" in plan.by_hand and "unpack LAI_2001_2010.zip" in plan.by_hand


def test_years_that_a_folder_does_not_have_yet_are_asked_for() -> None:
    plan = GlobmapLai("lai", FolderOf(names(2004))).plan(Want((2004, 2005), fields.BOX))
    assert len(plan.assets) == 46 and "all periods of 2005" in plan.by_hand and "2004" not in plan.by_hand


def test_hdf4_and_geotiff_are_read_alike(tmp_path: Path, lai: GlobmapLai) -> None:
    box = Box(92, 30, 92.3, 30.3)
    fetched, converted = (
        write_globmap(tmp_path / form, box, (1998,), form, half_months=True) for form in ("hdf", "tif")
    )
    xr.testing.assert_identical(lai.open(fetched, box, 1998), lai.open(converted, box, 1998))
    short = [tmp_path / path.name.replace(".LAI.tif", ".tif") for path in converted]
    for source, target in zip(converted, short, strict=True):
        shutil.copy(source, target)
    xr.testing.assert_identical(lai.open(short, box, 1998), lai.open(fetched, box, 1998))
