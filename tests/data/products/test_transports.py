"""Each transport against a stand-in of its archive: what it finds, what it fetches, and what it says of faults."""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standin import BLOBS, HTML, Answer, Home, Nasa, StandIn, certificate, figshare, modis_item, signed_blobs, standing
from standin import stac as stac_api
from standin import zenodo as zenodo_api

from helpers.data.products import lockfile
from helpers.data.products.interface import Asset, Box, Want
from helpers.data.products.modis import Mod17
from helpers.data.products.session import session
from helpers.data.products.transports import Earthdata, Figshare, Folder, Https, Ornl, Stac, Zenodo
from helpers.errors import DataError

WANT = Want((2001, 2002), Box(93, 28, 97, 32))
TILES = {
    "h25v05": (80, 30, 104, 40),
    "h26v05": (91, 30, 117, 40),
    "h25v06": (73, 20, 95, 30),
    "h10v05": (-90, 30, -70, 40),
}


@pytest.fixture
def server() -> Iterator[StandIn]:
    with standing() as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "downloads" / "npp_modis"


def granule(tile: str, year: int, made: str = "2021351205520", product: str = "MOD17A3HGF") -> str:
    return f"{product}.A{year}001.{tile}.061.{made}"


# STAC ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def stac(server: StandIn) -> Stac:
    """An API with three tiles of four years, one of them far away, doubles, and items of Aqua among them."""
    items = [
        modis_item(granule(tile, year), "terra", box)
        for year in (2000, 2001, 2002, 2003)
        for tile, box in TILES.items()
    ]
    items += [modis_item(granule("h25v05", 2001, product="MYD17A3HGF"), "aqua", TILES["h25v05"])]
    items += [modis_item(granule("h25v05", 2001, "2023000000000"), None, TILES["h25v05"])]
    items += [modis_item(granule("h25v05", 2002, "2019000000000"), "terra", TILES["h25v05"])]
    for item in items:
        name = item["assets"]["Npp_500m"]["href"]
        server.files[name.removeprefix(BLOBS)] = name.encode()
    expiry = (datetime.now(UTC) + timedelta(minutes=45)).strftime("%Y-%m-%dT%H:%M:%SZ")
    session().mount(BLOBS, Home(server))
    return Stac(stac_api(server, items), signed_blobs(server, lambda: expiry, lambda signature: bool(signature)))


def test_stac_finds_what_lies_in_box_and_years_in_all_pages_without_a_signature(stac: Stac, server: StandIn) -> None:
    found = stac.find("modis-17A3HGF-061", "Npp_500m", WANT)
    assert len(found) == 3 * 2 + 3 and found == sorted(found, key=lambda asset: asset.name)
    assert {asset.name.split(".")[1][:5] for asset in found} == {"A2001", "A2002"}
    assert all(asset.url.endswith(asset.name) and "sig=" not in asset.url for asset in found)
    assert sum(asked.method == "POST" for asked in server.asked) == 3
    assert not any("sas" in asked.path for asked in server.asked)


def test_of_what_stac_finds_the_newest_of_terra_is_planned(stac: Stac) -> None:
    plan = Mod17("npp_modis", stac).plan(WANT)
    names = [granule("h25v05", 2001, "2023000000000"), granule("h26v05", 2001)]
    names += [granule(tile, 2002) for tile in ("h25v05", "h26v05")]
    assert [asset.name for asset in plan.assets] == [f"{name}_Npp_500m.tif" for name in names]
    assert [asset.year for asset in plan.assets] == [2001, 2001, 2002, 2002]


def test_stac_says_which_assets_there_are(stac: Stac) -> None:
    with pytest.raises(DataError, match="no item has 'Gpp_500m'; the first has Npp_500m"):
        stac.find("modis-17A3HGF-061", "Gpp_500m", WANT)
    assert stac.find("another", "Npp_500m", WANT) == []


def test_stac_fetches_what_it_signs(stac: Stac, server: StandIn, folder: Path) -> None:
    asset = stac.find("modis-17A3HGF-061", "Npp_500m", WANT)[0]
    assert stac.fetch(asset, folder).read_bytes() == asset.url.encode()
    assert "sig=SECRET-SIGNATURE" in server.asked[-1].path
    assert lockfile.entries(folder)[asset.name]["address"] == asset.url


