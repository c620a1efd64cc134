"""Downloads: retried, resumed, bounded, verified, written whole, and without a secret in any message.

A download goes into ``.NAME.part`` beside its target. The file gets its name once its size and its checksum are right,
so what lies under the name is whole. What was cut off is continued by the next call.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import importlib
import logging
import os
import re
import shutil
import time
import warnings
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter, Retry
from requests.models import DecodeError, ProtocolError, ReadTimeoutError  # urllib3's, as requests catches them
from tqdm import tqdm

from helpers.errors import DataError
from mapforest.disk import names_synced, synced

#: How often an archive that is busy, or a line that is cut, is tried again, and the first pause in seconds.
TRIES, PAUSE = 5, 0.5
_BUSY = (429, 500, 502, 503, 504)
_TIMEOUT = (10, 60)  # seconds to connect, and between two pieces
_LONGEST = 60  # seconds of a pause, whatever the archive says
_PIECE = 1 << 14  # bytes at most
_PATIENCE, _SLOWEST = 60, 1000  # seconds after which a line must have brought so many bytes in each of them
_PROGRESS = 1 << 20  # bytes that came before a cut, for which the line counts as working
#: Where a password or a key may come from, and the loggers that would write addresses and answers as they are.
_SECRETS = ("EARTHDATA_TOKEN", "EARTHDATA_PASSWORD", "PC_SDK_SUBSCRIPTION_KEY")
_LOGGERS = ("urllib3.connectionpool", "urllib3.util.retry", "earthaccess.auth", "pystac_client.stac_api_io")
_PAGE = re.compile(rb"\s*(\xef\xbb\xbf)?\s*<(!doctype\s+html|html)", re.IGNORECASE)
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


class Refused(DataError):
    """An archive that does not give what it was asked for.

    ``status`` is its answer, None if there was none; ``what`` is wrong, without the file, the address and what to do.
    """

    def __init__(self, message: str, status: int | None = None, what: str = "") -> None:
        super().__init__(message)
        self.status, self.what = status, what


def needed(module: str) -> ModuleType:
    """Import a library of the extra ``paper``; a DataError says how to install one that is not there."""
    try:
        with warnings.catch_warnings():  # of what these libraries themselves have to change one day
            warnings.simplefilter("ignore", DeprecationWarning)
            return importlib.import_module(module)
    except ModuleNotFoundError as error:
        name = module.split(".")[0]
        if (error.name or "").split(".")[0] != name:
            raise
        raise DataError(
            f"{name} is not installed; the paper's own products are fetched and read with it. "
            "What to do: install the extra 'paper', in the checkout by  python -m pip install '.[paper]'"
        ) from None


@lru_cache(maxsize=1)
def session() -> requests.Session:
    """Return the one session of this process; it asks again when an archive is busy, and never waits for ever."""
    made = _Session()
    for scheme in ("https://", "http://"):
        made.mount(scheme, HTTPAdapter(max_retries=retries()))
    return made


def retries() -> Retry:
    """Return the rule for asking again: after a busy answer or none, with growing pauses or as the archive says."""
    return _Patience(
        TRIES,
        connect=2,  # a machine without a network is told so at once, not after minutes for each product
        backoff_factor=PAUSE,
        status_forcelist=_BUSY,
        allowed_methods=None,
        raise_on_status=False,
        backoff_max=_LONGEST,
    )


def redacted(url: str) -> str:
    """Return an address without what may be secret in it: name and password, query and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def scrubbed(text: str) -> str:
    """Return a text of another library without what may be secret in it: queries, headers, and our own secrets."""
    for value in filter(None, map(os.environ.get, _SECRETS)):
        text = text.replace(value, "…")
    text = re.sub(r"\?[^\s'\"<>)]+", "?…", text)
    text = re.sub(r"//[^/\s'\"@]+@", "//", text)
    return re.sub(r"(?i)\b(bearer|basic) [^\s'\"]+", r"\1 …", text)


def ask(http: requests.Session, url: str, *, archive: str, by_hand: str = "", method: str = "GET") -> requests.Response:
    """Return an archive's answer to a question of planning, whatever its status below 400, or 404.

    Everything else is a DataError: no connection, a busy archive, a refusal, a challenge for browsers. ``by_hand`` says
    what to do then.
    """
    try:
        answer = http.request(method, url, allow_redirects=True)
    except requests.RequestException as error:
        raise Refused(f"{archive}: {_no_answer(url, error)}. What to do: {_later(by_hand)}") from None
    problem, todo = _refusal(answer, by_hand)
    if answer.status_code != 404 and problem:
        raise Refused(f"{archive}: {redacted(url)}: {problem}. What to do: {todo}", answer.status_code)
    return answer


