"""Stand-ins of the archives on loopback: they speak the archives' protocols, and fail on order."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from requests.adapters import HTTPAdapter

BLOBS = "https://modiseuwest.blob.core.windows.net"
HTML = b"<!DOCTYPE html><html><body>Please log in</body></html>"


class Answer(NamedTuple):
    """What a server sends; ``sent``: hang up after so many bytes of the body; ``length``: say how many there are."""

    status: int = 200
    headers: dict[str, str] = {}
    body: bytes = b""
    sent: int | None = None
    length: bool = True


class Asked(NamedTuple):
    """One request that a server got."""

    method: str
    path: str
    headers: dict[str, str]


class _Server(ThreadingHTTPServer):
    """A server that says nothing of a client that hangs up."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        pass


class StandIn:
    """A server of files with byte ranges, and of routes; with ``tls``, a context, it speaks https.

    ``files`` are the files by path. ``routes`` are functions of the match, the query, the body and the headers, by
    method and pattern of the path; they return an :class:`Answer`, or what is sent as JSON. ``fail`` orders faults.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.files: dict[str, bytes] = {}
        self.routes: dict[tuple[str, str], Callable[..., Any]] = {}
        self.asked: list[Asked] = []
        self.headers: dict[str, str] = {}  # of every file
        self.cut_after: list[int] = []  # of the next answers with a file: bytes after which the line is cut
        self.tagged = True  # files have an ETag
        self._faults: list[tuple[str, list[Answer]]] = []
        self._server = _Server(("127.0.0.1", 0), self._handler())
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"{'https' if tls else 'http'}://{self.host}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def fail(self, where: str, *answers: Answer, always: bool = False) -> None:
        """Answer the next requests whose address contains a text with these, one each; ``always``: with the last."""
        self._faults.append((where, [*answers, *([answers[-1]] * 1000 if always else [])]))

    def mend(self) -> None:
        """Have no faults any more."""
        self._faults.clear()
        self.cut_after.clear()

    def _handler(outer) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                outer.asked.append(Asked(self.command, self.path, dict(self.headers)))
                self._send(outer._answer(self, body))

            do_HEAD = do_POST = do_GET

            def _send(self, answer: Answer) -> None:
                self.send_response(answer.status)
                for key, value in answer.headers.items():
                    self.send_header(key, value)
                if answer.length:
                    self.send_header("Content-Length", str(len(answer.body)))
                else:
                    self.send_header("Connection", "close")
                self.end_headers()
                self.close_connection = self.close_connection or not answer.length or answer.sent is not None
                if self.command != "HEAD":
                    self.wfile.write(answer.body[: answer.sent])

        return Handler

    def _answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> Answer:
        for where, answers in self._faults:
            if where in handler.path and answers:
                return answers.pop(0)
        parts = urlsplit(handler.path)
        for (method, pattern), route in self.routes.items():
            found = re.fullmatch(pattern, parts.path)
            if found and method == handler.command:
                told = route(found, parse_qs(parts.query), body, handler.headers)
                is_answer = isinstance(told, Answer)
                return (
                    told if is_answer else Answer(200, {"Content-Type": "application/json"}, json.dumps(told).encode())
                )
        content = self.files.get(unquote(parts.path))
        return Answer(404, {}, b"not found") if content is None else self.file(content, handler.headers)

    def file(self, content: bytes, asked: Any) -> Answer:
        """Return a file, or the range of it that was asked for."""
        tag = f'"{hashlib.md5(content).hexdigest()}"'
        headers = {**({"ETag": tag} if self.tagged else {}), "Accept-Ranges": "bytes", **self.headers}
        sent = self.cut_after.pop(0) if self.cut_after else None
        wanted = re.fullmatch(r"bytes=(\d+)-", asked.get("Range") or "")
        if not wanted or asked.get("If-Range", tag) != tag:
            return Answer(200, headers, content, sent)
        first, size = int(wanted[1]), len(content)
        if first >= size:
            return Answer(416, {"Content-Range": f"bytes */{size}"})
        return Answer(206, {**headers, "Content-Range": f"bytes {first}-{size - 1}/{size}"}, content[first:], sent)


@contextmanager
def standing(tls: ssl.SSLContext | None = None) -> Iterator[StandIn]:
    """Yield a server, and close it."""
    server = StandIn(tls)
    try:
        yield server
    finally:
        server.close()


def certificate(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Return a certificate of loopback, made by openssl, and a server's context with it."""
    key, made = folder / "key.pem", folder / "certificate.pem"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    subprocess.run([*command, "-keyout", key, "-out", made, "-addext", names], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made, key)
    return made, context


# STAC, and the store whose addresses are signed ----------------------------------------------------------------------


class Home(HTTPAdapter):
    """Brings requests for the blob store to a stand-in, when the session has it mounted for ``BLOBS``."""

    def __init__(self, server: StandIn) -> None:
        super().__init__()
        self.server = server

    def send(self, request, **options):
        request.url = request.url.replace(BLOBS, self.server.url)
        return super().send(request, **options)


