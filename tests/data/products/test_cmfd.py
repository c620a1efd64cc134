"""CMFD: unpacked in our units, by the hours of the year, rows turned; other products of the same name refused."""

from __future__ import annotations

import calendar
import shutil
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from opened_products import assert_covers, assert_is, assert_mean_is

from helpers.data.products.cmfd import Cmfd
from helpers.data.products.interface import Asset, Box, Want
from helpers.data.products.transports import Figshare, Folder
from helpers.errors import DataError
from helpers.virtual.archive import fields
from helpers.virtual.archive.cmfd import write_cmfd

BOX, YEARS = Box(92.0, 29.0, 93.0, 30.0), (2000, 2001)
NAME = "prec_CMFD_V0106_B-01_01yr_010deg_1979-2018.nc"
VARIABLES = {
    "temp": ("temperature", fields.temperature, 0.006),
    "prec": ("precipitation", fields.precipitation, 0.05),
    "srad": ("srad", fields.srad, 0.011),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cmfd")
    write_cmfd(folder, BOX, YEARS)
    return folder


def cmfd(folder: Path, variable: str = "prec") -> Cmfd:
    return Cmfd("cmfd", Folder(folder), variable)


def beyond(longitude: np.ndarray, latitude: np.ndarray) -> np.ndarray:
    """Tell where the files have no value: 0.2 degree around the box."""
    centre = (BOX.west + BOX.east) / 2, (BOX.south + BOX.north) / 2
    return np.maximum(abs(longitude - centre[0]), abs(latitude - centre[1])) > 0.7


@pytest.mark.parametrize("year", YEARS)
@pytest.mark.parametrize("variable", VARIABLES)
def test_values_are_those_of_the_year_in_our_unit(folder: Path, variable: str, year: int) -> None:
    name, truth, tolerance = VARIABLES[variable]
    field = cmfd(folder, variable).open(sorted(folder.iterdir()), BOX, year)
    assert_is(field, name, lambda x, y: truth(x, y, year), tolerance, beyond)
    assert_covers(field, BOX)
    np.testing.assert_allclose((field["x"] - 70) * 10 % 1, 0.5, atol=1e-6)
    np.testing.assert_allclose((field["y"] - 15) * 10 % 1, 0.5, atol=1e-6)


def test_rain_is_the_rate_by_the_hours_of_that_very_year(folder: Path, tmp_path: Path) -> None:
    path = shutil.copy(folder / NAME, tmp_path)
    with netCDF4.Dataset(path, "r+") as file:
        file["prec"][:] = 0.05
    rain = {year: float(cmfd(tmp_path).open([Path(path)], BOX, year).mean()) for year in (1999, 2000, 2001)}
    for year, sum_ in rain.items():
        assert sum_ == pytest.approx(0.05 * 24 * (366 if calendar.isleap(year) else 365), rel=1e-6)
    assert rain[2000] - rain[2001] == pytest.approx(1.2, abs=1e-3)


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_mean_does_not_meet_what_is_missing(folder: Path, variable: str) -> None:
    _, truth, tolerance = VARIABLES[variable]
    field = cmfd(folder, variable).open(sorted(folder.iterdir()), Box(91.5, 28.5, 93.5, 30.5), 2001)
    assert_mean_is(field, lambda x, y: truth(x, y, 2001), 0.4, tolerance, beyond)


@pytest.mark.parametrize("options", [{"institute": True}, {"kind": "NETCDF3_CLASSIC"}])
def test_older_names_and_kinds_are_read(folder: Path, tmp_path: Path, options: dict) -> None:
    paths = write_cmfd(tmp_path, BOX, YEARS, **options)
    assert ("ITPCAS-CMFD" in paths[0].name) == ("institute" in options)
    product = cmfd(tmp_path)
    assert product.open(paths, BOX, 2000).equals(cmfd(folder).open(sorted(folder.iterdir()), BOX, 2000))
    assert [asset.name for asset in product.plan(Want(YEARS, BOX)).assets] == [paths[1].name]


def test_rows_from_the_north_are_read_as_well(folder: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(folder / NAME, tmp_path))
    with netCDF4.Dataset(path, "r+") as file:
        for name in ("lat", "prec"):
            file[name].set_auto_maskandscale(False)
            file[name][:] = file[name][:][::-1] if name == "lat" else file[name][:][:, ::-1]
    part = Box(92.3, 29.1, 92.6, 29.9)
    assert cmfd(tmp_path).open([path], part, 2000).equals(cmfd(folder).open([folder / NAME], part, 2000))


def test_a_window_beyond_the_file_is_missing(folder: Path) -> None:
    field = cmfd(folder).open([folder / NAME], Box(138, 50, 142, 56), 2000)
    assert_covers(field, Box(138, 50, 142, 56))
    assert field.isnull().all()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "prec_CMFD_V0200_B-01_01yr_010deg_1951-2024.nc",
            "version 0200 is another product; expected 1.6, prec_CMFD_V0106",
        ),
        (
            "prec_CMFD_V0106_B-01_01mo_010deg_197901-201812.nc",
            "its step is 01mo; expected yearly means, prec_CMFD_V0106",
        ),
        ("temp_CMFD_V0106_B-01_01yr_010deg_1979-2018.nc", f"cmfd: {NAME} is missing, found temp_CMFD"),
    ],
)
def test_another_product_is_refused(folder: Path, tmp_path: Path, name: str, message: str) -> None:
    path = tmp_path / name
    path.touch()
    with pytest.raises(DataError, match=message):
        cmfd(tmp_path).open([path], BOX, 2000)
    plan = cmfd(tmp_path).plan(Want((2000,), BOX))
    assert not plan.assets and NAME in plan.by_hand and name in plan.by_hand


