"""Secrets that are planted in the environment, in ~/.netrc and in addresses are nowhere after any fault."""

from __future__ import annotations

import io
import logging
import traceback
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standin import BLOBS, HTML, Answer, Home, Nasa, StandIn, certificate, figshare, modis_item, signed_blobs, standing
from standin import stac as stac_api

from helpers.data.products.interface import Asset, Box, Want
from helpers.data.products.session import download, scrubbed, session
from helpers.data.products.transports import Earthdata, Figshare, Stac
from helpers.errors import DataError

WANT = Want((2001,), Box(93, 28, 97, 32))
CONTENT = b"bytes of a tile " * 9999

FAULTS = {
    "none": [],
    "401": [Answer(401)],
    "403": [Answer(403)],
    "429": [Answer(429, {"Retry-After": "0"})],
    "500": [Answer(500)],
    "login page": [Answer(200, {"Content-Type": "text/html"}, HTML)],
    "challenge": [Answer(202, {"x-amzn-waf-action": "challenge"})],
    "empty": [Answer(200)],
    "cut": [Answer(200, {}, CONTENT, 70_000)],
    "hung up": [Answer(200, {}, CONTENT, 0)],
    "wrong bytes": [Answer(200, {}, CONTENT[::-1])],
    "truncated": [Answer(200, {}, CONTENT[:100], length=False)],
    "too long": [Answer(200, {}, CONTENT * 2, length=False)],
    "sent in circles": [Answer(302, {"Location": "?sig=SECRET-SIGNATURE"})],
    "sent nowhere": [Answer(302, {"Location": "http://127.0.0.1:9/x?X-Amz-Signature=SECRET-SIGNATURE"})],
    "sent to nonsense": [Answer(302, {"Location": "gopher://host/?sig=SECRET-SIGNATURE"})],
    "nonsense": [Answer(200, {"Content-Range": "SECRET-TOKEN", "Content-MD5": "SECRET"}, b"SECRET-TOKEN")],
}


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that any library logs."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture
def accounts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A key, a name and a password; a test that wants the token sets it."""
    monkeypatch.setenv("PC_SDK_SUBSCRIPTION_KEY", "SECRET-KEY")
    monkeypatch.setenv("EARTHDATA_USERNAME", "somebody")
    monkeypatch.setenv("EARTHDATA_PASSWORD", "SECRET-PASSWORD")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password SECRET-PASSWORD\n")


def all_said(act, folder: Path, log: io.StringIO, shown: pytest.CaptureFixture[str]) -> str:
    """Do something that may fail with a DataError, and return all that it said, wrote and left."""
    said = ""
    try:
        act()
    except DataError as error:
        said = "".join(traceback.format_exception(error)) + repr(error)
    for path in folder.rglob("*"):
        said += str(path)
        if path.is_file() and path.read_bytes()[:5] not in (CONTENT[:5], CONTENT[::-1][:5], b"SECRE"):
            said += path.read_text(encoding="utf-8", errors="replace")
    return said + log.getvalue() + "".join(shown.readouterr())


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("where", ["/sas/", "modis-061-cogs/MOD", "/api/stac/v1"])
def test_no_signature_and_no_key_is_told(
    accounts: None, log: io.StringIO, tmp_path: Path, capfd: pytest.CaptureFixture[str], where: str, fault: str
) -> None:
    with standing() as server:
        item = modis_item("MOD17A3HGF.A2001001.h25v05.061.2021351205520", "terra", (80, 30, 104, 40))
        link = item["assets"]["Npp_500m"]["href"]
        server.files[link.removeprefix(BLOBS)] = CONTENT
        session().mount(BLOBS, Home(server))
        expiry = (datetime.now(UTC) + timedelta(minutes=9)).strftime("%Y-%m-%dT%H:%M:%SZ")
        archive = Stac(stac_api(server, [item]), signed_blobs(server, lambda: expiry, bool))
        if FAULTS[fault]:
            server.fail(where, *FAULTS[fault], always=True)

        def act() -> None:
            archive.find("modis-17A3HGF-061", "Npp_500m", WANT)
            archive.fetch(Asset(link.rsplit("/", 1)[-1], link, len(CONTENT)), tmp_path / "downloads")

        assert "SECRET" not in all_said(act, tmp_path / "downloads", log, capfd)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory):
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("token", "where"),
    [
        ("", "/api/users/"),
        ("", "/lp-prod-protected"),
        ("SECRET-TOKEN", "/lp-prod-protected"),
        ("SECRET-TOKEN", "/signed/"),
        ("SECRET-TOKEN", "/search/"),
    ],
)
def test_no_token_and_no_password_is_told(
    accounts: None,
    log: io.StringIO,
    tls,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    token: str,
    where: str,
    fault: str,
) -> None:
    path, context = tls
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(path))
    if token:
        monkeypatch.setenv("EARTHDATA_TOKEN", token)
    with ExitStack() as stack:
        servers: list[StandIn] = [stack.enter_context(standing(tls)) for tls in (None, context, None)]
        nasa = Nasa(*servers)
        nasa.add("MCD12Q1", "MCD12Q1.A2001001.h25v05.061.2021351205520.hdf", CONTENT, "lp-prod-protected")
        for server in servers:
            if FAULTS[fault]:
                server.fail(where, *FAULTS[fault], always=True)
        archive = Earthdata(f"{nasa.cmr.url}/search", nasa.login.host)

        def act() -> None:
            for asset in archive.find("MCD12Q1", "061", WANT):
                archive.fetch(asset, tmp_path / "downloads")

        assert "SECRET" not in all_said(act, tmp_path / "downloads", log, capfd)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("where", ["/v2/articles", "/ndownloader/", "/store/"])
def test_no_signed_address_is_told(
    log: io.StringIO, tmp_path: Path, capfd: pytest.CaptureFixture[str], where: str, fault: str
) -> None:
    with standing() as server:
        archive = Figshare(figshare(server, 1, 1, {"npp.tif": CONTENT}))
        if FAULTS[fault]:
            server.fail(where, *FAULTS[fault], always=True)

        def act() -> None:
            archive.fetch(archive.find("1")[0], tmp_path / "downloads")

        assert "SECRET" not in all_said(act, tmp_path / "downloads", log, capfd)


def test_the_watcher_would_notice(log: io.StringIO, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The same eyes see what is not taken out: an error's text, a log, a file and the screen."""

    def act() -> None:
        logging.getLogger("urllib3.connectionpool").warning("after %s", "/x?sig=SECRET-SIGNATURE")
        logging.getLogger("other").warning("1 SECRET")
        print("2 SECRET")
        (tmp_path / "lock").write_text("3 SECRET")
        raise DataError("4 SECRET")

    said = all_said(act, tmp_path, log, capfd)
    assert "after /x?…" in said and "SIGNATURE" not in said
    assert {f"{number} SECRET" in said for number in (1, 2, 3, 4)} == {True}


def test_a_dead_host_does_not_tell_the_address(
    log: io.StringIO, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with standing() as server:
        url = f"{server.url.replace('http://', 'http://me:SECRET@')}/x.tif?sig=SECRET-SIGNATURE"
    said = all_said(lambda: download(session(), url, tmp_path / "casa" / "x.tif"), tmp_path, log, capfd)
    assert "no answer from 127.0.0.1" in said and "SECRET" not in said
    assert "x.tif" in log.getvalue()  # urllib3 warned of its retries


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "Max retries exceeded with url: /x.tif?sig=a%3D&se=b (Caused by",
            "Max retries exceeded with url: /x.tif?… (Caused by",
        ),
        ("GET https://me:word@host/x", "GET https://host/x"),
        ("{'Authorization': 'Bearer abc.def'}", "{'Authorization': 'Bearer …'}"),
        ("the token PLANTED came back", "the token … came back"),
    ],
)
def test_texts_of_libraries_lose_their_secrets(monkeypatch: pytest.MonkeyPatch, text: str, expected: str) -> None:
    monkeypatch.setenv("EARTHDATA_TOKEN", "PLANTED")
    assert scrubbed(text) == expected