def download(
    http: requests.Session,
    url: str,
    target: Path,
    *,
    size: int | None = None,
    checksum: str = "",
    headers: Mapping[str, str] | None = None,
    hint: str = "",
) -> Path:
    """Fetch a file, resuming what an earlier call began, and return its path once it is whole.

    The folder of ``target`` is made; it has the product's name. ``size`` and ``checksum`` (``md5:…``, ``sha256:…`` or
    ``cksum:…``) are what the archive told: more bytes are never taken, and others refused; a line that brings next to
    nothing is given up. ``headers`` may hold a token, which another host does not get; ``hint`` says what to do where
    the archive refuses.

    The function raises a DataError if the file cannot be had, or is not what was told. It names the product, the file,
    what happened and what to do. What came so far is kept where it can be continued.
    """
    return _Download(http, url, target, size, checksum, dict(headers or {}), hint).whole()


def checksum_of(path: Path, algorithm: str) -> str:
    """Return the checksum of a file: md5, sha256 or cksum (POSIX) as the archives write it."""
    with path.open("rb") as stream:
        if algorithm != "cksum":
            return hashlib.file_digest(stream, algorithm).hexdigest()
        total = 0xFFFFFFFF  # undoes zlib's own start; cksum starts at 0, and takes a byte's bits in the other order
        while piece := stream.read(1 << 20):
            total = zlib.crc32(piece.translate(_REVERSED), total)
        length = stream.tell()
    ending = length.to_bytes((length.bit_length() + 7) // 8, "little")
    return str(int(f"{zlib.crc32(ending.translate(_REVERSED), total):032b}"[::-1], 2))


def mismatch(path: Path, size: int | None, checksum: str) -> str:
    """Return how a file differs from the size and the checksum told; empty: it does not."""
    found = path.stat().st_size
    if size is not None and found != size:
        return f"it has {found} bytes, the archive told {size}"
    algorithm, _, value = checksum.partition(":")
    found = checksum_of(path, algorithm) if checksum else ""
    return f"its {algorithm} is {found}, the archive told {value}" if found != value.lower() else ""


class _Patience(Retry):
    """A rule for asking again that waits as the archive says, up to a limit."""

    def get_retry_after(self, response: object) -> float | None:
        """Return the seconds that the archive asks for, or fewer."""
        told = super().get_retry_after(response)
        return None if told is None else min(told, _LONGEST)


class _Session(requests.Session):
    """A session that gives a token to no other host, and never a name and password of its own accord."""

    def __init__(self) -> None:
        super().__init__()
        self.auth = lambda request: request  # else requests would put ~/.netrc in the place of a token

    def send(self, request: requests.PreparedRequest, **options: object) -> requests.Response:
        """Send a request, never without an end to the waiting."""
        options["timeout"] = options.get("timeout") or _TIMEOUT
        return super().send(request, **options)

    def rebuild_auth(self, prepared_request: requests.PreparedRequest, response: requests.Response) -> None:
        """Take the token from a request that is redirected to another host."""
        if self.should_strip_auth(response.request.url, prepared_request.url):
            prepared_request.headers.pop("Authorization", None)


class _Scrubbing(logging.Filter):
    """Takes what may be secret out of the records of another library."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep the record, without what may be secret."""
        record.msg, record.args = scrubbed(record.getMessage()), None
        return True


for _name in _LOGGERS:  # at the import: a login of another library may write before there is a session
    logging.getLogger(_name).addFilter(_Scrubbing())


@dataclass
class _Download:
    """One download; ``expected`` are the bytes of the whole file, where somebody told them."""

    http: requests.Session
    url: str = field(repr=False)  # it may be signed: no traceback shows it
    target: Path
    size: int | None
    checksum: str
    headers: dict[str, str] = field(repr=False)
    hint: str

    def __post_init__(self) -> None:
        self.expected = self.size
        self.part = self.target.with_name(f".{self.target.name}.part")
        self.tag = self.target.with_name(f".{self.target.name}.part.tag")  # which version of the file the part is of

    def whole(self) -> Path:
        """Receive, verify and name the file."""
        self._on_disk(self.target.parent.mkdir, parents=True, exist_ok=True)
        continued = self._have() > 0
        self._receive_all()
        problem = mismatch(self.part, self.expected, self.checksum)
        if problem and continued:  # an earlier call may have left the beginning of another file
            self._forget()
            self._receive_all()
            problem = mismatch(self.part, self.expected, self.checksum)
        if problem:
            self._forget()
            raise self._error(
                f"{problem}: it was damaged on its way, or the archive has another file now",
                "call again, it is fetched anew; if this stays, look at the archive's page for a new version",
            )
        self._on_disk(_settle, self.part, self.target)
        self.tag.unlink(missing_ok=True)
        return self.target

    def _have(self) -> int:
        """Return how many bytes of an earlier call may be continued."""
        if not self.part.is_file():
            return 0
        have = self.part.stat().st_size
        if not (self.tag.is_file() or self.checksum) or (self.expected is not None and have > self.expected):
            self._forget()  # nothing would tell whether it is the beginning of the same file
            return 0
        return have

    def _forget(self) -> None:
        self.part.unlink(missing_ok=True)
        self.tag.unlink(missing_ok=True)

    def _receive_all(self) -> None:
        """Receive until the end, again after each cut; a line that brings something between two cuts has more tries."""
        cuts, most = 0, self._have()
        while True:
            try:
                return self._receive()
            except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError):
                have = self._have()  # what an archive that cannot go on would send again is no progress
                cuts, most = (0 if have - most > _PROGRESS else cuts + 1), max(have, most)
            if cuts == TRIES:
                of = f" of {self.expected}" if self.expected else ""
                raise self._error(
                    f"the connection was cut {TRIES} times, {have}{of} bytes are kept",
                    "call again: it goes on from there",
                )
            time.sleep(PAUSE * 2**cuts)

    def _receive(self) -> None:
        """Ask for what is missing, and append it."""
        have = self._have()
        if have and have == self.expected:
            return
        headers = {**self.headers, "Accept-Encoding": "identity"}
        tag = self.tag.read_text(encoding="utf-8") if have and self.tag.is_file() else ""
        if have:
            headers |= {"Range": f"bytes={have}-"} | ({"If-Range": tag} if tag else {})
        try:
            answer = self.http.get(self.url, headers=headers, stream=True)
        except requests.RequestException as error:
            raise self._error(_no_answer(self.url, error), _later(self._by_hand())) from None
        with answer:
            start, total = _range(answer)
            changed = tag.startswith('"') and answer.headers.get("ETag", tag) != tag
            if answer.status_code == 416 or (answer.status_code == 206 and (start != have or changed)):
                if not have:
                    raise self._error("the archive answers with another part of the file", _later(self._by_hand()))
                self._forget()
                return self._receive()
            self._accept(answer, total)
            self._write(answer, have if answer.status_code == 206 else 0)

    def _accept(self, answer: requests.Response, total: int | None) -> None:
        """Refuse an answer that is not the file; take from its head what is known of the file."""
        page = "text/html" in answer.headers.get("Content-Type", "") and self.target.suffix not in (".html", ".htm")
        problem, todo = _refusal(answer, self._by_hand(), self.hint)
        if not problem and (page or (total == 0 and self.size != 0)):
            problem, todo = _LOGIN_PAGE if page else _EMPTY, self._ways()
        if problem:
            raise self._error(problem, todo, answer.status_code)
        if self.size is not None and total is not None and total != self.size:
            self._forget()
            raise self._error(
                f"the archive sends {total} bytes, it told {self.size}: the file there is cut off or another one",
                f"call again later; if this stays, {self._by_hand()}",
            )
        self.expected = total if self.size is None else self.size
        self.checksum = self.checksum or _told_md5(answer)

    def _write(self, answer: requests.Response, have: int) -> None:
        """Write the pieces of an answer behind what is there."""
        self._room(have)
        tag = answer.headers.get("ETag", "")
        tag = answer.headers.get("Last-Modified", "") if not tag or tag.startswith("W/") else tag
        if not have:
            self.tag.unlink(missing_ok=True)
            if tag:
                self._on_disk(self.tag.write_text, tag, encoding="utf-8")
        file = self._on_disk(self.part.open, "ab" if have else "wb", buffering=0)
        bar = tqdm(total=self.expected, initial=have, unit="B", unit_scale=True, desc=self.target.name, disable=None)
        began, first = time.monotonic(), have
        with file, bar:
            for piece in _pieces(answer):
                if not have and _PAGE.match(piece) and self.target.suffix not in (".html", ".htm"):
                    self._forget()
                    raise self._error(_LOGIN_PAGE, self._ways(), answer.status_code)
                have += len(piece)
                if self.expected is not None and have > self.expected:
                    self._forget()
                    raise self._error(f"more than the {self.expected} bytes that it told come", _later(self._by_hand()))
                self._on_disk(_write_all, file, piece)
                bar.update(len(piece))
                seconds = time.monotonic() - began
                if seconds > _PATIENCE and have - first < _SLOWEST * seconds:
                    raise self._error(
                        f"{have - first} bytes came in {seconds:.0f} seconds, too slow a line", _later(self._by_hand())
                    )
        if not have and self.size != 0:
            self._forget()
            raise self._error(_EMPTY, self._ways(), answer.status_code)

    def _room(self, have: int) -> None:
        """Refuse to begin what the disk has no room for."""
        free = shutil.disk_usage(self.target.parent).free
        if self.expected is not None and self.expected - have > free:
            raise self._error(f"{_megabytes(self.expected - have)} are to come, the disk has {_megabytes(free)}", _ROOM)

    def _on_disk(self, act, *arguments: object, **options: object):
        """Do something with the disk; what goes wrong there says so."""
        try:
            return act(*arguments, **options)
        except OSError as error:
            what = f"{self.target.parent} cannot be written to ({error.strerror or type(error).__name__})"
            raise self._error(what, _ROOM) from None

    def _by_hand(self) -> str:
        return f"get it by hand and put it as {self.target.name} into {self.target.parent}"

    def _ways(self) -> str:
        return f"{self.hint}; or {self._by_hand()}" if self.hint else self._by_hand()

    def _error(self, what: str, todo: str, status: int | None = None) -> Refused:
        product = f"{self.target.parent.name}, {self.target.name}"
        return Refused(f"{product}: {redacted(self.url)}: {what}. What to do: {todo}", status, what)


