"""Servers that give something else than the file: no more comes than the catalogue tells, and the message says what."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import yaml

from helpers.data import catalog
from helpers.data.products import session
from helpers.errors import DataError

CONTENT = np.random.default_rng(1).bytes(50_000)
PAGE = b"<!DOCTYPE html><html><form action=login></form></html>"


class Bad(BaseHTTPRequestHandler):
    """A server whose path says how it behaves."""

    protocol_version = "HTTP/1.1"
    sent: list[int] = []

    def log_message(self, *arguments: object) -> None:
        """Keep the test's output clean."""

    def do_GET(self) -> None:
        """Answer as the first part of the path says."""
        with contextlib.suppress(OSError):
            getattr(self, self.path.split("/")[1])()

    def answer(self, body: bytes, status: int = 200, **headers: str) -> None:
        """Send a whole answer."""
        self.head(status, **({"Content_Length": str(len(body))} | headers))
        self.put(body)

    def head(self, status: int, **headers: str) -> None:
        """Send the head of an answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def put(self, body: bytes) -> None:
        """Send a part, and count it."""
        self.wfile.write(body)
        self.wfile.flush()
        self.sent.append(len(body))

    def good(self) -> None:
        self.answer(CONTENT)

    def endless(self) -> None:
        self.head(200, Connection="close")
        while True:
            self.put(bytes(1 << 16))

    def longer(self) -> None:
        self.answer(CONTENT + b"more")

    def shorter(self) -> None:
        self.answer(CONTENT[:1000])

    def cut(self) -> None:
        self.answer(CONTENT[:1000], Content_Length=str(len(CONTENT)))
        self.close_connection = True

    def other(self) -> None:
        self.answer(CONTENT[::-1])

    def bomb(self) -> None:
        self.answer(gzip.compress(bytes(20_000_000)), Content_Encoding="gzip")

    def zipped(self) -> None:
        self.answer(gzip.compress(CONTENT), Content_Encoding="gzip")

    def chunks(self) -> None:
        self.head(200, Transfer_Encoding="chunked")
        for start in range(0, len(CONTENT), 9999):
            piece = CONTENT[start : start + 9999]
            self.put(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        self.put(b"0\r\n\r\n")

    def page(self) -> None:
        self.answer(PAGE, Content_Type="text/html; charset=utf-8")

    def page_untold(self) -> None:
        self.answer(PAGE)

    def empty(self) -> None:
        self.answer(b"")

    def trickle(self) -> None:
        self.head(200, Content_Length=str(len(CONTENT)))
        for start in range(200):
            self.put(CONTENT[start : start + 1])
            time.sleep(0.05)

    def around(self) -> None:
        self.head(302, Location=self.path, Content_Length="0")

    def to_login(self) -> None:
        self.head(302, Location="/page/x", Content_Length="0")

    def to_file(self) -> None:
        self.head(302, Location="file:///etc/hostname", Content_Length="0")

    def missing(self) -> None:
        self.answer(b"", 404)

    def forbidden(self) -> None:
        self.answer(b"", 403)

    def garbage(self) -> None:
        self.put(b"\0\1\2 garbage\r\n\r\n")
        self.close_connection = True

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
        self.close_connection = True


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Bad) as running:
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()


@pytest.fixture
def fetch(server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Fetch the catalogue's one file from a mirror that behaves as told; the cache is ``cache``."""
    url = "https://127.0.0.1:9/small.bin"
    file = {"name": "small.bin", "bytes": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest(), "url": url}
    entry = {"title": "t", "variable": "v", "licence": "l", "citation": ["A2000"], "reference": "r", "notes": "n"}
    entry |= {"reader": "data.readers.read_small", "files": [file]}
    (tmp_path / "catalog.yml").write_text(yaml.safe_dump({"small": entry}))
    monkeypatch.setattr(catalog, "catalogue_path", lambda: tmp_path / "catalog.yml")
    monkeypatch.setattr(session, "PAUSE", 0)
    monkeypatch.setattr(session, "_PATIENCE", 0.3)
    monkeypatch.setenv("QTP_DATA_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    session.session.cache_clear()

    def _fetch(how: str) -> bytes:
        monkeypatch.setenv("QTP_DATA_MIRROR", f"{server}/{how}")
        Bad.sent.clear()
        return catalog.fetch("small")["small.bin"].read_bytes()

    yield _fetch
    session.session.cache_clear()


@pytest.mark.parametrize("how", ["good", "chunks", "zipped"])
def test_a_file_comes_whole_by_any_way_of_sending(fetch, how):
    assert fetch(how) == CONTENT


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("endless", "more than the 50000 bytes that it told come"),
        ("bomb", "more than the 50000 bytes that it told come"),
        ("longer", "sends 50004 bytes, it told 50000"),
        ("shorter", "sends 1000 bytes, it told 50000"),
        ("cut", "the connection was cut 5 times"),
        ("other", "its sha256 is .* damaged on its way, or the archive has another file"),
        ("page", "a web page came in place of the file, as where a login is wanted"),
        ("page_untold", "a web page came in place of the file|sends 54 bytes, it told 50000"),
        ("to_login", "a web page came in place of the file"),
        ("empty", "the answer is empty"),
        ("trickle", "bytes came in .* seconds, too slow a line"),
        ("around", "no answer from 127.0.0.1 .TooManyRedirects."),
        ("to_file", "no answer from 127.0.0.1 .InvalidSchema."),
        ("missing", "there is no such file .404."),
        ("forbidden", "the archive refuses .403."),
        ("garbage", "no answer from 127.0.0.1"),
        ("reset", "no answer from 127.0.0.1"),
    ],
)
def test_a_server_that_gives_something_else_is_told_and_bounded(fetch, how, says, tmp_path):
    with pytest.raises(DataError, match=says) as caught:
        fetch(how)
    assert "cannot get small.bin" in str(caught.value) and "Expected sha256" in str(caught.value)
    assert sum(Bad.sent) < 5_000_000, "what the kernel buffers, and no more"
    kept = [path for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock"]
    assert sum(path.stat().st_size for path in kept) <= len(CONTENT) and not (tmp_path / "cache/small.bin").exists()


def test_what_a_killed_download_left_is_replaced(fetch, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / ".small.bin.part").write_bytes(b"the beginning of something else")
    assert fetch("good") == CONTENT
    assert {path.name for path in (tmp_path / "cache").iterdir()} <= {"small.bin", ".small.bin.lock"}