def modis_item(name: str, platform: str | None, box: tuple[float, ...], asset: str = "Npp_500m") -> dict[str, Any]:
    """Return an item as the archive has it: no datetime but a start and an end, no projection's number, no nodata."""
    year = name.split(".")[1][1:5]
    link = f"{BLOBS}/modis-061-cogs/{name.split('.')[0]}/{name}_{asset}.tif"
    west, south, east, north = box
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        **{"type": "Feature", "stac_version": "1.0.0", "id": name, "collection": "modis-17A3HGF-061", "links": []},
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": list(box),
        "properties": {
            **{
                "datetime": None,
                "start_datetime": f"{year}-01-01T00:00:00Z",
                "end_datetime": f"{year}-12-31T00:00:00Z",
            },
            **({"platform": platform} if platform else {}),
        },
        "assets": {asset: {"href": link, "type": "image/tiff; application=geotiff; profile=cloud-optimized"}},
    }


def stac(server: StandIn, items: list[dict[str, Any]], page: int = 3) -> str:
    """Let a server be a STAC API whose search has pages, and return its address."""
    root = f"{server.url}/api/stac/v1"
    kinds = ("core", "item-search", "item-search#query", "collections")

    def landing(*_: Any) -> dict[str, Any]:
        links = [{"rel": rel, "href": root, "type": "application/json"} for rel in ("self", "root")]
        links += [
            {"rel": "search", "href": f"{root}/search", "type": "application/geo+json", "method": method}
            for method in ("GET", "POST")
        ]
        conforms = [f"https://api.stacspec.org/v1.0.0/{kind}" for kind in kinds]
        about = {"type": "Catalog", "id": "stand-in", "stac_version": "1.0.0", "description": "made up"}
        return {**about, "conformsTo": conforms, "links": links}

    def search(_: Any, __: Any, body: bytes, ___: Any) -> dict[str, Any]:
        wanted = json.loads(body)
        west, south, east, north = wanted["bbox"]
        first, last = wanted["datetime"].split("/")

        def fits(item: dict[str, Any]) -> bool:
            box, told = item["bbox"], item["properties"]
            inside = box[0] <= east and box[2] >= west and box[1] <= north and box[3] >= south
            return inside and told["start_datetime"] <= last and told["end_datetime"] >= first

        found = [item for item in items if item["collection"] in wanted["collections"] and fits(item)]
        at = int(wanted.get("token", 0))
        more = {"rel": "next", "href": f"{root}/search", "method": "POST", "body": {**wanted, "token": str(at + page)}}
        links = [more] if at + page < len(found) else []
        return {"type": "FeatureCollection", "features": found[at : at + page], "links": links}

    server.routes |= {("GET", r"/api/stac/v1/?"): landing, ("POST", r"/api/stac/v1/search"): search}
    return root


def signed_blobs(server: StandIn, expiry: Callable[[], str], good: Callable[[str], bool]) -> str:
    """Let a server give signatures ``SECRET-SIGNATURE-1`` …, and its blobs only to those that are good."""
    given: list[str] = []

    def token(*_: Any) -> dict[str, str]:
        given.append(f"SECRET-SIGNATURE-{len(given) + 1}")
        return {"msft:expiry": expiry(), "token": f"st=2026-01-01&se=2026-01-02&sp=rl&sr=c&sig={given[-1]}"}

    def blob(found: re.Match, query: dict[str, list[str]], _: bytes, headers: Any) -> Answer:
        if not good(query.get("sig", [""])[0]):
            return Answer(403, {"Content-Type": "application/xml"}, b"<Error><Code>AuthenticationFailed</Code></Error>")
        content = server.files.get(found[0])
        return Answer(404) if content is None else server.file(content, headers)

    server.routes |= {
        ("GET", r"/api/sas/v1/token/modiseuwest/modis-061-cogs"): token,
        ("GET", r"/modis-061-cogs/.*"): blob,
    }
    return f"{server.url}/api/sas/v1/token"


# figshare and Zenodo -------------------------------------------------------------------------------------------------


def figshare(server: StandIn, article: int, version: int, files: dict[str, bytes], pages: bool = True) -> str:
    """Let a server be figshare with one article, whose own entry lists ten files at most, and return its address."""
    contents = {36_460_000 + number: content for number, content in enumerate(files.values())}
    entries = [
        {
            **{"id": number, "name": name, "size": len(files[name]), "is_link_only": False},
            "computed_md5": hashlib.md5(files[name]).hexdigest(),
            "download_url": f"{server.url}/ndownloader/files/{number}",
        }
        for number, name in zip(contents, files, strict=True)
    ]

    def listed(_: Any, query: dict[str, list[str]], *__: Any) -> Any:
        number, size = int(query["page"][0]), int(query["page_size"][0])
        return entries[(number - 1) * size : number * size] if pages else Answer(404)

    def download(found: re.Match, *_: Any) -> Answer:
        return Answer(302, {"Location": f"{server.url}/store/{found[1]}?X-Amz-Signature=SECRET-SIGNATURE"})

    one = rf"/v2/articles/{article}(?:/versions/{version})?"
    server.routes |= {
        ("GET", "/v2/articles"): lambda _, query, *__: [{"id": article}] if "mine" in query["doi"][0] else [],
        ("GET", one): lambda *_: {"id": article, "version": version, "files": entries[:10]},
        ("GET", f"{one}/files"): listed,
        ("GET", r"/ndownloader/files/(\d+)"): download,
        ("GET", r"/v2/file/download/(\d+)"): download,
        ("GET", r"/store/(\d+)"): lambda found, _, __, headers: server.file(contents[int(found[1])], headers),
    }
    return f"{server.url}/v2"