_LOGIN_PAGE = "a web page came in place of the file, as where a login is wanted"
_EMPTY = "the answer is empty"
_ROOM = (
    "make room, or name another folder for downloads (archives.downloads in the configuration); then call again, it "
    "goes on from where it stopped"
)


def _refusal(answer: requests.Response, by_hand: str, hint: str = "") -> tuple[str, str]:
    """Return what an answer refuses, and what to do; two empty texts: it does not."""
    status = answer.status_code
    ways = "; or ".join(filter(None, (hint, by_hand))) or "look at the archive's page"
    if status == 202 or "x-amzn-waf-action" in answer.headers:
        return f"the archive wants a browser ({status}, a challenge)", f"open its page in a browser; {ways}"
    if status in (401, 403) and "eula" in _beginning(answer):
        return f"the licence was not accepted yet ({status})", f"accept it at the archive with your account; {ways}"
    if status == 401 or urlsplit(answer.url).path.endswith("/oauth/authorize"):
        return f"the archive wants a login, or does not take the one it got ({status})", ways
    if status == 403:
        return "the archive refuses (403)", ways
    if status in (404, 410):
        return f"there is no such file ({status})", f"plan again, the archive may have replaced it; {ways}"
    if status in _BUSY:
        return f"the archive is busy or out of order ({status}, asked {TRIES + 1} times)", _later(by_hand)
    if status >= 300 or status == 204:
        return f"the archive answers {status}", ways
    return "", ""


