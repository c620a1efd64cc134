"""From the archive to values: planned, fetched through the real client and opened, against stand-ins."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
from opened_products import assert_is
from standin import Nasa, certificate, figshare, standing

from helpers.data.products.cmfd import Cmfd
from helpers.data.products.elevation import Glo90
from helpers.data.products.interface import Box, Product, Want
from helpers.data.products.rasters import YearlyRasters
from helpers.data.products.respiration import OrnlRespiration
from helpers.data.products.transports import Figshare, Https, Ornl
from helpers.virtual.archive import fields
from helpers.virtual.archive.cmfd import write_cmfd
from helpers.virtual.archive.elevation import write_glo90
from helpers.virtual.archive.rasters import CASA, CASA_OPTIONS, write_casa
from helpers.virtual.archive.respiration import YEAR, write_respiration_1928

BOX = Box(92.9, 28.95, 93.3, 29.3)
WANT = Want((2003, 2016), BOX)


def contents(paths: list[Path]) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in paths}


def opened(product: Product, folder: Path, year: int | None):
    return product.open([product.fetch(asset, folder) for asset in product.plan(WANT).assets], BOX, year)


def test_casa_from_figshare(tmp_path: Path) -> None:
    made = contents(write_casa(tmp_path / "made", BOX, [2002, 2003])) | {"readme.txt": b"NPP"}
    with standing() as server:
        archive = Figshare(figshare(server, 20387889, 1, made))
        doi = "10.6084/m9.figshare.20387889.v1"
        product = YearlyRasters("casa", archive, doi=doi, years=(1985, 2015), **CASA_OPTIONS)
        assert len(product.plan(WANT).assets) == 12 and product.plan(WANT).lacking == (2016,)
        field = opened(product, tmp_path / "casa", 2003)
    assert_is(field, "npp", lambda x, y: CASA * fields.npp(x, y, 2003), 0.07)


def test_cmfd_from_figshare(tmp_path: Path) -> None:
    made = contents(write_cmfd(tmp_path / "made", BOX, [2003]))
    with standing() as server:
        archive = Figshare(figshare(server, 20387928, 1, made))
        field = opened(Cmfd("cmfd", archive, "prec", doi="10.6084/m9.figshare.20387928.v1"), tmp_path / "cmfd", 2003)
    assert [path.name for path in (tmp_path / "cmfd").glob("*.nc")] == [list(made)[1]]
    assert abs(float(field.sel(x=93.05, y=29.15, method="nearest")) - fields.precipitation(93.05, 29.15, 2003)) < 0.05


def test_glo90_from_plain_addresses(tmp_path: Path) -> None:
    """Four tiles are asked for, three are there: the fourth is sea."""
    paths = write_glo90(tmp_path / "made", BOX)[1:]
    with standing() as server:
        server.files = {f"/{path.stem}/{path.name}": path.read_bytes() for path in paths}
        product = Glo90("glo90", Https(server.url))
        assert [asset.size for asset in product.plan(WANT).assets] == [path.stat().st_size for path in paths]
        field = opened(product, tmp_path / "glo90", None)
    half = 1 / 2400
    assert_is(field, "elevation", fields.elevation, 1e-3, lambda x, y: (x < 93 - half) & (y < 29 + half))


def test_respiration_from_ornl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, context = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    with ExitStack() as stack:
        nasa = Nasa(*(stack.enter_context(standing(tls)) for tls in (None, context, None)))
        for name, content in contents(write_respiration_1928(tmp_path / "made", BOX)).items():
            nasa.add("SoilResp_HeterotrophicResp_1928", name, content, "protected/global_soil/data")
        product = OrnlRespiration("rh", Ornl(f"{nasa.cmr.url}/search", nasa.login.host), variable="rh")
        assert [asset.name for asset in product.plan(WANT).assets] == ["soil_Rh_mean.tif"] and not nasa.login.asked
        monkeypatch.setenv("EARTHDATA_TOKEN", nasa.token)
        field = opened(product, tmp_path / "rh", None)
    assert_is(field, "rh", lambda x, y: fields.rh(x, y, YEAR), 1e-3)