def test_a_signature_serves_many_files_and_is_renewed_when_it_runs_out(
    stac: Stac, server: StandIn, folder: Path
) -> None:
    from planetary_computer import sas

    assets = stac.find("modis-17A3HGF-061", "Npp_500m", WANT)
    for asset in assets[:2]:
        stac.fetch(asset, folder)
    (token,) = (token for key, token in sas.TOKEN_CACHE.items() if key.startswith(server.url))
    token.expiry = datetime.now(UTC) + timedelta(seconds=30)
    stac.fetch(assets[2], folder)
    assert [asked.path[-1] for asked in server.asked if "sig=" in asked.path] == ["1", "1", "2"]


def test_a_signature_that_is_refused_before_its_time_is_renewed_once(stac: Stac, server: StandIn, folder: Path) -> None:
    first, second = stac.find("modis-17A3HGF-061", "Npp_500m", WANT)[:2]
    stac.fetch(first, folder)
    server.fail("modis-061-cogs/MOD", Answer(403))
    stac.fetch(second, folder)
    assert [asked.path[-1] for asked in server.asked if "sig=" in asked.path] == ["1", "1", "2"]


def test_a_service_of_signatures_that_never_answers_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, stac: Stac, server: StandIn, folder: Path
) -> None:
    asset = stac.find("modis-17A3HGF-061", "Npp_500m", WANT)[0]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        stac.signing = f"http://127.0.0.1:{silent.getsockname()[1]}"
        monkeypatch.setattr("helpers.data.products.session._TIMEOUT", (0.1, 0.1))
        with pytest.raises(DataError, match="no signature from .*call again later"):
            stac.fetch(asset, folder)


@pytest.mark.parametrize(
    ("where", "answer", "message"),
    [
        ("search", Answer(500), r"cannot be searched \(it answers 500\).*call again later"),
        ("search", Answer(403), r"cannot be searched \(it answers 403\)"),
        ("/api/stac/v1", Answer(200, {}, HTML), r"cannot be searched \(JSONDecodeError"),
    ],
)
def test_stac_says_that_it_cannot_be_searched(
    stac: Stac, server: StandIn, where: str, answer: Answer, message: str
) -> None:
    server.fail(where, answer, always=True)
    with pytest.raises(DataError, match=f"modis-17A3HGF-061: the STAC API at {server.url}/api/stac/v1 {message}"):
        stac.find("modis-17A3HGF-061", "Npp_500m", WANT)


def test_stac_asks_a_busy_api_again(stac: Stac, server: StandIn) -> None:
    server.fail("search", Answer(429, {"Retry-After": "0"}), Answer(500), Answer(503))
    assert len(stac.find("modis-17A3HGF-061", "Npp_500m", WANT)) == 9


@pytest.mark.parametrize(
    ("where", "answer", "message"),
    [
        ("/sas/", Answer(500), "no signature from .*/api/sas/v1/token .*call again later.*by hand"),
        ("/sas/", Answer(404), r"no signature from .*\(404\)"),
        ("/sas/", Answer(200, {}, HTML), "no signature from"),
        ("modis-061-cogs/MOD", Answer(403), r"refuses \(403\)"),
    ],
)
def test_stac_says_what_keeps_a_file_away_and_the_next_call_is_clean(
    stac: Stac, server: StandIn, folder: Path, where: str, answer: Answer, message: str
) -> None:
    asset = stac.find("modis-17A3HGF-061", "Npp_500m", WANT)[0]
    server.fail(where, answer, always=True)
    with pytest.raises(DataError, match=f"npp_modis, {asset.name}: .*{message}"):
        stac.fetch(asset, folder)
    server.mend()
    assert stac.fetch(asset, folder).is_file()


# Earthdata and ORNL --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory):
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def nasa(tls, monkeypatch: pytest.MonkeyPatch) -> Iterator[Nasa]:
    """Two years of two tiles, one of them twice, and another collection."""
    path, context = tls
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    with ExitStack() as stack:
        made = Nasa(*(stack.enter_context(standing(tls)) for tls in (None, context, None)))
        for name in (granule("h25v05", 2001), granule("h25v05", 2001, "2023000000000"), granule("h26v05", 2002)):
            made.add("MCD12Q1", f"{name}.hdf".replace("MOD17A3HGF", "MCD12Q1"), name.encode() * 99, "lp-prod-protected")
        made.add("MOD10A2", f"{granule('h25v05', 2001)}.hdf", b"snow", "lp-prod-protected")
        yield made