def _beginning(answer: requests.Response) -> str:
    """Return the first part of a refusal's text, in small letters."""
    try:
        return next(answer.iter_content(4096), b"").decode("utf-8", "replace").lower()
    except requests.RequestException:
        return ""


def _no_answer(url: str, error: Exception) -> str:
    """Return that a host did not answer; the error itself may hold the whole address."""
    return f"no answer from {urlsplit(url).hostname} ({type(error).__name__})"


def _later(by_hand: str) -> str:
    return f"look at the connection and call again later{f'; or {by_hand}' if by_hand else ''}"


def _range(answer: requests.Response) -> tuple[int, int | None]:
    """Return where the part that comes begins, and the bytes of the whole file where they are told."""
    told = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", "").strip())
    if answer.status_code == 206 and told:
        return int(told[1]), None if told[2] == "*" else int(told[2])
    length = answer.headers.get("Content-Length", "")
    plain = answer.status_code == 200 and not answer.headers.get("Content-Encoding")
    return 0, int(length) if plain and length.isdigit() else None


def _told_md5(answer: requests.Response) -> str:
    """Return the MD5 that an answer's head tells of the whole file, as blob stores write it; empty: none."""
    key = "Content-MD5" if answer.status_code == 200 else "x-ms-blob-content-md5"
    try:
        told = base64.b64decode(answer.headers.get(key, ""), validate=True)
    except binascii.Error:
        return ""
    return f"md5:{told.hex()}" if len(told) == 16 else ""


def _pieces(answer: requests.Response) -> Iterator[bytes]:
    """Yield what comes as soon as it comes: a trickle is seen long before it fills a piece."""
    try:
        while piece := answer.raw.read1(_PIECE, decode_content=True):
            yield piece
    except ProtocolError as error:
        raise requests.exceptions.ChunkedEncodingError(error) from None
    except ReadTimeoutError as error:
        raise requests.ConnectionError(error) from None
    except DecodeError as error:
        raise requests.exceptions.ContentDecodingError(error) from None


def _write_all(file, piece: bytes) -> None:
    """Write a piece without a buffer, whose rest would fail a second time when the file is closed."""
    rest = memoryview(piece)
    while rest:
        rest = rest[file.write(rest) :]


def _settle(part: Path, target: Path) -> None:
    """Give a file its name once it is on the disk."""
    synced(part)
    part.replace(target)
    names_synced(target.parent)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