def zenodo(server: StandIn, record: int, files: dict[str, bytes]) -> str:
    """Let a server be Zenodo with one record, and return its address."""
    address = f"{server.url}/api/records/{record}"
    entries = [
        {
            **{"key": name, "size": len(content), "checksum": f"md5:{hashlib.md5(content).hexdigest()}"},
            "links": {"self": f"{address}/files/{name}/content"},
        }
        for name, content in files.items()
    ]
    server.routes[("GET", f"/api/records/{record}")] = lambda *_: {"id": record, "files": entries}
    server.files |= {f"/api/records/{record}/files/{name}/content": content for name, content in files.items()}
    return f"{server.url}/api"


# NASA ----------------------------------------------------------------------------------------------------------------


class Nasa:
    """The CMR, Earthdata Login (https) and an archive that redirects to a signed address, or to the login."""

    def __init__(self, cmr: StandIn, login: StandIn, data: StandIn) -> None:
        self.cmr, self.login, self.data = cmr, login, data
        self.token, self.user = "SECRET-TOKEN", ("somebody", "SECRET-PASSWORD")
        self.granules: list[dict[str, Any]] = []
        cmr.routes[("GET", r"/search/granules\.umm_json")] = self._search
        login.routes |= {
            ("POST", "/api/users/find_or_create_token"): self._new_token,
            ("GET", "/oauth/authorize"): lambda *_: Answer(401, {"WWW-Authenticate": "Basic"}, HTML),
        }
        data.routes |= {
            ("GET", r"/(?:lp-prod-protected|protected)/.*"): self._protected,
            ("GET", r"/signed/(.*)"): lambda found, _, __, headers: data.file(data.files[f"/{found[1]}"], headers),
        }

    def add(self, short_name: str, name: str, content: bytes, folder: str, **told: Any) -> str:
        """Add a granule of one file, and return the file's path at the archive."""
        path = f"/{folder}/{name}"
        self.data.files[path] = content
        url, granule = f"http://localhost:{self.data.host.split(':')[1]}{path}", name.rsplit(".", 1)[0]
        described = {"Name": name, "SizeInBytes": len(content), "Size": len(content) / 2**20, "SizeUnit": "MB", **told}
        links = [
            {"URL": url.replace("http://localhost", "s3://bucket"), "Type": "GET DATA VIA DIRECT ACCESS"},
            {"URL": url, "Type": "GET DATA"},
            {"URL": f"{url}.xml", "Type": "EXTENDED METADATA"},
        ]
        self.granules.append(
            {
                "meta": {"concept-id": f"G{len(self.granules)}-LPCLOUD", "provider-id": "LPCLOUD"},
                "umm": {
                    **{"GranuleUR": granule, "CollectionReference": {"ShortName": short_name}, "RelatedUrls": links},
                    "DataGranule": {"ArchiveAndDistributionInformation": [described]},
                },
            }
        )
        return path

    def _search(self, _: Any, query: dict[str, list[str]], __: Any, headers: Any) -> Answer:
        """Answer two granules a page, however many were asked for at most; only those of the name."""
        found = [
            one for one in self.granules if one["umm"]["CollectionReference"]["ShortName"] == query["short_name"][0]
        ]
        told = {"CMR-Hits": str(len(found)), "Content-Type": "application/json", "CMR-Search-After": "[1]"}
        page = [] if headers.get("CMR-Search-After") else found
        return Answer(200, told, json.dumps({"hits": len(found), "took": 1, "items": page}).encode())

    def _new_token(self, _: Any, __: Any, ___: Any, headers: Any) -> Any:
        wanted = base64.b64encode(":".join(self.user).encode()).decode()
        if headers.get("Authorization") == f"Basic {wanted}":
            return {"access_token": self.token, "token_type": "Bearer", "expiration_date": "01/20/2099"}
        return Answer(401, {"WWW-Authenticate": 'Basic realm="login"'}, b'{"error":"invalid_credentials"}')

    def _protected(self, found: re.Match, _: Any, __: Any, headers: Any) -> Answer:
        if headers.get("Authorization") == f"Bearer {self.token}":
            place = f"{self.data.url}/signed{found[0]}?A-userid=somebody&X-Amz-Signature=SECRET-SIGNATURE"
            return Answer(303, {"Location": place})
        return Answer(302, {"Location": f"{self.login.url}/oauth/authorize?client_id=x"})