def earthdata(nasa: Nasa) -> Earthdata:
    return Earthdata(f"{nasa.cmr.url}/search", nasa.login.host)


def test_the_cmr_is_asked_without_an_account(nasa: Nasa) -> None:
    found = earthdata(nasa).find("MCD12Q1", "061", WANT)
    names = ["MCD12Q1.A2001001.h25v05.061.2023000000000.hdf", "MCD12Q1.A2002001.h26v05.061.2021351205520.hdf"]
    assert set(names) <= {asset.name for asset in found}
    assert found[0].size == len(granule("h25v05", 2001)) * 99
    (asked,) = nasa.cmr.asked
    assert "Authorization" not in asked.headers
    for part in ("version=061", "bounding_box=93.0,28.0,97.0,32.0", "2001-01-01", "2002-12-31"):
        assert part in asked.path
    assert nasa.login.asked == nasa.data.asked == []


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [("MD5", "md5:abcd"), ("SHA-256", "sha256:abcd"), ("POSIX", "cksum:abcd"), ("Adler-32", "")],
)
def test_a_checksum_of_the_cmr_is_taken_where_we_can_compute_it(nasa: Nasa, algorithm: str, expected: str) -> None:
    told = {"Algorithm": algorithm, "Value": "ABCD"}
    nasa.add("MOD17A3HGF", f"{granule('h25v05', 2001)}.hdf", b"x", "lp-prod-protected", Checksum=told)
    assert [asset.checksum for asset in earthdata(nasa).find("MOD17A3HGF", "061", WANT)] == [expected]