def changed(folder: Path, tmp_path: Path, change) -> Path:
    path = Path(shutil.copy(folder / NAME, tmp_path))
    with netCDF4.Dataset(path, "r+") as file:
        file.set_auto_maskandscale(False)
        change(file)
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file["prec"].setncattr("units", "mm"), r"the unit of prec is 'mm'; expected 'mmhr-1'"),
        (lambda file: file.renameVariable("prec", "rain"), r"prec is missing, found lon, lat, time, rain"),
        (
            lambda file: file["time"].__setitem__(slice(None), file["time"][:] + 24 * 365),
            r"its name tells 1979 to 2018",
        ),
        (
            lambda file: file["lon"].__setitem__(slice(None), np.arange(700)),
            r"lon is not in steps of 0.1 degree, but 1;",
        ),
        (
            lambda file: file["lon"].__setitem__(slice(None), file["lon"][::-1]),
            r"lon is not in steps of 0.1 degree, but -0.1;",
        ),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(folder: Path, tmp_path: Path, change, message: str) -> None:
    path = changed(folder, tmp_path, change)
    with pytest.raises(DataError, match=rf"{NAME}: .*{message}"):
        cmfd(tmp_path).open([path], BOX, 2000)


def test_a_year_that_it_does_not_have(folder: Path) -> None:
    assert cmfd(folder).plan(Want((1978, 1979, 2018, 2019), BOX)).lacking == (1978, 2019)
    with pytest.raises(DataError, match=f"{NAME}: has no year 2019, but 1979 to 2018"):
        cmfd(folder).open([folder / NAME], BOX, 2019)


def test_a_file_that_is_cut_is_named(folder: Path, tmp_path: Path) -> None:
    whole, path = (folder / NAME).read_bytes(), tmp_path / NAME
    for size in (len(whole) // 2, 100, 0):
        path.write_bytes(whole[:size])
        with pytest.raises(DataError, match=rf"{NAME}: cannot be read as netCDF .*delete it and fetch it again"):
            cmfd(tmp_path).open([path], BOX, 2001)


def test_a_record_is_asked_by_its_doi() -> None:
    class Record(Figshare):
        def find(self, doi_or_article: str, version: int | None = None) -> list[Asset]:
            assert doi_or_article == "10.6084/m9.figshare.20387928.v1"
            return [Asset("readme.txt", "u"), Asset(NAME, "u")]

    product = Cmfd("cmfd", Record("https://api.example"), "prec", doi="10.6084/m9.figshare.20387928.v1")
    assert [asset.name for asset in product.plan(Want((2000,), BOX)).assets] == [NAME]