def test_a_token_fetches_and_is_shown_to_the_archive_alone(
    nasa: Nasa, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARTHDATA_TOKEN", "SECRET-TOKEN")
    archive = earthdata(nasa)
    asset = archive.find("MCD12Q1", "061", WANT)[0]
    assert archive.fetch(asset, folder).stat().st_size == asset.size
    assert [asked.headers.get("Authorization") for asked in nasa.data.asked] == ["Bearer SECRET-TOKEN", None]
    assert nasa.login.asked == []
    assert lockfile.entries(folder)[asset.name]["address"] == asset.url


@pytest.mark.parametrize("place", ["environment", "netrc"])
def test_a_name_and_a_password_get_a_token_once(
    nasa: Nasa, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    if place == "environment":
        monkeypatch.setenv("EARTHDATA_USERNAME", "somebody")
        monkeypatch.setenv("EARTHDATA_PASSWORD", "SECRET-PASSWORD")
    else:
        line = f"machine {nasa.login.host} login somebody password SECRET-PASSWORD\n"
        (tmp_path / "netrc").write_text(line)
    archive = earthdata(nasa)
    for asset in archive.find("MCD12Q1", "061", WANT):
        archive.fetch(asset, folder)
    assert len(lockfile.entries(folder)) == 3
    assert {asked.path for asked in nasa.login.asked} == {"/api/users/find_or_create_token"}
    assert len(nasa.login.asked) <= 2  # without, then with the password
    assert not any("Basic" in asked.headers.get("Authorization", "") for asked in nasa.data.asked)


def test_a_token_that_ran_out_is_got_anew_by_name_and_password(
    nasa: Nasa, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARTHDATA_USERNAME", "somebody")
    monkeypatch.setenv("EARTHDATA_PASSWORD", "SECRET-PASSWORD")
    archive = earthdata(nasa)
    first, second, _ = archive.find("MCD12Q1", "061", WANT)
    archive.fetch(first, folder)
    nasa.token = "ANOTHER-TOKEN"
    assert archive.fetch(second, folder).is_file()


def test_a_token_of_the_environment_that_ran_out_is_told(
    nasa: Nasa, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARTHDATA_TOKEN", "SECRET-TOKEN")
    archive = earthdata(nasa)
    asset = archive.find("MCD12Q1", "061", WANT)[0]
    nasa.token = "ANOTHER-TOKEN"
    with pytest.raises(DataError, match=rf"{asset.name}: .*wants a login, or does not take the one.*EARTHDATA_TOKEN"):
        archive.fetch(asset, folder)
    monkeypatch.setenv("EARTHDATA_TOKEN", "ANOTHER-TOKEN")
    assert archive.fetch(asset, folder).is_file()


def test_without_an_account_the_login_says_how_to_get_one_and_nothing_is_asked(nasa: Nasa, folder: Path) -> None:
    archive = earthdata(nasa)
    asset = archive.find("MCD12Q1", "061", WANT)[0]
    with pytest.raises(DataError, match=f"no name and password, and no token.*https://{nasa.login.host}.*netrc"):
        archive.fetch(asset, folder)
    assert nasa.data.asked == []


def test_a_wrong_password_is_told_and_nobody_else_is_asked(
    nasa: Nasa, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARTHDATA_USERNAME", "somebody")
    monkeypatch.setenv("EARTHDATA_PASSWORD", "wrong")
    archive = earthdata(nasa)
    asset = archive.find("MCD12Q1", "061", WANT)[0]
    with pytest.raises(DataError, match="does not take the name and password of EARTHDATA_USERNAME"):
        archive.fetch(asset, folder)
    assert nasa.data.asked == []
    assert len(archive.find("MCD12Q1", "061", WANT)) == 3  # still from the stand-in
    assert len(nasa.cmr.asked) == 2


def test_a_login_that_is_out_of_order_is_not_called_a_wrong_password(
    nasa: Nasa, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EARTHDATA_USERNAME", "somebody")
    monkeypatch.setenv("EARTHDATA_PASSWORD", "SECRET-PASSWORD")
    archive = earthdata(nasa)
    asset = archive.find("MCD12Q1", "061", WANT)[0]
    nasa.login.fail("find_or_create_token", Answer(500), always=True)
    with pytest.raises(DataError, match=r"does not answer as it should \(RetryError\)"):
        archive.fetch(asset, folder)


def test_no_token_is_sent_without_encryption(nasa: Nasa, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EARTHDATA_TOKEN", "SECRET-TOKEN")
    asset = Asset("tile.hdf", "http://archive.example/tile.hdf")
    with pytest.raises(DataError, match="http://archive.example/tile.hdf is not encrypted"):
        earthdata(nasa).fetch(asset, folder)


@pytest.mark.parametrize("answer", [Answer(500), Answer(200, {}, HTML), Answer(400, {}, b'{"errors":["x"]}')])
def test_a_cmr_that_fails_is_told(nasa: Nasa, answer: Answer) -> None:
    nasa.cmr.fail("granules", answer, always=True)
    with pytest.raises(DataError, match="MCD12Q1: the CMR at http://.*/search cannot be searched .*call again later"):
        earthdata(nasa).find("MCD12Q1", "061", WANT)


def test_ornl_files_come_with_the_hash_beside_them(nasa: Nasa, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"respiration" * 99
    short = "SoilResp_HeterotrophicResp_1928"
    for name in ("soil_Rs_mean.tif", "soil_Rh_mean.tif"):
        nasa.add(short, name, content, f"protected/global_soil/{short}/data")
    sha256 = hashlib.sha256(content).hexdigest()
    nasa.data.files[f"/public/global_soil/{short}/data/soil_Rs_mean.tif.sha256"] = (
        f"{sha256}  soil_Rs_mean.tif\n".encode()
    )
    archive = Ornl(f"{nasa.cmr.url}/search", nasa.login.host)
    rs, rh = archive.find(short, ["soil_Rs_mean.tif", "soil_Rh_mean.tif"])
    assert (rs.checksum, rh.checksum, rs.size) == (f"sha256:{sha256}", "", len(content))
    assert nasa.login.asked == []
    monkeypatch.setenv("EARTHDATA_TOKEN", "SECRET-TOKEN")
    assert archive.fetch(rs, folder).read_bytes() == content
    with pytest.raises(DataError, match="does not list soil_Ra.tif; it lists soil_Rh_mean.tif, soil_Rs_mean.tif"):
        archive.find(short, ["soil_Ra.tif"])


# figshare and Zenodo -------------------------------------------------------------------------------------------------

YEARS = {f"NPP_{year}.tif": f"npp {year}".encode() * 99 for year in range(2000, 2013)}


@pytest.mark.parametrize("pages", [True, False])
@pytest.mark.parametrize(
    ("article", "version", "path"),
    [
        ("10.6084/m9.figshare.20387889.v1", None, "articles/20387889/versions/1"),
        ("https://doi.org/10.6084/m9.figshare.20387889", None, "articles/20387889"),
        ("20387889", 1, "articles/20387889/versions/1"),
        ("10.1234/mine", None, "articles/20387889"),
    ],
)
def test_figshare_lists_an_article(server: StandIn, article: str, version: int | None, path: str, pages: bool) -> None:
    found = Figshare(figshare(server, 20387889, 1, YEARS, pages)).find(article, version)
    assert [asset.name for asset in found] == list(YEARS)[: 13 if pages else 10]
    assert found[0].checksum == f"md5:{hashlib.md5(YEARS['NPP_2000.tif']).hexdigest()}"
    assert found[0].size == 792
    assert server.asked[-1].path.startswith(f"/v2/{path}" + ("/files?" if pages else ""))


def test_figshare_files_come_from_their_own_address(server: StandIn, folder: Path) -> None:
    archive = Figshare(figshare(server, 20387889, 1, YEARS))
    asset = archive.find("20387889")[3]
    assert archive.fetch(asset, folder).read_bytes() == YEARS["NPP_2003.tif"]
    assert lockfile.entries(folder)["NPP_2003.tif"]["address"] == asset.url


CHALLENGE = Answer(202, {"x-amzn-waf-action": "challenge"})


@pytest.mark.parametrize(
    "answer", [CHALLENGE, Answer(403), Answer(200, {"Content-Type": "text/html"}, HTML), Answer(200)]
)
def test_figshare_is_asked_at_its_other_address_when_it_wants_a_browser(
    server: StandIn, folder: Path, answer: Answer
) -> None:
    archive = Figshare(figshare(server, 20387889, 1, YEARS))
    asset = archive.find("20387889")[0]
    server.fail("/ndownloader/", answer, always=True)
    assert archive.fetch(asset, folder).read_bytes() == YEARS["NPP_2000.tif"]
    paths = [asked.path.split("?")[0] for asked in server.asked[-3:]]
    assert paths == ["/ndownloader/files/36460000", "/v2/file/download/36460000", "/store/36460000"]
    assert lockfile.entries(folder)["NPP_2000.tif"]["address"] == f"{server.url}/v2/file/download/36460000"


def test_figshare_that_wants_a_browser_everywhere_says_what_to_do_by_hand(server: StandIn, folder: Path) -> None:
    archive = Figshare(figshare(server, 20387889, 1, YEARS))
    asset = archive.find("20387889")[0]
    server.fail("/ndownloader/", CHALLENGE, always=True)
    server.fail("/file/download/", CHALLENGE, always=True)
    by_hand = rf"wants a browser \(202.*open {asset.url} in a browser.*put it as NPP_2000.tif into {folder}"
    with pytest.raises(DataError, match=f"npp_modis, NPP_2000.tif: .*{by_hand}"):
        archive.fetch(asset, folder)
    (folder / "NPP_2000.tif").write_bytes(YEARS["NPP_2000.tif"])
    assert archive.fetch(asset, folder).is_file()
    assert lockfile.entries(folder)["NPP_2000.tif"]["address"] == ""


def test_figshare_whose_list_wants_a_browser_names_the_page(server: StandIn) -> None:
    archive = Figshare(figshare(server, 20387889, 1, YEARS))
    server.fail("articles", CHALLENGE, always=True)
    with pytest.raises(
        DataError, match="wants a browser.*by hand from https://doi.org/10.6084/m9.figshare.20387889.v1"
    ):
        archive.find("10.6084/m9.figshare.20387889.v1")


@pytest.mark.parametrize("article", ["10.1234/other", "123"])
def test_figshare_without_such_an_article_is_told(server: StandIn, article: str) -> None:
    with pytest.raises(DataError, match=f"figshare, {article}: .*What to do: look at https://"):
        Figshare(figshare(server, 20387889, 1, YEARS)).find(article)


@pytest.mark.parametrize("doi", ["10.5281/zenodo.4700264", "https://doi.org/10.5281/zenodo.4700264", "4700264"])
def test_zenodo_lists_and_fetches_a_record(server: StandIn, folder: Path, doi: str) -> None:
    archive = Zenodo(zenodo_api(server, 4700264, YEARS))
    found = archive.find(doi)
    assert [asset.name for asset in found] == list(YEARS)
    assert found[1].checksum == f"md5:{hashlib.md5(YEARS['NPP_2001.tif']).hexdigest()}"
    assert archive.fetch(found[1], folder).read_bytes() == YEARS["NPP_2001.tif"]


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(404), "the record lists no files"),
        (Answer(200, {}, b'{"id": 1, "metadata": {}}'), "the record lists no files"),
        (Answer(200, {}, HTML), "no JSON but a web page"),
        (Answer(200, {}, b'{"files": [{"name": 1}]}'), "not as it is documented"),
        (Answer(403), r"refuses \(403\)"),
        (Answer(500), r"out of order \(500"),
    ],
)
def test_zenodo_says_what_keeps_a_record_away(server: StandIn, answer: Answer, message: str) -> None:
    server.fail("records", answer, always=True)
    with pytest.raises(DataError, match=f"zenodo, 10.5281/zenodo.1: .*{message}.*https://doi.org/10.5281/zenodo.1"):
        Zenodo(zenodo_api(server, 1, YEARS)).find("10.5281/zenodo.1")


def test_zenodo_refuses_another_doi() -> None:
    with pytest.raises(DataError, match="no DOI of Zenodo"):
        Zenodo("http://127.0.0.1:1/api").find("10.1234/other")


@pytest.mark.parametrize(
    "name", ["../npp.tif", "/etc/npp.tif", ".npp.tif", "files.lock.json", "", "C:/npp.tif", "a\\b"]
)
def test_an_archive_cannot_write_outside_of_the_folder(server: StandIn, folder: Path, name: str) -> None:
    with pytest.raises(DataError, match="name"):
        Https(server.url).fetch(Asset(name, f"{server.url}/npp.tif"), folder)
    assert server.asked == []


# Plain addresses and folders -----------------------------------------------------------------------------------------


def test_tiles_that_are_not_there_are_left_out(server: StandIn, folder: Path) -> None:
    server.files = {"/dem/a/a.tif": b"aa", "/dem/c/c d.tif": b"ccc"}
    archive = Https(f"{server.url}/dem/")
    found = archive.find(["a/a.tif", "b/b.tif", "c/c d.tif"])
    assert [(asset.name, asset.size) for asset in found] == [("a.tif", 2), ("c d.tif", 3)]
    assert {asked.method for asked in server.asked} == {"HEAD"}
    assert archive.fetch(found[1], folder).read_bytes() == b"ccc"


def test_a_server_that_fails_is_no_missing_tile(server: StandIn) -> None:
    server.fail("a.tif", Answer(403), always=True)
    with pytest.raises(DataError, match=rf"a.tif: http.*refuses \(403\).*get a.tif by hand from {server.url}"):
        Https(server.url).find(["a.tif"])


def test_a_folder_lists_what_was_put_there(folder: Path) -> None:
    for name in ("b.tif", "a.tif", ".a.tif.part", "2001/c.tif", lockfile.NAME):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x" * len(name))
    archive = Folder(folder)
    assert [asset.name for asset in archive.find("*")] == ["a.tif", "b.tif"]
    assert archive.find("**/*.tif") == [Asset("2001/c.tif", "", 10), Asset("a.tif", "", 5), Asset("b.tif", "", 5)]
    (folder / lockfile.NAME).unlink()
    assert archive.fetch(archive.find("**/c.tif")[0], folder) == folder / "2001/c.tif"
    assert lockfile.entries(folder)["2001/c.tif"]["address"] == ""
    assert Folder(folder / "none").find("*") == []


def test_files_of_another_folder_stay_there_and_are_verified(tmp_path: Path, folder: Path) -> None:
    disk = tmp_path / "disk"
    for year in ("2001", "2002"):
        (disk / year).mkdir(parents=True)
        (disk / year / "npp.tif").write_bytes(year.encode())
    archive = Folder(disk)
    for asset in archive.find("*/npp.tif"):
        assert archive.fetch(asset, folder) == disk / asset.name
    assert set(lockfile.entries(folder)) == {"2001/npp.tif", "2002/npp.tif"}
    (disk / "2001/npp.tif").write_bytes(b"2003")
    with pytest.raises(DataError, match="damaged or replaced"):
        archive.fetch(archive.find("2001/npp.tif")[0], folder)


def test_a_file_that_nobody_put_there_is_asked_for(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(DataError, match=f"npp_modis, npp.tif: it is not there.*by hand into {tmp_path}"):
        Folder(tmp_path).fetch(Asset("npp.tif", ""), folder)


# Files that are there ------------------------------------------------------------------------------------------------


def test_a_file_that_is_there_is_not_fetched_again(server: StandIn, folder: Path) -> None:
    server.files["/npp.tif"] = b"npp"
    archive = Https(server.url)
    asset = archive.find(["npp.tif"])[0]
    archive.fetch(asset, folder)
    before = lockfile.entries(folder), len(server.asked)
    archive.fetch(asset, folder)
    assert (lockfile.entries(folder), len(server.asked)) == before


def test_a_file_by_hand_counts_without_a_question_to_the_archive(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "npp.tif").write_bytes(b"npp")
    told = f"md5:{hashlib.md5(b'npp').hexdigest()}"
    asset = Asset("npp.tif", "http://127.0.0.1:1/npp.tif", 3, told)
    for archive in (Https("http://127.0.0.1:1"), Stac("http://127.0.0.1:1", "x"), Earthdata("http://127.0.0.1:1", "x")):
        assert archive.fetch(asset, folder) == folder / "npp.tif"
    entry = lockfile.entries(folder)["npp.tif"]
    assert (entry["address"], entry["checksum"]) == ("", told)


def test_a_folder_that_cannot_be_written_to_is_told(server: StandIn, tmp_path: Path) -> None:
    server.files["/npp.tif"] = b"npp"
    (tmp_path / "downloads").write_text("a file")
    with pytest.raises(DataError, match=r"npp_modis: .*npp_modis cannot be written to .*archives.downloads"):
        Https(server.url).fetch(Asset("npp.tif", f"{server.url}/npp.tif"), tmp_path / "downloads" / "npp_modis")
    (tmp_path / "npp.tif").write_bytes(b"npp")
    with pytest.raises(DataError, match=r"files.lock.json cannot be written .*archives.downloads"):
        Folder(tmp_path).fetch(Asset("npp.tif", ""), tmp_path / "downloads" / "npp_modis")


def test_two_callers_of_one_file_fetch_it_once(server: StandIn, folder: Path) -> None:
    server.files["/npp.tif"] = b"npp" * 100_000
    archive, asset = Https(server.url), Asset("npp.tif", f"{server.url}/npp.tif")
    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(lambda _: archive.fetch(asset, folder), range(4)))
    assert paths == {folder / "npp.tif"}
    assert len(server.asked) == 1
    assert lockfile.entries(folder)["npp.tif"]["address"] == asset.url


@pytest.mark.parametrize("told", [{"size": 4}, {"checksum": "md5:00"}, {"checksum": "cksum:1"}])
def test_a_file_by_hand_that_is_not_the_archives_is_refused(folder: Path, told: dict) -> None:
    folder.mkdir(parents=True)
    (folder / "npp.tif").write_bytes(b"npp")
    with pytest.raises(DataError, match="npp.tif is not the archive's file: .*move it away and call again"):
        Https("http://127.0.0.1:1").fetch(Asset("npp.tif", "http://127.0.0.1:1/npp.tif", **told), folder)


def test_another_version_under_the_same_name_is_not_taken_for_the_old_one(server: StandIn, folder: Path) -> None:
    server.files["/npp.tif"] = b"npp"
    archive = Https(server.url)
    first, second = (
        Asset("npp.tif", f"{server.url}/npp.tif", 3, f"md5:{hashlib.md5(c).hexdigest()}") for c in (b"npp", b"NPP")
    )
    archive.fetch(first, folder)
    with pytest.raises(DataError, match="of another version"):
        archive.fetch(second, folder)
